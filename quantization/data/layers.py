"""Reads what the renderer wrote: shards of layers, mapped into memory, with what is known about each look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError

HULL_POINTS = 32


@dataclass(frozen=True, slots=True)
class LayerSet:
    """`pictures[i]` is (H, W, 4) uint8 of look i; `family`, `transparent`, `elevation_deg` are (N,); `hulls`
    (N, 32, 2) f32 are the corners (u, v) of the part's convex hull."""

    shards: list[NDArray[np.uint8]]
    starts: NDArray[np.int64]
    families: tuple[str, ...]
    family: NDArray[np.int64]
    transparent: NDArray[np.bool_]
    elevation_deg: NDArray[np.float32]
    hulls: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.family)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """The layers of one look, a view into the mapped file."""
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.shards[shard][index - self.starts[shard]]


def open_layers(folder: Path) -> LayerSet:
    """Maps the finished shards of a set.

    Raises:
        InputError: the folder holds no finished shard.
    """
    labels = sorted(folder.glob("[0-9]*.npz"))
    if not labels:
        raise InputError(f"{folder} holds no finished shard of renders: run 'brickgate-model render' first")
    families = tuple(json.loads((folder / "set.json").read_text(encoding="utf-8"))["families"])
    columns: dict[str, list[NDArray[np.generic]]] = {"family": [], "transparent": [], "elevation_deg": []}
    shards: list[NDArray[np.uint8]] = []
    hulls: list[NDArray[np.float32]] = []
    for label in labels:
        shards.append(np.load(label.with_suffix(".npy"), mmap_mode="r"))
        with np.load(label) as arrays:
            for name, column in columns.items():
                column.append(arrays[name])
        hulls.append(_hulls(label, shards[-1]))
    sizes = [len(shard) for shard in shards]
    return LayerSet(
        shards=shards,
        starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        families=families,
        family=np.concatenate(columns["family"]).astype(np.int64),
        transparent=np.concatenate(columns["transparent"]).astype(np.bool_),
        elevation_deg=np.concatenate(columns["elevation_deg"]).astype(np.float32),
        hulls=np.concatenate(hulls),
    )


def _hulls(label: Path, shard: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The hulls of a shard's looks, computed once and kept beside it."""
    kept = label.with_suffix(".hulls")
    if kept.exists():
        with kept.open("rb") as stream:
            return np.load(stream)
    hulls = np.stack([hull_of(picture[..., 3]) for picture in shard])
    with kept.open("wb") as stream:
        np.save(stream, hulls)
    return hulls


def hull_of(coverage: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(32, 2) corners of the covered area's hull, evenly thinned, the last one repeated to fill."""
    points = cv2.findNonZero((coverage > 96).astype(np.uint8))
    if points is None:
        middle = coverage.shape[0] / 2
        return np.full((HULL_POINTS, 2), middle, np.float32)
    hull = cv2.convexHull(points)[:, 0, :].astype(np.float32)
    if len(hull) > HULL_POINTS:
        hull = hull[np.linspace(0, len(hull) - 1, HULL_POINTS).round().astype(int)]
    return np.concatenate([hull, np.repeat(hull[-1:], HULL_POINTS - len(hull), axis=0)])
