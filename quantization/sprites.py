"""Make the simulated machine's sprites: LDraw parts at rest, seen by a camera above the belt, in layers.

Two files: `sprites.bin` holds WebP pictures back to back, `sprites.json` says what they are (see `edge.sim.sprites`,
which reads them). Their light comes from seeds of its own, so that a network is not tested on what it was trained on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from edge.catalogue.parts import StarterPart, load_starter_parts
from edge.errors import BrickgateError
from quantization.ldraw.mesh import PartMesh
from quantization.ldraw.recess import with_recesses
from quantization.ldraw.store import Part, load_part
from quantization.render.renderer import Renderer
from quantization.render.sampler import sample_rng
from quantization.render.scene import Light, Scale, Scene

FORMAT = 1
MM_PER_PX = 0.2
MARGIN_PX = 24
CAMERA_HEIGHT_MM = 300.0
TILTS_DEG = (-24.0, -12.0, 0.0, 12.0, 24.0)
AXES_DEG = (0.0, 45.0, 90.0, 135.0)
CLEAR_TILTS_DEG = (-24.0, 0.0, 24.0)
CLEAR_AXES_DEG = (0.0, 90.0)
MOST_POSES = 3
LEAST_PROBABILITY = 0.05
RENDERER_PX = 800
HULL_STEP_MM = 0.15
LIGHT_QUALITY = 74
SHADOW_QUALITY = 70
LOSSLESS = 101
SHADOW_STEP = 4

Bytes = NDArray[np.uint8]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A family as it is rendered: one of its moulds, with or without recesses, in its likeliest poses."""

    family: StarterPart
    mould: str
    part: Part
    mesh: PartMesh
    poses: tuple[int, ...]


def make_sprites(
    families: Sequence[StarterPart], out: Path, seed: int, mesh_cache: Path, progress: Progress | None = None
) -> None:
    """Render every family and write `sprites.bin` and `sprites.json` into the folder `out`.

    Args:
        families: what to render.
        out: folder, made where it is missing; both files are replaced at the end.
        seed: the same seed gives the same bytes on the same renderer.
        mesh_cache: folder of built meshes.
        progress: told (families done, families in all, current number).

    Raises:
        BrickgateError: a part is missing from the LDraw library, or nothing can render.
    """
    renderer = Renderer(RENDERER_PX)
    blob = bytearray()
    parts: list[dict[str, Any]] = []
    try:
        for done, family in enumerate(families):
            if progress:
                progress(done, len(families), family.number)
            parts.append(_family_entry(renderer, _choose(family, seed, mesh_cache), seed, blob))
    finally:
        renderer.close()
    index = {
        "format": FORMAT,
        "seed": seed,
        "mm_per_px": MM_PER_PX,
        "camera_height_mm": CAMERA_HEIGHT_MM,
        "shadow_step": SHADOW_STEP,
        "tilts_deg": TILTS_DEG,
        "axes_deg": AXES_DEG,
        "clear_tilts_deg": CLEAR_TILTS_DEG,
        "clear_axes_deg": CLEAR_AXES_DEG,
        "parts": parts,
    }
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / "sprites.bin", bytes(blob))
    _replace(out / "sprites.json", (json.dumps(index, separators=(",", ":")) + "\n").encode())


def _choose(family: StarterPart, seed: int, mesh_cache: Path) -> _Chosen:
    rng = sample_rng(seed, family.number, 0)
    mould = str(rng.choice(family.ldraw_moulds))
    part = load_part(mould, mesh_cache)
    mesh = part.mesh
    if rng.random() < 0.75:
        mesh = with_recesses(mesh, part.recesses_mm, rng.uniform(1.2, 1.5), rng.uniform(0.3, 0.6))
    likely = part.poses.probabilities
    poses = tuple(k for k in range(min(MOST_POSES, len(likely))) if k == 0 or likely[k] >= LEAST_PROBABILITY)
    return _Chosen(family, mould, part, mesh, poses)


def _family_entry(renderer: Renderer, chosen: _Chosen, seed: int, blob: bytearray) -> dict[str, Any]:
    poses: list[dict[str, Any]] = []
    for pose in chosen.poses:
        rotation = chosen.part.poses.rotations[pose]
        points = chosen.mesh.vertices_mm @ rotation.T
        poses.append(
            {
                "probability": round(float(chosen.part.poses.probabilities[pose]), 4),
                "height_mm": round(float(np.ptp(points[:, 2])), 2),
                "outline_mm": outline_mm(points),
                "sprites": [
                    _sprite_row(renderer, chosen.mesh, scene, blob)
                    for scene in _scenes(chosen, pose, AXES_DEG, False, seed)
                ],
                "clear": [
                    _sprite_row(renderer, chosen.mesh, scene, blob)
                    for scene in _scenes(chosen, pose, CLEAR_AXES_DEG, True, seed)
                ],
            }
        )
    return {
        "family": chosen.family.number,
        "mould": chosen.mould,
        "title": chosen.family.title,
        "poses": poses,
    }


