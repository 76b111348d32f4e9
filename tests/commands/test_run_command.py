"""`brickgate run` and `replay` on a recorded belt: how they end, and what is in the journal then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import pytest
from lockstep import FrameClock, Lockstep

from edge.errors import HardwareError
from edge.hardware.frames import FramesCamera
from edge.hardware.idle import IdleGate
from edge.journal.read import read_journal


@pytest.fixture
def lockstep(monkeypatch):
    monkeypatch.setattr("edge.run.NewestFrame", Lockstep)
    monkeypatch.setattr("edge.run.MonotonicClock", FrameClock)


def sorted_parts(file):
    return [(record.bin, record.top[0][0], record.reason) for record in read_journal(file)]


def test_a_recording_runs_to_its_end(brickgate, machine, lockstep):
    result = brickgate("run", "--config", machine)
    journal = machine.parent / "journal.jsonl"
    assert (result.code, result.err) == (0, "the recording has ended\n")
    assert result.out == f"62 frames, 2 parts, 2 pictures, recorded in {journal}\n"
    assert sorted_parts(journal) == [("bricks", "3001", "certain"), ("plates", "3023", "certain")]


SIGNAL_AT_FRAME = 58
INTERRUPTED = f"""
import os, signal, sys
import edge.run
from edge.cli import main
from edge.hardware.frames import FramesCamera
sys.path.insert(0, {str(Path(__file__).parents[1] / "hardware")!r})
from lockstep import FrameClock, Lockstep

number, deliver = int(sys.argv.pop()), FramesCamera.next_frame
def next_frame(camera, timeout_s):
    frame = deliver(camera, timeout_s)
    if frame is not None and frame.index == {SIGNAL_AT_FRAME}:
        os.kill(os.getpid(), number)
    return frame
