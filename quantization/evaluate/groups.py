"""How well whole trays are recognised: the tiles of a tray together, beside each of them alone.

A tray is what shares a group and a part, so that groups of several parts (a session, a folder) are scored part by part.
"""

from __future__ import annotations

from dataclasses import dataclass

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
