"""One number for all moulds of a part."""

from __future__ import annotations

from edge.catalogue.parts import StarterPart
from quantization.catalogue.families import PartType, followed, group
from quantization.catalogue.headers import Header


def header(number: str, title: str, places: str = "", *keywords: str) -> Header:
    return Header(number, title, title.split(maxsplit=1)[0], "Part", keywords, places)


def types(*headers: Header, starter: tuple[StarterPart, ...] = ()) -> dict[str, PartType]:
    kept = [one for one in headers if not one.places]
    return {part_type.number: part_type for part_type in group(kept, headers, starter)}


def test_letters_of_one_mould_are_one_part_by_its_number_without_a_letter() -> None:
    found = types(
        header("3062a", "Brick 1 x 1 Round with Solid Stud"),
        header("3062b", "Brick 1 x 1 Round with Hollow Stud"),
        header("3062", "~Moved to 3062b", "3062b"),
        header("30068", "~Moved to 3062", "3062"),
    )
    assert list(found) == ["3062"]
    part = found["3062"]
    assert [mould.number for mould in part.moulds] == ["3062b", "3062a"]  # LDraw's own choice first
    assert part.title == "Brick 1 x 1 Round"
    assert part.aliases == ["30068"]


def test_letters_of_a_bag_of_different_things_stay_apart() -> None:
    found = types(
        header("55707a", "Minifig Gun Semiautomatic Pistol"),
        header("55707d", "Minifig Shackles"),
        header("4868a", "Plane Jet Engine with Plate 1 x 2"),
        header("4868b", "Plane Jet Engine with Plate 2 x 2"),
    )
    assert list(found) == ["4868a", "4868b", "55707a", "55707d"]


def test_a_starter_family_keeps_its_number_and_takes_in_its_aliases() -> None:
    cone = StarterPart("4589", "Cone 1 x 1", ("4589",), ("59900",))
    stud = StarterPart("4073", "Plate 1 x 1 Round", ("6141",), ())
    found = types(
        header("4589", "Cone 1 x 1 without Stop"),
        header("59900", "Cone 1 x 1 with Stop"),
        header("6141", "Plate 1 x 1 Round"),
        header("4073", "~Moved to 6141", "6141"),
        starter=(cone, stud),
    )
    assert list(found) == ["4073", "4589"]
    assert [mould.number for mould in found["4589"].moulds] == ["4589", "59900"]
    assert found["4589"].title == "Cone 1 x 1"
    assert found["4073"].aliases == []  # 6141 is its mould, 4073 its own number


def test_a_new_letter_of_a_starter_family_does_not_take_its_number() -> None:
    starter = StarterPart("2412", "Tile 1 x 2 Grille", ("2412a", "2412b"), ())
    files = [header(number, "Tile 1 x 2 Grille") for number in ("2412a", "2412b", "2412c", "2412")]
    made = group(files, files, [starter])
    assert [(part.number, [mould.number for mould in part.moulds]) for part in made] == [
        ("2412", ["2412a", "2412b", "2412"]),
        ("2412c", ["2412c"]),
    ]


def test_two_merged_parts_never_share_a_title() -> None:
    found = types(
        header("1a", "Tile 2 x 2 with Groove"),
        header("1b", "Tile 2 x 2 without Groove"),
        header("2", "Tile 2 x 2"),
    )
    assert len({part.title for part in found.values()}) == 2


def test_another_parts_number_never_becomes_an_alias() -> None:
    found = types(
        header("10", "Brick 1 x 1", "", "Bricklink 11", "Rebrickable 12"),
        header("11", "Brick 1 x 2", "", "Bricklink 12"),
    )
    assert found["10"].aliases == ["12"]
    assert found["11"].aliases == []


def test_a_circle_of_moves_ends() -> None:
    assert followed("1", {"1": "2", "2": "3"}) == "3"
    assert followed("1", {"1": "2", "2": "1"}) == "1"
    assert followed("0", {"0": "1", "1": "2", "2": "1"}) == "0"
