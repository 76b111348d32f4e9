"""The belt's speed, its ripple and direction, and an encoder's tick: from a belt that runs past the camera.

The belt is followed by its own texture (`belt_texture`), or, where that is too plain, by parts that are dropped on it
(`belt_rides`). The encoder's readings are set against what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.belt_fit import BeltFit, Way, fit_ways
from calibration.belt_rides import RideWatcher
from calibration.belt_texture import Shift, shift_between, shrink_for_texture, still_part, texture_of
from calibration.chart import Curve, chart, stack
from calibration.rig import Rig, Task
from calibration.step import Fit, RefusedError, Step
from edge.capture.drift import EdgeWidth
from edge.config.calibration import BeltCalibration, Residual
from edge.config.schema import GpioEncoderConfig, MachineConfig, SimEncoderConfig
from edge.records import Box
from edge.tracking.geometry import BeltGeometry
from edge.tracking.settings import tracking_settings

Counting = GpioEncoderConfig | SimEncoderConfig
Direction = Literal["right", "left", "up", "down"]

STARTS_S = 2.0
"""Until a belt that was switched on runs evenly."""
WATCH_S, LEAST_FRAMES = 12.0, 30
PARTS, PARTS_S = 10, 20.0
"""How many parts are asked for where the belt is too plain, and how long they may take."""
CLEAR_SHARE = 0.6
"""Of the steps that must be clear for the texture to be gone by."""
STILL_PX = 0.5
ASIDE_PX, ASIDE_SHARE = 2.0, 0.1
"""How far off the usual way a shift may go."""
STEADY_SHARE = 0.4
"""A step that is so much slower or faster than the usual one is a belt that stops, or a match by chance."""
NEIGHBOURS = 6
STRAY_PX, STRAY_SHARE = 1.5, 0.01
LEAST_WAYS = 6
LIMITS = {"uncertainty": 0.3, "slip": 3.0, "stray": 1.0, "turn": 2.0}


@dataclass(frozen=True, slots=True, eq=False)
class BeltData:
    """What was seen of the running belt.

    Attributes:
        ways: of the texture, or of parts.
        seen_by: "its texture", or how many half rides of parts (`belt_rides`).
        turn_deg: between the belt's way and the edge of the straightened picture.
        steps: (N, 2) time and speed in mm/s from frame to frame, for the picture.
        frames: how many pictures.
        edge_px: how wide the belt's edges are, as `edge.capture.drift.EdgeWidth` has it; None where it has none.
    """

    ways: tuple[Way, ...]
    seen_by: str
    turn_deg: float
    steps: tuple[tuple[float, float], ...]
    frames: int
    edge_px: float | None = None


def collect(rig: Rig) -> BeltData:
    """Lets the belt run and watches it.

    Raises:
        RefusedError: it cannot be followed, does not move, or moves another way than machine.yaml says.
        HardwareError: a device fails.
    """
    config = rig.config
    if config.belt.motor.driver == "none":
        rig.operator.do(Task("Switch the belt on, and let nothing lie on it.", "switch-belt", {"on": True}, 5.0))
    rig.belt_motor.start()
    try:
        rig.wait_until(rig.clock.now_s() + STARTS_S)
        first = _watch(rig, WATCH_S)
        if len(first.frames) < LEAST_FRAMES:
            raise RefusedError(f"belt: {len(first.frames)} pictures are too few, {LEAST_FRAMES} it takes: record more")
        data = _by_texture(first, config) or _by_parts(first)
        if (
            data is None
            and isinstance(rig.machine.belt.encoder, Counting)
            and first.frames[-1][1] <= first.frames[0][1]
        ):
            raise RefusedError(
                "belt: nothing is seen to move and its encoder tells no way: look at its motor and switch"
            )
        if data is None and config.camera.driver != "frames":
            words = (
                f"The belt is too plain to be followed: drop {PARTS} parts on it, a hand apart, any but clear ones,"
                f" within {PARTS_S:g} seconds of pressing Enter."
            )
            rig.operator.do(Task(words, "drop-any", {"count": PARTS, "every_s": PARTS_S / PARTS}, PARTS_S))
            data = _by_parts(_watch(rig, PARTS_S + 5.0))
    finally:
        rig.belt_motor.stop()
    if data is None:
        raise RefusedError(
            "belt: it is too plain to be followed, and no parts were seen on it that could be: drop parts that stand"
            " out from it, one after the other"
        )
    return data


@dataclass(slots=True)
class _Watched:
    """The pictures of a while, shrunk, with what is known of them."""

    frames: list[tuple[float, float]]
    """Time and told travel."""
    pictures: list[np.ndarray]
    covered: list[list[Box]]
    """Where parts were, in px of the straightened picture."""
    factor: int
    watcher: RideWatcher
    geometry: BeltGeometry
    edge: EdgeWidth


def _watch(rig: Rig, duration_s: float) -> _Watched:
    camera = rig.config.camera
    geometry = BeltGeometry(camera.belt_region_px, camera.belt_direction, camera.px_per_mm, camera.station_mm)
    watcher = RideWatcher(geometry, tracking_settings(rig.config).min_area_mm2, rig.config.belt.belt_mm_per_s)
    edge = EdgeWidth(camera.belt_region_px, camera.px_per_mm, camera.belt_direction in ("up", "down"))
    watched = _Watched([], [], [], 1, watcher, geometry, edge)
    u0, v0, u1, v1 = camera.belt_region_px
    for frame in rig.straight_frames(math.ceil(duration_s * camera.frames_per_s)):
        image = np.asarray(frame.image_bgr)
        picture, watched.factor = shrink_for_texture(image[v0:v1, u0:u1], camera.px_per_mm)
        watched.edge.take(image)
        watched.frames.append((frame.time_s, frame.belt_mm))
        watched.pictures.append(picture)
        watched.covered.append(watcher.take(image, frame.time_s, frame.belt_mm))
    return watched


def _by_texture(watched: _Watched, config: MachineConfig) -> BeltData | None:
    """The belt by its texture; None where it has too little.

    Raises:
        RefusedError: it stands still, stops on the way, or goes another way.
    """
    still = still_part(watched.pictures)
    shifts = _shifts(watched, still)
    if not _of_one_way(shifts):
        # Of a belt that stands, all is still: without that part taken off, it shows itself.
        seen = [shift for shift in _shifts(watched, None) if shift.clear]
        if len(seen) >= CLEAR_SHARE * len(shifts) and all(math.hypot(s.u_px, s.v_px) < STILL_PX for s in seen):
            raise RefusedError("belt: it does not move: look at its motor, its switch and its tension")
        return None
    px_per_mm = config.camera.px_per_mm
    direction, turn_deg = _direction(*_usual_px(shifts))
    if direction != config.camera.belt_direction:
        raise RefusedError(
            f"belt: it moves {direction} in the picture, machine.yaml says {config.camera.belt_direction}: correct"
            " camera.belt_direction, then measure again"
        )
    times = np.array([time_s for time_s, _ in watched.frames])
    lengths = [_length(shift, direction) / px_per_mm for shift in shifts]
    speeds = np.array(lengths) / np.diff(times)
    clear = np.array([shift.clear for shift in shifts])
    usual = float(np.median(speeds[clear]))
    steady = clear & (np.abs(speeds / usual - 1) < STEADY_SHARE)
    if np.count_nonzero(clear & ~steady) > (1 - CLEAR_SHARE) * len(shifts):
        raise RefusedError("belt: it stops or changes its speed on the way: let it run evenly, then measure again")
    steady &= _like_neighbours(speeds, steady, np.diff(times), watched.factor / px_per_mm)
    ways = _ways(watched.frames, lengths, steady.tolist())
    steps = tuple(zip(times[1:][steady].tolist(), speeds[steady].tolist(), strict=True))
    return BeltData(ways, "its texture", turn_deg, steps, len(times), watched.edge.width_px)


def _like_neighbours(speeds: np.ndarray, good: np.ndarray, took_s: np.ndarray, px_mm: float) -> np.ndarray:
    """(N,) which speeds are near the median of the good ones around: a weave that repeats may match a thread too far.
    `px_mm` is the size of a shrunk picture's px."""
    fits = np.zeros(len(speeds), np.bool_)
    for place, speed in enumerate(speeds):
        around = slice(max(place - NEIGHBOURS, 0), place + NEIGHBOURS + 1)
        if good[around].any():
            usual = float(np.median(speeds[around][good[around]]))
            fits[place] = abs(speed - usual) * took_s[place] <= STRAY_PX * px_mm + STRAY_SHARE * usual * took_s[place]
    return fits


