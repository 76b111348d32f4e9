"""`brickgate run` that hangs or is killed, and the run after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lockstep import FrameClock, Lockstep

from edge.journal.read import read_journal
from edge.watchdog import EXIT_HUNG

AT_FRAME = 58
CUT_SHORT = f"""
import os, signal, sys, threading
import edge.run
from edge.cli import main
from edge.pipeline import Pipeline
sys.path.insert(0, {str(Path(__file__).parents[1] / "hardware")!r})
from lockstep import FrameClock, Lockstep

how, process = sys.argv.pop(), Pipeline.process

def cut_short(pipeline, frame):
    if frame.index == {AT_FRAME}:
        if how == "hang":
            threading.Event().wait()
        pipeline.close()
        journal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return process(pipeline, frame)

def run(plans, written, *rest):
    global journal
    journal = written
    return started(plans, written, *rest)

started, edge.run.run = edge.run.run, run
Pipeline.process = cut_short
edge.run.NewestFrame = Lockstep
if how == "kill":
    edge.run.MonotonicClock = FrameClock
main()
"""


@pytest.fixture
def run_cut_short(machine, tmp_path):
    def run(how):
        script = tmp_path / "cut_short.py"
        script.write_text(CUT_SHORT)
        machine.write_text(machine.read_text() + "safety: {watchdog_s: 2}\n")
        return subprocess.run(
            [sys.executable, script, "run", "--config", machine, how],
            check=False, capture_output=True, text=True, timeout=240,
        )  # fmt: skip

    return run


@pytest.fixture
def run_again(brickgate, machine, monkeypatch):
    monkeypatch.setattr("edge.run.NewestFrame", Lockstep)
    monkeypatch.setattr("edge.run.MonotonicClock", FrameClock)
    return lambda: brickgate("run", "--config", machine)


def test_a_loop_that_hangs_ends_the_process_and_the_next_run_says_why(run_cut_short, run_again):
    hung = run_cut_short("hang")
    assert hung.returncode == EXIT_HUNG, hung.stderr
    last = hung.stderr.splitlines()[-1]
    assert last.startswith("error: the control loop has hung for 2.")
    assert last.endswith(f"(at: frame {AT_FRAME}): the machine was stopped, and this process ends")
    again = run_again()
    assert again.code == 0
    assert again.err.startswith("the last run was ended by the watchdog: the control loop has hung for 2.")
    assert run_again().err == "the recording has ended\n"


def test_after_a_kill_part_numbers_go_on_and_nothing_decided_is_lost(run_cut_short, run_again, machine):
    assert run_cut_short("kill").returncode == -9
    journal = machine.parent / "journal.jsonl"
    before = [record.part_id for record in read_journal(journal)]
    assert len(before) == 2
    again = run_again()
    assert again.code == 0
    assert again.err.startswith("the last run was cut off (killed, or the power failed)")
    after = [record.part_id for record in read_journal(journal)]
    assert after == [*before, before[-1] + 1, before[-1] + 2]
