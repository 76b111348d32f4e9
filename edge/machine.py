"""The composition root: from two YAML files and a set of devices to a machine whose stages work together.

`simulate`, `replay` and `run` differ in the devices and in who lets time pass; everything else is built here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.belt_watch import BeltWatch, belt_guard, belt_watch
from edge.bundle.manifest import Bundle, load_bundle
from edge.capture.drift import CalibratedBelt
from edge.capture.health import FrameHealth
from edge.capture.straighten import Straightener
from edge.catalogue.colours import Colour, load_colours
from edge.catalogue.parts import PartCatalogue
from edge.clock import Clock, MonotonicClock
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.calibrated import calibrated, calibration_of, confidence_of, load_calibration
from edge.config.calibration import Calibration
from edge.config.load import load_machine
from edge.config.report import load
from edge.config.schema import (
    MOST_PARTS_PER_MIN,
    FeedLoopConfig,
    GpioFeederConfig,
    MachineConfig,
    SimFeederConfig,
)
from edge.confirmation.confirmation import Confirmation, Consequences
from edge.confirmation.places import Places
from edge.feeding.drive import DriveSettings
from edge.feeding.feeding import Feeding, FeedPlace
from edge.feeding.rate import RateSettings
from edge.fusion.configured import fusion_of
from edge.hardware.factory import loaded_accelerator
from edge.hardware.interfaces import Accelerator, BeltMotor, Encoder, Feeder, Gate, PartSensor
from edge.inference.classifier import Classifier
from edge.inference.colour import ColourMeter
from edge.journal.journal import Journal
from edge.lookout import Answers, Lookout
from edge.part_state import Outcome, PartState
from edge.parts_record import part_record
from edge.pipeline import Pipeline
from edge.records import Frame, GateReport
from edge.routing.router import Router
from edge.safety import Safety
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.gates import gate_settings
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Fork, GateSettings, Topology
from edge.stages import Stages
from edge.tracking.settings import TrackingSettings, tracking_settings
from edge.tracking.tracker import Tracker
from edge.turn_back import TurnBack, Turner, turn_back


@dataclass(frozen=True, slots=True)
class Plans:
    """What a machine is to be: both configurations, the model, the names of parts and colours, and what was calibrated;
    `config` has the calibration laid over it, and the bundle's temperature is that of this machine."""

    config: MachineConfig
    bins: BinsConfig
    bundle: Bundle
    catalogue: PartCatalogue
    colours: tuple[Colour, ...]
    calibration: Calibration = field(default_factory=Calibration)
    written: MachineConfig | None = None
    """machine.yaml without the calibration; None: as `config`."""


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a machine, real or simulated. `accelerator` has the bundle's model loaded."""

    accelerator: Accelerator
    gates: Mapping[str, Gate]
    feeder: Feeder
    belt_motor: BeltMotor
    encoder: Encoder
    clock: Clock
    sensors: Mapping[str, PartSensor] = field(default_factory=dict)
    """Those that are there, of those in machine.yaml."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine ready to be driven."""

    plans: Plans
    devices: Devices
    pipeline: Pipeline
    dispatcher: Dispatcher
    belt: BeltCoordinate
    safety: Safety
    router: Router
    feeding: Feeding
    lookout: Lookout
    confirmation: Confirmation
    belt_watch: BeltWatch
    straightener: Straightener | None = None
    """None where the plane was not calibrated: pictures are taken as they are."""
    turn_back: TurnBack | None = None
    """None for a belt that only runs forwards."""

    def see(self, frame: Frame) -> Outcome:
        """One frame: straightened and judged, then through the pipeline, unless it shows something else than the
        belt on its way."""
        frame = self.straight(frame)
        fit = self.lookout.admits(frame, self.devices.clock.now_s())
        forwards = self.turn_back is None or self.turn_back.before()
        if not (fit and forwards):
            return self.pipeline.pass_over(frame)
        outcome = self.pipeline.process(frame)
        self.belt_watch.after(frame)
        self.lookout.after(outcome)
        if self.turn_back is not None:
            self.turn_back.after(outcome)
        return outcome

    def straight(self, frame: Frame) -> Frame:
        """The frame as the stages are to see it; it comes as the camera saw it.

        Raises:
            InputError: its picture is not of the size that was calibrated.
        """
        return frame if self.straightener is None else self.straightener.frame_on_sight(frame)

    def act(self, now_s: float) -> list[GateReport]:
        """Lets the gates do what is due, where no thread of their own does, and tells the pipeline."""
        reports = self.dispatcher.step(now_s)
        for report in reports:
            self.pipeline.report(report)
        return reports


