"""The machine's own word on itself: a small JSON file that the service writes and the status page reads."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

MAX_BYTES = 256_000
"""A file that is larger is none of ours."""
MAX_LINES = 100
"""Of each list in it."""
SILENT_S = 12.0
"""A machine that sorts says so every 2 s, and systemd ends one that has hung for 10 s."""


class State(StrEnum):
    """What the machine does; the words of the file, and `UNKNOWN` where there is none."""

    STARTING = "starting"
    SORTING = "sorting"
    STOPPED = "stopped"
    SAFE_MODE = "safe-mode"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MachineState:
    """One reading of the file. Instants are seconds since 1970, as the system's clock has them."""

    state: State
    reason: str = ""
    since_s: float | None = None
    heard_s: float | None = None
    """When the file was written; None where it does not say."""
    version: str = ""
    accelerator: str = ""
    ms_per_look: float | None = None
    config_errors: tuple[str, ...] = ()
    """Each with its file and line, as `brickgate check-config` says them."""
    address: str = ""


def read_state(file: Path) -> MachineState:
    """The state in `file`; `UNKNOWN`, with the reason, where it is missing or cannot be read. Never raises."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return MachineState(State.UNKNOWN, "The sorting service has not reported since the start of the system.")
    except OSError as error:
        return MachineState(State.UNKNOWN, f"{file} cannot be read ({error.strerror}).")
    try:
        values = json.loads(data) if len(data) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return MachineState(State.UNKNOWN, f"{file} holds no state that can be read.")
    return _state_of(values)


def at_instant(machine: MachineState, now_s: float) -> MachineState:
    """What is to be believed at `now_s`: the file outlives a process that was killed, and one that hangs leaves it as
    it is."""
    if machine.state is not State.SORTING or machine.heard_s is None or now_s - machine.heard_s <= SILENT_S:
        return machine
    silent = f"It sorted when it was last heard of, {now_s - machine.heard_s:.0f} s ago"
    return replace(
        machine,
        state=State.UNKNOWN,
        reason=f"{silent}: it hangs, or has ended and is about to be started again.",
        ms_per_look=None,
    )


def _state_of(values: dict[str, Any]) -> MachineState:
    word = _text(values.get("state"))
    known = word in set(State)
    reason = _text(values.get("reason"))
    return MachineState(
        State(word) if known else State.UNKNOWN,
        reason if known else f"The machine calls its state '{word}', which this page does not know. {reason}".strip(),
        _number(values.get("since")),
        _number(values.get("at")),
        _text(values.get("version")),
        _text(values.get("accelerator")),
        _number(values.get("ms_per_look")),
        _lines(values.get("config_errors")),
        _text(values.get("address")),
    )


def _text(value: object) -> str:
    return value[:2000] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return number if math.isfinite(number) else None


def _lines(value: object) -> tuple[str, ...]:
    return tuple(_text(line) for line in value[:MAX_LINES] if _text(line)) if isinstance(value, list) else ()
