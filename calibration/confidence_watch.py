"""What the model makes of parts that ride past, gathered part by part as the machine's fusion would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.bundle.reference import UNKNOWN, SeenParts
from edge.fusion.evidence import FLOOR
from edge.fusion.verdict import Fusion
from edge.inference.classifier import Classifier
from edge.records import Frame, Prediction, Track, TrackState

Doubles = NDArray[np.float64]


@dataclass(slots=True)
class SeenPart:
    """One part while it rides past: sums over its looks, weighted by their quality."""

    track: Track
    looks: int = 0
    weight: float = 0.0
    colour_weight: float = 0.0
    stands_out: float = 0.0
    scores: Doubles | float = 0.0
    colours: Doubles | float = 0.0
    sortable: bool = True
    touching: bool = False

    def add(self, prediction: Prediction) -> None:
        """Takes in a look."""
        scores, quality = prediction.part_log_scores.astype(np.float64), prediction.quality
        self.looks += 1
        self.weight += quality
        self.scores = self.scores + quality * np.maximum(scores, FLOOR)
        self.stands_out += quality * float(scores.max() - scores.mean())
        if prediction.colour_log_scores.size:
            self.colour_weight += quality
            self.colours = self.colours + quality * np.maximum(prediction.colour_log_scores, FLOOR)


@dataclass(slots=True)
class ModelWatch:
    """Looks at every part with the model. `see` is what `calibration.parts_run.PartsRun` asks for."""

    classifier: Classifier
    fusion: Fusion
    min_looks: int
    seen: dict[int, SeenPart] = field(default_factory=dict)

    def see(self, frame: Frame, tracks: list[Track]) -> None:
        """Takes in a frame of the run."""
        for track in tracks:
            if track.state is TrackState.REJECTED:
                self.seen.pop(track.track_id, None)
                continue
            own = self.seen.setdefault(track.track_id, SeenPart(track))
            own.track = track
            for look in track.looks:
                prediction = self.classifier.classify(look)
                own.add(prediction)
                self.fusion.add(prediction)
            self._judge(own)

    def _judge(self, own: SeenPart) -> None:
        track = own.track
        self.fusion.set_touching(track.track_id, track.touching, track.twofold)
        if track.complete:
            self.fusion.set_size(track.track_id, track.length_mm, track.width_mm)
        own.touching = self.fusion.is_touching(track.track_id)
        # Nothing is asked of how sure it is: what is left is whether it may be sorted at all.
        own.sortable = track.complete and not track.too_long and self.fusion.certain(track.track_id, 1.0)
        if track.state is TrackState.FINISHED:
            self.fusion.forget(track.track_id)

    def whole(self) -> list[SeenPart]:
        """The parts that were looked at often enough, in the order in which they came."""
        parts = [own for own in self.seen.values() if own.looks >= self.min_looks and own.weight > 0]
        return sorted(parts, key=lambda own: own.track.lead_belt_mm)


def seen_parts(parts: Sequence[SeenPart], kinds: Sequence[int], colours: Sequence[int], of: int) -> SeenParts:
    """Parts with what they were: places in the bundle and, or `UNKNOWN`, among the `of` colours of the catalogue."""
    none = np.full(of, -np.log(of))
    return SeenParts(
        scores=np.array([own.scores / own.weight for own in parts], np.float32),
        weights=np.array([own.weight for own in parts], np.float32),
        sides_mm=np.array([_sides(own.track) for own in parts], np.float32),
        colours=np.array([own.colours / own.colour_weight if own.colour_weight else none for own in parts], np.float32),
        colour_weights=np.array([own.colour_weight for own in parts], np.float32),
        stands_out=np.array([own.stands_out / own.weight for own in parts], np.float32),
        sortable=np.array([own.sortable for own in parts], np.bool_),
        kinds=np.array(kinds, np.int64),
        true_colours=np.array(colours, np.int64) if len(colours) else np.full(len(parts), UNKNOWN),
    )


def _sides(track: Track) -> tuple[float, float]:
    return (track.length_mm, track.width_mm) if track.complete else (0.0, 0.0)
