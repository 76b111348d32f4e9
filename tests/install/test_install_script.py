"""What install.sh says and does, without a network.

A copy of it lies in a folder with spaces; its PATH holds only what a bare Debian has; a script stands in for Python.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from debian_tools import BARE

REPOSITORY = Path(__file__).parents[2]
FAKE_PYTHON = """#!/usr/bin/env bash
# A Python as far as install.sh can tell: it makes environments whose pip writes down what it was asked for.
case "$*" in
  *"version_info < (3, 11)"*) exit "${FAKE_TOO_OLD:-0}" ;;
  -V) echo "Python ${FAKE_VERSION:-3.11.2}" ;;
  "-m venv "*)
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "VIRTUAL_ENV='$3'" >"$3/bin/activate" ;;
  "-m pip install "*)
    echo "${*: -1}" >>"$FAKE_CALLS"
    echo "${FAKE_PIP_SAYS:-}"
    printf '#!/usr/bin/env bash\\necho "brickgate $*"\\n' >"${0%/*}/brickgate" && chmod +x "${0%/*}/brickgate"
    exit "${FAKE_PIP_RC:-0}" ;;
esac
"""


@dataclass
class Machine:
    """A machine of its own for install.sh: `project` holds the copy, `bin` is its whole PATH."""

    project: Path
    bin: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def pip_calls(self) -> list[str]:
        calls = Path(self.environment["FAKE_CALLS"])
        return calls.read_text().splitlines() if calls.exists() else []

    def install(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        merged: Mapping[str, str] = {**self.environment, **environment}
        return subprocess.run(
            [self.project / "install.sh", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd or self.project,
            env=merged,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    project, folder = tmp_path / "my project", tmp_path / "bin"
    project.mkdir()
    folder.mkdir()
    for name in ("install.sh", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, project / name)
    for tool in (*BARE, "id"):
        where = shutil.which(tool)
        if where is None:
            pytest.skip(f"{tool} is not on this machine")
        (folder / tool).symlink_to(where)
    (folder / "python3").write_text(FAKE_PYTHON)
    (folder / "python3").chmod(0o755)
    return Machine(project, folder, {"PATH": str(folder), "FAKE_CALLS": str(tmp_path / "pip-calls")})


def test_help_names_the_options(machine: Machine) -> None:
    result = machine.install("--help")
    assert result.returncode == 0
    for option in ("--simulate", "--test", "--model"):
        assert option in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--simulte",), "unknown option '--simulte'"),
        (("--simulate", "--parts"), "unknown option '--parts'"),
        (("--fetch-wheels",), "--fetch-wheels needs a folder"),
        (("--fetch-wheels", ""), "--fetch-wheels needs a folder"),
    ],
)
def test_what_it_does_not_know_is_one_line_and_exit_2(machine: Machine, arguments: tuple[str, ...], words: str) -> None:
    result = machine.install(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (machine.project / ".venv").exists()


def test_simulate_installs_once_and_hands_the_rest_on(machine: Machine, tmp_path: Path) -> None:
    first = machine.install("--simulate", "--", "--parts", "3", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == "brickgate simulate --parts 3\n"
    assert machine.pip_calls == ["."]
    second = machine.install("--simulate", cwd=tmp_path)
    assert second.stdout == "brickgate simulate\n"
    assert second.stderr == ""
    assert machine.pip_calls == ["."]
    assert "pip install -e ." in (machine.project / "install.log").read_text()


def test_the_model_makers_need_no_second_installation(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "ldraw" / "parts").mkdir(parents=True)
    result = machine.install("--model", LDRAWDIR=str(tmp_path / "ldraw"))
    assert result.returncode == 0, result.stderr
    assert machine.pip_calls == [".[model,convert,onnx]"]
    assert machine.install("--simulate").stderr == ""
    assert len(machine.pip_calls) == 1


def test_an_ldraw_library_that_is_none_is_said(machine: Machine) -> None:
    result = machine.install("--model", LDRAWDIR="/nowhere")
    assert result.returncode == 1
    assert "LDRAWDIR=/nowhere holds no parts/" in result.stderr.splitlines()[-1]


def test_a_changed_project_is_installed_again(machine: Machine) -> None:
    machine.install("--simulate")
    with (machine.project / "pyproject.toml").open("a") as file:
        file.write("# one more line\n")
    assert machine.install("--simulate").returncode == 0
    assert len(machine.pip_calls) == 2


def test_a_moved_project_gets_a_new_environment(machine: Machine, tmp_path: Path) -> None:
    machine.install("--simulate")
    (machine.project / ".venv" / "left-over").touch()
    machine.project = machine.project.rename(tmp_path / "elsewhere")
    assert machine.install("--simulate").returncode == 0
    assert not (machine.project / ".venv" / "left-over").exists()
    assert len(machine.pip_calls) == 2


def test_an_environment_that_works_is_kept(machine: Machine) -> None:
    machine.install("--simulate")
    (machine.project / ".venv" / ".brickgate-base").unlink()
    (machine.project / ".venv" / "mine").touch()
    assert machine.install("--simulate").returncode == 0
    assert (machine.project / ".venv" / "mine").exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "WARNING: Retrying after NewConnectionError('name resolution')\nERROR: No matching distribution",
            "no network",
        ),
        ("ERROR: Could not install: [Errno 28] No space left on device", "no space left"),
        ("ERROR: No matching distribution found for numpy", "No matching distribution found for numpy"),
    ],
)
def test_a_failed_pip_is_one_line_and_never_taken_for_done(machine: Machine, said: str, words: str) -> None:
    failed = machine.install("--simulate", FAKE_PIP_RC="1", FAKE_PIP_SAYS=said)
    assert failed.returncode == 1
    assert words in failed.stderr.splitlines()[-1]
    assert "brickgate" not in failed.stdout
    assert said.splitlines()[0] in (machine.project / "install.log").read_text()
    assert machine.install("--simulate").returncode == 0
    assert len(machine.pip_calls) == 2


def test_a_missing_python_is_said_with_what_to_type(machine: Machine) -> None:
    (machine.bin / "python3").unlink()
    result = machine.install("--simulate")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "install.sh: python3 is missing: type 'sudo apt-get install python3', then run this again"
    )


def test_an_old_python_is_said_with_its_version(machine: Machine) -> None:
    result = machine.install("--simulate", FAKE_TOO_OLD="1", FAKE_VERSION="3.9.2")
    assert result.returncode == 1
    assert "Python 3.9.2 is too old, Brickgate needs 3.11" in result.stderr


def test_a_chosen_python_that_cannot_serve_is_said(machine: Machine) -> None:
    result = machine.install("--simulate", BRICKGATE_PYTHON="/nowhere/python")
    assert result.returncode == 1
    assert "BRICKGATE_PYTHON=/nowhere/python is no Python 3.11 or newer" in result.stderr


def test_two_at_once_are_kept_apart(machine: Machine) -> None:
    (machine.project / "build").mkdir()
    with (machine.project / "build" / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = machine.install("--simulate")
    assert result.returncode == 1
    assert "another install.sh is at work" in result.stderr
    assert machine.pip_calls == []


def test_a_full_disk_is_said_before_anything_is_fetched(machine: Machine) -> None:
    (machine.bin / "df").unlink()
    (machine.bin / "df").write_text("#!/usr/bin/env bash\nprintf 'Filesystem\\n/dev/sda 100 90 10 90%% /\\n'\n")
    (machine.bin / "df").chmod(0o755)
    result = machine.install("--simulate")
    assert result.returncode == 1
    assert result.stderr.startswith("install.sh: 10 MB are free")
    assert machine.pip_calls == []
