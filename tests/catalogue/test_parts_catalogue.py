from dataclasses import dataclass

import pytest

from edge.catalogue.categories import CATEGORIES, category_of
from edge.catalogue.parts import PartCatalogue, load_starter_parts


@dataclass(frozen=True)
class Part:
    number: str
    name: str
    category: str = "Tile"
    moulds: tuple[str, ...] = ()
    length_mm: float = 0.0
    width_mm: float = 0.0
    height_mm: float = 0.0


CATALOGUE = PartCatalogue(
    [
        Part("3068", "Tile 2 x 2", moulds=("3068a", "3068b")),
        Part("4073", "Plate 1 x 1 Round", "Round", moulds=("6141",)),
        Part("3024", "Plate 1 x 1", "Plate"),
        Part("6141x", "Odd one", moulds=("3024",)),
    ]
)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("3068", "3068"),
        ("3068b", "3068"),
        ("3068B ", "3068"),
        ("3068c", "3068"),  # a mould letter that nobody listed
        ("6141", "4073"),
        ("Plate  1 x 1 round", "4073"),
        ("3024", "3024"),  # a family's own number before another's mould
        ("3068pb01", None),
        ("9999", None),
    ],
)
def test_canonical_number(asked: str, number: str | None) -> None:
    assert CATALOGUE.canonical(asked) == number


@pytest.mark.parametrize(
    ("typed", "meant"), [("3608", "3068"), ("61411", "6141"), ("Tile 2x2", "Tile 2 x 2"), ("77", None)]
)
def test_suggestion(typed: str, meant: str | None) -> None:
    assert CATALOGUE.suggest(typed) == meant


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("Brick  2 x  4", "Brick"),
        ("Brick  1 x  1 Round with Hollow Stud", "Round"),
        ("Tile  2 x  2 with Round Underside Stud", "Tile"),
        ("Panel  1 x  1 x  1 Corner with Rounded Corners", "Panel"),
        ("Plate  1 x  2 without Groove with 1 Centre Stud", "Plate"),
        ("Technic Brick  1 x  2 with Hole", "Technic"),
        ("Slope Brick 45  2 x  2 Inverted", "Slope"),
        ("Dome  2 x  2 Inverted", "Round"),
        ("Car Mudguard  2 x  4 Swept Back", "Vehicle"),
        ("Windscreen  6 x  4 x  2 Canopy", "Window"),
        ("Die  6 Sided  2 x  2 x  2", "Other"),
        ("~Brick  2 x  2 Shell", "Brick"),
        ("", "Other"),
    ],
)
def test_category_of_a_title(title: str, category: str) -> None:
    assert category_of(title) == category
    assert category in CATEGORIES


def test_starter_families_are_whole_and_distinct() -> None:
    parts = load_starter_parts()
    assert len(parts) == 102
    numbers = [number for part in parts for number in {part.number, *part.ldraw_moulds, *part.aliases}]
    assert len(numbers) == len(set(numbers))
    assert all(part.title and part.ldraw_moulds for part in parts)
    assert not any("  " in part.title or part.title != part.title.strip() for part in parts)
