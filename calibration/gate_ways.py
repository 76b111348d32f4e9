"""Which gates a part comes to, and what its bin tells of the positions that it met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from calibration.step import RefusedError
from edge.config.bins import BinsConfig, LayoutNode


@dataclass(frozen=True, slots=True)
class Run:
    """Gates that one part can be tried at, one after the other.

    Attributes:
        gates: in the order of the belt.
        onwards: of every gate before and among them: the position that lets a part go on.
    """

    gates: tuple[str, ...]
    onwards: Mapping[str, str]


def runs(bins: BinsConfig, rest: Mapping[str, str]) -> list[Run]:
    """Every gate in exactly one run: those at each other's rest together, those behind a working position by
    themselves."""
    return [Run(gates, onwards) for gates, onwards in _runs(bins.layout, rest, {}) if gates]


def _runs(
    node: LayoutNode, rest: Mapping[str, str], before: dict[str, str]
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    chain, onwards, here = [], dict(before), node
    aside: list[tuple[LayoutNode, dict[str, str]]] = []
    while True:
        chain.append(here.gate)
        for position, exit_ in here.exits.items():
            if isinstance(exit_, LayoutNode) and position != rest[here.gate]:
                aside.append((exit_, {**onwards, here.gate: position}))
        onwards[here.gate] = rest[here.gate]
        following = here.exits.get(rest[here.gate])
        if not isinstance(following, LayoutNode):
            break
        here = following
    yield tuple(chain), onwards
    for other, way in aside:
        yield from _runs(other, rest, way)


def met(bins: BinsConfig, gate: str, bin_: str) -> str | None:
    """The position in which a gate met a part that ended in a bin; None where the bin does not tell."""
    found = [position for position, exit_ in _node(bins.layout, gate).exits.items() if bin_ in _bins(exit_)]
    return found[0] if len(found) == 1 else None


def bins_of(bins: BinsConfig) -> tuple[str, ...]:
    """Every bin that a way leads to."""
    return tuple(dict.fromkeys(_bins(bins.layout)))


def last_gates(bins: BinsConfig) -> Mapping[str, tuple[str, ...]]:
    """The gates from which a part falls into each bin."""
    found: dict[str, list[str]] = {}
    for node in _nodes(bins.layout):
        for exit_ in node.exits.values():
            if isinstance(exit_, str):
                found.setdefault(exit_, []).append(node.gate)
    return {bin_: tuple(dict.fromkeys(gates)) for bin_, gates in found.items()}


def _node(layout: LayoutNode, gate: str) -> LayoutNode:
    for node in _nodes(layout):
        if node.gate == gate:
            return node
    raise RefusedError(f"gates: no way of bins.yaml leads to gate {gate}: put it into its layout")


def _nodes(node: LayoutNode) -> Iterator[LayoutNode]:
    yield node
    for exit_ in node.exits.values():
        if isinstance(exit_, LayoutNode):
            yield from _nodes(exit_)


def _bins(exit_: LayoutNode | str) -> list[str]:
    if isinstance(exit_, str):
        return [exit_]
    return [bin_ for way in exit_.exits.values() for bin_ in _bins(way)]
