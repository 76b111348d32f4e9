"""A set of renders made by hand: rectangles, long ones for the first family and square ones for the second."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantization.data.layers import encode_layers_png, hull_corners
from quantization.data.shards import ShardWriter

FAMILIES = ("3001", "3003")
SIZE_PX = 48
LOOKS_A_SHARD = 6


def write_set(folder: Path, families: tuple[str, ...] = FAMILIES, shards: int = 2, transparent: bool = False) -> Path:
    """Shards as `quantization.render.shards` writes them: (H, W, 4) light, gloss, shadow, coverage."""
    folder.mkdir(parents=True)
    (folder / "set.json").write_text(json.dumps({"families": families}))
    with ShardWriter(folder, "layers", LOOKS_A_SHARD) as writer:
        for shard, look in itertools.product(range(shards), range(LOOKS_A_SHARD)):
            layer = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
            layer[..., 2] = 255
            high, wide = (10, 32) if look % len(families) == 0 else (20, 20)
            box = slice(14, 14 + high), slice(8 + shard, 8 + shard + wide)
            layer[(*box, 0)], layer[(*box, 3)] = 128, 255
            layer[(slice(16, 19), slice(12, 15), 1)] = 200
            label = {
                "part": families[look % len(families)],
                "elevation_deg": 90.0 if look < 3 else 30.0,
                "transparent": transparent,
                "source": "render",
                "kind": "layers",
                "hull_px": hull_corners(layer[..., 3]).astype(int).tolist(),
            }
            writer.add(f"{shard}-{look}", encode_layers_png(layer), "png", label)
    return folder


@pytest.fixture
def write_renders() -> Callable[..., Path]:
    return write_set


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    return write_set(tmp_path / "renders")
