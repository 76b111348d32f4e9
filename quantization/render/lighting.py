"""Light as a set of directions: the surroundings and the lamps, each direction with its own shadow map.

Many weak directional lights give ambient occlusion, contact shadows and soft lamp shadows by one mechanism
(Keller, "Instant Radiosity", 1997, for distant light).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantization.render.scene import Scene

SURROUND_DIRECTIONS = 18
KEY_DIRECTIONS = 5
SECOND_DIRECTIONS = 2
MAX_DIRECTIONS = 25
SOFTBOXES = 3

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A gradient from the ground over the horizon to the zenith, and softboxes.

    Attributes:
        levels: radiance below, at the horizon, above.
        boxes: (SOFTBOXES, 3, 3) rows: towards the box, then its half axes' directions.
        box_sizes: (SOFTBOXES, 3) half width, half height (both at distance 1), radiance.
        up: +1, or -1 where the camera and the light are beneath the glass.
    """

    levels: tuple[float, float, float]
    boxes: Doubles
    box_sizes: Doubles
    up: float

    def radiance(self, directions: Doubles, blur: float) -> Doubles:
        """Return (D,) radiance from (D, 3) directions; the shader's twin."""
        height = directions[:, 2] * self.up
        ground, horizon, zenith = self.levels
        sky = horizon + (zenith - horizon) * np.clip(height, 0, 1)
        total = np.where(height > 0, sky, ground + (horizon - ground) * np.exp(8 * np.minimum(height, 0)))
        for axes, (half_width, half_height, level) in zip(self.boxes, self.box_sizes, strict=True):
            ahead = directions @ axes[0]
            safe = np.maximum(ahead, 1e-3)
            across, along = np.abs(directions @ axes[1]) / safe, np.abs(directions @ axes[2]) / safe
            inside = _ramp(half_width + blur, half_width - blur, across)
            inside = inside * _ramp(half_height + blur, half_height - blur, along)
            total = total + np.where(ahead > 0, level * inside, 0.0)
        return total


def _ramp(low: float, high: float, x: Doubles) -> Doubles:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, eq=False)
class LightSet:
    """Directions to be rendered.

    Attributes:
        axes: (D, 3, 3) rows: towards the light, and two that span its shadow map.
        weights: (D,) radiance × solid angle ÷ π, scaled so that a white face towards the light's side gets 1.
        keys: (L, 4) directions of the lamps and their strength, for highlights.
        key_slot: first direction that belongs to a lamp.
        surroundings: what glossy plastic reflects.
    """

    axes: Doubles
    weights: Doubles
    keys: Doubles
    key_slot: int
    surroundings: Surroundings


def light_scene(scene: Scene) -> LightSet:
    """Draw a scene's surroundings from its seed and spread its light over directions."""
    rng = np.random.default_rng(scene.environment_seed)
    up = 1.0 if scene.elevation_deg >= 0 else -1.0
    surroundings = _draw_surroundings(rng, scene, up)
    sphere = _sphere(rng, SURROUND_DIRECTIONS)
    directions, weights = [sphere], [surroundings.radiance(sphere, 0.6) * 4 / SURROUND_DIRECTIONS]
    keys = np.zeros((2, 4))
    for k, light in enumerate(scene.lights[:2]):
        count = SECOND_DIRECTIONS if k else KEY_DIRECTIONS
        towards = np.array(light.direction) / np.linalg.norm(light.direction)
        directions.append(_cone(rng, towards, math.radians(light.softness_deg), count))
        weights.append(np.full(count, light.intensity / count))
        keys[k] = [*towards, light.intensity]
    joined, weight = np.concatenate(directions), np.concatenate(weights)
    level = (weight * np.maximum(joined[:, 2] * up, 0)).sum()
    scale = 1.0 / max(float(level), 1e-6)
    keys[:, 3] *= scale
    scaled = Surroundings(
        tuple(value * scale for value in surroundings.levels),  # type: ignore[arg-type]
        surroundings.boxes,
        surroundings.box_sizes * [1, 1, scale],
        up,
    )
    return LightSet(_bases(joined), weight * scale, keys, SURROUND_DIRECTIONS, scaled)


def _draw_surroundings(rng: np.random.Generator, scene: Scene, up: float) -> Surroundings:
    ambient = scene.ambient
    horizon = ambient * rng.uniform(0.4, 1.0)
    zenith = ambient * rng.uniform(0.7, 1.4)
    ground = (horizon + zenith) / 2 * scene.ground_albedo + 0.3 * scene.ground_albedo
    elevation = np.radians(rng.uniform(15, 85, SOFTBOXES)) * up
    azimuth = rng.uniform(0, 2 * np.pi, SOFTBOXES)
    flat = np.cos(elevation)
    towards = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)
    present = rng.random(SOFTBOXES) < 0.75
    sizes = np.stack(
        [
            rng.uniform(0.08, 0.9, SOFTBOXES),
            rng.uniform(0.08, 0.5, SOFTBOXES),
            present * rng.uniform(1, 7, SOFTBOXES),
        ],
        axis=1,
    )
    sizes[:, 2] *= ambient
    return Surroundings((ground, horizon, zenith), _bases(towards, rng.uniform(0, np.pi)), sizes, up)


def _sphere(rng: np.random.Generator, count: int) -> Doubles:
    """Return (count, 3) directions on a Fibonacci lattice, turned at random: no two scenes band alike."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    turn = np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z * z)
    lattice = np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)
    q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return lattice @ q.T


def _cone(rng: np.random.Generator, towards: Doubles, half_angle: float, count: int) -> Doubles:
    axes = _bases(towards[None])[0]
    radius = np.tan(half_angle) * np.sqrt((np.arange(count) + 0.5) / count)
    turn = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2.39996
    spread = towards + np.outer(radius * np.cos(turn), axes[1]) + np.outer(radius * np.sin(turn), axes[2])
    return spread / np.linalg.norm(spread, axis=1, keepdims=True)


def _bases(towards: Doubles, turn: float = 0.0) -> Doubles:
    """Return (D, 3, 3) right-handed axes whose first rows are the given directions."""
    helper = np.where(np.abs(towards[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    one = np.cross(helper, towards)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    two = np.cross(towards, one)
    c, s = math.cos(turn), math.sin(turn)
    return np.stack([towards, c * one + s * two, c * two - s * one], axis=1)
