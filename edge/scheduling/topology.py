"""The way of the belt: which gate positions lead to which bin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from edge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class GateSettings:
    """One gate as the schedule sees it: where it stands, what it can do and how long that takes at worst."""

    name: str
    x_mm: float
    positions: tuple[str, ...]
    rest: str
    latency_s: float
    travel_s: float
    settle_s: float = 0.02
    margin_mm: float = 6.0

    @property
    def move_s(self) -> float:
        """From the command to a gate that stands still in its new position."""
        return self.latency_s + self.travel_s + self.settle_s


class Step(NamedTuple):
    gate: str
    position: str


Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """A gate, and where each of its positions leads: on to another gate, or into a bin by its name."""

    gate: str
    ways: Mapping[str, Fork | str]


class Topology:
    """The tree (or line) of gates, its bins, and the default way.

    Raises:
        ConfigError: an unknown gate or position, a gate that comes twice, or no way to the default bin.
    """

    def __init__(self, layout: Fork | str, gates: Iterable[GateSettings], default_bin: str) -> None:
        self.layout = layout
        self.default_bin = default_bin
        self.gates: dict[str, GateSettings] = {gate.name: gate for gate in gates}
        self._paths: dict[str, list[Path]] = {}
        self._placed: set[str] = set()
        self._walk(layout, ())
        if default_bin not in self._paths:
            raise ConfigError(f"bins: layout: no way leads to the default bin {default_bin!r}: name it at the end")
        self._default_ways: dict[str, str] = {}
        self._mark_default_ways(layout)

    @property
    def bins(self) -> tuple[str, ...]:
        return tuple(self._paths)

    @property
    def default_path(self) -> Path:
        """The steps of a part that no gate takes out."""
        path, node = [], self.layout
        while isinstance(node, Fork):
            position = self.default_way(node)
            path.append(Step(node.gate, position))
            node = node.ways[position]
        return tuple(path)

    def paths(self, bin_name: str) -> tuple[Path, ...]:
        """The ways into a bin, the shortest first; empty when the layout has none."""
        return tuple(self._paths.get(bin_name, ()))

    def default_way(self, fork: Fork) -> str:
        """The position that leads from `fork` to the default bin, or its rest where none does."""
        return self._default_ways[fork.gate]

    def _walk(self, node: Fork | str, path: Path) -> None:
        if isinstance(node, str):
            paths = self._paths.setdefault(node, [])
            paths.append(path)
            paths.sort(key=len)
            return
        settings = self.gates.get(node.gate)
        if settings is None:
            raise ConfigError(f"bins: layout: gate {node.gate!r} is not in the machine: {', '.join(self.gates)}")
        if node.gate in self._placed:
            raise ConfigError(f"bins: layout: gate {node.gate!r} comes twice")
        self._placed.add(node.gate)
        for position, following in node.ways.items():
            if position not in settings.positions:
                allowed = ", ".join(settings.positions)
                raise ConfigError(f"bins: layout: gate {node.gate!r} has no position {position!r}: {allowed}")
            self._walk(following, (*path, Step(node.gate, position)))

    def _mark_default_ways(self, node: Fork | str) -> int | None:
        """Gates from `node` to the nearest default bin, or None; remembers each fork's best position."""
        if isinstance(node, str):
            return 0 if node == self.default_bin else None
        rest = self.gates[node.gate].rest
        best_position, best_length = rest if rest in node.ways else next(iter(node.ways)), None
        for position, following in node.ways.items():
            length = self._mark_default_ways(following)
            if length is None:
                continue
            better = best_length is None or (length, position != rest) < (best_length, best_position != rest)
            if better:
                best_position, best_length = position, length
        self._default_ways[node.gate] = best_position
        return None if best_length is None else best_length + 1
