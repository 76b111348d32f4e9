"""Draw scenes at random: views, poses and light that differ as much as sorting machines do."""

import hashlib
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quantization.ldraw.poses import RestingPoses
from quantization.render.scene import Fill, Light, Scene

RESTING_SHARE = 0.8
STRAIGHT_SHARE = 0.25
BELOW_SHARE = 0.2
TRANSPARENT_SHARE = 0.08
RECESS_SHARE = 0.75
DISTANCE_MM = (120.0, 500.0)

Floats = NDArray[np.float32]


def sample_rng(seed: int, part: str, index: int) -> np.random.Generator:
    """Return the generator of one sample, which depends on nothing but seed, part and index."""
    number = int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng(np.random.SeedSequence([seed, number, index]))


def sample_scene(rng: np.random.Generator, poses: RestingPoses, fill: float = 0.62) -> Scene:
    """Draw one scene."""
    rotation, pose = _sample_pose(rng, poses)
    elevation_deg = _sample_elevation_deg(rng, below=pose >= 0 and rng.random() < BELOW_SHARE / RESTING_SHARE)
    beneath = elevation_deg < 0
    scene = Scene(
        rotation=rotation,
        elevation_deg=elevation_deg,
        azimuth_deg=float(rng.uniform(0, 360)),
        roll_deg=float(rng.normal(0, 6)),
        distance_mm=float(np.exp(rng.uniform(*np.log(DISTANCE_MM)))),
        framing=Fill(fill, (float(rng.uniform(-0.03, 0.03)), float(rng.uniform(-0.03, 0.03)))),
        environment_seed=int(rng.integers(1 << 31)),
        ambient=float(rng.uniform(0.5, 1.3)),
        ground_albedo=float(rng.uniform(0.05, 0.85)),
        roughness=float(rng.uniform(0.08, 0.4)),
        edge_wear=float(rng.uniform(0, 1)),
        transparent=bool(rng.random() < TRANSPARENT_SHARE),
        pose=pose,
    )
    return replace(scene, lights=_sample_lights(rng, -1.0 if beneath else 1.0))


def _sample_pose(rng: np.random.Generator, poses: RestingPoses) -> tuple[Floats, int]:
    """Return a rotation with any yaw, and the pose's index, -1 for a part that leans on something."""
    if rng.random() >= RESTING_SHARE:
        return _random_rotation(rng), -1
    chances = poses.probabilities.astype(np.float64)
    pose = int(rng.choice(len(chances), p=chances / chances.sum()))
    yaw = rng.uniform(0, 2 * np.pi)
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    return (turn @ poses.rotations[pose]).astype(np.float32), pose


def _random_rotation(rng: np.random.Generator) -> Floats:
    """Return a uniformly random rotation, from a random unit quaternion."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ],
        dtype=np.float32,
    )


def _sample_elevation_deg(rng: np.random.Generator, below: bool) -> float:
    if below:
        return -float(rng.uniform(35, 90))
    if rng.random() < STRAIGHT_SHARE / (1 - BELOW_SHARE):
        return float(rng.uniform(70, 90))
    return float(rng.uniform(22, 70))


def _sample_lights(rng: np.random.Generator, up: float) -> tuple[Light, ...]:
    """Draw one lamp, or two, from a hard bulb to a wide panel."""
    lights: list[Light] = []
    for k in range(2 if rng.random() < 0.4 else 1):
        elevation, azimuth = math.radians(rng.uniform(25, 88)), rng.uniform(0, 2 * np.pi)
        flat = math.cos(elevation)
        direction = (flat * math.cos(azimuth), flat * math.sin(azimuth), up * math.sin(elevation))
        strength = float(np.exp(rng.uniform(*np.log((0.25, 3.5)))))
        lights.append(Light(direction, strength * (0.6 if k else 1.0), float(rng.uniform(2, 22))))
    return tuple(lights)
