"""Step `colour`: the belt's own colour, the evenness of the light, and what takes the camera's colours to daylight's.

A few plates or tiles of different colours ride by on the running belt, are followed and measured just as when it sorts,
and then are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.colour_fit import GOOD, Correction, SeenBrick, fit_colours, lit, misnamed, swapped
from calibration.parts_run import PartsRun
from calibration.rig import Rig, Task
from calibration.step import Fit, RefusedError, Step
from edge.catalogue.colours import Colour, find_colour, load_colours
from edge.config.calibration import ColourCalibration, Residual
from edge.inference.colour import ColourMeter, linear, sample_body
from edge.records import TOP_VIEW, Frame, ImageBgr, Track

PROPOSED = ("White", "Red", "Yellow", "Blue", "Green", "Light Bluish Gray", "Orange", "Tan")
FAMILIES = ("3020", "3022")
"""Plates: they lie flat, so that the light falls on them as on the belt."""
FEWEST, FEWEST_LOOKS = 5, 3
NEUTRAL = frozenset({"White", "Light Bluish Gray", "Dark Bluish Gray", "Very Light Bluish Gray", "Light Gray"})
EVERY_S, PATIENCE_S, QUIET_S = 2.0, 40.0, 4.0
BARE_FRAMES = 12
GRID = (6, 10)
"""Rows and columns of the flat field."""
LIMITS = {"mean": GOOD, "worst": 15.0, "uneven": 80.0}

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RodeBy:
    """What was seen of one brick: `ratios` (N, 3) of its looks, linear RGB ÷ the belt's, and one of its pictures."""

    ratios: Doubles
    picture: ImageBgr

    @property
    def ratio(self) -> Doubles:
        return np.median(self.ratios, axis=0)


@dataclass(frozen=True, slots=True)
class ColourData:
    """Attributes:
    bare: straightened pictures of the bare belt's region.
    bricks: what rode by, in order.
    names: what each was named, in the same order.
    """

    bare: tuple[ImageBgr, ...]
    bricks: tuple[RodeBy, ...]
    names: tuple[str, ...]


def collect(rig: Rig) -> ColourData:
    """Watches the bare belt, then the bricks on it, and asks for their colours.

    Raises:
        RefusedError: too few of them were seen.
        HardwareError: a device fails.
    """
    watched = _Watched(rig)
    run = PartsRun(rig, watched.see)
    run.start()
    try:
        for _ in range(BARE_FRAMES):
            run.look()
        watched.bare_is_done = True
        words = (
            f"Press Enter, then lay {len(PROPOSED)} plates or tiles of different colours flat on the running belt, a"
            f" hand apart, within {PATIENCE_S:g} s; such as {', '.join(PROPOSED)}. Keep their order in mind."
        )
        rig.operator.do(Task(words, "drop-bricks", _proposal(), len(PROPOSED) * EVERY_S + 25.0))
        run.look_until_quiet(lambda: len(watched.bricks()) >= FEWEST, PATIENCE_S, QUIET_S)
    finally:
        rig.belt_motor.stop()
    bricks = watched.bricks()
    if len(bricks) < FEWEST:
        raise RefusedError(
            f"colour: {len(bricks)} bricks were seen whole and by themselves, {FEWEST} it takes: lay them flat, a hand"
            " apart, in the middle of the belt"
        )
    return ColourData(tuple(watched.bare), bricks, _ask(rig, bricks))


def _proposal() -> dict[str, object]:
    colours = [find_colour(name, load_colours()) for name in PROPOSED]
    bricks = [(FAMILIES[k % 2], colour.code) for k, colour in enumerate(colours) if colour]
    return {"bricks": bricks, "every_s": EVERY_S}


def nameable() -> tuple[Colour, ...]:
    """The colours that a brick may be named: clear and pearly ones look otherwise on every side."""
    return tuple(colour for colour in load_colours() if colour.finish == "solid")


def _ask(rig: Rig, bricks: Sequence[RodeBy]) -> tuple[str, ...]:
    """The name of each brick, by whoever stands there."""
    colours = nameable()
    meter = ColourMeter(colours)
    answers = tuple(colour.name for colour in colours)
    names: list[str] = []
    for place, brick in enumerate(bricks):
        likely = colours[int(np.argmax(meter.score_ratio(brick.ratio.astype(np.float32))))].name
        words = f"Which colour is brick {place + 1} of the {len(bricks)} that rode by? It looks like {likely}."
        names.append(rig.operator.do(Task(words, "name", {"place": place, "likely": likely}, 4.0, answers)))
    return tuple(names)


@dataclass(slots=True)
class _Seen:
    first_frame: int
    ratios: list[Doubles] = field(default_factory=list)
    picture: ImageBgr | None = None
    touching: bool = False


@dataclass(slots=True)
class _Watched:
    """What is noted while the belt runs."""

    rig: Rig
    bare: list[ImageBgr] = field(default_factory=list)
    bare_is_done: bool = False
    seen: dict[int, _Seen] = field(default_factory=dict)

    def see(self, frame: Frame, tracks: list[Track]) -> None:
        """Takes in a frame of the run."""
        if not self.bare_is_done:
            u0, v0, u1, v1 = self.rig.config.camera.belt_region_px
            if not tracks:
                self.bare.append(frame.image_bgr[v0:v1, u0:u1].copy())
            return
        for track in tracks:
            own = self.seen.setdefault(track.track_id, _Seen(track.first_frame))
            own.touching |= track.touching
            for look in track.looks:
                sample = sample_body(look) if look.view == TOP_VIEW else None
                if sample is not None and sample.belt is not None:
                    own.ratios.append(sample.ratio.astype(np.float64))
                    own.picture = look.crop_bgr

    def bricks(self) -> tuple[RodeBy, ...]:
        whole = [
            own
            for own in self.seen.values()
            if len(own.ratios) >= FEWEST_LOOKS and not own.touching and own.picture is not None
        ]
        whole.sort(key=lambda own: own.first_frame)
        return tuple(RodeBy(np.array(own.ratios), own.picture) for own in whole if own.picture is not None)


