"""A belt that runs back with touching parts, on many machines that recognise perfectly: nothing mixes, nothing is lost.

python tests/soak/turn_back.py --machines 60
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scenarios"))
from truth_machine import BIN_OF, TruthMachine

FIRST_SEED, PARTS, LONGEST_S = 100, 40, 2000.0


def tried(seed: int) -> Counter[str]:
    """What came of one machine's parts."""
    share = 0.15 + 0.01 * (seed % 20)
    sorter = TruthMachine(seed=seed, parts=PARTS, touching_share=share, runs_back=True, sensors=bool(seed % 2))
    sorter.run(LONGEST_S)
    last = [part for part in sorter.world.truth if part.fed_again_as is None]
    return Counter(
        parts=sorter.world.fed,
        turns=sum("the belt carries" in line for _, line in sorter.lines),
        in_their_bin=sum(part.bin == BIN_OF[part.family] for part in last),
        astray=len(sorter.astray),
        lost=sum(part.bin is None for part in last),
        struck=sum(bool(part.struck) for part in sorter.world.truth),
        stopped=bool(sorter.reason),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=60)
    total: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + parser.parse_args().machines):
        total.update(tried(seed))
    print(dict(total))
    return 1 if total["astray"] or total["lost"] or total["struck"] or total["stopped"] else 0


if __name__ == "__main__":
    sys.exit(main())
