"""Accuracy on photographs that the network never saw: single looks, and the looks at one piece fused.

A set is a folder with `labels.csv` (columns `file`, `part_family`, `view`, `group`; others are ignored). Families that
the network does not know are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import InputSpec, cut
from edge.errors import InputError
from quantization.csv_rows import read_csv
from quantization.data.opening import listed
from quantization.evaluate.scores import PhotoScores

COLUMNS = ("file", "part_family", "view", "group")
Logits = NDArray[np.float32]
Classify = Callable[[NDArray[np.uint8]], Logits]
"""(N, H, W, 3) uint8 RGB pictures → (N, K) logits."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One labelled photograph; `family` is the index in the network's classes."""

    file: Path
    family: int
    view: str
    group: str


def read_photos(folder: Path, families: Sequence[str], say: Callable[[str], None]) -> list[Photo]:
    """The photographs of a set whose family the network knows; `say` is told how many others there are.

    Raises:
        InputError: no `labels.csv`, one without these columns or with two opinions of a photograph, a photograph that
            is not there, or none of a family that is known.
    """
    labels = folder / "labels.csv"
    index = {family: k for k, family in enumerate(families)}
    rows = _once_each(labels, read_csv(labels, "labels of photographs", COLUMNS))
    photos = [
        Photo(folder / row["file"], index[row["part_family"]], row["view"], row["group"] or row["file"])
        for row in rows
        if row["part_family"] in index and "MISLABELLED" not in (row.get("notes") or "")
    ]
    strange = sorted({row["part_family"] for row in rows} - set(index))
    if strange:
        left_out = sum(row["part_family"] not in index for row in rows)
        say(f"{labels}: {left_out} of {len(rows)} photos show parts not in this model ({listed(strange)}): left out")
    missing = [photo.file for photo in photos if not photo.file.is_file()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{labels} names {missing[0]}, which is not there{more}: correct the labels")
    if not photos:
        raise InputError(f"{labels}: none of its {len(rows)} photos shows a part of this model")
    return photos


def _once_each(file: Path, rows: Sequence[tuple[int, dict[str, str]]]) -> list[dict[str, str]]:
    """The first row of each photograph.

    Raises:
        InputError: another row tells something else of it.
    """
    found: dict[Path, tuple[int, dict[str, str]]] = {}
    for line, row in rows:
        first_line, first = found.setdefault((file.parent / row["file"]).resolve(), (line, row))
        differs = next((key for key in (*COLUMNS[1:], "notes") if row.get(key) != first.get(key)), None)
        if differs and row["file"]:
            raise InputError(
                f"{file}:{line}: {row['file']} has {differs} '{row[differs]}' here and '{first[differs]}' in line"
                f" {first_line}: take one of these rows out"
            )
    return [row for _, row in found.values()]


def score_photos(photos: Sequence[Photo], classify: Classify, input_px: int, batch: int = 64) -> PhotoScores:
    """Classifies photographs, each taken whole as one crop."""
    spec = InputSpec(input_px, input_px, margin=0.0)
    logits = [
        classify(np.stack([_read(photo.file, spec) for photo in photos[start : start + batch]]))
        for start in range(0, len(photos), batch)
    ]
    return PhotoScores(
        logits=np.concatenate(logits),
        families=np.array([photo.family for photo in photos], np.int64),
        views=np.array([photo.view for photo in photos]),
        groups=np.array([photo.group for photo in photos]),
    )


def _read(file: Path, spec: InputSpec) -> NDArray[np.uint8]:
    image = cv2.imread(str(file))
    if image is None:
        raise InputError(f"{file} is no picture that OpenCV can read: remove it from the set")
    height, width = image.shape[:2]
    return cut(image.astype(np.uint8, copy=False), (0, 0, width, height), spec)
