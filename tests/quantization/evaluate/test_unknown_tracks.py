"""Parts that nobody taught the network are noticed by their looks and their size, at the price that was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.size import SizeEvidence
from edge.bundle.unknown import FamiliarityTable
from quantization.evaluate.machine_sizes import as_measured, machine_errors
from quantization.evaluate.scores import LookScores
from quantization.evaluate.unknown_tracks import SHARES, SHOWN, Ridden, figures, fit

KINDS, LOOKS, TRACKS = 20, 8, 400
SIDES_MM = np.linspace(8, 60, KINDS, dtype=np.float32)
SIZE = SizeEvidence(np.repeat(SIDES_MM[:, np.newaxis, np.newaxis], 2, axis=2), np.ones((KINDS, 1), np.float32))
EXACT = np.zeros((1, 2))


def looks(seed: int, strength: float, sides_mm: np.ndarray, families: np.ndarray) -> LookScores:
    """Tracks whose logits favour one kind each by `strength`, with noise of deviation 1."""
    rng = np.random.default_rng(seed)
    taken_for = np.repeat(rng.integers(KINDS, size=TRACKS) if families.max() == 0 else families, LOOKS)
    logits = rng.normal(0, 1, (TRACKS * LOOKS, KINDS)) + strength * np.eye(KINDS)[taken_for]
    sizes_mm = np.repeat(sides_mm + SIZE.excess_mm, LOOKS)
    return LookScores(
        logits.astype(np.float32),
        np.repeat(families, LOOKS),
        LOOKS,
        np.stack([sizes_mm, sizes_mm], 1).astype(np.float32),
    )


@pytest.fixture
def ridden() -> Ridden:
    """Unknown parts look a little less like one kind, and have the size of a known kind, but mostly not of that."""
    kinds, strange = np.arange(TRACKS) % KINDS, np.zeros(TRACKS, np.int64)
    other = SizeEvidence(np.full((1, 1, 2), 30, np.float32), np.ones((1, 1), np.float32))
    known = looks(1, 6.0, SIDES_MM[kinds], kinds)
    return Ridden(known, looks(2, 4.5, np.full(TRACKS, 30.0), strange), SIZE, other, 1.0, 0.5)


def test_what_is_lost_of_known_parts_is_what_was_asked_for(ridden: Ridden) -> None:
    fitted = fit("standardised logit", ridden, EXACT)
    for suffix in ("", "_with_size"):
        falsely = np.array(fitted["belt"][f"false_rejection{suffix}"])
        assert falsely[:, 0] == pytest.approx(SHARES, rel=0.3, abs=0.005)
        rejected = np.array(fitted["belt"][f"rejected{suffix}"])
        assert (np.diff(rejected, axis=0) >= 0).all()
        assert (rejected > falsely).all()


def test_more_looks_and_the_size_reject_more(ridden: Ridden) -> None:
    fitted = fit("standardised logit", ridden, EXACT)
    named = figures(fitted)
    assert set(named) == {
        f"unknown_belt_{looks}{suffix}_rejected"
        for looks in ("1_look", "3_looks", "8_looks")
        for suffix in ("", "_with_size")
    }
    assert named["unknown_belt_3_looks_rejected"] > named["unknown_belt_1_look_rejected"]
    assert named["unknown_belt_1_look_with_size_rejected"] > named["unknown_belt_1_look_rejected"] + 0.1


def test_the_machine_decides_by_these_thresholds(ridden: Ridden) -> None:
    fitted = fit("standardised logit", ridden, EXACT)
    least, sized = ([tuple(row) for row in fitted[key]] for key in ("least", "least_with_size"))
    table = FamiliarityTable(
        "standardised logit", tuple(fitted["looks"]), SHARES, tuple(least), fitted["size_weight"], tuple(sized)
    )
    machine = table.losing(0.05)
    logits = ridden.known.logits
    one_look = [machine.is_unknown(machine.of(row - np.log(np.exp(row).sum())), 1) for row in logits]
    assert np.mean(one_look) == pytest.approx(0.05, abs=0.002)


def test_sizes_that_scatter_tell_less(ridden: Ridden) -> None:
    far_off = np.random.default_rng(3).normal(0, 4, (500, 2))
    exact, scattered = (fit("standardised logit", ridden, errors) for errors in (EXACT, far_off))
    at = SHARES.index(0.05), SHOWN.index(1)
    rejected = [np.array(fitted["belt"]["rejected_with_size"])[at] for fitted in (exact, scattered)]
    assert rejected[1] < rejected[0] - 0.1
    falsely = np.array(scattered["belt"]["false_rejection_with_size"])[at]
    assert falsely == pytest.approx(0.05, abs=0.015)


def test_few_looks_have_thresholds_for_so_many(ridden: Ridden) -> None:
    known, unknown = (replace(rode, looks_a_part=4) for rode in (ridden.known, ridden.unknown))
    assert fit("max posterior", replace(ridden, known=known, unknown=unknown), EXACT)["looks"] == [1, 2, 3]


def test_sizes_are_off_as_they_were_on_the_machine() -> None:
    errors = machine_errors()
    assert len(errors) > 1000
    assert np.abs(np.median(errors, axis=0)).max() < 0.5
    kinds = np.array([0, 19, 19])
    rendered_mm = np.stack([SIDES_MM[kinds] + 0.9, SIDES_MM[kinds] + 0.4], axis=1)
    offset = np.array([[1.0, -1.0]])
    found = as_measured(rendered_mm, kinds, SIZE, offset, np.random.default_rng(0))
    sigma_mm = SIZE.tolerance * SIDES_MM[kinds] + SIZE.tolerance_mm
    expected = SIDES_MM[kinds] + SIZE.excess_mm
    assert found == pytest.approx(np.stack([expected + sigma_mm, expected - sigma_mm], axis=1), abs=1e-4)
