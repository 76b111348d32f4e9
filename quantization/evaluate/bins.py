"""Accuracy on bins: what a wrong name costs depends on where the part would have gone.

The rules and their compilation are the machine's own. Colours are taken as known and each in production as equally
frequent, since the network names shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import load_colours
from edge.catalogue.parts import CataloguePart, PartCatalogue
from edge.config import example, examples
from edge.config.load import load_bins
from edge.errors import ConfigError
from edge.routing.rules import NOBODY, RuleTable, compile_rules

UNWANTED = "(asked for by no bin)"


@dataclass(frozen=True, slots=True)
class BinAccuracy:
    """One bin, or several with the same rule: its share of the looks, and how many of those would have reached it."""

    name: str
    share: float
    right: float


def read_layout(name_or_file: str, parts: Sequence[CataloguePart]) -> RuleTable:
    """The parts → bin table of an example machine or of a bins.yaml.

    Raises:
        ConfigError: no such layout, or one with a mistake.
    """
    if name_or_file not in examples() and not Path(name_or_file).exists():
        raise ConfigError(f"no bin layout {name_or_file}: give a bins.yaml or one of {', '.join(examples())}")
    file = example(name_or_file) / "bins.yaml" if name_or_file in examples() else Path(name_or_file)
    return compile_rules(load_bins(file), PartCatalogue(parts), load_colours())


def accuracy_by_bin(
    posterior: NDArray[np.float32], families: NDArray[np.int64], table: RuleTable
) -> tuple[float, list[BinAccuracy]]:
    """Share of looks whose likeliest bin is the right one, over all and for each bin, in the order of the YAML.

    Args:
        posterior: (N, K) probabilities.
        families: (N,) what each look shows.
        table: of K parts.
    """
    groups = len(table.members)
    columns, times = np.unique(table.group_of, axis=1, return_counts=True)
    looks, right = np.zeros(groups), np.zeros(groups)
    for column, weight in zip(columns.T, times / times.sum(), strict=True):
        mass = posterior @ np.eye(groups, dtype=np.float32)[column]
        truth = column[families]
        looks += weight * np.bincount(truth, minlength=groups)
        right += weight * np.bincount(truth[mass.argmax(1) == truth], minlength=groups)
    order = sorted((g for g in range(groups) if looks[g]), key=lambda g: (g == NOBODY, _first_bin(table, g)))
    per_bin = [BinAccuracy(_name(table, g), looks[g] / len(families), right[g] / looks[g]) for g in order]
    return float(right.sum() / len(families)), per_bin


def _first_bin(table: RuleTable, group: int) -> int:
    return int(table.members[group].argmax())


def _name(table: RuleTable, group: int) -> str:
    if group == NOBODY:
        return UNWANTED
    return " + ".join(table.bins[place] for place in np.flatnonzero(table.members[group]))
