"""The simulated camera: what it sees of the belt, drawn from sprites in a few milliseconds a frame."""

from __future__ import annotations

import math
from enum import StrEnum

import cv2
import numpy as np

from edge.errors import HardwareError
from edge.records import Frame, ImageBgr
from edge.sim.actors import Actors
from edge.sim.light import Light
from edge.sim.scene import BeltScene
from edge.sim.settings import CameraSettings
from edge.sim.world import SimWorld

DARK = 0.12
RUN_OFF_PER_S = 0.02
DROPPED_SHARE = 0.5


class CameraFault(StrEnum):
    """What may be wrong with a camera."""

    NONE = "none"
    FROZEN = "frozen"
    """The same picture again and again."""
    DROPPING = "dropping"
    """Half of the frames are missing."""
    DARK = "dark"
    """The lamp is off."""
    DRIFTING = "drifting"
    """The white balance runs off into pink."""
    DEAD = "dead"
    """No frame comes any more."""


class SimCamera:
    """Frames of the simulated belt, in virtual time; implements `edge.hardware.interfaces.Camera`.

    `next_frame` lets the world's time pass until the next exposure. It returns None once the run is finished.
    """

    def __init__(
        self, world: SimWorld, settings: CameraSettings, scene: BeltScene, actors: Actors, light: Light, seed: int
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
        self._fault = CameraFault.NONE
        self._fault_s = 0.0

    @property
    def fault(self) -> CameraFault:
        """What is wrong now; set it to let the camera fail, or to repair it."""
        return self._fault

    @fault.setter
    def fault(self, fault: CameraFault) -> None:
        self._fault, self._fault_s = fault, self._world.clock.now_s()

    def start(self) -> None:
        if self._state == "closed":
            raise HardwareError("camera (sim): started after it was closed: open the machine again")
        self._state = "started"

    def next_frame(self, timeout_s: float) -> Frame | None:
        if self._state != "started":
            raise HardwareError(f"camera (sim): asked for a frame while {self._state}: start the machine first")
        deadline_s = self._world.clock.now_s() + timeout_s
        while not self._world.finished:
            exposure_s = self._next_exposure_s()
            if exposure_s > deadline_s or self._fault is CameraFault.DEAD:
                self._world.advance_to(deadline_s)
                raise HardwareError(f"camera (sim): no frame within {timeout_s:g} s: look at the camera and its cable")
            self._world.advance_to(exposure_s)
            if self._fault is CameraFault.DROPPING and self._rng.random() < DROPPED_SHARE:
                continue
            frame = Frame(self._index, exposure_s, self._world.read_belt_mm(), self._expose())
            self._index += 1
            return frame
        return None

    def close(self) -> None:
        self._state = "closed"

    def picture(self) -> ImageBgr:
        """What the camera would see at this instant."""
        time_s, travel_mm = self._world.clock.now_s(), self._world.belt.travel_mm
        gains = self._light.gains(time_s)
        if self._fault is CameraFault.DARK:
            gains = gains * np.float32(DARK)
        elif self._fault is CameraFault.DRIFTING:
            kept = math.exp(-RUN_OFF_PER_S * (time_s - self._fault_s))
            gains = gains * np.array([0.6 + 0.4 * kept, 0.5 + 0.5 * kept, 1.0], np.float32)
        image = self._scene.belt(travel_mm)
        region = self._scene.region(image)
        cv2.multiply(region, self._light.shading(gains), dst=region, scale=self._light.scale)
        self._actors.draw(image, self._world.on_way, travel_mm, gains)
        return self._light.add_noise(image)

    def _next_exposure_s(self) -> float:
        """Exposures keep their rhythm; those that passed while nobody asked are gone."""
        fps = self._settings.frames_per_s
        self._exposures = max(self._exposures + 1, math.floor(self._world.clock.now_s() * fps + 1e-6) + 1)
        return self._exposures / fps

    def _expose(self) -> ImageBgr:
        if self._fault is CameraFault.FROZEN and self._last is not None:
            return self._last.copy()
        self._last = self.picture()
        return self._last
