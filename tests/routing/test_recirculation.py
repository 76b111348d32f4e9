"""A belt that recirculates: what goes round to the feeder, and what leaves it."""

from __future__ import annotations

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.records import DecisionReason, Verdict
from edge.routing.fill import BinFill
from edge.routing.router import Router

NUMBERS = ("3001", "3003", "3020")
BINS = {
    "default_bin": "back",
    "recirculates": True,
    "leftover_bin": "rest",
    "unsure_rounds": 3,
    "layout": {"gate": "g1", "left": "bricks", "right": "rest", "pass": "back"},
    "bins": [{"name": "bricks", "accept": [{"parts": ["3001"]}], "full_after": 2}],
}


class _Part:
    category, name, moulds, length_mm, width_mm, height_mm = "Brick", "", (), 16.0, 16.0, 9.6

    def __init__(self, number: str) -> None:
        self.number = number


CATALOGUE = PartCatalogue([_Part(number) for number in NUMBERS])  # type: ignore[arg-type]


def _router(**changed: object) -> Router:
    values = {key: value for key, value in {**BINS, **changed}.items() if value is not None}
    return Router(BinsConfig.model_validate(values), CATALOGUE, load_colours(), 0.9)


def _verdict(track_id: int, part: int, mass: float = 1.0, *, unsure: bool = False) -> Verdict:
    posterior = np.full(len(NUMBERS), (1 - mass) / (len(NUMBERS) - 1), np.float32)
    posterior[part] = mass
    return Verdict(track_id, posterior, np.zeros(0, np.float32), 5, unsure, "touching parts" if unsure else "5 looks")


def test_what_no_bin_asks_for_leaves_at_once():
    decision = _router().decide(_verdict(7, 1))
    assert (decision.bin, decision.reason) == ("rest", DecisionReason.NO_RULE)


@pytest.mark.parametrize(("mass", "unsure"), [(0.6, False), (1.0, True)])
def test_one_in_so_many_doubts_leaves_and_the_others_go_round(mass, unsure):
    ends = [_router().decide(_verdict(track_id, 0, mass, unsure=unsure)) for track_id in range(1, 10)]
    assert [end.bin for end in ends] == ["back", "back", "rest"] * 3
    assert {end.reason for end in ends} == {DecisionReason.UNSURE}


def test_without_a_leftover_bin_all_of_it_goes_round():
    router = _router(leftover_bin=None, unsure_rounds=None)
    assert {router.decide(_verdict(track_id, 1)).bin for track_id in range(9)} == {"back"}
    assert {router.decide(_verdict(track_id, 0, 0.6)).bin for track_id in range(9)} == {"back"}


def test_parts_of_a_full_bin_do_not_circle_until_it_is_emptied():
    router = _router()
    router.sent("bricks")
    router.sent("bricks")
    decision = router.decide(_verdict(1, 0))
    assert (decision.bin, decision.reason) == ("rest", DecisionReason.REFUSED)


def test_what_goes_round_fills_no_bin_and_is_counted_apart():
    told: list[str] = []
    fill = BinFill(BinsConfig.model_validate(BINS), CATALOGUE, told.append)
    fill.sent("back", None, None)
    fill.sent("back", None, None)
    fill.sent("bricks", "back", None)
    fill.sent("back", "bricks", None)
    fill.sent("bricks", "back", None)
    assert (fill.counts, fill.again) == ({"bricks": 1, "rest": 0}, 1)
    fill.restore({"back": (12, 0.1), "bricks": (1, 0.0)})
    assert fill.counts == {"bricks": 1, "rest": 0}
    fill.sent("bricks", None, None)
    assert ["or to rest" in line for line in told] == [True]
