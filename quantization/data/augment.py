"""One rendered look becomes one training picture: framed, coloured, lit, laid on a belt and seen by a camera.

Every choice is drawn anew, so that one render serves as many different pictures. What is varied, and why:
framing (tight and loose crops, boxes cut too small), in-plane turn, the plastic's colour, the belt, haze and contrast
(cheap lenses), colour casts (white balance off), exposure and tone curve, a second part at the edge, blur, sharpening,
low resolution, noise and JPEG. Values come from looking at what builders' cameras deliver; no photograph is used.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import TURNS, InputSpec, cut, turned
from quantization.data.belts import make_belts
from quantization.data.colours import SOLID, TRANSPARENT, palette
from quantization.data.look import Look, Looks
from quantization.render.compose import ABSORPTION, DIFFUSE_FULL, linear_to_srgb, srgb_to_linear

Rng = np.random.Generator
Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]

TONES = 2048
"""Entries of the table from linear light to stored pixel values."""
LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / 255).astype(np.float32)
"""(256,) linear light of a stored sRGB value."""


class Augmenter:
    """Makes (size_px, size_px, 3) uint8 RGB pictures from rendered looks, and from pictures that a camera took."""

    def __init__(self, looks: Looks, size_px: int, seed: int) -> None:
        self._looks = looks
        self._size_px = size_px
        rng = np.random.default_rng([seed, 77])
        self._belts = make_belts(rng, size_px * 3 // 2)
        self._noise = rng.normal(0, 1, (16, size_px * 2, size_px * 2, 3)).astype(np.float32)
        self._solid, self._transparent = palette(SOLID), palette(TRANSPARENT)

    def picture(self, index: int, rng: Rng) -> Bytes:
        """One picture of look `index`."""
        return self.shown(self._looks.look(index), rng)

    def shown(self, look: Look, rng: Rng) -> Bytes:
        """One picture of a look."""
        framed = self._framed(look, rng)
        light = self._lit(framed, look.transparent, rng)
        if rng.random() < 0.12:
            light = self._beside_another(light, framed[..., 3], rng)
        if look.elevation_deg < 0 and rng.random() < 0.6:
            light = through_frosted_plastic(light, rng)
        return self._photographed(light, rng)

    def clean(self, index: int, margin: float, rng: Rng) -> Bytes:
        """One picture of look `index` as a good camera takes it and the machine cuts it out: in any colour, on any
        belt, but sharp, well exposed, whole, alone, and with `margin` of its longer side around it."""
        look = self._looks.look(index)
        matrix = placed(look.hull, drawn_turn(look.elevation_deg, rng), margin, np.zeros(2), self._size_px)
        light = self._lit(self._warped(look, matrix), look.transparent, rng)
        return (linear_to_srgb(light) * 255 + 0.5).astype(np.uint8)

    def retaken(self, rgb: Bytes, rng: Rng) -> Bytes:
        """One picture of what a camera took, (H, W, 3) uint8 RGB: light and camera are drawn anew, nothing is moved but
        the whole by quarter turns, in which the machine will show its looks."""
        height, width = rgb.shape[:2]
        spec = InputSpec(height_px=self._size_px, width_px=self._size_px, margin=0.0)
        framed = cut(np.ascontiguousarray(rgb[..., ::-1]), (0, 0, width, height), spec)
        light = LINEAR[turned(framed, int(rng.integers(TURNS)))]
        light = light * (white_balance(rng) ** np.float32(0.5) * np.float32(np.exp(rng.normal(0.0, 0.2))))
        if rng.random() < 0.4:
            light = blurred(light, rng)
        return self._stored(light, rng)

    def _framed(self, look: Look, rng: Rng) -> Bytes:
        return self._warped(look, framing(look.hull, look.elevation_deg, self._size_px, rng))

    def _warped(self, look: Look, matrix: Floats) -> Bytes:
        size = (self._size_px, self._size_px)
        framed = cv2.warpAffine(
            np.ascontiguousarray(look.layers), matrix, size, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 255, 0)
        )
        return np.asarray(framed, np.uint8)

    def _lit(self, framed: Bytes, transparent: bool, rng: Rng) -> Floats:
        """Linear light of the part on a belt, before the camera."""
        light = framed.astype(np.float32) * np.float32(1 / 255)
        coverage, gloss = light[..., 3:], light[..., 1:2] ** 2 * np.float32(rng.uniform(0.3, 1.3))
        belt = self._belt(rng)
        if rng.random() < 0.2:
            light[..., 2] = 1 - (1 - light[..., 2]) * rng.uniform(0, 0.6)
        if transparent:
            albedo = self._transparent.draw(rng)
            absorbed = light[..., :1] * np.float32(DIFFUSE_FULL * ABSORPTION * rng.uniform(0.4, 1.4))
            shaded = belt * (0.5 + 0.5 * light[..., 2:3])
            through = shaded * np.maximum(albedo, 0.02) ** absorbed * np.exp(-0.25 * absorbed)
            seen = coverage * (through + 0.12 * albedo * np.minimum(absorbed, 1)) + (1 - coverage) * shaded
            return seen + gloss
        albedo = self._solid.draw(rng)
        return light[..., :1] * (DIFFUSE_FULL * albedo) + gloss + (1 - coverage) * belt * light[..., 2:3]

    def _belt(self, rng: Rng) -> Floats:
        size = self._size_px
        belt = self._belts[rng.integers(len(self._belts))]
        v, u = rng.integers(0, belt.shape[0] - size + 1, 2)
        pattern = belt[v : v + size, u : u + size].astype(np.float32) * np.float32(1 / 128)
        return pattern * belt_colour(rng)

    def _beside_another(self, light: Floats, coverage: Bytes, rng: Rng) -> Floats:
        """A second part comes into the picture at one side, behind the first."""
        other = self._looks.look(int(rng.integers(len(self._looks))))
        second_layers = self._framed(other, rng)
        second = self._lit(second_layers, other.transparent, rng)
        size = self._size_px
        angle, reach = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.75, 1.0)
        move = np.array([[1, 0, np.cos(angle) * reach], [0, 1, np.sin(angle) * reach]], np.float32)
        mask = cv2.warpAffine(second_layers[..., 3], move, (size, size)).astype(np.float32)
        moved = cv2.warpAffine(second, move, (size, size), borderMode=cv2.BORDER_REPLICATE)
        share = (mask / 255 * (1 - coverage.astype(np.float32) / 255))[..., None]
        return light * (1 - share) + moved * share

    def _photographed(self, light: Floats, rng: Rng) -> Bytes:
        light = light * (white_balance(rng) * np.float32(np.exp(rng.normal(0.0, 0.33))))
        haze = rng.exponential(0.03) if rng.random() < 0.6 else 0.0
        if haze:
            light = light * np.float32(1 - min(haze, 0.35)) + np.float32(min(haze, 0.35)) * white_balance(rng)
        return self._stored(blurred(light, rng), rng)

    def _stored(self, light: Floats, rng: Rng) -> Bytes:
        """Pixels as a camera stores them: saturation, tones, grain, sharpening, JPEG."""
        if rng.random() < 0.35:
            grey = light.mean(axis=2, keepdims=True)
            light = grey + (light - grey) * np.float32(rng.uniform(0.35, 1.35))
        stored = tone_table(rng)[np.clip(light * (TONES - 1), 0, TONES - 1).astype(np.int32)]
        stored = stored + self._grain(rng)
        if rng.random() < 0.3:
            soft = cv2.GaussianBlur(stored, (0, 0), rng.uniform(0.7, 1.6))
            stored = stored + (stored - soft) * np.float32(rng.uniform(0.2, 1.3))
        picture = np.clip(stored, 0, 255).astype(np.uint8)
        if rng.random() < 0.2:
            picture = continued_border(picture, rng)
        if rng.random() < 0.3:
            quality = int(rng.integers(35, 95))
            stored_jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
            picture = np.asarray(cv2.imdecode(stored_jpeg, cv2.IMREAD_COLOR), np.uint8)
        return picture

    def _grain(self, rng: Rng) -> Floats:
        size = self._size_px
        noise = self._noise[rng.integers(len(self._noise))]
        v, u = rng.integers(0, size, 2)
        return noise[v : v + size, u : u + size] * np.float32(rng.exponential(3.0))


def framing(hull: Floats, elevation_deg: float, size_px: int, rng: Rng) -> Floats:
    """(2, 3) affine matrix from a look's pixels to the training picture: turned, and framed more or less well."""
    linear = drawn_turn(elevation_deg, rng)
    margin = rng.uniform(-0.05, 0.22) if rng.random() < 0.85 else rng.uniform(0.2, 0.5)
    return placed(hull, linear, margin, rng.normal(0, 0.035, 2), size_px)