def _shifts(watched: _Watched, still: np.ndarray | None) -> list[Shift]:
    """From each picture to the next, by what is bare of parts."""
    u0, v0, *_ = watched.geometry.region_px
    factor = watched.factor
    shifts: list[Shift] = []
    before: np.ndarray | None = None
    for picture, covered in zip(watched.pictures, watched.covered, strict=True):
        after = texture_of(picture, still)
        for left, top, right, bottom in covered:
            after[
                (top - v0) // factor : -(-(bottom - v0) // factor), (left - u0) // factor : -(-(right - u0) // factor)
            ] = 0
        if before is not None:
            shifts.append(shift_between(before, after, factor))
        before = after
    return shifts


def _usual_px(shifts: Sequence[Shift]) -> tuple[float, float]:
    """The middle one of the clear shifts that are more than none; 0, 0 without any."""
    moved = [(s.u_px, s.v_px) for s in shifts if s.clear and math.hypot(s.u_px, s.v_px) > ASIDE_PX]
    u_px, v_px = np.median(moved, axis=0).tolist() if moved else (0.0, 0.0)
    return u_px, v_px


def _of_one_way(shifts: Sequence[Shift]) -> bool:
    """Whether enough of them are clear and go the same way, however far: matches by chance go anywhere."""
    u_px, v_px = _usual_px(shifts)
    length = math.hypot(u_px, v_px)
    if length == 0:
        return False
    alike = 0
    for shift in shifts:
        along = (shift.u_px * u_px + shift.v_px * v_px) / length
        aside = abs(shift.u_px * v_px - shift.v_px * u_px) / length
        alike += shift.clear and along > -ASIDE_PX and aside < ASIDE_PX + ASIDE_SHARE * along
    return alike >= CLEAR_SHARE * len(shifts)


