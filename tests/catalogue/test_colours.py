import pytest

from edge.catalogue.colours import closest_colour, find_colour, load_colours, suggest_colour

COLOURS = load_colours()


def test_table_is_sound() -> None:
    every = load_colours(retired=True)
    assert len({colour.code for colour in every}) == len({colour.name for colour in every}) == len(every)
    assert every[: len(COLOURS)] == COLOURS
    assert all(colour.in_production for colour in COLOURS)
    assert all((colour.finish == "transparent") == colour.transparent for colour in every)
    assert 50 <= len(COLOURS) <= 70


def test_values_are_ldraws() -> None:
    red = next(colour for colour in COLOURS if colour.code == 4)
    assert (red.name, red.lego_name, red.rgb) == ("Red", "Bright Red", (0xB4, 0, 0))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Light Bluish Gray", 71),
        ("Light_Bluish_Grey", 71),
        ("medium stone grey", 71),
        ("71", 71),
        ("Trans-Clear", 47),
        ("transparent red", 36),
        ("Dark Green", 288),  # and not LEGO's "Dark Green", which all others call Green
        ("Medium_Lilac", 85),
        ("Dark Purple", 85),
        ("Light Gray", None),
        ("", None),
    ],
)
def test_names(name: str, code: int | None) -> None:
    found = find_colour(name, COLOURS)
    assert (found.code if found else None) == code


def test_every_common_name_finds_its_own_colour() -> None:
    for colour in COLOURS:
        assert {find_colour(name, COLOURS) for name in (colour.name, colour.ldraw_name, str(colour.code))} == {colour}


def test_suggestions() -> None:
    assert suggest_colour("Redd", COLOURS) == "Red"
    assert suggest_colour("Medium Stone Gry", COLOURS) == "Light Bluish Gray"
    assert suggest_colour("xyzzy", COLOURS) is None


def test_retired_greys_have_their_successors() -> None:
    old = find_colour("Light Gray", load_colours(retired=True))
    assert old is not None
    assert closest_colour(old, COLOURS).name == "Light Bluish Gray"
