"""Trains the same small network on one process and on two, and compares the curves.

    python tests/evaluation/parallel_curves.py --work data/tiny

DIR holds the renders of recipe tiny (`brickgate-model render --recipe tiny`). Three runs from the shipped weights: one
process, two processes under torchrun, and one process with another seed, which tells how large chance is. Prints the
curves and the mean distances between them.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PICTURES, BATCH, STEPS_A_POINT = 1_920, 32, 6
RUNS = {"one process": (1, 3), "two processes": (2, 3), "one process, another seed": (1, 4)}
"""Processes and seed of each run."""


def train(folder: Path, seed: int) -> None:
    """One process of a run."""
    import torch

    from quantization import factory
    from quantization.factory import Workshop
    from quantization.recipe import NetworkRecipe, StageRecipe, load_recipe
    from quantization.train import running

    running.LOG_EVERY = STEPS_A_POINT
    torch.set_num_threads(1)
    stage = StageRecipe(size_px=32, pictures=PICTURES, rate_from=1e-3, rate_to=1e-5, batch=BATCH)
    recipe = load_recipe("tiny").model_copy(
        update={"seed": seed, "stages": [stage], "network": NetworkRecipe(width=1.0)}
    )
    factory.train(Workshop.open(recipe, folder, print), None, 0)


def curve(renders: Path, folder: Path, processes: int, seed: int) -> dict[int, tuple[float, float]]:
    """Runs a training; loss and share of right answers by pictures seen."""
    folder.mkdir()
    (folder / "renders").symlink_to(renders.resolve())
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}"]
    command += [__file__, "--child", str(folder), "--seed", str(seed)]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    with (folder / "curve.csv").open(newline="") as stream:
        return {int(row["pictures"]): (float(row["loss"]), float(row["accuracy"])) for row in csv.DictReader(stream)}


def compare(work: Path) -> None:
    """Runs all three, and prints them."""
    with tempfile.TemporaryDirectory() as scratch:
        curves = {
            name: curve(work / "renders", Path(scratch) / str(k), *how) for k, (name, how) in enumerate(RUNS.items())
        }
    names = list(curves)
    print(f"loss, right   {'  '.join(names)}")
    for pictures in curves[names[0]]:
        cells = (f"{'{:.3f}, {:.3f}'.format(*curves[name][pictures]):>{len(name)}}" for name in names)
        print(f"{pictures:12d}  " + "  ".join(cells))
    first, second, other = (np.array(list(curves[name].values())) for name in names)
    for column, what in enumerate(("loss", "right")):
        apart = np.abs(first - second)[:, column].mean(), np.abs(first - other)[:, column].mean()
        print(f"mean distance in {what}: two processes {apart[0]:.3f}, another seed {apart[1]:.3f}")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("data/tiny"), help="work folder of recipe tiny, rendered")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train(arguments.child, arguments.seed)
    else:
        compare(arguments.work)


if __name__ == "__main__":
    main()
