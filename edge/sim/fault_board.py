"""The board on which the devices of a simulated machine are broken and repaired, at once or at an instant of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.errors import HardwareError, InputError
from edge.sim.accelerator import AcceleratorFault, SimAccelerator
from edge.sim.belt import EncoderFault
from edge.sim.camera import CameraFault, SimCamera
from edge.sim.disk import DiskFault, SimDisk
from edge.sim.feeder import FeederFault
from edge.sim.gates import GateFault
from edge.sim.sensors import SensorFault, SimSensor
from edge.sim.world import SimWorld

Fault = Callable[["FaultBoard"], None]

GATE_STANDS_OFF_MM = 2.0
"""How far before a gate a part jams that is caught at it."""


@dataclass(eq=False)
class FaultBoard:
    """Breaks and repairs the devices of one simulated machine; `log` records (time_s, what).

    Attributes:
        gate_name: the gate that the gates' faults break, the first one.
        accelerator: where one was made to be spoilt; likewise `disk` and `sensors`.
        wall_off_s: how far the wall clock was put forward.
        say: told of everything that is broken or repaired, as it happens.
    """

    world: SimWorld
    camera: SimCamera
    log: list[tuple[float, str]] = field(default_factory=list)
    gate_name: str = field(init=False)
    accelerator: SimAccelerator | None = None
    disk: SimDisk | None = None
    sensors: Mapping[str, SimSensor] = field(default_factory=dict)
    wall_off_s: float = 0.0
    say: Callable[[str], None] = lambda line: None
    _planned: list[tuple[float, Fault]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate_name = next(iter(self.world.gates))
        self.world.on_tick(self._due)

    def at(self, instant_s: float, fault: Fault) -> None:
        """Inject a fault at the first tick from an instant on: `board.at(60, lambda b: b.break_gate(STUCK))`."""
        self._planned.append((instant_s, fault))

    def fail_camera(self, fault: CameraFault) -> None:
        self._note(f"camera {fault}")
        self.camera.fail(fault)

    def repair_camera(self, fault: CameraFault) -> None:
        self._note(f"camera no longer {fault}")
        self.camera.repair(fault)

    def break_gate(self, fault: GateFault, name: str | None = None) -> None:
        name = name or self.gate_name
        self._note(f"gate {name} {_now(fault)}")
        self.world.gates[name].break_down(fault)

    def seize_gate(self, *, at_rest: bool) -> None:
        """Let the gate stick as soon as it stands at rest, or in another position."""
        gate, now_s = self.world.gates[self.gate_name], self.world.clock.now_s()
        place = gate.held(now_s, now_s)
        if place is not None and (place == gate.rest) is at_rest:
            self.break_gate(GateFault.STUCK)
        else:
            self._planned.append((now_s, lambda board: board.seize_gate(at_rest=at_rest)))

    def break_accelerator(self, fault: AcceleratorFault) -> None:
        self._note(f"accelerator {_now(fault)}")
        if self.accelerator is None:
            raise HardwareError("faults: this machine's accelerator is no simulated one")
        self.accelerator.fault = fault

    def break_disk(self, fault: DiskFault) -> None:
        self._note(f"disk {_now(fault)}")
        if self.disk is None:
            raise HardwareError("faults: this machine keeps no journal on a simulated disk")
        self.disk.break_down(fault)

    def break_feeder(self, fault: FeederFault) -> None:
        self._note(f"feeder {_now(fault)}")
        self.world.feeder.fault = fault

    def break_sensor(self, fault: SensorFault) -> None:
        """Break the first of the sensors."""
        self._note(f"sensor {_now(fault)}")
        if not self.sensors:
            raise InputError("a sensor's fault: this machine has no sensors")
        for sensor in list(self.sensors.values())[:1]:
            sensor.break_down(fault)

    def stall_belt(self, stalled: bool = True) -> None:
        """Block the belt while its motor runs, or free it."""
        self._note("belt stalled" if stalled else "belt free")
        self.world.belt.stalled = stalled

    def belt_speed(self, factor: float) -> None:
        """Let the belt run at `factor` times its speed."""
        self._note(f"belt speed × {factor:g}")
        self.world.belt.speed_factor = factor

    def slip_belt(self, share: float) -> None:
        """Let the belt fall behind its roller by a share of the way."""
        self._note(f"belt slips by {share:.0%}")
        self.world.belt.slip = share

    def break_encoder(self, fault: EncoderFault) -> None:
        self._note(f"encoder {_now(fault)}")
        self.world.encoder.break_down(fault)

    def jam_in_view(self) -> None:
        """Catch the next part in the middle of the picture."""
        camera = self.world.settings.camera
        self._jam(camera.station_mm + camera.seen_mm / 2)

    def jam_at_gate(self) -> None:
        """Catch the next part just before the gate."""
        self._jam(self.world.gates[self.gate_name].x_mm - GATE_STANDS_OFF_MM)

    def free_jams(self) -> None:
        self._note("jam cleared")
        self.world.mishaps.free()

    def drop_part(self, *, in_view: bool) -> None:
        """Let the next part fall off in the middle of the picture, or half way from there to the gate."""
        camera = self.world.settings.camera
        end_mm = camera.station_mm + camera.seen_mm
        middle_mm = (end_mm + self.world.gates[self.gate_name].x_mm) / 2
        self._note("a part will fall off")
        self.world.mishaps.fall_off(end_mm - camera.seen_mm / 2 if in_view else middle_mm)

    def put_wall_clock(self, forward_s: float) -> None:
        """Set the time of day, as a time server does after a start without a battery."""
        self._note(f"wall clock {forward_s:+g} s")
        self.wall_off_s += forward_s

    def _jam(self, x_mm: float) -> None:
        self._note(f"jam at {x_mm:.0f} mm")
        self.world.mishaps.jam(x_mm)

    def _due(self, now_s: float) -> None:
        due = [planned for planned in self._planned if planned[0] <= now_s]
        if due:
            self._planned = [planned for planned in self._planned if planned[0] > now_s]
            for _, fault in due:
                fault(self)

    def _note(self, what: str) -> None:
        self.log.append((self.world.clock.now_s(), what))
        self.say(f"(fault: {what})")


def _now(fault: str) -> str:
    return "works again" if fault == "none" else fault
