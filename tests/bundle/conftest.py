"""A bundle whose "model" is a few bytes: enough for everything but inference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle.manifest import write_manifest

MANIFEST: dict[str, Any] = {
    "name": "tiny",
    "model": "model.tflite",
    "parts": "parts.json",
    "size_evidence": "size.npz",
    "input": {"height_px": 32, "width_px": 32, "margin": 0.1},
    "temperature": 1.5,
    "fusion_exponent": 0.6,
    "unsure_below": 0.5,
    "accelerators": ["cpu"],
    "accuracy": {"synthetic": 0.9},
}
PARTS: list[dict[str, Any]] = [
    {"number": "3001", "name": "Brick 2 x 4", "category": "Brick", "moulds": ["3001a"], "length_mm": 31.8},
    {"number": "3023", "name": "Plate 1 x 2", "category": "Plate"},
]


def write_bundle(folder: Path, **changes: Any) -> Path:
    """Writes a tiny bundle; `changes` replace entries of its manifest."""
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(b"a model")
    (folder / "parts.json").write_text(json.dumps(PARTS), encoding="utf-8")
    sides = np.array([[[32, 16]], [[16, 8]]], np.float32)
    np.savez(folder / "size.npz", sides_mm=sides, weights=np.ones((2, 1), np.float32))
    write_manifest(folder, {**MANIFEST, **changes}, ["model.tflite", "parts.json", "size.npz"])
    return folder


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "tiny")
