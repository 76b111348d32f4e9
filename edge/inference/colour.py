"""Which colour a part has: the nearest production colour, white-balanced on the belt behind it.

The bare belt around the part is taken as neutral: dividing by it, in linear light, takes the lamp's and the
camera's colour cast away (von Kries scaling in the camera's own primaries). What is left unknown is
marginalised, not guessed: how bright the belt really is, how much the part's faces are turned from the light,
and how much contrast the camera's picture style adds. Each colour is predicted with the gloss that plastic
shows, and compared by CIE94.

Sources: CIE 116-1995 (CIE94 with its textile weights, which trust lightness half as much as chroma); Fresnel
reflection of ABS (n = 1.53) is 4 %, of which a dark surrounding sends back less; sRGB by IEC 61966-2-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour
from edge.records import Look, Scores

Floats = NDArray[np.float32]

GLOSS = 0.03
"""Light mirrored by the surface whatever the plastic's colour: why dark green and dark blue look nearly
black."""
SIGMA = 5.0
"""Spread of CIE94 differences; the value with the best log score over sheets of parts of known colour."""
CONTRASTS = (1.0, 1.2)
"""Exponents that a camera's picture style may have put on linear light, relative to the belt."""
WHITE_BELT = 0.85
"""Reflectance of white paper and white belts."""
EXPOSURE_SIGMA = 1.0
"""Spread of ln(exposure): meters take a white scene for a grey one, a stop and a half too dark."""
AS_SEEN = 0.05
"""Prior weight of a correct exposure of a belt as grey as it looks, against that of a white belt."""
SHADE, SHADE_SIGMA = 0.15, 0.25
"""Mean and spread of -ln(brightness) of a part's faces against a face that lies like the belt."""
MEASURED_SHADE_SIGMA = 0.2
"""Where the belt's brightness was measured beside the faces of parts."""
LIGHT_STEPS = 7
SIDE_PX = 48
"""Looks are thinned to about this side before anything is computed."""
CORE = 0.55
"""Share of the mask's pixels kept, the innermost: shadows and colour bled on the belt are at the rim."""
DARK, BRIGHT = 0.30, 0.95
"""Quantiles of luminance between which pixels count: below are gaps and shadows, above are glints."""
LEAST_PIXELS = 12

