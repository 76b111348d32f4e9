"""Writes samples into tars of equal size."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tarfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.errors import DISK_FULL, BrickgateError, InputError
from quantization.data.shard_rows import Row, as_array, check_label, index_path, save_rows, to_row

SHARD_NAME = "{name}-{number:05d}.tar"
KEY = re.compile(r"[\w/-]{1,90}", re.ASCII)
"""No dot: readers end a sample's key at the first one. The length fits a plain tar header."""


class ShardWriter:
    """Writes samples into tars of equal size; the same samples give the same bytes.

    A tar has a temporary name until it is whole and on the disk, so what has its final name is finished. As a context
    manager it closes after success and throws the unfinished shard away after a failure; finished ones stay.

    Args:
        folder: where the shards go; made if missing.
        name: what they are called: `<name>-00000.tar` …
        samples_a_shard: how many samples each holds; the last one may hold fewer.
        first_shard: number of the first one, to go on after finished ones.
        drop_last: write no shard that would hold fewer.
    """

    def __init__(
        self, folder: Path, name: str, samples_a_shard: int, first_shard: int = 0, drop_last: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.finished: list[Path] = []
        self.dropped = 0
        """Samples that `drop_last` left out."""
        self._folder, self._name, self._size = folder, name, samples_a_shard
        self._number, self._drop_last = first_shard, drop_last
        self._tar: tarfile.TarFile | None = None
        self._rows: list[Row] = []
        self._keys: set[str] = set()

    def add(self, key: str, picture: bytes, extension: str, label: dict[str, Any]) -> None:
        """Write one sample.

        Args:
            key: unique in its shard; letters, digits, "_", "-" and "/".
            picture: an encoded picture.
            extension: its kind, such as "png" or "jpg".
            label: JSON keys as in `TEXTS` and `NUMBERS`, and any others.

        Raises:
            BrickgateError: the disk is full or cannot be written to.
            InputError: a key or label that readers could not use.
        """
        if not KEY.fullmatch(key) or key in self._keys:
            problem = "used twice" if key in self._keys else "not 1 to 90 letters, digits, '_', '-' and '/'"
            raise InputError(f"{self._path.name}: sample key '{key}' is {problem}")
        check_label(label, f"{self._path.name}, sample {key}")
        text = json.dumps(label, ensure_ascii=False, separators=(",", ":")).encode()
        row = to_row(label, extension, zlib.crc32(picture))
        try:
            row["picture_at"], row["picture_bytes"] = self._put(f"{key}.{extension}", picture), len(picture)
            row["label_at"], row["label_bytes"] = self._put(f"{key}.json", text), len(text)
        except OSError as error:
            raise self._failed(error) from error
        self._keys.add(key)
        self._rows.append(row)
        if len(self._rows) == self._size:
            self._finish()

    def close(self) -> None:
        """Finish the last shard, or drop it where asked to."""
        if self._rows and self._drop_last:
            self.dropped = len(self._rows)
            self.abandon()
        elif self._rows:
            self._finish()

    def abandon(self) -> None:
        """Throw the unfinished shard away."""
        if self._tar is not None:
            with contextlib.suppress(OSError):  # of a full disk, once more
                if self._tar.fileobj is not None:
                    self._tar.fileobj.close()
            self._temporary.unlink(missing_ok=True)
        self._tar, self._rows, self._keys = None, [], set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    @property
    def _path(self) -> Path:
        return self._folder / SHARD_NAME.format(name=self._name, number=self._number)

    @property
    def _temporary(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}.part")

    def _put(self, name: str, data: bytes) -> int:
        """Append a member; return where its data starts."""
        if self._tar is None:
            self._tar = tarfile.open(self._temporary, "w:", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        member = tarfile.TarInfo(name)  # time 0, owner 0: the same samples give the same bytes
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))
        return self._tar.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE

    def _finish(self) -> None:
        assert self._tar is not None
        path, temporary = self._path, self._temporary
        try:
            self._tar.close()
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            save_rows(as_array(self._rows, temporary.stat().st_size), index_path(path))
            temporary.replace(path)
        except OSError as error:
            # Another run of the same command may have finished this very shard, and taken ours for a left-over.
            if not (isinstance(error, FileNotFoundError) and path.is_file()):
                raise self._failed(error) from error
        self._tar, self._rows, self._keys = None, [], set()
        for left_over in self._folder.glob(f".{path.name}.*.part"):
            left_over.unlink(missing_ok=True)  # of a run that was killed while it wrote this shard
        self.finished.append(path)
        self._number += 1

    def _failed(self, error: OSError) -> BrickgateError:
        path = self._path
        self.abandon()
        return not_written(path, error)


def not_written(path: Path, error: OSError) -> BrickgateError:
    """Return what to say when a shard cannot be written."""
    kept = "finished shards are kept: run the same command to go on"
    if error.errno in DISK_FULL:
        return BrickgateError(f"{path} does not fit on the disk ({error.strerror}): make room; {kept}")
    return BrickgateError(f"{path} cannot be written ({error.strerror or error}); {kept}")