def fit(rig: Rig, data: ColourData) -> Fit[ColourCalibration]:
    """The colour section.

    Raises:
        RefusedError: the names say too little, or one of them is wrong.
    """
    colours = [find_colour(name, load_colours()) for name in data.names]
    bricks = [SeenBrick(brick.ratio, colour) for brick, colour in zip(data.bricks, colours, strict=True) if colour]
    _check_names(bricks)
    _check_each_name(bricks)
    found = fit_colours(bricks)
    flat = flat_field(data.bare)
    belt_rgb = _srgb(found.belt)
    uneven = 100 * (flat.max() - flat.min())
    section = ColourCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {len(bricks)} bricks: {', '.join(brick.colour.name for brick in bricks)}",
        residuals={
            "colours off in the mean": Residual(
                value=float(found.differences.mean()), limit=LIMITS["mean"], unit="CIE94"
            ),
            "worst colour off": Residual(value=float(found.differences.max()), limit=LIMITS["worst"], unit="CIE94"),
            "unevenness of the light": Residual(value=float(uneven), limit=LIMITS["uneven"], unit="%"),
        },
        belt_rgb=(belt_rgb[0], belt_rgb[1], belt_rgb[2]),
        flat_field=tuple(tuple(round(float(value), 4) for value in row) for row in flat),
        matrix=tuple(tuple(float(value) for value in row) for row in found.matrix),  # type: ignore[arg-type]
    )
    red, green, blue = (round(value) for value in belt_rgb)
    notes = (
        f"the belt is ({red}, {green}, {blue}) in daylight; its light differs by {uneven:.0f} % from place to place",
    )
    return Fit(section, _picture(data, bricks, found, flat), notes)


def _check_names(bricks: Sequence[SeenBrick]) -> None:
    names = {brick.colour.name for brick in bricks}
    if len(names) < FEWEST:
        raise RefusedError(f"colour: the bricks have {len(names)} different colours, {FEWEST} it takes: take others")
    if not names & NEUTRAL:
        raise RefusedError("colour: none of the bricks is white or gray, which the belt is measured by: add one")


def _check_each_name(bricks: Sequence[SeenBrick]) -> None:
    if (wrong := misnamed(bricks, nameable())) is None:
        return
    place, likely = wrong
    if (pair := swapped(bricks, place, likely)) is not None:
        one, other = pair
        raise RefusedError(
            f"colour: bricks {one + 1} and {other + 1} were named {bricks[one].colour.name} and"
            f" {bricks[other].colour.name}, and look as if it were the other way round: name them in the order in which"
            " they rode by"
        )
    raise RefusedError(
        f"colour: brick {place + 1} was named {bricks[place].colour.name}, but beside the others it looks like"
        f" {likely.name}: name it right (or were two swapped?), or take another one"
    )


def flat_field(bare: Sequence[ImageBgr]) -> Doubles:
    """(rows, columns) of the bare belt's brightness in linear light, its mean 1.

    Raises:
        RefusedError: there was something on it all the time.
    """
    if not bare:
        raise RefusedError("colour: the belt was never bare: take everything off it, and let it run")
    mean = np.asarray(sum(linear(picture).mean(axis=2) for picture in bare) / len(bare), np.float64)
    rows, columns = GRID
    cells = np.asarray(cv2.resize(mean, (columns, rows), interpolation=cv2.INTER_AREA), np.float64)
    return cells / cells.mean()


def _srgb(light: Doubles) -> list[float]:
    """sRGB in 0…255 of linear light (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return [float(value) for value in 255 * coded]


def _picture(data: ColourData, bricks: Sequence[SeenBrick], found: Correction, flat: Doubles) -> ImageBgr:
    """A row for each brick: as it was seen, its colour as corrected, and as it is named. Below, the flat field."""
    rows: list[ImageBgr] = []
    for brick, seen, off in zip(bricks, data.bricks, found.differences, strict=True):
        row = np.full((56, 720, 3), 255, np.uint8)
        height, width = seen.picture.shape[:2]
        size = (max(round(width * 52 / height), 1), 52)
        small = cv2.resize(seen.picture, size if size[0] <= 140 else (140, 52), interpolation=cv2.INTER_AREA)
        row[2:54, 4 : 4 + small.shape[1]] = small
        row[2:54, 160:240] = _srgb(found.corrected(brick.ratio))[::-1]
        row[2:54, 240:320] = _srgb(lit(brick.colour))[::-1]
        words = f"{brick.colour.name}: {off:.1f} off"
        cv2.putText(row, words, (334, 34), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
        rows.append(row)
    grey = np.clip(flat / flat.max() * 255, 0, 255).astype(np.uint8)
    large = cv2.resize(grey, (720, 180), interpolation=cv2.INTER_NEAREST)
    return np.concatenate([*rows, cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)]).astype(np.uint8)


STEP: Step[ColourData, ColourCalibration] = Step("colour", "the belt's colour, and true colours of parts", collect, fit)
