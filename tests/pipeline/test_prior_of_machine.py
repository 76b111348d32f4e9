"""The machine starts from what machine.yaml says of how common parts are, else from what the bundle says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.catalogue.prior import read_prior
from edge.machine import Plans, fusion_of

UNSEEN = 7


def prior_of(plans: Plans) -> list[float]:
    return [float(share) for share in fusion_of(plans).verdict(UNSEEN).part_posterior]


def told(plans: Plans, prior: str) -> Plans:
    fusion = plans.config.fusion.model_copy(update={"prior": read_prior(prior)})
    return replace(plans, config=plans.config.model_copy(update={"fusion": fusion}))


def test_where_nothing_is_said_all_parts_are_as_likely(plans: Plans) -> None:
    assert prior_of(plans) == pytest.approx([0.25] * 4)


def test_the_bundle_says_how_common_its_parts_are_and_machine_yaml_goes_before_it(plans: Plans) -> None:
    rare = replace(plans.bundle.parts[3], number="rare", name="A rare part")
    bundle = replace(plans.bundle, prior="common", parts=(*plans.bundle.parts[:3], rare))
    plans = replace(plans, bundle=bundle, catalogue=type(plans.catalogue)(bundle.parts))
    assert prior_of(plans) == pytest.approx([30 / 91, 30 / 91, 30 / 91, 1 / 91], rel=1e-4)
    assert prior_of(told(plans, "uniform")) == pytest.approx([0.25] * 4)
