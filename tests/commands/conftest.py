"""`brickgate` as its users type it, and a tiny machine: a belt that was drawn, a network that tells colours apart."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawn_belt import HEIGHT_PX, PX_PER_MM, WIDTH_PX, DrawnPart, write_recording
from tiny_model import write_model

from edge.bundle.manifest import write_manifest
from edge.cli import main

SIDE_PX = 32
MM_PER_FRAME = 5.0
PARTS = (("3001", "Brick 2 x 4"), ("3023", "Plate 1 x 2"), ("3068", "Tile 2 x 2"))
"""Red, green, blue."""
MACHINE = """\
camera:
  driver: frames
  path: {recording}
  width_px: {width}
  height_px: {height}
  frames_per_s: 60
  px_per_mm: {scale}
  belt_region_px: [0, 0, {width}, {height}]
belt:
  belt_mm_per_s: 300
model: {{bundle: {bundle}}}
gates:
  - {{name: g1, driver: sim, x_mm: 30000, positions: [left, pass, right]}}
journal: {{file: {journal}}}
"""
BINS = """\
default_bin: box
layout: {gate: g1, left: bricks, right: plates, pass: box}
bins:
  - name: bricks
    accept:
      - {parts: [3001]}
  - name: plates
    accept:
      - {parts: [3023]}
"""


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def brickgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs a command in this process, as its console script does."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["brickgate", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        out, err = capsys.readouterr()
        code = exited.value.code
        assert isinstance(code, int | None)
        return Result(code or 0, out, err)

    return run


@pytest.fixture(scope="session")
def made_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    folder.mkdir()
    write_model(folder / "model.tflite", side_px=SIDE_PX, scale=1 / 127.5, zero_point=0)
    parts = [{"number": number, "name": name, "category": name.split()[0]} for number, name in PARTS]
    (folder / "parts.json").write_text(json.dumps(parts), encoding="utf-8")
    manifest = {
        "name": "tiny",
        "model": "model.tflite",
        "parts": "parts.json",
        "input": {"height_px": SIDE_PX, "width_px": SIDE_PX, "margin": 0.1},
        "temperature": 0.05,
        "fusion_exponent": 0.6,
        "unsure_below": 0.5,
        "accelerators": ["cpu"],
    }
    write_manifest(folder, manifest, ["model.tflite", "parts.json"])
    return folder


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """62 frames: a red part crosses the picture, a green one follows and is in view at the end."""
    parts = (DrawnPart(40.0, "red"), DrawnPart(190.0, "green", 20.0))
    return write_recording(tmp_path_factory.mktemp("belt") / "frames", parts, 62, MM_PER_FRAME)


@pytest.fixture
def machine(tmp_path: Path, recording: Path, made_bundle: Path) -> Path:
    """machine.yaml of a belt that was recorded, its bins.yaml beside it."""
    values = {"recording": recording, "width": WIDTH_PX, "height": HEIGHT_PX, "scale": PX_PER_MM}
    file = tmp_path / "machine.yaml"
    file.write_text(MACHINE.format(**values, bundle=made_bundle, journal=tmp_path / "journal.jsonl"))
    (tmp_path / "bins.yaml").write_text(BINS)
    return file


@pytest.fixture
def simulated(machine: Path) -> Path:
    """The same machine with everything simulated."""
    text = re.sub(r"driver: frames\n.*\n", "driver: sim\n", machine.read_text())
    text = text.replace("frames_per_s: 60", "frames_per_s: 15").replace("belt_mm_per_s: 300", "belt_mm_per_s: 100")
    machine.write_text(text.replace("x_mm: 30000", "x_mm: 300") + "feeder: {driver: sim, parts_per_min: 60}\n")
    return machine
