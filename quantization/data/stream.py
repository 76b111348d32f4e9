"""Endless batches of augmented pictures, made in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from quantization.data.augment import Augmenter
from quantization.data.layers import open_layers

REOPEN_AFTER = 64
"""Batches after which a worker looks for shards that were rendered meanwhile."""


class LookStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches ((B, S, S, 3) uint8 RGB, (B,) int64 family) from a set's shards, repeatable from `seed` for a finished
    set."""

    def __init__(self, folder: Path, size_px: int, batch: int, seed: int) -> None:
        self._folder, self._size_px, self._batch = folder, size_px, batch
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        info = get_worker_info()
        worker = info.id if info else 0
        if info:  # the cores are the training process's
            cv2.setNumThreads(1)
            torch.set_num_threads(1)
        rng = np.random.default_rng([self._seed, worker])
        while True:
            looks = open_layers(self._folder)
            augmenter = Augmenter(looks, self._size_px, self._seed)
            for _ in range(REOPEN_AFTER):
                chosen = rng.integers(len(looks), size=self._batch)
                pictures = np.stack([augmenter.picture(int(k), rng) for k in chosen])
                yield torch.from_numpy(pictures), torch.from_numpy(looks.family[chosen])


def stream(folder: Path, size_px: int, batch: int, seed: int, workers: int) -> Iterator:
    """An endless iterator over `LookStream`'s batches."""
    open_layers(folder)  # says at once, and here, what is missing
    dataset = LookStream(folder, size_px, batch, seed)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)
