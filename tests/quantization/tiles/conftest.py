"""Drawn trays: plain, lit unevenly, with coloured rectangles whose places are known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from quantization.cli import main

Box = tuple[int, int, int, int]
RED, BLUE = (30, 30, 200), (190, 90, 20)


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def brickgate_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["brickgate-model", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        said = capsys.readouterr()
        code = exited.value.code
        assert isinstance(code, int | None)
        return Said(code or 0, said.out, said.err)

    return run


def draw_tray(width: int, height: int, boxes: list[Box], colour: tuple[int, int, int] = RED) -> np.ndarray:
    """(height, width, 3) blue-green-red: a quarter darker at the lower right than at the upper left, with grain."""
    light = 1 - 0.125 * (np.arange(width)[None, :, None] / width + np.arange(height)[:, None, None] / height)
    bare = np.full((height, width, 3), (205.0, 212.0, 214.0))
    for left, top, right, bottom in boxes:
        bare[top:bottom, left:right] = colour
    grain = np.random.default_rng(3).normal(0, 2, (height, width, 1))
    return np.clip(bare * light + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def tray() -> Callable[..., np.ndarray]:
    return draw_tray


@pytest.fixture
def write_tiff() -> Callable[..., Path]:
    """Writes a blue-green-red picture, or several, as a TIFF, `options` as tifffile has them."""
    tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")

    def write(file: Path, image: np.ndarray, **options: object) -> Path:
        rgb = np.ascontiguousarray(image[..., ::-1]) if image.ndim > 2 else image
        kind = "rgb" if image.ndim > 2 else "minisblack"
        tifffile.imwrite(file, rgb, **{"photometric": kind, **options})
        return file

    return write
