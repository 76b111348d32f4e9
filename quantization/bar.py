"""The progress bar of a training stage, or of an evaluation."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Pictures, on standard error where a person looks on, and nowhere else."""

    def __init__(self, label: str, total: int, done: int, shown: bool) -> None:
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeRemainingColumn())
        visible = shown and sys.stderr.isatty()
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not visible)
        self._task = self._progress.add_task(label, total=total, completed=done)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def move(self, done: int) -> None:
        """Shows how many pictures are done."""
        self._progress.update(self._task, completed=done)

    def advance(self) -> None:
        """Counts one more picture as done."""
        self._progress.advance(self._task)