def outline_mm(points_mm: NDArray[np.floating]) -> list[list[float]]:
    """Convex outline on the belt of points (N, 3), as picture axes have it: u right, v down, 0 at the box's middle."""
    flat = np.column_stack([points_mm[:, 0], -points_mm[:, 1]]).astype(np.float32)
    flat -= (flat.min(axis=0) + flat.max(axis=0)) / 2
    hull = cv2.approxPolyDP(cv2.convexHull(flat), HULL_STEP_MM, True).reshape(-1, 2)
    return [[round(float(u), 2), round(float(v), 2)] for u, v in hull]


def _scenes(chosen: _Chosen, pose: int, axes_deg: Sequence[float], clear: bool, seed: int) -> Iterator[Scene]:
    """Scenes by axis, then by tilt. A positive tilt has the camera stand on the axis's side of the part; axes turn
    clockwise in the picture, whose right is the part's x before it is turned. The light differs by axis."""
    for number, axis_deg in enumerate(axes_deg):
        rng = sample_rng(seed, chosen.family.number, 1 + number + 8 * (2 * pose + clear))
        light, surroundings = _draw_light(rng), int(rng.integers(1 << 31))
        ambient, roughness, wear = rng.uniform(0.6, 1.3), rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.8)
        for tilt_deg in CLEAR_TILTS_DEG if clear else TILTS_DEG:
            azimuth_deg = -axis_deg + (180 if tilt_deg < 0 else 0)
            yield Scene(
                rotation=chosen.part.poses.rotations[pose],
                elevation_deg=90 - abs(tilt_deg),
                azimuth_deg=azimuth_deg,
                roll_deg=azimuth_deg + 90,
                distance_mm=CAMERA_HEIGHT_MM / math.cos(math.radians(tilt_deg)),
                framing=Scale(MM_PER_PX, MARGIN_PX),
                lights=(light,),
                environment_seed=surroundings,
                ambient=float(ambient),
                ground_albedo=0.3,
                roughness=float(roughness),
                edge_wear=float(wear),
                transparent=clear,
                pose=pose,
            )


def _draw_light(rng: np.random.Generator) -> Light:
    """A lamp well above the belt, as builders mount one beside the camera."""
    elevation, azimuth = math.radians(rng.uniform(45, 80)), rng.uniform(0, 2 * math.pi)
    flat = math.cos(elevation)
    direction = (flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation))
    return Light(direction, float(rng.uniform(0.4, 2.0)), float(rng.uniform(8, 20)))


def _sprite_row(renderer: Renderer, mesh: PartMesh, scene: Scene, blob: bytearray) -> list[float]:
    """Append a look's pictures; return offset, bytes of light, coverage and shadow, then the anchor in px."""
    look = renderer.look(mesh, scene)
    layers = look.layers
    height, width = layers.shape[:2]
    small = cv2.resize(
        layers[..., 2], (-(-width // SHADOW_STEP), -(-height // SHADOW_STEP)), interpolation=cv2.INTER_AREA
    )
    pictures = (
        _webp(np.vstack([layers[..., 0], layers[..., 1]]), LIGHT_QUALITY),
        _webp(layers[..., 3], LOSSLESS),
        _webp(np.asarray(small, np.uint8), SHADOW_QUALITY),
    )
    start = len(blob)
    for picture in pictures:
        blob += picture
    return [start, *map(len, pictures), round(look.anchor_px[0], 2), round(look.anchor_px[1], 2)]


def _webp(plane: Bytes, quality: int) -> bytes:
    ok, coded = cv2.imencode(".webp", np.ascontiguousarray(plane), [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not ok:
        raise BrickgateError("OpenCV cannot write WebP here: install opencv-python-headless from PyPI")
    return coded.tobytes()


def _replace(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_bytes(data)
    temporary.replace(file)


def main(out: Path = Path("edge/sim/assets"), seed: int = 20261124, mesh_cache: Path = Path("data/meshes")) -> None:
    """Make the sprites of all starter parts; about ten minutes on one core."""
    make_sprites(
        load_starter_parts(), out, seed, mesh_cache, lambda done, of, part: print(f"{done}/{of} {part}", flush=True)
    )


if __name__ == "__main__":
    typer.run(main)
