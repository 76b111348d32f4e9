"""Keeps what belongs together in one split, and each part's share of tests as near to the wanted one as that allows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

TRAIN, TEST = "train", "test"


def split_groups(members: Iterable[tuple[str, str]], test_share: float, seed: int) -> dict[str, str]:
    """Give each group a split; deterministic, whatever the order of the members.

    Groups are taken in an order that their names and the seed make. One goes to the test where that brings the shares
    of its parts nearer to the wanted one, and where each of its parts keeps something to train on: a greedy form of
    iterative stratification (Sechidis et al. 2011).

    Args:
        members: (group, part) of each picture.
        test_share: wanted share of each part's pictures, 0 to 1.
        seed: of the order.

    Returns:
        "train" or "test" for each group.
    """
    of_group: dict[str, Counter[str]] = {}
    for group, part in members:
        of_group.setdefault(group, Counter())[part] += 1
    total: Counter[str] = Counter()
    for parts in of_group.values():
        total += parts
    tested: Counter[str] = Counter()
    split: dict[str, str] = {}
    for group in sorted(of_group, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest()):
        parts = of_group[group]
        gain = sum(
            (abs(tested[p] - test_share * total[p]) - abs(tested[p] + n - test_share * total[p])) / total[p]
            for p, n in parts.items()
        )
        trainable = all(tested[p] + n < total[p] for p, n in parts.items())
        split[group] = TEST if gain > 1e-9 and trainable else TRAIN
        if split[group] == TEST:
            tested += parts
    return split
