"""The simulated camera: what it sees of the belt, drawn from sprites in a few milliseconds a frame."""

from __future__ import annotations

import math
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import HardwareError
from edge.records import CameraLock, Frame, ImageBgr
from edge.sim.actors import Actors
from edge.sim.appearance import blur_kernel
from edge.sim.imager import FOCUS_DIOPTRES, SETTLE_FRAMES, Imager
from edge.sim.laid import Laid, LaidDrawer
from edge.sim.light import Light
from edge.sim.scene import BeltScene
from edge.sim.settings import CameraSettings
from edge.sim.view import Eye, View
from edge.sim.world import SimWorld

DARK = 0.12
GLARE = 6.0
RUN_OFF_PER_S = 0.2
FADED = 0.45
KNOCKED_MM = 6.0
DROPPED_SHARE = 0.5
STARVED_S = 0.4
SMEARED_PX = 0.3
"""A shorter way of the belt during the exposure is not seen."""


class CameraFault(StrEnum):
    """What may be wrong with a camera."""

    FROZEN = "frozen"
    """The same picture again and again."""
    DROPPING = "dropping"
    """Half of the frames are missing."""
    DARK = "dark"
    """The lamp is off."""
    GLARING = "glaring"
    """Far too much light: the belt is at the end of the scale."""
    DRIFTING = "drifting"
    """The white balance runs off into pink."""
    FADING = "fading"
    """The light fades, slowly."""
    KNOCKED = "knocked"
    """The camera was pushed aside and looks `KNOCKED_MM` across the belt of where it did."""
    STARVED = "starved"
    """Frames are handed over `STARVED_S` after their exposure; those that pass meanwhile are gone."""
    DEAD = "dead"
    """Unplugged: no frame comes any more."""


