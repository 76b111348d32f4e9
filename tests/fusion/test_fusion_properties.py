"""Laws of fusion that hold for any looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.fusion.evidence import Evidence, Method, posterior
from edge.fusion.verdict import Fusion, FusionSettings
from edge.records import Prediction, Scores

CLASSES = 5
METHODS = list(Method)
NO_COLOUR = np.zeros(0, np.float32)

logits = arrays(np.float32, CLASSES, elements=st.floats(-8, 8, width=32))
weights = st.floats(0.05, 1)
looks = st.lists(st.tuples(logits, weights), min_size=1, max_size=12)
methods = st.sampled_from(METHODS)
exponents = st.floats(0.05, 1)


def log_scores(values: Scores) -> Scores:
    return np.log(posterior(values.astype(np.float64)) + 1e-9).astype(np.float32)


def fused(method: Method, exponent: float, chosen: list[tuple[Scores, float]]) -> np.ndarray:
    fusion = Fusion(CLASSES, 0, FusionSettings(method, exponent))
    for index, (values, weight) in enumerate(chosen):
        fusion.add(Prediction(1, index, "top", log_scores(values), NO_COLOUR, weight))
    return fusion.verdict(1).part_posterior


@given(method=methods, exponent=exponents, chosen=looks)
def test_a_posterior_sums_to_one(method: Method, exponent: float, chosen: list[tuple[Scores, float]]) -> None:
    result = fused(method, exponent, chosen)
    assert result.sum() == pytest.approx(1, abs=1e-5)
    assert (result >= 0).all()


@given(method=methods, exponent=exponents, chosen=looks, data=st.data())
def test_the_order_of_looks_does_not_matter(method, exponent, chosen, data) -> None:
    shuffled = data.draw(st.permutations(chosen))
    assert np.allclose(fused(method, exponent, chosen), fused(method, exponent, shuffled), atol=1e-4)


@given(method=methods, exponent=exponents, chosen=looks, junk=logits)
def test_a_look_of_no_quality_changes_nothing(method, exponent, chosen, junk) -> None:
    assert np.array_equal(fused(method, exponent, chosen), fused(method, exponent, [*chosen, (junk, 0.0)]))


@given(method=methods, exponent=exponents, values=logits)
def test_one_full_look_keeps_its_favourite(method, exponent, values) -> None:
    result = fused(method, exponent, [(values, 1.0)])
    assert result.argmax() == log_scores(values).argmax() or np.ptp(values) < 0.01


@given(exponent=exponents, values=logits)
def test_one_full_look_is_its_own_product(exponent, values) -> None:
    expected = np.exp(log_scores(values))
    assert np.allclose(fused(Method.TEMPERED_PRODUCT, exponent, [(values, 1.0)]), expected, atol=1e-4)


@given(method=methods, exponent=exponents, wrong=st.integers(1, CLASSES - 1))
def test_many_looks_outweigh_one_confident_contrary_look(method, exponent, wrong) -> None:
    liar = np.zeros(CLASSES, np.float32)
    liar[wrong] = 5
    honest = np.zeros(CLASSES, np.float32)
    honest[0] = 2
    assert fused(method, exponent, [(liar, 1.0)] + [(honest, 1.0)] * 12).argmax() == 0


@given(count=st.integers(2, 30), exponent=st.floats(0.05, 0.95))
def test_repeated_looks_count_as_n_to_the_exponent(count: int, exponent: float) -> None:
    evidence = Evidence(Method.TEMPERED_PRODUCT, exponent, 2)
    for _ in range(count):
        evidence.add(np.array([-0.1, -1.1], np.float32), 1.0)
    scores = evidence.log_scores()
    assert scores[0] - scores[1] == pytest.approx(count**exponent, rel=1e-4)


def test_the_product_beats_the_mean_on_independent_looks() -> None:
    random = np.random.default_rng(17)
    right = dict.fromkeys((Method.TEMPERED_PRODUCT, Method.MEAN), 0)
    for _ in range(1500):
        signal = np.zeros(CLASSES)
        signal[0] = 1.0
        chosen = [((signal + random.normal(0, 1.4, CLASSES)).astype(np.float32), 1.0) for _ in range(6)]
        for method in right:
            right[method] += int(fused(method, 1.0, chosen).argmax() == 0)
    assert right[Method.TEMPERED_PRODUCT] > right[Method.MEAN]
