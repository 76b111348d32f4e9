"""Parts that look alike: mirror images, variants of a mould, and the same shape under two numbers.

Pairs are proposed by their measures, which cost nothing, and judged by how well their surfaces cover each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from edge.catalogue.lookalikes import Kind, LookAlike
from quantization.catalogue.alignment import Cover, box_tolerance_mm
from quantization.catalogue.shapes import Shape, packed

MOST_AREA, MOST_VOLUME, MOST_DISTANCES = 0.20, 0.25, 0.20
"""Differences of area and volume as a share of the larger, and of distance histograms summed up, that are still
compared closely; the pairs found differ by 0.12, 0.25 and 0.10 at the most."""
SLACK_MM3 = 5.0
"""Of volumes: a small part's open seams weigh more."""
SAME, MIRRORED, VARIANT = 0.99, 0.97, 0.97
"""Least share of the surface that is covered. Chosen by looking at rendered pairs, see docs/catalogue.md:
above 0.97 are pins with and without slots, thick and thin clips; below, a tile with a hole (0.965) and a brick with
masonry (0.959). Mirror pairs lie above 0.98, and what comes next, at 0.92, is none."""
BETTER_MIRRORED = 0.01
"""By how much a mirror image must fit better than the part itself: a symmetric part is its own mirror image."""


@dataclass(frozen=True, slots=True)
class Mould:
    """A shape and the part type that it belongs to."""

    part: str
    shape: Shape


def candidates(shapes: Sequence[Shape]) -> Iterator[tuple[int, int]]:
    """Pairs of places whose boxes, areas, volumes and distances are alike."""
    if not shapes:
        return
    columns = packed(list(shapes))
    sides = columns["sides_mm"]
    reach_mm = float(box_tolerance_mm(sides).max()) * 3**0.5
    pairs = KDTree(sides).query_pairs(reach_mm, output_type="ndarray")
    least = np.minimum(sides[pairs[:, 0]], sides[pairs[:, 1]])
    pairs = pairs[(np.abs(sides[pairs[:, 0]] - sides[pairs[:, 1]]) <= box_tolerance_mm(least)).all(axis=1)]
    for column, most, slack in (("area_mm2", MOST_AREA, 0.0), ("volume_mm3", MOST_VOLUME, SLACK_MM3)):
        a, b = columns[column][pairs[:, 0]], columns[column][pairs[:, 1]]
        pairs = pairs[np.abs(a - b) <= most * np.maximum(a, b) + slack]
    apart = columns["distances"]
    pairs = pairs[np.abs(apart[pairs[:, 0]] - apart[pairs[:, 1]]).sum(axis=1) <= MOST_DISTANCES]
    yield from sorted((int(one), int(other)) for one, other in pairs)


def kind_of(turned: Cover, mirrored: Cover) -> tuple[Kind, Cover] | None:
    """What two parts are to each other, and by which cover; None where they do not look alike."""
    if turned.share >= SAME and mirrored.share < turned.share + BETTER_MIRRORED:
        return "same", turned
    if mirrored.share >= MIRRORED and mirrored.share >= turned.share + BETTER_MIRRORED:
        return "mirror", mirrored
    if turned.share >= VARIANT:
        return "variant", turned
    return None


def find_look_alikes(
    moulds: Sequence[Mould], covers: Callable[[str, str], tuple[Cover, Cover]], report: Callable[[str], None]
) -> list[LookAlike]:
    """The pairs of part types that look alike, by their most alike moulds.

    Args:
        moulds: of all part types.
        covers: of two LDraw numbers, turned and mirrored; see `Surfaces.covers`.
        report: takes a line on how far it is.
    """
    pairs = [
        (moulds[one], moulds[other])
        for one, other in candidates([mould.shape for mould in moulds])
        if moulds[one].part != moulds[other].part
    ]
    best: dict[tuple[str, str], LookAlike] = {}
    for done, (one, other) in enumerate(pairs, start=1):
        found = kind_of(*covers(one.shape.number, other.shape.number))
        if found is not None:
            kind, cover = found
            key = (min(one.part, other.part), max(one.part, other.part))
            pair = LookAlike(*key, kind, round(cover.distance_mm, 2), round(cover.share, 3))
            if key not in best or best[key].share < pair.share:
                best[key] = pair
        if done % 500 == 0 or done == len(pairs):
            report(f"compared {done} of {len(pairs)} pairs of parts, {len(best)} look alike")
    return [best[key] for key in sorted(best)]
