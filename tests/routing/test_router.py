from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config import example
from edge.config.bins import BinsConfig
from edge.config.load import load_bins
from edge.records import DecisionReason, Scores, Verdict
from edge.routing.fill import PACKING, part_litres
from edge.routing.router import Router

COLOURS = load_colours()
COLOUR = {colour.name: place for place, colour in enumerate(COLOURS)}


@dataclass(frozen=True)
class Part:
    number: str
    category: str
    name: str = ""
    moulds: tuple[str, ...] = ()
    length_mm: float = 16.0
    width_mm: float = 16.0
    height_mm: float = 9.6


PARTS = [
    Part("3001", "Brick"),
    Part("3003", "Brick"),
    Part("3022", "Plate"),
    Part("3020", "Plate"),
    Part("3068", "Tile"),
    Part("4589", "Cone"),
]
PART = {part.number: place for place, part in enumerate(PARTS)}
CATALOGUE = PartCatalogue(PARTS)


def bins(*accepting: tuple[str, list[dict[str, Any]]], full_after: dict[str, int] | None = None) -> BinsConfig:
    """A line of bins, each behind a gate of its own."""
    layout: Any = "box"
    for place, (name, _) in reversed(list(enumerate(accepting))):
        layout = {"gate": f"g{place}", "left": name, "pass": layout}
    return BinsConfig.model_validate(
        {
            "default_bin": "box",
            "layout": layout,
            "bins": [
                {
                    "name": name,
                    "accept": rules,
                    **({"full_after": full_after[name]} if name in (full_after or {}) else {}),
                }
                for name, rules in accepting
            ],
        }
    )


def router(*accepting: tuple[str, list[dict[str, Any]]], full_after: dict[str, int] | None = None) -> Router:
    return Router(bins(*accepting, full_after=full_after), CATALOGUE, COLOURS, 0.9)


def posterior(places: dict[str, int], masses: dict[str, float]) -> Scores:
    scores = np.zeros(len(places), np.float32)
    for name, mass in masses.items():
        scores[places[name]] = mass
    return scores


def verdict(parts: dict[str, float], colours: dict[str, float] | None = None, unsure: bool = False) -> Verdict:
    by_colour = posterior(COLOUR, colours) if colours else np.zeros(0, np.float32)
    return Verdict(7, posterior(PART, parts), by_colour, 5, unsure, "5 looks")


SHAPES = (
    ("red", [{"category": "Brick", "colour": "Red"}]),
    ("bricks", [{"category": "Brick"}]),
    ("plates", [{"category": "Plate"}]),
    ("plates-2", [{"category": "Plate"}, {"category": "Tile"}]),
)


def test_look_alikes_that_share_a_bin_need_no_telling_apart() -> None:
    decision = router(*SHAPES).decide(verdict({"3001": 0.5, "3003": 0.5}, {"Blue": 1.0}))
    assert (decision.bin, decision.reason) == ("bricks", DecisionReason.CERTAIN)
    assert decision.probability == pytest.approx(1.0)


@pytest.mark.parametrize(("mass", "bin_name"), [(0.89, "box"), (0.91, "bricks")])
def test_bin_wins_from_sure_above_on(mass: float, bin_name: str) -> None:
    decision = router(*SHAPES).decide(verdict({"3001": mass, "4589": 1 - mass}, {"Blue": 1.0}))
    assert decision.bin == bin_name


def test_doubt_says_which_bin_came_nearest() -> None:
    decision = router(*SHAPES).decide(verdict({"3001": 0.6, "4589": 0.4}, {"Blue": 1.0}))
    assert (decision.bin, decision.reason) == ("box", DecisionReason.UNSURE)
    assert decision.detail == "bricks 0.60, below 0.90"


def test_colour_splits_a_shape() -> None:
    by = router(*SHAPES)
    assert by.decide(verdict({"3001": 1.0}, {"Red": 0.95, "Blue": 0.05})).bin == "red"
    assert by.decide(verdict({"3001": 1.0}, {"Red": 0.5, "Blue": 0.5})).reason is DecisionReason.UNSURE
    assert by.decide(verdict({"3022": 1.0}, {"Red": 0.5, "Blue": 0.5})).bin == "plates"


