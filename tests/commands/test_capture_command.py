"""`--capture`: each part's looks with their labels, and what becomes of them when the disk or the time is short."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from lockstep import FrameClock, Lockstep

from edge.bundle.manifest import BundlePart
from edge.captures import COLUMNS, QUEUE_PARTS, Captures
from edge.catalogue.colours import load_colours
from edge.part_state import Outcome, PartState
from edge.records import Frame, Look, Track, TrackState, Verdict

PARTS = (BundlePart("3001", "Brick 2 x 4", "Brick"), BundlePart("3023", "Plate 1 x 2", "Plate"))


def labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == list(COLUMNS)
        return list(reader)


def test_a_run_keeps_the_looks_at_each_part(brickgate, machine, tmp_path, monkeypatch):
    monkeypatch.setattr("edge.run.NewestFrame", Lockstep)
    monkeypatch.setattr("edge.run.MonotonicClock", FrameClock)
    result = brickgate("run", "--config", machine, "--capture", tmp_path / "seen")
    assert (result.code, result.err) == (0, "the recording has ended\n")
    rows = labels(tmp_path / "seen" / "run-0001")
    assert {(row["part"], row["group"], row["bin"]) for row in rows} == {
        ("3001", "000001", "bricks"),
        ("3023", "000002", "plates"),
    }
    for row in rows:
        left, top, right, bottom = map(int, row["box_px"].split())
        picture = cv2.imread(str(tmp_path / "seen" / "run-0001" / row["file"]))
        middle = picture[(top + bottom) // 2, (left + right) // 2].astype(int)
        assert middle.argmax() == (2 if row["part"] == "3001" else 1), "red and green parts"
        assert float(row["mm_per_px"]) == pytest.approx(0.25)
        assert (right - left) * 0.25 == pytest.approx(24, abs=1.5)
        assert row["colour_code"].isdigit()


def test_each_run_has_a_folder_of_its_own(brickgate, simulated, tmp_path):
    for run in ("run-0001", "run-0002"):
        result = brickgate(
            "simulate", "--config", simulated, "--parts", 3, "--seed", 5, "--json", "--capture", tmp_path / "seen"
        )
        assert (result.code, result.err) == (0, "")
        rows = labels(tmp_path / "seen" / run)
        assert rows
        assert {row["file"] for row in rows} == {p.name for p in (tmp_path / "seen" / run).glob("*.jpg")}


def test_a_folder_that_cannot_be_made_is_one_line(brickgate, machine, tmp_path):
    (tmp_path / "file").touch()
    result = brickgate("run", "--config", machine, "--capture", tmp_path / "file" / "seen")
    assert result.code == 1
    assert result.err == (
        f"error: --capture {tmp_path}/file/seen cannot be made (Not a directory): name another folder\n"
    )


def seen(track_id: int, posterior: tuple[float, float] = (0.98, 0.02), unsure: bool = False) -> PartState:
    look = Look(track_id, 7, "top", np.full((20, 20, 3), 90, np.uint8), 0.25, 1.0, mask=np.eye(20, dtype=np.bool_))
    track = Track(track_id, TrackState.FINISHED, 1, 7, 0.0, 10.0, 0.0, 10.0, 8.0, (look,))
    verdict = Verdict(track_id, np.array(posterior, np.float32), np.zeros(0, np.float32), 1, unsure, "a test")
    return PartState(track, verdict)


def outcome(part: PartState) -> Outcome:
    return Outcome(Frame(7, 0.0, 0.0, np.zeros((1, 1, 3), np.uint8)), [], [part])


def open_captures(folder: Path, said: list[str], threaded: bool = False) -> Captures:
    return Captures(folder, PARTS, load_colours(), 0.9, said.append, threaded=threaded)


@pytest.mark.parametrize(
    ("part", "label"),
    [(seen(1), "3001"), (seen(1, (0.2, 0.8)), ""), (seen(1, (0.97, 0.03), unsure=True), "")],
)
def test_only_a_sure_part_is_labelled(tmp_path, part, label):
    with open_captures(tmp_path, []) as captures:
        captures.observe(outcome(part))
    (row,) = labels(tmp_path / "run-0001")
    best = "3001" if part.verdict.part_posterior[0] > 0.5 else "3023"
    assert (row["part"], row["guess"], row["colour"], row["bin"]) == (label, best, "", "")


def test_a_look_is_kept_once_however_often_its_frame_is_told(tmp_path):
    part = seen(1)
    riding = replace(outcome(part), parts=[part], finished=[])
    with open_captures(tmp_path, []) as captures:
        for _ in range(3):
            captures.observe(riding)
        captures.observe(outcome(part))
    assert len(labels(tmp_path / "run-0001")) == 1


def test_a_decided_part_still_in_view_is_kept_at_the_end(tmp_path):
    decided, undecided = seen(1), replace_verdict(seen(2))
    with open_captures(tmp_path, []) as captures:
        captures.observe(Outcome(outcome(decided).frame, [decided, undecided]))
    assert [row["group"] for row in labels(tmp_path / "run-0001")] == ["000001"]


def replace_verdict(part: PartState) -> PartState:
    part.verdict = None
    return part


def test_what_comes_too_fast_is_dropped_and_counted_and_nothing_waits(tmp_path, monkeypatch):
    """The writing thread never starts, as if the disk had stalled."""
    said: list[str] = []
    monkeypatch.setattr("edge.captures.threading.Thread.start", lambda _thread: None)
    monkeypatch.setattr("edge.captures.threading.Thread.join", lambda _thread, _timeout: None)
    monkeypatch.setattr("edge.captures.CLOSE_S", 0.0)
    captures = open_captures(tmp_path, said, threaded=True)
    for track_id in range(QUEUE_PARTS + 5):
        captures.observe(outcome(seen(track_id)))
    assert captures.dropped == 5
    captures.close()
    assert said == [
        f"captures {tmp_path}/run-0001: 0 looks kept; 5 came faster than they could be written,"
        f" {QUEUE_PARTS} were still waiting for the disk"
    ]


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes ten bytes of a file and no more while `full` is set."""
    disk, write = SimpleNamespace(full=False), Path.write_bytes

    def write_bytes(path, data):
        if disk.full:
            write(path, data[:10])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return disk


