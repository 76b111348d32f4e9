"""The shipped model on photographs of real parts, through the whole of `classify`."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from edge.bundle.manifest import MANIFEST, MODELS
from edge.classify import Answer, classify_pictures, open_recogniser
from edge.inference.picture import Group, Picture

SHARED = Path(os.environ.get("BRICKGATE_SHARED", Path(__file__).parents[2] / ".." / "shared"))
PHOTOS = SHARED / "real-photos" / "brianlow-lego-classify-multi"
PIECES = 60

pytestmark = [
    pytest.mark.skipif(not (MODELS / "starter" / MANIFEST).is_file(), reason="no starter bundle in edge/models"),
    pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photographs at {PHOTOS}: set BRICKGATE_SHARED"),
]


def pieces() -> list[tuple[str, Group]]:
    """Family and pictures of each physical piece."""
    with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if "MISLABELLED" not in row["notes"]]
    grouped: dict[tuple[str, str], list[Picture]] = {}
    for row in rows:
        grouped.setdefault((row["part_family"], row["group"]), []).append(Picture(PHOTOS / row["file"]))
    return [(family, tuple(pictures)) for (family, _), pictures in grouped.items()][:PIECES]


def right(truth: str, answer: Answer, among: int = 1) -> bool:
    return truth in {named.key for named in answer.top[:among]}


def test_real_parts_are_recognised_and_looks_help() -> None:
    wanted = pieces()
    with open_recogniser("starter") as recogniser:
        fused = list(classify_pictures([group for _, group in wanted], recogniser))
        single = list(classify_pictures([group[:1] for _, group in wanted], recogniser))
    first = sum(right(truth, answer) for (truth, _), answer in zip(wanted, fused, strict=True))
    alone = sum(right(truth, answer) for (truth, _), answer in zip(wanted, single, strict=True))
    among_five = sum(right(truth, answer, 5) for (truth, _), answer in zip(wanted, fused, strict=True))
    assert first >= 0.6 * PIECES
    assert first >= alone
    assert among_five >= 0.85 * PIECES


def test_sure_answers_are_more_often_right() -> None:
    wanted = [(truth, group[k : k + 1]) for truth, group in pieces() for k in range(len(group))]
    with open_recogniser("starter") as recogniser:
        answers = list(classify_pictures([group for _, group in wanted], recogniser))
    judged = [(right(truth, answer), answer.unsure) for (truth, _), answer in zip(wanted, answers, strict=True)]
    sure = [hit for hit, unsure in judged if not unsure]
    assert 20 <= len(sure) < len(judged)
    assert sum(sure) / len(sure) > sum(hit for hit, _ in judged) / len(judged)
