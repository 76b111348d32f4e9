"""Every fault at many random moments: is the machine safe, is nothing lost, does nothing mix?

    python tests/soak/faults_at_moments.py --moments 25 [--runs-back]

For each kind of `edge.sim.faults.FAULTS` and each moment a machine of its own sorts a dozen parts in virtual time; the
fault comes at the moment and goes after a random while. Afterwards feeder and belt must be off and gates at rest, the
journal must hold each decided part as it was decided last, and no part may lie in a wrong bin by timing or planning.

A gate that does not do what it is told, a belt that slips and a beam that lies show only in what becomes of the parts:
some are past the point of no return, or meet the fault, before it is noticed. Those are counted apart (`astray`), and
it is wrong if any of them went unreported.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scenarios"))

from fault_trial import Trial

from edge.sim.faults import FAULTS

LATEST_S, LATEST_BACK_S = 9.0, 40.0


@dataclass
class Tally:
    """What came of one kind."""

    name: str
    moments: int = 0
    parts: int = 0
    stopped: int = 0
    told: int = 0
    astray: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        bad = f"  WRONG {len(self.wrong)}: {self.wrong[0]}" if self.wrong else ""
        return f"{self.name:24} {self.moments:4} {self.parts:6} {self.stopped:8} {self.told:6} {self.astray:7}{bad}"


def try_kind(name: str, moments: int, seed: int, *, runs_back: bool = False) -> Tally:
    """One kind at random moments."""
    tally, rng = Tally(name), np.random.default_rng([seed, *name.encode()])
    for number in range(moments):
        at_s, lasts_s = float(rng.uniform(0, LATEST_BACK_S if runs_back else LATEST_S)), float(rng.uniform(0.1, 9.0))
        run_seed = int(rng.integers(1, 10_000))
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial([name], at_s, Path(folder), run_seed, lasts_s=lasts_s, runs_back=runs_back)
            wrong = trial.run()
        if trial.stopped_wrongly:
            wrong.append(f"stopped: {trial.machine.reason}")
        tally.moments += 1
        tally.parts += len(trial.machine.world.truth)
        tally.stopped += bool(trial.machine.reason)
        tally.told += bool(trial.told)
        tally.astray += len(trial.astray)
        tally.wrong += [f"moment {number}, {at_s:.3f} s for {lasts_s:.3f} s, seed {run_seed}: {why}" for why in wrong]
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=25, help="random moments of each kind")
    parser.add_argument("--kinds", default="", help="names, with commas; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--runs-back", action="store_true", help="a belt that runs back with parts that touch, of which many do"
    )
    options = parser.parse_args()
    names = options.kinds.split(",") if options.kinds else list(FAULTS)
    start_s, tallies = time.monotonic(), []
    print(f"{'fault':24} {'runs':>4} {'parts':>6} {'stopped':>8} {'told':>6} {'astray':>7}")
    for name in names:
        tallies.append(try_kind(name, options.moments, options.seed, runs_back=options.runs_back))
        print(tallies[-1].line(), flush=True)
    wrong = [line for tally in tallies for line in tally.wrong]
    runs, parts = sum(tally.moments for tally in tallies), sum(tally.parts for tally in tallies)
    print(f"{len(tallies)} kinds, {runs} runs, {parts} parts, {time.monotonic() - start_s:.0f} s: {len(wrong)} wrong")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
