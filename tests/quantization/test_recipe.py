"""Recipes and lists of families: what they may hold, and what is said of mistakes."""

from __future__ import annotations

import pytest

from edge.errors import ConfigError, InputError
from quantization.recipe import RECIPES, load_families, load_recipe, load_unknown_families, read_families

RECIPE = """\
name: mine
families: mine.csv
seed: 1
render: {looks_per_family: 10, size_px: 96}
network: {width: 0.5}
stages:
  - {size_px: 64, pictures: 100, rate_from: 1.0e-3, rate_to: 1.0e-4}
input_px: 64
margin: 0.1
representative_pictures: 10
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_shipped_recipe_can_be_used(name):
    recipe = load_recipe(name)
    families = load_families(recipe)
    assert recipe.name == name
    assert len(families) >= 4
    assert recipe.stages[-1].size_px == recipe.input_px
    assert all(
        later.rate_from <= earlier.rate_from for earlier, later in zip(recipe.stages, recipe.stages[1:], strict=False)
    )


def test_a_recipe_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE)
    recipe = load_recipe(str(file))
    assert (recipe.render.test_looks_per_family, recipe.stages[0].batch, recipe.least_agreement) == (20, 64, 0.9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 1\n", "", "seed: Field required"),
        ("seed: 1\n", "seed: -1\n", "seed: Input should be greater than or equal to 0 (found -1)"),
        (
            "seed: 1\n",
            "seed: 1\ndata: {shards: [{folder: tiles, share: 0.0004}]}\n",
            "data.shards.0.share: Input should be greater than or equal to 0.001 (found 0.0004)",
        ),
        ("margin: 0.1", "margin: 0.1\nmagin: 0.2", "magin: Extra inputs are not permitted (found 0.2)"),
        ("width: 0.5", "width: 9", "network.width: Input should be less than or equal to 1.4 (found 9)"),
        ("size_px: 64,", "size_px: 65,", "stages.0.size_px: Input should be a multiple of 32 (found 65)"),
        ("input_px: 64", "input_px: big", "input_px: Input should be a valid integer"),
        ("name: mine", "name: My Model", "name: String should match pattern"),
        ("pictures: 100", "pictures: 0", "stages.0.pictures: Input should be greater than 0 (found 0)"),
        ("render: {", "render: {{", "mine.yaml:5: is no YAML here: "),
        ("margin: 0.1", "margin: 0.1\nmargin: 0.2", "margin: 'margin' stands here a second time"),
        ("width: 0.5", "width: 9", "mine.yaml:5: network.width: "),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path, old, new, message):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load_recipe(str(file))
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(ConfigError) as error:
        load_recipe("large")
    assert str(error.value) == "no recipe large: give a YAML file or one of starter, tiny, universal"
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(ConfigError, match=r"empty\.yaml: is empty"):
        load_recipe(str(empty))
    empty.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"empty\.yaml: is no UTF-8 text: save it as UTF-8"):
        load_recipe(str(empty))


def families_of(tmp_path, text, encoding="utf-8"):
    (tmp_path / "mine.csv").write_text(text, encoding=encoding)
    (tmp_path / "mine.yaml").write_text(RECIPE.replace("mine.csv", str(tmp_path / "mine.csv")))
    return load_families(load_recipe(str(tmp_path / "mine.yaml")))


def test_families_have_moulds_aliases_and_one_line_of_description(tmp_path):
    text = 'part_family,ldraw_moulds,aliases,description\n3062,3062a;3062b,35480,"Brick  1 x 1\n Round"\n3001,3001,,\n'
    first, second = families_of(tmp_path, text)
    assert (first.number, first.moulds, first.aliases) == ("3062", ("3062a", "3062b"), ("35480",))
    assert first.description == "Brick 1 x 1 Round"
    assert (second.aliases, second.description) == ((), "3001")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part_family\n3001\n", "no column 'ldraw_moulds': it needs part_family, ldraw_moulds, and has part_family"),
        ("", "has no column 'part_family': it needs part_family, ldraw_moulds, and has nothing"),
        ("part_family,ldraw_moulds\n", "names no family: correct the list"),
        ("part_family,ldraw_moulds\n3001,3001\n3001,3001\n", "names 3001 twice: correct the list"),
        ("part_family,ldraw_moulds\n3001,3001; \n3003,;\n", ":3: part_family or ldraw_moulds is empty: fill it in"),
        (
            "part_family,ldraw_moulds\n3001,../3001\n",
            " names '../3001': a number has letters, digits, '_' and '-' only, such as 3062b",
        ),
        ("part_family,ldraw_moulds\n3001,3001\n3003\n", ":3: part_family or ldraw_moulds is empty: fill it in"),
    ],
)
def test_a_list_with_a_mistake_is_named(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        families_of(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "mine.csv"))
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (("3001,3001,", "9999,9998;3001,"), "3001"),
        (("3001,3001a,", "9999,3001A,"), "3001A"),
        (("3001,3001,77", "9999,9999,78;77"), "77"),
        (("3001,3001,", "9999,9999,3001"), "3001"),
        (("3001,3001,9999", "9999,9999,"), "9999"),
        (("3001,3001,9998", "9999,9998,"), "9998"),
        (("3001a,3001a,", "3001A,3002,"), "3001A"),
    ],
)
def test_a_number_that_stands_for_two_families_is_refused(tmp_path, rows, name):
    """What it shows would be taught as one and meant as the other."""
    with pytest.raises(InputError) as error:
        families_of(tmp_path, "part_family,ldraw_moulds,aliases\n" + "".join(f"{row}\n" for row in rows))
    second, first = (row.split(",")[0] for row in reversed(rows))
    assert str(error.value) == (
        f"{tmp_path / 'mine.csv'}:3: {name} of family {second} stands in line 2 for {first} already: take it out of"
        " one, or make them one row"
    )


def test_a_family_may_name_a_number_of_its_own_twice(tmp_path):
    (family,) = families_of(tmp_path, "part_family,ldraw_moulds,aliases\n3001,3001;3001a,3001;3001A\n")
    assert family.moulds == ("3001", "3001a")


@pytest.mark.parametrize("name", ["universal-parts.csv", "starter-parts.csv", "unknown-parts.csv", "tiny-parts.csv"])
def test_every_shipped_list_is_clear(name):
    assert read_families(name)


def test_a_list_may_come_from_a_spreadsheet(tmp_path):
    text = "part_family,ldraw_moulds,aliases,description\n 3062 ,3062a; 3062b,35480 ;,Brick\n"
    (family,) = families_of(tmp_path, text, "utf-8-sig")
    assert (family.number, family.moulds, family.aliases) == ("3062", ("3062a", "3062b"), ("35480",))
    with pytest.raises(InputError, match=r"mine\.csv cannot be read as a list .*: save a CSV in UTF-8"):
        families_of(tmp_path, text.replace("Brick", "Stein, größer"), "latin-1")


def test_a_list_that_is_not_there_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE)
    with pytest.raises(InputError) as error:
        load_families(load_recipe(str(tmp_path / "mine.yaml")))
    assert str(error.value) == "no list of families mine.csv: give a CSV with part_family and ldraw_moulds"


def test_families_that_are_kept_out_are_the_unknown_ones():
    recipe = load_recipe("starter")
    everything = [family.number for family in load_families(recipe)]
    some = recipe.model_copy(update={"kept_out": 6})
    known, unknown = ([family.number for family in load(some)] for load in (load_families, load_unknown_families))
    assert (len(known), len(unknown)) == (96, 6)
    assert sorted(known + unknown) == sorted(everything)
    with pytest.raises(InputError, match=r"recipe starter keeps out 102 of 102 families: lower kept_out"):
        load_families(recipe.model_copy(update={"kept_out": 102}))


def test_the_universal_model_knows_every_part_of_the_starter_model():
    starter = {family.number for family in load_families(load_recipe("starter"))}
    recipe = load_recipe("universal")
    known, unknown = ({family.number for family in load(recipe)} for load in (load_families, load_unknown_families))
    assert starter <= known
    assert len(known) >= 3000
    assert len(unknown) == recipe.kept_out


def test_unknown_parts_are_none_that_the_recipe_knows():
    strange = {family.number for family in load_unknown_families(load_recipe("starter"))}
    assert len(strange) >= 30
    assert strange.isdisjoint(family.number for family in load_families(load_recipe("starter")))
    recipe = load_recipe("tiny").model_copy(update={"families": "unknown-parts.csv"})
    with pytest.raises(InputError, match=r"recipe tiny knows all parts of unknown-parts\.csv: set kept_out"):
        load_unknown_families(recipe)