def test_unmeasured_colour_may_be_any() -> None:
    masses = router(*SHAPES).group_masses(posterior(PART, {"3001": 1.0}), np.zeros(0, np.float32))
    assert sorted(masses)[-2:] == pytest.approx([1 / len(COLOURS), 1 - 1 / len(COLOURS)])


def test_unsure_verdict_goes_to_the_default_bin() -> None:
    decision = router(*SHAPES).decide(verdict({"3022": 1.0}, unsure=True))
    assert (decision.bin, decision.reason, decision.detail) == ("box", DecisionReason.UNSURE, "5 looks")


def test_what_no_bin_asks_for() -> None:
    decision = router(*SHAPES).decide(verdict({"4589": 0.95, "3022": 0.05}))
    assert (decision.bin, decision.reason) == ("box", DecisionReason.NO_RULE)
    assert decision.probability == pytest.approx(0.95)


def test_spread_fills_evenly_and_offers_the_others() -> None:
    by = router(*SHAPES)
    chosen = []
    for _ in range(4):
        decision = by.decide(verdict({"3022": 1.0}))
        assert {decision.bin, *decision.candidates} == {"plates", "plates-2"}
        chosen.append(decision.bin)
        by.sent(decision.bin)
    assert chosen == ["plates", "plates-2", "plates", "plates-2"]
    assert by.counts == {"red": 0, "bricks": 0, "plates": 2, "plates-2": 2, "box": 0}


def test_a_bin_that_wants_both_is_right_where_its_twin_is_not() -> None:
    decision = router(*SHAPES).decide(verdict({"3022": 0.6, "3068": 0.4}))
    assert (decision.bin, decision.candidates) == ("plates-2", ())
    assert decision.probability == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("left", "bin_name", "detail"),
    [("a", "a", "5 looks"), ("box", "box", "a is not available; b is not available")],
)
def test_a_bin_that_the_layout_does_not_lead_to_is_not_decided_for(left: str, bin_name: str, detail: str) -> None:
    layout = {"gate": "g0", "left": left, "pass": "box"}
    entry = {"name": ["a", "b"], "accept": [{"category": "Plate"}]}
    config = BinsConfig.model_validate({"default_bin": "box", "layout": layout, "bins": [entry]})
    decision = Router(config, CATALOGUE, COLOURS, 0.9).decide(verdict({"3022": 1.0}))
    assert (decision.bin, decision.candidates, decision.detail) == (bin_name, (), detail)


def test_full_bins_pass_on_and_empty_ones_take_again() -> None:
    by = router(*SHAPES, full_after={"plates": 1, "bricks": 1})
    for name in ("plates", "bricks"):
        by.sent(name)
    assert by.decide(verdict({"3022": 1.0})).bin == "plates-2"
    full = by.decide(verdict({"3001": 1.0}, {"Blue": 1.0}))
    assert (full.bin, full.reason, full.detail) == ("box", DecisionReason.REFUSED, "bricks is full")
    by.fill.emptied("bricks")
    assert by.decide(verdict({"3001": 1.0}, {"Blue": 1.0})).bin == "bricks"


def spread(*names: str, **capacity: Any) -> BinsConfig:
    layout: Any = "box"
    for place, name in reversed(list(enumerate(names))):
        layout = {"gate": f"g{place}", "left": name, "pass": layout}
    entry = {"name": list(names), "accept": [{"category": "Plate"}], **capacity}
    return BinsConfig.model_validate({"default_bin": "box", "layout": layout, "bins": [entry]})


def test_one_entry_for_several_bins_is_the_same_as_an_entry_each() -> None:
    one, each = spread("a", "b"), bins(("a", [{"category": "Plate"}]), ("b", [{"category": "Plate"}]))
    tables = [Router(config, CATALOGUE, COLOURS, 0.9).table for config in (one, each)]
    assert tables[0].bins == tables[1].bins == ("a", "b")
    assert (tables[0].group_of == tables[1].group_of).all()
    assert (tables[0].members == tables[1].members).all()


