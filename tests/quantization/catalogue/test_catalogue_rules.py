"""Which files of an LDraw library are part types."""

from __future__ import annotations

import pytest

from edge.errors import BrickgateError
from quantization.catalogue.headers import Header, parts_dir, read_header, read_headers
from quantization.catalogue.rules import RULES, rule_against

PART = "Part UPDATE 2024-01"


@pytest.mark.parametrize(
    ("number", "title", "kind", "category", "rule"),
    [
        ("3001", "Brick 2 x 4", PART, "Brick", None),
        ("2780", "Technic Pin with Friction and Slots", PART, "Technic", None),
        ("3023", "~Moved to 3023b", PART, "~Moved", "moved"),
        ("50746", "=Slope Brick 31 1 x 1 x 0.667", "Part Alias UPDATE 2018-02", "Slope", "alias"),
        ("4073", "Plate 1 x 1 Round", "Part Alias UPDATE 2018-02", "Plate", "alias"),
        ("6538x", "_Technic Axle Joiner Black", "Part Physical_Colour", "Technic", "fixed-colour"),
        ("9", "~Electric Plug Half", PART, "Electric", "inner"),
        ("t1008", "| Brickstuff Pico LED", PART, "Electric", "foreign"),
        ("3001d01", "Brick 2 x 4 with Shell Sticker", PART, "Brick", "sticker"),
        ("3403c01", "Turntable 4 x 4", "Shortcut UPDATE 2012-01", "Turntable", "assembly"),
        ("3068bp05", "Tile 2 x 2 with Arrow", PART, "Tile", "patterned"),
        ("973px1", "Torso with Red Pattern", PART, "Minifig", "patterned"),
        ("14653-f1", "Technic Axle 5L", PART, "Technic", "formed"),
        ("63871", "Duplo Brick 2 x 2", PART, "Brick", "other-system"),
        ("u9026", "Brick 1 x 1 Round", PART, "Brick", "unnumbered"),
        ("3626", "Minifig Head", PART, "Minifig", "body"),
        ("6167", "Technic Ribbed Hose 3L", PART, "Technic", "soft"),
        ("30000", "Brick 1 x 1 with Hose Clip", PART, "Brick", None),
        ("3483", "Tyre 17 x 43", PART, "Tyre", "tyre"),
        ("10048", "Minifig Hair Tousled", PART, "Minifig Headwear", "worn"),
        ("3811", "Baseplate 32 x 32", PART, "Baseplate", "ground"),
        ("1", "", PART, "", "broken"),
        ("2", "Brick 1 x 1", "", "Brick", "broken"),
    ],
)
def test_rule(number: str, title: str, kind: str, category: str, rule: str | None) -> None:
    found = rule_against(Header(number, title, category, kind, (), ""))
    assert (found.name if found else None) == rule


def test_every_rule_gives_a_reason_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len({rule.reason for rule in RULES}) == len(RULES)


def test_a_header_ends_where_geometry_begins(add_part) -> None:
    more = ["!CATEGORY Minifig Accessory", "!KEYWORDS Bricklink 30150, castle", "!KEYWORDS Rebrickable 64951, box"]
    file = add_part("30150", "Container  Crate", (0, 0, 0, 20, 8, 20), more=more)
    with file.open("a") as stream:
        stream.write("0 !CATEGORY Brick\n")
    header = read_header(file)
    assert (header.title, header.category) == ("Container Crate", "Minifig Accessory")
    assert header.numbers_of("bricklink") == ("30150",)
    assert header.numbers_of("rebrickable") == ("64951",)
    assert header.places == ""


def test_moved_parts_and_aliases_say_what_they_stand_for(add_part) -> None:
    file = add_part("3023", "~Moved to 3023B")
    alias = add_part("50746", "=Slope Brick 31", kind="Part Alias UPDATE 2018-02")
    alias.write_text(alias.read_text() + "1 16 0 0 0 1 0 0 0 1 0 0 0 1 54200.dat\n")
    assert read_header(file).places == "3023b"
    assert read_header(alias).places == "54200"


def test_an_unreadable_file_has_no_title(library) -> None:
    (library / "parts" / "1.dat").mkdir()
    (library / "parts" / "2.dat").write_bytes(b"\xff\xfe\x00\x9d" * 40)
    first, second = read_headers(library / "parts")
    assert rule_against(first).name == rule_against(second).name == "broken"


def test_a_folder_without_a_library_is_named(tmp_path, library, monkeypatch) -> None:
    with pytest.raises(BrickgateError, match=r"holds no part: unpack the LDraw library again$"):
        parts_dir(library)
    with pytest.raises(BrickgateError, match=r"holds no LDraw library: give the folder that holds parts/ and p/$"):
        parts_dir(tmp_path)
    monkeypatch.setenv("LDRAWDIR", str(tmp_path / "nowhere"))
    with pytest.raises(BrickgateError, match=r"^no LDraw parts library at LDRAWDIR="):
        parts_dir()
