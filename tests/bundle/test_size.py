"""Size as evidence."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle.dequantize import dequantize, log_softmax
from edge.bundle.size import SizeEvidence, load_size_evidence, sides_mm
from edge.errors import BundleError

EVIDENCE = SizeEvidence(
    sides_mm=np.array([[[32, 16], [32, 11]], [[16, 8], [0, 0]], [[8, 8], [0, 0]]], np.float32),
    weights=np.array([[0.8, 0.2], [1, 0], [1, 0]], np.float32),
)


def test_the_part_of_that_size_is_likeliest() -> None:
    assert EVIDENCE.log_likelihood(31.5, 16.2).argmax() == 0
    assert EVIDENCE.log_likelihood(15.7, 8.3).argmax() == 1
    assert EVIDENCE.log_likelihood(8.1, 7.8).argmax() == 2


@pytest.mark.parametrize("turned_deg", [0, 30, 90])
def test_a_part_is_measured_whatever_way_it_is_turned(turned_deg: float) -> None:
    drawn = np.zeros((160, 160), np.uint8)
    cv2.fillPoly(drawn, [np.rint(cv2.boxPoints(((80, 80), (99, 39), turned_deg))).astype(np.int32)], 1)
    assert sides_mm(drawn > 0, 0.2) == pytest.approx((20.0, 8.0), abs=0.3)


def test_walls_and_blur_make_a_part_look_larger_than_it_lies() -> None:
    small, large = np.array([[[15.0, 8]], [[16.2, 8]]], np.float32), np.ones((2, 1), np.float32)
    assert SizeEvidence(small, large, excess_mm=0.0).log_likelihood(16.2, 8.0).argmax() == 1
    assert SizeEvidence(small, large, excess_mm=1.2).log_likelihood(16.2, 9.2).argmax() == 0


def test_the_sides_may_come_in_any_order() -> None:
    assert np.array_equal(EVIDENCE.log_likelihood(16.2, 31.5), EVIDENCE.log_likelihood(31.5, 16.2))


def test_a_wild_measurement_vetoes_nothing() -> None:
    scores = EVIDENCE.log_likelihood(400.0, 1.0)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) < 5


def test_a_file_that_holds_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "size.npz"
    file.write_bytes(b"no zip")
    with pytest.raises(BundleError, match=r"size\.npz holds no size evidence"):
        load_size_evidence(file, 3)


@pytest.mark.parametrize(
    ("sides", "weight", "told"),
    [
        (np.ones((2, 1, 2), np.float32), 1.0, "it is of 2 parts, the bundle of 3"),
        (np.full((3, 1, 2), np.nan, np.float32), 1.0, "no number"),
        (np.ones((3, 1, 2), np.float32), -1.0, "below 0"),
        (np.full((3, 1, 2), "wide"), 1.0, "isfinite"),
    ],
)
def test_evidence_of_other_parts_or_of_none_is_told(
    tmp_path: Path, sides: np.ndarray, weight: float, told: str
) -> None:
    file = tmp_path / "size.npz"
    np.savez(file, sides_mm=sides, weights=np.full(sides.shape[:2], weight, np.float32))
    with pytest.raises(BundleError, match=told):
        load_size_evidence(file, 3)


def test_evidence_with_a_flipped_bit_is_told(tmp_path: Path) -> None:
    file = tmp_path / "size.npz"
    np.savez_compressed(file, sides_mm=EVIDENCE.sides_mm, weights=EVIDENCE.weights)
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(BundleError):
            load_size_evidence(file, 3)


def test_written_evidence_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "size.npz"
    np.savez(file, sides_mm=EVIDENCE.sides_mm, weights=EVIDENCE.weights)
    assert np.array_equal(load_size_evidence(file, 3).sides_mm, EVIDENCE.sides_mm)


def test_each_part_leaves_free_what_it_does_in_the_pose_that_fits(tmp_path: Path) -> None:
    """The first lies flat or, narrower, on its side; poses that do not occur are none."""
    file = tmp_path / "size.npz"
    filled = np.array([[1.0, 0.6], [0.9, 0.0], [0.8, 0.0]], np.float16)
    np.savez(file, sides_mm=EVIDENCE.sides_mm, weights=EVIDENCE.weights, filled=filled)
    evidence = load_size_evidence(file, 3)
    for sides, free in (((33.2, 17.2), [0, 0.1, 0.2]), ((12.2, 33.2), [0.4, 0.1, 0.2])):
        misfit, unfilled = evidence.best_pose(*sides)
        assert misfit[0] == pytest.approx(0, abs=1e-3)
        assert (misfit[1:] > 10).all()
        assert unfilled.tolist() == pytest.approx(free, abs=1e-3)
    assert EVIDENCE.best_pose(33.2, 17.2)[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("filled", [np.ones((3, 1)), np.full((3, 2), 1.2), np.full((3, 2), np.nan)])
def test_what_parts_cover_of_their_rectangles_is_a_share(tmp_path: Path, filled: np.ndarray) -> None:
    file = tmp_path / "size.npz"
    np.savez(file, sides_mm=EVIDENCE.sides_mm, weights=EVIDENCE.weights, filled=filled)
    with pytest.raises(BundleError, match=r"size\.npz .*is not a share for each pose"):
        load_size_evidence(file, 3)


def test_dequantizing_and_softmax() -> None:
    logits = dequantize(np.array([-128, 0, 127], np.int8), 0.1, -128)
    assert logits.tolist() == pytest.approx([0, 12.8, 25.5])
    assert float(np.exp(log_softmax(logits)).sum()) == pytest.approx(1, abs=1e-5)
    assert log_softmax(logits, 10.0).max() < log_softmax(logits, 1.0).max()
