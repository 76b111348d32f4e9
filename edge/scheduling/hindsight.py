"""The best plan that could have been made, had everything been known from the start: what a planner is measured by.

Two parts disagree when a gate that both pass cannot change in time between them. In a tree of gates that is decided at
one gate alone, where their ways part (before it they agree, after it they never meet), and, where a gate serves its
parts one by one, at every gate that both use. A choice of one way for each part is a plan when no two disagree, and
its worth is the number of parts in a bin that they were to go to.

Only parts that lie near each other can disagree, so the best choice is found exactly, for any number of parts, by
dynamic programming along the belt: the state after a part is the ways of those parts that the next may still disagree
with. It is the elimination of variables in the order of a graph of small width (R. Dechter, "Bucket elimination: a
unifying framework for reasoning", Artificial Intelligence 113, 1999; U. Bertelè and F. Brioschi, "Nonserial Dynamic
Programming", 1972). Time and memory grow with the parts and with (ways a part + 1) to the power of the parts that lie
within one movement of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.scheduling.topology import Path, Topology


@dataclass(frozen=True, slots=True)
class Rider:
    """A part as it lay on the belt: the travel at which its edges passed station 0, and the bins that would do. A part
    for the default bin, or for none, wants nothing: it is in everybody's way, and no plan is better for it."""

    lead_mm: float
    trail_mm: float
    wanted: tuple[str, ...]


class Hindsight:
    """Finds the most parts of a recorded ride that any plan could have served.

    Args:
        topology: the gates and bins.
        mm_per_s: belt speed that the gaps are reckoned with: the true one, or the planner's own worst case.
    """

    def __init__(self, topology: Topology, mm_per_s: float) -> None:
        self._topology = topology
        self._mm_per_s = mm_per_s
        self._needs: dict[tuple[Path, Path], float] = {}
        self._reach_mm = max(
            (gate.leave_mm - gate.enter_mm + gate.move_s * mm_per_s for gate in topology.gates.values()), default=0.0
        )

    def most_served(self, riders: Sequence[Rider]) -> int:
        """The number of parts, of those that want a bin, in one of their bins under the best of all plans."""
        riders = sorted(riders, key=lambda rider: (rider.lead_mm, rider.trail_mm))
        states: dict[tuple[Path, ...], int] = {(): 0}
        near: list[Rider] = []
        for rider in riders:
            still = [i for i, other in enumerate(near) if rider.lead_mm - other.trail_mm < self._reach_mm]
            ways = self._ways(rider)
            following: dict[tuple[Path, ...], int] = {}
            kept = [near[i] for i in still]
            for ways_before, served in _merged(states, still).items():
                for steps, worth in ways:
                    if any(
                        rider.lead_mm - other.trail_mm < self._need_mm(way, steps)
                        for other, way in zip(kept, ways_before, strict=True)
                    ):
                        continue
                    state = (*ways_before, steps)
                    following[state] = max(following.get(state, -1), served + worth)
            states, near = following, [*kept, rider]
        return max(states.values())

    def _ways(self, rider: Rider) -> list[tuple[Path, int]]:
        default = self._topology.default_bin
        wanted = [steps for name in rider.wanted if name != default for steps in self._topology.paths(name)]
        return [*((steps, 1) for steps in wanted), *((steps, 0) for steps in self._topology.paths(default))]

    def _need_mm(self, one: Path, other: Path) -> float:
        """Free belt that two parts need between them to take these ways one after the other."""
        key = (one, other)
        if key not in self._needs:
            self._needs[key] = self._find_need_mm(one, other)
        return self._needs[key]

    def _find_need_mm(self, one: Path, other: Path) -> float:
        need_mm = float("-inf")
        for (gate_name, before), (other_gate, after) in zip(one, other, strict=False):
            gate = self._topology.gates[gate_name]
            change_s = gate.change_s(before, after)
            if gate_name == other_gate and change_s > 0:
                need_mm = max(need_mm, change_s * self._mm_per_s + gate.leave_mm - gate.enter_mm)
            if before != after:
                break
        return need_mm


def _merged(states: dict[tuple[Path, ...], int], still: Sequence[int]) -> dict[tuple[Path, ...], int]:
    """Forgets the parts that nobody can disagree with any more, and keeps the best of what then looks alike."""
    merged: dict[tuple[Path, ...], int] = {}
    for ways, served in states.items():
        state = tuple(ways[i] for i in still)
        merged[state] = max(merged.get(state, -1), served)
    return merged
