"""`brickgate bench`: what each stage of the frame path costs, on a drawn belt with 1, 4 and 8 parts in view.

Every part in view gives a look in every frame, the most that the machine ever does. Times are medians over frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TextIO

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from edge.bundle.manifest import Bundle
from edge.capture.health import FrameHealth
from edge.catalogue.colours import Colour, load_colours
from edge.catalogue.parts import PartCatalogue
from edge.clock import Clock, MonotonicClock
from edge.config.load import load_bins
from edge.fusion.verdict import Fusion, FusionSettings
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.inference.classifier import Classifier
from edge.inference.colour import ColourMeter
from edge.records import Frame, ImageBgr, Look, Picture, Scores, Track, TrackState
from edge.routing.router import Router
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import Tracker

WIDTH_PX, HEIGHT_PX = 1280, 720
REGION_PX = (0, 60, 1280, 660)
PX_PER_MM = 5.0
STEP_PX = 60
FRAMES_PER_S = 12.0
FRAMES = 60
WARM_UP_FRAMES = 20
PARTS = (1, 4, 8)
RATIO_PARTS = 4
DIFFERENT = 25
BINS = Path(__file__).parent / "config" / "examples" / "west-18" / "bins.yaml"
SURE_ABOVE = 0.9


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds a frame, medians. `watch_ms` is the camera's health, `invoke_ms` the network for all looks of it,
    `bare_ms` OpenCV's absdiff, threshold and connectedComponentsWithStats on the same pictures."""

    parts: int
    looks: float
    watch_ms: float
    track_ms: float
    prepare_ms: float
    invoke_ms: float
    colour_ms: float
    fuse_ms: float
    decide_ms: float
    frame_ms: float
    bare_ms: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """`invoke_ms` is one look through the network; `overhead_ratio` all of a frame's path except the network ÷ one
    invoke, with 4 parts in view; `vision_ratio` segmentation and tracking ÷ the bare OpenCV calls."""

    stages: tuple[StageTimes, ...]
    invoke_ms: float
    overhead_ratio: float
    vision_ratio: float


def run_bench(
    accelerator: Accelerator, bundle: Bundle, frames: int = FRAMES, clock: Clock | None = None
) -> BenchReport:
    """Measures the frame path with each number of parts in view; bins are those of the west-18 example.

    Args:
        accelerator: has the bundle's model loaded.
        bundle: the model bundle.
        frames: frames measured for each number of parts, after a warm-up.
        clock: the stopwatch.
    """
    colours = load_colours()
    router = Router(load_bins(BINS), PartCatalogue(bundle.parts), colours, SURE_ABOVE)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        bench = _Bench(accelerator, bundle, colours, router, clock or MonotonicClock())
        stages = tuple(bench.measure(parts, frames) for parts in PARTS)
    finally:
        cv2.setNumThreads(threads)
    middle = next(times for times in stages if times.parts == RATIO_PARTS)
    invoke_ms = bench.single_invoke_ms()
    return BenchReport(
        stages=stages,
        invoke_ms=invoke_ms,
        overhead_ratio=(middle.frame_ms - middle.invoke_ms) / invoke_ms,
        vision_ratio=middle.track_ms / middle.bare_ms,
    )


def print_report(report: BenchReport, out: TextIO, *, as_json: bool) -> None:
    """The report as one JSON object, or as a table for people."""
    if as_json:
        print(json.dumps(_rounded(asdict(report))), file=out)
        return
    table = Table("parts in view", title=f"milliseconds a frame, {WIDTH_PX}×{HEIGHT_PX}", title_justify="left")
    names = ("watch", "track", "prepare", "invoke", "colour", "fuse", "decide", "frame")
    for name in names:
        table.add_column(name, justify="right")
    for times in report.stages:
        table.add_row(str(times.parts), *(f"{getattr(times, f'{name}_ms'):.2f}" for name in names))
    console = Console(file=out)
    console.print(table)
    console.print(f"one invoke       {report.invoke_ms:.2f} ms")
    console.print(f"overhead ratio   {report.overhead_ratio:.2f}   the frame path but for the network ÷ one invoke")
    console.print(f"vision ratio     {report.vision_ratio:.2f}   segmentation and tracking ÷ bare OpenCV calls")


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