PEARL_PENALTY = 1.0
CLEAR_PENALTY, CLEAR_LEAST, CLEAR_MOST = 1.5, 1.0, 4.0
CLEAR_SPREAD = 0.8
CLEAR_SLOPE = 2.0
"""Log-priors: one part in ten is transparent. Light fills those, so that their faces differ less in
brightness: the penalty grows by this slope with ln(bright ÷ dark) above the spread at which both kinds are
alike. A flat tile differs as little, hence the least penalty."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_TEXTILE_KL, _TEXTILE_K1, _TEXTILE_K2 = 2.0, 0.048, 0.014


def linear(srgb: NDArray[np.generic]) -> Floats:
    """Linear light 0…1 of sRGB values 0…255, any shape (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = linear(np.arange(256, dtype=np.uint8))


def lab(linear_rgb: Floats) -> Floats:
    """CIELAB (D65) of linear RGB (N, 3)."""
    return cv2.cvtColor(np.ascontiguousarray(linear_rgb[np.newaxis]), cv2.COLOR_LRGB2LAB)[0]


def glossy(linear_rgb: Floats) -> Floats:
    """Linear RGB of plastic of a colour, with the light that its surface mirrors."""
    return GLOSS + (1 - GLOSS) * linear_rgb


@dataclass(frozen=True, slots=True)
class Sample:
    """The body colour of a part: `ratio` (3,) linear RGB against the belt's, or against white where the belt
    was not seen; `spread` ln(bright ÷ dark) of its faces; `belt` the belt's luminance in the picture, None
    when not seen."""

    ratio: Floats
    spread: float
    belt: float | None


class ColourMeter:
    """Scores looks against C colours.

    Args:
        colours: the C colours; a transparent one's `rgb` is the tint of the belt seen through it.
        belt_rgb: sRGB of the bare belt as a well exposed picture in white light shows it, when known.
            Otherwise it counts as neutral, and as white or as bright as it looks, whichever explains the
            part better.
        matrix: (3, 3) what takes the camera's ratios of part to belt to those in daylight; with it `belt_rgb` is as
            bright as it looks beside a part's faces, as the calibration measures it, and the camera adds no contrast.
    """

    def __init__(
        self,
        colours: Sequence[Colour],
        belt_rgb: tuple[float, float, float] | None = None,
        matrix: Sequence[Sequence[float]] | None = None,
    ) -> None:
        if matrix is not None and belt_rgb is None:
            raise ValueError("a colour matrix needs the belt's colour that was measured with it")
        self._matrix = None if matrix is None else np.array(matrix, np.float32)
        self._contrasts = CONTRASTS if matrix is None else (1.0,)
        self._shade = (SHADE, SHADE_SIGMA) if matrix is None else (0.0, MEASURED_SHADE_SIGMA)
        self._belt = None if belt_rgb is None else np.maximum(linear(np.array(belt_rgb)), 1e-3)
        transparent = np.array([colour.transparent for colour in colours])
        body = linear(np.array([colour.rgb for colour in colours]))
        behind = np.float32(WHITE_BELT) if self._belt is None else self._belt
        body[transparent] *= behind
        self._lab = lab(glossy(body))
        self._chroma = np.hypot(self._lab[:, 1], self._lab[:, 2])
        self._lightness_weight = np.float32(1 / _TEXTILE_KL**2)
        self._chroma_weight = 1 / (1 + _TEXTILE_K1 * self._chroma) ** 2
        self._hue_weight = 1 / (1 + _TEXTILE_K2 * self._chroma) ** 2
        self._transparent = transparent.astype(np.float32)
        self._rarity = PEARL_PENALTY * np.array([colour.finish == "pearl" for colour in colours], np.float32)

    @property
    def colours(self) -> int:
        return len(self._lab)

    def measure(self, look: Look) -> Scores:
        """(C,) log-probabilities; empty when too little of the part can be seen."""
        sample = sample_body(look)
        return np.zeros(0, np.float32) if sample is None else self.score(sample)

    def score(self, sample: Sample) -> Scores:
        """(C,) log-probabilities of a measured body colour, marginalised over light and contrast."""
        log_light, log_prior = self._light(sample.belt)
        powers = np.array([1 / contrast for contrast in self._contrasts], np.float32)
        ratio = sample.ratio
        if self._matrix is not None and sample.belt is not None:
            ratio = np.maximum(self._matrix @ ratio, 0)
        stretched = ratio[np.newaxis] ** powers[:, np.newaxis]
        if self._belt is not None and sample.belt is not None:
            stretched = stretched * (self._belt / (self._belt @ _LUMINANCE))
        bodies = np.exp(log_light)[:, np.newaxis, np.newaxis] * stretched
        measured = lab(np.minimum(bodies, 1.3).reshape(-1, 3).astype(np.float32))
        log_scores = self._difference2(measured) / (-2 * SIGMA**2) + np.repeat(log_prior, len(powers))[:, np.newaxis]
        clear = np.clip(CLEAR_PENALTY + CLEAR_SLOPE * (sample.spread - CLEAR_SPREAD), CLEAR_LEAST, CLEAR_MOST)
        scores = _log_sum(log_scores) - self._rarity - clear * self._transparent
        return _normalise(scores.astype(np.float32))

    def score_ratio(self, ratio: Floats) -> Scores:
        """(C,) as `score`, of nothing but a linear RGB ratio (3,) to a belt that looks white."""
        return self.score(Sample(np.asarray(ratio, np.float32), CLEAR_SPREAD, WHITE_BELT))

    def _difference2(self, measured: Floats) -> Floats:
        """(H, C) squared CIE94 differences of (H, 3) measured Lab from the colours, the standards."""
        delta = measured[:, np.newaxis] - self._lab
        chroma2 = (np.hypot(measured[:, 1], measured[:, 2])[:, np.newaxis] - self._chroma) ** 2
        delta *= delta
        hue2 = np.maximum(delta[..., 1] + delta[..., 2] - chroma2, 0)
        weighted = self._lightness_weight * delta[..., 0] + self._chroma_weight * chroma2
        return (weighted + self._hue_weight * hue2).astype(np.float32, copy=False)

    def _light(self, belt: float | None) -> tuple[Floats, Floats]:
        """Candidates of ln(reflectance of the belt ÷ shade), and their log-prior, both (LIGHT_STEPS,)."""
        if self._belt is not None and belt is not None:
            centres, weights = [float(np.log(self._belt @ _LUMINANCE))], [1.0]
        elif belt is None:
            centres, weights = [0.0], [1.0]
        else:
            off = np.log(belt / WHITE_BELT)
            centres = [float(np.log(WHITE_BELT)), float(np.log(belt))]
            weights = [float(np.exp(-0.5 * (off / EXPOSURE_SIGMA) ** 2)), AS_SEEN]
        shade, sigma = self._shade
        grid = np.linspace(min(centres) - sigma, max(centres) + 2 * sigma, LIGHT_STEPS)
        away = (grid[:, np.newaxis] - np.array(centres) - shade) / sigma
        prior = (np.array(weights) * np.exp(-0.5 * away**2)).sum(axis=1)
        return grid.astype(np.float32), np.log(prior + 1e-9).astype(np.float32)


def sample_body(look: Look) -> Sample | None:
    """The part's body colour: the innermost pixels without gaps, shadows and glints, and of those the more
    chromatic half, which leaves out what is left of the shadow and of the gloss. None for too few pixels."""
    pixels = _core_pixels(look)
    if len(pixels) < LEAST_PIXELS:
        return None
    light = _LINEAR[pixels[:, ::-1]]
    belt = None
    if look.background_bgr is not None:
        background = np.maximum(linear(np.array(look.background_bgr[::-1])), 1e-3)
        belt = float(background @ _LUMINANCE)
        light /= background
    luminance = light @ _LUMINANCE
    order = np.argsort(luminance)
    last = len(order) - 1
    body = light[order[int(DARK * last) : int(BRIGHT * last) + 1]]
    tinted = lab(np.minimum(body, 1.3))
    chroma = tinted[:, 1] ** 2 + tinted[:, 2] ** 2
    vivid = body[np.argpartition(chroma, len(chroma) // 2)[len(chroma) // 2 :]]
    dark, bright = luminance[order[int(0.1 * last)]], luminance[order[int(0.9 * last)]]
    return Sample(np.median(vivid, axis=0), float(np.log((bright + 0.02) / (dark + 0.02))), belt)


def _core_pixels(look: Look) -> NDArray[np.uint8]:
    """(N, 3) BGR pixels in the inside of the mask, or of the picture's middle where there is none."""
    height, width = look.crop_bgr.shape[:2]
    step = max(height, width) // SIDE_PX + 1
    thin = look.crop_bgr[step // 2 :: step, step // 2 :: step]
    if look.mask is None:
        rows, columns = thin.shape[0] // 4, thin.shape[1] // 4
        return thin[rows : thin.shape[0] - rows, columns : thin.shape[1] - columns].reshape(-1, 3)
    mask = look.mask[step // 2 :: step, step // 2 :: step]
    framed = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_3)[1:-1, 1:-1][mask]
    if depth.size == 0:
        return np.zeros((0, 3), np.uint8)
    rim = np.partition(depth, int((1 - CORE) * (depth.size - 1)))[int((1 - CORE) * (depth.size - 1))]
    return thin[mask][depth >= min(rim, 0.7 * depth.max())]


def _log_sum(log_scores: Floats) -> Floats:
    """ln Σ exp over the first axis."""
    top = log_scores.max()
    return np.log(np.exp(log_scores - top).sum(axis=0) + np.float32(1e-30)) + top


def _normalise(log_scores: Floats) -> Scores:
    top = log_scores.max()
    return (log_scores - top - np.log(np.exp(log_scores - top).sum())).astype(np.float32)
