"""Looks are fused by the machine's own formulas."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.dequantize import log_softmax
from edge.fusion.evidence import Method
from edge.fusion.verdict import Fusion, FusionSettings
from edge.records import TOP_VIEW, Prediction
from quantization.evaluate.fusions import accuracy_by_looks, fuse

LOOKS, CLASSES = 5, 8


@pytest.mark.parametrize("method", Method)
def test_it_fuses_as_the_machine_does(method):
    log_scores = log_softmax(np.random.default_rng(3).normal(0, 2, (LOOKS, CLASSES)).astype(np.float32))
    fusion = Fusion(CLASSES, 0, FusionSettings(method=method, exponent=0.4))
    for index, scores in enumerate(log_scores):
        fusion.add(Prediction(0, index, TOP_VIEW, scores, np.zeros(0, np.float32), 1.0))
    assert fuse(log_scores[np.newaxis], method, 0.4)[0] == pytest.approx(fusion.verdict(0).part_posterior, abs=1e-5)


def test_three_fusions_of_a_known_case():
    looks = np.log([[[0.6, 0.4], [0.6, 0.4], [0.05, 0.95]]]).astype(np.float32)
    truth = np.array([1])
    by_looks = {method: accuracy_by_looks(looks, truth, method, 0.5).tolist() for method in Method}
    assert by_looks[Method.TEMPERED_PRODUCT] == [0, 0, 1]
    assert by_looks[Method.MEAN] == [0, 0, 1]
    assert by_looks[Method.MAJORITY] == [0, 0, 0]
