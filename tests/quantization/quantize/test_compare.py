"""The choice between the ways to int8 follows from what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import write_model

from quantization.quantize.compare import Trial, choose, measure, table

TRIAL = Trial("in training", 100, Path("model.tflite"), 0.80, 0.95, 2.8, 1.5)


def trial(**changes):
    return replace(TRIAL, **changes)


def test_the_best_top1_is_taken_where_it_is_clearly_best():
    after = trial(way="after training", top1=0.85, agreement=0.90)
    chosen, why = choose([trial(), after], 2000)
    assert chosen is after
    assert why == (
        "int8 after training, 100 representative pictures: its top-1 is the best (85.0% of 2000 unseen pictures right)"
    )


def test_of_equals_the_one_nearest_to_its_float_model_is_taken_then_the_smallest_set():
    equals = [trial(representative=1000, top1=0.803, agreement=0.970), trial(representative=400, agreement=0.9702)]
    chosen, why = choose([trial(top1=0.799), *equals], 2000)
    assert chosen is equals[1]
    assert "of 3 within 0.9% of the best top-1 (80.3%) it agrees most often with its float model (97.0%)" in why


def test_the_float_model_is_shown_and_not_chosen():
    float_ = trial(representative=0, top1=0.99, agreement=1.0, size_mb=9.4)
    chosen, _ = choose([float_, trial()], 2000)
    assert chosen.representative == 100
    lines = table([float_, trial()])
    assert "(float)" in lines[1] and "99.0%" in lines[1] and "9.40" in lines[1]
    assert lines[2].split()[:4] == ["in", "training", "100", "80.0%"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_a_model_is_measured_on_the_pictures_given(tmp_path):
    file = write_model(tmp_path / "mean.tflite", side_px=32, scale=1 / 127.5, zero_point=0)
    pictures = np.zeros((4, 32, 32, 3), np.uint8)
    for k, brightest in enumerate((0, 1, 2, 2)):
        pictures[k, ..., brightest] = 200
    reference = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    found = measure("in training", 7, file, pictures, np.array([0, 1, 1, 2]), reference)
    assert (found.top1, found.agreement, found.representative) == (0.75, 0.75, 7)
    assert found.size_mb == pytest.approx(file.stat().st_size / 1e6)
    assert found.invoke_ms > 0
