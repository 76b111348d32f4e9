"""Batch after batch on the machine, until every gate is known: what is tried next follows from what was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calibration.gate_batch import GateBatches
from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_counts import Counts
from calibration.gate_design import next_batch
from calibration.gate_model import Trial
from calibration.gate_ways import Run, own_bins
from calibration.rig import Rig
from calibration.step import RefusedError

MOST_BATCHES = 9
TOGETHER = 5
"""Gates in one batch: each takes some 40 parts, which somebody has to have."""
NEVER = 2e-3
"""A count of none that is less likely than this, wherever the gate is, tells that it does not move."""
STRAY = 2
"""Parts that may have gone to a bin by accident."""


def try_gates(rig: Rig, run: Run, unders: Mapping[str, GateUnderTrial], counts: Counts) -> None:
    """Tries the gates of a run; batches and what they tell are put down in `unders`.

    Raises:
        RefusedError: no parts come, or a gate does not answer.
    """
    batches = GateBatches(rig, run, unders, counts)
    own = [unders[gate] for gate in run.gates if unders[gate].working]
    for first in range(0, len(own), TOGETHER):
        _try_together(rig, batches, own[first : first + TOGETHER], counts)


def _try_together(rig: Rig, batches: GateBatches, own: Sequence[GateUnderTrial], counts: Counts) -> None:
    for number in range(MOST_BATCHES):
        wanted = {under.gate.name: _shuffled(under, number) for under in own}
        wanted = {gate: trials for gate, trials in wanted.items() if trials}
        if not wanted:
            return
        rig.operator.say(f"batch {number + 1}: {', '.join(wanted)}")
        done = batches.do(wanted)
        _take_in(rig, [under for under in own if under.gate.name in done], done, counts)


def _shuffled(under: GateUnderTrial, number: int) -> list[Trial]:
    """In no order, so that parts that never came to the gate leave no stretch of a sweep out."""
    trials = [trial for sweep in next_batch(under) for trial in sweep.trials()]
    seed = [number, *under.gate.name.encode()]
    return [trials[index] for index in np.random.default_rng(seed).permutation(len(trials))]


def _take_in(rig: Rig, unders: Sequence[GateUnderTrial], done: Mapping[str, tuple[Trial, ...]], counts: Counts) -> None:
    """Has the bins counted, and works out what that tells: a gate's parts are those that no gate before it took."""
    reach: dict[int, float] = {}
    for under in unders:
        trials = done[under.gate.name]
        behind = own_bins(rig.bins, under.gate.name)
        found = {
            met: counts.take(behind[under.gate.positions[met]], _most(under, trials, met)) for met in under.working
        }
        under.reached |= {trial.part: reach.get(trial.part, 1.0) for trial in trials}
        batch = Batch(trials, found)
        check_counts(under, batch)
        under.batches.append(batch)
        under.update()
        for trial in trials:
            reach[trial.part] = reach.get(trial.part, 1.0) * under.chance(trial, under.rest)


def _most(under: GateUnderTrial, trials: Sequence[Trial], met: int) -> int:
    """How many parts can lie behind a position. In the first batch, more may tell what is wrong."""
    if not under.batches:
        return len(trials) + STRAY
    return sum(met in under.shape.way(trial.came, trial.went) for trial in trials) + STRAY


def check_counts(under: GateUnderTrial, batch: Batch) -> None:
    """Refuses a gate that does not do what it is told.

    Raises:
        RefusedError: it does not move, does not come back, or moves to another position.
    """
    name, positions = under.gate.name, under.gate.positions
    for met, count in batch.counts.items():
        told = [trial for trial in batch.trials if trial.went == met]
        if len(told) < 3:
            continue
        elsewhere = [other for other, many in batch.counts.items() if other != met and many > STRAY]
        first = not under.batches
        if first and count <= 1 and elsewhere and not any(trial.went in elsewhere for trial in batch.trials):
            raise RefusedError(
                f"gates: {name} was told '{positions[met]}' {len(told)} times, and the parts went the way of"
                f" '{positions[elsewhere[0]]}': swap the two in machine.yaml or in the layout of bins.yaml"
            )
        if count == 0 and under.none_at_best(told, met) < NEVER:
            raise RefusedError(
                f"gates: {name} was told '{positions[met]}' {len(told)} times, and no part went there: look at its"
                f" power, its cable and its horn{_or_misplaced(under, first)}"
            )
        if first and count >= len(told) and told[0].kind == "stand" and not under.shape.is_pusher:
            raise RefusedError(
                f"gates: all {count} parts went the way of '{positions[met]}' of {name}: look whether it comes back to"
                f" '{under.gate.rest}'{_or_misplaced(under, first)}"
            )


def _or_misplaced(under: GateUnderTrial, first: bool) -> str:
    off_mm = under.ranges.off_mm[1]
    return f", and whether it stands within {off_mm:g} mm of its x_mm in machine.yaml" if first and off_mm else ""
