"""Curves of a training: a CSV always, TensorBoard where it is installed, and lines for people."""

from __future__ import annotations

import csv
from collections.abc import Callable
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
        header, *points = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [point for point in points if int(point.split(",")[0]) <= pictures]
        if len(kept) < len(points):
            self._file.write_text(header + "".join(kept), encoding="utf-8")

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
            for name, value in (("loss", loss), ("accuracy", accuracy), ("pictures_per_s", speed), ("rate", rate)):
                self._board.add_scalar(name, value, progress.pictures)
            self._board.flush()


def _board(folder: Path, report: Callable[[str], None]) -> Any:
    """TensorBoard's writer, or None, said once."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        report("tensorboard is not installed: the curve goes to curve.csv only")
        return None
    return SummaryWriter(str(folder))
