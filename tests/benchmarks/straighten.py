"""Processor time of straightening a frame: all of it against what the machine looks at.

`python tests/benchmarks/straighten.py`: 1280 × 720 px at 5 px a mm, a lens and a lean as hidden machines have; a small
picture for finding parts, the samples for the camera's health, and two crops of each part, one for its outline and one
that is looked at.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import cv2
import numpy as np

from edge.capture.straighten import Straightener
from edge.config.calibration import LensCalibration, PlaneCalibration
from edge.records import Frame
from edge.scaling import shrink_box
from edge.sim.settings import CameraSettings, HiddenCamera
from edge.sim.view import View

CAMERA = CameraSettings(width_px=1280, height_px=720, px_per_mm=5, region_px=(0, 60, 1280, 660))
HIDDEN = HiddenCamera(pitch_deg=2.5, roll_deg=-1.5, yaw_deg=2.0, k1=-0.1, k2=0.02)
FACTOR = 4
OUTLINED_PX, SHOWN_PX = 140, 170
"""Sides of the crops of a part of 24 mm."""


def straightener() -> Straightener:
    view = View(CAMERA, HIDDEN)
    lens = LensCalibration(focal_px=view.focal_px, centre_px=(639.5, 359.5), k1=HIDDEN.k1, k2=HIDDEN.k2)
    plane = PlaneCalibration(
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        measured_from="a benchmark",
        residuals={},
        size_px=(1280, 720),
        px_per_mm=5,
        lens=lens,
        homography=tuple(tuple(row) for row in view.homography.tolist()),  # type: ignore[arg-type]
    )
    return Straightener(plane)


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Median of the processor time."""
    work()
    taken: list[float] = []
    for _ in range(times):
        start_s = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - start_s))
    return median(taken)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=60)
    times = parser.parse_args().times
    cv2.setNumThreads(1)
    straight = straightener()
    frame = Frame(1, 0.0, 0.0, np.random.default_rng(1).integers(0, 256, (720, 1280, 3)).astype(np.uint8))

    def whole() -> None:
        shrink_box(straight.frame(frame).image_bgr, CAMERA.region_px, FACTOR)

    def on_sight(parts: int) -> None:
        picture = straight.frame_on_sight(frame).image_bgr
        shrink_box(picture, CAMERA.region_px, FACTOR)
        _ = picture[60:660:9, 0:1280:20]
        for u in range(0, 100 * parts, 100):
            _ = picture[200 : 200 + OUTLINED_PX, u : u + OUTLINED_PX], picture[190 : 190 + SHOWN_PX, u : u + SHOWN_PX]

    raw_ms = milliseconds(lambda: shrink_box(frame.image_bgr, CAMERA.region_px, FACTOR), times)
    print(f"no straightening: {raw_ms:.2f} ms\nall of the frame: {milliseconds(whole, times):.2f} ms")
    for parts in (0, 2, 4, 8):
        print(f"on sight, {parts} parts: {milliseconds(lambda parts=parts: on_sight(parts), times):.2f} ms")


if __name__ == "__main__":
    main()