def test_a_bin_is_full_by_the_room_that_its_parts_take() -> None:
    by = Router(spread("a", holds_l=0.02), CATALOGUE, COLOURS, 0.9)
    plate = verdict({"3022": 1.0})
    litres = 16 * 16 * 9.6 / 1e6 / PACKING
    for _ in range(4):
        assert by.decide(plate).bin == "a"
        by.sent("a", verdict=plate)
    assert by.fill.litres["a"] == pytest.approx(4 * litres, rel=1e-5)
    assert not by.is_full("a")
    by.sent("a", verdict=plate)
    assert by.is_full("a")
    by.sent("box", instead_of="a", verdict=plate)
    assert (by.is_full("a"), by.fill.litres["a"]) == (False, pytest.approx(4 * litres, rel=1e-5))


def test_a_part_of_unknown_size_takes_the_room_of_the_middle_one() -> None:
    sizes = [(8, 8, 10), (16, 16, 10), (32, 16, 10), (0, 0, 0)]
    parts = [Part(str(n), "Brick", length_mm=x, width_mm=y, height_mm=z) for n, (x, y, z) in enumerate(sizes)]
    litres = part_litres(PartCatalogue(parts)) * PACKING * 1e6
    assert list(litres) == pytest.approx([640, 2560, 5120, 2560])
    assert not part_litres(PartCatalogue(parts[3:])).any()


def test_a_full_bin_is_announced_once_until_it_was_emptied() -> None:
    said: list[str] = []
    by = Router(spread("a", "b", full_after=2), CATALOGUE, COLOURS, 0.9, said.append)
    plate = verdict({"3022": 1.0})
    for _ in range(2):
        by.sent("a", verdict=plate)
    by.sent("box", instead_of="a", verdict=plate)
    by.sent("a", verdict=plate)
    assert said == [
        "bin a is full: 2 parts, about 0.0098 l; its parts now go to bins with the same rule, or to box, until it is "
        "emptied (brickgate bins --emptied a)"
    ]
    by.fill.emptied("a")
    for _ in range(2):
        by.sent("a", verdict=plate)
    assert len(said) == 2


def test_fill_is_balanced_by_share_where_every_bin_has_an_end() -> None:
    small, large = {"name": "small", "full_after": 2}, {"name": "large", "full_after": 8}
    layout = {"gate": "g0", "left": "small", "pass": {"gate": "g1", "left": "large", "pass": "box"}}
    plates = [{"category": "Plate"}]
    config = BinsConfig.model_validate(
        {"default_bin": "box", "layout": layout, "bins": [{**small, "accept": plates}, {**large, "accept": plates}]}
    )
    by = Router(config, CATALOGUE, COLOURS, 0.9)
    plate, chosen = verdict({"3022": 1.0}), []
    for _ in range(10):
        chosen.append(by.decide(plate).bin)
        by.sent(chosen[-1], verdict=plate)
    assert chosen.count("small") == 2
    assert chosen[:5].count("small") == 1, "both fill up at the same pace"
    assert by.decide(plate).reason is DecisionReason.REFUSED


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "a", "b"])), max_size=40))
def test_counts_and_litres_never_fall_below_nothing(sent: list[tuple[str, str | None]]) -> None:
    by = Router(spread("a", "b", "c", full_after=5, holds_l=0.01), CATALOGUE, COLOURS, 0.9)
    for name, before in sent:
        by.sent(name, before, verdict({"3022": 1.0}))
    assert all(count >= 0 for count in by.counts.values())
    assert all(litres >= 0 for litres in by.fill.litres.values())
    open_ = [name for name in "abc" if not by.is_full(name)]
    decision = by.decide(verdict({"3022": 1.0}))
    assert {decision.bin, *decision.candidates} == set(open_ or ["box"])


def test_a_part_that_was_planned_elsewhere_is_counted_where_it_goes() -> None:
    by = router(("first", [{"category": "Brick"}]), full_after={"first": 1})
    by.sent("first")
    by.sent("box", instead_of="first")
    assert (by.counts["first"], by.counts["box"]) == (0, 1)
    assert not by.is_full("first")