class SimCamera:
    """Frames of the simulated belt, in virtual time; implements `Camera` and `CameraControls` of
    `edge.hardware.interfaces`.

    `next_frame` lets the world's time pass until the next exposure. It returns None once the run is finished.

    Args:
        scene: drawn by the settings, or by the view's canvas where there is a view; likewise light and actors.
        view: how the camera really looks at it; None: straight.

    Attributes:
        laid: what somebody has laid on the belt.
        imager: the sensor and the lens motor.
    """

    def __init__(
        self,
        world: SimWorld,
        settings: CameraSettings,
        scene: BeltScene,
        actors: Actors,
        light: Light,
        seed: int,
        view: View | None = None,
    ) -> None:
        self._world = world
        self._settings = settings
        self._scene = scene
        self._actors = actors
        self._light = light
        self._rng = np.random.default_rng([seed, 2])
        self._index = 0
        self._exposures = 0
        self._state = "not started"
        self._last: ImageBgr | None = None
        self._faults: dict[CameraFault, float] = {}
        self._view = view
        self.laid: list[Laid] = []
        self.imager = Imager(settings, light.pedestal)
        eye = view.eye if view else _straight_eye(settings)
        self._drawer = LaidDrawer(scene, light, eye)

    @property
    def settle_frames(self) -> int:
        return SETTLE_FRAMES

    @property
    def focus_range_dioptres(self) -> tuple[float, float] | None:
        return FOCUS_DIOPTRES

    def locked(self) -> CameraLock:
        self._must_be_started("asked how it is locked")
        return self.imager.wanted

    def lock(self, wanted: CameraLock) -> None:
        self._must_be_started("locked")
        self.imager.lock(wanted)

    @property
    def faults(self) -> frozenset[CameraFault]:
        """What is wrong now."""
        return frozenset(self._faults)

    def fail(self, fault: CameraFault) -> None:
        """Let something more go wrong, from now on."""
        self._faults.setdefault(fault, self._world.clock.now_s())

    def repair(self, fault: CameraFault) -> None:
        """Let it be right again; what is not wrong stays as it is."""
        self._faults.pop(fault, None)

    def start(self) -> None:
        if self._state == "closed":
            raise HardwareError("camera (sim): started after it was closed: open the machine again")
        if self._state != "started":
            self._exposures = math.floor(self._world.clock.now_s() * self._settings.frames_per_s + 1e-6)
        self._state = "started"

    def next_frame(self, timeout_s: float) -> Frame | None:
        self._must_be_started("asked for a frame")
        deadline_s = self._world.clock.now_s() + timeout_s
        while not self._world.finished:
            exposure_s = self._next_exposure_s()
            if exposure_s > deadline_s or CameraFault.DEAD in self._faults:
                self._world.advance_to(deadline_s)
                raise HardwareError(f"camera (sim): no frame within {timeout_s:g} s: look at the camera and its cable")
            self._world.advance_to(exposure_s)
            if CameraFault.DROPPING in self._faults and self._rng.random() < DROPPED_SHARE:
                continue
            frame = Frame(self._index, exposure_s, self._world.read_belt_mm(), self._expose())
            self._index += 1
            if CameraFault.STARVED in self._faults:
                self._world.advance_to(exposure_s + STARVED_S)
            return frame
        return None

    def close(self) -> None:
        self._state = "closed"

    def picture(self) -> ImageBgr:
        """What the camera would see at this instant."""
        time_s, travel_mm = self._world.clock.now_s(), self._world.belt.travel_mm
        gains = self._light.gains(time_s) * self._wrong_gains(time_s)
        image = self._scene.belt(travel_mm)
        region = self._scene.region(image)
        cv2.multiply(region, self._light.shading(gains), dst=region, scale=self._light.scale)
        self._drawer.draw(image, self.laid, travel_mm, gains)
        self._actors.draw(image, self._world.on_way, travel_mm, gains)
        if CameraFault.GLARING in self._faults:
            # The shading has no room above its scale: a glare is laid over the finished picture.
            cv2.multiply(image, np.full(4, GLARE), dst=image)
        if CameraFault.KNOCKED in self._faults:
            across = 1 if self._settings.direction in ("up", "down") else 0
            image = np.roll(image, round(KNOCKED_MM * self._settings.px_per_mm), axis=across)
        if self._view:
            image = self._view.raw(self._smear(image))
        image = self.imager.develop(self.imager.focus(image))
        return self._light.add_noise(image, self.imager.noise)

    def _smear(self, image: ImageBgr) -> ImageBgr:
        """The belt's way during the exposure; without a view it is in the scene as it is drawn."""
        exposure_s = self.imager.holds.exposure_s
        way_px = exposure_s * self._world.belt.speed_mm_per_s * self._settings.px_per_mm
        if way_px < SMEARED_PX:
            return image
        along_v = self._settings.direction in ("up", "down")
        kernel = blur_kernel(0.3, way_px, along_v)
        middle = kernel.shape[0] // 2
        line = kernel[:, middle : middle + 1] if along_v else kernel[middle : middle + 1]
        return np.asarray(cv2.filter2D(image, -1, line / line.sum()), np.uint8)

    def _must_be_started(self, what: str) -> None:
        if self._state != "started":
            raise HardwareError(f"camera (sim): {what} while {self._state}: start the machine first")

    def _wrong_gains(self, time_s: float) -> NDArray[np.float32]:
        gains = np.ones(3)
        if CameraFault.DARK in self._faults:
            gains *= DARK
        if (since_s := self._faults.get(CameraFault.DRIFTING)) is not None:
            kept = math.exp(-RUN_OFF_PER_S * (time_s - since_s))
            gains *= (0.6 + 0.4 * kept, 0.5 + 0.5 * kept, 1.0)
        if (since_s := self._faults.get(CameraFault.FADING)) is not None:
            gains *= FADED + (1 - FADED) * math.exp(-4 * RUN_OFF_PER_S * (time_s - since_s))
        return gains.astype(np.float32)

    def _next_exposure_s(self) -> float:
        """Exposures keep their rhythm; those that passed while nobody asked are gone."""
        fps = self._settings.frames_per_s
        next_ = max(self._exposures + 1, math.floor(self._world.clock.now_s() * fps + 1e-6) + 1)
        # As the newest-frame slot counts: what nobody had time for had a number all the same.
        self._index += next_ - self._exposures - 1
        self._exposures = next_
        return self._exposures / fps

    def _expose(self) -> ImageBgr:
        self.imager.next_picture()
        if CameraFault.FROZEN in self._faults and self._last is not None:
            return self._last.copy()
        self._last = self.picture()
        return self._last


def _straight_eye(settings: CameraSettings) -> Eye:
    middle = (settings.width_px - 1) / 2, (settings.height_px - 1) / 2
    return Eye(*middle, settings.height_mm * settings.px_per_mm)
