"""The whole way from a library to the tables, on a library of boxes; broken files are named and left out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.catalogue.lookalikes import load_look_alikes
from edge.errors import InputError
from quantization.catalogue.build import make_catalogue
from quantization.catalogue.tables import Excluded, write_excluded
from quantization.cli import app
from quantization.recipe import load_families, load_recipe

BRICK = (0, 0, 0, 80, 24, 40)
FOOT = (0, 24, 0, 20, 36, 40)
TOE = (60, 24, 0, 80, 36, 15)
MIRRORED_TOE = (60, 24, 25, 80, 36, 40)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def filled(library, add_part) -> Path:
    add_part("3062a", "Brick 1 x 1 Round with Solid Stud", (0, 0, 0, 20, 24, 20))
    add_part("3062b", "Brick 1 x 1 Round with Hollow Stud", (0, 0, 0, 20, 24, 20))
    add_part("3062", "~Moved to 3062b")
    add_part("1001", "Wedge 4 x 2 Left", BRICK, FOOT, TOE, more=["!KEYWORDS Bricklink 991001"])
    add_part("1002", "Wedge 4 x 2 Right", BRICK, FOOT, MIRRORED_TOE)
    add_part("1003", "Plate 30 x 1", (0, 0, 0, 600, 8, 20))
    add_part("1004", "Tile 2 x 2 without Faces")
    broken = add_part("1005", "Tile 3 x 3", BRICK)
    broken.write_text(broken.read_text() + "3 16 0 0 x\n")
    add_part("1006", "Tile 4 x 4").write_text(
        "0 Tile 4 x 4\n0 !LDRAW_ORG Part\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 gone.dat\n"
    )
    add_part("1007", "")
    line = add_part("1008", "Tile 5 x 5")
    line.write_text(line.read_text() + "3 16 0 0 0 10 0 0 20 0 0\n")
    return library


def test_the_tables_of_a_library(filled, tmp_path) -> None:
    lines: list[str] = []
    counts = make_catalogue(tmp_path / "out", filled, lines.append)
    assert counts == (3, 1)
    parts = rows(tmp_path / "out" / "universal-parts.csv")
    assert [part["part_family"] for part in parts] == ["1001", "1002", "3062"]
    assert parts[0] == {
        "part_family": "1001",
        "ldraw_moulds": "1001",
        "aliases": "991001",
        "description": "Wedge 4 x 2 Left",
        "category": "Wedge",
        "length_mm": "32.0",
        "width_mm": "16.0",
        "height_mm": "14.4",
        "rebrickable": "",
        "bricklink": "991001",
    }
    assert (parts[2]["ldraw_moulds"], parts[2]["category"]) == ("3062a;3062b", "Round")
    (pair,) = load_look_alikes(tmp_path / "out" / "look-alikes.csv")
    assert (pair.part, pair.other, pair.kind) == ("1001", "1002", "mirror")
    left_out = {row["part"]: row["rule"] for row in rows(tmp_path / "out" / "excluded.csv")}
    assert left_out == {
        "1003": "too-long",
        "1004": "no-mesh",
        "1005": "no-mesh",
        "1006": "no-mesh",
        "1007": "broken",
        "1008": "no-mesh",
        "3062": "moved",
    }
    assert all(row["reason"] for row in rows(tmp_path / "out" / "excluded.csv"))


def test_each_problem_is_one_line(filled, tmp_path) -> None:
    lines: list[str] = []
    make_catalogue(tmp_path / "out", filled, lines.append)
    text = "\n".join(lines)
    assert "1004 (Tile 2 x 2 without Faces) is left out: LDraw part 1004 has no faces" in lines
    assert "1005 (Tile 3 x 3) is left out: LDraw file 1005.dat, line 11 is malformed: 3 16 0 0 x" in lines
    assert "1006 (Tile 4 x 4) is left out: LDraw file gone.dat is not in" in text
    assert "1008 (Tile 5 x 5) is left out: LDraw part 1008 has no face with an area" in lines
    assert "1007.dat is left out: the file has no title or no kind: it is damaged" in lines


def test_a_part_type_without_a_mould_that_meshes_is_empty(library, add_part, tmp_path) -> None:
    add_part("3062a", "Brick 1 x 1 Round with Solid Stud", BRICK)
    add_part("3062b", "Brick 1 x 1 Round with Hollow Stud")
    add_part("2000a", "Brick 1 x 1 with Groove")
    add_part("2000b", "Brick 1 x 1 without Groove")
    make_catalogue(tmp_path / "out", library, lambda _: None)
    (part,) = rows(tmp_path / "out" / "universal-parts.csv")
    assert (part["part_family"], part["ldraw_moulds"]) == ("3062", "3062a")
    left_out = [(row["part"], row["rule"]) for row in rows(tmp_path / "out" / "excluded.csv")]
    assert left_out == [("2000a", "no-mesh"), ("2000b", "no-mesh"), ("2000", "empty"), ("3062b", "no-mesh")]


def test_the_list_is_one_that_a_recipe_reads(filled, tmp_path) -> None:
    make_catalogue(tmp_path / "out", filled, lambda _: None)
    recipe = load_recipe("tiny").model_copy(update={"families": str(tmp_path / "out" / "universal-parts.csv")})
    families = load_families(recipe)
    assert [family.number for family in families] == ["1001", "1002", "3062"]
    assert families[2].moulds == ("3062a", "3062b")


def test_a_library_without_a_single_part_type_leaves_an_older_catalogue_alone(library, add_part, tmp_path) -> None:
    add_part("1", "Sticker with Nothing on it", more=["!CATEGORY Sticker"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "universal-parts.csv").write_text("old")
    with pytest.raises(InputError, match=r"holds no part type: give a whole LDraw library$"):
        make_catalogue(tmp_path / "out", library, lambda _: None)
    assert (tmp_path / "out" / "universal-parts.csv").read_text() == "old"


def test_the_command_says_what_it_wrote(filled, tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ["catalogue", "--ldraw", str(filled), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"3 part types and 1 pairs that look alike written to {out}"


def test_without_a_library_the_command_says_where_it_looked(tmp_path) -> None:
    result = CliRunner().invoke(app, ["catalogue", "--ldraw", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == f"{tmp_path} holds no LDraw library: give the folder that holds parts/ and p/"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_measured(filled, tmp_path) -> None:
    (tmp_path / "file").touch()
    lines: list[str] = []
    with pytest.raises(InputError) as caught:
        make_catalogue(tmp_path / "file" / "out", filled, lines.append)
    told = f"{tmp_path}/file/out cannot be written to (Not a directory): name another folder with --out"
    assert (str(caught.value), lines) == (told, [])


def test_a_disk_that_fills_up_leaves_the_older_table_and_no_half_of_a_new_one(tmp_path) -> None:
    def rows_on_a_full_disk() -> Iterator[Excluded]:
        yield Excluded("1", "Brick", "moved", "an old number")
        raise OSError(28, "No space left on device")

    write_excluded(tmp_path / "excluded.csv", [])
    before = (tmp_path / "excluded.csv").read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write_excluded(tmp_path / "excluded.csv", rows_on_a_full_disk())
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("excluded.csv", before)]
