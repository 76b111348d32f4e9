"""The way of the belt: which gate positions lead to which bin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from edge.errors import ConfigError

STRUCK_MM = 1.0
"""Belt travel for which a pusher counts as out, once it is."""


class Action(StrEnum):
    """How a gate serves a part in a position that is not its rest."""

    HOLD = "hold"
    """It stands there while the part passes with its whole length: a diverter, a chute."""
    PULSE = "pulse"
    """The same, and it falls back to rest as soon as the part has passed: an air jet."""
    STROKE = "stroke"
    """It strikes the part's middle, once for each part, and falls back: a pusher."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """One gate as the schedule sees it: where it stands, what it can do and how long that takes at worst.

    Whatever the kind of actuator, the planner asks only these: the belt for which a part claims the gate (`enter_mm`,
    `leave_mm`), the time to change between two claims (`change_s`, 0 where they may overlap), and what the dispatcher
    is to do within a claim (`acts_mm`). `docs/timing.md` draws them.
    """

    name: str
    x_mm: float
    positions: tuple[str, ...]
    rest: str
    latency_s: float
    travel_s: float
    """Between any two positions; with `angles_deg`, over the whole range of them."""
    settle_s: float = 0.02
    margin_mm: float = 6.0
    repeatability_s: float = 0.0
    """By how much a movement may end later than the other three say."""
    reach_mm: float = 0.0
    """Belt that the actuator itself covers on either side of `x_mm`: half a pusher's face, half a jet's mouth."""
    beyond_mm: float = 0.0
    """Belt travel after a part's trailing edge for which the gate must still stand: the part's fall into a chute."""
    action: Action = Action.HOLD
    strike_mm: float = 0.0
    """How far a part's middle is past `x_mm` when a pusher is out: half the belt that its stroke takes, so that it
    meets the part in the middle of its face."""
    max_on_s: float = float("inf")
    """A coil or valve is not left on for longer, though the belt may have stopped with a part in the gate."""
    angles_deg: tuple[float, ...] = ()
    """Where each position of a chute is; neighbours are then nearer in time, too."""

    @property
    def move_s(self) -> float:
        """From the command to a gate that stands still in its new position, at worst."""
        return self.latency_s + self.travel_s + self.settle_s + self.repeatability_s

    @property
    def returns(self) -> bool:
        """Whether it goes back to rest as soon as no part is in it."""
        return self.action is not Action.HOLD

    @property
    def enter_mm(self) -> float:
        """Station at which a part's leading edge begins to claim the gate."""
        return self.x_mm - self.reach_mm - self.margin_mm

    @property
    def leave_mm(self) -> float:
        """Station at which its trailing edge ends that."""
        return self.x_mm + self.reach_mm + self.margin_mm + self.beyond_mm

    def change_s(self, before: str, after: str) -> float:
        """As `move_s` from one position to the next; 0 where two parts may share the position."""
        if before == after:
            return self.move_s if self.action is Action.STROKE and after != self.rest else 0.0
        if not self.angles_deg:
            return self.move_s
        where = dict(zip(self.positions, self.angles_deg, strict=True))
        share = abs(where[before] - where[after]) / (max(self.angles_deg) - min(self.angles_deg))
        return self.move_s - (1 - share) * self.travel_s

    def change_shares(self) -> dict[tuple[str, str], float] | None:
        """`change_s` of every pair of positions as a share of `move_s`; None where it is 1, and 0 in one position."""
        if not (self.angles_deg or self.action is Action.STROKE) or self.move_s == 0:
            return None
        return {(a, b): self.change_s(a, b) / self.move_s for a in self.positions for b in self.positions}

    def acts_mm(self, position: str, from_mm: float, to_mm: float) -> tuple[float, float]:
        """Belt travel from which and to which the gate is to be in `position`, for a part that claims it from
        `from_mm` to `to_mm`."""
        if self.action is not Action.STROKE or position == self.rest:
            return from_mm, to_mm
        out_mm = (from_mm + to_mm - self.beyond_mm) / 2 + self.strike_mm
        return out_mm, out_mm + STRUCK_MM


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
