"""Reading shards of renders."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import InputError
from quantization.data.layers import HULL_POINTS, hull_of, open_layers


def test_a_set_is_read_shard_by_shard(renders):
    looks = open_layers(renders)
    assert (len(looks), looks.families) == (12, ("3001", "3003"))
    assert looks.family.tolist() == [0, 1] * 6
    assert looks.elevation_deg[:6].tolist() == [90, 90, 90, 30, 30, 30]
    first, second = looks.picture(0), looks.picture(6)
    assert first[14, 8, 3] == 255
    assert (second[14, 8, 3], second[14, 9, 3]) == (0, 255)
    assert (looks.picture(7)[..., 3] > 0).sum() == 20 * 20


def test_an_unfinished_shard_is_left_out(renders):
    (renders / "00001.npz").unlink()
    assert len(open_layers(renders)) == 6


def test_a_set_without_a_finished_shard_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"holds no finished shard of renders: run 'brickgate-model render' first"):
        open_layers(tmp_path)


def test_hulls_are_the_corners_of_the_covered_area_and_are_kept(renders):
    looks = open_layers(renders)
    assert looks.hulls.shape == (12, HULL_POINTS, 2)
    assert looks.hulls[0].min(axis=0).tolist() == [8, 14]
    assert looks.hulls[0].max(axis=0).tolist() == [39, 23]
    assert (renders / "00000.hulls").exists()
    assert np.array_equal(open_layers(renders).hulls, looks.hulls)


def test_the_hull_of_nothing_is_the_middle():
    assert (hull_of(np.zeros((40, 40), np.uint8)) == 20).all()


def test_a_round_hull_is_thinned_evenly():
    v, u = np.mgrid[:400, :400]
    disc = (((u - 200) ** 2 + (v - 200) ** 2) < 150**2).astype(np.uint8) * 255
    radii = np.linalg.norm(hull_of(disc) - 200, axis=1)
    assert radii.min() > 148
    assert len(np.unique(hull_of(disc), axis=0)) == HULL_POINTS
