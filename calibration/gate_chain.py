"""Gates that one part passes in turn: what each gate's counts say of which parts came to those behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_model import Array


def update_chain(
    unders: Sequence[GateUnderTrial],
    new: Mapping[str, Batch] | None = None,
    check: Callable[[GateUnderTrial, Batch], None] = lambda under, batch: None,
) -> None:
    """Works out anew what is believed of every gate, the first one first: what is known of it by now tells how likely
    it is that a part, also one of an earlier batch, came to the next.

    Args:
        unders: gates of one run, in the order of the belt.
        new: by name, a batch that is to be added.
        check: told a gate and its new batch before that is added.
    """
    reach: dict[int, float] = {}
    for under in unders:
        news = [new[under.gate.name]] if new and under.gate.name in new else []
        parts = {trial.part for batch in (*under.batches, *news) for trial in batch.trials}
        under.reached = {part: reach[part] for part in parts if part in reach}
        for batch in news:
            check(under, batch)
            under.batches.append(batch)
        under.update()
        for batch in under.batches:
            _go_on(under, batch, reach)


def _go_on(under: GateUnderTrial, batch: Batch, reach: dict[int, float]) -> None:
    """Lowers how likely it is that a batch's parts are still on the belt behind a gate."""
    taken = {trial.part: under.taken(trial) for trial in batch.trials}
    known = dict(taken)
    for met, count in batch.counts.items():
        own = [trial.part for trial in batch.trials if trial.went == met and trial.came == under.rest]
        if own:
            known |= dict(zip(own, given_count(np.array([taken[part] for part in own]), count).tolist(), strict=True))
    for part, before in taken.items():
        came = reach.get(part, 1.0)
        reach[part] = (1 - known[part]) * (came - before) / max(1 - before, 1e-9)


def given_count(chances: Array, count: int) -> Array:
    """(N,) how likely each of N parts, each in the bin with a chance of its own, is in it, once that many are.

    A count that cannot be changes nothing.
    """
    count = min(max(count, 0), len(chances))
    every = _counts(chances)[count]
    if every < 1e-12:
        return chances
    if count == 0:
        return np.zeros(len(chances))
    others = [_counts(np.delete(chances, index))[count - 1] for index in range(len(chances))]
    return np.clip(chances * np.array(others) / every, 0.0, 1.0)


def _counts(chances: Array) -> Array:
    """(N + 1,) how likely each count is."""
    found = np.ones(1)
    for chance in chances:
        found = np.convolve(found, [1 - chance, chance])
    return found
