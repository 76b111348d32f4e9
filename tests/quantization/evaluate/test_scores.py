"""Scores come back as they were stored, and never for another model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import InputError
from quantization.evaluate.scores import load_scores, save_scores


@pytest.fixture
def stored(model_scores, tmp_path):
    save_scores(model_scores, tmp_path / "evaluation")
    return tmp_path / "evaluation"


def load(folder, scores):
    return load_scores(folder, scores.recipe, scores.numbers, scores.model_sha256)


def test_scores_come_back_as_they_were_stored(stored, model_scores):
    found = load(stored, model_scores)
    assert (found.parts, found.unknown_parts) == (model_scores.parts, model_scores.unknown_parts)
    assert (found.temperature, found.fusion_exponent) == (0.8, 0.5)
    for name in ("unseen", "clean", "belt", "unknown", "unknown_belt"):
        before, after = getattr(model_scores, name), getattr(found, name)
        assert np.array_equal(before.logits, after.logits)
        assert np.array_equal(before.families, after.families)
        assert before.looks_a_part == after.looks_a_part
    assert found.belt.sizes_mm.tolist() == model_scores.belt.sizes_mm.tolist()
    assert len(found.unseen.sizes_mm) == 0
    assert np.array_equal(found.size.sides_mm, model_scores.size.sides_mm)
    assert np.array_equal(found.size.weights, model_scores.size.weights)
    assert np.array_equal(found.unseen_float, model_scores.unseen_float)
    photos = found.photos["some-photos"]
    assert photos.views.tolist() == ["back", "bottom", "back", "bottom", "top"]
    assert np.array_equal(photos.logits, model_scores.photos["some-photos"].logits)


def test_without_scores_it_says_what_to_run(tmp_path, model_scores):
    with pytest.raises(InputError, match=r"scores\.npz is missing: run 'brickgate-model evaluate' first"):
        load(tmp_path, model_scores)


def test_scores_of_another_model_or_recipe_are_refused(stored, model_scores):
    with pytest.raises(InputError, match=r"is of another model than the one converted last: run .* again"):
        load(stored, replace(model_scores, model_sha256="1" * 64))
    with pytest.raises(InputError, match=r"is of recipe small, not large: run .* again"):
        load(stored, replace(model_scores, recipe="large"))
    gone = model_scores.parts[3].number
    with pytest.raises(InputError, match=rf"is of other parts than the recipe \(it has {gone}\): run .* again"):
        load(stored, replace(model_scores, parts=model_scores.parts[:3]))


@pytest.mark.parametrize("name", ["scores.npz", "parts.json"])
def test_damaged_scores_are_one_line(stored, model_scores, name):
    whole = (stored / name).read_bytes()
    (stored / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"holds no scores .*: run 'brickgate-model evaluate' again") as raised:
        load(stored, model_scores)
    assert "\n" not in str(raised.value)
