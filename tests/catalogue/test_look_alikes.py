"""Which parts look alike, and the shipped lists of parts and look-alikes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import edge.catalogue
from edge.catalogue.categories import CATEGORIES, OTHER
from edge.catalogue.lookalikes import LookAlike, groups, load_look_alikes
from edge.catalogue.parts import load_starter_parts
from edge.errors import InputError

FOLDER = Path(edge.catalogue.__file__).parent
HEADER = "part,other,kind,distance_mm,share\n"


def pair(part: str, other: str) -> LookAlike:
    return LookAlike(part, other, "same", 0.1, 0.99)


def universal() -> list[dict[str, str]]:
    with (FOLDER / "universal-parts.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("numbers", "pairs", "expected"),
    [
        (["1", "2", "3"], [], [0, 1, 2]),
        (["1", "2", "3"], [("1", "3")], [0, 1, 0]),
        (["1", "2", "3", "4"], [("3", "4"), ("4", "1")], [0, 1, 0, 0]),  # by others in between
        (["1", "2", "3", "4"], [("1", "2"), ("3", "4"), ("4", "2")], [0, 0, 0, 0]),
        (["1", "2"], [("1", "9"), ("9", "2")], [0, 1]),  # a part that the model does not know joins nobody
    ],
)
def test_groups(numbers: list[str], pairs: list[tuple[str, str]], expected: list[int]) -> None:
    assert groups(numbers, [pair(*names) for names in pairs]) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEADER + "1,2,twin,0.1,0.99\n", "kind 'twin'"),
        (HEADER + "1,2,same,near,0.99\n", "could not convert string to float: 'near'"),
        ("part,other\n1,2\n", "no column 'kind'"),
        ("", "no column 'part'"),
        (HEADER.replace(",", ";") + "1;2;same;0.1;0.99\n", "no column 'part'"),
        (HEADER + '1,2,same,0.1,0.99\n"3,4,same,0.1,0.99\n', "unexpected end of data"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path: Path, text: str, found: str) -> None:
    file = tmp_path / "look-alikes.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_look_alikes(file)
    assert str(caught.value) == f"{file} is no list of look-alikes (found {found}): run 'brickgate-model catalogue'"


def test_a_list_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    file = tmp_path / "look-alikes.csv"
    file.write_bytes((HEADER + "1,2,same,0.1,0.99\n").replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_look_alikes(file) == (LookAlike("1", "2", "same", 0.1, 0.99),)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\): run 'brickgate-model cat"):
        load_look_alikes(tmp_path / "none.csv")


def test_the_universal_list_has_three_thousand_parts_each_once() -> None:
    numbers = [row["part_family"] for row in universal()]
    assert len(numbers) >= 3000
    assert len(set(numbers)) == len(numbers)
    moulds = [mould for row in universal() for mould in row["ldraw_moulds"].split(";")]
    assert len(set(moulds)) == len(moulds)
    assert (FOLDER / "universal-parts.csv").stat().st_size < 600_000


def test_the_universal_list_holds_the_starters_families_by_their_numbers() -> None:
    by_number = {row["part_family"]: row for row in universal()}
    for part in load_starter_parts():
        row = by_number[part.number]
        assert set(part.ldraw_moulds) <= set(row["ldraw_moulds"].split(";")), part.number
        assert set(part.aliases) <= {*row["ldraw_moulds"].split(";"), *row["aliases"].split(";")}, part.number
        assert (row["description"], row["category"]) == (part.title, part.category)


def test_no_number_stands_for_two_universal_parts() -> None:
    owner: dict[str, str] = {}
    for row in universal():
        for number in {row["part_family"], *row["ldraw_moulds"].split(";"), *filter(None, row["aliases"].split(";"))}:
            assert owner.setdefault(number, row["part_family"]) == row["part_family"], number


def test_universal_parts_have_sizes_and_categories() -> None:
    rows = universal()
    assert {row["category"] for row in rows} <= set(CATEGORIES)
    assert sum(row["category"] == OTHER for row in rows) < 0.01 * len(rows)
    for row in rows:
        length_mm, width_mm, height_mm = (float(row[f"{side}_mm"]) for side in ("length", "width", "height"))
        assert 130 >= length_mm >= width_mm > 0, row["part_family"]
        assert height_mm > 0, row["part_family"]


def test_shipped_look_alikes_are_universal_parts() -> None:
    known = {row["part_family"] for row in universal()}
    pairs = load_look_alikes()
    assert {number for two in pairs for number in (two.part, two.other)} <= known
    assert all(two.part != two.other and 0.9 < two.share <= 1 for two in pairs)
    kinds = {frozenset((two.part, two.other)): two.kind for two in pairs}
    assert kinds[frozenset(("41769", "41770"))] == "mirror"  # wings, left and right
    assert kinds[frozenset(("2780", "3673"))] == "same"  # pins with friction and without
    assert frozenset(("3700", "32064")) not in kinds  # a round hole and an axle's
    assert frozenset(("3020", "3021")) not in kinds
