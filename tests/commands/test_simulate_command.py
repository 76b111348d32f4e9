"""`brickgate simulate` with a network that only tells colours apart: figures that add up, and every end of a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from edge.journal.read import read_journal
from edge.records import DecisionReason
from edge.sim.faults import FAULTS

KEYS = {
    "parts_fed", "right", "wrong", "unsure", "refused", "lost", "purity", "recovery", "ppm", "part_top1",
    "bin_accuracy", "looks_per_part", "frames", "decision_latency_s", "late_commands", "confirmed",
    "virtual_s", "wall_s", "bins",
}  # fmt: skip


def test_every_part_that_was_fed_is_accounted_for(brickgate, simulated, tmp_path):
    file = tmp_path / "simulated.jsonl"
    result = brickgate("simulate", "--config", simulated, "--parts", 6, "--seed", 3, "--json", "--journal", file)
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
import builtins, os, signal
from edge.entry import run_commands
from edge.signals import Interrupted

def app():
    raise Interrupted(signal.SIGINT)
def tell(line, **_options):
    os.kill(os.getpid(), signal.SIGINT)
builtins.print = tell
run_commands(app)
"""


def test_a_second_signal_on_the_way_out_ends_it_without_a_traceback(tmp_path):
    script = tmp_path / "twice.py"
    script.write_text(INTERRUPTED_TWICE)
    result = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")


ROUND = """\
default_bin: back
recirculates: true
leftover_bin: rest
unsure_rounds: 2
layout: {gate: g1, left: bricks, right: rest, pass: back}
bins:
  - name: bricks
    accept:
      - {parts: [3001]}
"""


def test_on_a_belt_that_recirculates_every_part_ends_once_and_the_journal_says_which_went_round(
    brickgate, simulated, tmp_path
):
    (simulated.parent / "bins.yaml").write_text(ROUND)
    file = tmp_path / "round.jsonl"
    arguments = ("--config", simulated, "--parts", 6, "--seed", 3, "--json", "--journal", file)
    figures = json.loads(brickgate("simulate", *arguments).out)
    assert sum(figures[fate] for fate in ("right", "wrong", "unsure", "refused", "lost")) == figures["parts_fed"] == 6
    assert figures["again"] > 0
    assert set(figures["bins"]) == {"bricks", "rest", "back"}
    records = list(read_journal(file))
    again = [record for record in records if record.again]
    assert len(again) == figures["again"]
    assert {record.bin for record in again} == {"back"}
    assert {record.reason for record in again} <= {DecisionReason.UNSURE, DecisionReason.REFUSED}
    assert "back" not in {record.bin for record in records if not record.again}
    assert "went back to the feeder" in brickgate("simulate", *arguments[:-3]).out


@pytest.mark.parametrize(("encoder", "stops"), [("constant", "where time and belt_mm_per_s say"), ("tracker", None)])
def test_a_belt_without_an_encoder_is_followed_as_on_the_real_machine(brickgate, simulated, encoder, stops):
    simulated.write_text(
        simulated.read_text().replace(
            "belt_mm_per_s: 100", f"belt_mm_per_s: 100\n  motor: {{driver: sim}}\n  encoder: {{driver: {encoder}}}"
        )
    )
    arguments = ("--config", simulated, "--parts", 8, "--seed", 5, "--ppm", 90, "--json")
    figures = json.loads(brickgate("simulate", *arguments).out)
    assert (figures["stopped"], figures["lost"], figures["parts_fed"]) == (None, 0, 8)
    stopped = json.loads(brickgate("simulate", *arguments, "--fault", "belt-slows-down@4").out)["stopped"]
    assert stops in stopped if stops else stopped is None


def test_a_fault_is_ordered_by_name_and_second_and_told_with_its_time(brickgate, simulated):
    arguments = ("--config", simulated, "--parts", 4, "--seed", 5, "--json", "--fault", "gate-slow@3-5")
    result = brickgate("simulate", *arguments)
    figures = json.loads(result.out)
    assert [what for _, what in figures["faults"]] == ["gate g1 slow", "gate g1 works again"]
    assert [time_s for time_s, _ in figures["faults"]] == pytest.approx([3.0, 5.0], abs=0.01)
    assert "3.0 s: (fault: gate g1 slow)" in result.err
    assert (figures["stopped"], figures["lost"]) == (None, 0)


def test_a_broken_accelerator_is_replaced_by_the_cpu_as_on_the_real_machine(brickgate, simulated):
    result = brickgate("simulate", "--config", simulated, "--parts", 3, "--json", "--fault", "accelerator-gone@3")
    assert "goes on, more slowly" in result.err
    assert json.loads(result.out)["stopped"] is None


def test_a_fault_that_stops_the_machine_ends_the_run_and_is_said(brickgate, simulated):
    result = brickgate("simulate", "--config", simulated, "--parts", 3, "--json", "--fault", "camera-unplugged@3")
    assert "no frame within" in json.loads(result.out)["stopped"]
    assert "the machine stopped itself" in result.err


def test_the_card_breaks_under_a_journal(brickgate, simulated, tmp_path):
    arguments = ("--config", simulated, "--parts", 3, "--json", "--fault", "card-full@2")
    assert "name a journal" in brickgate("simulate", *arguments).err
    file = tmp_path / "full.jsonl"
    result = brickgate("simulate", *arguments, "--journal", file)
    assert result.code == 1
    assert "records could not be saved" in result.err


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("gate-ded", "did you mean 'gate-dead'?"),
        ("gate-dead@soon", "'soon' is no time"),
        ("gate-dead@-3", "no time"),
        ("gate-dead@9-4", "would end before it begins"),
        ("double-feed@3-9", "double-feed has no end"),
        ("sensor-blind@1", "no sensors"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_in_one_line(brickgate, simulated, order, says):
    result = brickgate("simulate", "--config", simulated, "--parts", 2, "--fault", order)
    assert result.code
    assert says in result.err
    assert "Traceback" not in result.err


def test_the_faults_are_listed(brickgate):
    lines = brickgate("simulate", "--fault", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(FAULTS)


def test_a_hidden_machine_differs_from_its_yaml_and_goes_by_what_was_calibrated(brickgate, simulated, tmp_path):
    def said(*more):
        result = brickgate("simulate", "--config", simulated, "--parts", 2, "--seed", 4, "--hidden", 3, "--json", *more)
        figures = json.loads(result.out)
        return result.code, figures["virtual_s"], figures["frames"]

    as_written = json.loads(brickgate("simulate", "--config", simulated, "--parts", 2, "--seed", 4, "--json").out)
    code, virtual_s, _ = said()
    assert code == 0
    assert virtual_s != as_written["virtual_s"]
    measured = tmp_path / "calibration.yaml"
    measured.write_text(
        "belt: {made_at: 2026-01-01T12:00:00Z, measured_from: a test, residuals: {}, belt_mm_per_s: 145.5,"
        " ripple: 0.01, mm_per_tick: 0.2548, slip: 0, direction: right}\n"
    )
    assert said("--calibration", measured) == said("--calibration", measured)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--calibration", "here.yaml"), "--calibration: without --hidden the machine is what machine.yaml says"),
        (("--hidden", 3, "--calibration", "nowhere.yaml"), "nowhere.yaml is not there: brickgate-calibrate all"),
    ],
)
def test_a_calibration_of_nothing_is_refused(brickgate, simulated, arguments, words):
    result = brickgate("simulate", "--config", simulated, "--parts", 2, *arguments)
    assert result.code == 1
    assert words in result.err
    assert result.err.count("\n") == 1
