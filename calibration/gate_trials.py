"""Batch after batch on the machine, until every gate is known: what is tried next follows from what was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.gate_batch import GateBatches
from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_chain import update_chain
from calibration.gate_counts import Counts
from calibration.gate_design import is_worth_a_batch, next_batch
from calibration.gate_model import Trial
from calibration.gate_ways import Run, own_bins
from calibration.rig import Rig
from calibration.step import RefusedError

MOST_BATCHES = 14
NEVER = 2e-3
"""A count of none that is less likely than this, wherever the gate is, tells that it does not move."""
SWAPPED = 12.0
"""Counts that are e to the power of this likelier tell that two positions are swapped."""
STRAY = 2
"""Parts that may have gone to a bin by accident."""


def try_gates(rig: Rig, run: Run, unders: Mapping[str, GateUnderTrial], counts: Counts) -> None:
    """Tries the gates of a run; batches and what they tell are put down in `unders`.

    Raises:
        RefusedError: no parts come, or a gate does not answer.
    """
    batches = GateBatches(rig, run, unders, counts)
    own = [unders[gate] for gate in run.gates if unders[gate].working]
    for number in range(MOST_BATCHES):
        wanted = {under.gate.name: _shuffled(under, number) for under in own}
        wanted = {gate: trials for gate, trials in wanted.items() if trials}
        if not is_worth_a_batch(under for under in own if under.gate.name in wanted):
            return
        rig.operator.say(f"batch {number + 1}: {', '.join(wanted)}")
        done = batches.do(wanted)
        found = {
            under.gate.name: _counted(rig, under, done[under.gate.name], counts)
            for under in own
            if under.gate.name in done
        }
        update_chain(own, found, check_counts)


def _shuffled(under: GateUnderTrial, number: int) -> list[Trial]:
    """In no order, so that parts that never came to the gate leave no stretch of a sweep out."""
    trials = [trial for sweep in next_batch(under) for trial in sweep.trials()]
    seed = [number, *under.gate.name.encode()]
    return [trials[index] for index in np.random.default_rng(seed).permutation(len(trials))]


def _counted(rig: Rig, under: GateUnderTrial, trials: tuple[Trial, ...], counts: Counts) -> Batch:
    """Has the bins counted in which the trials' parts can lie."""
    behind, found = own_bins(rig.bins, under.gate.name), {}
    batch = Batch(trials, {})
    for met in under.working:
        if under.relevant(batch, met):
            bins = behind[under.gate.positions[met]]
            found[met] = counts.take(bins, _most(under, trials, met), under.expected(batch, met)[0])
    return Batch(trials, found)


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
    if not under.told_apart and replace(under, batches=[*under.batches, batch]).swapped_evidence() > SWAPPED:
        one, other = (positions[index] for index in under.working)
        raise RefusedError(
            f"gates: where {name} was told '{one}', parts went the way of '{other}', and the other way round: swap the"
            " two in machine.yaml or in the layout of bins.yaml"
        )
    for met, count in batch.counts.items():
        told = [trial for trial in batch.trials if trial.went == met]
        if len(told) < 3:
            continue
        first = not under.batches
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