def read_plans(
    machine_yaml: str,
    bins_yaml: str,
    bundle: str | None = None,
    warn: Callable[[str], None] = lambda line: None,
    *,
    measured: bool | Path = True,
) -> Plans:
    """Reads and checks everything that a machine is made from, before any device is touched.

    Args:
        bundle: instead of the one that machine.yaml names.
        warn: told each warning about the configuration.
        measured: go by the calibration.yaml beside machine.yaml, or by that file; False for a machine that is exactly
            as it is written.

    Raises:
        ConfigError: a configuration that must not start the machine.
        BundleError: a model bundle that is missing or damaged.
    """
    written = load_machine(machine_yaml).model.bundle
    loaded = load_bundle(bundle or written)
    catalogue = PartCatalogue(loaded.parts)
    network = loaded.network if bundle in (None, written) else None  # another's confidence was never asked for
    config, bins, findings = load(machine_yaml, bins_yaml, catalogue, network)
    for finding in findings:
        warn(str(finding))
    file = measured if isinstance(measured, Path) else calibration_of(machine_yaml)
    calibration = load_calibration(file) if measured else Calibration()
    confidence = confidence_of(config, calibration, network) if network else None
    if isinstance(measured, Path) and network and calibration.confidence and not confidence:
        warn(f"{file}: the confidence was measured with another version of the model: it is left out")
    calibration = calibration.model_copy(update={"confidence": confidence})
    if confidence:
        loaded = replace(loaded, temperature=loaded.temperature * confidence.temperature)
    return Plans(calibrated(config, calibration), bins, loaded, catalogue, load_colours(), calibration, config)


@contextmanager
def open_accelerator(plans: Plans, say: Callable[[str], None]) -> Iterator[Accelerator]:
    """The configured accelerator with the model loaded, and guarded; closed at the end.

    Args:
        say: told what was chosen, and when it fails.

    Raises:
        HardwareError: the device or its library is missing, and the CPU cannot stand in.
        BundleError: the model cannot be loaded.
    """
    accelerator = loaded_accelerator(plans.config.accelerator, plans.bundle, say)
    try:
        yield accelerator
    finally:
        accelerator.close()


def assemble(
    plans: Plans,
    devices: Devices,
    journal: Journal | None,
    wall_clock_s: Callable[[], float],
    warn: Callable[[str], None] = lambda line: None,
    observe: Callable[[PartState], None] = lambda part: None,
    make_tracker: Callable[[TrackingSettings], Tracker] = Tracker,
) -> Machine:
    """Builds the stages around the devices.

    Args:
        plans: what the machine is to be.
        devices: opened devices.
        journal: where each part is recorded; None records nothing.
        wall_clock_s: seconds since 1970, for the journal.
        warn: told of devices that do not obey.
        observe: told of each part, as the journal is.
        make_tracker: another tracker, such as one that knows the truth.
    """
    config = plans.config
    belt = BeltCoordinate(devices.encoder, config.belt.belt_mm_per_s)
    gates = [gate_settings(gate, config.belt.belt_mm_per_s) for gate in config.gates]
    dispatch = DispatcherSettings(max_lateness_s=config.safety.max_lateness_s)

    def stop(line: str) -> None:
        safety.stop(line)

    measured = plans.calibration.belt is not None
    belt_eye = belt_guard(config, devices.encoder, lambda: safety.belt_on, warn, stop, measured=measured)
    dispatcher = Dispatcher([(devices.gates[own.name], own) for own in gates], belt, dispatch, stop, belt_eye.reading)
    safety = Safety(devices.feeder, devices.belt_motor, devices.gates.values(), dispatcher.halt, warn)
    topology = Topology(_fork(plans.bins.layout), gates, plans.bins.default_bin)
    router = Router(plans.bins, plans.catalogue, plans.colours, config.fusion.sure_above, warn)
    planner = Planner(topology, planner_settings(config))
    consequences = Consequences(warn, planner.out_of_service, stop)
    stages = Stages(
        tracker=make_tracker(tracking_settings(config)),
        classifier=Classifier(devices.accelerator, plans.bundle, colour_meter(plans)),
        fusion=fusion_of(config.fusion, plans.bundle, plans.catalogue, len(plans.colours)),
        router=router,
        planner=planner,
        dispatcher=dispatcher,
        belt=belt,
        feeding=_feeding(config, gates, devices.clock, safety),
        confirmation=Confirmation(
            Places(config, plans.bins, devices.sensors), devices.sensors, config.confirmation, consequences
        ),
    )

    record = _recorder(plans, journal, wall_clock_s, observe)
    pipeline = Pipeline(stages, devices.clock, MonotonicClock(), record, config.fusion.sure_above)
    lookout = _lookout(plans, stages, devices, pipeline, safety, warn)
    return Machine(
        plans, devices, pipeline, dispatcher, belt, safety, router, stages.feeding, lookout, stages.confirmation,
        belt_watch(belt_eye, config, devices.encoder, stages.tracker, devices.clock),
        Straightener(plans.calibration.plane) if plans.calibration.plane else None,
        turn_back(config, stages, pipeline, Turner(safety, devices.encoder, devices.clock, warn)),
    )  # fmt: skip


