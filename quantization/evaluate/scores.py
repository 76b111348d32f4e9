"""What a model answered, kept so that figures and reports are made anew in seconds.

The folder `evaluation` holds `scores.npz`, `parts.json`, and `pictures/` for the report. The scores name the model they
are of by its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import BundlePart
from edge.bundle.size import SizeEvidence
from edge.errors import InputError
from quantization.data.opening import difference

SCORES, PARTS, PICTURES = "scores.npz", "parts.json", "pictures"
CHUNK = 2048
AGAIN = "run 'brickgate-model evaluate' again"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LookScores:
    """`logits` (N, K) of the int8 model and `families` (N,); each run of `looks_a_part` looks shows one part.
    `sizes_mm` (N, 2) are the length and width that were measured; (0, 2) where none were."""

    logits: Floats
    families: NDArray[np.int64]
    looks_a_part: int
    sizes_mm: Floats = field(default_factory=lambda: np.zeros((0, 2), np.float32))


@dataclass(frozen=True, slots=True)
class PhotoScores:
    """`logits` (N, K) of a set's photographs, and (N,) what each shows, from which side, and which piece it is of."""

    logits: Floats
    families: NDArray[np.int64]
    views: NDArray[np.str_]
    groups: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class ModelScores:
    """All answers of one model.

    Attributes:
        recipe: its name.
        model_sha256: of model.tflite.
        parts: its classes, in order.
        temperature: fitted.
        fusion_exponent: fitted.
        size: how long and wide the parts lie on the belt.
        unseen: of unseen renders, each look of a part in another pose and view.
        unseen_float: (N,) the float network's answer to each of those looks.
        clean: of unseen renders as a good camera takes them, where `unseen` are as bad as training's.
        belt: of parts that ride past the camera.
        unknown: of parts that the model never saw; the families count in `unknown_parts`.
        unknown_belt: of such parts that ride past the camera.
        unknown_parts: numbers and names of those.
        photos: by the set's name.
    """

    recipe: str
    model_sha256: str
    parts: tuple[BundlePart, ...]
    temperature: float
    fusion_exponent: float
    size: SizeEvidence
    unseen: LookScores
    unseen_float: NDArray[np.int64]
    clean: LookScores
    belt: LookScores
    unknown: LookScores
    unknown_belt: LookScores
    unknown_parts: tuple[str, ...]
    photos: dict[str, PhotoScores] = field(default_factory=dict)

    def log_scores(self, logits: Floats) -> Floats:
        """(N, K) calibrated log-probabilities."""
        found = np.empty_like(logits)
        for start in range(0, len(logits), CHUNK):  # thousands of parts by tens of thousands of looks fill the memory
            found[start : start + CHUNK] = log_softmax(logits[start : start + CHUNK], self.temperature)
        return found

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(part.number for part in self.parts)


def save_scores(scores: ModelScores, folder: Path) -> None:
    """Writes `scores.npz` and `parts.json`."""
    arrays: dict[str, Any] = {
        "unseen_float": scores.unseen_float,
        "size/sides_mm": scores.size.sides_mm,
        "size/weights": scores.size.weights,
    }
    for name in ("unseen", "clean", "belt", "unknown", "unknown_belt"):
        looks: LookScores = getattr(scores, name)
        arrays |= {f"{name}/{key}": value for key, value in asdict(looks).items()}
    for name, photos in scores.photos.items():
        arrays |= {f"photos/{name}/{key}": value for key, value in asdict(photos).items()}
    facts = {
        "recipe": scores.recipe,
        "model_sha256": scores.model_sha256,
        "temperature": scores.temperature,
        "fusion_exponent": scores.fusion_exponent,
        "unknown_parts": scores.unknown_parts,
        "photos": list(scores.photos),
    }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / SCORES, facts=np.array(json.dumps(facts)), **arrays)
    parts = json.dumps([asdict(part) for part in scores.parts], ensure_ascii=False)
    (folder / PARTS).write_text(parts, encoding="utf-8")


def load_scores(folder: Path, recipe: str, numbers: Sequence[str], model_sha256: str) -> ModelScores:
    """The scores of the model at hand.

    Raises:
        InputError: no scores yet, damaged ones, or those of another recipe or model.
    """
    file = folder / SCORES
    try:
        scores = _read(folder)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing: run 'brickgate-model evaluate' first") from error
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{file} or {PARTS} beside it holds no scores ({why}): {AGAIN}") from error
    if scores.recipe != recipe:
        raise InputError(f"{file} is of recipe {scores.recipe}, not {recipe}: {AGAIN}")
    if scores.numbers != tuple(numbers):
        raise InputError(f"{file} is of other parts than the recipe ({difference(scores.numbers, numbers)}): {AGAIN}")
    if scores.model_sha256 != model_sha256:
        raise InputError(f"{file} is of another model than the one converted last: {AGAIN}")
    return scores


def _read(folder: Path) -> ModelScores:
    with np.load(folder / SCORES) as arrays:
        facts = json.loads(str(arrays["facts"]))

        def looks(name: str) -> LookScores:
            logits, families, sizes_mm = (arrays[f"{name}/{key}"] for key in ("logits", "families", "sizes_mm"))
            return LookScores(logits, families, int(arrays[f"{name}/looks_a_part"]), sizes_mm)

        def photos(name: str) -> PhotoScores:
            return PhotoScores(*(arrays[f"photos/{name}/{key}"] for key in ("logits", "families", "views", "groups")))

        listed = json.loads((folder / PARTS).read_text(encoding="utf-8"))
        return ModelScores(
            recipe=facts["recipe"],
            model_sha256=facts["model_sha256"],
            parts=tuple(BundlePart(**{**part, "moulds": tuple(part["moulds"])}) for part in listed),
            temperature=float(facts["temperature"]),
            fusion_exponent=float(facts["fusion_exponent"]),
            size=SizeEvidence(arrays["size/sides_mm"], arrays["size/weights"]),
            unseen=looks("unseen"),
            unseen_float=arrays["unseen_float"],
            clean=looks("clean"),
            belt=looks("belt"),
            unknown=looks("unknown"),
            unknown_belt=looks("unknown_belt"),
            unknown_parts=tuple(facts["unknown_parts"]),
            photos={name: photos(name) for name in facts["photos"]},
        )
