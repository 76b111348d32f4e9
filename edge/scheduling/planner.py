"""Reserve, or refuse: which way a part goes, and which gates are held for it from where to where on the belt.

Every part on the belt holds every gate that it will pass in some position, also the parts that only ride on
to the default bin: a gate never swings under a part that somebody has told the planner of. A bin is granted
only when all gates on its way can be held; otherwise the part goes to the default bin, and when even that way
crosses another part's, that other part gives way too. Refusing is cheap, mixing is not.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.records import BinDecision, Plan
from edge.scheduling.bookings import BookedPart, Bookings, Moment, PlannerSettings
from edge.scheduling.default_way import DefaultWay
from edge.scheduling.topology import Path, Topology


class Obstacle(NamedTuple):
    """Why a way cannot be had, and the track that holds it, if it is one."""

    why: str
    track_id: int | None = None


class Planner:
    """Plans parts one by one, all on the belt coordinate. Called from one thread.

    A track may be planned again at any time (a better extent, a later decision): its new plan replaces the
    old one as far as the gates have not moved for it yet. `Plan.revised` holds new plans of other tracks;
    they replace theirs.
    """

    def __init__(self, topology: Topology, settings: PlannerSettings) -> None:
        self._topology = topology
        self._tolerance_mm = settings.extent_tolerance_mm
        self._bookings = Bookings(topology, settings)
        self._default_way = DefaultWay(topology, self._bookings)

    @property
    def bookings(self) -> Bookings:
        return self._bookings

    def plan(
        self,
        decision: BinDecision,
        lead_belt_mm: float,
        trail_belt_mm: float,
        now_belt_mm: float,
        belt_mm_per_s: float,
    ) -> Plan:
        """Grants the decided bin or one of its candidates, or refuses to the default bin.

        Args:
            decision: the bin wanted, and the others that would do as well.
            lead_belt_mm: `x_belt_mm` of the part's leading edge.
            trail_belt_mm: the same of its trailing edge.
            now_belt_mm: the belt's travel now.
            belt_mm_per_s: its measured speed.
        """
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part, same_place = self._part(decision.track_id, lead_belt_mm, trail_belt_mm)
        default = self._topology.default_bin
        wants_default = decision.bin == default
        wanted = () if wants_default else (decision.bin, *(b for b in decision.candidates if b != default))
        if same_place and wanted == part.wanted and part.bin in wanted:
            return self._answer(part, {}, moment, refused=False)
        part.wanted = wanted
        revised = self._retry_waiting(part, moment)
        obstacle = self._grant(part, moment) if part.wanted else None
        if part.wanted and obstacle is None:
            return self._answer(part, revised, moment, refused=False)
        if obstacle is not None and obstacle.track_id in self._bookings.parts:
            self._bookings.parts[obstacle.track_id].waiting.append(part.track_id)
        return self._settle(part, moment, revised, obstacle.why if obstacle else "")

    def plan_default(
        self,
        track_id: int,
        lead_belt_mm: float,
        trail_belt_mm: float,
        now_belt_mm: float,
        belt_mm_per_s: float,
    ) -> Plan:
        """Protects a part that nobody could name (or not yet): it rides to the default bin."""
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part, _ = self._part(track_id, lead_belt_mm, trail_belt_mm)
        part.wanted = ()
        return self._settle(part, moment, {}, "")

    def divert(self, track_id: int, gate: str, held: str, now_belt_mm: float, belt_mm_per_s: float) -> Plan | None:
        """A command came late and `gate` stands in `held` for the part: plans the rest of its way from there.

        Returns:
            The new plan, or None when the part is not known (any more).
        """
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part = self._bookings.parts.get(track_id)
        if part is None:
            return None
        if gate in part.reservations:
            self._bookings.drop(part, gate)
        part.held[gate] = held
        part.wanted = ()
        self._default_way.follow(part, gate, held, moment)
        return self._settle(part, moment, {}, f"{gate} was late and stayed at {held}")

    def _part(self, track_id: int, lead_mm: float, trail_mm: float) -> tuple[BookedPart, bool]:
        """The part, and whether it lies where it was booked: measuring noise must not cost it its gates."""
        part = self._bookings.parts.get(track_id)
        if part is None:
            return BookedPart(track_id, lead_mm, trail_mm), False
        moved_mm = max(abs(part.lead_mm - lead_mm), abs(part.trail_mm - trail_mm))
        if moved_mm > self._tolerance_mm:
            part.lead_mm, part.trail_mm = lead_mm, trail_mm
        return part, moved_mm <= self._tolerance_mm

    def _retry_waiting(self, part: BookedPart, moment: Moment) -> dict[int, str]:
        """Parts that were refused because of this one, while it was not decided, get another chance now that
        it is: two neighbours that want the same position are thus both served. Only with time to take it
        back."""
        revised: dict[int, str] = {}
        waiting, part.waiting = part.waiting, []
        if waiting:
            self._bookings.release(part, moment)
        for track_id in waiting:
            other = self._bookings.parts.get(track_id)
            if other is None or not other.wanted or other.bin != self._topology.default_bin:
                continue
            if self._grant(other, moment, revocable=True) is None:
                revised[track_id] = f"track {part.track_id} was decided and left room"
        return revised

    def _grant(self, part: BookedPart, moment: Moment, *, revocable: bool = False) -> Obstacle | None:
        """Books the first wanted bin that can be had; otherwise changes nothing and says what was in the
        way."""
        first = None
        for bin_name in part.wanted:
            for steps in self._topology.paths(bin_name):
                obstacle = self._obstacle(part, steps, moment, revocable=revocable)
                if obstacle is None:
                    self._bookings.book(part, steps, bin_name, moment)
                    return None
                first = first or obstacle
        return first or Obstacle(f"no way leads to {part.wanted[0]}")

    def _obstacle(self, part: BookedPart, steps: Path, moment: Moment, *, revocable: bool) -> Obstacle | None:
        bookings = self._bookings
        for gate, position in steps:
            window = bookings.window(gate, part)
            stands = bookings.fixed_at(gate, part, moment)
            if stands is not None:
                if stands != position:
                    return Obstacle(f"{gate} already stands at {stands} for it")
                continue
            conflicts = bookings.conflicts(gate, window, position, moment, (part.track_id,))
            if conflicts:
                other = conflicts[0]
                return Obstacle(f"{gate} holds {other.position} for track {other.track_id}", other.track_id)
            in_time = bookings.in_time(gate, window[0], position, moment, part.track_id)
            if not in_time or (revocable and not bookings.has_notice(gate, window[0], moment)):
                ahead_mm = max(window[0] - moment.belt_mm, 0)
                return Obstacle(f"{gate} is too near to move in time, {ahead_mm:.0f} mm ahead")
        return None

    def _settle(self, part: BookedPart, moment: Moment, revised: dict[int, str], why: str) -> Plan:
        """Sends the part to the default bin, or as near to it as gates that already move allow."""
        outcome = self._default_way.settle(part, moment)
        for track_id, gate in outcome.gave_way.items():
            revised[track_id] = f"made way for track {part.track_id} at {gate}"
        refused = bool(why) or part.bin != self._topology.default_bin
        return self._answer(part, revised, moment, refused, "; ".join(filter(None, (why, outcome.harm))))

    def _answer(self, part: BookedPart, revised: dict[int, str], moment: Moment, refused: bool, why: str = "") -> Plan:
        others = []
        for track_id, reason in revised.items():
            other = self._bookings.parts[track_id]
            if other.wanted and other.bin == self._topology.default_bin:
                self._grant(other, moment)
            gave_up = bool(other.wanted) and other.bin == self._topology.default_bin
            commands = self._bookings.commands(other)
            others.append(Plan(track_id, other.bin, gave_up, commands, reason if gave_up else ""))
        return Plan(part.track_id, part.bin, refused, self._bookings.commands(part), why, tuple(others))
