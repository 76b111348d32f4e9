"""How well whole trays are recognised: the tiles of a tray together, beside each of them alone.

A tray is what shares a group and a part, so that groups of several parts (a session, a folder) are scored part by part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """Shares of tiles and of trays whose likeliest part is the right one.

    Attributes:
        tiles, trays: how many there are.
        single: of tiles, each alone.
        mean: of trays, by the mean of their tiles' scores.
        vote: of trays, by the majority of their tiles; a tie is broken by the mean of scores.
        product: of trays, by the product of scores, as if the looks were independent.
    """

    tiles: int
    trays: int
    single: float
    mean: float
    vote: float
    product: float


@dataclass(frozen=True, slots=True)
class Tray:
    """One tray: its group, its part and how many of its tiles were right, and what the three ways made of it."""

    group: str
    truth: int
    tiles: int
    right: int
    by_mean: int
    by_vote: int
    by_product: int


def score_tray(group: str, truth: int, log_scores: NDArray[np.floating]) -> Tray:
    """Fuse the (n, K) log-probabilities of the tiles of one tray."""
    mean = np.exp(log_scores.astype(np.float64)).mean(axis=0)
    best = log_scores.argmax(axis=1)
    votes = np.bincount(best, minlength=log_scores.shape[1])
    winners = votes == votes.max()
    return Tray(
        group=group,
        truth=truth,
        tiles=len(best),
        right=int(votes[truth]),
        by_mean=int(mean.argmax()),
        by_vote=int(np.where(winners, mean, -1.0).argmax()),
        by_product=int(log_scores.astype(np.float64).sum(axis=0).argmax()),
    )


def score_trays(log_scores: NDArray[np.floating], truth: NDArray[np.integer], groups: NDArray[Any]) -> list[Tray]:
    """Fuse the tiles of each tray.

    Args:
        log_scores: (N, K) log-probabilities of N tiles.
        truth: (N,) the right class of each.
        groups: (N,) what belongs together.

    Returns:
        The trays, in order of their groups, then classes.

    Raises:
        ValueError: arrays that do not fit together.
    """
    if log_scores.ndim != 2 or not len(log_scores) == len(truth) == len(groups):
        raise ValueError(
            f"{log_scores.shape} scores, {len(truth)} classes and {len(groups)} groups do not fit together"
        )
    named, group_of = np.unique(groups, return_inverse=True)
    keys = np.stack([group_of.reshape(-1), truth], axis=1)
    distinct, tray_of = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(tray_of.reshape(-1), kind="stable")
    starts = np.searchsorted(tray_of.reshape(-1)[order], np.arange(len(distinct) + 1))
    return [
        score_tray(str(named[group]), int(part), log_scores[order[starts[k] : starts[k + 1]]])
        for k, (group, part) in enumerate(distinct.tolist())
    ]


def accuracy(trays: list[Tray]) -> GroupAccuracy:
    """Return the shares over some trays, each counting once; of single tiles, each tile once.

    Raises:
        ValueError: there is no tray.
    """
    if not trays:
        raise ValueError("no tray to score")
    tiles, trayed = sum(tray.tiles for tray in trays), len(trays)
    return GroupAccuracy(
        tiles=tiles,
        trays=trayed,
        single=sum(tray.right for tray in trays) / tiles,
        mean=sum(tray.by_mean == tray.truth for tray in trays) / trayed,
        vote=sum(tray.by_vote == tray.truth for tray in trays) / trayed,
        product=sum(tray.by_product == tray.truth for tray in trays) / trayed,
    )