def drawn_turn(elevation_deg: float, rng: Rng) -> Floats:
    """(2, 2) turn in the picture, with a little stretch and shear.

    Steep views (and those from below) may turn by any angle; oblique ones mostly keep gravity down, as cameras do.
    """
    any_turn = elevation_deg > 60 or elevation_deg < 0 or rng.random() < 0.25
    angle = rng.uniform(-np.pi, np.pi) if any_turn else rng.normal(0, 0.15)
    cos, sin = np.cos(angle), np.sin(angle)
    stretch = np.exp(rng.normal(0, 0.05, 2))
    shear = rng.normal(0, 0.04)
    return np.array([[stretch[0], shear], [0, stretch[1]]]) @ np.array([[cos, -sin], [sin, cos]])


def placed(hull: Floats, linear: Floats, margin: float, off: Floats, size_px: int) -> Floats:
    """(2, 3) affine matrix that turns by `linear` and fills a square of `size_px`, but for `margin` on each side; that
    and `off` (2,), by which the middle is missed, are shares of the longer side."""
    turned = hull @ linear.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    longer = max(float((high - low).max()), 4.0)
    zoom = size_px / (longer * (1 + 2 * margin))
    shift = size_px / 2 - zoom * ((low + high) / 2 + off * longer)
    return np.concatenate([zoom * linear, shift[:, None]], axis=1).astype(np.float32)


