"""Batches for training."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from edge.errors import InputError
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.stream import stream


@pytest.fixture(autouse=True)
def few_belts(monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))


def batches(renders, seed, count=3):
    return [
        (pictures.numpy(), families.numpy()) for pictures, families in islice(stream(renders, 32, 5, seed, 0), count)
    ]


def test_batches_have_pictures_and_families(renders):
    for pictures, families in batches(renders, 1):
        assert pictures.shape == (5, 32, 32, 3)
        assert pictures.dtype == np.uint8
        assert families.shape == (5,)
        assert set(families) <= {0, 1}


def test_the_seed_repeats_them(renders):
    first, again, other = batches(renders, 1), batches(renders, 1), batches(renders, 2)
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], other[0][0])


def test_nothing_to_read_is_said_at_once(tmp_path):
    with pytest.raises(InputError, match="no finished shard"):
        stream(tmp_path, 32, 5, 1, 0)
