"""What calibrating the confidence on few parts promises, and what then comes: purity at three working points, and ECE.

`python tests/evaluation/confidence_promises.py HELDOUT.npz`: the file is of parts that the bundle's reference does not
have (`record_reference.py --out HELDOUT.npz --seeds 21 22`). Many machines are drawn whose logits are 0.8 to 1.5 times
as large; each is calibrated on ten parts of each of four kinds, and its promises are compared with what becomes of all
parts of the file. The verdicts are those of all looks at a part; the machine stops looking when it is sure.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.confidence import KINDS
from calibration.confidence_fit import Judge, Judged, Sharpness, curve, error_factor, fit_sharpness, working_point
from edge.bundle.reference import SeenParts, load_reference
from edge.config import example
from edge.machine import Plans, read_plans

ONE_IN = (100, 200, 1000)
TEMPERATURES = (0.8, 1.5)
BINS = 15

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kept:
    """One machine: error of its temperature's logarithm, ECE of parts and of bins, and by working point what was
    promised less what came, in points, and the share that was sorted."""

    log_error: float
    ece_parts: float
    ece_bins: float
    off: tuple[float, ...]
    recovery: tuple[float, ...]


def some(seen: SeenParts, rows: NDArray[np.int64]) -> SeenParts:
    """Rows of it."""
    return SeenParts(**{own.name: getattr(seen, own.name)[rows] for own in fields(SeenParts)})


def sharpened(seen: SeenParts, temperature: float) -> SeenParts:
    """As a network sees them whose logits are so many times as large."""
    return replace(seen, scores=seen.scores * temperature, stands_out=seen.stands_out * temperature)


def expected_calibration_error(confidence: Doubles, right: Doubles) -> float:
    """Mean gap between confidence and accuracy over equal ranges of the confidence (Naeini et al. 2015)."""
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float((right - confidence)[bin_of == own].sum())) for own in range(BINS)]
    return sum(gaps) / len(confidence)


def machine(
    plans: Plans, judge: Judge, reference: SeenParts, held: SeenParts, kinds: int, rng: np.random.Generator
) -> Kept:
    """Calibrates one and compares."""
    temperature = float(np.exp(rng.uniform(*np.log(TEMPERATURES))))
    known, counts = np.unique(held.kinds, return_counts=True)
    chosen = rng.choice(known[counts >= 3], kinds, replace=False)
    rows = np.concatenate([rng.choice(np.flatnonzero(held.kinds == kind), 10) for kind in chosen])
    own = sharpened(some(held, rows), temperature)
    # The user names the kind and not the colour.
    own = replace(own, true_colours=np.full(len(own), -1))
    exponent = plans.bundle.fusion_exponent
    found = fit_sharpness(judge, own, reference, exponent)
    many = judge.judge(reference, Sharpness(1.0, found.exponent, 0.0))
    points = curve(many, error_factor(judge.judge(own, found)))
    seen = sharpened(held, temperature)
    came, parts = judge.judge(seen, found), judge.posteriors(seen, found.temperature, found.exponent)
    parts_right = (parts.argmax(axis=1) == held.kinds).astype(np.float64)
    sortable = held.sortable
    off, recovery = [], []
    for one_in in ONE_IN:
        point = working_point(points, 1 - 1 / one_in)
        off.append(np.nan if point is None else 100 * (point.purity - _purity(came, point.sure_above)))
        recovery.append(0.0 if point is None else _recovery(came, point.sure_above))
    return Kept(
        float(np.log(found.temperature / temperature)),
        expected_calibration_error(parts.max(axis=1)[sortable], parts_right[sortable]),
        expected_calibration_error(came.mass[sortable], came.right[sortable]),
        tuple(off),
        tuple(recovery),
    )


def _purity(judged: Judged, least: float) -> float:
    decided = judged.mass >= least
    return float(judged.right[decided].mean()) if decided.any() else 1.0


def _recovery(judged: Judged, least: float) -> float:
    return float(judged.right[judged.mass >= least].sum() / judged.wanted.sum())


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("held", type=Path, metavar="HELDOUT.npz")
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--kinds", type=int, default=KINDS)
    parser.add_argument("--bundle", default="starter")
    options = parser.parse_args()
    folder = example("west-18")
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"), options.bundle, measured=False)
    codes, count = [colour.code for colour in plans.colours], len(plans.bundle.parts)
    assert plans.bundle.reference is not None
    reference, held = load_reference(plans.bundle.reference, count, codes), load_reference(options.held, count, codes)
    judge, rng = Judge(plans), np.random.default_rng(1)
    kept = [machine(plans, judge, reference, held, options.kinds, rng) for _ in range(options.machines)]
    logs = np.array([own.log_error for own in kept])
    print(f"{len(kept)} machines, {10 * options.kinds} parts each, against {len(held)} parts")
    print(
        f"temperature off by {100 * np.sqrt((logs**2).mean()):.1f} % (r.m.s.), worst {100 * np.abs(logs).max():.0f} %"
    )
    for what in ("ece_parts", "ece_bins"):
        values = 100 * np.array([getattr(own, what) for own in kept])
        print(f"{what}: median {np.median(values):.2f} %, worst {values.max():.2f} %")
    off, recovery = np.array([own.off for own in kept]), np.array([own.recovery for own in kept])
    for column, one_in in enumerate(ONE_IN):
        near, some_off = np.abs(off[:, column]) <= 0.3, off[:, column]
        print(
            f"one in {one_in}: promised less seen {np.nanmean(some_off):+.2f} points on the mean, sd"
            f" {np.nanstd(some_off):.2f}, within 0.3 on {near.mean():.0%}; sorted {recovery[:, column].mean():.0%}"
        )


if __name__ == "__main__":
    main()
