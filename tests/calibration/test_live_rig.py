"""The real machine as a rig: opened at rest, left at rest, whatever happens in between."""

import fake_gpio
import fake_picamera2
import pytest
from drawn_belt import HEIGHT_PX, PX_PER_MM, WIDTH_PX, DrawnPart, write_recording

from calibration import plane
from calibration.live import live_rig
from calibration.rig import Task
from edge.clock import VirtualClock
from edge.config.calibration import Calibration
from edge.config.load import load_bins
from edge.config.schema import MachineConfig
from edge.errors import ConfigError, HardwareError

GATE_PIN, MOTOR_PIN, FEEDER_PIN = 23, 5, 6


class Silent:
    """An operator who is asked nothing."""

    def __init__(self):
        self.said = []

    def do(self, task):
        raise AssertionError(f"asked for {task}")

    def say(self, line):
        self.said.append(line)


@pytest.fixture
def bins(folder):
    return load_bins(folder / "bins.yaml")


def real_machine():
    return MachineConfig.model_validate(
        {
            "camera": {"driver": "picamera2", "px_per_mm": 5.0, "belt_region_px": (0, 0, 1280, 720)},
            "belt": {"belt_mm_per_s": 150.0, "motor": {"driver": "gpio", "pin": MOTOR_PIN}},
            "feeder": {"driver": "gpio", "pin": FEEDER_PIN},
            "gates": [
                {"name": "g1", "driver": "gpio-solenoid", "x_mm": 400.0, "positions": ["pass", "push"], "pin": GATE_PIN}
            ],
        }
    )


def rig_of(machine, bins, operator=None):
    return live_rig(machine, bins, Calibration(), operator or Silent(), VirtualClock())


def test_a_machine_is_opened_and_left_at_rest(monkeypatch, bins):
    gpio, camera = fake_gpio.install(monkeypatch), fake_picamera2.install(monkeypatch)
    with rig_of(real_machine(), bins) as rig:
        assert rig.source == "the machine"
        assert not gpio.is_on(MOTOR_PIN)
        assert [frame.index for frame in rig.frames(3)] == [0, 1, 2]
        rig.belt_motor.start()
        assert gpio.is_on(MOTOR_PIN)
    assert gpio.pins == set()
    assert camera.open_cameras == 0


def test_an_error_in_the_middle_leaves_it_at_rest(monkeypatch, bins):
    gpio = fake_gpio.install(monkeypatch)
    fake_picamera2.install(monkeypatch)
    with pytest.raises(ZeroDivisionError), rig_of(real_machine(), bins) as rig:
        rig.belt_motor.start()
        rig.gates["g1"].move_to("push")
        _ = 1 / 0
    assert gpio.pins == set(), "every pin was let go"


def test_a_device_that_is_missing_leaves_the_others_closed(monkeypatch, bins):
    gpio = fake_gpio.install(monkeypatch)
    gpio.busy.add(FEEDER_PIN)
    with pytest.raises(HardwareError), rig_of(real_machine(), bins):
        pass
    assert gpio.pins == set()


def recording(folder):
    """A machine whose camera is a recording, and whose belt has no motor that could be switched."""
    frames = write_recording(folder / "frames", (DrawnPart(40.0, "red"),), 5, 5.0)
    return MachineConfig.model_validate(
        {
            "camera": {
                "driver": "frames", "path": str(frames), "width_px": WIDTH_PX, "height_px": HEIGHT_PX,
                "px_per_mm": PX_PER_MM, "belt_region_px": (0, 0, WIDTH_PX, HEIGHT_PX),
            },
            "belt": {"belt_mm_per_s": 300.0},
            "gates": [{"name": "g1", "driver": "sim", "x_mm": 900.0, "positions": ["pass", "push"]}],
        }
    )  # fmt: skip


def test_a_recording_gives_its_frames_and_moves_nothing(tmp_path, bins):
    machine = recording(tmp_path)
    with rig_of(machine, bins) as rig:
        assert rig.controls is None
        assert rig.source == f"recording {machine.camera.path}"
        assert len(list(rig.frames(99))) == 5


class Measuring(Silent):
    """Answers what can be answered of a recording, and nothing else."""

    def __init__(self, **answers):
        super().__init__()
        self.answers = answers

    def do(self, task):
        return self.answers[task.kind] if task.kind in self.answers else super().do(task)


@pytest.mark.parametrize(("measure", "assumed"), [("sheet", "its ruler is 100 mm long"), ("2x4", "lie on their tubes")])
def test_nothing_is_to_be_laid_or_switched_in_a_recording(tmp_path, bins, measure, assumed):
    operator = Measuring(**{"measure-with": measure})
    with rig_of(recording(tmp_path), bins, operator) as rig:
        data = plane.collect(rig)
    assert (data.measured_with, len(data.pictures)) == (measure, 5)
    told = [line for line in operator.said if line.startswith("assumed of the recording: ")]
    assert assumed in told[0]
    assert told[1:] == ["assumed of the recording: the belt runs"], "said once, and not that it is switched off"


def test_what_rides_by_in_a_recording_is_still_named(tmp_path, bins):
    operator = Measuring(name="Red")
    with rig_of(recording(tmp_path), bins, operator) as rig:
        assert rig.operator.do(Task("Which colour?", "name", answers=("Red", "Blue"))) == "Red"
        assert rig.operator.do(Task("Press Enter, then lay 8 plates", "drop-bricks")) == ""
    assert len(operator.said) == 1


def test_on_a_machine_all_is_asked(monkeypatch, bins):
    fake_gpio.install(monkeypatch)
    fake_picamera2.install(monkeypatch)
    operator = Silent()
    with rig_of(real_machine(), bins, operator) as rig, pytest.raises(AssertionError, match="asked for"):
        rig.operator.do(Task("Switch the belt on", "switch-belt", {"on": True}))


def test_a_simulated_machine_has_no_devices_to_open(folder, bins):
    from edge.config.load import load_machine

    with (
        pytest.raises(ConfigError, match="this machine is simulated: give --simulate SEED"),
        rig_of(load_machine(folder / "machine.yaml"), bins),
    ):
        pass
