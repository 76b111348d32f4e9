"""Every fault that the simulated machine can be made to have, by name: how it begins and ends, what the machine must
do, what the user reads, and what to do about it. docs/faults.md is made from this table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from edge.sim.accelerator import AcceleratorFault
from edge.sim.belt import EncoderFault
from edge.sim.camera import CameraFault
from edge.sim.disk import DiskFault
from edge.sim.fault_board import Fault, FaultBoard
from edge.sim.feeder import FeederFault
from edge.sim.gates import GateFault
from edge.sim.sensors import SensorFault

Value = TypeVar("Value")


class Answer(StrEnum):
    """What the machine must do."""

    GOES_ON = "sorts on"
    HOLDS = "holds: feeder and belt stand until it is over"
    STOPS = "stops: feeder and belt off, gates at rest"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One way to fail."""

    name: str
    happens: str
    inject: Fault
    repair: Fault | None
    """None for what does not go away, or is over in a moment."""
    answer: Answer
    reads: str
    """A piece of the line that the user reads; "" where there is nothing to tell."""
    does: str
    todo: str
    at_start: bool = False
    """True for what must be wrong before the machine starts."""
    misleads: bool = False
    """True where a gate does something else than it was told, or the belt than is measured, and only the parts show it:
    those that meet it before it is noticed may go astray. They are counted apart, and reported."""


def _camera(fault: CameraFault) -> tuple[Fault, Fault]:
    return lambda board: board.fail_camera(fault), lambda board: board.repair_camera(fault)


def _becomes(set_to: Callable[[FaultBoard, Value], None], fault: Value, sound: Value) -> tuple[Fault, Fault]:
    return lambda board: set_to(board, fault), lambda board: set_to(board, sound)


def _accelerator(fault: AcceleratorFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_accelerator, fault, AcceleratorFault.NONE)


def _gate(fault: GateFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_gate, fault, GateFault.NONE)


def _encoder(fault: EncoderFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_encoder, fault, EncoderFault.NONE)


def _disk(fault: DiskFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_disk, fault, DiskFault.NONE)


def _sensor(fault: SensorFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_sensor, fault, SensorFault.NONE)


def _feeder(fault: FeederFault) -> tuple[Fault, Fault]:
    return _becomes(FaultBoard.break_feeder, fault, FeederFault.NONE)


def _bar(board: FaultBoard) -> None:
    board.world.mishaps.bar_mm = board.world.settings.camera.seen_mm + 40


def _double(board: FaultBoard) -> None:
    board.world.feeder.double_next = True


def _hiccup(board: FaultBoard) -> None:
    board.stall_belt()
    board.at(board.world.clock.now_s() + 0.04, lambda later: later.stall_belt(False))


