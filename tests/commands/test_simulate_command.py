"""`brickgate simulate` with a network that only tells colours apart: figures that add up, and every end of a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from edge.journal.read import read_journal
from edge.records import DecisionReason

KEYS = {
    "parts_fed", "right", "wrong", "unsure", "refused", "lost", "purity", "recovery", "ppm", "part_top1",
    "bin_accuracy", "looks_per_part", "frames", "decision_latency_s", "late_commands", "confirmed",
    "virtual_s", "wall_s", "bins",
}  # fmt: skip


def test_every_part_that_was_fed_is_accounted_for(brickgate, simulated, tmp_path):
    file = tmp_path / "simulated.jsonl"
    result = brickgate("simulate", "--config", simulated, "--parts", 6, "--seed", 5, "--json", "--journal", file)
    figures = json.loads(result.out)
    assert (result.code, result.err) == (0, "")
    assert set(figures) >= KEYS
    assert sum(figures[fate] for fate in ("right", "wrong", "unsure", "refused", "lost")) == figures["parts_fed"] == 6
    assert set(figures["decision_latency_s"]) == {"p50", "p99"}
    records = list(read_journal(file))
    assert {record.reason for record in records} <= set(DecisionReason)
    assert len(records) >= 5


def test_the_same_seed_sorts_the_same(brickgate, simulated):
    def figures():
        out = json.loads(brickgate("simulate", "--config", simulated, "--parts", 3, "--seed", 9, "--json").out)
        return {key: value for key, value in out.items() if key not in {"wall_s", "decision_latency_s"}}

    assert figures() == figures()


def test_without_json_the_bins_are_a_table(brickgate, simulated):
    result = brickgate("simulate", "--config", simulated, "--parts", 2)
    assert result.code == 0
    assert "bricks" in result.out
    assert "purity" in result.out


INTERRUPTED = """
import os, signal, sys
from edge.cli import main
from edge.sim.camera import SimCamera

number, deliver = int(sys.argv.pop()), SimCamera.next_frame
def next_frame(camera, timeout_s):
    frame = deliver(camera, timeout_s)
    if frame.index == 90:
        os.kill(os.getpid(), number)
    return frame
SimCamera.next_frame = next_frame
main()
"""


@pytest.mark.parametrize(("number", "name", "code"), [(2, "SIGINT", 130), (15, "SIGTERM", 143)])
def test_a_signal_ends_it_with_one_line_and_a_whole_journal(simulated, tmp_path, number, name, code):
    script, file = tmp_path / "interrupted.py", tmp_path / "simulated.jsonl"
    script.write_text(INTERRUPTED)
    arguments = ["simulate", "--config", simulated, "--parts", 50, "--journal", file, number]
    result = subprocess.run(
        [sys.executable, script, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr.splitlines()[-1]) == (code, f"stopped: {name} received"), result.stderr
    assert "Traceback" not in result.stderr
    assert len(list(read_journal(file, pytest.fail))) >= 2


INTERRUPTED_CLOSING = """
import os, signal, sys
from edge.cli import main
from edge.journal.journal import Journal

close = Journal.close
def close_while_interrupted(journal):
    os.kill(os.getpid(), signal.SIGINT)
    close(journal)
Journal.close = close_while_interrupted
main()
"""


def test_a_signal_while_the_journal_is_closed_loses_no_part(simulated, tmp_path):
    script, file = tmp_path / "interrupted.py", tmp_path / "simulated.jsonl"
    script.write_text(INTERRUPTED_CLOSING)
    arguments = ["simulate", "--config", simulated, "--parts", 2, "--journal", file]
    result = subprocess.run(
        [sys.executable, script, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr.splitlines()[-1]) == (130, "stopped: SIGINT received"), result.stderr
    assert len(list(read_journal(file, pytest.fail))) == 2


def test_parts_that_the_journal_could_not_save_are_no_success(brickgate, simulated, tmp_path, monkeypatch):
    def full(disk, fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.journal.file.Disk.write", full)
    result = brickgate("simulate", "--config", simulated, "--parts", 2, "--journal", tmp_path / "full.jsonl", "--json")
    assert result.code == 1
    assert "2 records could not be saved" in result.err
    assert json.loads(result.out)["parts_fed"] == 2


def test_parts_that_come_far_apart_are_waited_for(brickgate, simulated):
    figures = json.loads(brickgate("simulate", "--config", simulated, "--parts", 1, "--ppm", 0.4, "--json").out)
    assert (figures["parts_fed"], figures["lost"]) == (1, 0)


INTERRUPTED_TWICE = """
import os, signal
from edge import cli
from edge.signals import Interrupted

def app():
    raise Interrupted(signal.SIGINT)
def warn(line):
    os.kill(os.getpid(), signal.SIGINT)
cli.app, cli._warn = app, warn
cli.main()
"""


def test_a_second_signal_on_the_way_out_ends_it_without_a_traceback(tmp_path):
    script = tmp_path / "twice.py"
    script.write_text(INTERRUPTED_TWICE)
    result = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")
