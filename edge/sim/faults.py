"""Faults to inject into the simulated machine, at once or at an instant of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.sim.belt import EncoderFault
from edge.sim.camera import CameraFault, SimCamera
from edge.sim.gates import GateFault
from edge.sim.world import SimWorld

Fault = Callable[["FaultBoard"], None]


@dataclass(eq=False)
class FaultBoard:
    """Breaks and repairs the devices of one simulated machine; `log` records (time_s, what)."""

    world: SimWorld
    camera: SimCamera
    log: list[tuple[float, str]] = field(default_factory=list)
    _planned: list[tuple[float, Fault]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.on_tick(self._due)

    def at(self, instant_s: float, fault: Fault) -> None:
        """Inject a fault at the first tick from an instant on: `board.at(60, lambda b: b.gate("g1", STUCK))`."""
        self._planned.append((instant_s, fault))

    def fail_camera(self, fault: CameraFault) -> None:
        self._note(f"camera {fault}")
        self.camera.fail(fault)

    def repair_camera(self, fault: CameraFault) -> None:
        self._note(f"camera no longer {fault}")
        self.camera.repair(fault)

    def gate(self, name: str, fault: GateFault, slowness: float = 4.0) -> None:
        self._note(f"gate {name} {fault}")
        self.world.gates[name].break_down(fault, slowness)

    def stall_belt(self, stalled: bool = True) -> None:
        """Block the belt while its motor runs, or free it."""
        self._note("belt stalled" if stalled else "belt free")
        self.world.belt.stalled = stalled

    def belt_speed(self, factor: float) -> None:
        """Let the belt run at `factor` times its speed."""
        self._note(f"belt speed × {factor:g}")
        self.world.belt.speed_factor = factor

    def drop_encoder(self, dropped: bool = True) -> None:
        """Let the encoder count nothing, or count again."""
        self._note("encoder dropped" if dropped else "encoder back")
        self.world.encoder.break_down(EncoderFault.DROPPED if dropped else EncoderFault.NONE)

    def _due(self, now_s: float) -> None:
        due = [planned for planned in self._planned if planned[0] <= now_s]
        if due:
            self._planned = [planned for planned in self._planned if planned[0] > now_s]
            for _, fault in due:
                fault(self)

    def _note(self, what: str) -> None:
        self.log.append((self.world.clock.now_s(), what))
