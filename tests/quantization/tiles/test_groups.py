"""Splits that never leak, and trays scored as a whole."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantization.evaluate.groups import accuracy, score_tray
from quantization.tiles.split import TEST, TRAIN, split_groups

members = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from(["3001", "3003", "3023"])), min_size=1)


@settings(max_examples=100, deadline=None)
@given(members, st.floats(0, 0.9), st.integers(0, 99))
def test_a_group_is_in_one_split_and_no_part_is_only_tested(pairs, share, seed):
    split = split_groups(pairs, share, seed)
    assert set(split) == {group for group, _ in pairs}
    assert set(split.values()) <= {TRAIN, TEST}
    for part in {part for _, part in pairs}:
        assert any(split[group] == TRAIN for group, shown in pairs if shown == part)
    assert split == split_groups(sorted(pairs, reverse=True), share, seed)


@pytest.mark.parametrize("seed", range(5))
def test_each_part_has_its_share_of_tests(seed):
    pairs = [(f"tray {part}-{k}", part) for part in ("3001", "3003", "3023") for k in range(20)]
    tested = Counter(part for group, part in pairs if split_groups(pairs, 0.2, seed)[group] == TEST)
    assert tested == {"3001": 4, "3003": 4, "3023": 4}


def test_groups_that_span_parts_still_come_near_the_share():
    rng = np.random.default_rng(0)
    pairs = [(f"day {rng.integers(40)}", str(part)) for part in range(10) for _ in range(60)]
    split = split_groups(pairs, 0.2, 1)
    total, tested = Counter(p for _, p in pairs), Counter(p for g, p in pairs if split[g] == TEST)
    assert all(0.1 < tested[part] / total[part] < 0.3 for part in total)


def test_the_seed_chooses_other_groups_and_a_share_of_nothing_tests_nothing():
    pairs = [(f"tray {k}", "3001") for k in range(20)]
    splits = [split_groups(pairs, 0.2, seed) for seed in range(4)]
    assert len({tuple(sorted(split.items())) for split in splits}) > 1
    assert set(split_groups(pairs, 0.0, 0).values()) == {TRAIN}
    assert set(split_groups(pairs[:1], 0.5, 0).values()) == {TRAIN}


def tray_of(*rows):
    return np.log(np.array(rows, np.float32))


def test_mean_and_vote_and_product_can_disagree():
    """Class 0 is sure once, class 1 has the votes, class 2 is never first but never unlikely."""
    scores = tray_of((0.90, 0.02, 0.08), (0.01, 0.55, 0.44), (0.01, 0.55, 0.44), (0.30, 0.36, 0.34))
    tray = score_tray("a", 0, scores)
    assert (tray.by_mean, tray.by_vote, tray.by_product) == (1, 1, 2)
    assert (tray.right, tray.tiles) == (1, 4)


def test_a_tied_vote_goes_to_the_better_mean():
    scores = tray_of((0.6, 0.4, 0.0001), (0.05, 0.95, 0.0001), (0.1, 0.2, 0.7), (0.1, 0.2, 0.7))
    assert score_tray("a", 0, scores[[0, 1]]).by_vote == 1
    assert score_tray("a", 0, scores).by_vote == 2


def test_shares_count_trays_and_tiles_each_once():
    right, wrong = (0.9, 0.1), (0.2, 0.8)
    scores = tray_of(right, right, wrong, wrong, wrong, right)
    trays = [score_tray("a", 0, scores[:3]), score_tray("b", 0, scores[3:5]), score_tray("b", 1, scores[5:])]
    found = accuracy(trays)
    assert (found.tiles, found.trays, found.single) == (6, 3, pytest.approx(2 / 6))
    assert found.mean == found.vote == found.product == pytest.approx(1 / 3)


def test_no_tray_has_no_share():
    with pytest.raises(ValueError, match="no tray"):
        accuracy([])
