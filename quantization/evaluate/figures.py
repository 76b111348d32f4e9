"""The figures of a model, from its stored scores alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.fusion.evidence import Method
from quantization.evaluate.fits import expected_calibration_error, top, top1
from quantization.evaluate.fusions import accuracy_by_looks, fuse
from quantization.evaluate.scores import LookScores, ModelScores, PhotoScores
from quantization.evaluate.sized import log_scores_with_size

WORST = 12
MIXED_UP_WITH = 3
BELOW = "bottom"
"""The view through the glass under the part, which few machines have."""

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CategoryAccuracy:
    """One category: parts in it, looks at them, share named exactly, and share put into the category."""

    name: str
    parts: int
    looks: int
    top1: float
    category: float


@dataclass(frozen=True, slots=True)
class WorstPart:
    """A class and what its looks were taken for instead: (class, share of its looks), most frequent first."""

    family: int
    looks: int
    right: float
    taken_for: tuple[tuple[int, float], ...]


def top1_up_to(answers: Classes, families: Classes, groups: Sequence[int]) -> float:
    """Share of answers in the same group of look-alikes as the truth; `groups` (K,) names each class's group."""
    group_of = np.asarray(groups)
    return float((group_of[answers] == group_of[families]).mean())


def accuracy_by_category(
    posterior: Floats, families: Classes, categories: Sequence[str]
) -> tuple[float, list[CategoryAccuracy]]:
    """Share of looks whose likeliest category is right, over all and for each category, by name.

    Args:
        posterior: (N, K) probabilities; a category's is the sum over its parts.
        families: (N,) what each look shows.
        categories: (K,) of each class.
    """
    names, category_of = np.unique(categories, return_inverse=True)
    mass = posterior @ np.eye(len(names), dtype=np.float32)[category_of]
    truth = category_of[families]
    right, exact = mass.argmax(1) == truth, posterior.argmax(1) == families
    rows = [
        CategoryAccuracy(
            str(name), int((category_of == k).sum()), int(seen.sum()), float(exact[seen].mean()),
            float(right[seen].mean()),
        )
        for k, name in enumerate(names)
        if (seen := truth == k).any()
    ]  # fmt: skip
    return float(right.mean()), rows


def categories(scores: ModelScores) -> dict[str, dict[str, float]]:
    """Share named exactly, and share put into the category, for each category of the unseen looks."""
    posterior = np.exp(scores.log_scores(scores.unseen.logits))
    _, rows = accuracy_by_category(posterior, scores.unseen.families, [part.category for part in scores.parts])
    return {row.name: {"parts": row.parts, "top1": row.top1, "category": row.category} for row in rows}


def worst_parts(answers: Classes, families: Classes, count: int = WORST) -> list[WorstPart]:
    """The `count` classes least often named right, those always right left out."""
    found = []
    for family in np.unique(families):
        answered = answers[families == family]
        wrong = Counter(int(answer) for answer in answered if answer != family).most_common(MIXED_UP_WITH)
        shares = tuple((answer, times / len(answered)) for answer, times in wrong)
        found.append(WorstPart(int(family), len(answered), float((answered == family).mean()), shares))
    found.sort(key=lambda part: (part.right, part.family))
    return [part for part in found[:count] if part.right < 1]


def curves_by_looks(scores: ModelScores, looks: LookScores) -> dict[str, list[float]]:
    """For each fusion the share of parts right after 1, 2 … looks."""
    log_scores = scores.log_scores(looks.logits).reshape(-1, looks.looks_a_part, len(scores.parts))
    families = looks.families[:: looks.looks_a_part]
    return {
        method.value: [float(v) for v in accuracy_by_looks(log_scores, families, method, scores.fusion_exponent)]
        for method in Method
    }


