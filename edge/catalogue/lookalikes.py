"""Parts that even people mix up: the same shape under two numbers, variants of a mould, mirror images.

`look-alikes.csv` was found from the geometry of LDraw's parts by `brickgate-model catalogue`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from edge.errors import InputError

Kind = Literal["same", "variant", "mirror"]
"""The same shape; the same but for a detail, such as a pin's slot; left and right."""
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_SHIPPED = Path(__file__).parent / "look-alikes.csv"
COLUMNS = ("part", "other", "kind", "distance_mm", "share")


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two parts that look alike, by their canonical numbers.

    Attributes:
        distance_mm: mean distance of the two surfaces, laid over each other (one mirrored for a mirror pair).
        share: of the surfaces that lies on each other, 0 to 1.
    """

    part: str
    other: str
    kind: Kind
    distance_mm: float
    share: float


@cache
def load_look_alikes(file: Path = _SHIPPED) -> tuple[LookAlike, ...]:
    """The pairs of a look-alike file, by default the shipped one.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:  # spreadsheets write a mark before the first name
            reader = csv.DictReader(stream, strict=True)
            _check_columns(reader.fieldnames or ())
            return tuple(_pair(row) for row in reader)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): run 'brickgate-model catalogue'") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        found = f"no column {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{file} is no list of look-alikes (found {found}): run 'brickgate-model catalogue'"
        ) from error


def groups(numbers: Sequence[str], pairs: Iterable[LookAlike] | None = None) -> list[int]:
    """For each part the place of the first one that looks like it, directly or by others in between.

    Parts with the same value count as one when accuracy is told up to look-alikes.

    Args:
        numbers: canonical, in the order of the network's outputs. Pairs with other parts count for nothing.
        pairs: default the shipped ones.
    """
    place = {number: index for index, number in enumerate(numbers)}
    first = list(range(len(numbers)))

    def root(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    for pair in load_look_alikes() if pairs is None else pairs:
        if pair.part in place and pair.other in place:
            one, other = sorted((root(place[pair.part]), root(place[pair.other])))
            first[other] = one
    return [root(index) for index in range(len(numbers))]


def _check_columns(columns: Sequence[str]) -> None:
    missing = next((column for column in COLUMNS if column not in columns), None)
    if missing:
        raise KeyError(missing)


def _pair(row: dict[str, str]) -> LookAlike:
    part, other, kind = row["part"], row["other"], row["kind"]
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r}")
    return LookAlike(part, other, _KINDS[kind], float(row["distance_mm"]), float(row["share"]))
