"""Draws the parts that the simulated camera sees."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr
from edge.sim.appearance import Painted, paint, place
from edge.sim.light import Light
from edge.sim.parts import SimPart
from edge.sim.scene import TURN_DEG, BeltScene
from edge.sim.sprites import Sprite, SpriteAtlas
from edge.sim.view import Eye

Floats = NDArray[np.float32]


@dataclass(slots=True)
class _Costume:
    """One part's pictures so far, by the index of the tilt, and the axis they are tilted along."""

    axis: int
    sign: int
    pictures: dict[int, Painted] = field(default_factory=dict)


class Actors:
    """Draws parts over the belt; a part's pictures are made when it is first seen under an angle and dropped when it
    has left. `eye` is where the camera is; None: above the middle of the region."""

    def __init__(self, atlas: SpriteAtlas, scene: BeltScene, light: Light, eye: Eye | None = None) -> None:
        self._atlas = atlas
        self._eye_mm = scene.along_mm(eye.u_px, eye.v_px) if eye else scene.settings.seen_mm / 2
        self._scene = scene
        self._light = light
        self._turn_deg = TURN_DEG[scene.settings.direction]
        self._px_per_sprite_px = scene.settings.px_per_mm * atlas.mm_per_px
        self._costumes: dict[int, _Costume] = {}

    def draw(self, image: ImageBgr, parts: Iterable[SimPart], travel_mm: float, gains: Floats) -> None:
        """Draw the parts that are in the region at a travel, in place."""
        region = self._scene.region(image)
        left, top = self._scene.settings.region_px[:2]
        seen: set[int] = set()
        for part in parts:
            along_mm = travel_mm - part.x_belt_mm - self._scene.settings.station_mm
            reach_mm = float(np.abs(part.outline_mm[:, 0]).max()) + part.height_mm + 10
            if not -reach_mm < along_mm < self._scene.settings.seen_mm + reach_mm:
                continue
            if part.bar:
                self._draw_bar(region, part, along_mm, gains)
                continue
            seen.add(part.part_id)
            u_px, v_px = self._scene.pixel(along_mm, part.y_mm)
            painted = self._painted(part, along_mm)
            brightness = gains * self._light.lens_at(u_px, v_px)
            _blend(region, painted, round(u_px) - left + painted.left, round(v_px) - top + painted.top, brightness)
        for gone in self._costumes.keys() - seen:
            del self._costumes[gone]

    def _draw_bar(self, region: ImageBgr, part: SimPart, along_mm: float, gains: Floats) -> None:
        left, top = self._scene.settings.region_px[:2]
        ends = [self._scene.pixel(along_mm + along, part.y_mm + across) for along, across in part.outline_mm.tolist()]
        red, green, blue = part.colour.rgb
        colour = [float(level * gain) for level, gain in zip((blue, green, red), gains, strict=True)]
        cv2.fillConvexPoly(region, np.array(ends, np.int32) - (left, top), colour, cv2.LINE_AA)

    def _painted(self, part: SimPart, along_mm: float) -> Painted:
        costume = self._costumes.get(part.part_id)
        if costume is None:
            costume = self._costumes[part.part_id] = self._costume(part)
        offset_mm = self._eye_mm - along_mm
        # The camera stands downstream of a part that has yet to reach the middle.
        tilt_deg = costume.sign * math.degrees(math.atan2(offset_mm, self._scene.settings.height_mm))
        tilts = self._atlas.tilts_deg(part.colour.transparent)
        tilt = min(range(len(tilts)), key=lambda k: abs(tilts[k] - tilt_deg))
        if tilt not in costume.pictures:
            sprite = self._atlas.sprite(part.family, part.pose, part.colour.transparent, costume.axis, tilt)
            costume.pictures[tilt] = self._paint(part, sprite)
        return costume.pictures[tilt]

    def _costume(self, part: SimPart) -> _Costume:
        """Choose the axis that lies best along the belt once the part is turned."""
        axes = self._atlas.axes_deg(part.colour.transparent)
        away = [(axis + part.yaw_deg + 180) % 360 - 180 for axis in axes]
        axis = min(range(len(axes)), key=lambda k: min(abs(away[k]), 180 - abs(away[k])))
        return _Costume(axis, 1 if abs(away[axis]) < 90 else -1)

    def _paint(self, part: SimPart, sprite: Sprite) -> Painted:
        red, green, blue = part.colour.rgb
        keep, add = paint(
            sprite,
            (blue, green, red),
            clear=part.colour.transparent,
            pearl=part.colour.finish == "pearl",
            belt_bgr=self._scene.mean_bgr,
        )
        turn_deg = part.yaw_deg + self._turn_deg
        blur, pedestal = self._scene.blur, self._light.pedestal
        return place(sprite, keep, add, turn_deg, self._px_per_sprite_px, blur, pedestal)


def _blend(region: ImageBgr, painted: Painted, left: int, top: int, brightness: Floats) -> None:
    """region ← region × keep + add × brightness, where the patch lies inside the region."""
    height, width = painted.keep.shape[:2]
    u0, v0 = max(left, 0), max(top, 0)
    u1, v1 = min(left + width, region.shape[1]), min(top + height, region.shape[0])
    if u0 >= u1 or v0 >= v1:
        return
    rows, columns = slice(v0 - top, v1 - top), slice(u0 - left, u1 - left)
    under = region[v0:v1, u0:u1]
    kept = cv2.multiply(under, painted.keep[rows, columns], scale=1 / 255)
    added = cv2.multiply(painted.add[rows, columns], np.append(brightness, 0).astype(np.float64))
    cv2.add(kept, added, dst=under)