GO, HOLD, STOP = Answer.GOES_ON, Answer.HOLDS, Answer.STOPS
DEFAULT = "They go to the default bin."
BLIND = (
    "No picture of that time goes to the tracker. Feeder and belt stand, so that nothing rides past unseen; what was"
    " planned stays planned, and all goes on by itself."
)
FALLS_BACK = (
    "The CPU takes over, more slowly, and the feeder follows. Parts that were judged since the last proof of a right"
    " answer go to the default bin."
)
UNSEEN_GATE = (
    "Without sensors nobody notices. With them, parts that are not seen where they should be take the gate out of"
    " service after a few: its bins are refused. One that stands in the way of all others stops the machine."
)
ANEW = "Plug it in anew and start again."
FAULTS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "camera-frozen", "The camera sends the same picture again and again.", *_camera(CameraFault.FROZEN),
            HOLD, "camera: sends the same picture again and again", BLIND, "Look at the camera and its cable.",
        ),
        FaultKind(
            "camera-dropping", "Half of the frames are missing.", *_camera(CameraFault.DROPPING),
            GO, "of its frames are missing", "Parts are seen less often; those seen too seldom are unsure.",
            "Look at its cable, and at the supply's voltage.",
        ),
        FaultKind(
            "camera-dark", "The lamp fails.", *_camera(CameraFault.DARK),
            HOLD, "camera: the belt is dark", BLIND, "Look at the lamp and the lens.",
        ),
        FaultKind(
            "camera-over-exposed", "Far too much light.", *_camera(CameraFault.GLARING),
            HOLD, "is over-exposed", BLIND, "Look at the lamp, exposure_s and gain.",
        ),
        FaultKind(
            "camera-drifting", "The white balance runs away.", *_camera(CameraFault.DRIFTING),
            GO, "the light has changed since the start", "Each look is balanced on the belt around it, so it sorts on.",
            "Lock exposure_s, gain and white_balance.",
        ),
        FaultKind(
            "camera-fading", "The light fades slowly.", *_camera(CameraFault.FADING),
            GO, "the light has changed since the start", "Pictures are compared with the belt in their own light.",
            "Clean lamp and lens.",
        ),
        FaultKind(
            "camera-knocked", "The camera is pushed aside by 6 mm.", *_camera(CameraFault.KNOCKED),
            STOP, "camera: was moved", "Places on the belt are wrong: nothing can be planned.",
            "Fix it, calibrate again. A move along the belt alone cannot be seen.",
        ),
        FaultKind(
            "camera-unplugged", "No frame comes any more.", *_camera(CameraFault.DEAD),
            STOP, "no frame within", "No frame for safety.camera_timeout_s.", "Look at its cable, then start again.",
        ),
        FaultKind(
            "cpu-starved", "Something else takes the computer's time: frames come 0.4 s late.",
            *_camera(CameraFault.STARVED),
            GO, "frames are handled", "The feeder is slowed; what is decided too late is refused.",
            "See what else runs, or lower camera.frames_per_s.",
        ),
        FaultKind(
            "accelerator-missing", "It is not there at the start.", *_accelerator(AcceleratorFault.MISSING),
            GO, "goes on, more slowly", "The CPU does its work from the first frame.", "Plug it in and start again.",
            at_start=True,
        ),
        FaultKind(
            "accelerator-slow", "Each answer takes 0.25 s longer.", *_accelerator(AcceleratorFault.SLOW),
            GO, "frames are handled", "The feeder is slowed; what is decided too late is refused.",
            "Feel whether it is hot, look at its USB port (USB 3?).",
        ),
        FaultKind(
            "accelerator-gone", "It is pulled out in mid-run.", *_accelerator(AcceleratorFault.GONE),
            GO, "goes on, more slowly", FALLS_BACK, "Plug it in and start again.",
        ),
        FaultKind(
            "accelerator-empty", "It answers NaN, or the same score for every part.",
            *_accelerator(AcceleratorFault.EMPTY),
            GO, "answers nonsense", FALLS_BACK, ANEW,
        ),
        FaultKind(
            "accelerator-constant", "It gives its last answer again and again.",
            *_accelerator(AcceleratorFault.CONSTANT),
            GO, "answers nonsense", FALLS_BACK, ANEW,
        ),
        FaultKind(
            "accelerator-random", "Its scores are random.", *_accelerator(AcceleratorFault.RANDOM),
            GO, "answers nonsense", FALLS_BACK, ANEW,
        ),
        FaultKind(
            "accelerator-misshapen", "Its answer has another shape.", *_accelerator(AcceleratorFault.MISSHAPEN),
            GO, "answers nonsense", FALLS_BACK, ANEW,
        ),
        FaultKind(
            "gate-stuck-at-rest", "A gate sticks where it lets parts pass.",
            lambda board: board.seize_gate(at_rest=True), lambda board: board.break_gate(GateFault.NONE),
            GO, "gate g1 is out of service", UNSEEN_GATE, "Free its arm.", misleads=True,
        ),
        FaultKind(
            "gate-stuck-open", "A gate sticks while it diverts.",
            lambda board: board.seize_gate(at_rest=False), lambda board: board.break_gate(GateFault.NONE),
            STOP, "gate g1 stays at", UNSEEN_GATE, "Free its arm and check its cable.", misleads=True,
        ),
        FaultKind(
            "gate-slow", "A gate takes four times as long.", *_gate(GateFault.SLOW),
            GO, "", UNSEEN_GATE, "Grease its hinge, look at its supply.", misleads=True,
        ),
        FaultKind(
            "gate-dead", "A gate has no power and falls back to rest.", *_gate(GateFault.DEAD),
            GO, "gate g1 is out of service", UNSEEN_GATE, "Look at its cable and power.", misleads=True,
        ),
        FaultKind(
            "gate-mute", "A gate's driver does not answer.", *_gate(GateFault.MUTE),
            STOP, "gate g1", "The first command that fails stops the machine.", "Look at its driver and cable.",
            misleads=True,
        ),
        FaultKind(
            "belt-slip", "The belt falls behind its roller by a quarter.", *_becomes(FaultBoard.slip_belt, 0.25, 0.0),
            STOP, "it slips", "Parts and encoder disagree: gates would come too early.",
            "Look at the belt's tension.", misleads=True,
        ),
        FaultKind(
            "belt-slip-wholly", "The roller turns under a belt that stands.", *_becomes(FaultBoard.slip_belt, 1.0, 0.0),
            STOP, "a part stands still", "Parts stand in the picture though the encoder counts.",
            "Look at the belt's tension.",
            misleads=True,
        ),
        FaultKind(
            "belt-stall", "Something blocks the belt.",
            FaultBoard.stall_belt, lambda board: board.stall_belt(False),
            STOP, "its encoder has told no travel", "The motor is on and no travel is told.",
            "Look for what blocks it.",
        ),
        FaultKind(
            "belt-hiccup", "The belt stands for 0.04 s.", _hiccup, None,
            GO, "", "Plans are made on the belt coordinate: they hold.", "",
        ),
        FaultKind(
            "belt-speeds-up", "The belt runs half as fast again.", *_becomes(FaultBoard.belt_speed, 1.5, 1.0),
            STOP, "its speed has jumped", "Gates cannot be in time for what is planned.",
            "Look at the motor's speed control.",
        ),
        FaultKind(
            "belt-slows-down", "The belt runs at seven tenths of its speed.",
            *_becomes(FaultBoard.belt_speed, 0.7, 1.0),
            GO, "plans follow it", "Plans are made on the belt coordinate: they follow.",
            "Set belt_mm_per_s, or look at the motor.",
        ),
        FaultKind(
            "encoder-dead", "The encoder counts nothing any more.", *_encoder(EncoderFault.DROPPED),
            STOP, "its encoder has told no travel", "Nobody knows where the parts are.", "Look at the encoder.",
        ),
        FaultKind(
            "encoder-flaky", "The encoder misses four ticks of ten.", *_encoder(EncoderFault.FLAKY),
            STOP, "ticks are lost", "Parts and encoder disagree: gates would come too late.",
            "Look at the encoder, its gap and its cable.", misleads=True,
        ),
        FaultKind(
            "encoder-bouncing", "The encoder counts four ticks of ten twice.", *_encoder(EncoderFault.BOUNCING),
            STOP, "its speed has jumped", "Parts and encoder disagree: gates would come too early.",
            "Look at the encoder, its gap and its cable.", misleads=True,
        ),
        FaultKind(
            "encoder-unplugged", "The encoder cannot be read.", *_encoder(EncoderFault.GONE),
            STOP, "encoder", "Nobody knows where the parts are.", "Look at its cable, then start again.",
        ),
        FaultKind(
            "double-feed", "Two parts fall together and touch.", _double, None,
            GO, "", f"Touching parts are seen as such. {DEFAULT}", "",
        ),
        FaultKind(
            "feeder-stuck-on", "The feeder runs on whatever it is told.", *_feeder(FeederFault.STUCK_ON),
            GO, "", f"Parts that come too close for the gates are refused. {DEFAULT}", "Switch it off by hand.",
        ),
        FaultKind(
            "feeder-empty", "Nothing comes any more.", *_feeder(FeederFault.EMPTY),
            GO, "", "The rate is not raised for it.", "Fill it.",
        ),
        FaultKind(
            "feeder-mute", "The feeder's driver does not answer.", _feeder(FeederFault.MUTE)[0], None,
            GO, "feeder (sim): does not answer",
            "The next change of its rate stops the machine; at the latest the stop tells that it did not obey.",
            "Look at its driver; switch it off by hand.",
        ),
        FaultKind(
            "jam-in-view", "A part jams under the camera.", FaultBoard.jam_in_view, FaultBoard.free_jams,
            STOP, "jam: a part stands still", "A part that went with the belt and does not is jammed.",
            "Free it, start again.",
        ),
        FaultKind(
            "jam-at-gate", "A part jams in front of a gate.", FaultBoard.jam_at_gate, FaultBoard.free_jams,
            GO, "was seen nowhere", "The camera cannot see it. With sensors, parts are missed and told.",
            "Free it, start again.", misleads=True,
        ),
        FaultKind(
            "part-falls-in-view", "A part falls off under the camera.",
            lambda board: board.drop_part(in_view=True), None,
            GO, "vanished", "The gates still make way for where it would be.", "Pick it up; look at the rails.",
        ),
        FaultKind(
            "part-falls-later", "A part falls off between camera and gate.",
            lambda board: board.drop_part(in_view=False), None,
            GO, "was seen nowhere", "Only sensors can tell.", "Pick it up; look at the rails.",
        ),
        FaultKind(
            "part-too-long", "A part is longer than the picture.", _bar, None,
            GO, "", "It is one part, never seen whole: unsure, with that reason. Gates stay still for all of it.", "",
        ),
        FaultKind(
            "card-stalled", "The SD card does not answer for a while.", *_disk(DiskFault.STALLED),
            GO, "", "Records wait in memory; nothing on the way to the gates waits for them.", "Buy a better card.",
        ),
        FaultKind(
            "card-full", "The SD card is full.", *_disk(DiskFault.FULL),
            GO, "cannot be written", "Records wait in memory and are saved when there is room.", "Free some room.",
        ),
        FaultKind(
            "card-read-only", "The system has made the card read-only.", *_disk(DiskFault.READ_ONLY),
            GO, "cannot be written", "Records wait in memory.", "Replace the card.",
        ),
        FaultKind(
            "clock-forward", "The time of day is put forward by an hour.",
            lambda board: board.put_wall_clock(3600), None,
            GO, "", "All timing is on the monotonic clock; only the journal's times of day show it.", "",
        ),
        FaultKind(
            "clock-back", "The time of day is put back by an hour.", lambda board: board.put_wall_clock(-3600), None,
            GO, "", "All timing is on the monotonic clock; only the journal's times of day show it.", "",
        ),
        FaultKind(
            "sensor-blind", "A beam sees nothing.", *_sensor(SensorFault.BLIND),
            GO, "sensor", "Parts seen nowhere though every other way is watched speak against the sensor.",
            "Clean the beam, look at its cable.", misleads=True,
        ),
        FaultKind(
            "sensor-stuck", "A beam is broken all the time.", *_sensor(SensorFault.STUCK),
            GO, "sensor", "It is told and left alone.", "Look what lies in its chute.", misleads=True,
        ),
        FaultKind(
            "sensor-bouncing", "A beam is broken twice by every part.", *_sensor(SensorFault.BOUNCING),
            GO, "", "A second break soon after the first counts as the same part.", "", misleads=True,
        ),
        FaultKind(
            "sensor-dusty", "A beam is broken by nothing now and then.", *_sensor(SensorFault.DUSTY),
            GO, "", "A break that no part explains counts against the sensor; three of ten are told.",
            "Clean the beam.", misleads=True,
        ),
    )
}  # fmt: skip
"""By name. A process that is killed, which nothing in it can simulate, is tested by the scripts in tests/soak."""
