"""Part numbers: one canonical number for every mould, letter and catalogue's own number of the same part."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from edge.catalogue.categories import category_of
from edge.catalogue.spelling import nearest

_STARTER = Path(__file__).parent / "starter-parts.csv"
_SAME_NUMBER = 0.75
"""Likeness of a mistyped number: of five digits one wrong, added or left out."""


class CataloguePart(Protocol):
    """A part as the catalogue needs it, such as a bundle's. Sizes are as LDraw lays it, 0 when not known."""

    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def moulds(self) -> tuple[str, ...]: ...
    @property
    def length_mm(self) -> float: ...
    @property
    def width_mm(self) -> float: ...
    @property
    def height_mm(self) -> float: ...


class PartCatalogue:
    """The parts of one model bundle, in the order of the network's outputs."""

    def __init__(self, parts: Sequence[CataloguePart]) -> None:
        self.parts = tuple(parts)
        self.categories = frozenset(part.category for part in self.parts)
        self._index: dict[str, int] = {}
        for index, part in enumerate(self.parts):
            for number in (_plain(part.name), *map(_plain, part.moulds)):
                self._index.setdefault(number, index)
        self._index.update({_plain(part.number): index for index, part in enumerate(self.parts)})

    def __len__(self) -> int:
        return len(self.parts)

    def index(self, number: str) -> int | None:
        """The place of a part by its number, a mould's or another catalogue's number, or its name; else None.

        A mould letter that no part lists is dropped: 3068b is 3068.
        """
        wanted = _plain(number)
        return self._index.get(wanted, self._index.get(re.sub(r"^(\d+)[a-z]$", r"\1", wanted)))

    def canonical(self, number: str) -> str | None:
        """The family's number, such as "3068" for "3068b"; None when the catalogue does not know it."""
        index = self.index(number)
        return None if index is None else self.parts[index].number

    def suggest(self, number: str) -> str | None:
        """The known number or name that is spelled most like `number`."""
        known = {_plain(name): name for part in self.parts for name in (*part.moulds, part.name, part.number)}
        found = nearest(_plain(number), known, _SAME_NUMBER)
        return known[found] if found else None


@dataclass(frozen=True, slots=True)
class StarterPart:
    """One family of the starter model: its LDraw files, and other catalogues' numbers for it."""

    number: str
    title: str
    ldraw_moulds: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def category(self) -> str:
        return category_of(self.title)


@cache
def load_starter_parts() -> tuple[StarterPart, ...]:
    """The part families of the starter model, ordered as in `starter-parts.csv`."""
    with _STARTER.open(encoding="utf-8", newline="") as stream:
        return tuple(
            StarterPart(
                number=row["part_family"],
                title=row["description"],
                ldraw_moulds=tuple(row["ldraw_moulds"].split(";")),
                aliases=tuple(row["aliases"].split(";")) if row["aliases"] else (),
            )
            for row in csv.DictReader(stream)
        )


def _plain(number: str) -> str:
    return re.sub(r"\s+", " ", number.strip().lower())
