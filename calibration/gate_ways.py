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


def own_bins(bins: BinsConfig, gate: str) -> dict[str, tuple[str, ...]]:
    """Of each position of a gate that only its own bins lie behind: these bins. The default bin takes much else."""
    ways = [bin_ for bin_, _ in bins.layout.ways()]
    found: dict[str, tuple[str, ...]] = {}
    for position, exit_ in _node(bins.layout, gate).exits.items():
        behind = _bins(exit_)
        if bins.default_bin not in behind and all(ways.count(bin_) == behind.count(bin_) for bin_ in behind):
            found[position] = tuple(dict.fromkeys(behind))
    return found


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
