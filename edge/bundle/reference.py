"""Parts of known kind as a model saw them ride past: what its confidence is worth.

A bundle may have a file of such parts, seen on the simulated machine: `tests/evaluation/record_reference.py` writes it.
A new machine has few parts of its own to measure purity by; what they say is laid over what these say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError

KEPT = 128
"""Kinds whose scores are kept of each part; the others of thousands lie e-folds behind and share the rest."""
IMPOSSIBLE = -30.0
UNKNOWN = -1

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SeenParts:
    """N parts, by all looks at each.

    Attributes:
        scores: (N, K) log-probabilities of the parts after the bundle's temperature, the mean over looks by quality.
        weights: (N,) sum of the looks' qualities.
        sides_mm: (N, 2) the measured rectangle; 0 where it was never seen whole.
        colours: (N, C) log-probabilities of the catalogue's colours, likewise.
        colour_weights: (N,).
        stands_out: (N,) by how much the likeliest part's logarithm is above the mean of all, the mean over looks.
        sortable: (N,) whether nothing but doubt keeps it from a bin: it does not touch another, and is not unknown.
        kinds: (N,) the true part's place in the bundle.
        true_colours: (N,) the true colour's place in the catalogue, `UNKNOWN` where nobody said.
    """

    scores: Floats
    weights: Floats
    sides_mm: Floats
    colours: Floats
    colour_weights: Floats
    stands_out: Floats
    sortable: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    true_colours: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)


def save_reference(file: Path, seen: SeenParts, colour_codes: Sequence[int]) -> None:
    """Writes parts to an .npz file; `colour_codes` are LDraw's, in the order of the colours' scores."""
    order = np.argsort(-seen.scores, axis=1)
    classes, others = order[:, :KEPT], np.take_along_axis(seen.scores, order[:, KEPT:], axis=1)
    np.savez_compressed(
        file,
        classes=classes.astype(np.uint16),
        scores=np.take_along_axis(seen.scores, classes, axis=1).astype(np.float16),
        others=_shared(others).astype(np.float16),
        weights=seen.weights.astype(np.float32),
        sides_mm=seen.sides_mm.astype(np.float16),
        colour_codes=np.array(colour_codes, np.int64),
        colours=np.maximum(seen.colours, IMPOSSIBLE).astype(np.float16),
        colour_weights=seen.colour_weights.astype(np.float32),
        stands_out=seen.stands_out.astype(np.float32),
        sortable=seen.sortable,
        kinds=seen.kinds.astype(np.uint16),
        true_colours=seen.true_colours.astype(np.int16),
    )


def _shared(scores: Floats) -> Floats:
    """(N,) the score that each of (N, M) kinds would have if they were all as likely."""
    likely = np.exp(scores.astype(np.float64)).sum(axis=1) / max(scores.shape[1], 1)
    return np.log(np.maximum(likely, np.exp(IMPOSSIBLE))).astype(np.float32)


def load_reference(file: Path, parts: int, colour_codes: Sequence[int]) -> SeenParts:
    """Reads what `save_reference` wrote.

    Args:
        parts: K of the bundle.
        colour_codes: LDraw's codes of today's catalogue; parts of a colour that is gone are left out.

    Raises:
        BundleError: it cannot be read, or holds something else.
    """
    try:
        with np.load(file) as arrays:
            return _unpacked({name: arrays[name] for name in arrays.files}, parts, list(colour_codes))
    except (OSError, ValueError, KeyError, IndexError, BadZipFile) as error:
        raise BundleError(f"{file} holds no reference parts ({error}): fetch the bundle again") from error


def _unpacked(arrays: dict[str, NDArray[np.generic]], parts: int, codes: list[int]) -> SeenParts:
    count = len(arrays["kinds"])
    classes = arrays["classes"].astype(np.int64)
    if any(len(array) != count for name, array in arrays.items() if name != "colour_codes") or classes.max() >= parts:
        raise ValueError("its columns do not fit together")
    scores = np.repeat(_others(arrays, count)[:, np.newaxis], parts, axis=1)
    np.put_along_axis(scores, classes, arrays["scores"].astype(np.float32), axis=1)
    colours = np.full((count, len(codes)), IMPOSSIBLE, np.float32)
    places = [codes.index(int(code)) if int(code) in codes else UNKNOWN for code in arrays["colour_codes"].tolist()]
    for old, new in enumerate(places):
        if new != UNKNOWN:
            colours[:, new] = arrays["colours"][:, old].astype(np.float32)
    true_colours = np.array(places, np.int64)[arrays["true_colours"].astype(np.int64)]
    kept = true_colours != UNKNOWN
    return SeenParts(
        scores=scores[kept],
        weights=arrays["weights"].astype(np.float32)[kept],
        sides_mm=arrays["sides_mm"].astype(np.float32)[kept],
        colours=colours[kept],
        colour_weights=arrays["colour_weights"].astype(np.float32)[kept],
        stands_out=arrays["stands_out"].astype(np.float32)[kept],
        sortable=arrays["sortable"].astype(np.bool_)[kept],
        kinds=arrays["kinds"].astype(np.int64)[kept],
        true_colours=true_colours[kept],
    )


def _others(arrays: dict[str, NDArray[np.generic]], count: int) -> Floats:
    """(N,) the score of each kind that is not kept; the first files did not say."""
    return arrays.get("others", np.full(count, IMPOSSIBLE)).astype(np.float32)