def accuracy_figures(scores: ModelScores, groups: Sequence[int]) -> dict[str, float]:
    """The figures on renders by their names in the manifest."""
    unseen, belt = scores.unseen, scores.belt
    stored = scores.log_scores(unseen.logits)
    answers = unseen.logits.argmax(1)
    of_float = float((scores.unseen_float == unseen.families).mean())
    exact = top1(unseen.logits, unseen.families)
    category_of = [part.category for part in scores.parts]
    category, _ = accuracy_by_category(np.exp(stored), unseen.families, category_of)
    clean = scores.log_scores(scores.clean.logits)
    clean_category, _ = accuracy_by_category(np.exp(clean), scores.clean.families, category_of)
    ridden = scores.log_scores(belt.logits).reshape(-1, belt.looks_a_part, len(scores.parts))
    fused = np.log(fuse(ridden, Method.TEMPERED_PRODUCT, scores.fusion_exponent) + np.float32(1e-30))
    truth = belt.families[:: belt.looks_a_part]
    independent = curves_by_looks(scores, unseen)[Method.TEMPERED_PRODUCT]
    sized = log_scores_with_size(scores.log_scores(belt.logits), belt.sizes_mm, scores.size)
    sized_category, _ = accuracy_by_category(np.exp(sized), belt.families, category_of)
    return {
        "synthetic_one_look_top1": exact,
        "synthetic_one_look_top5": top(unseen.logits, unseen.families, 5),
        "synthetic_one_look_category": category,
        "synthetic_one_look_up_to_look_alikes": top1_up_to(answers, unseen.families, groups),
        "clean_one_look_top1": top1(clean, scores.clean.families),
        "clean_one_look_top5": top(clean, scores.clean.families, 5),
        "clean_one_look_category": clean_category,
        "synthetic_three_looks_top1": independent[min(3, len(independent)) - 1],
        "synthetic_one_look_top1_float": of_float,
        "int8_drop": of_float - exact,
        "int8_float_agreement": float((answers == scores.unseen_float).mean()),
        "expected_calibration_error": expected_calibration_error(stored, unseen.families),
        "expected_calibration_error_before": expected_calibration_error(log_softmax(unseen.logits), unseen.families),
        "belt_one_look_top1": top1(belt.logits, belt.families),
        "belt_one_look_with_size_top1": top1(sized, belt.families),
        "belt_one_look_with_size_top5": top(sized, belt.families, 5),
        "belt_one_look_with_size_category": sized_category,
        "belt_all_looks_top1": top1(fused, truth),
        "belt_all_looks_calibration_error": expected_calibration_error(fused, truth),
    }


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """One line of figures on photographs: of single looks, or of whole pieces by one fusion."""

    name: str
    count: int
    top1: float
    top5: float
    up_to_look_alikes: float


def photo_rows(scores: ModelScores, photos: PhotoScores, groups: Sequence[int]) -> list[PhotoRow]:
    """Single looks (all, from above, each view) and, where a piece has several, all looks at a piece fused."""
    log_scores = scores.log_scores(photos.logits)
    views = sorted(set(photos.views.tolist()))
    chosen = {"one look": np.ones(len(photos.views), np.bool_)}
    if BELOW in views and len(views) > 1:
        chosen[f"one look, without {BELOW}"] = photos.views != BELOW
    if len(views) > 1:
        chosen |= {f"one look, {view}": photos.views == view for view in views}
    rows = [_photo_row(name, log_scores[kept], photos.families[kept], groups) for name, kept in chosen.items()]
    pieces = [np.flatnonzero(photos.groups == group) for group in dict.fromkeys(photos.groups.tolist())]
    if len(pieces) < len(photos.groups):
        truth = photos.families[[piece[0] for piece in pieces]]
        for method in Method:
            one_each = [fuse(log_scores[piece][np.newaxis], method, scores.fusion_exponent)[0] for piece in pieces]
            rows.append(_photo_row(f"all looks, {method.value}", np.stack(one_each), truth, groups))
    return rows


def _photo_row(name: str, ranked: Floats, families: Classes, groups: Sequence[int]) -> PhotoRow:
    alike = top1_up_to(ranked.argmax(1), families, groups)
    return PhotoRow(name, len(families), top1(ranked, families), top(ranked, families, 5), alike)


def photo_figures(name: str, rows: Sequence[PhotoRow]) -> dict[str, float]:
    """The rows of a set of photographs as flat figures for the manifest."""
    plain = name.replace("-", "_")
    figures: dict[str, float] = {}
    for row in rows:
        key = f"{plain}_{row.name.replace(', ', '_').replace(' ', '_').replace('-', '_')}"
        figures |= {f"{key}_top1": row.top1, f"{key}_top5": row.top5, f"{key}_alike": row.up_to_look_alikes}
    return figures
