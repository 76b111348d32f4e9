"""Which looks go into which shard of a set, and which shards are finished."""

import json
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge.errors import BrickgateError


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a set of shards holds.

    Attributes:
        families: names, in the order of their indices in the labels.
        moulds: for each family, the LDraw numbers that it is drawn from.
        per_family: looks a family.
        size_px: side of a look.
        seed: of every random draw.
        looks_a_shard: how many looks of each family a shard holds.
    """

    families: tuple[str, ...]
    moulds: tuple[tuple[str, ...], ...]
    per_family: int
    size_px: int
    seed: int
    looks_a_shard: int

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.per_family // self.looks_a_shard)

    def entries(self, shard: int) -> list[tuple[int, int]]:
        """Return (family index, look index) of each row of a shard."""
        looks = range(shard * self.looks_a_shard, min((shard + 1) * self.looks_a_shard, self.per_family))
        return [(family, look) for family in range(len(self.families)) for look in looks]


def claim(plan: ShardPlan, out_dir: Path) -> None:
    """Write what the folder holds, or refuse a folder that holds something else."""
    path = out_dir / "set.json"
    wanted = json.loads(json.dumps(asdict(plan)))
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != wanted:
            raise BrickgateError(f"{out_dir} holds another set of renders: name another folder, or empty this one")
        return
    temporary = path.with_name(f".set-{os.getpid()}.json")
    temporary.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    temporary.replace(path)


def is_finished(plan: ShardPlan, out_dir: Path, shard: int) -> bool:
    """Tell whether a shard is there and whole."""
    rows = len(plan.entries(shard))
    try:
        layers = np.load(out_dir / f"{shard:05d}.npy", mmap_mode="r")
        with np.load(out_dir / f"{shard:05d}.npz") as labels:
            return layers.shape == (rows, plan.size_px, plan.size_px, 4) and len(labels["family"]) == rows
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False
