"""The scores of a made-up model of four parts, of which two look alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.manifest import BundlePart
from edge.bundle.size import SizeEvidence
from quantization.evaluate.scores import LookScores, ModelScores, PhotoScores

LOOKS_A_PART = 8
SEEN_MM = np.array([[33, 17], [17, 17], [17, 17], [17, 7]], np.float32)
"""What each part shows of itself: a little more than it measures."""
PARTS = (
    BundlePart("3001", "Brick 2 x 4", "Brick", (), 31.8, 15.8, 11.4),
    BundlePart("3003", "Brick 2 x 2 <odd> & more", "Brick", (), 15.8, 15.8, 11.4),
    BundlePart("3068", "Tile 2 x 2", "Tile", ("3068b",), 15.8, 15.8, 3.2),
    BundlePart("3673", "Technic Pin", "Technic", (), 15.8, 5.8, 5.8),
)


def drawn(rng: np.random.Generator, families: np.ndarray, strength: float) -> np.ndarray:
    """(N, 4) logits that favour the right family by `strength`, with noise of deviation 1."""
    return (rng.normal(0, 1, (len(families), 4)) + strength * np.eye(4)[families]).astype(np.float32)


@pytest.fixture
def model_scores() -> ModelScores:
    """Half the looks at a 2 × 2 brick are taken for a 2 × 4; int8 differs from float on every tenth look."""
    rng = np.random.default_rng(5)
    families = np.repeat(np.arange(40) % 4, LOOKS_A_PART)
    logits = drawn(rng, families, 4.0)
    second = np.flatnonzero(families == 1)[::2]
    logits[second] = logits[second][:, [1, 0, 2, 3]]
    of_float = logits.argmax(1)
    of_float[::10] = families[::10]
    ridden, clean = np.repeat(np.arange(4), LOOKS_A_PART), np.repeat(np.arange(4), 2)
    strange = np.repeat(np.arange(6), LOOKS_A_PART)
    seen = np.array([0, 0, 1, 1, 2])
    photos = PhotoScores(
        drawn(rng, seen, 6.0), seen, np.array(["back", "bottom", "back", "bottom", "top"]), np.array([*"aabbc"])
    )
    return ModelScores(
        recipe="small",
        model_sha256="0" * 64,
        parts=PARTS,
        temperature=0.8,
        fusion_exponent=0.5,
        size=SizeEvidence(
            np.array([[[31.8, 15.8]], *[[[15.8, 15.8]]] * 2, [[15.8, 5.8]]], np.float32), np.ones((4, 1), np.float32)
        ),
        unseen=LookScores(logits, families, LOOKS_A_PART),
        unseen_float=of_float,
        clean=LookScores((5 * np.eye(4)[[0, 0, 1, 0, 2, 2, 3, 3]]).astype(np.float32), clean, 2),
        belt=LookScores(drawn(rng, ridden, 3.0), ridden, LOOKS_A_PART, SEEN_MM[ridden]),
        unknown=LookScores(drawn(rng, np.zeros(48, int), 2.0), strange, LOOKS_A_PART),
        unknown_belt=LookScores(
            drawn(rng, np.zeros(48, int), 2.0), strange, LOOKS_A_PART, np.full((48, 2), 24, np.float32)
        ),
        unknown_parts=tuple(f"{number} Odd part" for number in range(900, 906)),
        photos={"some-photos": photos},
    )


@pytest.fixture
def perfect_scores(model_scores: ModelScores) -> ModelScores:
    """A model that is always right, and sure of it."""
    unseen = model_scores.unseen
    logits = (20 * np.eye(4)[unseen.families]).astype(np.float32)
    return replace(model_scores, unseen=replace(unseen, logits=logits), unseen_float=unseen.families, photos={})
