"""Which looks go into which shard of a set, and which shards are finished."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edge.errors import BrickgateError
from quantization.data.opening import difference
from quantization.data.shard_rows import load_rows
from quantization.data.shard_writer import SHARD_NAME

SAMPLES_A_SHARD = 2000
FAMILIES_A_SHARD = 250
"""With more, a mesh would be loaded for a handful of looks only."""
SET_FILE = "set.json"

Kind = Literal["layers", "pictures"]


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a set of shards holds. The first shards show every family; later ones bring more looks of each.

    Attributes:
        families: names, in the order of their indices.
        moulds: for each family, the LDraw numbers that it is drawn from.
        per_family: looks a family.
        size_px: side of a look.
        seed: of every random draw.
        families_a_shard, looks_a_shard: a shard holds so many looks of each of so many families.
        kind: "layers", to be coloured in training, or coloured "pictures".
        split: "train" or "test", for the labels.
    """

    families: tuple[str, ...]
    moulds: tuple[tuple[str, ...], ...]
    per_family: int
    size_px: int
    seed: int
    families_a_shard: int
    looks_a_shard: int
    kind: Kind = "layers"
    split: str | None = None

    @property
    def shards(self) -> int:
        """Number of shards."""
        return self._family_blocks * -(-self.per_family // self.looks_a_shard)

    @property
    def _family_blocks(self) -> int:
        return -(-len(self.families) // self.families_a_shard)

    def families_of(self, shard: int) -> range:
        """Return the indices of a shard's families."""
        first = shard % self._family_blocks * self.families_a_shard
        return range(first, min(first + self.families_a_shard, len(self.families)))

    def entries(self, shard: int) -> list[tuple[int, int]]:
        """Return (family index, look index) of each sample of a shard, a family's looks side by side."""
        first = shard // self._family_blocks * self.looks_a_shard
        looks = range(first, min(first + self.looks_a_shard, self.per_family))
        return [(family, look) for family in self.families_of(shard) for look in looks]

    def path(self, out_dir: Path, shard: int) -> Path:
        """Return the path of a shard."""
        return out_dir / SHARD_NAME.format(name=self.kind, number=shard)

    def is_finished(self, out_dir: Path, shard: int) -> bool:
        """Tell whether a shard is there and whole."""
        try:
            rows, damage = load_rows(self.path(out_dir, shard))
        except OSError:
            return False
        return not damage and len(rows) == len(self.entries(shard))


def make_plan(
    moulds_by_family: Mapping[str, Sequence[str]],
    per_family: int,
    size_px: int,
    seed: int,
    kind: Kind = "layers",
    split: str | None = None,
    samples_a_shard: int = SAMPLES_A_SHARD,
) -> ShardPlan:
    """Plan a set in shards of about `samples_a_shard`; what a look shows does not depend on the split into shards."""
    families = tuple(moulds_by_family)
    blocks = -(-len(families) // min(FAMILIES_A_SHARD, samples_a_shard))
    families_a_shard = -(-len(families) // blocks)
    return ShardPlan(
        families,
        tuple(tuple(moulds) for moulds in moulds_by_family.values()),
        per_family,
        size_px,
        seed,
        families_a_shard,
        min(max(1, round(samples_a_shard / families_a_shard)), per_family),
        kind,
        split,
    )


def claim(plan: ShardPlan, out_dir: Path) -> None:
    """Write what the folder holds, or refuse a folder that holds something else.

    Raises:
        BrickgateError: it holds another set, or its set.json is damaged.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / SET_FILE
    wanted = json.loads(json.dumps(asdict(plan)))
    if path.exists():
        found = _read_set(path)
        if found != wanted:
            raise BrickgateError(
                f"{out_dir} holds another set of renders ({_difference(found, wanted)}): give another --work, or empty"
                " this folder"
            )
        return
    temporary = path.with_name(f".set-{os.getpid()}.json")
    temporary.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    temporary.replace(path)


def _difference(found: object, wanted: dict[str, Any]) -> str:
    """What was asked for differently, the families first: other numbers follow from theirs."""
    if not isinstance(found, dict):
        return "its set.json is of another kind"
    if found.get("families") != wanted["families"]:
        return f"of other families: {difference(list(found.get('families', ())), wanted['families'])}"
    if found.get("moulds") != wanted["moulds"]:
        pairs = zip(wanted["families"], found.get("moulds", ()), wanted["moulds"], strict=False)
        return f"{next((number for number, old, new in pairs if old != new), 'a family')} has other moulds"
    key = next((key for key in wanted if found.get(key) != wanted[key]), None)
    return f"its {key} was {found.get(key)} and is {wanted[key]}" if key else "of an older kind"


def _read_set(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BrickgateError(
            f"{path} is damaged, so that nothing tells what the shards beside it show: empty {path.parent}, and render"
            " again"
        ) from error
