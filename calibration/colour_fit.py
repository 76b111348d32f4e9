"""From bricks of known colours beside the belt to what the belt's own colour is, and how the camera mixes its channels.

A part's light over the belt's, channel by channel, takes away the lamp's brightness and most of its colour, but not
that a camera's red takes in some green, nor that the belt is cream. With ρ the part ÷ belt in linear light, b the
belt's colour in daylight and M a matrix whose rows sum to 1, b × (M ρ) is the part's colour in daylight; how much each
brick's faces are turned from the light is fitted along, and is 0 in the mean: b is as bright as it looks beside such
faces.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.least_squares import least_squares
from edge.catalogue.colours import Colour
from edge.inference.colour import glossy, lab, linear

LOOSE = 0.03
"""Standard deviation of the cube root of linear light, which is about even to the eye: 3 of 100 in lightness."""
MIX_SIGMA = 0.15
"""Of what a channel takes in of another; sensors after their own matrix come to a tenth."""
TINT_SIGMA, BRIGHT, BRIGHT_SIGMA = 0.25, 0.5, 0.7
"""Of the belt: ln of its channels against each other, its reflectance, and ln of that."""
SHADE_SIGMA = 0.25
DARKEST = 1e-4
GOOD = 4.0
"""CIE94: bricks that are named right lie so near their colours in the mean."""
WRONG = 4.0
"""A named colour that lies so much further off than another one is wrong: on six simulated machines right ones lay at
most 1 further off, Green that was named Dark Green 5 to 10, Red that was named Yellow 34 to 38."""

Doubles = NDArray[np.float64]
MIXED = [(row, column) for row in range(3) for column in range(3) if row != column]


@dataclass(frozen=True, slots=True)
class SeenBrick:
    """A brick that was named.

    Attributes:
        ratio: (3,) its linear RGB ÷ the belt's.
        colour: as it was named.
    """

    ratio: Doubles
    colour: Colour


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What takes ratios to colours in daylight.

    Attributes:
        belt: (3,) linear RGB of the belt.
        matrix: (3, 3) of ratios; its rows sum to 1.
        shades: (N,) ln by which each brick was darker than the mean.
        differences: (N,) of each brick from its colour, as CIE94 has it, lightness left out.
    """

    belt: Doubles
    matrix: Doubles
    shades: Doubles
    differences: Doubles

    def corrected(self, ratio: Doubles) -> Doubles:
        """(3,) linear RGB in daylight of a part's ratio to the belt."""
        return np.maximum(self.belt * (self.matrix @ ratio), DARKEST)


def fit_colours(bricks: Sequence[SeenBrick]) -> Correction:
    """Fits the correction to bricks: the more they differ, the surer it is; four do."""
    ratios = np.array([brick.ratio for brick in bricks], np.float64)
    wanted = np.cbrt(np.array([lit(brick.colour) for brick in bricks]))

    def unpack(values: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        matrix = np.eye(3)
        for value, (row, column) in zip(values[3:9], MIXED, strict=True):
            matrix[row, column] = value
            matrix[row, row] -= value
        return np.exp(values[:3]), matrix, values[9:]

    def residuals(values: Doubles) -> Doubles:
        belt, matrix, shades = unpack(values)
        seen = np.maximum(belt * (ratios @ matrix.T), DARKEST) * np.exp(shades)[:, np.newaxis]
        tint = values[:3] - values[:3].mean()
        return np.concatenate([
            ((np.cbrt(seen) - wanted) / LOOSE).ravel(),
            values[3:9] / MIX_SIGMA,
            tint / TINT_SIGMA,
            [(values[:3].mean() - np.log(BRIGHT)) / BRIGHT_SIGMA],
            shades / SHADE_SIGMA,
            [10 * shades.mean() / SHADE_SIGMA],
        ])  # fmt: skip

    start = np.concatenate([np.full(3, np.log(BRIGHT)), np.zeros(6 + len(bricks))])
    scale = np.concatenate([np.full(3, 0.3), np.full(6, 0.1), np.full(len(bricks), 0.2)])
    found, _ = least_squares(residuals, start, scale)
    belt, matrix, shades = unpack(found)
    fitted = Correction(belt, matrix, shades, np.zeros(0))
    differences = np.array([_difference(fitted.corrected(brick.ratio), brick) for brick in bricks])
    return Correction(belt, matrix, shades, differences)


def misnamed(bricks: Sequence[SeenBrick], colours: Sequence[Colour]) -> tuple[int, Colour] | None:
    """The brick that the others speak against, and the colour that it has by them; None when none is far off. A wrong
    name also makes right ones look wrong: of those spoken against it is the one without whose name all fit best."""
    worst: tuple[float, int, Colour] | None = None
    for place, brick in enumerate(bricks):
        others = [other for other in bricks if other is not brick]
        seen = fit_colours(others).corrected(brick.ratio)
        away = {colour.code: _difference(seen, SeenBrick(brick.ratio, colour)) for colour in colours}
        best = min(colours, key=lambda colour: away[colour.code])
        if _difference(seen, brick) - away[best.code] <= WRONG:
            continue
        left = _mean_difference(_renamed(bricks, place, best))
        if worst is None or left < worst[0]:
            worst = left, place, best
    return (worst[1], worst[2]) if worst else None


def _renamed(bricks: Sequence[SeenBrick], place: int, colour: Colour) -> list[SeenBrick]:
    return [*bricks[:place], replace(bricks[place], colour=colour), *bricks[place + 1 :]]


def swapped(bricks: Sequence[SeenBrick], place: int, likely: Colour) -> tuple[int, int] | None:
    """The two bricks of which each seems to have got the other's name; None: none do.

    Two wrong names pull the others' fit so far off that `misnamed` may blame a brick that is named right. So both
    explanations are tried: two names are swapped when that fits well, and better than one brick named otherwise.

    Args:
        place: of the brick that `misnamed` tells, and
        likely: the colour that it gives it.
    """
    least, found = min(GOOD, _mean_difference(_renamed(bricks, place, likely))), None
    for one, other in itertools.combinations(range(len(bricks)), 2):
        tried = _renamed(_renamed(bricks, one, bricks[other].colour), other, bricks[one].colour)
        if tried[one].colour.code != bricks[one].colour.code and (mean := _mean_difference(tried)) < least:
            least, found = mean, (one, other)
    return found


def _mean_difference(bricks: Sequence[SeenBrick]) -> float:
    return float(fit_colours(bricks).differences.mean())


def lit(colour: Colour) -> Doubles:
    """(3,) linear RGB of plastic of a colour, with its gloss."""
    return glossy(linear(np.array(colour.rgb))).astype(np.float64)


def _difference(seen: Doubles, brick: SeenBrick) -> float:
    """CIE94 between a corrected colour and a brick's own, once both are as light as each other."""
    wanted = lit(brick.colour)
    luminance = np.array([0.2126, 0.7152, 0.0722])
    # How a face is turned is no matter of its colour, up to a stop.
    alike = float(np.clip((wanted @ luminance) / (seen @ luminance), 0.5, 2.0))
    both = lab(np.array([np.minimum(seen * alike, 1.3), wanted], np.float32)).astype(np.float64)
    delta = both[0] - both[1]
    chroma = np.hypot(both[:, 1], both[:, 2])
    chroma2 = float(chroma[0] - chroma[1]) ** 2
    hue2 = max(float(delta[1] ** 2 + delta[2] ** 2) - chroma2, 0.0)
    own = float(chroma[1])
    return float(np.sqrt(delta[0] ** 2 + chroma2 / (1 + 0.045 * own) ** 2 + hue2 / (1 + 0.015 * own) ** 2))
