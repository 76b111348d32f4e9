"""Faults as a user orders them for a simulation: `camera-dark@20-28`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from edge.catalogue.spelling import did_you_mean
from edge.errors import InputError
from edge.sim.fault_board import FaultBoard
from edge.sim.faults import FAULTS, FaultKind

FROM_S = 10.0
"""When a fault begins that is ordered without an instant: parts are on their way by then."""


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """One fault, from when on, and until when it is repaired, in virtual seconds; infinity is never."""

    kind: FaultKind
    from_s: float
    until_s: float

    def place(self, board: FaultBoard) -> None:
        """Puts the order on a machine's board."""
        if self.kind.at_start:
            self.kind.inject(board)
        else:
            board.at(self.from_s, self.kind.inject)
        if self.kind.repair is not None and math.isfinite(self.until_s):
            board.at(self.until_s, self.kind.repair)


def read_orders(texts: Iterable[str]) -> tuple[FaultOrder, ...]:
    """Reads orders such as `gate-dead`, `gate-dead@30` and `camera-dark@20-28`.

    Raises:
        InputError: no such fault, no such time, or an end that is never reached.
    """
    return tuple(_read(text) for text in texts)


def belongs_to(orders: Iterable[FaultOrder], device: str) -> bool:
    """Whether any of them breaks a device of this kind, by the first word of its name."""
    return any(order.kind.name.split("-")[0] == device for order in orders)


def list_faults(kinds: Collection[FaultKind] = tuple(FAULTS.values())) -> list[str]:
    """A line for each fault that can be ordered."""
    width = max(len(kind.name) for kind in kinds)
    return [f"{kind.name:<{width}}  {kind.happens}" for kind in kinds]


def _read(text: str) -> FaultOrder:
    name, at, times = text.partition("@")
    kind = FAULTS.get(name)
    if kind is None:
        hint = did_you_mean(name, FAULTS) or "; --fault list names them all"
        raise InputError(f"--fault {text}: there is no fault '{name}'{hint}")
    if not at:
        return FaultOrder(kind, FROM_S, math.inf)
    from_text, dash, until_text = times.partition("-")
    from_s, until_s = _seconds(text, from_text), _seconds(text, until_text) if dash else math.inf
    if until_s <= from_s:
        raise InputError(f"--fault {text}: it would end before it begins: write {name}@20-28")
    if dash and kind.repair is None:
        raise InputError(f"--fault {text}: {name} has no end to wait for: write {name}@{from_text}")
    return FaultOrder(kind, from_s, until_s)


def _seconds(order: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InputError(f"--fault {order}: '{text}' is no time in seconds: write KIND@20 or KIND@20-28")
    return seconds
