"""Finding the part in a single picture: drawn ones with known truth, and photographs when they are at hand."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.inference.finder import find_part
from edge.records import Box

SHARED = Path(os.environ.get("BRICKGATE_SHARED", Path(__file__).parents[2] / "../shared"))
PHOTOS = SHARED / "real-photos/pacogarcia-lego-brick-sorting"


def scene(
    size_px: tuple[int, int],
    parts: list[tuple[list[tuple[int, int]], tuple[int, int, int]]],
    bare_bgr: tuple[int, int, int] = (190, 195, 200),
    seed: int = 0,
) -> np.ndarray:
    """A picture (height, width) with a gradient, a soft shadow under each polygon, blur and noise."""
    height, width = size_px
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.array(bare_bgr, np.float32) * (0.85 + 0.2 * u / width + 0.1 * v / height)[:, :, None]
    for corners, colour in parts:
        shade = np.zeros(size_px, np.float32)
        cv2.fillPoly(shade, [np.array(corners, np.int32) + 4], 1.0)
        image *= 1 - 0.2 * cv2.GaussianBlur(shade, (0, 0), 5)[:, :, None]
        cv2.fillPoly(image, [np.array(corners, np.int32)], colour)
    image = cv2.GaussianBlur(image, (5, 5), 0)
    image += np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    high = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / (sum(areas) - wide * high)


RED, BLACK, WHITE = (40, 40, 190), (25, 25, 25), (245, 245, 245)


@pytest.mark.parametrize("colour", [RED, BLACK, (60, 150, 40), (40, 200, 230)])
@pytest.mark.parametrize("bare_bgr", [(190, 195, 200), (235, 170, 120), (150, 150, 235), (70, 75, 80)])
def test_part_in_the_middle(colour: tuple[int, int, int], bare_bgr: tuple[int, int, int]) -> None:
    image = scene((200, 260), [([(80, 60), (170, 50), (180, 140), (90, 150)], colour)], bare_bgr)
    found = find_part(image)
    assert not found.tight
    assert overlap(found.box_px, (80, 50, 181, 151)) > 0.85
    assert found.mask.shape == image.shape[:2]
    assert found.mask.sum() == pytest.approx(8900, rel=0.15)
    assert found.background_bgr == pytest.approx(bare_bgr, rel=0.2)


def test_small_part_in_a_whole_frame() -> None:
    image = scene((480, 640), [([(150, 300), (181, 308), (174, 337), (143, 330)], RED)])
    found = find_part(image)
    assert not found.tight
    assert overlap(found.box_px, (143, 300, 182, 338)) > 0.8


def test_part_that_fills_the_picture_is_the_picture() -> None:
    found = find_part(scene((120, 120), [([(2, 4), (118, 0), (119, 116), (0, 119)], RED)]))
    assert found.tight
    assert found.box_px == (0, 0, 120, 120)
    assert found.mask.all()


def test_faint_part_is_not_cut_in_pieces() -> None:
    """A light grey part on a grey ground, of which only the recess stands out."""
    body = ([(20, 15), (135, 20), (130, 140), (15, 135)], (205, 208, 210))
    recess = ([(55, 55), (95, 55), (95, 95), (55, 95)], (60, 60, 60))
    found = find_part(scene((150, 150), [body, recess], (190, 195, 200)))
    assert overlap(found.box_px, (15, 15, 136, 141)) > 0.6


def test_part_in_the_middle_beats_one_at_the_border() -> None:
    middle = ([(90, 60), (160, 60), (160, 130), (90, 130)], RED)
    border = ([(228, 20), (260, 20), (260, 120), (228, 120)], (60, 150, 40))
    found = find_part(scene((200, 260), [middle, border]))
    assert overlap(found.box_px, (90, 60, 161, 131)) > 0.8


@pytest.mark.parametrize("image", [np.zeros((50, 60, 3), np.uint8), np.full((50, 60, 3), 255, np.uint8)])
def test_picture_of_nothing_is_all_part(image: np.ndarray) -> None:
    assert find_part(image).box_px == (0, 0, 60, 50)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 200)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    found = find_part(np.full((*size, 3), 90, np.uint8))
    assert found.tight
    assert found.mask.shape == size


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the photographs are not at {PHOTOS}")
def test_photographed_crops_with_a_blue_cast() -> None:
    """Another builder cut these so that the part's box takes six tenths of each picture, in its middle."""
    with (PHOTOS / "labels.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if "whole-frame" not in row["notes"]]
    right = 0
    for row in rows[::6]:
        image = cv2.imread(str(PHOTOS / row["file"]))
        height, width = image.shape[:2]
        found = find_part(image)
        u0, v0, u1, v1 = found.box_px
        share = (u1 - u0) * (v1 - v0) / (height * width)
        centred = abs(u0 + u1 - width) < 0.12 * width and abs(v0 + v1 - height) < 0.12 * height
        right += centred and 0.5 < share < 0.68
    assert right >= 0.9 * len(rows[::6])


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the photographs are not at {PHOTOS}")
def test_photographed_whole_frame() -> None:
    image = cv2.imread(str(PHOTOS / "images/3005/1_Brick_1x1_180708133346.jpg"))
    found = find_part(image)
    assert overlap(found.box_px, (96, 57, 135, 94)) > 0.8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(17, 3000), (3000, 17), (16, 400)])
def test_a_strip_is_looked_at_whole(size):
    found = find_part(np.full((*size, 3), 120, np.uint8))
    assert found.tight
    assert found.mask.shape == size
