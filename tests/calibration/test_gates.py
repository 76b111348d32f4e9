"""What trials tell of a gate, and which gates are refused. Collecting on a simulated machine is not tested here yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.gate_choice import GateUnderTrial
from calibration.gate_model import Belief, GateShape, Ranges, Trial, places, times
from calibration.gate_trials import check_answers
from calibration.gate_ways import met, runs
from calibration.gates import GatesData, fit_gate
from calibration.step import RefusedError
from edge.config import example
from edge.config.gates import SimGateConfig
from edge.config.load import load_bins

GATE = SimGateConfig(name="g", driver="sim", x_mm=400, positions=("left", "pass", "right"))
LEFT, PASS, RIGHT = range(3)
X_MM, LATENCY_S, TRAVEL_S, MM_PER_S = 404.0, 0.045, 0.12, 150.0


def stands() -> list[Trial]:
    """A part every millimetre, diverted where it stood before the gate."""
    sure = [Trial("g", "stand", 375.0, PASS, went, went) for went in (LEFT, RIGHT)]
    return sure + [
        Trial("g", "stand", mm, PASS, LEFT, LEFT if mm < X_MM else PASS) for mm in np.arange(394.25, 412, 0.5).tolist()
    ]


def swing(tau_s: float, back_s: float | None) -> Trial:
    """A swing without any scatter, called back or not."""
    over_s = np.inf if back_s is None else LATENCY_S + 2 * back_s - TRAVEL_S / 2
    out = LATENCY_S + TRAVEL_S / 2 < tau_s < over_s
    return Trial("g", "swing", X_MM - tau_s * MM_PER_S, PASS, LEFT, LEFT if out else PASS, MM_PER_S, back_s)


def swings(back_s: float | None) -> list[Trial]:
    return [swing(tau_s, back_s) for tau_s in np.arange(0.02, 0.26, 0.004).tolist()]


def timing(trials: list[Trial]) -> Belief:
    return times(Ranges.around(GATE), X_MM).after(GateShape.of(GATE), trials)


def test_a_standing_belt_tells_the_place_alone():
    belief = places(Ranges.around(GATE)).after(GateShape.of(GATE), stands())
    assert belief.mean(belief.x_mm) == pytest.approx(X_MM, abs=0.3)
    assert belief.std(belief.x_mm) < 0.5


def test_whole_swings_tell_latency_and_travel_only_together():
    belief = timing(swings(None))
    together_s = belief.latency_s + belief.travel_s / 2
    assert belief.mean(together_s) == pytest.approx(LATENCY_S + TRAVEL_S / 2, abs=0.003)
    assert belief.std(belief.travel_s) > 0.02


def test_swings_that_are_called_back_tell_them_apart():
    belief = timing(swings(0.09))
    assert belief.mean(belief.latency_s) == pytest.approx(LATENCY_S, abs=0.003)
    assert belief.mean(belief.travel_s) == pytest.approx(TRAVEL_S, abs=0.006)


def test_a_place_that_is_off_is_taken_for_latency_by_swings():
    """Why the belt must stand for the place."""
    moved = times(Ranges.around(GATE), X_MM + 3).after(GateShape.of(GATE), swings(0.09))
    assert moved.mean(moved.latency_s) == pytest.approx(LATENCY_S + 3 / MM_PER_S, abs=0.004)


def test_a_gate_is_fitted_from_both():
    data = GatesData((*stands(), *swings(0.09)), True, 99)
    found = fit_gate(GATE, data, MM_PER_S)
    assert found is not None
    assert found.x_mm == pytest.approx(X_MM, abs=0.3)
    assert found.latency_s == pytest.approx(LATENCY_S, abs=0.005)
    assert found.travel_s == pytest.approx(TRAVEL_S, abs=0.01)
    assert found.odd == 0


def test_a_wrong_answer_is_counted_and_moves_the_fit_little():
    wrong = replace(swing(0.25, 0.09), met=LEFT)
    found = fit_gate(GATE, GatesData((*stands(), *swings(0.09), wrong), True, 99), MM_PER_S)
    assert found is not None
    assert found.odd == 1
    assert found.latency_s == pytest.approx(LATENCY_S, abs=0.005)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(PASS, "look at its power, its cable and its horn"), (RIGHT, "swap the two in machine.yaml or in the layout")],
)
def test_a_gate_that_does_not_answer_or_is_swapped_is_refused(answer, reason):
    sure = Trial("g", "stand", 375.0, PASS, LEFT, answer)
    check_answers(GateUnderTrial(GATE, [sure]))
    with pytest.raises(RefusedError, match=rf"g was told 'left' twice.*{reason}"):
        check_answers(GateUnderTrial(GATE, [sure, sure]))


def test_a_gate_far_from_what_the_yaml_says_is_refused():
    before = [replace(trial, place_mm=trial.place_mm + 11) for trial in stands()[2:]]
    with pytest.raises(RefusedError, match=r"x_mm is about 41\d mm or more, machine.yaml says 400"):
        fit_gate(GATE, GatesData((*stands()[:2], *before), True, 40), MM_PER_S)


def test_bins_tell_the_positions_on_the_way_to_them():
    bins = load_bins(example("beginner-4") / "bins.yaml")
    assert [run.gates for run in runs(bins, {"first": "pass", "second": "pass"})] == [("first", "second")]
    assert met(bins, "first", "bricks") == "left"
    assert met(bins, "first", "technic") == "pass"
    assert met(bins, "second", "technic") == "right"
    assert met(bins, "second", "bricks") is None
