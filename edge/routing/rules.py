"""Compiles the rules of bins.yaml into one table: for each part and colour, the bins that want it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.config.matching import accepted_colours, accepted_parts, rule_key

NOBODY = 0
"""The group of parts that no bin asks for."""


@dataclass(frozen=True, slots=True)
class RuleTable:
    """Who wants what. A group is a set of bins that share parts because they have the same rule."""

    bins: tuple[str, ...]
    """The B bins in the order of the YAML."""
    group_of: NDArray[np.intp]
    """(K, C) the group of each part in each colour, `NOBODY` where no rule matches."""
    members: NDArray[np.float64]
    """(G, B) 1 where the bin is of the group, else 0; the row of `NOBODY` is empty."""
    uses_colour: bool

    def wanted_by(self, part: int, colour: int) -> tuple[str, ...]:
        """The bins in which that part in that colour belongs."""
        return tuple(self.bins[place] for place in np.flatnonzero(self.members[self.group_of[part, colour]]))


def compile_rules(config: BinsConfig, catalogue: PartCatalogue, colours: Sequence[Colour]) -> RuleTable:
    """The table of K parts × C colours: the first bin with a matching rule takes a cell, and shares it with the
    bins that have the same rule."""
    names = config.names
    rules = [
        (dict.fromkeys(map(names.index, bin_.names)), rule_key(rule, catalogue, colours), rule)
        for bin_ in config.bins
        for rule in bin_.accept
    ]
    sharers: dict[Hashable, dict[int, None]] = {}
    for places, key, _ in rules:
        sharers.setdefault(key, {}).update(places)
    groups: dict[tuple[int, ...], int] = {(): NOBODY}
    group_of = np.full((len(catalogue), len(colours)), NOBODY)
    for _, key, rule in rules:
        group = groups.setdefault(tuple(sharers[key]), len(groups))
        mask = np.outer(accepted_parts(rule, catalogue), accepted_colours(rule, colours))
        group_of[mask & (group_of == NOBODY)] = group
    members = np.zeros((len(groups), len(names)))
    for places, group in groups.items():
        members[group, list(places)] = 1
    uses_colour = bool((group_of != group_of[:, :1]).any())
    return RuleTable(names, group_of, members, uses_colour)