def _direction(u_px: float, v_px: float) -> tuple[Direction, float]:
    """The way of a shift, and by how many degrees it is turned from it."""
    if abs(u_px) >= abs(v_px):
        return ("right" if u_px > 0 else "left"), math.degrees(math.atan2(v_px, abs(u_px)))
    return ("down" if v_px > 0 else "up"), math.degrees(math.atan2(u_px, abs(v_px)))


def _length(shift: Shift, direction: Direction) -> float:
    """How long it is, below 0 against the direction."""
    along = {"right": shift.u_px, "left": -shift.u_px, "down": shift.v_px, "up": -shift.v_px}[direction]
    return math.copysign(math.hypot(shift.u_px, shift.v_px), along)


def _ways(frames: Sequence[tuple[float, float]], lengths_mm: Sequence[float], good: Sequence[bool]) -> tuple[Way, ...]:
    """Runs of good steps, put together."""
    runs: list[list[tuple[float, float, float]]] = []
    running = False
    for place, (length_mm, fits) in enumerate(zip(lengths_mm, good, strict=True)):
        if fits:
            if not running:
                runs.append([(*frames[place], 0.0)])
            runs[-1].append((*frames[place + 1], runs[-1][-1][2] + length_mm))
        running = fits
    return tuple(Way(*np.array(run).T) for run in runs)


