"""What an index knows of each sample in a tar shard: where it lies, and its label as a row of numbers and short texts.

The index lies beside its tar as a plain .npy array, so that a set of a million samples opens without reading a label.
It holds nothing that the tar does not: a lost one is made again by reading the tar once.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError

TEXTS = ("part", "group", "split", "source", "kind")
"""Label keys kept as text in the index; null is "" there."""
NUMBERS: dict[str, tuple[type[np.generic], Any]] = {
    "colour": (np.int32, -1),
    "pose": (np.int16, -1),
    "mm_per_px": (np.float32, np.nan),
    "elevation_deg": (np.float32, np.nan),
    "azimuth_deg": (np.float32, np.nan),
    "distance_mm": (np.float32, np.nan),
    "transparent": (np.bool_, False),
}
"""Label keys kept as numbers in the index, and what null becomes there."""
PLACES = ("picture_at", "picture_bytes", "label_at", "label_bytes", "crc32", "tar_bytes")
ALLOWED = {
    "kind": ("layers", "picture"),
    "source": ("render", "tile", "capture"),
    "split": ("train", "test", None),
}

Row = dict[str, Any]
Rows = NDArray[np.void]


def check_label(label: dict[str, Any], where: str) -> None:
    """Refuse a label that readers could not use.

    Raises:
        InputError: `part` is missing, or `kind`, `source` or `split` is none of the known ones.
    """
    if not isinstance(label.get("part"), str) or not label["part"]:
        raise InputError(f"{where}: the label names no part")
    for key, allowed in ALLOWED.items():
        if label.get(key) not in allowed:
            raise InputError(f"{where}: {key} is {label.get(key)!r}, not one of {', '.join(map(str, allowed))}")


def to_row(label: dict[str, Any], extension: str, crc32: int) -> Row:
    """Return the row of one sample, still without its places in the tar."""
    row: Row = {key: label.get(key) or "" for key in TEXTS}
    for key, (_, missing) in NUMBERS.items():
        row[key] = missing if label.get(key) is None else label[key]
    return row | {"extension": extension, "crc32": crc32}


def as_array(rows: list[Row], tar_bytes: int) -> Rows:
    """Return rows as a structured array; texts are UTF-8 of the longest one's width."""
    names = (*TEXTS, "extension")
    texts = {name: [str(row[name]).encode() for row in rows] for name in names}
    kinds: list[tuple[str, Any]] = [
        (name, f"S{max(map(len, column), default=1) or 1}") for name, column in texts.items()
    ]
    kinds += [(key, kind) for key, (kind, _) in NUMBERS.items()] + [(place, np.int64) for place in PLACES]
    array = np.zeros(len(rows), np.dtype(kinds))
    for name in array.dtype.names or ():
        array[name] = tar_bytes if name == "tar_bytes" else texts.get(name) or [row[name] for row in rows]
    return array


def index_path(tar: Path) -> Path:
    """Return where a tar's index lies."""
    return tar.with_suffix(".index")


def save_rows(rows: Rows, path: Path) -> None:
    """Write an index so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as stream:
        np.save(stream, rows, allow_pickle=False)
    temporary.replace(path)


def load_rows(tar: Path) -> tuple[Rows, list[str]]:
    """Return a tar's rows, from its index where that is whole and the tar's own, else by reading the tar.

    Returns:
        The rows of all whole samples, and one line for each thing that is damaged.
    """
    size = tar.stat().st_size
    kept = _kept_rows(index_path(tar))
    if kept is not None and len(kept) and int(kept["tar_bytes"][0]) == size:
        return kept, []
    if kept is not None and len(kept) and size < int(kept["tar_bytes"][0]):
        whole = np.maximum(kept["picture_at"] + kept["picture_bytes"], kept["label_at"] + kept["label_bytes"]) <= size
        return kept[whole], [f"{tar} is cut off: {int(whole.sum())} of its {len(kept)} samples are there"]
    rows, damage = _scan(tar)
    if not damage:
        with contextlib.suppress(OSError):  # a folder that cannot be written to is read without an index
            save_rows(rows, index_path(tar))
    return rows, damage


def _kept_rows(path: Path) -> Rows | None:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    names = {*TEXTS, *NUMBERS, *PLACES, "extension"}
    return rows if rows.dtype.names and set(rows.dtype.names) == names else None


class Member(NamedTuple):
    """A file in a tar: where its data starts, its length in bytes, its checksum, and a label's text."""

    at: int
    length: int
    crc32: int
    json: bytes


def _scan(tar: Path) -> tuple[Rows, list[str]]:
    """Read a tar through, as written by `ShardWriter` or by any other writer of WebDataset shards."""
    samples: dict[str, dict[str, Member]] = {}
    damage: list[str] = []
    try:
        with tarfile.open(tar, "r:") as opened:
            for member in opened:
                stream = opened.extractfile(member) if member.isfile() else None
                if stream is not None:
                    data = stream.read()
                    if len(data) != member.size:
                        raise tarfile.ReadError("a member ends early")
                    key, extension = split_name(member.name)
                    samples.setdefault(key, {})[extension] = Member(
                        member.offset_data, len(data), zlib.crc32(data), data if extension == "json" else b""
                    )
    except (tarfile.TarError, OSError, EOFError) as error:
        damage.append(f"{tar} is damaged after {len(samples)} samples: {error}")
    rows = list(_paired(tar, samples, damage))
    return as_array(rows, tar.stat().st_size), damage


def split_name(name: str) -> tuple[str, str]:
    """Split "folder/key.ext" at the first dot of the file name, as the webdataset library does."""
    folder, slash, base = name.rpartition("/")
    key, _, extension = base.partition(".")
    return folder + slash + key, extension


def _paired(tar: Path, samples: dict[str, dict[str, Member]], damage: list[str]) -> Iterable[Row]:
    for key, members in samples.items():
        where = f"{tar}, sample {key}"
        pictures = [extension for extension in members if extension != "json"]
        if "json" not in members or len(pictures) != 1:
            damage.append(f"{where} is damaged: it needs one picture and one .json, and has {', '.join(members)}")
            continue
        text, picture = members["json"], members[pictures[0]]
        try:
            label = json.loads(text.json)
            check_label(label, where)
        except InputError as error:
            damage.append(str(error))
            continue
        except (ValueError, AttributeError):
            damage.append(f"{where} is damaged: its label is not JSON")
            continue
        places = {"picture_at": picture.at, "picture_bytes": picture.length}
        places |= {"label_at": text.at, "label_bytes": text.length}
        yield to_row(label, pictures[0], picture.crc32) | places