FramesCamera.next_frame = next_frame
edge.run.NewestFrame, edge.run.MonotonicClock = Lockstep, FrameClock
main()
"""


@pytest.mark.parametrize(("number", "name", "code"), [(2, "SIGINT", 130), (15, "SIGTERM", 143), (1, "SIGHUP", 129)])
def test_a_signal_stops_the_run_in_good_order(machine, tmp_path, number, name, code):
    script = tmp_path / "interrupted.py"
    # The tests themselves may run under nohup, which their children inherit.
    script.write_text("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n" + INTERRUPTED)
    result = subprocess.run(
        [sys.executable, script, "run", "--config", machine, str(number)],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stderr.splitlines()[-1]) == (code, f"{name} received"), result.stderr
    assert "Traceback" not in result.stderr
    assert "2 parts, 2 pictures, recorded in" in result.stdout
    assert [bin_ for bin_, *_ in sorted_parts(tmp_path / "journal.jsonl")] == ["bricks", "plates"]


def test_a_run_under_nohup_outlives_its_terminal(machine, tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + INTERRUPTED)
    result = subprocess.run(
        [sys.executable, script, "run", "--config", machine, "1"],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stderr.splitlines()[-1]) == (0, "the recording has ended"), result.stderr


def test_a_warning_that_nobody_reads_stops_no_machine(machine, tmp_path):
    bins = tmp_path / "bins.yaml"
    bins.write_text(bins.read_text().replace("name: bricks", "name: bricks\n    full_after: 1"))
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [sys.executable, script, "run", "--config", machine, "0"],
        check=False, stdout=subprocess.PIPE, stderr=write_end, text=True, timeout=120,
    )  # fmt: skip
    os.close(write_end)
    assert "62 frames, 2 parts, 2 pictures, recorded in" in result.stdout
    assert [bin_ for bin_, *_ in sorted_parts(tmp_path / "journal.jsonl")] == ["bricks", "plates"]


def failing_at(frame_index, error):
    """A camera that fails instead of delivering that frame."""
    deliver = FramesCamera.next_frame

    def next_frame(camera, timeout_s):
        frame = deliver(camera, timeout_s)
        if frame is not None and frame.index == frame_index:
            raise error
        return frame

    return next_frame


def test_a_camera_that_stops_delivering_stops_the_machine(brickgate, machine, lockstep, monkeypatch):
    error = HardwareError("camera: no frame for 2 s: check its cable")
    monkeypatch.setattr(FramesCamera, "next_frame", failing_at(SIGNAL_AT_FRAME, error))
    result = brickgate("run", "--config", machine)
    assert (result.code, result.err) == (1, "error: camera: no frame for 2 s: check its cable\n")
    assert [bin_ for bin_, *_ in sorted_parts(machine.parent / "journal.jsonl")] == ["bricks", "plates"]


def test_an_unforeseen_error_of_the_camera_is_one_line_too(brickgate, machine, lockstep, monkeypatch):
    monkeypatch.setattr(FramesCamera, "next_frame", failing_at(2, RuntimeError("dma timeout")))
    result = brickgate("run", "--config", machine)
    assert (result.code, result.err) == (1, "error: the camera failed: dma timeout\n")


def test_a_gate_that_fails_stops_the_machine(brickgate, machine, lockstep, monkeypatch):
    machine.write_text(
        machine.read_text().replace("x_mm: 30000", "x_mm: 300")
        + "safety: {max_lateness_s: 1}\nfusion: {min_looks: 1}\n"
    )
    refused, deliver = threading.Event(), FramesCamera.next_frame

    def refuse(gate, position):
        if position != gate.rest:
            refused.set()
            raise HardwareError("gate g1: no answer: check its cable")

    def wait_for_the_gate(camera, timeout_s):
        frame = deliver(camera, timeout_s)
        if frame is None:
            refused.wait(10)
        return frame

    monkeypatch.setattr(IdleGate, "move_to", refuse)
    monkeypatch.setattr(FramesCamera, "next_frame", wait_for_the_gate)
    result = brickgate("run", "--config", machine)
    assert (result.code, result.err) == (1, "error: gate g1: no answer: check its cable\n")


def test_gates_move_though_nobody_reads_what_is_said_of_their_priority(brickgate, machine, lockstep, monkeypatch):
    machine.write_text(
        machine.read_text().replace("x_mm: 30000", "x_mm: 300")
        + "safety: {max_lateness_s: 1}\nfusion: {min_looks: 1}\n"
    )
    moved, deliver = threading.Event(), FramesCamera.next_frame
    read, notice = [], "the gates' threads run as any other"

    def say(line):
        if line == notice:
            raise BrokenPipeError(32, "Broken pipe")
        read.append(line)

    def wait_for_the_gate(camera, timeout_s):
        frame = deliver(camera, timeout_s)
        if frame is None:
            moved.wait(10)
        return frame

    monkeypatch.setattr("edge.cli.tell", say)
    monkeypatch.setattr("edge.run.GatePriority.notice", lambda _priority: notice)
    monkeypatch.setattr(IdleGate, "move_to", lambda gate, position: position != gate.rest and moved.set())
    monkeypatch.setattr(FramesCamera, "next_frame", wait_for_the_gate)
    assert brickgate("run", "--config", machine).code == 0
    assert (moved.is_set(), read) == (True, ["the recording has ended"])


def test_a_damaged_picture_in_a_recording_ends_the_run(brickgate, machine, recording, tmp_path, lockstep):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for index in range(4):
        (folder / f"{index}.png").symlink_to(recording / f"{index}.png")
    (folder / "4.png").write_bytes(b"no picture")
    machine.write_text(machine.read_text().replace(str(recording), str(folder)))
    result = brickgate("run", "--config", machine)
    assert result.code == 1
    assert (
        result.err == f"error: {folder / '4.png'} is no picture that can be read: give a JPEG, PNG, BMP, WebP or TIFF\n"
    )
    assert result.out.startswith("4 frames, 0 parts")


def test_a_simulated_camera_is_for_simulate(brickgate, machine):
    machine.write_text(machine.read_text().replace("driver: frames", "driver: sim"))
    result = brickgate("run", "--config", machine)
    assert result.code == 2
    assert result.err == "gate 'g1' is simulated: use `brickgate simulate`, or name a real driver\n"


def test_replay_finds_the_parts_also_those_still_in_view(brickgate, machine, recording):
    result = brickgate("replay", recording, "--config", machine, "--json")
    answer = json.loads(result.out)
    assert (result.code, answer["frames"]) == (0, 62)
    assert [(p["track"], p["bin"], p["top"][0]["part"]) for p in answer["parts"]] == [
        (1, "bricks", "3001"),
        (2, "plates", "3023"),
    ]
    first = answer["parts"][0]
    assert (first["first_frame"], first["last_frame"], first["looks"]) == (9, 52, 3)
    assert first["top"][0]["name"] == "Brick 2 x 4"
    assert set(first["colour"][0]) == {"name", "ldraw_code", "score"}


MIRRORED = """\
version: 1
plane:
  made_at: 2026-11-30T00:00:00+00:00
  measured_from: a test
  residuals: {}
  size_px: [800, 320]
  px_per_mm: 4.0
  homography: [[-1, 0, 799], [0, 1, 0], [0, 0, 1]]
