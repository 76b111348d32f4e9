"""Whether parts that were dropped together are what they were named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.confidence_fit import Judge
from calibration.confidence_watch import SeenPart, seen_parts
from calibration.step import RefusedError
from edge.catalogue.lookalikes import groups
from edge.machine import Plans

FEWEST = 5
SURE, OTHERS_SHARE = 0.8, 0.7
"""Named wrong: so large a share of them surely looks like one other kind."""
STRAY_SURE, STRAYS, STRAY_SHARE = 0.9, 3, 0.25
"""Mixed: so many and so large a share surely look like other kinds. Of 1,454 parts on simulated machines 10 were surely
taken for another kind, 6 of them plates 1×4 taken for tiles."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts of one kind, by its place in the bundle."""

    kind: int
    parts: tuple[SeenPart, ...]


def check_batch(batch: Batch, plans: Plans) -> None:
    """Refuses a batch that is not what it is called.

    Raises:
        RefusedError: too few, another kind, or several kinds.
    """
    count, numbers = len(batch.parts), [part.number for part in plans.bundle.parts]
    named = plans.bundle.parts[batch.kind]
    if count < FEWEST:
        raise RefusedError(
            f"confidence: {count} parts {named.number} were seen whole and by themselves, {FEWEST} it takes: drop ten,"
            " a hand apart"
        )
    seen = seen_parts(batch.parts, [batch.kind] * count, (), len(plans.colours))
    posteriors = _by_looks(Judge(plans).posteriors(seen, 1.0, plans.bundle.fusion_exponent), groups(numbers))
    likely, sure = posteriors.argmax(axis=1), posteriors.max(axis=1)
    own = groups(numbers)[batch.kind]
    others = likely[(likely != own) & (sure >= SURE)]
    if len(others) and (most := np.bincount(others)).max() >= OTHERS_SHARE * count:
        other = plans.bundle.parts[int(most.argmax())]
        raise RefusedError(
            f"confidence: these were named {named.number}, but {most.max()} of {count} surely look like {other.number}"
            f" ({other.name}): name them right, or take another kind"
        )
    strays = likely[(likely != own) & (sure >= STRAY_SURE)]
    if len(strays) >= max(STRAYS, STRAY_SHARE * count):
        names = ", ".join(numbers[kind] for kind in np.unique(strays)[:3].tolist())
        raise RefusedError(
            f"confidence: {len(strays)} of the {count} parts named {named.number} surely look like {names}: drop one"
            " kind at a time, or take another kind"
        )


def _by_looks(posteriors: NDArray[np.float64], group_of: list[int]) -> NDArray[np.float64]:
    """(N, K) with look-alikes counted for the first of them: nobody is wrong for mixing them up."""
    first = np.equal.outer(np.array(group_of), np.arange(len(group_of)))
    return posteriors @ first