def test_deciding_changes_nothing() -> None:
    by = router(*SHAPES)
    assert by.decide(verdict({"3022": 1.0})) == by.decide(verdict({"3022": 1.0}))


RULES = st.fixed_dictionaries(
    {},
    optional={
        "category": st.lists(st.sampled_from(["Brick", "Plate", "Tile", "Cone"]), min_size=1, max_size=2),
        "parts": st.lists(st.sampled_from(sorted(PART)), min_size=1, max_size=3),
        "colour": st.lists(st.sampled_from(["Red", "Blue", "Trans-Clear"]), min_size=1, max_size=2),
        "transparent": st.booleans(),
    },
).filter(bool)
ACCEPTING = st.lists(st.lists(RULES, min_size=1, max_size=3), min_size=1, max_size=4)


@st.composite
def posteriors(draw: st.DrawFn, size: int) -> Scores:
    weights = np.array(draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)), np.float32)
    weights[draw(st.integers(0, size - 1))] += draw(st.sampled_from([0.1, 10, 1000]))
    return weights / weights.sum()


def named(accepting: Sequence[list[dict[str, Any]]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(f"bin{place}", rules) for place, rules in enumerate(accepting)]


@settings(max_examples=60, deadline=None)
@given(ACCEPTING, posteriors(len(PARTS)), posteriors(len(COLOURS)), st.booleans(), st.sets(st.integers(0, 4)))
def test_any_decision_is_sound(
    accepting: list[list[dict[str, Any]]], parts: Scores, colours: Scores, unsure: bool, full: set[int]
) -> None:
    named_bins = named(accepting)
    full_bins = {name for place, (name, _) in enumerate(named_bins) if place in full}
    config = bins(*named_bins, full_after=dict.fromkeys(full_bins, 1))
    by = Router(config, CATALOGUE, COLOURS, 0.9)
    for name in full_bins:
        by.sent(name)
    decision = by.decide(Verdict(1, parts, colours, 3, unsure, ""))
    masses = by.group_masses(parts, colours)
    assert masses.sum() == pytest.approx(1, abs=1e-5)
    assert {decision.bin, *decision.candidates} <= set(config.ways())
    if decision.bin == "box":
        assert decision.reason is not DecisionReason.CERTAIN
    else:
        assert not unsure
        assert not {decision.bin, *decision.candidates} & full_bins
        assert decision.probability >= 0.9 - 1e-5


@settings(max_examples=60, deadline=None)
@given(ACCEPTING, st.integers(0, len(PARTS) - 1), st.sampled_from(sorted(COLOUR)))
def test_a_certain_part_goes_to_the_first_bin_that_matches(
    accepting: list[list[dict[str, Any]]], place: int, colour: str
) -> None:
    def fits(rule: dict[str, Any]) -> bool:
        return (
            PARTS[place].category in rule.get("category", [PARTS[place].category])
            and PARTS[place].number in rule.get("parts", [PARTS[place].number])
            and colour in rule.get("colour", [colour])
            and COLOURS[COLOUR[colour]].transparent == rule.get("transparent", COLOURS[COLOUR[colour]].transparent)
        )

    first = next((f"bin{n}" for n, rules in enumerate(accepting) if any(map(fits, rules))), "box")
    one_hot = verdict({PARTS[place].number: 1.0}, {colour: 1.0})
    assert router(*named(accepting)).decide(one_hot).bin == first


def test_west_sends_each_starter_shape_where_its_name_says() -> None:
    parts = PartCatalogue([Part("3001", "Brick", length_mm=32), Part("3039", "Slope"), Part("2780", "Technic")])
    by = Router(load_bins(example("west-18") / "bins.yaml"), parts, COLOURS, 0.9)
    assert by.table.wanted_by(0, COLOUR["Blue"]) == ("bricks-2-wide-a", "bricks-2-wide-b")
    assert by.table.wanted_by(1, COLOUR["Dark Red"]) == ("roofs-red",)
    assert by.table.wanted_by(1, COLOUR["Blue"]) == ("slopes",)
    assert by.table.wanted_by(2, COLOUR["Black"]) == ("technic-pins",)