"""


@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_recording_is_straightened_by_the_calibration(brickgate, machine, recording, tmp_path, lockstep, command):
    raw = tmp_path / "raw"
    raw.mkdir()
    for file in recording.iterdir():
        cv2.imwrite(str(raw / file.name), cv2.flip(cv2.imread(str(file)), 1), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    machine.write_text(machine.read_text().replace(str(recording), str(raw)))
    (tmp_path / "calibration.yaml").write_text(MIRRORED)
    if command == "run":
        assert brickgate("run", "--config", machine).code == 0
        bins = [bin_ for bin_, *_ in sorted_parts(tmp_path / "journal.jsonl")]
    else:
        answer = json.loads(brickgate("replay", raw, "--config", machine, "--json").out)
        bins = [part["bin"] for part in answer["parts"]]
    assert bins == ["bricks", "plates"]


def test_replay_draws_what_it_saw(brickgate, machine, recording, tmp_path):
    video = tmp_path / "seen.avi"
    result = brickgate("replay", recording, "--config", machine, "--video", video)
    assert result.code == 0
    assert "Brick 2 x 4" in result.out
    camera = FramesCamera(video, 60)
    camera.start()
    frames = list(iter(lambda: camera.next_frame(1.0), None))
    assert len(frames) == 62
    green_box = (frames[30].image_bgr[:, :, 1].astype(int) - frames[30].image_bgr[:, :, 2]) > 80
    assert green_box.sum() > 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "no such recording: give a folder of pictures or a video"),
        (lambda path: path.mkdir() or path, "holds no picture: give a folder of JPEG"),
        (lambda path: path.write_bytes(b"RIFF....AVI ") and path, "is no video that can be played"),
    ],
)
def test_a_recording_that_cannot_be_played(brickgate, machine, tmp_path, make, message):
    path = make(tmp_path / "recorded")
    result = brickgate("replay", path, "--config", machine)
    assert result.code == 1
    assert result.err.startswith(f"error: {path}")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_picture_smaller_than_the_belt_is_named(brickgate, machine, recording):
    machine.write_text(machine.read_text().replace("width_px: 800", "width_px: 1280").replace("0, 800,", "0, 900,"))
    result = brickgate("replay", recording, "--config", machine)
    assert result.code == 1
    assert result.err == (
        "error: frame 0 is 800×320 px, but view 'top' reaches 900×320: correct the camera's size or the region\n"
    )


@pytest.mark.parametrize("fails", [False, True])
def test_whatever_ends_it_feeder_and_belt_are_off_and_gates_at_rest(brickgate, machine, lockstep, monkeypatch, fails):
    told = []
    # The order is of interest here, whenever the gates' threads get the processor.
    monkeypatch.setattr("edge.scheduling.gate_worker.ANSWER_S", 60.0)
    monkeypatch.setattr("edge.hardware.idle.IdleFeeder.set_rate", lambda _feeder, rate: told.append(f"feed {rate:g}"))
    monkeypatch.setattr("edge.hardware.idle.IdleBeltMotor.start", lambda _motor: told.append("belt on"))
    monkeypatch.setattr("edge.hardware.idle.IdleBeltMotor.stop", lambda _motor: told.append("belt off"))
    monkeypatch.setattr(IdleGate, "move_to", lambda _gate, position: told.append(position))
    if fails:
        monkeypatch.setattr("edge.pipeline.Pipeline.process", fail_in_the_pipeline)
        with pytest.raises(ZeroDivisionError):
            brickgate("run", "--config", machine)
    else:
        assert brickgate("run", "--config", machine).code == 0
    assert told[:3] == ["pass", "belt on", "feed 60"]
    assert sorted(told[-3:]) == ["belt off", "feed 0", "pass"]


def fail_in_the_pipeline(pipeline, frame):
    raise ZeroDivisionError
