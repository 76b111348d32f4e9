"""Writes the parts of known kind that a bundle's confidence is measured by.

`python tests/evaluation/record_reference.py`: random parts ride past on simulated machines that are as machine.yaml
says; the model looks at each as when it sorts, and what it saw goes to `reference.npz` in the bundle, which then names
it in its manifest.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path

import numpy as np

from calibration.confidence_watch import ModelWatch, SeenPart, seen_parts
from edge.bundle.manifest import MANIFEST, write_manifest
from edge.bundle.reference import SeenParts, save_reference
from edge.config import example
from edge.fusion.configured import fusion_of
from edge.hardware.factory import make_accelerator, model_for
from edge.inference.classifier import Classifier
from edge.machine import Plans, colour_meter, read_plans
from edge.sim.build import build_world
from edge.sim.score import Decided, match
from edge.tracking.settings import tracking_settings
from edge.tracking.tracker import Tracker

FILE = "reference.npz"
PARTS_PER_MIN = 60.0


def ride(plans: Plans, seed: int, parts: int) -> SeenParts:
    """Random parts past the camera of one simulated machine."""
    sim = build_world(plans.config, plans.bins, plans.colours, seed=seed, parts=parts, parts_per_min=PARTS_PER_MIN)
    accelerator = make_accelerator(plans.config.accelerator, print)
    accelerator.load(model_for(plans.config.accelerator, plans.bundle))
    classifier = Classifier(accelerator, plans.bundle, colour_meter(plans))
    fusion = fusion_of(plans.config.fusion, plans.bundle, plans.catalogue, len(plans.colours))
    watch = ModelWatch(classifier, fusion, plans.config.fusion.min_looks)
    tracker = Tracker(tracking_settings(plans.config))
    sim.camera.start()
    sim.world.encoder.start()
    sim.world.belt_motor.start()
    sim.world.feeder.set_rate(PARTS_PER_MIN)
    while (frame := sim.camera.next_frame(2.0)) is not None:
        watch.see(frame, tracker.update(frame))
    accelerator.close()
    seen = watch.whole()
    places = [_placed(own) for own in seen]
    own_of = {id(place): own for place, own in zip(places, seen, strict=True)}
    found = match(sim.world.truth, places)
    pairs = [(own_of[id(found[part.part_id])], part) for part in sim.world.truth if part.part_id in found]
    colour_at = {colour.code: index for index, colour in enumerate(plans.colours)}
    kinds = [plans.catalogue.index(part.family) for _, part in pairs]
    return seen_parts(
        [own for own, _ in pairs],
        [kind for kind in kinds if kind is not None],
        [colour_at[part.colour.code] for _, part in pairs],
        len(plans.colours),
    )


def _placed(own: SeenPart) -> Decided:
    track = own.track
    return Decided((track.lead_belt_mm + track.trail_belt_mm) / 2, track.y_mm, "", False, "")


def joined(rides: list[SeenParts]) -> SeenParts:
    """All of them as one."""
    return SeenParts(
        **{own.name: np.concatenate([getattr(one, own.name) for one in rides]) for own in fields(SeenParts)}
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--parts", type=int, default=500, help="of each machine")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--out", type=Path, help="another file; the bundle then stays as it is")
    options = parser.parse_args()
    folder = example("west-18")
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"), options.bundle, measured=False)
    seen = joined([ride(plans, seed, options.parts) for seed in options.seeds])
    file = options.out or plans.bundle.folder / FILE
    save_reference(file, seen, [colour.code for colour in plans.colours])
    if options.out is None:
        manifest = json.loads((plans.bundle.folder / MANIFEST).read_text(encoding="utf-8"))
        files = sorted({*manifest.pop("files"), FILE})
        write_manifest(plans.bundle.folder, {**manifest, "reference": FILE}, files)
    print(f"{file}: {len(seen)} parts, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
