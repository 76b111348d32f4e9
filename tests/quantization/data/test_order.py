"""The global order: every sample once an epoch, whoever takes which part of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantization.data.order import SLOTS, EpochOrder, MixedOrder, largest_remainder, slice_of


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 60), batch=st.integers(2, 17), workers=st.integers(1, 5))
def test_workers_see_each_sample_once_an_epoch(count, batch, workers):
    order = EpochOrder(count, seed=9)
    batches = -(-3 * count // batch)
    starts = np.arange(batches)[:, None] * batch
    parts = [(starts + np.arange(batch)[slice_of(batch, rank, workers)]).ravel() for rank in range(workers)]
    by_worker = [np.stack(order.at(places)) for places in parts]
    epochs, samples = np.concatenate(by_worker, axis=1)
    for epoch in range(3):
        assert sorted(samples[epochs == epoch]) == list(range(count))


@given(batch=st.integers(1, 200), workers=st.integers(1, 20))
def test_parts_of_a_batch_follow_each_other_and_are_equal_but_for_one(batch, workers):
    parts = [np.arange(batch)[slice_of(batch, rank, workers)] for rank in range(workers)]
    assert np.array_equal(np.concatenate(parts), np.arange(batch))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_the_order_follows_from_seed_and_place_alone():
    order = EpochOrder(50, seed=1)
    straight = order.at(np.arange(150))
    backwards = [EpochOrder(50, seed=1).at(np.array([place]))[1][0] for place in range(149, -1, -1)]
    assert straight[1].tolist() == backwards[::-1]
    assert straight[0].tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert straight[1][:50].tolist() != straight[1][50:100].tolist()
    assert straight[1].tolist() != EpochOrder(50, seed=2).at(np.arange(150))[1].tolist()
    assert straight[1].tolist() != EpochOrder(50, seed=1, key=1).at(np.arange(150))[1].tolist()


def test_a_mix_keeps_its_shares_and_the_epochs_of_its_sources():
    mix = MixedOrder((700, 40), (0.9, 0.1), seed=5)
    sources, epochs, samples = mix.at(np.arange(4 * SLOTS))
    for block in range(4):
        assert (sources[block * SLOTS : (block + 1) * SLOTS] == 1).sum() == SLOTS / 10
    for source, count in ((0, 700), (1, 40)):
        seen = samples[(sources == source) & (epochs == 1)]
        assert sorted(seen) == list(range(count))
    place = np.array([2345])
    assert [int(part[0]) for part in mix.at(place)] == [int(part[2345]) for part in (sources, epochs, samples)]
    assert len(np.unique(np.diff(np.flatnonzero(sources == 1)))) > 3


@pytest.mark.parametrize(
    ("shares", "expected"), [((1.0,), [10]), ((0.5, 0.5), [5, 5]), ((1, 1, 1), [4, 3, 3]), ((0.26, 0.74), [3, 7])]
)
def test_shares_are_rounded_to_whole_samples(shares, expected):
    assert largest_remainder(shares, 10).tolist() == expected
