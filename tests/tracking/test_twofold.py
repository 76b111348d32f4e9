"""Two parts that touch, as one blob shows them: notches on both sides, badly filled, two colours side by side."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.tracking.shape import has_neck, has_two_colours, measure_outline
from edge.tracking.twofold import colour_gaps, neck, twofoldness

HEIGHT_PX, WIDTH_PX = 60, 100
RED, BLUE = (0.1, 0.1, 0.9), (0.9, 0.1, 0.1)


def blob(*corners, colours=(RED, RED), noise=0.02):
    """Contour, outline, residual and mask of a drawn blob, in its box; its right half is in the second colour."""
    drawn = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for polygon in corners:
        cv2.fillPoly(drawn, [np.array(polygon, np.int32)], (1,))
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    u, v, width, height = cv2.boundingRect(contours[0])
    residual = np.random.default_rng(1).normal(0, noise, (height, width, 3)).astype(np.float32)
    residual[:, : width // 2] += colours[0]
    residual[:, width // 2 :] += colours[1]
    contour = np.asarray(contours[0], np.int32)
    return contour, measure_outline(contour), residual, drawn[v : v + height, u : u + width] > 0


SINGLE = blob([(10, 10), (80, 10), (80, 40), (10, 40)])
SHIFTED = blob([(5, 5), (45, 5), (45, 30), (5, 30)], [(45, 18), (90, 18), (90, 45), (45, 45)])
NECKED = blob(
    [(5, 10), (45, 10), (45, 50), (5, 50)],
    [(55, 10), (95, 10), (95, 50), (55, 50)],
    [(45, 25), (55, 25), (55, 35), (45, 35)],
)
TWO_COLOURS = blob([(10, 10), (80, 10), (80, 40), (10, 40)], colours=(RED, BLUE))


def test_a_single_part_is_below_three():
    assert twofoldness(*SINGLE) < 1
    assert neck(*SINGLE[:2]) == 0
    assert not has_neck(*SINGLE[:2])


@pytest.mark.parametrize("pair", [SHIFTED, NECKED, TWO_COLOURS], ids=["shifted", "necked", "two colours"])
def test_each_sign_of_two_counts(pair):
    assert twofoldness(*pair) > twofoldness(*SINGLE) + 1


def test_a_neck_is_deep_and_narrow():
    assert neck(*NECKED[:2]) > 0.15
    assert has_neck(*NECKED[:2])


def test_two_colours_count_when_each_keeps_to_its_side():
    _, outline, residual, mask = TWO_COLOURS
    speckled = residual.reshape(-1, 3)[np.random.default_rng(2).permutation(mask.size)].reshape(residual.shape)
    assert min(colour_gaps(residual, mask)) > 0.3
    assert max(colour_gaps(speckled, mask)) < 0.1
    assert has_two_colours(residual, mask, outline)
    assert not has_two_colours(speckled, mask, outline)


def test_too_few_pixels_tell_nothing():
    _, _, residual, mask = TWO_COLOURS
    assert colour_gaps(residual[:3, :5], mask[:3, :5]) == (0.0, 0.0)
