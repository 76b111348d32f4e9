"""One HTML page about a model, from its stored scores: nothing but itself is needed to read or print it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edge.bundle.dequantize import log_softmax
from quantization.evaluate import figures, unknown
from quantization.evaluate.bins import accuracy_by_bin, read_layout
from quantization.evaluate.charts import Line, line_chart, reliability_chart
from quantization.evaluate.fits import expected_calibration_error, reliability
from quantization.evaluate.pictures import SEEN_WRONG, mistake_name, portrait_name
from quantization.evaluate.scores import LookScores, ModelScores
from quantization.evaluate.speed import Speed
from quantization.evaluate.unknown_tracks import SHOWN

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the page is about, beside the scores."""

    title: str
    input_px: int
    evaluation: dict[str, Any]
    files: dict[str, Path]
    """The TFLite files by what they are called on the page; those that are missing are left out."""
    speeds: dict[str, list[Speed]]
    computer: str
    layout: str
    groups: Sequence[int]


def render_report(scores: ModelScores, subject: Subject, pictures: Path, say: Report) -> str:
    """The page.

    Args:
        scores: of the model.
        subject: what else the page tells.
        pictures: folder of the pictures of its worst parts; a missing one is said in a line and left out.
        say: takes those lines.

    Raises:
        ConfigError: the bin layout does not exist or holds a mistake.
    """
    environment = Environment(
        loader=PackageLoader("quantization.evaluate", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    posterior = np.exp(scores.log_scores(scores.unseen.logits))
    table = read_layout(subject.layout, scores.parts)
    bins_top1, bins = accuracy_by_bin(posterior, scores.unseen.families, table)
    category_of = [part.category for part in scores.parts]
    _, categories = figures.accuracy_by_category(posterior, scores.unseen.families, category_of)
    return environment.get_template("report.html.j2").render(
        subject=subject,
        scores=scores,
        evaluation=subject.evaluation,
        accuracy=figures.accuracy_figures(scores, subject.groups),
        alike=len(scores.parts) - len(set(subject.groups)),
        bins=bins,
        bins_top1=bins_top1,
        bin_count=len(table.bins),
        categories=sorted(categories, key=lambda row: -row.parts),
        looks=[_looks(scores, *which) for which in _look_sets(scores)],
        calibration=_calibration(scores),
        worst=_worst(scores, pictures, say),
        photos={name: figures.photo_rows(scores, kept, subject.groups) for name, kept in scores.photos.items()},
        unknown=_unknown(scores, subject.evaluation),
        sizes_mb={name: file.stat().st_size / 1e6 for name, file in subject.files.items()},
    )


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _look_sets(scores: ModelScores) -> list[tuple[str, LookScores]]:
    return [
        ("Looks from independent sides and in other poses, as from several cameras", scores.unseen),
        ("Looks at one part as it rides past the camera, which resemble each other", scores.belt),
    ]


def _looks(scores: ModelScores, title: str, looks: LookScores) -> dict[str, Any]:
    counts = list(range(1, looks.looks_a_part + 1))
    curves = figures.curves_by_looks(scores, looks)
    lines = [Line(name.replace("-", " "), counts, shares) for name, shares in curves.items()]
    told = "; ".join(f"{line.name} {_percent(line.shares[0])} to {_percent(line.shares[-1])}" for line in lines)
    alt = f"Share of parts right after 1 to {counts[-1]} looks: {told}"
    chart = line_chart(alt, "looks at the part", "parts right", lines, counts)
    return {"title": title, "chart": Markup(chart), "counts": counts, "lines": lines}


def _calibration(scores: ModelScores) -> list[dict[str, Any]]:
    found = []
    for title, temperature in (("before", 1.0), (f"after, temperature {scores.temperature:.2f}", scores.temperature)):
        log_scores = log_softmax(scores.unseen.logits, temperature)
        error = expected_calibration_error(log_scores, scores.unseen.families)
        alt = f"Reliability {title}: expected calibration error {_percent(error)}"
        chart = reliability_chart(alt, reliability(log_scores, scores.unseen.families))
        found.append({"title": title, "error": error, "chart": Markup(chart)})
    return found


def _worst(scores: ModelScores, pictures: Path, say: Report) -> list[dict[str, Any]]:
    """The worst parts with their pictures as data URLs, None where one is missing."""

    def shown(family: int) -> dict[str, Any]:
        part = scores.parts[family]
        return {"number": part.number, "name": part.name, "url": _data_url(pictures / portrait_name(part.number), say)}

    found = []
    for part in figures.worst_parts(scores.unseen.logits.argmax(1), scores.unseen.families):
        number = scores.parts[part.family].number
        mistaken = min(SEEN_WRONG, round(part.looks * (1 - part.right)))
        found.append(
            {
                **shown(part.family),
                "right": part.right,
                "looks": part.looks,
                "mistaken": [_data_url(pictures / mistake_name(number, place), say) for place in range(mistaken)],
                "taken_for": [{**shown(other), "share": share} for other, share in part.taken_for],
            }
        )
    return found


def _data_url(file: Path, say: Report) -> str | None:
    try:
        return f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
    except OSError as error:
        say(f"{file} cannot be read ({error.strerror}): left out; 'brickgate-model evaluate' makes it anew")
        return None


def _unknown(scores: ModelScores, evaluation: dict[str, Any]) -> dict[str, Any]:
    fitted = evaluation["unknown"]
    score = unknown.SCORES[fitted["score"]]
    known, strange = (score(looks.logits, scores.temperature) for looks in (scores.unseen, scores.unknown))
    rejected = [float(share) for share in unknown.rejection_curve(known, strange)]
    falsely = [float(share) for share in np.linspace(0, 1, len(rejected))]
    shown = [(x, y) for x, y in zip(falsely, rejected, strict=True) if x <= 0.5]
    line = Line(fitted["score"], *(list(values) for values in zip(*shown, strict=True)))
    at = _percent(fitted["rejected"])
    alt = f"Unknown looks rejected by share of known looks rejected: {at} at {_percent(fitted['false_rejection'])}"
    ticks = (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    chart = line_chart(alt, "known parts rejected", "unknown parts rejected", [line], ticks, percent_x=True)
    by_looks = unknown.rejection_by_looks(fitted["score"], scores)
    missed = score(scores.unknown.logits, scores.temperature) >= fitted["threshold"]
    families = scores.unknown.families
    slipping = [(scores.unknown_parts[k], float(missed[families == k].mean())) for k in np.unique(families)]
    return {
        **fitted,
        "chart": Markup(chart),
        "by_looks": by_looks,
        "shown": [count for count in fitted["looks"] if count in SHOWN],
        "riding": _riding(fitted),
        "slipping": sorted(slipping, key=lambda part: -part[1])[:5],
    }


def _riding(fitted: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a share of known parts that may be lost, and in it for each number of looks what is rejected."""
    belt = fitted["belt"]
    return [
        {
            "share": share,
            "cells": [
                {key: rows[row][place] for key, rows in belt.items()}
                for place, count in enumerate(fitted["looks"])
                if count in SHOWN
            ],
        }
        for row, share in enumerate(fitted["shares"])
    ]