def test_a_full_disk_costs_pictures_and_is_one_line(tmp_path, disk):
    said: list[str] = []
    with open_captures(tmp_path, said) as captures:
        for track_id in range(4):
            disk.full = track_id in (1, 2)
            captures.observe(outcome(seen(track_id)))
    folder = tmp_path / "run-0001"
    assert said == [
        f"captures {folder}: cannot be written (No space left on device): free the disk",
        f"captures {folder}: 2 looks kept; 2 did not fit on the disk",
    ]
    assert [row["group"] for row in labels(folder)] == ["000000", "000003"]
    assert len(list(folder.glob("*.jpg"))) == 2


def test_a_disk_that_takes_a_picture_now_and_then_is_told_of_once_until_it_is_sound_again(tmp_path, disk, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("edge.captures.SOUND_LOOKS", 3)
    with open_captures(tmp_path, said) as captures:
        warnings = []
        for track_id, failing in enumerate((True, False, True, False, False, True, False, False, False, True)):
            disk.full = failing
            captures.observe(outcome(seen(track_id)))
            warnings.append(len(said))
    assert warnings == [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]


def test_what_a_bad_disk_does_not_let_be_taken_away_ends_no_run(tmp_path):
    said = []
    with open_captures(tmp_path, said) as captures:
        (captures.folder / "000001-top-0000007.jpg").mkdir()  # Neither written nor unlinked, as on a read-only disk.
        captures.observe(outcome(seen(1)))
        captures.observe(outcome(seen(2)))
    assert said == [
        f"captures {captures.folder}: cannot be written (Is a directory): free the disk",
        f"captures {captures.folder}: 1 looks kept; 1 did not fit on the disk",
    ]
