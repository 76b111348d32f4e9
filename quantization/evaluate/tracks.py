"""Looks as the machine has them: one part at rest rides under the camera and is seen from a few angles along the belt.

Such looks resemble each other far more than looks from different cameras, which is what the exponent of the fusion has
to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import turned
from edge.bundle.size import sides_mm
from quantization.data.augment import Augmenter
from quantization.data.layers import LayerSet, hull_of
from quantization.evaluate.looks import Bytes, UnseenLooks
from quantization.ldraw.poses import RestingPoses
from quantization.ldraw.store import load_part
from quantization.recipe import Family
from quantization.render.renderer import Renderer
from quantization.render.sampler import sample_rng, sample_scene
from quantization.render.scene import Scene

TILTS_DEG = (-22.0, -16.0, -10.0, -4.0, 3.0, 9.0, 15.0, 21.0)
CAMERA_MM = 300.0
RENDER_PX = 160
HALF_COVERED = 127


def make_track_looks(families: Sequence[Family], meshes: Path, size_px: int, parts: int, seed: int) -> UnseenLooks:
    """`len(TILTS_DEG)` pictures of each of `parts` parts, spread evenly over the families, with one belt, colour and
    camera for each part, and the sizes that they show. Each is turned by a quarter more than the one before, as the
    machine does (`edge.records.Look.number`)."""
    family_of_part = np.arange(parts) * len(families) // parts
    looks, transparent, sizes_mm = _rendered([families[int(k)] for k in family_of_part], meshes, seed)
    family_of = np.repeat(family_of_part, len(TILTS_DEG))
    layers = LayerSet(
        pictures=looks,
        families=tuple(family.number for family in families),
        family=family_of,
        transparent=transparent,
        elevation_deg=np.full(len(looks), 90.0, np.float32),
        hulls=np.stack([hull_of(picture[..., 3]) for picture in looks]),
    )
    augmenter = Augmenter(layers, size_px, seed)

    def picture(index: int) -> Bytes:
        upright = augmenter.picture(index, np.random.default_rng([seed, 6, index // len(TILTS_DEG)]))
        return turned(upright, index % len(TILTS_DEG))

    return UnseenLooks(family_of, len(TILTS_DEG), picture, sizes_mm)


def _rendered(parts: Sequence[Family], meshes: Path, seed: int) -> tuple[Bytes, NDArray[np.bool_], NDArray[np.float32]]:
    renderer = Renderer(RENDER_PX)
    pictures, transparent, sizes_mm = [], [], []
    try:
        for number, family in enumerate(parts):
            rng = sample_rng(seed, family.number, number)
            part = load_part(family.moulds[int(rng.integers(len(family.moulds)))], meshes)
            scenes = _riding(rng, part.poses)
            for place in rng.permutation(len(scenes)):  # else the number of looks would stand for where they are
                look = renderer.look(part.mesh, scenes[place])
                pictures.append(look.layers)
                transparent.append(look.transparent)
                sizes_mm.append(sides_mm(look.layers[..., 3] > HALF_COVERED, look.mm_per_px))
    finally:
        renderer.close()
    return np.stack(pictures), np.array(transparent, np.bool_), np.array(sizes_mm, np.float32)


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
