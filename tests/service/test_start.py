"""What systemd starts says so before it reads what takes long, and reads nothing that it does not need."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import example
from edge.service_command import main
from edge.service_manager import READY, STILL_STARTING, STOPPING

COMMAND_LINE, MACHINE = {"typer", "rich", "click"}, {"numpy", "cv2", "pydantic", "yaml", "edge.service", "edge.machine"}


def modules_after(code: str) -> set[str]:
    """What a new interpreter has loaded after `code`."""
    words = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("begin", ["edge.start", "edge.service_command", "edge.web.command"])
def test_what_systemd_starts_begins_without_the_machine_and_the_command_line(begin: str) -> None:
    assert not modules_after(f"import {begin}") & (COMMAND_LINE | MACHINE)


def test_the_whole_service_needs_nothing_of_the_command_line() -> None:
    assert not modules_after("import edge.service_command, edge.service") & COMMAND_LINE


@pytest.mark.parametrize("words", [["service", "--nonsense"], ["status-page", "--port", "many"]])
@pytest.mark.parametrize("module", ["edge.start", "edge.cli"])
def test_words_that_are_wrong_are_one_line_and_exit_code_2(module: str, words: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", module, *words], check=False, capture_output=True, text=True)

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert words[-1] in ended.stderr.splitlines()[-1]


def test_a_port_that_cannot_be_had_is_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "edge.start", "status-page", "--listen", "127.0.0.1", "--port", "70000"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.returncode != 0
    assert ended.stderr.count("\n") == 1
    assert "--port" in ended.stderr


def test_it_says_that_it_starts_before_it_has_read_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(example("beginner-4"), tmp_path / "etc")
    (tmp_path / "etc/bins.yaml").write_text("bins: 3\n", encoding="utf-8")
    (tmp_path / "run").mkdir()
    told, states = Listener(tmp_path / "notify"), []
    monkeypatch.setenv("NOTIFY_SOCKET", str(told.path))
    monkeypatch.setattr("edge.service.Service.run", lambda service: states.append(state_in(tmp_path / "run")) or 3)

    code = main([f"--config={tmp_path}/etc/machine.yaml", f"--folder={tmp_path}/run", f"--journal={tmp_path}/j.jsonl"])

    assert (code, states) == (3, ["starting"])
    assert told.lines()[0] == STILL_STARTING


def test_a_bad_configuration_ends_as_a_ready_service_in_safe_mode(tmp_path: Path) -> None:
    shutil.copytree(example("beginner-4"), tmp_path / "etc")
    (tmp_path / "etc/bins.yaml").write_text("bins: 3\n", encoding="utf-8")
    (tmp_path / "run").mkdir()
    told = Listener(tmp_path / "notify")
    words = ["service", f"--config={tmp_path}/etc/machine.yaml", f"--folder={tmp_path}/run", f"--journal={tmp_path}/j"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.start", *words],
        env={**os.environ, "NOTIFY_SOCKET": str(told.path)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        before = told.lines_until(READY)
        assert state_in(tmp_path / "run") == "safe-mode"
    finally:
        process.terminate()
        code = process.wait(60)

    assert before.count(STILL_STARTING) >= 2
    assert code == 0
    assert STOPPING in told.lines()


class Listener:
    """A service manager's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def lines_until(self, line: str) -> list[str]:
        """All lines up to `line`, which is waited for."""
        self._socket.settimeout(120)
        found: list[str] = []
        while line not in found:
            found += self._socket.recv(4096).decode().splitlines()
        return found

    def lines(self) -> list[str]:
        """What has come."""
        self._socket.settimeout(0)
        found: list[str] = []
        while True:
            try:
                found += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return found


def state_in(folder: Path) -> str:
    """The state that the service has written."""
    return str(json.loads((folder / "state.json").read_text(encoding="utf-8"))["state"])
