"""CPU time of a render: this project's renderer against Blender Cycles on the same scenes.

    python -m venv VENV && VENV/bin/pip install 'bpy>=4.2,<5'
    python tests/benchmarks/render_against_cycles.py --blender VENV/bin/python --out FOLDER

Same meshes, normals, cameras, lamps, surroundings, belt and roughness; opaque parts seen from above, one thread each.
Cycles is counted without its start and without the making of its scenes; this renderer with everything: light, upload
of the mesh, layers, and their colouring. `FOLDER/side-by-side.png` shows both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from quantization.ldraw.store import Part, load_part
from quantization.recipe import load_families, load_recipe
from quantization.render.compose import compose, linear_to_srgb
from quantization.render.lighting import light_scene
from quantization.render.renderer import Renderer
from quantization.render.sampler import sample_rng, sample_scene
from quantization.render.scene import Scene
from quantization.render.view import frame_view

COLOUR_LINEAR = np.array([0.45, 0.02, 0.01], np.float32)
SIZE_PX = 224
LATITUDES, LONGITUDES = 128, 256


@dataclass(frozen=True, eq=False)
class Case:
    """One look to be rendered by both."""

    part: Part
    scene: Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender", type=Path, required=True, help="a Python with bpy")
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes and pictures")
    parser.add_argument("--meshes", type=Path, default=Path("data/meshes"), help="folder of built meshes")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--no-denoise", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cases = draw_cases(args.scenes, args.meshes)
    ours, pictures = render_here(cases)
    for number, case in enumerate(cases):
        write_scene(case, args.out / f"{number:03d}.npz")
    denoise = [] if args.no_denoise else ["--denoise"]
    command = [
        args.blender,
        Path(__file__).with_name("cycles_scenes.py"),
        args.out,
        "--samples",
        args.samples,
        *denoise,
    ]
    said = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    theirs = np.array(json.loads(said.strip().splitlines()[-1]))
    theirs_bgr = [cv2.imread(str(args.out / f"{number:03d}.png")) for number in range(len(cases))]
    rows = [np.concatenate([picture[..., ::-1], other]) for picture, other in zip(pictures, theirs_bgr, strict=True)]
    cv2.imwrite(str(args.out / "side-by-side.png"), np.concatenate(rows, axis=1))
    print(f"{len(cases)} scenes at {SIZE_PX} px, CPU seconds an image, median (mean)")
    print(f"here    {np.median(ours):.4f} ({ours.mean():.4f})")
    print(f"Cycles  {np.median(theirs):.4f} ({theirs.mean():.4f}), {args.samples} samples, denoised: {bool(denoise)}")
    print(f"ratio   {np.median(theirs) / np.median(ours):.0f} ({theirs.mean() / ours.mean():.0f})")


def draw_cases(count: int, meshes: Path) -> list[Case]:
    """Scenes as training draws them, each of another family."""
    families = load_families(load_recipe("starter"))
    cases: list[Case] = []
    for family in [families[k * len(families) // count] for k in range(count)]:
        part = load_part(family.moulds[0], meshes)
        rng = sample_rng(1, family.number, 0)
        scene = sample_scene(rng, part.poses)
        while scene.transparent or scene.elevation_deg < 0 or scene.pose < 0:
            scene = sample_scene(rng, part.poses)
        cases.append(Case(part, replace(scene, edge_wear=0.0)))
    return cases


def render_here(cases: list[Case]) -> tuple[np.ndarray, list[np.ndarray]]:
    """CPU seconds of each look, coloured, after one that warms up; and the pictures, RGB."""
    os.environ["LP_NUM_THREADS"] = "0"
    renderer = Renderer(SIZE_PX)
    renderer.render(cases[-1].part.mesh, cases[0].scene)
    seconds, pictures = [], []
    for case in cases:
        start = time.process_time()
        layers = renderer.render(case.part.mesh, case.scene)
        belt = linear_to_srgb(np.full(3, case.scene.ground_albedo, np.float32))
        pictures.append(compose(layers, linear_to_srgb(COLOUR_LINEAR), belt))
        seconds.append(time.process_time() - start)
    return np.array(seconds), pictures


def write_scene(case: Case, path: Path) -> None:
    """What Blender needs to know, in the world's millimetres."""
    mesh, scene = case.part.mesh, case.scene
    view, lights = frame_view(mesh.vertices_mm, scene, SIZE_PX), light_scene(scene)
    latitude = (np.arange(LATITUDES) + 0.5) / LATITUDES * np.pi - np.pi / 2
    longitude = np.pi - (np.arange(LONGITUDES) + 0.5) / LONGITUDES * 2 * np.pi
    flat, high = np.cos(latitude)[:, None], np.sin(latitude)[:, None]
    around = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), high + 0 * longitude], axis=2)
    np.savez(
        path,
        vertices_mm=mesh.vertices_mm @ view.place[:, :3].T + view.place[:, 3],
        normals=mesh.normals @ view.place[:, :3].T,
        triangles=mesh.triangles,
        camera=view.camera,
        eye_mm=view.eye_mm,
        focal_px=view.focal_px,
        centre_px=view.centre_px,
        size_px=view.size_px,
        keys=lights.keys,
        softness_deg=scene.lights[0].softness_deg,
        surroundings=lights.surroundings.radiance(around.reshape(-1, 3), 0.02).reshape(LATITUDES, LONGITUDES),
        ground_albedo=scene.ground_albedo,
        roughness=scene.roughness,
        colour_linear=COLOUR_LINEAR,
    )


if __name__ == "__main__":
    main()
