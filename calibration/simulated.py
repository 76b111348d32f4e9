"""The simulated machine as a rig: hidden truths, and hands that do what the operator is asked to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from calibration.dropping import count_parts, drop_any, drop_bricks, drop_small, fill_small, name_colour, switch_belt
from calibration.laying import clear, lay_bricks, lay_sheet, measure_with
from calibration.naming import again_kind, choose_purity, drop_kind, name_kind
from calibration.nudging import nudge, watch_gates
from calibration.rig import Rig, Task
from edge.bundle.manifest import Bundle
from edge.catalogue.colours import load_colours
from edge.config.bins import BinsConfig
from edge.config.calibrated import calibrated
from edge.config.calibration import SIMULATED, Calibration
from edge.config.schema import MachineConfig
from edge.hardware.factory import make_accelerator, model_for
from edge.hardware.interfaces import Accelerator
from edge.sim.accelerator import TemperedAccelerator
from edge.sim.build import SimMachine, build, sim_settings, with_pulses
from edge.sim.hidden import HiddenTruth, draw_hidden, hide
from edge.sim.parts import Wanted
from edge.sim.sensors import sim_sensors
from edge.simulate import lock_camera

EPOCH_S = 1_767_225_600.0
"""2026-01-01, as `edge.simulate` counts."""


@dataclass(slots=True)
class SimOperator:
    """Does in the simulated world what a person does at the machine, and counts how long a person takes."""

    sim: SimMachine
    truth: HiddenTruth
    say_to: Callable[[str], None] = lambda line: None
    tasks: list[Task] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    """How well hands lay things."""
    measures_with: str = "sheet"
    """What the plane is measured with: the sheet, or bricks such as "2x4"."""
    dropped: list[Wanted] = field(default_factory=list)
    """What was dropped last that is to be named."""
    emptied: dict[str, int] = field(default_factory=dict)
    """How many of the parts that ended in a bin were counted and taken out of it."""
    kinds: list[str] = field(default_factory=list)
    """The kinds that it takes when it is asked for some, the next first; empty: any."""
    retries: int = 1
    """How often it tries once more when a kind was refused."""
    one_in: int = 200
    """It wants one wrong part in so many."""

    @property
    def took_s(self) -> float:
        """What the tasks so far take a person."""
        return sum(task.takes_s for task in self.tasks)

    def do(self, task: Task) -> str:
        self.tasks.append(task)
        return _HANDS[task.kind](self, task)

    def say(self, line: str) -> None:
        self.say_to(line)


def choose(operator: SimOperator, task: Task) -> str:
    """What to do about a refused step: once more while it has patience, then without."""
    if not operator.retries:
        return "skip"
    operator.retries -= 1
    return "again"


_HANDS: dict[str, Callable[[SimOperator, Task], str]] = {
    "clear": clear,
    "lay-sheet": lay_sheet,
    "lay-bricks": lay_bricks,
    "measure-with": measure_with,
    "drop-any": drop_any,
    "switch-belt": switch_belt,
    "drop-bricks": drop_bricks,
    "name": name_colour,
    "drop-small": drop_small,
    "fill": fill_small,
    "count": count_parts,
    "nudge": nudge,
    "watch-gates": watch_gates,
    "drop-kind": drop_kind,
    "name-kind": name_kind,
    "again-kind": again_kind,
    "choose-purity": choose_purity,
    "choose": choose,
}
"""What each kind of task comes to in the simulated world."""


def simulated_rig(
    machine: MachineConfig,
    bins: BinsConfig,
    seed: int,
    truth: HiddenTruth | None = None,
    calibration: Calibration | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Rig:
    """A simulated machine that stands still, its camera and encoder started.

    Args:
        seed: of everything random.
        truth: what it is really like; None: drawn from the seed.
        calibration: what has been measured before.
        say: told what the operator is told.
    """
    # Nothing comes but what the operator lays down, and the world waits for it without end.
    settings = sim_settings(machine, bins, parts=1_000_000, parts_per_min=0.0)
    truth = truth or draw_hidden(machine, settings, seed)
    calibration = calibration or Calibration()
    hidden = with_pulses(hide(settings, truth), calibrated(machine, calibration).gates)
    sim = build(replace(hidden, patience_s=math.inf), load_colours(), seed=seed)
    world = sim.world
    sensors = sim_sensors(machine.sensors, world, seed)
    for device in (sim.camera, world.encoder, *sensors.values()):
        device.start()
    lock_camera(sim.camera, calibration)
    begun_s = _begun_s(calibration)
    return Rig(
        machine=machine,
        bins=bins,
        calibration=calibration,
        camera=sim.camera,
        controls=sim.camera,
        gates=world.gates,
        sensors=sensors,
        feeder=world.feeder,
        belt_motor=world.belt_motor,
        encoder=world.encoder,
        clock=world.clock,
        operator=SimOperator(sim, truth, say, rng=np.random.default_rng([seed, 78])),
        wait_until=world.advance_to,
        source=f"{SIMULATED} {seed}",
        open_accelerator=lambda bundle: _accelerator(machine, bundle, truth.temperature),
        now=lambda: datetime.fromtimestamp(begun_s + world.clock.now_s(), UTC),
    )


def _begun_s(calibration: Calibration) -> float:
    """When its world begins, in s since 1970: after what was measured in others before."""
    return max([EPOCH_S, *(section.made_at.timestamp() + 60.0 for section in calibration.measured().values())])


def _accelerator(machine: MachineConfig, bundle: Bundle, temperature: float) -> Accelerator:
    accelerator = TemperedAccelerator(make_accelerator(machine.accelerator, lambda line: None), temperature)
    accelerator.load(model_for(machine.accelerator, bundle))
    return accelerator
