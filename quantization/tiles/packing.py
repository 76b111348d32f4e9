"""A set of shards made from pictures: what it was asked to hold, what it came to, and how it goes on after a kill."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2

from edge.errors import BrickgateError, InputError
from quantization.data.shard_rows import load_rows
from quantization.data.shard_writer import SHARD_NAME, ShardWriter
from quantization.tiles.picture import ImageBgr
from quantization.tiles.split import TEST, TRAIN

SET_FILE, SUMMARY_FILE = "set.json", "summary.json"
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set came to: samples by split and part, and all that was left out, a line each."""

    samples: dict[str, dict[str, int]]
    left_out: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """Pieces left out, by reason."""

    def total(self, split: str) -> int:
        """Samples of one split."""
        return sum(self.samples.get(split, {}).values())


class Packer:
    """Writes samples into one row of shards a split. As a context manager it keeps finished shards whatever happens.

    The same request makes the same samples in the same order; so a run that was killed is gone on with by passing over
    as many as the finished shards hold.

    Args:
        folder: of the set; claimed with `request`.
        request: all that decides what the set holds, in plain values.
        samples_a_shard: how many samples each shard holds.

    Raises:
        InputError: the folder holds another set.
    """

    def __init__(self, folder: Path, request: dict[str, Any], samples_a_shard: int) -> None:
        claim(folder, request)
        self._folder, self._size = folder, samples_a_shard
        self._writers: dict[str, ShardWriter] = {}
        self._finished = {split: _finished(folder, split, samples_a_shard) for split in (TRAIN, TEST)}
        self._seen = {TRAIN: 0, TEST: 0}
        self.samples: dict[str, Counter[str]] = {TRAIN: Counter(), TEST: Counter()}

    def add(self, image: ImageBgr, label: dict[str, Any]) -> None:
        """Write one sample into the shards of its label's split.

        Raises:
            BrickgateError: the disk is full or cannot be written to.
        """
        split = label["split"]
        number = self._seen[split]
        self._seen[split] += 1
        self.samples[split][label["part"]] += 1
        shards_before = self._finished[split]
        if number < shards_before * self._size:
            return
        if split not in self._writers:
            self._writers[split] = ShardWriter(self._folder, split, self._size, first_shard=shards_before)
        encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        self._writers[split].add(f"{split}{number:09d}", encoded[1].tobytes(), "jpg", label)

    def close(self, left_out: list[str], counts: dict[str, int]) -> Summary:
        """Finish the last shards and write what the set came to.

        Raises:
            InputError: it holds no sample.
            BrickgateError: the disk is full or cannot be written to.
        """
        if not any(self._seen.values()):
            raise InputError(
                f"{self._folder} would hold no sample: {left_out[-1] if left_out else 'nothing was found'}"
            )
        for writer in self._writers.values():
            writer.close()
        summary = Summary({k: dict(sorted(v.items())) for k, v in self.samples.items()}, left_out, counts)
        _write_json(
            self._folder / SUMMARY_FILE,
            {"samples": summary.samples, "left_out": summary.left_out, "counts": summary.counts},
        )
        return summary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in self._writers.values():
            writer.abandon()


def claim(folder: Path, request: dict[str, Any]) -> None:
    """Write what a folder is to hold, or refuse one that holds something else.

    Raises:
        InputError: it holds another set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, wanted = folder / SET_FILE, json.loads(json.dumps(request))
    if _read_json(path) == wanted:
        return
    if any(folder.glob("[!.]*.tar")):
        raise InputError(f"{folder} holds another set: name another folder with --out, or empty this one")
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    _write_json(path, wanted)


def made_already(folder: Path, request: dict[str, Any]) -> Summary | None:
    """What a finished set came to; None where it is not there, not finished, no longer whole, or another one."""
    found, content = _read_json(folder / SET_FILE), _read_json(folder / SUMMARY_FILE)
    if found != json.loads(json.dumps(request)) or not isinstance(content, dict):
        return None
    summary = Summary(content["samples"], content["left_out"], content["counts"])
    whole = all(_packed(folder, split) == summary.total(split) for split in (TRAIN, TEST))
    return summary if whole else None


def _packed(folder: Path, split: str) -> int:
    """Samples in the undamaged shards of a split."""
    shards = [load_rows(path) for path in folder.glob(f"{split}-*.tar")]
    return sum(len(rows) for rows, damage in shards if not damage)


def _finished(folder: Path, split: str, samples_a_shard: int) -> int:
    """How many whole shards of a split there are, one after the other from the first."""
    number = 0
    while (path := folder / SHARD_NAME.format(name=split, number=number)).exists():
        rows, damage = load_rows(path)
        if damage or len(rows) != samples_a_shard:
            break
        number += 1
    return number


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write_json(path: Path, value: Any) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BrickgateError(
            f"{path} cannot be written ({error.strerror}): make room, or name another --out"
        ) from error
