"""A set of renders made by hand: rectangles, long ones for the first family and square ones for the second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

FAMILIES = ("3001", "3003")
SIZE_PX = 48
LOOKS_A_SHARD = 6


def write_set(folder: Path, families: tuple[str, ...] = FAMILIES, shards: int = 2, transparent: bool = False) -> Path:
    """Shards as `quantization.render.shards` writes them: (n, H, W, 4) light, gloss, shadow, coverage."""
    folder.mkdir(parents=True)
    (folder / "set.json").write_text(json.dumps({"families": families}))
    for shard in range(shards):
        layers = np.zeros((LOOKS_A_SHARD, SIZE_PX, SIZE_PX, 4), np.uint8)
        layers[..., 2] = 255
        family = np.arange(LOOKS_A_SHARD) % len(families)
        for look, layer in enumerate(layers):
            high, wide = (10, 32) if family[look] == 0 else (20, 20)
            box = slice(14, 14 + high), slice(8 + shard, 8 + shard + wide)
            layer[(*box, 0)], layer[(*box, 3)] = 128, 255
            layer[(slice(16, 19), slice(12, 15), 1)] = 200
        np.save(folder / f"{shard:05d}.npy", layers)
        np.savez(
            folder / f"{shard:05d}.npz",
            family=family.astype(np.int16),
            transparent=np.full(LOOKS_A_SHARD, transparent),
            elevation_deg=np.where(np.arange(LOOKS_A_SHARD) < 3, 90, 30).astype(np.float32),
        )
    return folder


@pytest.fixture
def write_renders() -> Callable[..., Path]:
    return write_set


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    return write_set(tmp_path / "renders")
