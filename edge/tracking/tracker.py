"""From frames to tracks: one track per physical part, in belt coordinates."""

from __future__ import annotations

from edge.errors import InputError
from edge.records import TOP_VIEW, Frame, SeenMotion, Track, TrackState
from edge.tracking.associate import (
    Expectation,
    Extent,
    Pair,
    candidate_pairs,
    common_offset,
    extent_of,
    match,
    offset_between,
)
from edge.tracking.geometry import BeltGeometry
from edge.tracking.look import make_look
from edge.tracking.motion import BeltMotion
from edge.tracking.refine import Blob
from edge.tracking.segment import Segmenter
from edge.tracking.settings import TrackingSettings, ViewSettings
from edge.tracking.standing import Standing
from edge.tracking.track import LIKENESS_EVERY, LiveTrack, Measurement

MERGE_SLACK_MM = 3.0
MERGE_SHARE = 0.8
"""A part is hidden in a blob, or a fragment in a part, when this share of it lies inside."""


class Tracker:
    """Follows the parts from frame to frame. Not thread-safe: one camera, one tracker."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._top = _View.of_belt(settings)
        self._views = [_View.of_view(settings, view) for view in settings.views]
        self._motion = BeltMotion(settings.measure_motion, settings.max_step_mm)
        self._tracks: list[LiveTrack] = []
        self._witnesses: frozenset[int] = frozenset()
        self._next_id = 1
        self._standing = Standing()

    @property
    def standing_mm(self) -> float | None:
        """The station of a part that stands still in view while the belt goes on, or None."""
        return self._standing.x_mm

    def update(self, frame: Frame) -> list[Track]:
        """Takes in the next frame.

        Returns:
            Every track alive, and once more those that ended with this frame (finished or rejected). Looks won from
            this frame are in it; a track that has just been confirmed also brings those of its tentative time.

        Raises:
            InputError: the picture is smaller than a configured region.
        """
        self._check_size(frame)
        travel_mm = self._motion.advance(frame.belt_mm)
        blobs = self._top.segmenter.find(frame.image_bgr, self._motion.passing_mm)
        extents = [extent_of(blob, self._top.geometry) for blob in blobs]
        matched = self._match(extents, travel_mm)
        travel_mm = self._motion.travel_mm
        self._watch_standing(matched, extents, travel_mm)
        seen = self._continue(matched, blobs, extents, frame)
        used = {pair.blob for pair in matched} | self._merge(seen, matched, extents, frame.index)
        for index in set(range(len(blobs))) - used:
            self._begin(blobs[index], extents[index], frame)
        self._look_from_views(frame)
        return self._report(frame, travel_mm)

    def restart(self) -> None:
        """Forgets what is on the belt, and where it was: it has run while nobody looked. Tracks are numbered on."""
        settings = self._settings
        self._tracks, self._witnesses, self._standing = [], frozenset(), Standing()
        self._motion = BeltMotion(settings.measure_motion, settings.max_step_mm)

    @property
    def seen_motion(self) -> SeenMotion:
        """The belt's way since the last frame, as the parts in view show it."""
        return SeenMotion(self._motion.seen_step_mm, self._witnesses)

    def _check_size(self, frame: Frame) -> None:
        height, width = frame.image_bgr.shape[:2]
        for view in (self._top, *self._views):
            if view.geometry.region_px[2] > width or view.geometry.region_px[3] > height:
                raise InputError(
                    f"frame {frame.index} is {width}×{height} px, but view '{view.name}' reaches "
                    f"{view.geometry.region_px[2]}×{view.geometry.region_px[3]}: "
                    "correct the camera's size or the region"
                )

    def _match(self, extents: list[Extent], travel_mm: float) -> list[Pair]:
        """Pairs of tracks and blobs; corrects the belt's motion by what they agree on."""
        expectations = [Expectation(t.expected(travel_mm), t.weight, t.missed) for t in self._tracks]
        least_mm, most_mm = self._motion.offset_limits_mm()
        pairs = candidate_pairs(expectations, extents, least_mm, most_mm)
        offset_mm = common_offset(pairs, expectations, max(-least_mm, most_mm))
        matched = match(pairs, expectations, offset_mm, self._motion.step_mm)
        witnesses = [pair for pair in matched if expectations[pair.track].missed == 0]
        self._motion.correct([pair.offset_mm for pair in witnesses])
        self._witnesses = frozenset(self._tracks[pair.track].track_id for pair in witnesses)
        return matched

    def _watch_standing(self, matched: list[Pair], extents: list[Extent], travel_mm: float) -> None:
        """Looks for parts that no longer go with the belt."""
        followed = {pair.track for pair in matched}
        stopped = [
            track.extent
            for place, track in enumerate(self._tracks)
            if place not in followed and track.state is TrackState.CONFIRMED and track.missed == 0
        ]
        whole = [extent for extent in extents if not (extent.cut_lead or extent.cut_trail)]
        self._standing.update(stopped, whole, travel_mm, self._motion.step_mm)

    def _continue(self, matched: list[Pair], blobs: list[Blob], extents: list[Extent], frame: Frame) -> set[int]:
        """Hands each matched blob to its track; the places of the tracks that were seen."""
        travel_mm = self._motion.travel_mm
        for pair in matched:
            track, blob, extent = self._tracks[pair.track], blobs[pair.blob], extents[pair.blob]
            step_mm = offset_between(track.extent, extent)
            track.see(
                _measurement(track, blob, extent),
                frame.index,
                travel_mm,
                travel_mm - track.last_travel_mm if step_mm is None else step_mm,
            )
            self._look(track, blob, frame, 1 / self._settings.px_per_mm)
        return {pair.track for pair in matched}

    def _merge(self, seen: set[int], matched: list[Pair], extents: list[Extent], frame_index: int) -> set[int]:
        """Explains blobs that fit no track: two parts that have run together, or pieces of one. Returns those blobs."""
        travel_mm = self._motion.travel_mm
        matched_blobs = {pair.blob for pair in matched}
        explained: set[int] = set()
        for place, track in enumerate(self._tracks):
            if track.state is not TrackState.CONFIRMED:
                continue
            expected = track.expected(travel_mm)
            hosts = [i for i, e in enumerate(extents) if expected.share_inside(e, MERGE_SLACK_MM) > MERGE_SHARE]
            pieces = [
                i
                for i, e in enumerate(extents)
                if i not in matched_blobs and e.share_inside(expected, MERGE_SLACK_MM) > MERGE_SHARE
            ]
            explained.update(pieces)
            if place in seen:
                continue
            if hosts or pieces:
                track.see_merged(frame_index, travel_mm)
                explained.update(host for host in hosts if host not in matched_blobs)
        return explained

    def _begin(self, blob: Blob, extent: Extent, frame: Frame) -> None:
        travel_mm = self._motion.travel_mm
        track = LiveTrack(self._next_id, frame.index, travel_mm)
        self._next_id += 1
        track.see(_measurement(track, blob, extent), frame.index, travel_mm, 0.0)
        self._tracks.append(track)
        self._look(track, blob, frame, 1 / self._settings.px_per_mm)

    def _look(self, track: LiveTrack, blob: Blob, frame: Frame, mm_per_px: float | None) -> None:
        """Takes a look unless the part is cut off along the belt, where more of it comes or has been seen."""
        view, travel_mm = blob.detection.view, self._motion.travel_mm
        if blob.cut_lead or blob.cut_trail or not track.wants_look(view, travel_mm, self._settings.max_looks):
            return
        track.add_look(make_look(frame.image_bgr, blob, track.track_id, frame.index, mm_per_px), travel_mm)

    def _look_from_views(self, frame: Frame) -> None:
        """Gives each blob of a mirror to the one track that lies at its place."""
        travel_mm = self._motion.travel_mm
        places = [(track, track.expected(travel_mm).middle_mm) for track in self._tracks]
        for view in self._views:
            for blob in view.segmenter.find(frame.image_bgr, self._motion.passing_mm):
                middle_mm = (blob.detection.lead_x_mm + blob.detection.trail_x_mm) / 2
                near = [track for track, place in places if abs(place - middle_mm) <= view.tolerance_mm]
                if len(near) == 1:
                    self._look(near[0], blob, frame, None)

    def _report(self, frame: Frame, travel_mm: float) -> list[Track]:
        for track in self._tracks:
            self._age(track, frame.index, travel_mm)
        records = [track.record(frame.belt_mm, travel_mm) for track in self._tracks]
        self._tracks = [track for track in self._tracks if track.state.may_be_in_view]
        return records

    def _age(self, track: LiveTrack, frame_index: int, travel_mm: float) -> None:
        """Confirms, finishes or rejects a track after a frame."""
        settings = self._settings
        if track.last_frame != frame_index:
            track.missed += 1
        if track.state is TrackState.TENTATIVE and track.ready(settings.confirm_hits):
            track.state = TrackState.CONFIRMED
        gone = track.missed > 0 and track.expected(travel_mm).trail_mm >= self._top.geometry.end_mm
        patience = settings.max_missed_frames if track.state is TrackState.CONFIRMED else 1
        if gone or track.missed > patience:
            confirmed = track.state is TrackState.CONFIRMED
            track.state = TrackState.FINISHED if confirmed else TrackState.REJECTED


