"""Parts that ride past the camera, and the sizes that they show."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.preprocess import turned
from edge.bundle.size import SizeEvidence
from quantization.evaluate.tracks import TILTS_DEG, make_track_looks
from quantization.recipe import Family
from quantization.sizes import size_table

FAMILIES = [Family("one", ("one",), (), "Box 16 x 16 x 8 mm"), Family("two", ("two",), (), "Box 32 x 16 x 8 mm")]


@pytest.mark.usefixtures("library")
def test_each_look_shows_the_size_of_its_part_and_a_little_more(tmp_path):
    looks = make_track_looks(FAMILIES, tmp_path, 48, 6, seed=3)
    sizes_mm = looks.sizes_mm
    assert sizes_mm.shape == (6 * len(TILTS_DEG), 2)
    evidence = SizeEvidence(*size_table(FAMILIES, tmp_path))
    fits = np.stack([evidence.log_likelihood(*size_mm) for size_mm in sizes_mm])
    assert (fits.argmax(1) == looks.families).mean() > 0.9
    assert (sizes_mm[:, 1] > 8 - 0.5).all()
    assert (sizes_mm[:, 0] < np.where(looks.families == 0, 16, 32) * np.sqrt(2) + 5).all()


@pytest.mark.usefixtures("library")
def test_each_look_is_turned_by_a_quarter_more_than_the_one_before(tmp_path):
    looks = make_track_looks(FAMILIES, tmp_path, 48, 6, seed=3)
    first = len(TILTS_DEG) * int(np.flatnonzero(looks.families[:: len(TILTS_DEG)])[0])  # of a long part
    upright, *others = (looks.picture(first + place).astype(np.float32) for place in range(4))

    def apart(picture, quarters):
        return float(np.abs(turned(picture, quarters) - upright).mean())

    for place, picture in enumerate(others, 1):
        assert np.argmin([apart(picture, -quarters) for quarters in range(4)]) == place
