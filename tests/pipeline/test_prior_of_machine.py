"""How common parts are, and whether unknown ones are rejected, goes by machine.yaml, else by the bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.unknown import FamiliarityTable
from edge.catalogue.prior import read_prior
from edge.fusion.configured import fusion_of
from edge.fusion.verdict import Fusion
from edge.machine import Plans
from edge.records import Prediction

UNSEEN = 7


def fusion(plans: Plans) -> Fusion:
    return fusion_of(plans.config.fusion, plans.bundle, plans.catalogue, len(plans.colours))


def prior_of(plans: Plans) -> list[float]:
    return [float(share) for share in fusion(plans).verdict(UNSEEN).part_posterior]


def told(plans: Plans, prior: str) -> Plans:
    wanted = plans.config.fusion.model_copy(update={"prior": read_prior(prior)})
    return replace(plans, config=plans.config.model_copy(update={"fusion": wanted}))


def test_where_nothing_is_said_all_parts_are_as_likely(plans: Plans) -> None:
    assert prior_of(plans) == pytest.approx([0.25] * 4)


def test_the_bundle_says_how_common_its_parts_are_and_machine_yaml_goes_before_it(plans: Plans) -> None:
    rare = replace(plans.bundle.parts[3], number="rare", name="A rare part")
    bundle = replace(plans.bundle, prior="common", parts=(*plans.bundle.parts[:3], rare))
    plans = replace(plans, bundle=bundle, catalogue=type(plans.catalogue)(bundle.parts))
    weights = [read_prior("common").weights[part.number] for part in bundle.parts[:3]] + [1.0]
    assert min(weights[:3]) > 20
    assert prior_of(plans) == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-4)
    assert prior_of(told(plans, "uniform")) == pytest.approx([0.25] * 4)


@pytest.mark.parametrize(
    ("reject_unknown", "reason"),
    [(True, ""), (False, ""), (0.05, "unknown part"), (0.01, "")],
)
def test_machine_yaml_says_how_many_known_parts_may_be_taken_for_unknown(
    plans: Plans, reject_unknown: bool | float, reason: str
) -> None:
    table = FamiliarityTable("max posterior", (1,), (0.01, 0.05), ((0.96,), (0.99,)))
    assert told_of_unknown(plans, table, reject_unknown) == reason


@pytest.mark.parametrize(("reject_unknown", "reason"), [(True, "unknown part"), (False, "")])
def test_unknown_parts_are_rejected_unless_machine_yaml_says_otherwise(
    plans: Plans, reject_unknown: bool, reason: str
) -> None:
    table = FamiliarityTable("max posterior", (1,), (0.05,), ((0.99,),))
    assert told_of_unknown(plans, table, reject_unknown) == reason


def told_of_unknown(plans: Plans, table: FamiliarityTable, reject_unknown: bool | float) -> str:
    """Why a part is unsure whose likeliest part has 0.97."""
    wanted = plans.config.fusion.model_copy(update={"reject_unknown": reject_unknown, "min_looks": 1})
    bundle = replace(plans.bundle, familiarity=table)
    own = fusion(replace(plans, bundle=bundle, config=plans.config.model_copy(update={"fusion": wanted})))
    scores = np.log(np.array([0.97, 0.01, 0.01, 0.01], np.float32))
    own.add(Prediction(1, 0, "top", scores, np.zeros(0, np.float32), 1.0))
    verdict = own.verdict(1)
    return verdict.reason if verdict.unsure else ""
