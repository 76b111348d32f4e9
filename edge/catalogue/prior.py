"""How common parts are, before anybody has looked at one: the weights that a fused answer starts from.

A network that was trained on as many pictures of a 2 × 4 brick as of a rare mould takes both for equally likely. In a
box they are not: abundances of LEGO's parts follow Zipf's law or nearly so (Mazzolini et al., Physical Review X 8,
021023, 2018). `common-parts.csv` says what is assumed where nobody knows better, and why.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.parts import PartCatalogue
from edge.errors import InputError

UNIFORM: Literal["uniform"] = "uniform"
COMMON: Literal["common"] = "common"
LEAST, MOST = 0.001, 1000.0
"""Weights that may be given: 1,000 to 1 is what one look says that is 99.9 % sure. More would be a veto."""
_COMMON = Path(__file__).parent / "common-parts.csv"
_COLUMNS = ["part", "weight"]


@dataclass(frozen=True, slots=True)
class Prior:
    """How many times as common as what no line names a part is, or each part of a category.

    Attributes:
        name: "uniform", "common", or the file's.
        file: where it was read; None for the uniform one.
        weights: by what the file names.
        lines: line of each name in the file.
    """

    name: str
    file: Path | None
    weights: dict[str, float]
    lines: dict[str, int]


def read_prior(name: str, folder: Path = Path()) -> Prior:
    """A prior by its name, "common" or "uniform", or from a CSV with the columns part and weight.

    Args:
        name: of the prior, or of the file.
        folder: what a file's name is relative to.

    Raises:
        InputError: a file that cannot be read or holds something else.
    """
    if name == UNIFORM:
        return Prior(UNIFORM, None, {}, {})
    file = _COMMON if name == COMMON else folder / name
    try:
        rows = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no text file"
        raise InputError(
            f"'{name}' cannot be read ({why}): give {COMMON}, {UNIFORM}, or a CSV with the columns part and weight"
        ) from error
    weights: dict[str, float] = {}
    lines: dict[str, int] = {}
    for line, key, weight in _entries(name, rows):
        if key in weights:
            raise InputError(f"'{name}', line {line}: {key} stands in line {lines[key]} already: leave one of them out")
        weights[key], lines[key] = weight, line
    if not weights:
        raise InputError(f"'{name}' names no part: write one a line, such as 3001,30")
    return Prior(name, file, weights, lines)


def _entries(name: str, rows: list[str]) -> Iterable[tuple[int, str, float]]:
    """(line, part or category, weight) of each row; what follows # is a remark."""
    filled = [(line, row) for line, text in enumerate(rows, start=1) if (row := text.split("#")[0].strip())]
    if not filled or [column.strip() for column in filled[0][1].split(",")] != _COLUMNS:
        raise InputError(f"'{name}' does not begin with the columns part,weight: write that into its first line")
    for line, row in filled[1:]:
        cells = [cell.strip() for cell in next(csv.reader([row]))]
        try:
            key, weight = cells[0], float(cells[1])
        except (IndexError, ValueError):
            raise InputError(f"'{name}', line {line}: '{row}' is no part and weight: write such as 3001,30") from None
        if len(cells) != len(_COLUMNS) or not key or not LEAST <= weight <= MOST:
            raise InputError(
                f"'{name}', line {line}: '{row}' is no part with a weight from {LEAST:g} to {MOST:g}:"
                " write such as 3001,30"
            )
        yield line, key, weight


def shares(prior: Prior, catalogue: PartCatalogue) -> NDArray[np.float32]:
    """(K,) how likely each part of a model is to come next; they sum to 1. A part's own line goes before its
    category's; names that the model does not know count for nothing."""
    weights = _weights(prior, catalogue)
    return (weights / weights.sum()).astype(np.float32)


def unknown_names(prior: Prior, catalogue: PartCatalogue) -> list[str]:
    """What a file names that is no part of the model, nor a category."""
    categories = {category.lower() for category in catalogue.categories}
    return [key for key in prior.weights if key.lower() not in categories and catalogue.index(key) is None]


def in_words(prior: Prior, catalogue: PartCatalogue) -> str:
    """One line on what is assumed, such as "common: 102 of 3128 parts, 30 times as likely as the others"."""
    weights = _weights(prior, catalogue)
    least, most = weights.min(), weights.max()
    if least == most:
        return f"{prior.name}: all {len(weights)} parts are as likely"
    above = weights > least
    span = f"{most / least:.3g} times" if (weights[above] == most).all() else f"up to {most / least:.3g} times"
    return f"{prior.name}: {above.sum()} of {len(weights)} parts are {span} as likely as the rarest"


def _weights(prior: Prior, catalogue: PartCatalogue) -> NDArray[np.float64]:
    by_category = {key.lower(): weight for key, weight in prior.weights.items()}
    weights = np.array([by_category.get(part.category.lower(), 1.0) for part in catalogue.parts])
    for key, weight in prior.weights.items():
        if (index := catalogue.index(key)) is not None:
            weights[index] = weight
    return weights
