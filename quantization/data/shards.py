"""Training data as WebDataset tar shards: written in order, read at random.

A shard is a plain tar of pairs `KEY.EXTENSION` (a picture) and `KEY.json` (its label), which the webdataset library and
tar itself read as well; the layout is https://github.com/webdataset/webdataset's. The index beside it gives random
access: each sample comes exactly once an epoch for any number of workers, and training resumes where it stopped.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.shard_rows import NUMBERS, PLACES, TEXTS, Rows, load_rows
from quantization.data.shard_writer import ShardWriter

__all__ = ["ShardIndex", "ShardWriter", "open_shards"]

ANEW = "delete that shard, and run the command again that made it"
"""What to do about a damaged sample: while its shard is there whole, it counts as finished."""


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """All samples of some shards, by number. Holds no open file: it may be forked, pickled and read by threads.

    Attributes:
        tars: the shards, in order.
        labels: (N,) arrays by label key (`TEXTS` as str, `NUMBERS` as numbers), and "extension".
        damage: one line for each thing left out because it is damaged; empty where damage is refused.
    """

    tars: tuple[Path, ...]
    labels: dict[str, NDArray[Any]]
    damage: tuple[str, ...]
    tar_of: NDArray[np.int32]
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tar_of)

    def read(self, index: int) -> tuple[bytes, str, dict[str, Any]]:
        """Return the encoded picture, its extension and the whole label of one sample.

        Raises:
            InputError: the sample is damaged or its shard is gone.
        """
        picture, text = self._bytes(index, picture=True), self._bytes(index, picture=False)
        try:
            return picture, str(self.labels["extension"][index]), json.loads(text)
        except ValueError:
            raise InputError(f"{self.name(index)} is damaged: its label is not JSON") from None

    def picture(self, index: int) -> bytes:
        """Return the encoded picture alone.

        Raises:
            InputError: as in `read`.
        """
        return self._bytes(index, picture=True)

    def label(self, index: int) -> dict[str, Any]:
        """Return the whole label alone.

        Raises:
            InputError: as in `read`.
        """
        try:
            return json.loads(self._bytes(index, picture=False))
        except ValueError:
            raise InputError(f"{self.name(index)} is damaged: its label is not JSON") from None

    def name(self, index: int) -> str:
        """Return what to call a sample in a message."""
        return f"the sample at byte {self.places[index, 0]} of {self.tars[self.tar_of[index]]}"

    def select(self, chosen: NDArray[Any]) -> ShardIndex:
        """Return the index of some samples, by a mask or by ascending numbers."""
        labels = {key: column[chosen] for key, column in self.labels.items()}
        return ShardIndex(self.tars, labels, self.damage, self.tar_of[chosen], self.places[chosen])

    def _bytes(self, index: int, picture: bool) -> bytes:
        picture_at, picture_bytes, label_at, label_bytes, crc32, _ = (int(place) for place in self.places[index])
        at, length = (picture_at, picture_bytes) if picture else (label_at, label_bytes)
        try:
            with self.tars[self.tar_of[index]].open("rb", buffering=0) as stream:
                data = os.pread(stream.fileno(), length, at)
        except OSError as error:
            raise InputError(f"{self.name(index)} cannot be read: {error.strerror}") from error
        if len(data) != length or (picture and zlib.crc32(data) != crc32):
            raise InputError(f"{self.name(index)} is damaged: {ANEW}, or leave it out")
        return data


def open_shards(folders: Sequence[Path], damaged: Literal["refuse", "skip"] = "refuse") -> ShardIndex:
    """Open all finished shards of some folders, in the order of folders and names.

    Args:
        folders: each holds tars, or is itself a tar.
        damaged: what to do about a shard that is cut off or a sample that lacks its label: "refuse" all, or "skip" it
            and say so in `damage`. Damage inside a picture shows when it is read.

    Raises:
        InputError: a folder holds no finished shard, or something is damaged and is to be refused.
    """
    tars: list[Path] = []
    for folder in folders:
        found = [folder] if folder.is_file() else sorted(folder.glob("[!.]*.tar"))
        if not found:
            raise InputError(f"{folder} holds no finished shard (.tar)")
        tars += found
    parts: list[Rows] = []
    damage: list[str] = []
    for tar in tars:
        rows, lines = load_rows(tar)
        parts.append(rows)
        damage += lines
        if lines and damaged == "refuse":
            more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            raise InputError(f"{lines[0]}{more}: make it anew, or leave it out")
    texts = {
        key: np.concatenate([np.char.decode(rows[key], "utf-8") for rows in parts]) for key in (*TEXTS, "extension")
    }
    numbers = {key: np.concatenate([rows[key] for rows in parts]) for key in NUMBERS}
    return ShardIndex(
        tars=tuple(tars),
        labels=texts | numbers,
        damage=tuple(damage),
        tar_of=np.repeat(np.arange(len(parts), dtype=np.int32), [len(rows) for rows in parts]),
        places=np.concatenate([np.stack([rows[place] for place in PLACES], axis=1) for rows in parts]),
    )
