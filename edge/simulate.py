"""`brickgate simulate`: the real pipeline on the simulated machine, in virtual time, scored against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.captures import capturing
from edge.clock import MonotonicClock
from edge.config.calibration import Calibration
from edge.config.schema import AcceleratorConfig, GpioEncoderConfig, MachineConfig, SimEncoderConfig
from edge.errors import HardwareError, InputError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.factory import guard, make_accelerator, model_for
from edge.hardware.guarded import GuardedAccelerator
from edge.hardware.interfaces import Accelerator, Camera, Encoder
from edge.hardware.tracked_encoder import TrackedEncoder
from edge.journal.journal import Journal
from edge.machine import Devices, Machine, Plans, assemble
from edge.overlay import VideoWriter, draw
from edge.part_state import Outcome, PartState
from edge.parts_record import open_journal
from edge.records import CameraLock, CommandStatus, GateReport
from edge.signals import StopRequest
from edge.sim.accelerator import SimAccelerator, TemperedAccelerator
from edge.sim.build import SimMachine, build, sim_settings, with_pulses
from edge.sim.camera import SimCamera
from edge.sim.disk import SimDisk
from edge.sim.fault_board import FaultBoard
from edge.sim.fault_orders import FaultOrder, belongs_to
from edge.sim.hidden import HiddenTruth, draw_hidden, hide
from edge.sim.parts import SimPart
from edge.sim.score import Decided, Score, score
from edge.sim.sensors import sim_sensors
from edge.sim.sprites import SpriteAtlas
from edge.sim.world import SimWorld
from edge.simulate_result import SimulateResult
from edge.tracking.settings import tracking_settings

THE_END = "the run has ended"
EPOCH_S = 1_767_225_600.0
"""2026-01-01: virtual time starts there in the journal, so that the same seed writes the same journal."""


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """How long and how a simulation runs."""

    parts: int
    parts_per_min: float
    seed: int
    realtime: bool = False
    journal: Path | None = None
    video: Path | None = None
    capture: Path | None = None
    faults: tuple[FaultOrder, ...] = ()
    hidden: int | None = None
    """The machine is not as machine.yaml says, but as it is drawn from this number; None: it is."""


def run_simulation(
    plans: Plans,
    options: SimulateOptions,
    warn: Callable[[str], None],
    progress: Callable[[int], None],
    stop: StopRequest | None = None,
    atlas: SpriteAtlas | None = None,
) -> SimulateResult:
    """Feeds the parts, lets the machine sort them, and compares where each ended with where it belongs.

    Args:
        warn: told in one line of what the user should know.
        progress: told the number of parts that have been fed.
        stop: looked at between two frames; what was decided until then is recorded.
        atlas: sprites of the parts that come; None: the shipped ones.

    Raises:
        BrickgateError: the journal, the video or the model cannot be used.
    """
    sim, truth = built(plans, options, atlas)
    world, board = sim.world, sim.faults
    say = _with_times(world, warn) if options.faults else warn
    with ExitStack() as stack:
        board.say = say
        sensors = board.sensors = sim_sensors(plans.config.sensors, world, options.seed)
        accelerator = stack.enter_context(_accelerator(plans, options, truth, board, say))
        encoder = sim_encoder(plans.config, world)
        devices = Devices(accelerator, world.gates, world.feeder, world.belt_motor, encoder, world.clock, sensors)
        journal = _open_journal(plans, options, board, say, stack)
        for order in options.faults:
            order.place(board)
        accelerator.load(model_for(plans.config.accelerator, plans.bundle))
        decided: dict[int, PartState] = {}
        machine = assemble(
            plans, devices, journal, lambda: EPOCH_S + world.clock.now_s() + board.wall_off_s, say,
            lambda part: decided.update({part.track.track_id: part}),
        )  # fmt: skip
        observe = stack.enter_context(capturing(options.capture, plans, warn, threaded=False))
        result = _drive(sim, machine, options, journal, decided, progress, observe, stop or StopRequest())
        if options.faults and result.stopped:
            say(f"the machine stopped itself: {result.stopped}")
    return replace(result, unrecorded=journal.unsaved + journal.lost) if journal else result


def built(
    plans: Plans, options: SimulateOptions, atlas: SpriteAtlas | None = None
) -> tuple[SimMachine, HiddenTruth | None]:
    """The simulated machine, standing still, and what it hides: None for one that is what machine.yaml says."""
    machine = plans.written or plans.config
    settings = sim_settings(machine, plans.bins, parts=options.parts, parts_per_min=options.parts_per_min)
    if options.hidden is None:
        return build(settings, plans.colours, seed=options.seed, atlas=atlas), None
    truth = draw_hidden(machine, settings, options.hidden)
    hidden = hide(settings, truth)
    if isinstance(plans.config.belt.encoder, SimEncoderConfig | GpioEncoderConfig):
        # What it counts is true; what a count is taken for has been measured, or not.
        belt = replace(hidden.belt, believed_mm_per_tick=plans.config.belt.encoder.mm_per_tick)
        hidden = replace(hidden, belt=belt)
    hidden = with_pulses(hidden, plans.config.gates)
    return build(hidden, plans.colours, seed=options.seed, atlas=atlas, machine_seed=options.hidden), truth


def sim_encoder(config: MachineConfig, world: SimWorld) -> Encoder:
    """What tells the travel of the simulated belt: the simulated encoder, or what machine.yaml has in place of one."""
    belt, motor = config.belt, world.belt_motor
    running_s = world.clock.now_s if belt.motor.driver == "none" else motor.running_s
    if belt.encoder.driver == "tracker":
        return TrackedEncoder(belt.belt_mm_per_s, running_s)
    return ConstantEncoder(belt.belt_mm_per_s, running_s) if belt.encoder.driver == "constant" else world.encoder


def _with_times(world: SimWorld, warn: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: warn(f"{world.clock.now_s():.1f} s: {line}")


@contextmanager
def _accelerator(
    plans: Plans, options: SimulateOptions, truth: HiddenTruth | None, board: FaultBoard, say: Callable[[str], None]
) -> Iterator[Accelerator]:
    """The configured one, no model loaded; one that is to break stands on the board, with a CPU in reserve."""
    config = plans.config.accelerator
    accelerator: Accelerator = make_accelerator(config, say)
    if truth is not None:
        accelerator = TemperedAccelerator(accelerator, truth.temperature)
    if belongs_to(options.faults, "accelerator"):
        board.accelerator = SimAccelerator(accelerator, _time_passes(board.world), options.seed)
        spare = AcceleratorConfig(runtime=config.runtime, threads=config.threads)
        guarded = GuardedAccelerator(
            board.accelerator, lambda: make_accelerator(spare, say), plans.bundle.model_for("cpu"),
            board.world.clock, say,
        )  # fmt: skip
    else:
        guarded = guard(accelerator, config, plans.bundle, MonotonicClock(), say)
    try:
        yield guarded
    finally:
        guarded.close()


def _time_passes(world: SimWorld) -> Callable[[float], None]:
    return lambda duration_s: world.advance_to(world.clock.now_s() + duration_s)


def _open_journal(
    plans: Plans, options: SimulateOptions, board: FaultBoard, say: Callable[[str], None], stack: ExitStack
) -> Journal | None:
    """The journal, on a card that can break where that was ordered."""
    breaks = belongs_to(options.faults, "card")
    if options.journal is None:
        if breaks:
            raise InputError("--fault card-…: there is nothing on the card: name a journal with --journal")
        return None
    board.disk = SimDisk() if breaks else None
    # A card that hangs must hang a thread of its own.
    journal = open_journal(plans.config.journal, options.journal, say, threaded=breaks, disk=board.disk)
    stack.callback(journal.close)
    if board.disk is not None:
        stack.callback(board.disk.let_go)
    return journal


def _drive(
    sim: SimMachine,
    machine: Machine,
    options: SimulateOptions,
    journal: Journal | None,
    decided: dict[int, PartState],
    progress: Callable[[int], None],
    observe: Callable[[Outcome], None],
    stop: StopRequest,
) -> SimulateResult:
    world, camera, plans = sim.world, sim.camera, machine.plans
    late: list[GateReport] = []
    couple(world, machine, lambda report: late.append(report) if report.status is CommandStatus.LATE else None)
    writer = VideoWriter(options.video, plans.config.camera.frames_per_s) if options.video else None
    pace = MonotonicClock()
    start_s, frames, fault = pace.now_s(), 0, ""
    try:
        start(camera, machine, options.parts_per_min)
        lock_camera(camera, plans.calibration)
        while machine.safety.reason is None and stop.signal is None:
            frame = camera.next_frame(timeout_s=2.0)
            if frame is None:
                break
            outcome = machine.see(frame)
            frames += 1
            observe(outcome)
            progress(world.fed)
            if writer:
                writer.write(draw(outcome, tracking_settings(plans.config), plans.bundle.parts, plans.bins.default_bin))
            if journal:
                journal.save_when_due()
            if options.realtime:
                pace.sleep_until(start_s + world.clock.now_s())
    except HardwareError as error:
        # As in `run`: a device that fails ends the run, and what was decided is kept.
        fault = str(error)
    finally:
        machine.pipeline.close()
        machine.safety.stop(machine.safety.reason or fault or THE_END)
        camera.close()
        if writer:
            writer.close()
    if writer:
        writer.check()
    return _result(sim, machine, decided, frames, len(late), pace.now_s() - start_s)


def start(camera: Camera, machine: Machine, parts_per_min: float) -> None:
    """Starts a simulated machine: what measures first, then what moves.

    Raises:
        HardwareError: a device does not start.
    """
    for device in (camera, machine.devices.encoder, *machine.devices.sensors.values()):
        device.start()
    machine.safety.start_belt()
    machine.feeding.start(parts_per_min)


def lock_camera(camera: SimCamera, calibration: Calibration) -> None:
    """Locks a started camera as it was calibrated; one that was not stays as it was built."""
    if locked := calibration.camera:
        camera.lock(CameraLock(locked.exposure_s, locked.gain, locked.white_balance, locked.focus_dioptres))


def couple(world: SimWorld, machine: Machine, observe: Callable[[GateReport], None] = lambda report: None) -> None:
    """Lets the machine act at every tick of the world, and the world know where the machine takes the belt to be.

    Args:
        observe: told of each command that was carried out or dropped.
    """

    def tick(now_s: float) -> None:
        for report in machine.act(now_s):
            observe(report)

    world.on_tick(tick)
    world.read_belt_mm = lambda: machine.belt.sample(world.clock.now_s())


def _result(
    sim: SimMachine, machine: Machine, decided: dict[int, PartState], frames: int, late: int, wall_s: float
) -> SimulateResult:
    reason = machine.safety.reason
    return SimulateResult(
        score=_score(sim.world.truth, decided.values(), machine),
        looks=machine.pipeline.looks,
        frames=frames,
        latencies_s=[part.decision_latency_s for part in decided.values()],
        late_commands=late,
        virtual_s=sim.world.clock.now_s(),
        wall_s=wall_s,
        stopped=None if reason == THE_END else reason,
        confirmed={str(confirmed): count for confirmed, count in sorted(machine.confirmation.counts.items())},
        sensors=machine.confirmation.in_words(),
        faults=tuple(sim.faults.log),
    )


def _score(truth: list[SimPart], parts: Any, machine: Machine) -> Score:
    plans, table = machine.plans, machine.router.table
    colour_of = {colour.code: k for k, colour in enumerate(plans.colours)}

    def belongs(part: SimPart) -> tuple[str, ...]:
        index = plans.catalogue.index(part.family)
        return () if index is None else table.wanted_by(index, colour_of[part.colour.code])

    tracks, bins = [_decided(part, machine) for part in parts], plans.bins
    return score(truth, tracks, belongs, table.bins, bins.default_bin, bins.leftover_bin)


def _decided(part: PartState, machine: Machine) -> Decided:
    assert part.verdict is not None
    assert part.plan is not None
    verdict, track, router = part.verdict, part.track, machine.router
    masses = router.group_masses(verdict.part_posterior, verdict.colour_posterior)
    by_bin = masses @ router.table.members
    best = int(by_bin.argmax())
    bins = machine.plans.bins
    return Decided(
        x_belt_mm=(track.lead_belt_mm + track.trail_belt_mm) / 2,
        y_mm=track.y_mm,
        part=machine.plans.bundle.parts[int(verdict.part_posterior.argmax())].number,
        refused=part.plan.refused,
        best_bin=router.table.bins[best] if by_bin[best] >= masses[0] else bins.leftover_bin or bins.default_bin,
    )
