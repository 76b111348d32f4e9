"""One training at a time in a folder: two would write over each other's checkpoint."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EAGAIN
from pathlib import Path

from edge.errors import InputError

LOCK_FILE = ".training.lock"


@contextmanager
def only_training(folder: Path) -> Iterator[None]:
    """Keeps other processes' trainings out of a folder until it ends, or this process does, however that ends.

    It is POSIX's lock: processes that make pictures do not inherit it, so a killed training's children cannot hold it.

    Raises:
        InputError: another training runs in the folder.
    """
    with (folder / LOCK_FILE).open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (EACCES, EAGAIN):
                raise InputError(
                    f"another training runs in {folder}: wait until it is done, stop it, or give another --work"
                ) from error
            # A file system without locks: one training at a time is left to who starts them.
        yield
