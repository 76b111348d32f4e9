"""Scores a bundle on labelled photographs, through the very code of `brickgate classify`.

    python tests/evaluation/real_photos.py --photos FOLDER [--bundle B] [--views front,back] [--prior P]

FOLDER holds labels.csv (file, part_family, view, group). Nothing is learned from the photographs.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import load_bundle
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


def answers(recogniser: Recogniser, groups: Sequence[Group]) -> list[list[str]]:
    """The five likeliest parts of each group."""
    return [[named.key for named in answer.top] for answer in classify_pictures(groups, recogniser, top=5)]


def report(photos: Sequence[Labelled], recogniser: Recogniser, fuse: bool) -> tuple[float, float, Counter]:
    """Share right first and among five, one look or all looks of a piece fused, and the mistakes."""
    groups: dict[str, list[Labelled]] = {}
    for photo in photos:
        groups.setdefault(photo.group if fuse else str(photo.file), []).append(photo)
    found = answers(recogniser, [tuple(Picture(p.file) for p in group) for group in groups.values()])
    truth = [group[0].family for group in groups.values()]
    first = sum(top[0] == family for top, family in zip(found, truth, strict=True)) / len(truth)
    among = sum(family in top for top, family in zip(found, truth, strict=True)) / len(truth)
    mistakes = Counter((f, t[0]) for t, f in zip(found, truth, strict=True) if t[0] != f)
    return first, among, mistakes


def main() -> None:
    """Prints the figures of one set."""
    parser = argparse.ArgumentParser(description="Score a bundle on labelled photographs.")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--views", default="", help="only these views, separated by commas")
    parser.add_argument("--prior", help="common, uniform, or a CSV of part,weight; default: the bundle's")
    args = parser.parse_args()
    photos = read_labelled(args.photos, {part.number for part in load_bundle(args.bundle).parts})
    views = set(filter(None, args.views.split(",")))
    photos = [photo for photo in photos if not views or photo.view in views]
    with open_recogniser(args.bundle, prior=args.prior) as recogniser:
        for name, fuse in (("one look", False), ("fused", True)):
            first, among, mistakes = report(photos, recogniser, fuse)
            print(f"{name}: top-1 {first:.3f}, top-5 {among:.3f}")
            print("  ", ", ".join(f"{a}→{b} {n}" for (a, b), n in mistakes.most_common(15)))


if __name__ == "__main__":
    main()
