"""A recording of the simulated machine's belt, with parts on it, for a machine whose camera plays one.

python tests/image/recording.py FOLDER [FRAMES]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from edge.catalogue.colours import load_colours
from edge.config import example
from edge.config.load import load_bins, load_machine
from edge.sim.build import build_world

PARTS_PER_MIN = 60.0


def record(folder: Path, frames: int = 240, seed: int = 5) -> None:
    """Writes 0.jpg, 1.jpg and so on: what the camera of the example beginner-4 sees; 12 are a second."""
    folder.mkdir(parents=True, exist_ok=True)
    machine, bins = (example("beginner-4") / name for name in ("machine.yaml", "bins.yaml"))
    sim = build_world(
        load_machine(machine), load_bins(bins), load_colours(), seed=seed, parts=frames, parts_per_min=PARTS_PER_MIN
    )
    sim.camera.start()
    sim.world.encoder.start()
    sim.world.belt_motor.start()
    sim.world.feeder.set_rate(PARTS_PER_MIN)
    for number in range(frames):
        frame = sim.camera.next_frame(2.0)
        assert frame is not None
        cv2.imwrite(str(folder / f"{number}.jpg"), frame.image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    record(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
