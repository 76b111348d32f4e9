"""Things that somebody lays on the simulated belt by hand, and a lamp's mirror image in it. They ride with the belt,
but end in no bin and are taken away again."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour
from edge.records import ImageBgr
from edge.sim.light import Light
from edge.sim.scene import TURN_DEG, BeltScene
from edge.sim.view import Eye

STUD_MM, STUD_RADIUS_MM, STUD_HEIGHT_MM = 8.0, 2.4, 1.8
BRICK_GAP_MM, BRICK_HEIGHT_MM = 0.2, 9.6
"""A brick of n studs is 8 n − 0.2 mm long and 9.6 mm high without its studs (LDraw part 3001)."""
FINE = 4
"""Bricks are drawn so many times larger and shrunk: their edges then lie where they should to a twentieth of a px."""
SHADOW, SHADOW_MM = 0.16, 1.5
INK, PAPER = 22.0, np.array([233.0, 234.0, 235.0])
GLARE_MM = 9.0
STUD_SIDES = 24

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Gains = NDArray[np.float32]
Layer = NDArray[np.integer | np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something lies: `x_belt_mm` and `y_mm` of its middle, turned clockwise as seen from above from lying along
    the belt's way."""

    x_belt_mm: float
    y_mm: float = 0.0
    yaw_deg: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A printed sheet: `print_` (H, W) is 255 where the paper is bare, its right is the belt's way at yaw 0."""

    print_: NDArray[np.uint8]
    px_per_mm: float
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Brick:
    """A brick on its tubes, of so many studs along and across."""

    studs: tuple[int, int]
    colour: Colour
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Glare:
    """A lamp mirrored in the belt: it stays where it is in the straight picture, however the belt moves."""

    u_px: float
    v_px: float


Laid = Sheet | Brick | Glare


@dataclass(frozen=True, slots=True, eq=False)
class _BrickPicture:
    """A brick's layers (H, W, 1), 0…1, at one travel of the belt."""

    travel_mm: float
    middle: Doubles
    rows: slice
    columns: slice
    cover: Layer
    tone: Layer
    shadow: Layer


class LaidDrawer:
    """Draws them over the belt. `eye` is where the camera is, on the same canvas as the scene."""

    def __init__(self, scene: BeltScene, light: Light, eye: Eye) -> None:
        self._scene, self._light, self._eye = scene, light, eye
        self._turn_deg = TURN_DEG[scene.settings.direction]
        self._bricks: dict[Brick, _BrickPicture] = {}
        """As they were drawn last: a belt that stands shows the same again."""

    def draw(self, image: ImageBgr, laid: list[Laid], travel_mm: float, gains: Gains) -> None:
        """In place, in the order in which they were laid."""
        for gone in self._bricks.keys() - set(laid):
            del self._bricks[gone]
        for thing in laid:
            if isinstance(thing, Sheet):
                self._draw_sheet(image, thing, travel_mm, gains)
            elif isinstance(thing, Brick):
                self._draw_brick(image, thing, travel_mm, gains)
            else:
                middle = (round(thing.u_px), round(thing.v_px))
                radius = round(GLARE_MM * self._scene.settings.px_per_mm)
                halo = np.zeros(image.shape[:2], np.uint8)
                cv2.circle(halo, middle, radius, (255,), cv2.FILLED)
                halo = cv2.GaussianBlur(halo, (0, 0), radius / 3)
                cv2.add(image, cv2.merge([halo] * 3), dst=image)

    def _middle(self, place: Place, travel_mm: float) -> tuple[Doubles, float]:
        """u, v of its middle in px, and its turn in the picture in radians."""
        along_mm = travel_mm - place.x_belt_mm - self._scene.settings.station_mm
        # Pixels are counted from their middles here, from their corners in the scene.
        middle = np.array(self._scene.pixel(along_mm, place.y_mm)) - 0.5
        return middle, np.radians(place.yaw_deg + self._turn_deg)

    def _draw_sheet(self, image: ImageBgr, sheet: Sheet, travel_mm: float, gains: Gains) -> None:
        middle, turn = self._middle(sheet.place, travel_mm)
        scale = self._scene.settings.px_per_mm / sheet.px_per_mm
        matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        own_middle = np.array([sheet.print_.shape[1] - 1, sheet.print_.shape[0] - 1]) / 2
        warp = np.column_stack([matrix, middle - matrix @ own_middle])
        soft = cv2.GaussianBlur(sheet.print_, (0, 0), 0.5 / scale)
        size = (image.shape[1], image.shape[0])
        printed = np.asarray(cv2.warpAffine(soft, warp, size, borderMode=cv2.BORDER_REPLICATE), np.float32)[..., None]
        covered = np.asarray(cv2.warpAffine(np.full_like(soft, 255), warp, size), np.float32)[..., None] / 255
        rows, columns = _box(covered[..., 0])
        ink = printed[rows, columns] / 255
        colour = (INK + ink * (PAPER - INK)) * gains * self._light.lens_at(*middle) - self._light.pedestal
        under = image[rows, columns]
        covered = covered[rows, columns]
        image[rows, columns] = np.clip(under * (1 - covered) + colour * covered + 0.5, 0, 255).astype(np.uint8)

    def _draw_brick(self, image: ImageBgr, brick: Brick, travel_mm: float, gains: Gains) -> None:
        picture = self._bricks.get(brick)
        if picture is None or picture.travel_mm != travel_mm:
            size = (image.shape[1], image.shape[0])
            picture = self._bricks[brick] = self._paint_brick(brick, travel_mm, size)
        rows, columns = picture.rows, picture.columns
        red, green, blue = brick.colour.rgb
        colour = np.array([blue, green, red]) * gains * self._light.lens_at(*picture.middle)
        ground = (image[rows, columns] + self._light.pedestal) * picture.shadow
        lit = ground * (1 - picture.cover) + picture.tone * colour - self._light.pedestal
        image[rows, columns] = np.clip(lit + 0.5, 0, 255).astype(np.uint8)

    def _paint_brick(self, brick: Brick, travel_mm: float, size_px: tuple[int, int]) -> _BrickPicture:
        middle, turn = self._middle(brick.place, travel_mm)
        px_per_mm = self._scene.settings.px_per_mm

        def seen(points_mm: Doubles) -> Doubles:
            c, s = np.cos(turn), np.sin(turn)
            flat = points_mm[:, :2] @ np.array([[c, s], [-s, c]]) * px_per_mm + middle
            return self._eye.on_belt(np.column_stack([flat, points_mm[:, 2] * px_per_mm]))

        faces = [(seen(points), shade) for points, shade in _faces(brick, self._way_to_eye(middle, turn))]
        room = SHADOW_MM * 3 * px_per_mm
        corners = np.concatenate([points for points, _ in faces])
        low = np.clip(np.floor(corners.min(axis=0) - room), 0, size_px).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0) + room) + 1, low, size_px).astype(int)
        rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
        if (high == low).any():
            nothing = np.zeros((high[1] - low[1], high[0] - low[0], 1), np.float32)
            return _BrickPicture(travel_mm, middle, rows, columns, nothing, nothing, nothing)
        cover, tone = _paint(faces, low, high - low)
        shadow = 1 - SHADOW * np.asarray(cv2.GaussianBlur(cover, (0, 0), SHADOW_MM * px_per_mm))
        cover, tone = (np.asarray(cv2.filter2D(layer, -1, self._scene.blur)) for layer in (cover, tone))
        return _BrickPicture(travel_mm, middle, rows, columns, cover[..., None], tone[..., None], shadow[..., None])

    def _way_to_eye(self, middle: Doubles, turn: float) -> Doubles:
        """The direction of the camera from the brick's middle, in its own axes."""
        c, s = np.cos(turn), np.sin(turn)
        return np.array([[c, s], [-s, c]]) @ (np.array([self._eye.u_px, self._eye.v_px]) - middle)