class _TimedAccelerator:
    """An accelerator that keeps how long each invoke took."""

    def __init__(self, inner: Accelerator, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self.invokes_s: list[float] = []

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def input_spec(self) -> TensorSpec:
        return self._inner.input_spec

    @property
    def output_spec(self) -> TensorSpec:
        return self._inner.output_spec

    def load(self, model: Path) -> None:
        self._inner.load(model)

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        start_s = self._clock.now_s()
        output = self._inner.invoke(tensor)
        self.invokes_s.append(self._clock.now_s() - start_s)
        return output

    def close(self) -> None:
        self._inner.close()


class _TimedMeter(ColourMeter):
    """A colour meter that keeps how long it took in all."""

    def __init__(self, colours: Sequence[Colour], clock: Clock) -> None:
        super().__init__(colours)
        self._clock = clock
        self.total_s = 0.0

    def measure(self, look: Look) -> Scores:
        start_s = self._clock.now_s()
        scores = super().measure(look)
        self.total_s += self._clock.now_s() - start_s
        return scores


class _Bench:
    """The stages of the frame path, each between two readings of the clock."""

    def __init__(
        self, accelerator: Accelerator, bundle: Bundle, colours: Sequence[Colour], router: Router, clock: Clock
    ) -> None:
        self._clock = clock
        self._router = router
        self._accelerator = _TimedAccelerator(accelerator, clock)
        self._meter = _TimedMeter(colours, clock)
        self._classifier = Classifier(self._accelerator, bundle, self._meter)
        self._classes = (len(bundle.parts), len(colours))
        self._settings = FusionSettings(exponent=bundle.fusion_exponent)

    def single_invoke_ms(self) -> float:
        """Median of every invoke so far."""
        return 1e3 * median(self._accelerator.invokes_s)

    def measure(self, parts: int, frames: int) -> StageTimes:
        """Medians over `frames` frames with so many parts in view."""
        belt = DrawnBelt(parts)
        most = WARM_UP_FRAMES + frames
        tracker = Tracker(TrackingSettings(PX_PER_MM, "right", REGION_PX, max_looks=most))
        fusion = Fusion(*self._classes, self._settings)
        health = FrameHealth(REGION_PX, PX_PER_MM, along_v=False, frames_per_s=FRAMES_PER_S)
        rows: list[tuple[float, ...]] = []
        for index in range(most):
            frame = belt.draw(index)
            bare_s = self._time_bare(frame.image_bgr, belt.bare)
            times = self._time_frame(frame, health, tracker, fusion)
            if index >= WARM_UP_FRAMES:
                rows.append((*times, bare_s))
        looks, *seconds = (median(column) for column in zip(*rows, strict=True))
        return StageTimes(parts, looks, *(1e3 * second for second in seconds))

    def _time_frame(self, frame: Frame, health: FrameHealth, tracker: Tracker, fusion: Fusion) -> tuple[float, ...]:
        """Looks, then seconds: watch, track, prepare, invoke, colour, fuse, decide, and the whole frame."""
        now_s = self._clock.now_s
        invokes, colour_s = len(self._accelerator.invokes_s), self._meter.total_s
        start_s = now_s()
        health.check(frame, frame.time_s)
        watched_s = now_s()
        tracks = tracker.update(frame)
        tracked_s = now_s()
        predictions = [self._classifier.classify(look) for track in tracks for look in track.looks]
        classified_s = now_s()
        for prediction in predictions:
            fusion.add(prediction)
        verdicts = [fusion.verdict(track.track_id) for track in tracks if self._settle(track, fusion)]
        fused_s = now_s()
        for verdict in verdicts:
            self._router.decide(verdict)
        end_s = now_s()
        for track in tracks:
            if track.state is TrackState.FINISHED:
                fusion.forget(track.track_id)
        invoke_s = sum(self._accelerator.invokes_s[invokes:])
        colour_s = self._meter.total_s - colour_s
        prepare_s = classified_s - tracked_s - invoke_s - colour_s
        classify_s = (prepare_s, invoke_s, colour_s)
        decide_s = (fused_s - classified_s, end_s - fused_s)
        return (len(predictions), watched_s - start_s, tracked_s - watched_s, *classify_s, *decide_s, end_s - start_s)

    def _settle(self, track: Track, fusion: Fusion) -> bool:
        """Hands the track's size over; whether it is a part to decide on."""
        if track.state not in (TrackState.CONFIRMED, TrackState.FINISHED):
            return False
        fusion.set_touching(track.track_id, track.touching, track.twofold)
        if track.complete:
            fusion.set_size(track.track_id, track.length_mm, track.width_mm)
        return True

    def _time_bare(self, picture: Picture, bare_bgr: ImageBgr) -> float:
        u0, v0, u1, v1 = REGION_PX
        start_s = self._clock.now_s()
        difference = cv2.absdiff(picture[v0:v1, u0:u1], bare_bgr[v0:v1, u0:u1])
        grey = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY)
        _, mask = cv2.threshold(grey, DIFFERENT, 255, cv2.THRESH_BINARY)
        cv2.connectedComponentsWithStats(mask)
        return self._clock.now_s() - start_s


