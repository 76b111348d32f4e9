"""The soak of `brickgate run`, in little: the script works, and it can fail."""

from __future__ import annotations

import dataclasses
import importlib
import json
import mmap
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import edge
from edge.hardware.frames import list_pictures

FOLDER = Path(__file__).parent
STARTER = Path(edge.__file__).parent / "models" / "starter" / "manifest.json"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("memory_of_run")


def test_the_script_plays_a_loop_through_brickgate_run_and_counts_its_parts(tmp_path: Path) -> None:
    if not STARTER.exists():
        pytest.skip("the starter model is not there (edge/models/starter)")
    command = [
        *(sys.executable, str(FOLDER / "memory_of_run.py"), "--json", "--folder", str(tmp_path)),
        *("--parts", "6", "--loop-parts", "3", "--frames-per-s", "12", "--every-s", "0.25", "--flat-mb", "60"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["frames_processed"] + report["frames_dropped"] == report["frames_played"] > 30
    assert report["parts_expected"] == 6
    assert report["parts_recorded"] == sum(report["reasons"].values()) > 0
    assert 20 < report["base_rss_mb"] <= report["peak_rss_mb"] <= 250
    assert "the recording has ended" in report["output"]
    assert not list(tmp_path.iterdir()), "the recording was left behind"


def test_a_loop_begins_and_ends_with_an_empty_belt_and_repeats_in_order(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    belt_recording = importlib.import_module("belt_recording")
    loop = belt_recording.record_loop(tmp_path / "loop", parts=2, parts_in_view=4, step_mm=40, seed=3)
    assert loop.frames == len(list(loop.folder.iterdir())) > 6
    belt_recording.repeat(loop, tmp_path / "frames", 12)
    names = list_pictures(tmp_path / "frames")
    assert len(names) == 12 * loop.frames
    pictures = sorted(loop.folder.iterdir())
    assert [(tmp_path / "frames" / name).stat().st_ino for name in names[-loop.frames :]] == [
        picture.stat().st_ino for picture in pictures
    ]


def test_memory_is_read_from_the_running_process(script: Any) -> None:
    before_mb, *_ = script.read_memory(os.getpid())
    block = mmap.mmap(-1, 64 * 1024 * 1024)  # the allocator may have as much left over from earlier tests
    for place in range(0, len(block), mmap.PAGESIZE):
        block[place] = 1
    after_mb, peak_mb, _ = script.read_memory(os.getpid())
    assert 60 < after_mb - before_mb < 80
    assert peak_mb >= after_mb - 1


def test_each_figure_that_is_not_as_it_should_be_is_named(script: Any) -> None:
    good = script.Report(
        parts_expected=9, parts_recorded=9, frames_played=90, frames_processed=90, frames_dropped=0, wall_s=3.0,
        cpu_s=1.0, base_rss_mb=130.0, peak_rss_mb=140.0, peak_pss_mb=100.0, first_quarter_rss_mb=131.0,
        last_quarter_rss_mb=132.0, growth_mb=1.0, samples=12, reasons={"certain": 9}, exit_code=0, output="",
    )  # fmt: skip
    assert good.faults(250, 5) == []
    assert "above 100 MB" in good.faults(100, 5)[0]
    assert "grew by 1.0 MB" in good.faults(250, 0.5)[0]
    assert "exit code 1" in dataclasses.replace(good, exit_code=1).faults(250, 5)[0]
    assert "8 parts were recorded, 9 passed" in dataclasses.replace(good, parts_recorded=8).faults(250, 5)[0]
    assert dataclasses.replace(good, parts_recorded=8, frames_dropped=5).faults(250, 5) == []


def test_the_list_of_a_long_recording_takes_little_memory(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number:06d}.jpg").touch()
    tracemalloc.start()
    try:
        names = list_pictures(tmp_path)
        held_bytes, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(names) == 2000
    assert held_bytes < 100 * len(names)
    assert peak_bytes < 400 * len(names)
