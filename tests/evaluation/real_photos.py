"""Scores a bundle on labelled photographs, through the very code of `brickgate classify`.

    python tests/evaluation/real_photos.py --photos FOLDER [--bundle B] [--views front,back] [--prior P]

FOLDER holds labels.csv (file, part_family, view, group). Nothing is learned from the photographs.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import load_bundle
from edge.catalogue.lookalikes import groups
from edge.classify import Group, Recogniser, classify_pictures, open_recogniser
from edge.inference.picture import Picture


@dataclass(frozen=True)
class Labelled:
    """One photograph and what it shows."""

    file: Path
    family: str
    view: str
    group: str


def read_labelled(folder: Path, known: set[str]) -> list[Labelled]:
    """The photographs whose part the bundle knows; those marked as mislabelled are left out."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if "MISLABELLED" not in row["notes"]]
    return [
        Labelled(folder / row["file"], row["part_family"], row["view"], row["group"] or row["file"])
        for row in rows
        if row["part_family"] in known
    ]


def answers(recogniser: Recogniser, pieces: Sequence[Group]) -> list[list[str]]:
    """The five likeliest parts of each piece."""
    return [[named.key for named in answer.top] for answer in classify_pictures(pieces, recogniser, top=5)]


@dataclass(frozen=True)
class Score:
    """Shares right first, right first up to look-alikes and among five, and how often what was taken for what."""

    first: float
    alike: float
    among: float
    mistakes: Counter[tuple[str, str]]


def score(found: Sequence[Sequence[str]], truth: Sequence[str], alike: Mapping[str, int]) -> Score:
    """What answers are worth; `alike` names each part's group of look-alikes."""
    pairs = list(zip(found, truth, strict=True))
    return Score(
        first=sum(top[0] == family for top, family in pairs) / len(pairs),
        alike=sum(alike[top[0]] == alike[family] for top, family in pairs) / len(pairs),
        among=sum(family in top for top, family in pairs) / len(pairs),
        mistakes=Counter((family, top[0]) for top, family in pairs if top[0] != family),
    )


def report(photos: Sequence[Labelled], recogniser: Recogniser, fuse: bool, alike: Mapping[str, int]) -> Score:
    """One look, or all looks of a piece fused."""
    pieces: dict[str, list[Labelled]] = {}
    for photo in photos:
        pieces.setdefault(photo.group if fuse else str(photo.file), []).append(photo)
    found = answers(recogniser, [tuple(Picture(p.file) for p in piece) for piece in pieces.values()])
    return score(found, [piece[0].family for piece in pieces.values()], alike)


def main() -> None:
    """Prints the figures of one set."""
    parser = argparse.ArgumentParser(description="Score a bundle on labelled photographs.")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--views", default="", help="only these views, separated by commas")
    parser.add_argument("--prior", help="common, uniform, or a CSV of part,weight; default: the bundle's")
    args = parser.parse_args()
    numbers = [part.number for part in load_bundle(args.bundle).parts]
    alike = dict(zip(numbers, groups(numbers), strict=True))
    photos = read_labelled(args.photos, set(numbers))
    views = set(filter(None, args.views.split(",")))
    photos = [photo for photo in photos if not views or photo.view in views]
    with open_recogniser(args.bundle, prior=args.prior) as recogniser:
        for name, fuse in (("one look", False), ("fused", True)):
            found = report(photos, recogniser, fuse, alike)
            print(f"{name}: top-1 {found.first:.3f}, up to look-alikes {found.alike:.3f}, top-5 {found.among:.3f}")
            print("  ", ", ".join(f"{a}→{b} {n}" for (a, b), n in found.mistakes.most_common(15)))


if __name__ == "__main__":
    main()
