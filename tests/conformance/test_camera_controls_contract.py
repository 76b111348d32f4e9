"""Every camera that can be locked, real or simulated, keeps the contract of `CameraControls`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import fake_picamera2
import pytest

import edge.config
from edge.catalogue.colours import load_colours
from edge.clock import VirtualClock
from edge.config.load import load_bins, load_machine
from edge.config.schema import CameraConfig
from edge.errors import HardwareError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.exposure import ExposureTravel
from edge.hardware.interfaces import Camera, CameraControls
from edge.hardware.picamera import PiCamera
from edge.records import CameraLock
from edge.sim.build import build_world

FPS = 12.0
LOCK = CameraLock(0.004, 3.0, (1.5, 1.25), 4.0)


@dataclass
class Bench:
    """A camera, and what the light that it takes next really depends on."""

    camera: Camera
    controls: CameraControls
    holds: Callable[[], CameraLock]


def picamera2(monkeypatch: pytest.MonkeyPatch) -> Bench:
    module = fake_picamera2.install(monkeypatch)
    clock = VirtualClock(50.0)
    encoder = ConstantEncoder(100.0, clock.now_s)
    encoder.start()
    config = CameraConfig(
        driver="picamera2", width_px=96, height_px=64, frames_per_s=FPS, px_per_mm=5.0, belt_region_px=(0, 0, 96, 64)
    )

    def pass_time() -> None:
        module.now_ns += round(1e9 / FPS)
        clock.sleep_until(clock.now_s() + 1 / FPS)

    module.on_frame = pass_time
    camera = PiCamera(config, ExposureTravel(encoder, clock), lambda: module.now_ns)

    def holds() -> CameraLock:
        assert module.camera
        taken = module.camera.taken_with
        return CameraLock(
            taken["ExposureTime"] * 1e-6, taken["AnalogueGain"], taken["ColourGains"], taken.get("LensPosition")
        )

    return Bench(camera, camera, holds)


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    example = Path(edge.config.__file__).parent / "examples" / "west-18"
    machine, bins = load_machine(example / "machine.yaml"), load_bins(example / "bins.yaml")
    simulated = build_world(machine, bins, load_colours(), seed=1, parts=3)
    simulated.world.encoder.start()
    return Bench(simulated.camera, simulated.camera, lambda: simulated.camera.imager.holds)


@pytest.fixture(params=[picamera2, sim], ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = request.param(monkeypatch)
    bench.camera.start()
    return bench


def test_what_is_locked_holds_once_the_frames_under_way_have_passed(bench: Bench) -> None:
    bench.controls.lock(LOCK)
    assert bench.controls.settle_frames > 0
    for _ in range(bench.controls.settle_frames + 1):
        bench.camera.next_frame(2.0)
    assert bench.holds() == LOCK


def test_it_tells_what_was_asked_for_last(bench: Bench) -> None:
    bench.controls.lock(LOCK)
    assert bench.controls.locked() == LOCK
    bench.controls.lock(replace(LOCK, gain=2.0))
    assert bench.controls.locked().gain == 2.0


def test_a_frame_that_is_under_way_is_as_it_was_locked_before(bench: Bench) -> None:
    for _ in range(bench.controls.settle_frames + 1):
        bench.camera.next_frame(2.0)
    before = bench.holds()
    bench.controls.lock(replace(LOCK, exposure_s=0.006))
    bench.camera.next_frame(2.0)
    assert bench.holds().gain == before.gain


def test_a_lock_without_a_focus_leaves_the_lens_where_it_is(bench: Bench) -> None:
    bench.controls.lock(LOCK)
    bench.controls.lock(replace(LOCK, gain=2.0, focus_dioptres=None))
    for _ in range(bench.controls.settle_frames + 1):
        bench.camera.next_frame(2.0)
    assert bench.holds() == replace(LOCK, gain=2.0)


@pytest.mark.parametrize(
    "beyond",
    [
        {"exposure_s": 10.0},
        {"exposure_s": 0.0},
        {"gain": 500.0},
        {"white_balance": (1.0, 500.0)},
        {"focus_dioptres": 1000.0},
    ],
    ids=lambda beyond: next(iter(beyond)),
)
def test_values_beyond_the_camera_raise_and_change_nothing(bench: Bench, beyond: dict) -> None:
    bench.controls.lock(LOCK)
    with pytest.raises(ValueError, match=next(iter(beyond))):
        bench.controls.lock(replace(LOCK, **beyond))
    assert bench.controls.locked() == LOCK


def test_the_focus_has_a_range_from_far_to_near(bench: Bench) -> None:
    range_ = bench.controls.focus_range_dioptres
    assert range_
    assert range_[0] < range_[1]
    for end in range_:
        bench.controls.lock(replace(LOCK, focus_dioptres=end))


def test_it_cannot_be_locked_after_close(bench: Bench) -> None:
    bench.camera.close()
    with pytest.raises(HardwareError, match="camera"):
        bench.controls.lock(LOCK)


def test_every_camera_that_can_be_locked_is_known_as_such(bench: Bench) -> None:
    assert isinstance(bench.camera, CameraControls)
