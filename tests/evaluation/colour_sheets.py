"""How well the colour meter names real parts: sheets of parts on paper, each sheet of one known colour.

    python tests/evaluation/colour_sheets.py --photos FOLDER

FOLDER holds `labels.csv` with the columns `file` and `colour`. Parts are told from the paper by a smooth surface that
is fitted to it; each part found gets one answer, balanced on the paper around it. Nothing is
learned from the photos, but the constants of the meter were compared on them: the figures are on the bright side.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import find_colour, load_colours
from edge.inference.colour import ColourMeter
from edge.records import ImageBgr, Look

DIFFERENT = 7.0
"""Difference from the paper in CIELAB, darkness halved so that shadows count less."""
LEAST_AREA_PX = 150
MARGIN_PX = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One part found: its true colour, and the colours it was given, best first."""

    truth: str
    named: tuple[str, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    parts: int
    top1: float
    top3: float


def evaluate(photos: Path) -> list[Finding]:
    """Findings for every part on every sheet, in the order of the labels."""
    colours = load_colours()
    meter = ColourMeter(colours)
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    findings: list[Finding] = []
    for row in rows:
        truth = find_colour(row["colour"], colours)
        if truth is None:
            raise ValueError(f"{row['file']}: no colour {row['colour']} in the catalogue")
        image = cv2.imread(str(photos / row["file"]), cv2.IMREAD_COLOR)
        for look in looks_on(np.asarray(image, np.uint8)):
            scores = meter.measure(look)
            if scores.size:
                best = np.argsort(-scores)
                named = tuple(colours[k].name for k in best)
                findings.append(Finding(truth.name, named, float(np.exp(scores[best[0]]))))
    return findings


def accuracy(findings: list[Finding]) -> Accuracy:
    top1 = [finding.named[0] == finding.truth for finding in findings]
    top3 = [finding.truth in finding.named[:3] for finding in findings]
    return Accuracy(len(findings), float(np.mean(top1)), float(np.mean(top3)))


def looks_on(sheet: ImageBgr) -> Iterator[Look]:
    """Each part that lies whole on the sheet, with its mask and the paper's colour around it."""
    mask = _parts_mask(sheet)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    height, width = mask.shape
    for label in range(1, count):
        left, top, wide, high, area = (int(value) for value in stats[label])
        whole = left > 1 and top > 1 and left + wide < width - 1 and top + high < height - 1
        compact = min(wide, high) >= 10 and area >= max(LEAST_AREA_PX, 0.2 * wide * high)
        if not whole or not compact or wide > 0.45 * width or high > 0.45 * height:
            continue
        rows = slice(max(top - MARGIN_PX, 0), top + high + MARGIN_PX)
        columns = slice(max(left - MARGIN_PX, 0), left + wide + MARGIN_PX)
        part = _filled((labels[rows, columns] == label).astype(np.uint8))
        bare = cv2.dilate(mask[rows, columns], np.ones((3, 3), np.uint8)) == 0
        crop = np.ascontiguousarray(sheet[rows, columns])
        blue, green, red = (float(value) for value in np.median(crop[bare], axis=0))
        yield Look(0, 0, "top", crop, None, 1.0, (blue, green, red), part > 0)


def _filled(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, 1, cv2.FILLED)
    return mask


def _parts_mask(sheet: ImageBgr) -> NDArray[np.uint8]:
    delta = _lab(sheet) - _lab(_paper(sheet))
    lightness = np.where(delta[..., 0] < 0, 0.5, 1.0) * delta[..., 0]
    difference = np.sqrt(lightness**2 + (1.5 * delta[..., 1]) ** 2 + (1.5 * delta[..., 2]) ** 2)
    found = (cv2.GaussianBlur(difference, (0, 0), 1.2) > DIFFERENT).astype(np.uint8)
    return cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(np.uint8)


def _paper(sheet: ImageBgr) -> ImageBgr:
    """The bare paper: a surface of second order through the pixels that agree with it."""
    height, width = sheet.shape[:2]
    small = cv2.resize(sheet, (width // 4, height // 4), interpolation=cv2.INTER_AREA).astype(np.float32)
    v, u = np.mgrid[-1 : 1 : small.shape[0] * 1j, -1 : 1 : small.shape[1] * 1j]
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1).reshape(-1, 6)
    values = small.reshape(-1, 3)
    near = np.ones(len(values), bool)
    surface = values
    for _ in range(6):
        surface = basis @ np.linalg.lstsq(basis[near], values[near], rcond=None)[0]
        error = np.abs(values - surface).max(axis=1)
        near = error < max(3.0, 2.5 * 1.4826 * float(np.median(error[near])))
    paper = np.clip(surface, 0, 255).reshape(small.shape).astype(np.float32)
    return cv2.resize(paper, (width, height)).astype(np.uint8)


def _lab(image_bgr: ImageBgr) -> NDArray[np.float32]:
    return cv2.cvtColor(image_bgr.astype(np.float32) / 255, cv2.COLOR_BGR2LAB).astype(np.float32)


def report(findings: list[Finding]) -> str:
    """The confusion table, a row a colour, and the overall figures."""
    lines = [f"{'colour':<20} parts top-1 top-3  taken for"]
    for truth in sorted({finding.truth for finding in findings}):
        own = [finding for finding in findings if finding.truth == truth]
        score = accuracy(own)
        taken = Counter(finding.named[0] for finding in own).most_common(5)
        confusion = ", ".join(f"{name} {count}" for name, count in taken)
        lines.append(f"{truth:<20} {score.parts:5d} {score.top1:5.0%} {score.top3:5.0%}  {confusion}")
    whole = accuracy(findings)
    solid = accuracy([finding for finding in findings if not finding.truth.startswith("Trans")])
    lines.append(f"{'all':<20} {whole.parts:5d} {whole.top1:5.1%} {whole.top3:5.1%}")
    lines.append(f"{'not transparent':<20} {solid.parts:5d} {solid.top1:5.1%} {solid.top3:5.1%}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with labels.csv and the sheets")
    print(report(evaluate(parser.parse_args().photos)))