def size_mm(studs: int) -> float:
    """Of a brick's side."""
    return STUD_MM * studs - BRICK_GAP_MM


def _faces(brick: Brick, eye: Doubles) -> list[tuple[Doubles, float]]:
    """Polygons (N, 3) mm with their brightness, from back to front as seen from the side of `eye`."""
    half = np.array([size_mm(brick.studs[0]), size_mm(brick.studs[1])]) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    faces: list[tuple[Doubles, float]] = []
    sides = [corners[[first, (first + 1) % 4]] for first in range(4)]
    for number, pair in sorted(enumerate(sides), key=lambda side: float(side[1].mean(axis=0) @ eye)):
        faces.append((_wall(pair, 0.0, BRICK_HEIGHT_MM), 0.72 + 0.05 * number))
    faces.append((_level(corners, BRICK_HEIGHT_MM), 0.95))
    circle = np.linspace(0, 2 * np.pi, STUD_SIDES, endpoint=False)
    ring = STUD_RADIUS_MM * np.stack([np.cos(circle), np.sin(circle)], axis=1)
    for x in (np.arange(brick.studs[0]) - (brick.studs[0] - 1) / 2) * STUD_MM:
        for y in (np.arange(brick.studs[1]) - (brick.studs[1] - 1) / 2) * STUD_MM:
            around = ring + np.array([x, y])
            top = BRICK_HEIGHT_MM + STUD_HEIGHT_MM
            faces.append((np.concatenate([_level(around, BRICK_HEIGHT_MM), _level(around, top)]), 0.78))
            faces.append((_level(around, top), 1.0))
    return faces


def _level(points: Doubles, height_mm: float) -> Doubles:
    return np.column_stack([points, np.full(len(points), height_mm)])


def _wall(pair: Doubles, low_mm: float, high_mm: float) -> Doubles:
    return np.concatenate([_level(pair, low_mm), _level(pair[::-1], high_mm)])


def _paint(faces: list[tuple[Doubles, float]], low: NDArray[np.int_], size: NDArray[np.int_]) -> tuple[Floats, Floats]:
    """Coverage and brightness (H, W) 0…1 of convex faces, in a patch whose first px is `low`."""
    wide, high = (int(side) for side in size)
    tone = np.zeros((high * FINE, wide * FINE), np.float32)
    cover = np.zeros_like(tone)
    for points, shade in faces:
        # The first fine px lies half a px less half a fine px before the patch's first.
        fine = (points - low + 0.5) * FINE - 0.5
        hull = np.round(cv2.convexHull(fine.astype(np.float32)) * 16).astype(np.int32)
        cv2.fillConvexPoly(tone, hull, (shade,), cv2.LINE_8, 4)
        cv2.fillConvexPoly(cover, hull, (1.0,), cv2.LINE_8, 4)
    return tuple(  # type: ignore[return-value]
        np.asarray(cv2.resize(layer, (wide, high), interpolation=cv2.INTER_AREA), np.float32) for layer in (cover, tone)
    )


def _box(covered: NDArray[np.floating]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
