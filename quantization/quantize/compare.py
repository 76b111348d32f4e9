"""Which way of making int8 is best: measured on the same unseen pictures, in one table."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from quantization.export.parity import compare
from quantization.quantize.convert import TfliteModel
from quantization.train.layers import to_input

Way = Literal["after training", "in training"]
INVOKES, WARM_UP = 40, 5
BATCH = 64


@dataclass(frozen=True, slots=True)
class Trial:
    """One int8 model and how it did.

    `way` is when int8 came in, `representative` the size of the set that gave the ranges (0: the float model),
    `agreement` the share of pictures answered as the float network of the same weights does, `invoke_ms` the median of
    one invoke on one thread.
    """

    way: Way
    representative: int
    file: Path
    top1: float
    agreement: float
    size_mb: float
    invoke_ms: float


def logits_of(network: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, K) logits of a float network in evaluation mode for (N, H, W, 3) uint8 RGB pictures."""
    with torch.no_grad():
        starts = range(0, len(pictures), BATCH)
        batches = [network(to_input(torch.from_numpy(pictures[start : start + BATCH]))) for start in starts]
        return torch.cat(batches).numpy()


def measure(
    way: Way,
    representative: int,
    file: Path,
    pictures: NDArray[np.uint8],
    families: NDArray[np.int64],
    reference: NDArray[np.float32],
) -> Trial:
    """Runs a model on (N, H, W, 3) pictures of (N,) families; `reference` is (N, K), the float network's logits."""
    model = TfliteModel(file)
    logits = model.logits(pictures)
    return Trial(
        way,
        representative,
        file,
        top1=float((logits.argmax(1) == families).mean()),
        agreement=compare(reference, logits).agreement,
        size_mb=file.stat().st_size / 1e6,
        invoke_ms=_invoke_ms(model, pictures[:1]),
    )


def _invoke_ms(model: TfliteModel, picture: NDArray[np.uint8]) -> float:
    times_ms = []
    for _ in range(WARM_UP + INVOKES):
        began = time.perf_counter()
        model.logits(picture)
        times_ms.append(1000 * (time.perf_counter() - began))
    return statistics.median(times_ms[WARM_UP:])


def choose(trials: Sequence[Trial], pictures: int) -> tuple[Trial, str]:
    """The int8 model to take, and why.

    Those whose top-1 lies within one standard error (of a share of `pictures`) of the best count as equal; of them, the
    one that agrees with its float model most often is taken, and of those again the smallest representative set.
    """
    int8 = [trial for trial in trials if trial.representative]
    best = max(trial.top1 for trial in int8)
    error = math.sqrt(best * (1 - best) / pictures)
    equal = [trial for trial in int8 if trial.top1 >= best - error]
    chosen = max(equal, key=lambda trial: (round(trial.agreement, 3), -trial.representative))
    among = f"of {len(equal)} within {error:.1%} of the best top-1 ({best:.1%}) " if len(equal) > 1 else ""
    why = f"it agrees most often with its float model ({chosen.agreement:.1%})" if among else "its top-1 is the best"
    return chosen, (
        f"int8 {chosen.way}, {chosen.representative} representative pictures: {among}{why}"
        f" ({chosen.top1:.1%} of {pictures} unseen pictures right)"
    )


def table(trials: Sequence[Trial]) -> list[str]:
    """The trials as lines of text, the float models among them."""
    lines = ["int8            representative   top-1   agreement   size MB   invoke ms"]
    for trial in trials:
        stored = f"{trial.representative:>14}" if trial.representative else f"{'(float)':>14}"
        lines.append(
            f"{trial.way:<15} {stored}  {trial.top1:6.1%}   {trial.agreement:9.1%}   {trial.size_mb:7.2f}"
            f"   {trial.invoke_ms:9.2f}"
        )
    return lines
