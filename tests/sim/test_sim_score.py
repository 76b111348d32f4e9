"""The score of a run: every part is counted once, whatever the machine and the truth say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.colours import load_colours
from edge.sim.parts import SimPart
from edge.sim.score import NEAR_MM, Decided, Fate, fate_of, match, score

BINS = ("a", "b")
REST = "rest"
SQUARE = np.array([[-8, -8], [8, -8], [8, 8], [-8, 8]], np.float32)
RED = load_colours()[0]


@dataclass(frozen=True, slots=True)
class Case:
    wanted: tuple[str, ...]
    bin: str | None
    seen_mm: float | None
    track: tuple[float, str, bool, str] | None


def _part(number: int, bin_: str | None = REST, seen_mm: float | None = None, y_mm: float = 0.0) -> SimPart:
    return SimPart(number, "3003", "3003", RED, 0, 0.0, 9.6, SQUARE, y_mm, seen_belt_mm=seen_mm, bin=bin_)


def _track(x_mm: float, part: str = "3003", refused: bool = False, best: str = "a", y_mm: float = 0.0) -> Decided:
    return Decided(x_mm, y_mm, part, refused, best)


cases = st.builds(
    Case,
    wanted=st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
    bin=st.sampled_from(["a", "b", REST, None]),
    seen_mm=st.none() | st.floats(-500, 5000),
    track=st.none()
    | st.tuples(
        st.floats(-500, 5000),
        st.sampled_from(["3003", "3001"]),
        st.booleans(),
        st.sampled_from(["a", "b", REST]),
    ),
)


@given(st.lists(cases, max_size=30))
def test_every_part_has_exactly_one_fate_and_the_shares_are_shares(drawn):
    truth = [_part(k, case.bin, case.seen_mm) for k, case in enumerate(drawn)]
    tracks = [_track(*case.track) for case in drawn if case.track]
    result = score(truth, tracks, lambda part: drawn[part.part_id].wanted, BINS, REST)
    assert sum(result.fates.values()) == result.parts_fed == len(drawn)
    assert result.fates[Fate.LOST] == sum(case.bin is None for case in drawn)
    assert sum(tally.right for tally in result.bins.values()) == result.fates[Fate.RIGHT]
    assert sum(tally.wrong for tally in result.bins.values()) == result.fates[Fate.WRONG]
    assert result.matched <= min(len(tracks), len(truth))
    assert all(0 <= share <= 1 for share in (result.purity, result.recovery, result.part_top1, result.bin_accuracy))


@pytest.mark.parametrize(
    ("bin_", "wanted", "refused", "fate"),
    [
        ("a", ("a",), False, Fate.RIGHT),
        ("b", ("a", "b"), False, Fate.RIGHT),
        (REST, (), False, Fate.RIGHT),
        (REST, (), True, Fate.RIGHT),
        ("b", ("a",), False, Fate.WRONG),
        ("a", (), False, Fate.WRONG),
        (REST, ("a",), False, Fate.UNSURE),
        (REST, ("a",), True, Fate.REFUSED),
        (None, ("a",), False, Fate.LOST),
    ],
)
def test_what_became_of_a_part(bin_, wanted, refused, fate):
    assert fate_of(_part(0, bin_), wanted, _track(0.0, refused=refused), REST) is fate


def test_a_part_that_nobody_saw_is_unsure():
    assert fate_of(_part(0, REST), ("a",), None, REST) is Fate.UNSURE


def test_purity_and_recovery_count_named_bins_only():
    ends = [("a", ("a",)), ("a", ("b",)), (REST, ("b",)), (REST, ()), ("b", ())]
    truth = [_part(k, bin_) for k, (bin_, _) in enumerate(ends)]
    result = score(truth, [], lambda part: ends[part.part_id][1], BINS, REST)
    assert result.purity == pytest.approx(1 / 3)
    assert result.recovery == pytest.approx(1 / 3)
    assert (result.bins["a"].right, result.bins["a"].wrong, result.bins["b"].wanted) == (1, 1, 2)


def test_a_track_is_matched_by_its_place_and_serves_one_part():
    truth = [_part(0, seen_mm=100.0), _part(1, seen_mm=108.0), _part(2, seen_mm=300.0), _part(3, seen_mm=None)]
    near, across = _track(101.0), _track(109.0)
    far = _track(300.0 + NEAR_MM + 1)
    assert match(truth, [across, far, near]) == {0: near, 1: across}
    assert match(truth[:2], [near]) == {0: near}


def test_parts_side_by_side_are_told_apart_by_their_place_across():
    truth = [_part(0, seen_mm=100.0, y_mm=-20.0), _part(1, seen_mm=100.0, y_mm=20.0)]
    right, left = _track(100.0, y_mm=19.0), _track(101.0, y_mm=-21.0)
    assert match(truth, [right, left]) == {0: left, 1: right}


def test_the_networks_answers_are_judged_for_matched_parts():
    truth = [_part(0, "a", seen_mm=0.0), _part(1, "a", seen_mm=100.0), _part(2, "a", seen_mm=200.0)]
    tracks = [_track(0.0), _track(100.0, part="3001", best="a")]
    result = score(truth, tracks, lambda part: ("a",), BINS, REST)
    assert (result.matched, result.part_top1, result.bin_accuracy) == (2, 0.5, 1.0)