def belt_colour(rng: Rng) -> Floats:
    """(3,) linear reflectance of a belt: white and grey often, black, green or blue ones sometimes."""
    kind = rng.random()
    if kind < 0.55:
        grey = rng.uniform(0.12, 0.95)
        return (grey * np.exp(rng.normal(0, 0.05, 3))).astype(np.float32)
    if kind < 0.75:
        return (rng.uniform(0.01, 0.12) * np.exp(rng.normal(0, 0.1, 3))).astype(np.float32)
    return np.clip(rng.uniform(0.03, 0.8) * np.exp(rng.normal(0, 0.5, 3)), 0.01, 0.95).astype(np.float32)


def white_balance(rng: Rng) -> Floats:
    """(3,) gains of red, green and blue; one in four is far off, as cheap cameras' automatics are."""
    spread = 0.35 if rng.random() < 0.25 else 0.1
    gains = np.exp(rng.normal(0, spread, 3))
    return (gains / gains.mean()).astype(np.float32)


def blurred(light: Floats, rng: Rng) -> Floats:
    """Out of focus, moved, or seen in few pixels."""
    kind = rng.random()
    if kind < 0.45:
        sigma_px = rng.uniform(0.3, 1.0) if rng.random() < 0.75 else rng.uniform(1.0, 2.2)
        return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma_px * light.shape[0] / 96), np.float32)
    if kind < 0.6:
        size = light.shape[0]
        few = int(size * rng.uniform(0.35, 0.9))
        small = cv2.resize(light, (few, few), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    if kind < 0.72:
        length = int(rng.integers(2, max(3, light.shape[0] // 16)))
        kernel = np.full((1, length), 1 / length, np.float32)
        return np.asarray(cv2.filter2D(light, -1, kernel if rng.random() < 0.5 else kernel.T), np.float32)
    return light


def through_frosted_plastic(light: Floats, rng: Rng) -> Floats:
    """Seen from below through a scratched plate: a veil of stray light, and soft where the part does not touch it."""
    veil = np.float32(rng.uniform(0.05, 0.4))
    soft = np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.8, 3.0) * light.shape[0] / 96), np.float32)
    share = np.float32(rng.uniform(0.4, 1.0))
    return (share * soft + (1 - share) * light) * (1 - veil) + veil * white_balance(rng) * np.float32(
        rng.uniform(0.3, 0.9)
    )


def tone_table(rng: Rng) -> Floats:
    """(TONES,) stored value 0…255 of linear light 0…1: a gamma with a contrast curve and lifted or crushed blacks."""
    linear = np.linspace(0, 1, TONES, dtype=np.float32)
    stored = linear ** np.float32(1 / rng.uniform(1.8, 2.5))
    bend = rng.normal(0, 0.25)
    stored = stored + bend * stored * (1 - stored) * (2 * stored - 1)
    black, white = rng.normal(0.0, 0.04), rng.normal(1.0, 0.05)
    return ((black + (white - black) * stored) * 255).astype(np.float32)


def continued_border(picture: Bytes, rng: Rng) -> Bytes:
    """As if the crop had ended close to the part: its border pixels go on outwards, on one axis or both."""
    size = picture.shape[0]
    result = picture
    for axis in rng.permutation(2)[: rng.integers(1, 3)]:
        first, last = (int(x) for x in rng.uniform(0, 0.22, 2) * size)
        kept = np.clip(np.arange(size), first, size - 1 - last)
        result = np.take(result, kept, axis=int(axis))
    return result


def coarsened(picture: Bytes, rng: Rng) -> Bytes:
    """(H, W, 3) uint8 of a part that a camera saw in fewer pixels: made smaller, then as large as it was."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.35, 0.85)
    small = cv2.resize(picture, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def recoloured(picture: Bytes, rng: Rng) -> Bytes:
    """(H, W, 3) uint8 RGB in other colours: half of the pictures grey, half tinted as under a coloured lamp.

    What is left to learn from is the shape (random grey and colour jitter: Chen et al. 2020, "A simple framework for
    contrastive learning of visual representations", appendix A).
    """
    if rng.random() < 0.5:
        return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    gains = np.exp(rng.normal(0, 0.25, 3))
    tables = np.outer(np.arange(256), gains / gains.max()).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, tables[None]), np.uint8)