def _by_parts(watched: _Watched) -> BeltData | None:
    """The belt by the parts on it; None for too few."""
    ways = watched.watcher.ways
    if len(ways) < LEAST_WAYS:
        return None
    steps = [
        (float(time_s), float(step / took))
        for way in ways
        for time_s, took, step in zip(way.time_s[1:], np.diff(way.time_s), np.diff(way.seen_mm), strict=True)
    ]
    seen_by, frames = f"{len(ways)} half rides of parts", len(watched.frames)
    return BeltData(tuple(ways), seen_by, 0.0, tuple(sorted(steps)), frames, watched.edge.width_px)


def fit(rig: Rig, data: BeltData) -> Fit[BeltCalibration]:
    """The belt's section.

    Raises:
        RefusedError: the encoder tells no way.
    """
    config = rig.config
    encoder = rig.machine.belt.encoder
    counts = isinstance(encoder, Counting)
    if counts and sum(float(np.ptp(way.told_mm)) for way in data.ways) <= 0:
        raise RefusedError("belt: it moves, but its encoder tells no way: look at the encoder, its gap and its cable")
    found = fit_ways(data.ways)
    residuals: dict[str, Residual] = {}
    if counts:
        residuals["slip"] = Residual(value=100 * found.slip, limit=LIMITS["slip"], unit="%")
        residuals["stray from the encoder"] = Residual(value=found.stray_mm, limit=LIMITS["stray"], unit="mm")
    residuals["uncertainty of the way"] = Residual(value=100 * found.uncertain, limit=LIMITS["uncertainty"], unit="%")
    residuals["turn of the belt"] = Residual(value=abs(data.turn_deg), limit=LIMITS["turn"], unit="°")
    section = BeltCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {data.frames} frames, by {data.seen_by}",
        residuals=residuals,
        belt_mm_per_s=found.mm_per_s,
        ripple=found.ripple,
        mm_per_tick=encoder.mm_per_tick * found.seen_per_told if counts else None,
        slip=found.slip if counts else 0.0,
        direction=config.camera.belt_direction,
        edge_px=round(data.edge_px, 3) if data.edge_px else None,
    )
    wave = f", swinging by {found.ripple:.1%} every {found.period_s:.1f} s" if found.period_s else ""
    notes = [
        f"the belt runs at {found.mm_per_s:.1f} mm/s{wave}; machine.yaml says {rig.machine.belt.belt_mm_per_s:g}",
        f"{config.camera.seen_mm:.0f} mm of it are seen",
    ]
    if section.mm_per_tick and counts:
        notes.append(
            f"a tick of its encoder is {section.mm_per_tick:.4f} mm; machine.yaml says {encoder.mm_per_tick:g}"
        )
    return Fit(section, _picture(data, found), tuple(notes))


def _picture(data: BeltData, found: BeltFit) -> np.ndarray:
    """Speed from frame to frame with the fitted wave over it, and how what was seen strays from what was told."""
    time_s, speeds = (np.array(column) for column in zip(*data.steps, strict=True))
    smooth = np.full(len(time_s), found.mm_per_s)
    if found.period_s:
        turn = 2 * math.pi / found.period_s
        sine, cosine = found.wave_mm
        smooth = smooth + turn * (sine * np.cos(turn * time_s) - cosine * np.sin(turn * time_s))
    strays: list[Curve] = []
    for way in data.ways:
        told_mm, seen_mm = way.told_mm - data.ways[0].told_mm[0], way.seen_mm - way.seen_mm.mean()
        stray = seen_mm - found.seen_per_told * (way.told_mm - way.told_mm.mean())
        strays.append(Curve(told_mm, stray, line=False))
    start_s = time_s[0]
    return stack(
        chart(
            f"belt: {found.mm_per_s:.2f} mm/s, by {data.seen_by}",
            "s",
            "mm/s",
            [Curve(time_s - start_s, speeds, line=False), Curve(time_s - start_s, smooth, (40, 40, 200))],
        ),
        chart(
            f"seen way less {found.seen_per_told:.4f} x told way: {found.stray_mm:.2f} mm",
            "mm told",
            "mm",
            strays,
        ),
    )


STEP = Step("belt", "the belt's speed, and its encoder's ticks", collect, fit, needs=("plane",))
