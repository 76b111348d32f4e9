"""Looks as the machine has them: one part at rest rides under the camera and is seen from a few angles along the belt.

Such looks resemble each other far more than looks from different cameras, which is what the exponent of the fusion has
to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from quantization.data.augment import Augmenter
from quantization.data.layers import LayerSet, hull_of
from quantization.evaluate.looks import TestLooks
from quantization.ldraw.poses import RestingPoses
from quantization.ldraw.store import load_part
from quantization.recipe import Family
from quantization.render.renderer import Renderer
from quantization.render.sampler import sample_rng, sample_scene
from quantization.render.scene import Scene

TILTS_DEG = (-22.0, -12.0, -3.0, 8.0, 18.0)
CAMERA_MM = 300.0
RENDER_PX = 160


def make_track_looks(
    families: Sequence[Family], meshes: Path, size_px: int, parts_per_family: int, seed: int
) -> TestLooks:
    """`len(TILTS_DEG)` pictures of each part, one after the other, with one belt, colour and camera."""
    looks, family_of, transparent = _rendered(families, meshes, parts_per_family, seed)
    count = len(family_of)
    layers = LayerSet(
        pictures=looks,
        families=tuple(family.number for family in families),
        family=family_of,
        transparent=transparent,
        elevation_deg=np.full(count, 90.0, np.float32),
        hulls=np.stack([hull_of(picture[..., 3]) for picture in looks]),
    )
    augmenter = Augmenter(layers, size_px, seed)
    pictures = [augmenter.picture(k, np.random.default_rng([seed, 6, k // len(TILTS_DEG)])) for k in range(count)]
    return TestLooks(np.stack(pictures), family_of, len(TILTS_DEG))


def _rendered(
    families: Sequence[Family], meshes: Path, parts_per_family: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    renderer = Renderer(RENDER_PX)
    pictures, family_of, transparent = [], [], []
    try:
        for index, family in enumerate(families):
            for number in range(parts_per_family):
                rng = sample_rng(seed, family.number, number)
                part = load_part(family.moulds[int(rng.integers(len(family.moulds)))], meshes)
                for scene in _riding(rng, part.poses):
                    look = renderer.look(part.mesh, scene)
                    pictures.append(look.layers)
                    family_of.append(index)
                    transparent.append(look.transparent)
    finally:
        renderer.close()
    return np.stack(pictures), np.array(family_of, np.int64), np.array(transparent, np.bool_)


def _riding(rng: np.random.Generator, poses: RestingPoses) -> list[Scene]:
    """One scene a tilt: the same resting part and lights, the camera further along the belt each time."""
    scene = sample_scene(rng, poses)
    while scene.pose < 0 or scene.elevation_deg < 0:
        scene = sample_scene(rng, poses)
    return [
        replace(
            scene,
            elevation_deg=90.0 - abs(tilt_deg),
            azimuth_deg=0.0 if tilt_deg >= 0 else 180.0,
            roll_deg=0.0 if tilt_deg >= 0 else 180.0,
            distance_mm=CAMERA_MM,
        )
        for tilt_deg in TILTS_DEG
    ]
