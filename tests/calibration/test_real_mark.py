"""The ArUco tag beside a real belt is found in every picture, where it stays; a sheet is not mistaken for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.plane_sheet import fit_sheet
from calibration.sheet import find_marks
from calibration.step import RefusedError
from edge.records import ImageBgr

FRAMES = Path(__file__).parents[2].parent / "shared" / "real-photos" / "openblok-belt-stream" / "frames"


@pytest.fixture(scope="module")
def pictures() -> list[ImageBgr]:
    files = sorted(FRAMES.glob("*.jpg"))[::6]
    if not files:
        pytest.skip(f"{FRAMES} is not there: the pictures of a real belt are kept apart")
    return [np.asarray(cv2.imread(str(file)), np.uint8) for file in files]


def test_the_tag_is_found_in_every_picture_though_the_light_drifts(pictures: list[ImageBgr]) -> None:
    assert all(set(find_marks(picture)) == {0} for picture in pictures)


def test_it_stays_where_it_is_and_is_a_square(pictures: list[ImageBgr]) -> None:
    corners = np.array([find_marks(picture)[0] for picture in pictures])
    middles = corners.mean(axis=1)
    assert np.median(middles, axis=0) == pytest.approx((128, 328), abs=3)
    assert np.abs(middles - np.median(middles, axis=0)).max() < 1.0
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    assert sides.max() / sides.min() < 1.15


def test_a_tag_alone_is_no_sheet(pictures: list[ImageBgr]) -> None:
    with pytest.raises(RefusedError, match="none of the sheet's corners and 1 of its marks are seen"):
        fit_sheet(pictures[:2], (640, 0, 1280, 720), 4.7, along_v=True)
