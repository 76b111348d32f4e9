"""What the machine saw of each part, kept as labelled pictures to train on: `--capture`.

A run has a folder of its own in the one that is named: the looks as JPEG and `labels.csv`, a row a look, for a person
to correct. The control path only hands parts over: a thread of its own encodes and writes, what it cannot keep up with
is dropped and counted, and a full disk costs pictures but never the run.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from edge.bundle.manifest import BundlePart
from edge.catalogue.colours import Colour
from edge.errors import InputError
from edge.machine import Plans
from edge.part_state import Outcome, PartState
from edge.records import Look

LABELS_FILE = "labels.csv"
COLUMNS = (
    "file", "part", "guess", "probability", "verdict", "colour", "colour_code", "group", "view", "frame",
    "mm_per_px", "quality", "box_px", "bin",
)  # fmt: skip
LOOKS_A_PART = 12
PENDING_PARTS = 64
QUEUE_PARTS = 64
CLOSE_S = 20.0
"""What a slow disk is given to take the last pictures."""
JPEG_QUALITY = 95
SOUND_LOOKS = 200
"""After so many kept in a row a failing disk is told of anew: of one that is nearly full small pictures find room."""


@contextmanager
def capturing(
    folder: Path | None, plans: Plans, warn: Callable[[str], None], *, threaded: bool = True
) -> Iterator[Callable[[Outcome], None]]:
    """What takes each frame's outcome while a machine runs; does nothing without a folder.

    Raises:
        InputError: the folder cannot be made.
    """
    if folder is None:
        yield lambda outcome: None
        return
    sure_above = plans.config.fusion.sure_above
    with Captures(folder, plans.bundle.parts, plans.colours, sure_above, warn, threaded=threaded) as captures:
        yield captures.observe


@dataclass(frozen=True, slots=True)
class _Captured:
    """One part with what was decided, and its looks."""

    part: PartState
    looks: tuple[Look, ...]


class Captures:
    """Takes each frame's outcome, and writes the looks at each part once it has left the view.

    Args:
        folder: where the runs' folders are; made if missing.
        parts: names of the posterior's parts, in its order.
        colours: likewise.
        sure_above: from this posterior on the row's part is filled in; below, it is left to a person.
        warn: told one line when the disk fails, and at the end what was dropped.
        threaded: False where time is virtual and nothing may be dropped: then `observe` writes.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        parts: Sequence[BundlePart],
        colours: Sequence[Colour],
        sure_above: float,
        warn: Callable[[str], None],
        *,
        threaded: bool = True,
    ) -> None:
        self.folder = _make_run_folder(folder)
        self._parts, self._colours, self._sure_above, self._warn = parts, colours, sure_above, warn
        self._pending: dict[int, dict[tuple[int, str], Look]] = {}
        self._known: dict[int, PartState] = {}
        self._queue: queue.Queue[_Captured | None] = queue.Queue(QUEUE_PARTS)
        self.written = 0
        """Looks on the disk."""
        self.dropped = 0
        """Looks that came faster than they could be written."""
        self.lost = 0
        """Looks that the disk did not take."""
        self._kept_in_a_row = SOUND_LOOKS
        self._thread: threading.Thread | None = None
        self._append(",".join(COLUMNS) + "\n")
        if threaded:
            self._thread = threading.Thread(target=self._run, name="captures", daemon=True)
            self._thread.start()

    def observe(self, outcome: Outcome) -> None:
        """Take what a frame showed; never waits, except where there is no thread."""
        for part in (*outcome.parts, *outcome.finished):
            self._keep(part)
        for part in outcome.finished:
            self._hand_over(part)

    def close(self) -> None:
        """Write what is left, decided parts in view included, and say what is missing."""
        for part in list(self._known.values()):
            self._hand_over(part)
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
        missing = [
            f"{count} {what}"
            for count, what in (
                (self.dropped, "came faster than they could be written"),
                (self.lost, "did not fit on the disk"),
                (self._waiting(), "were still waiting for the disk"),
            )
            if count
        ]
        if missing:
            self._warn(f"captures {self.folder}: {self.written} looks kept; {', '.join(missing)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, part: PartState) -> None:
        track = part.track
        self._known[track.track_id] = part
        looks = self._pending.setdefault(track.track_id, {})
        for look in track.looks:
            if len(looks) < LOOKS_A_PART:
                looks.setdefault((look.frame_index, look.view), look)
        while len(self._pending) > PENDING_PARTS:
            self._forget(next(iter(self._pending)))

    def _forget(self, track_id: int) -> None:
        self.dropped += len(self._pending.pop(track_id))
        self._known.pop(track_id, None)

    def _hand_over(self, part: PartState) -> None:
        track_id = part.track.track_id
        looks = self._pending.pop(track_id, {})
        self._known.pop(track_id, None)
        if part.verdict is None or not looks:
            return
        captured = _Captured(part, tuple(looks.values()))
        if self._thread is None:
            self._write(captured)
            return
        try:
            self._queue.put_nowait(captured)
        except queue.Full:
            self.dropped += len(looks)

    def _run(self) -> None:
        while (captured := self._queue.get()) is not None:
            self._write(captured)

    def _waiting(self) -> int:
        left = 0
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                left += 0 if item is None else len(item.looks)
        return left

    def _write(self, captured: _Captured) -> None:
        for look in captured.looks:
            name = f"{look.track_id:06d}-{look.view}-{look.frame_index:07d}.jpg"
            try:
                self._write_picture(name, look)
                self._append(self._row(name, captured.part, look))
            except OSError as error:
                with contextlib.suppress(OSError):  # On a disk that turned read-only nothing can be taken away, either.
                    (self.folder / name).unlink()
                self.lost += 1
                if self._kept_in_a_row >= SOUND_LOOKS:
                    self._warn(f"captures {self.folder}: cannot be written ({error.strerror}): free the disk")
                self._kept_in_a_row = 0
            else:
                self.written += 1
                self._kept_in_a_row += 1

    def _write_picture(self, name: str, look: Look) -> None:
        encoded = cv2.imencode(".jpg", look.crop_bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
        (self.folder / name).write_bytes(encoded.tobytes())

    def _append(self, line: str) -> None:
        """Add a line to the labels, or none of it."""
        with (self.folder / LABELS_FILE).open("ab", buffering=0) as stream:
            at, data = stream.seek(0, os.SEEK_END), line.encode()
            if stream.write(data) != len(data):
                stream.truncate(at)
                raise OSError(28, "No space left on device")

    def _row(self, name: str, part: PartState, look: Look) -> str:
        verdict = part.verdict
        assert verdict is not None
        best = int(verdict.part_posterior.argmax())
        probability = float(verdict.part_posterior[best])
        guess = self._parts[best].number
        sure = not verdict.unsure and probability >= self._sure_above
        colour = self._colours[int(verdict.colour_posterior.argmax())] if verdict.colour_posterior.size else None
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerow((
            name, guess if sure else "", guess, f"{probability:.3f}", verdict.reason,
            colour.name if colour else "", colour.code if colour else "", f"{look.track_id:06d}", look.view,
            look.frame_index, "" if look.mm_per_px is None else f"{look.mm_per_px:.5g}", f"{look.quality:.2f}",
            _box(look), part.plan.bin if part.plan else "",
        ))  # fmt: skip
        return stream.getvalue()


def _box(look: Look) -> str:
    """Left, top, right and bottom of the part in its look; nothing where it has no mask."""
    if look.mask is None or not look.mask.any():
        return ""
    left, top, wide, high = cv2.boundingRect(look.mask.astype(np.uint8))
    return f"{left} {top} {left + wide} {top + high}"


def _make_run_folder(folder: Path) -> Path:
    """The next run's folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max(
            (int(p.name[4:]) for p in folder.glob("run-*") if p.name[4:].isdigit()),
            default=0,
        )
        run = folder / f"run-{number:04d}"
        run.mkdir()
    except OSError as error:
        raise InputError(f"--capture {folder} cannot be made ({error.strerror}): name another folder") from error
    return run
