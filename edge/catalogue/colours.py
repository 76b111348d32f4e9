"""The colours of LEGO parts and the names people have for them.

`colours.csv` takes codes, LDraw names and RGB values from LDraw.org's LDConfig.ldr (CC BY 4.0).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from edge.catalogue.spelling import nearest

_FILE = Path(__file__).parent / "colours.csv"

Finish = Literal["solid", "transparent", "pearl"]


@dataclass(frozen=True, slots=True)
class Colour:
    """One colour; `name` is what marketplaces print, `rgb` LDraw's 0…255 values (of a part lit evenly)."""

    code: int
    ldraw_name: str
    name: str
    lego_name: str
    rgb: tuple[int, int, int]
    transparent: bool
    finish: Finish
    in_production: bool


@cache
def load_colours(*, retired: bool = False) -> tuple[Colour, ...]:
    """The colours in current production, always in the same order: the C colours of every colour posterior.

    Args:
        retired: also give the ones no longer made, after the others.
    """
    lines = [line for line in _FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    colours = tuple(_colour(row) for row in csv.DictReader(lines))
    return colours if retired else tuple(colour for colour in colours if colour.in_production)


def find_colour(name: str, colours: Sequence[Colour]) -> Colour | None:
    """The colour of that name, whatever the case, the punctuation and the spelling of grey.

    Marketplace and LDraw names and LDraw codes win over LEGO's own names, which overlap with them:
    "Dark Green" is code 288, although LEGO calls code 2 so.
    """
    return _by_name(tuple(colours)).get(_plain(name))


def suggest_colour(name: str, colours: Iterable[Colour]) -> str | None:
    """The marketplace name of the colour whose spelling is nearest, if any is near."""
    spellings: dict[str, str] = {}
    for colour in colours:
        for known in (colour.lego_name, colour.ldraw_name, colour.name):
            spellings[known] = colour.name
    found = nearest(name, spellings)
    return spellings[found] if found else None


def closest_colour(wanted: Colour, colours: Iterable[Colour]) -> Colour:
    """The colour of the same finish with the nearest RGB value, such as what replaced a retired grey."""

    def distance(colour: Colour) -> tuple[bool, int]:
        squares = ((a - b) ** 2 for a, b in zip(wanted.rgb, colour.rgb, strict=True))
        return colour.finish != wanted.finish, sum(squares)

    return min(colours, key=distance)


def _colour(row: dict[str, str]) -> Colour:
    value = int(row["rgb"].removeprefix("#"), 16)
    finish = row["finish"]
    return Colour(
        code=int(row["code"]),
        ldraw_name=row["ldraw_name"],
        name=row["name"],
        lego_name=row["lego_name"],
        rgb=(value >> 16, value >> 8 & 255, value & 255),
        transparent=row["transparent"] == "yes",
        finish="transparent" if finish == "transparent" else "pearl" if finish == "pearl" else "solid",
        in_production=row["in_production"] == "yes",
    )


@cache
def _by_name(colours: tuple[Colour, ...]) -> dict[str, Colour]:
    """Later names do not replace earlier ones: LEGO's come last."""
    index: dict[str, Colour] = {}
    for colour in colours:
        for name in (colour.name, colour.ldraw_name, str(colour.code)):
            index.setdefault(_plain(name), colour)
    for colour in colours:
        index.setdefault(_plain(colour.lego_name), colour)
    return index


def _plain(name: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "", name.lower().replace("grey", "gray"))
    return re.sub(r"^transparent", "trans", letters)
