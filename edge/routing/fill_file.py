"""What is in the bins, kept in a small file beside the journal, and word from the user that a bin was emptied.

A run writes the first file, a few seconds after something has changed, in a thread of its own; `brickgate bins
--emptied` writes the second, which the run reads and takes away.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edge.errors import InputError
from edge.routing.fill import BinFill

EVERY_S = 3.0
JOIN_S = 2.0


class FillFile:
    """The two files of one journal. A disk that does not answer costs counts, never a run."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._file = journal.with_name(journal.name + ".bins")
        self._emptied = journal.with_name(journal.name + ".emptied")
        self._taken = journal.with_name(journal.name + ".emptied.taken")
        self._took = False
        self._written: dict[str, tuple[int, float]] = {}

    def restore(self, fill: BinFill) -> None:
        """Counts on from where the last run was, less what was emptied since."""
        fill.restore(self.read())
        self._written = {}
        self.keep(fill)

    def keep(self, fill: BinFill) -> None:
        """Takes the user's word on emptied bins, and writes what is in them if that has changed."""
        for name in self._take_emptied():
            fill.emptied(name)
        content = fill.contents()
        if content == self._written or self._write(content):
            self._forget_taken()

    def note_emptied(self, names: Iterable[str]) -> None:
        """Leaves word for the run, or the next one.

        Raises:
            InputError: it cannot be written.
        """
        try:
            with self._emptied.open("a", encoding="utf-8") as file:
                with contextlib.suppress(OSError):
                    os.fchmod(file.fileno(), 0o644)  # Root writes it and the service's user reads it.
                file.writelines(f"{name}\n" for name in names)
        except OSError as error:
            raise InputError(
                f"{self._emptied} cannot be written ({error.strerror}): name the run's own journal with --journal"
            ) from error

    def read(self) -> dict[str, tuple[int, float]]:
        """(parts, litres) of each bin by the last run's word, 0 in those that were emptied since; empty where there is
        no word that can be read."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            kept = {str(name): (int(count), float(litres)) for name, (count, litres) in content.items()}
            if not all(count >= 0 and 0 <= litres < math.inf for count, litres in kept.values()):
                raise ValueError
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}
        return kept | {name: (0, 0.0) for name in self._emptied_since() if name in kept}

    def check_kept(self) -> None:
        """Raises InputError where no run keeps its counts: word that is left there would reach nobody."""
        try:
            if self._journal.is_dir():
                raise InputError(f"{self._journal} is a folder: name the run's journal with --journal, the file")
            self._file.stat()
        except PermissionError as error:
            raise InputError(f"{self._file} is closed to this user: type it with sudo") from error
        except OSError as error:
            raise InputError(
                f"{self._journal}: no run keeps its counts there: name the run's own journal with --journal"
            ) from error

    def _emptied_since(self) -> list[str]:
        """Word that is not in the counts yet: there may be no run for days."""
        names: list[str] = []
        for file in (self._taken, self._emptied):
            with contextlib.suppress(OSError):
                names += _names_in(file)
        return names

    def _take_emptied(self) -> list[str]:
        """Word that came since. It stays on the disk until counts are written that go by it: where the disk is full,
        or the power fails first, the next run takes it."""
        if self._took:
            return []
        try:
            if not self._taken.exists():
                # Renamed first: what is noted from now on goes to a new file.
                self._emptied.replace(self._taken)
            names = _names_in(self._taken)
        except OSError:
            return []
        self._took = True
        return names

    def _forget_taken(self) -> None:
        if self._took:
            with contextlib.suppress(OSError):
                self._taken.unlink()
                self._took = False

    def _write(self, content: dict[str, tuple[int, float]]) -> bool:
        new = self._file.with_name(self._file.name + ".new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
        except OSError:
            return False
        self._written = content
        return True


def _names_in(file: Path) -> list[str]:
    # Not `splitlines`: there are characters in names that it takes for a line's end, such as U+2028.
    return file.read_text(encoding="utf-8", errors="replace").split("\n")


@contextlib.contextmanager
def keeping(fill: BinFill, journal: Path, every_s: float = EVERY_S) -> Iterator[None]:
    """Counts on from the last run, and keeps the counts while the block runs."""
    file, stopping = FillFile(journal), threading.Event()
    file.restore(fill)

    def loop() -> None:
        while not stopping.wait(every_s):
            file.keep(fill)
        file.keep(fill)

    # A daemon: a disk that hangs must not keep the process alive.
    thread = threading.Thread(target=loop, name="bins", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(JOIN_S)


def print_fill(journal: Path, fill: BinFill, emptied: list[str], say: Callable[[str], None]) -> None:
    """Notes the emptied bins and says how full each is, those aside.

    Raises:
        InputError: the journal is a folder, no run keeps its counts there, or its place cannot be written.
    """
    file = FillFile(journal)
    file.check_kept()
    kept = file.read()
    if emptied:
        file.note_emptied(emptied)
    fill.restore(kept)
    for name in emptied:
        fill.emptied(name)
    for name, (count, litres) in fill.contents().items():
        share = fill.share(name)
        say(f"{name}: {count} parts, about {litres:.2g} l" + ("" if share is None else f", {share:.0%} full"))
