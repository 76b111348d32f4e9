"""Reserve, or refuse: which way a part goes, and which gates are held for it from where to where on the belt.

Every part on the belt holds every gate that it will pass in some position, also the parts that only ride on
to the default bin: a gate never swings under a part that somebody has told the planner of. A bin is granted
only when all gates on its way can be held; otherwise the part goes to the default bin, and when even that way
crosses another part's, that other part gives way too. Refusing is cheap, mixing is not.

How often a part is refused: two parts too near for a gate to move between can only be served by the same bin. The
planner therefore tries every bin that would do, and asks neighbours to change theirs (`Granting`).
"""

from __future__ import annotations

from edge.records import BinDecision, Plan
from edge.scheduling.bookings import BookedPart, Bookings, Moment, PlannerSettings
from edge.scheduling.default_way import DefaultWay
from edge.scheduling.granting import Granting, Obstacle
from edge.scheduling.topology import Fork, Topology

FASTER = 1.01
"""A belt that may run faster by this than it was planned for needs its plans looked at."""


class Planner:
    """Plans parts one by one, all on the belt coordinate. Called from one thread.

    A track may be planned again at any time (a better extent, a later decision): its new plan replaces the
    old one as far as the gates have not moved for it yet. `Plan.revised` holds new plans of other tracks;
    they replace theirs. So do those of `keep_up`, to be called once a frame.
    """

    def __init__(self, topology: Topology, settings: PlannerSettings) -> None:
        self._topology = topology
        margins_mm = [gate.margin_mm / 2 for gate in topology.gates.values()]
        self._tolerance_mm = min([settings.extent_tolerance_mm, *margins_mm])
        self._bookings = Bookings(topology, settings)
        self._granting = Granting(topology, self._bookings)
        self._default_way = DefaultWay(topology, self._bookings)
        self._planned_mm_per_s = float("inf")
        """The slowest belt that any plan since the last look reckoned with."""
        self._to_free: set[str] = set()
        """Gates that went out of service, and whose parts have not been told yet."""

    @property
    def bookings(self) -> Bookings:
        return self._bookings

    @property
    def default_bin(self) -> str:
        return self._topology.default_bin

    @property
    def gates_out_of_service(self) -> frozenset[str]:
        return frozenset(self._bookings.out_of_service)

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
        moment = self._now(now_belt_mm, belt_mm_per_s)
        part, same_place = self._part(decision.track_id, lead_belt_mm, trail_belt_mm)
        default = self._topology.default_bin
        wants_default = decision.bin == default
        wanted = () if wants_default else (decision.bin, *(b for b in decision.candidates if b != default))
        if same_place and wanted == part.wanted and part.bin in wanted:
            return self._answer(part, {}, moment)
        part.wanted = wanted
        revised: dict[int, str] = {}
        obstacle = self._granting.grant(part, moment, revised) if wanted else None
        served = bool(wanted) and obstacle is None
        why = "" if served else self._settle(part, moment, revised, obstacle)
        self._granting.retry_waiting(part, moment, revised)
        return self._answer(part, revised, moment, why)

    def plan_default(
        self,
        track_id: int,
        lead_belt_mm: float,
        trail_belt_mm: float,
        now_belt_mm: float,
        belt_mm_per_s: float,
    ) -> Plan:
        """Protects a part that nobody could name (or not yet): it rides to the default bin."""
        moment = self._now(now_belt_mm, belt_mm_per_s)
        part, _ = self._part(track_id, lead_belt_mm, trail_belt_mm)
        part.wanted = ()
        revised: dict[int, str] = {}
        why = self._settle(part, moment, revised)
        return self._answer(part, revised, moment, why)

    def divert(self, track_id: int, gate: str, held: str, now_belt_mm: float, belt_mm_per_s: float) -> Plan | None:
        """A command came late and `gate` stands in `held` for the part: plans the rest of its way from there.

        Returns:
            The new plan, or None when the part is not known (any more).
        """
        moment = self._now(now_belt_mm, belt_mm_per_s)
        part = self._bookings.parts.get(track_id)
        if part is None:
            return None
        if gate in part.reservations:
            self._bookings.drop(part, gate)
        part.held[gate] = held
        part.wanted = ()
        self._default_way.follow(part, gate, held, moment)
        revised: dict[int, str] = {}
        why = self._settle(part, moment, revised, Obstacle(f"{gate} was late and stayed at {held}"))
        return self._answer(part, revised, moment, why)

    def out_of_service(self, gate: str) -> None:
        """Plans no movement of the gate any more: it is taken to stand at rest, and the bins that need it elsewhere
        are refused. Parts that were promised one of them get a new plan from the next `keep_up`.

        Raises:
            ValueError: no such gate.
        """
        if gate not in self._topology.gates:
            raise ValueError(f"no gate {gate!r}: there are {', '.join(self._topology.gates)}")
        self._bookings.out_of_service.add(gate)
        self._to_free.add(gate)
        self._default_way.find()

    def in_service(self, gate: str) -> None:
        """Takes the gate into the plans again; parts already refused because of it stay refused."""
        self._bookings.out_of_service.discard(gate)
        self._to_free.discard(gate)
        self._default_way.find()

    def keep_up(self, now_belt_mm: float, belt_mm_per_s: float) -> tuple[Plan, ...]:
        """Plans anew what does not hold any more, because the belt has become faster than it was planned for or a gate
        went out of service: once a frame, at next to no cost while nothing has changed."""
        bookings, revised = self._bookings, dict[int, str]()
        moment = bookings.at(now_belt_mm, belt_mm_per_s)
        for gate in self._to_free:
            rest = self._topology.gates[gate].rest
            for track_id, part in list(bookings.parts.items()):
                reservation = part.reservations.get(gate)
                if reservation is None or reservation.position == rest or bookings.is_moving(gate, reservation, moment):
                    continue
                harm = self._settle(part, moment, revised)
                revised[track_id] = "; ".join(filter(None, (f"gate {gate} is out of service", harm)))
        self._to_free.clear()
        if moment.worst_mm_per_s > self._planned_mm_per_s * FASTER:
            self._planned_mm_per_s = moment.worst_mm_per_s
            too_tight = [*bookings.too_close(moment), *self._granting.cannot_be_undone(moment)]
            for gate, *holding in too_tight:
                for track_id in self._default_way.send_away(holding, moment):
                    revised[track_id] = f"the belt became too fast for {gate} to move in time"
        return self._revise(revised, moment)

    def load(self, now_belt_mm: float, belt_mm_per_s: float) -> float:
        """Share, 0 to 1, of the next stretch of belt that is taken at the busiest gate: held for parts there, or needed
        to move between them. The stretch is as long as the way to the first gate, all of which the camera has seen
        or is about to see. 0 without gates."""
        root = self._topology.layout
        if not isinstance(root, Fork):
            return 0.0
        ahead_mm = self._topology.gates[root.gate].x_mm
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        return max(self._bookings.reserved_share(gate, ahead_mm, moment) for gate in self._topology.gates)

    def _now(self, belt_mm: float, mm_per_s: float) -> Moment:
        moment = self._bookings.at(belt_mm, mm_per_s)
        self._planned_mm_per_s = min(self._planned_mm_per_s, moment.worst_mm_per_s)
        return moment

    def _part(self, track_id: int, lead_mm: float, trail_mm: float) -> tuple[BookedPart, bool]:
        """The part, and whether it lies where it was booked: measuring noise must not cost it its gates."""
        part = self._bookings.parts.get(track_id)
        if part is None:
            return BookedPart(track_id, lead_mm, trail_mm), False
        moved_mm = max(abs(part.lead_mm - lead_mm), abs(part.trail_mm - trail_mm))
        # Each edge by itself: a far end that comes into view late must not take the near one's noise along.
        if abs(part.lead_mm - lead_mm) > self._tolerance_mm:
            part.lead_mm = lead_mm
        if abs(part.trail_mm - trail_mm) > self._tolerance_mm:
            part.trail_mm = trail_mm
        return part, moved_mm <= self._tolerance_mm

    def _settle(
        self, part: BookedPart, moment: Moment, revised: dict[int, str], obstacle: Obstacle | None = None
    ) -> str:
        """Sends the part to the default bin, or as near to it as gates that already move allow; says why."""
        outcome = self._default_way.settle(part, moment)
        for track_id, gate in outcome.gave_way.items():
            revised[track_id] = f"made way for track {part.track_id} at {gate}"
        return "; ".join(filter(None, (obstacle.why if obstacle else "", outcome.harm)))

    def _answer(self, part: BookedPart, revised: dict[int, str], moment: Moment, why: str = "") -> Plan:
        plans = self._revise(revised, moment, part)
        # What others gave up may have left room for it after all.
        refused = part.bin not in part.wanted and (bool(why) or self._gave_up(part))
        return Plan(
            part.track_id, part.bin, refused, self._bookings.commands(part, moment), why if refused else "", plans
        )

    def _revise(self, revised: dict[int, str], moment: Moment, but: BookedPart | None = None) -> tuple[Plan, ...]:
        """The new plans of parts whose way has changed; who gave way gets another of its bins where there is one."""
        for track_id in list(revised):
            other = self._bookings.parts[track_id]
            if other.wanted and self._gave_up(other):
                self._granting.grant(other, moment, revised)
        plans = []
        for track_id, why in revised.items():
            other = self._bookings.parts[track_id]
            if other is not but:
                refused = self._gave_up(other)
                commands = self._bookings.commands(other, moment)
                plans.append(Plan(track_id, other.bin, refused, commands, why if refused else ""))
        return tuple(plans)

    def _gave_up(self, part: BookedPart) -> bool:
        return part.bin not in (part.wanted or (self._topology.default_bin,))