class DrawnBelt:
    """A belt moving right with `parts` bricks in view, evenly spaced, in up to two lanes."""

    def __init__(self, parts: int) -> None:
        random = np.random.default_rng(parts)
        weave = random.normal(0, 3, (HEIGHT_PX, WIDTH_PX, 1))
        self.bare = np.clip(np.array([150, 158, 162]) + weave, 0, 255).astype(np.uint8)
        self._lanes = 1 if parts == 1 else 2
        self._spacing_px = WIDTH_PX * self._lanes // parts
        self._colours = random.integers(20, 235, (64, 3))
        self._sides_px = random.integers(40, 90, (64, 2))
        self._angles = random.uniform(0, np.pi, 64)

    def draw(self, index: int) -> Frame:
        """The frame after `index` steps."""
        travel_px = STEP_PX * index
        image = np.roll(self.bare, travel_px, axis=1)
        for part, (u, v) in self._places(travel_px):
            self._draw_part(image, part, u, v)
        return Frame(index, index / FRAMES_PER_S, travel_px / PX_PER_MM, image)

    def _places(self, travel_px: int) -> Iterator[tuple[int, tuple[float, float]]]:
        first = travel_px // self._spacing_px
        for number in range(-2, WIDTH_PX // self._spacing_px + 2):
            u = travel_px % self._spacing_px + number * self._spacing_px
            for lane in range(self._lanes):
                part = (self._lanes * (number - first) + lane) % 64
                yield part, (u + 40 * lane, HEIGHT_PX * (lane + 1) / (self._lanes + 1))

    def _draw_part(self, image: ImageBgr, part: int, u: float, v: float) -> None:
        """A box seen from above: shadow, side, top and studs."""
        length, width = self._sides_px[part]
        across = np.array([np.cos(self._angles[part]), np.sin(self._angles[part])])
        along = np.array([-across[1], across[0]])
        top = np.array([u, v]) + [
            i * length / 2 * across + j * width / 2 * along for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        colour = self._colours[part].astype(float)
        for offset, shade in (((9, 9), None), ((4, 4), 0.6), ((0, 0), 1.0)):
            fill = (105, 110, 112) if shade is None else tuple(shade * colour)
            cv2.fillPoly(image, [np.rint(top + offset).astype(np.int32)], fill, cv2.LINE_AA)
        for i in (-0.25, 0.25):
            centre = np.rint(np.array([u, v]) + i * length * across).astype(int)
            cv2.circle(
                image, (int(centre[0]), int(centre[1])), 10, tuple(np.minimum(1.15 * colour, 255)), -1, cv2.LINE_AA
            )
