"""What the user is told, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.confirmation.expected import Expected
from edge.confirmation.places import Fork, Spot
from edge.confirmation.sensor_health import SensorFault

AGAIN_S = 60.0
"""The same kind of trouble is told so often at most."""


@dataclass(slots=True)
class _Told:
    last_s: float
    held: int = 0


class Notices:
    """Tells each kind of trouble at once when it is new, and sums up what follows: a fault must not bury the line that
    says what to do about it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, _Told] = {}

    def tell(self, kind: str, line: str, now_s: float) -> None:
        """Says `line`, unless one of its kind was said a moment ago."""
        told = self._told.get(kind)
        if told is not None and now_s - told.last_s < AGAIN_S:
            told.held += 1
            return
        more = f" (and {told.held} more like it)" if told is not None and told.held else ""
        self._told[kind] = _Told(now_s)
        self._say(line + more)


def astray(part: Expected, seen: Spot, fork: Fork | None) -> str:
    """A part in the wrong place."""
    blamed = f": {fork.gate} should have stood at {fork.planned}, and stood at {fork.took}" if fork else ""
    return f"track {part.track_id}, planned for '{part.bin}', was seen {seen.where}{blamed}"


def lost(part: Expected) -> str:
    """A part that no sensor saw."""
    gate = f" after {part.way[-1][0]}" if part.way else ""
    return f"track {part.track_id}, planned for '{part.bin}', was seen nowhere{gate}"


def out_of_service(gate: str, failures: tuple[int, int], bins: tuple[str, ...], doubt: Spot | None) -> str:
    """A gate that does not divert; `doubt` is a sensor that may be blind instead."""
    failed, commands = failures
    names = ", ".join(f"'{name}'" for name in bins)
    either = f", or sensor {doubt.name} is blind: look which" if doubt else ""
    return (
        f"gate {gate} is out of service: {failed} of its last {commands} commands to divert failed{either}. Its bins"
        f" {names} get no parts. Check its arm, cable and power, then start again"
    )


def in_the_way(gate: str, failures: tuple[int, int], took: str) -> str:
    """A gate that diverts what should pass."""
    failed, commands = failures
    return (
        f"gate {gate} stays at {took}: {failed} of the last {commands} parts that should have passed it did not."
        " Free its arm and check its cable, then start again"
    )


def nothing_comes(end: Spot, parts: int) -> str:
    """The end of the main way stays empty, and no sensor tells where the parts went."""
    return (
        f"{parts} parts in a row did not come to {end.place}: a gate stands in the way, or sensor {end.name} is blind."
        " Look which, then start again"
    )


def sensor_fault(spot: Spot, fault: SensorFault, failures: tuple[int, int], error: str) -> str:
    """A sensor that cannot be trusted."""
    failed, of_last = failures
    what = {
        SensorFault.BLIND: f"did not see {failed} of the last {of_last} parts that must have come to it: clean and"
        " align it, and look whether something is stuck before it",
        SensorFault.DUSTY: f"fired {failed} of the last {of_last} times without a part: clean it and check its cable",
        SensorFault.STUCK: "is dark all the time: take out what lies in its beam (is the bin full?) and align it",
        SensorFault.DEAD: f"does not answer ({error}): check its cable, then start again",
    }[fault]
    return f"sensor {spot.name} {what}. Until then {spot.place} is not checked"


def sensor_recovered(spot: Spot) -> str:
    return f"sensor {spot.name} works again: {spot.place} is checked"
