"""Which parts and colours a rule accepts: what the checks and the router both go by."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour, find_colour
from edge.catalogue.lookalikes import groups
from edge.catalogue.parts import CataloguePart, PartCatalogue
from edge.config.bins import Rule

Mask = NDArray[np.bool_]


def accepted_parts(rule: Rule, catalogue: PartCatalogue) -> Mask:
    """(K,) the parts that fit all of the rule's keys. A size that is not known fits no bound."""
    mask = np.ones(len(catalogue), bool)
    alike = groups([part.number for part in catalogue.parts]) if rule.look_alikes else range(len(catalogue))
    for numbers in (rule.parts, rule.part_list.numbers if rule.part_list else None):
        if numbers is not None:
            listed = {alike[index] for number in numbers if (index := catalogue.index(number)) is not None}
            mask &= [group in listed for group in alike]
    if rule.category is not None:
        wanted = {category.lower() for category in rule.category}
        mask &= [part.category.lower() in wanted for part in catalogue.parts]
    for low, high, side_mm in _sizes(rule):
        if low is not None or high is not None:
            mask &= [_within(side_mm(part), low, high) for part in catalogue.parts]
    return mask


def accepted_colours(rule: Rule, colours: Sequence[Colour]) -> Mask:
    """(C,) the colours that fit the rule's keys."""
    mask = np.ones(len(colours), bool)
    if rule.colour is not None:
        wanted = {find_colour(name, colours) for name in rule.colour}
        mask &= [colour in wanted for colour in colours]
    if rule.transparent is not None:
        mask &= [colour.transparent == rule.transparent for colour in colours]
    return mask


def rule_key(rule: Rule, catalogue: PartCatalogue, colours: Sequence[Colour]) -> Hashable:
    """Equal for rules that say the same, in whatever order and spelling. Rules that only happen to fit the same
    parts of this catalogue differ: there the order of the bins decides."""

    def known(numbers: Sequence[str] | None) -> Hashable:
        return None if numbers is None else frozenset(catalogue.canonical(number) or number for number in numbers)

    return (
        known(rule.parts),
        known(rule.part_list.numbers if rule.part_list else None),
        bool(rule.look_alikes),
        None if rule.category is None else frozenset(category.lower() for category in rule.category),
        None if rule.colour is None else frozenset(find_colour(name, colours) or name for name in rule.colour),
        rule.transparent,
        *((low, high) for low, high, _ in _sizes(rule)),
    )


def _sizes(rule: Rule) -> list[tuple[float | None, float | None, Callable[[CataloguePart], float]]]:
    return [
        (rule.min_length_mm, rule.max_length_mm, lambda part: part.length_mm),
        (rule.min_width_mm, rule.max_width_mm, lambda part: part.width_mm),
        (rule.min_height_mm, rule.max_height_mm, lambda part: part.height_mm),
    ]


def _within(size_mm: float, low_mm: float | None, high_mm: float | None) -> bool:
    return size_mm > 0 and (low_mm is None or size_mm >= low_mm) and (high_mm is None or size_mm <= high_mm)
