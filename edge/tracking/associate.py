"""Which blob continues which track: a vote on the common motion first, then the nearest pairs."""

from __future__ import annotations

from dataclasses import dataclass

from edge.tracking.geometry import BeltGeometry
from edge.tracking.refine import Blob

MATCH_MM = 4.0
"""How far a part may lie from where the common motion puts it: outlines flicker, tall parts seem to move faster."""
MATCH_SHARE = 0.12
"""More of it for long steps."""
LENGTH_RATIO = 1.6
VOTE_MM = 3.0


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a part lies now, in stations and across the belt; an edge that was cut off by the picture is not known."""

    lead_mm: float
    trail_mm: float
    left_mm: float
    right_mm: float
    cut_lead: bool = False
    cut_trail: bool = False

    @property
    def length_mm(self) -> float:
        return self.lead_mm - self.trail_mm

    @property
    def spans(self) -> bool:
        """Whether it is cut off at both ends: longer than the picture."""
        return self.cut_lead and self.cut_trail

    @property
    def middle_mm(self) -> float:
        return (self.lead_mm + self.trail_mm) / 2

    @property
    def y_mm(self) -> float:
        return (self.left_mm + self.right_mm) / 2

    def moved(self, way_mm: float) -> Extent:
        """The same part further along the belt."""
        lead_mm, trail_mm = self.lead_mm + way_mm, self.trail_mm + way_mm
        return Extent(lead_mm, trail_mm, self.left_mm, self.right_mm, self.cut_lead, self.cut_trail)

    def share_inside(self, other: Extent, slack_mm: float) -> float:
        """Share of this extent's area that lies in another one grown by `slack_mm`."""
        along = min(self.lead_mm, other.lead_mm + slack_mm) - max(self.trail_mm, other.trail_mm - slack_mm)
        across = min(self.right_mm, other.right_mm + slack_mm) - max(self.left_mm, other.left_mm - slack_mm)
        area = max(self.length_mm, 0.1) * max(self.right_mm - self.left_mm, 0.1)
        return max(along, 0.0) * max(across, 0.0) / area


@dataclass(frozen=True, slots=True)
class Expectation:
    """A track as it should lie now if the belt's travel is right."""

    extent: Extent
    weight: float
    """Its say in the vote on the common motion."""
    missed: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A track and a blob that might belong together, by their places in their lists."""

    track: int
    blob: int
    offset_mm: float
    """How much further the blob lies than expected."""
    mismatch: float
    """0 for the same shape in the same lane."""


def extent_of(blob: Blob, geometry: BeltGeometry) -> Extent:
    """A blob's extent."""
    detection = blob.detection
    u0, v0, u1, v1 = detection.box_px
    ends = geometry.across_mm(u0, v0), geometry.across_mm(u1, v1)
    return Extent(detection.lead_x_mm, detection.trail_x_mm, min(ends), max(ends), blob.cut_lead, blob.cut_trail)


def offset_between(expected: Extent, seen: Extent) -> float | None:
    """How much further `seen` lies, by the edges that both know; None when they share none. One that fills the picture
    from edge to edge lies where it is expected, for all that can be seen."""
    offsets: list[float] = []
    if not (expected.cut_lead or seen.cut_lead):
        offsets.append(seen.lead_mm - expected.lead_mm)
    if not (expected.cut_trail or seen.cut_trail):
        offsets.append(seen.trail_mm - expected.trail_mm)
    if offsets:
        return sum(offsets) / len(offsets)
    return 0.0 if expected.spans or seen.spans else None


def candidate_pairs(
    expectations: list[Expectation], extents: list[Extent], least_mm: float, most_mm: float
) -> list[Pair]:
    """Every track with every blob of its lane and shape whose offset lies within the two limits."""
    pairs: list[Pair] = []
    for track, expectation in enumerate(expectations):
        for blob, seen in enumerate(extents):
            offset = offset_between(expectation.extent, seen)
            if offset is None or not least_mm <= offset <= most_mm:
                continue
            mismatch = _mismatch(expectation.extent, seen)
            if mismatch is not None:
                pairs.append(Pair(track, blob, offset, mismatch))
    return pairs


def common_offset(pairs: list[Pair], expectations: list[Expectation], range_mm: float) -> float:
    """The offset that most tracks agree on; among equals the smallest. 0 without any pair."""
    best_offset, best_score = 0.0, 0.0
    for candidate in pairs:
        near = [pair for pair in pairs if abs(pair.offset_mm - candidate.offset_mm) <= VOTE_MM]
        voters = {pair.track: expectations[pair.track].weight * (1 - 0.5 * pair.mismatch) for pair in near}
        blobs = {pair.blob for pair in near}
        support = sum(voters.values()) * min(1.0, len(blobs) / len(voters))
        score = support * (1 - 0.4 * min(abs(candidate.offset_mm) / max(range_mm, 1e-6), 1.0))
        if score > best_score:
            weights = [expectations[pair.track].weight for pair in near]
            total = sum(weight * pair.offset_mm for weight, pair in zip(weights, near, strict=True))
            best_offset, best_score = total / sum(weights), score
    return best_offset


def match(pairs: list[Pair], expectations: list[Expectation], offset_mm: float, step_mm: float) -> list[Pair]:
    """The nearest pairs around the common offset, each track and each blob at most once, weighty tracks first."""

    def cost(pair: Pair) -> tuple[float, float]:
        expectation = expectations[pair.track]
        reach = MATCH_MM + MATCH_SHARE * step_mm * (1 + expectation.missed)
        return abs(pair.offset_mm - offset_mm) / reach, pair.mismatch

    taken_tracks: set[int] = set()
    taken_blobs: set[int] = set()
    chosen: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: sum(cost(pair)) - 0.2 * expectations[pair.track].weight):
        if cost(pair)[0] <= 1 and pair.track not in taken_tracks and pair.blob not in taken_blobs:
            taken_tracks.add(pair.track)
            taken_blobs.add(pair.blob)
            chosen.append(pair)
    return chosen


def _mismatch(expected: Extent, seen: Extent) -> float | None:
    """0 … 1 for shapes and lanes that go together, None for those that do not."""
    partly = expected.cut_lead or expected.cut_trail or seen.cut_lead or seen.cut_trail
    across = abs(seen.y_mm - expected.y_mm)
    if partly:
        overlap = min(expected.right_mm, seen.right_mm) - max(expected.left_mm, seen.left_mm)
        return 0.3 if overlap > -1.0 else None
    if across > MATCH_MM:
        return None
    short, long = sorted((expected.length_mm, seen.length_mm))
    if long > short * LENGTH_RATIO and long - short > MATCH_MM:
        return None
    return min(across / MATCH_MM, 1.0) * 0.5 + min((long - short) / MATCH_MM, 1.0) * 0.5
