"""Where the sensors are on the ways of the belt: what each should see, and what it means when it sees another part."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from edge.config.bins import BinsConfig, LayoutNode, Way
from edge.config.schema import MachineConfig
from edge.records import Plan


@dataclass(frozen=True, slots=True)
class Spot:
    """One sensor as it counts here. `tolerance_mm` is belt travel."""

    name: str
    bin: str | None
    x_mm: float | None
    delay_s: float
    tolerance_mm: float
    at_end: bool = False
    """Whether it is over the belt and past all gates."""

    @property
    def place(self) -> str:
        """The bin or the piece of belt, in a few words."""
        if self.bin is not None:
            return f"'{self.bin}'"
        return "the belt's end" if self.at_end else f"the belt at {self.x_mm:g} mm"

    @property
    def where(self) -> str:
        """The same with its preposition."""
        return f"{'in' if self.bin is not None else 'at' if self.at_end else 'on'} {self.place}"


@dataclass(frozen=True, slots=True)
class Fork:
    """A gate at which a part went another way than planned."""

    gate: str
    planned: str
    took: str


class Places:
    """The layout with its sensors. Gates at rest let a part ride on: that is the main way, which ends in the default
    bin, and beams over the belt are over it."""

    def __init__(self, machine: MachineConfig, bins: BinsConfig, present: Container[str]) -> None:
        """Args:
        machine: with its gates and sensors.
        bins: with the layout.
        present: names of the sensors that are really there.
        """
        self.default_bin = bins.default_bin
        self.spots = {
            sensor.name: Spot(
                sensor.name,
                sensor.at.bin,
                sensor.at.x_mm,
                sensor.fall_s,
                sensor.tolerance_s * machine.belt.belt_mm_per_s,
                at_end=all((sensor.at.x_mm or 0.0) > gate.x_mm for gate in machine.gates),
            )
            for sensor in machine.sensors
            if sensor.name in present
        }
        self._x_mm = {gate.name: gate.x_mm for gate in machine.gates}
        self._rest = {gate.name: gate.rest for gate in machine.gates}
        self._ways = bins.ways()
        self._nodes = {node.gate: node for node, _ in bins.layout.nodes()}
        self._main_way, _ = self._ride_on(bins.layout)

    def is_rest(self, gate: str, position: str) -> bool:
        return self._rest[gate] == position

    def way(self, plan: Plan) -> Way | None:
        """The planned way: of those to the bin the one that the commands fit best."""
        wanted = {(command.gate, command.position) for command in plan.commands}
        return max(self._ways.get(plan.bin, ()), key=lambda way: len(wanted & set(way)), default=None)

    def sightings(self, sensor: str) -> list[tuple[float, Way]]:
        """Where a part that the sensor sees left the belt (or is), in mm, and the way on which it came there."""
        spot = self.spots[sensor]
        if spot.x_mm is None:
            return [(self._x_mm[way[-1][0]], way) for way in self._ways.get(spot.bin or "", ())]
        return [(spot.x_mm, tuple(step for step in self._main_way if self._x_mm[step[0]] < spot.x_mm))]

    def watchers(self, bin_name: str, way: Way) -> dict[str, float]:
        """The sensors that see a part on this way, and where, in mm."""
        seen = {}
        for name, spot in self.spots.items():
            if spot.x_mm is not None and all(self.is_rest(*step) for step in way if self._x_mm[step[0]] < spot.x_mm):
                seen[name] = spot.x_mm
            elif spot.bin == bin_name:
                seen[name] = self._x_mm[way[-1][0]]
        return seen

    def final(self, bin_name: str, way: Way) -> str | None:
        """The sensor that sees a part end in its bin; for the default bin also the last beam over the belt, past all
        gates."""
        in_bin = [name for name, spot in self.spots.items() if spot.bin == bin_name]
        if in_bin or bin_name != self.default_bin:
            return in_bin[0] if in_bin else None
        return self._at_end(way)

    def parting(self, planned: Way, taken: Way) -> Fork | None:
        """The gate at which a part that was seen on the one way left the other."""
        for (gate, wanted), (same, took) in zip(planned, taken, strict=False):
            if gate == same and wanted != took:
                return Fork(gate, wanted, took)
        return None

    def bins_behind(self, gate: str) -> tuple[str, ...]:
        """The bins to which positions of the gate other than its rest lead."""
        return tuple(
            bin_name
            for bin_name, ways in self._ways.items()
            if any(step[0] == gate and not self.is_rest(*step) for way in ways for step in way)
        )

    def last_diverting(self, way: Way) -> tuple[str, str] | None:
        """The last gate of the way that does not rest for it, and its position."""
        return next((step for step in reversed(way) if not self.is_rest(*step)), None)

    def would_be_seen(self, gate: str, position: str, trusted: Callable[[str], bool]) -> bool:
        """Whether a part would be seen wherever this gate sent it instead of where `position` leads, the gates after
        it at rest."""
        exits = self._nodes[gate].exits
        return all(self._is_watched(gate, other, trusted) for other in exits if other != position)

    def _is_watched(self, gate: str, position: str, trusted: Callable[[str], bool]) -> bool:
        exit_ = self._nodes[gate].exits[position]
        ends_in = exit_ if isinstance(exit_, str) else self._ride_on(exit_)[1]
        on_main = (gate, position) in self._main_way
        return any(
            trusted(name)
            and (spot.bin == ends_in or (on_main and spot.x_mm is not None and spot.x_mm > self._x_mm[gate]))
            for name, spot in self.spots.items()
        )

    def _at_end(self, way: Way) -> str | None:
        if any(not self.is_rest(*step) for step in way):
            return None
        last_mm = max(self._x_mm[gate] for gate, _ in way)
        past = [spot for spot in self.spots.values() if spot.x_mm is not None and spot.x_mm > last_mm]
        return max(past, key=lambda spot: spot.x_mm or 0.0).name if past else None

    def _ride_on(self, node: LayoutNode) -> tuple[Way, str]:
        """The way from a gate on with every gate at rest, and the bin that it ends in."""
        way: list[tuple[str, str]] = []
        while True:
            rest = self._rest[node.gate]
            way.append((node.gate, rest))
            exit_ = node.exits.get(rest, self.default_bin)
            if isinstance(exit_, str):
                return tuple(way), exit_
            node = exit_
