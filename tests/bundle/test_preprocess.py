"""One preprocessing: windows, borders and quantization."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.preprocess import InputSpec, cut, normalise, quantization_table, to_tensor, turned, window
from edge.errors import BundleError

SPEC = InputSpec(32, 32, 0.1)


def test_the_window_is_centred_and_has_the_margin() -> None:
    assert window((10, 20, 50, 40), SPEC) == (6, 6, 48)


def test_a_fixed_scale_ignores_the_parts_size() -> None:
    spec = InputSpec(32, 32, 0.1, mm_per_px=1.0)
    assert window((0, 0, 10, 10), spec, mm_per_px=0.5)[2] == window((0, 0, 40, 40), spec, mm_per_px=0.5)[2] == 64


def test_an_unknown_scale_falls_back_to_the_part() -> None:
    spec = InputSpec(32, 32, 0.1, mm_per_px=1.0)
    assert window((0, 0, 40, 40), spec)[2] == 48


def test_a_window_beyond_the_picture_goes_on_with_its_border() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    assert (cut(image, (0, 0, 40, 40), SPEC) == 90).all()


def test_quarter_turns_go_round_and_leave_nothing_out() -> None:
    picture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    first = turned(picture, 1)
    assert first[3, 0].tolist() == picture[0, 0].tolist()  # what was top left is bottom left
    assert np.array_equal(turned(first, 3), picture)
    assert np.array_equal(turned(picture, 6), turned(picture, 2))
    assert np.array_equal(turned(picture[np.newaxis], 1)[0], first)


def test_the_result_is_rgb() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[..., 2] = 200
    assert cut(image, (0, 0, 40, 40), SPEC)[16, 16].tolist() == [200, 0, 0]


def test_a_box_outside_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside the picture of 40×40"):
        cut(np.zeros((40, 40, 3), np.uint8), (500, 500, 520, 520), SPEC)


@given(scale=st.floats(1e-3, 0.1), zero_point=st.integers(-128, 127))
def test_int8_quantization_is_within_half_a_step(scale: float, zero_point: int) -> None:
    table = quantization_table(scale, zero_point, "int8").astype(np.float64)
    real = normalise(np.arange(256, dtype=np.uint8))
    inside = (table > -128) & (table < 127)
    assert (np.abs((table[inside] - zero_point) * scale - real[inside]) <= scale / 2 + 1e-6).all()


def test_a_quantized_input_without_scale_is_refused() -> None:
    with pytest.raises(BundleError, match="quantization scale 0"):
        quantization_table(0.0, 0, "int8")


def test_a_tensor_has_a_batch_of_one() -> None:
    rgb = np.array([[[0, 64, 255]]], np.uint8)
    tensor = to_tensor(rgb, quantization_table(1 / 128, 0, "int8"))
    assert tensor.shape == (1, 1, 1, 3)
    assert tensor.dtype == np.int8
    assert tensor.ravel().tolist() == [-128, -64, 127]


@pytest.mark.parametrize(("height", "width"), [(32, 48), (8, 8), (2048, 2048)])
def test_inputs_that_cannot_be_served_are_refused(height: int, width: int) -> None:
    with pytest.raises(BundleError, match="square inputs of 16 to 1024 px"):
        InputSpec(height, width, 0.1)
