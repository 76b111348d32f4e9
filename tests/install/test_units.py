"""The units, as systemd's own tools see them."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from edge.signals import Interrupted
from edge.web.state import State, read_state

SYSTEM = Path(__file__).parents[2] / "edge/system"
UNIT = SYSTEM / "brickgate.service"
ANALYZE = shutil.which("systemd-analyze")
NEWER = {"RestartMode", "RestartSteps", "RestartMaxDelaySec"}
"""Keys that systemd knows since 254; the installer leaves them out before."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")


@needs_systemd
@pytest.mark.parametrize("unit", ["brickgate.service", "brickgate-failed.service"])
def test_systemd_understands_every_line(unit: str, tmp_path: Path) -> None:
    for name in ("brickgate.service", "brickgate-failed.service"):
        # The program itself need not be installed here.
        text = (SYSTEM / name).read_text().replace("/opt/brickgate/current/bin/brickgate", "/bin/true")
        (tmp_path / name).write_text("".join(line for line in text.splitlines(True) if line.split("=")[0] not in NEWER))
    result = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", tmp_path / unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert [line for line in result.stderr.splitlines() if str(tmp_path) in line or unit in line] == []


@needs_systemd
def test_the_service_is_hardened() -> None:
    result = subprocess.run(
        [str(ANALYZE), "security", "--offline=yes", "--no-pager", SYSTEM / "brickgate.service"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = re.search(r"exposure level for brickgate.service: ([0-9.]+)", result.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze judges no files: {result.stderr.strip()[:80]}")
    assert float(found[1]) <= 2.0


@pytest.mark.parametrize("unit", ["brickgate.service", "brickgate-failed.service", "brickgate-status.service"])
def test_nothing_of_ours_runs_as_root(unit: str) -> None:
    """brickgate-failed.service writes into a folder of the service's user, who may have laid links there."""
    lines = (SYSTEM / unit).read_text().splitlines()
    assert {"NoNewPrivileges=yes"} < set(lines)
    assert any(line.startswith("User=brickgate") for line in lines)


@pytest.mark.parametrize("unit", ["brickgate.service", "brickgate-status.service"])
def test_the_cards_passwords_are_out_of_reach(unit: str) -> None:
    assert "InaccessiblePaths=-/boot/brickgate/network.yaml" in (SYSTEM / unit).read_text().splitlines()


def test_the_greeting_follows_no_link(tmp_path: Path) -> None:
    script = (SYSTEM / "50-brickgate.motd").read_text().replace("/run/", f"{tmp_path}/")
    (tmp_path / "brickgate").mkdir()
    issue = tmp_path / "brickgate/issue"

    def greeting() -> str:
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout

    assert greeting() == ""
    issue.write_text("sorting")
    assert greeting() == "sorting"
    (tmp_path / "secret").write_text("hash")
    issue.unlink()
    issue.symlink_to(tmp_path / "secret")
    assert greeting() == ""


def test_only_the_last_failure_says_that_the_program_cannot_be_started() -> None:
    # systemd 254 and newer start OnFailure= before each automatic restart too, unless it is told "direct": a machine
    # whose configuration was just put right said that it cannot be started.
    lines = (SYSTEM / "brickgate.service").read_text().splitlines()
    assert {"OnFailure=brickgate-failed.service", "Restart=on-failure", "RestartMode=direct"} <= set(lines)


def test_only_starts_that_come_to_nothing_are_counted() -> None:
    # Safe mode is ready too. systemd counts a start for each YAML file that is saved, and for each `systemctl restart`.
    assert "ExecStartPost=-+/usr/bin/systemctl reset-failed brickgate.service" in UNIT.read_text().splitlines()


def test_a_stop_while_it_starts_is_no_failure() -> None:
    # Before the machine runs SIGTERM ends the process with 128 + 15, which systemd takes for a failure unless told.
    assert f"SuccessExitStatus={Interrupted(signal.SIGTERM).exit_code}" in UNIT.read_text().splitlines()


def test_the_console_gets_a_reason_when_the_program_cannot_even_begin(tmp_path: Path) -> None:
    unit = (SYSTEM / "brickgate-failed.service").read_text()
    (line,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    # systemd.syntax(7): %% is %, and in single quotes \\\\ is one backslash.
    script = line.replace("%%", "%").replace("\\\\", "\\").replace("/run/", f"{tmp_path}/")
    (tmp_path / "brickgate").mkdir()
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "SAFE MODE: the machine stands still" in said
    told = read_state(tmp_path / "brickgate/state.json")
    assert told.state is State.SAFE_MODE
    assert "install it again" in told.reason
