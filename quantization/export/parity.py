"""The gate before the bundle: an exported file must answer as the float network does, on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import BrickgateError

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parity:
    """How an exported file compares with the float network: `agreement` is the share of pictures with the same first
    answer, `error` the root mean square difference of the logits."""

    pictures: int
    agreement: float
    error: float


def compare(reference: Logits, found: Logits) -> Parity:
    """Compares (N, K) logits of the same pictures."""
    same = reference.argmax(1) == found.argmax(1)
    return Parity(len(same), float(same.mean()), float(np.sqrt(np.mean((reference - found) ** 2))))


def check(name: str, parity: Parity, least_agreement: float) -> None:
    """Lets a file pass.

    Raises:
        BrickgateError: it agrees too rarely with the float network.
    """
    if not parity.agreement >= least_agreement:
        raise BrickgateError(
            f"{name} gives the float network's answer for {parity.agreement:.1%} of {parity.pictures} pictures only"
            f" (the recipe asks for {least_agreement:.1%}): it does not enter a bundle; train longer or export anew"
        )
