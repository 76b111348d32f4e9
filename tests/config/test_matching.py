from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import PartList, Rule
from edge.config.matching import accepted_colours, accepted_parts, rule_key


@dataclass(frozen=True)
class Part:
    number: str
    name: str
    category: str
    moulds: tuple[str, ...]
    length_mm: float
    width_mm: float
    height_mm: float


CATALOGUE = PartCatalogue(
    [
        Part("3001", "Brick 2 x 4", "Brick", (), 32, 16, 9.6),
        Part("3004", "Brick 1 x 2", "Brick", (), 16, 8, 9.6),
        Part("3022", "Plate 2 x 2", "Plate", (), 16, 16, 3.2),
        Part("3068", "Tile 2 x 2", "Tile", ("3068a", "3068b"), 0, 0, 0),
    ]
)


def part_list(*numbers: str) -> PartList:
    return PartList(Path("list.txt"), numbers, tuple(range(len(numbers))))


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        (Rule(parts=("3001", "3022")), ["3001", "3022"]),
        (Rule(parts=("3068b",)), ["3068"]),
        (Rule(parts=("tile  2 x 2",)), ["3068"]),
        (Rule(category=("brick", "Tile")), ["3001", "3004", "3068"]),
        (Rule(category=("Brick",), max_length_mm=16), ["3004"]),
        (Rule(min_width_mm=9), ["3001", "3022"]),
        (Rule(max_height_mm=4), ["3022"]),
        (Rule(min_length_mm=16, max_length_mm=16), ["3004", "3022"]),
        (Rule(part_list=part_list("3004", "3068a", "99999")), ["3004", "3068"]),
        (Rule(parts=("3001", "3004"), part_list=part_list("3004")), ["3004"]),
        (Rule(colour=("Red",)), ["3001", "3004", "3022", "3068"]),
    ],
)
def test_parts(rule: Rule, numbers: list[str]) -> None:
    mask = accepted_parts(rule, CATALOGUE)
    assert [part.number for part, fits in zip(CATALOGUE.parts, mask, strict=True) if fits] == numbers


PINS = PartCatalogue(
    [
        Part("2780", "Technic Pin with Friction and Slots", "Technic", (), 16, 6, 6),
        Part("3673", "Technic Pin", "Technic", (), 16, 6, 6),
        Part("3705", "Technic Axle 4", "Technic", (), 32, 5, 5),
        Part("41769", "Wing 2 x 4 Right", "Wing", (), 32, 16, 5),
        Part("41770", "Wing 2 x 4 Left", "Wing", (), 32, 16, 5),
    ]
)


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        (Rule(parts=("3673",)), ["3673"]),
        (Rule(parts=("3673",), look_alikes=False), ["3673"]),
        (Rule(parts=("3673",), look_alikes=True), ["2780", "3673"]),
        (Rule(part_list=part_list("41770", "99999"), look_alikes=True), ["41769", "41770"]),
        (Rule(parts=("2780", "41769"), look_alikes=True, category=("Technic",)), ["2780", "3673"]),
        (Rule(parts=("2780", "3705"), part_list=part_list("3673"), look_alikes=True), ["2780", "3673"]),
    ],
)
def test_look_alikes(rule: Rule, numbers: list[str]) -> None:
    mask = accepted_parts(rule, PINS)
    assert [part.number for part, fits in zip(PINS.parts, mask, strict=True) if fits] == numbers


def test_a_rule_that_takes_look_alikes_is_another_rule() -> None:
    alone, without, also = (Rule(parts=("3673",), look_alikes=value) for value in (None, False, True))
    keys = [rule_key(rule, PINS, load_colours()) for rule in (alone, without, also)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (Rule(colour=("Light_Bluish_Grey", "bright red")), {"Light Bluish Gray", "Red"}),
        (Rule(colour=("Trans-Red", "Red"), transparent=True), {"Trans-Red"}),
        (Rule(colour=("4",)), {"Red"}),
    ],
)
def test_colours(rule: Rule, names: set[str]) -> None:
    colours = load_colours()
    mask = accepted_colours(rule, colours)
    assert {colour.name for colour, fits in zip(colours, mask, strict=True) if fits} == names


def test_without_a_colour_key_all_colours_fit() -> None:
    assert accepted_colours(Rule(parts=("3001",)), load_colours()).all()
