"""`brickgate simulate` with a network that only tells colours apart: figures that add up, and every end of a run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edge.journal.read import read_journal
from edge.records import DecisionReason

KEYS = {
    "parts_fed", "right", "wrong", "unsure", "refused", "lost", "purity", "recovery", "ppm", "part_top1",
    "bin_accuracy", "looks_per_part", "frames", "decision_latency_s", "late_commands", "virtual_s", "wall_s", "bins",
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
