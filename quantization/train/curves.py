"""Curves of a training: a CSV always, TensorBoard where it is installed, and lines for people."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from quantization.train.checkpoint import Progress

COLUMNS = ("pictures", "seconds", "size_px", "loss", "accuracy", "pictures_per_s", "rate")


class Curves:
    """Writes `curve.csv` and TensorBoard's events into `folder`."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._file = folder / "curve.csv"
        self._board = _board(folder / "tensorboard", report)

    def rewind(self, pictures: int) -> None:
        """Takes out what lies behind the checkpoint that a killed training goes on from."""
        if not self._file.is_file():
            return
        lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]  # a full disk cuts the last one short
        kept = whole[:1] + [point for point in whole[1:] if int(point.split(",")[0]) <= pictures]
        if not kept:
            self._file.unlink()
        elif len(kept) < len(lines):
            self._file.write_text("".join(kept), encoding="utf-8")

    def add(self, progress: Progress, size_px: int, loss: float, accuracy: float, speed: float, rate: float) -> None:
        """Adds a point."""
        new = not self._file.exists()
        with self._file.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(COLUMNS)
            row = [progress.pictures, round(progress.seconds, 1), size_px]
            writer.writerow([*row, round(loss, 4), round(accuracy, 4), round(speed, 1), f"{rate:.3e}"])
        if self._board is not None:
            points = {"loss": loss, "accuracy": accuracy, "pictures_per_s": speed, "rate": rate}
            self._board.add(points, progress.pictures)


class Board:
    """TensorBoard's file of events.

    `torch.utils.tensorboard` would load TensorFlow where it is installed, and TensorFlow beside litert or Mesa's
    renderer in one process ends in a segmentation fault. The file's own writer needs neither.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        folder.mkdir(parents=True, exist_ok=True)
        now_s = time.time()
        self._records = RecordWriter((folder / f"events.out.tfevents.{now_s:.6f}.{os.getpid()}").open("wb"))
        self._write(Event(wall_time=now_s, file_version="brain.Event:2"))

    def add(self, points: Mapping[str, float], step: int) -> None:
        """Adds a point to each curve."""
        event = self._event(wall_time=time.time(), step=step)
        for name, value in points.items():
            event.summary.value.add(tag=name, simple_value=value)
        self._write(event)

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()


def _board(folder: Path, report: Callable[[str], None]) -> Board | None:
    """TensorBoard's writer, or None, said once."""
    try:
        return Board(folder)
    except ImportError:
        report("tensorboard is not installed: the curve goes to curve.csv only")
        return None