class _View:
    """One region of the picture and its segmenter."""

    def __init__(self, name: str, geometry: BeltGeometry, min_area_mm2: float, tolerance_mm: float) -> None:
        self.name = name
        self.geometry = geometry
        self.tolerance_mm = tolerance_mm
        self.segmenter = Segmenter(name, geometry, min_area_mm2)

    @classmethod
    def of_belt(cls, settings: TrackingSettings) -> _View:
        geometry = BeltGeometry(
            settings.belt_region_px, settings.belt_direction, settings.px_per_mm, settings.station_mm
        )
        return cls(TOP_VIEW, geometry, settings.min_area_mm2, 0.0)

    @classmethod
    def of_view(cls, settings: TrackingSettings, view: ViewSettings) -> _View:
        scale = view.px_per_mm or settings.px_per_mm
        geometry = BeltGeometry(view.region_px, settings.belt_direction, scale, settings.station_mm - view.shift_mm)
        return cls(view.name, geometry, settings.min_area_mm2 / 2, view.tolerance_mm)


def _measurement(track: LiveTrack, blob: Blob, extent: Extent) -> Measurement:
    whole = not (blob.cut_lead or blob.cut_trail)
    track.too_long |= blob.cut_lead and blob.cut_trail
    twofold = blob.twofold if whole and not track.judged_enough else None
    # Neighbouring frames tell nearly the same, and the measure takes its time.
    likeness = blob.twofoldness if twofold is not None and track.judged % LIKENESS_EVERY == 0 else None
    return Measurement(extent, blob.detection.length_mm, blob.detection.width_mm, whole, twofold, likeness)