def colour_meter(plans: Plans) -> ColourMeter:
    """The colour meter, corrected by what was measured of this machine's light and belt."""
    measured = plans.calibration.colour
    if measured is None:
        return ColourMeter(plans.colours)
    return ColourMeter(plans.colours, measured.belt_rgb, measured.matrix)


def _recorder(
    plans: Plans, journal: Journal | None, wall_clock_s: Callable[[], float], observe: Callable[[PartState], None]
) -> Callable[[PartState], None]:
    """What is done with a part that is to be recorded; its picture goes to the journal once it has left the view."""

    parts, colours = plans.bundle.parts, plans.colours
    comes_back_from = plans.bins.default_bin if plans.bins.recirculates else None

    def record(part: PartState) -> None:
        if part.time_s is None:
            part.time_s = wall_clock_s()
        if journal is not None:
            part.part_id = journal.append(part_record(part, parts, colours, part.time_s, comes_back_from))
            if part.left_view and part.best_look is not None:
                journal.keep_picture(part.part_id, part.best_look.crop_bgr)
        if part.left_view:
            part.best_look = None
        observe(part)

    return record


def _lookout(
    plans: Plans,
    stages: Stages,
    devices: Devices,
    pipeline: Pipeline,
    safety: Safety,
    say: Callable[[str], None],
) -> Lookout:
    config, camera = plans.config, plans.config.camera
    along_v = camera.belt_direction in {"up", "down"}
    calibrated = CalibratedBelt.of(plans.calibration)
    health = FrameHealth(camera.belt_region_px, camera.px_per_mm, along_v, camera.frames_per_s, calibrated)
    answers = Answers(moves=camera.driver != "frames", holds=config.belt.motor.driver != "none")
    end_mm = camera.station_mm + camera.seen_mm
    return Lookout(health, stages.tracker, devices.accelerator, pipeline, end_mm, answers, safety, say)


def planner_settings(config: MachineConfig) -> PlannerSettings:
    """The planner's view of machine.yaml. A part is known at the latest when the tracker has confirmed it, with two
    frames lost."""
    camera, mm_per_s = config.camera, config.belt.belt_mm_per_s
    frames = tracking_settings(config).confirm_hits + 2
    return PlannerSettings(mm_per_s, known_by_mm=camera.station_mm + frames * mm_per_s / camera.frames_per_s)


def _feeding(config: MachineConfig, gates: Sequence[GateSettings], clock: Clock, safety: Safety) -> Feeding:
    """The feeder's loop: what it must keep free is what the slowest gate needs to move between two parts."""
    feeder, camera, mm_per_s = config.feeder, config.camera, config.belt.belt_mm_per_s
    view_from_mm, view_to_mm = camera.station_mm, camera.station_mm + camera.seen_mm
    drive, loop, place = DriveSettings(feeder.parts_per_min), None, None
    if isinstance(feeder, GpioFeederConfig) and feeder.pwm_hz is None:
        drive = DriveSettings(feeder.parts_per_min, relay=True, cycle_s=feeder.cycle_s)
    elif isinstance(feeder, SimFeederConfig):
        drive = DriveSettings(MOST_PARTS_PER_MIN)
    if isinstance(feeder, FeedLoopConfig) and feeder.closed_loop:
        lands_mm = view_from_mm if feeder.x_mm is None else feeder.x_mm
        delay_s = max(view_to_mm - lands_mm, 0.0) / mm_per_s
        least = min(feeder.min_parts_per_min, feeder.parts_per_min)
        loop = RateSettings(feeder.parts_per_min, least, feeder.target_lost, delay_s)
        moves_mm = (gate.move_s * mm_per_s * (1 + PlannerSettings(mm_per_s).headroom) for gate in gates)
        margins_mm = max(2 * gate.margin_mm for gate in gates)
        place = None if feeder.x_mm is None else FeedPlace(feeder.x_mm, max(moves_mm) + margins_mm)
    return Feeding(loop, drive, place, view_from_mm, clock, safety.set_feed_rate)


def _fork(node: LayoutNode) -> Fork:
    ways = {position: _fork(way) if isinstance(way, LayoutNode) else way for position, way in node.exits.items()}
    return Fork(node.gate, ways)
