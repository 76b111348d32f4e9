"""`brickgate-calibrate all`: from a machine that was just built to one that sorts, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.rig import Rig, Task
from calibration.step import run_step
from calibration.steps import step
from edge.config.calibration import STEPS, Measured
from edge.config.check_calibration import steps_alone
from edge.config.schema import MachineConfig
from edge.errors import BrickgateError

AGAIN, SKIP, END = "again", "skip", "end"


@dataclass(frozen=True, slots=True)
class Walked:
    """How a walk ended, by steps."""

    done: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.left_out


def walk(rig: Rig, file: Path, say: Callable[[str], None], names: Sequence[str] = STEPS) -> Walked:
    """Does one step after the other. One that is refused may be done again, left out, or end the walk.

    Args:
        file: calibration.yaml.
        say: told each step's beginning and end.
    """
    done: list[str] = []
    for place, name in enumerate(names, start=1):
        say(f"step {place} of {len(names)}: {step(name).title}")
        match _try(name, rig, file, say):
            case None:
                done.append(name)
            case "end":
                break
            case _:
                say(f"{name}: left out, {_holds(rig, name)} holds")
    return Walked(tuple(done), tuple(name for name in names if name not in done))


def _try(name: str, rig: Rig, file: Path, say: Callable[[str], None]) -> str | None:
    """None once it is done, else what the operator wants instead."""
    while True:
        try:
            run_step(step(name), rig, file)
        except BrickgateError as error:
            rest(rig)
            say(f"refused: {error}")
            words = f"Do {name} again, leave it out, or end here?"
            answer = rig.operator.do(Task(words, "choose", {"step": name}, 5.0, (AGAIN, SKIP, END)))
            if answer != AGAIN:
                return answer
            continue
        say(f"{name}: done, written to {file}")
        return None


def _holds(rig: Rig, name: str) -> str:
    before: Measured | None = getattr(rig.calibration, name)
    return f"the calibration of {before.made_at:%Y-%m-%d %H:%M}" if before else "what machine.yaml says"


def steps_of(machine: MachineConfig) -> tuple[str, ...]:
    """The steps of a machine's walk: a recording's camera has no settings."""
    return tuple(name for name in STEPS if name != "camera" or machine.camera.driver != "frames")


def steps_after(machine: MachineConfig) -> tuple[str, ...]:
    """What is measured by itself after the walk."""
    if machine.camera.driver == "frames":
        return ()
    return tuple(steps_alone(machine))


def rest(rig: Rig) -> None:
    """Feeder and belt off, gates at rest: whatever a step was at when it was given up."""
    rig.feeder.set_rate(0)
    rig.belt_motor.stop()
    for gate in rig.gates.values():
        gate.move_to(gate.rest)
