"""Endless batches of augmented pictures, in one global order that any number of workers shares."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edge.errors import BrickgateError, InputError
from quantization.data.augment import Augmenter, coarsened, recoloured
from quantization.data.opening import open_any
from quantization.data.order import MixedOrder, slice_of
from quantization.data.sources import Source

DAMAGED = -1
"""The class of a sample that could not be read: no loss is counted for it."""

Batch = tuple[Tensor, Tensor, list[str]]
"""(B, S, S, 3) uint8 RGB, (B,) int64 class or `DAMAGED`, and a line for each damaged sample."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Sources and the share of each in what is trained on.

    `key` tells orders of one seed apart: it is counted up when a training goes on with other sources.
    """

    sources: Sequence[Source]
    shares: tuple[float, ...]
    seed: int
    key: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"
    recoloured_share: float = 0.0
    """So many of the pictures are shown in other colours, see `recoloured`."""
    coarsened_share: float = 0.0
    """So many of the pictures are shown as if seen in fewer pixels, see `coarsened`."""

    def __len__(self) -> int:
        """Samples of an epoch: of a mix, those of all its sources."""
        return sum(map(len, self.sources))

    def family_shares(self, classes: int) -> NDArray[np.float64]:
        """(classes,) share of each family in what is shown; one that no source shows counts as one sample."""
        shares = np.zeros(classes)
        for source, share in zip(self.sources, self.shares, strict=True):
            shares += share / sum(self.shares) * np.bincount(source.families, minlength=classes) / len(source)
        shares = np.where(shares > 0, shares, 1 / len(self))
        return shares / shares.sum()

    @property
    def order(self) -> MixedOrder:
        return MixedOrder(tuple(map(len, self.sources)), self.shares, self.seed, self.key)


class Batches(Dataset[Batch]):
    """Batch number k of what a worker sees: its slice of the global batch that starts at `start` + k · `batch`.

    A sample's augmentation is drawn from the seed, its epoch and its number: who makes it does not matter.
    """

    def __init__(self, mix: Mix, size_px: int, batch: int, start: int, rank: int, workers: int) -> None:
        self._mix, self._order = mix, mix.order
        self._size_px, self._batch, self._start = size_px, batch, start
        self._slice = slice_of(batch, rank, workers)
        self._augmenters: list[Augmenter] = [source.augmenter(size_px, mix.seed) for source in mix.sources]

    def __getitem__(self, number: int) -> Batch:
        places = self._start + number * self._batch + np.arange(self._batch)[self._slice]
        chosen = list(zip(*(column.tolist() for column in self._order.at(places)), strict=True))
        pictures = np.zeros((len(chosen), self._size_px, self._size_px, 3), np.uint8)
        families = np.full(len(chosen), DAMAGED, np.int64)
        damage: list[str] = []
        for row, (source, epoch, index) in enumerate(chosen):
            rng = np.random.default_rng([self._mix.seed, self._mix.key, source, epoch, index])
            try:
                pictures[row] = self._mix.sources[source].make(index, self._augmenters[source], rng)
            except InputError as error:
                damage.append(str(error))
                continue
            if rng.random() < self._mix.recoloured_share:
                pictures[row] = recoloured(pictures[row], rng)
            if rng.random() < self._mix.coarsened_share:
                pictures[row] = coarsened(pictures[row], rng)
            families[row] = self._mix.sources[source].families[index]
        return torch.from_numpy(pictures), torch.from_numpy(families), damage


def batches(
    mix: Mix, size_px: int, batch: int, start: int = 0, rank: int = 0, workers: int = 1, loaders: int = 0
) -> Iterator[Batch]:
    """An endless iterator over one worker's part of the global batches.

    Args:
        mix: what is shown.
        size_px: side of the pictures.
        batch: samples of a global batch, over all workers.
        start: samples of the global order that were seen before.
        rank: which worker this is.
        workers: how many there are.
        loaders: processes that make this worker's pictures; 0: it makes them itself.

    Raises:
        InputError: a sample is damaged, and the mix refuses that.
        BrickgateError: a process that makes pictures was killed.
    """
    cv2.setNumThreads(1)  # pictures are small, and the cores are the training's
    dataset = Batches(mix, size_px, batch, start, rank, workers)
    with told_of_killed_makers():
        for pictures, families, damage in _made(dataset, loaders):
            if damage and mix.damaged == "refuse":
                raise InputError(damage[0])
            yield pictures, families, damage


@contextmanager
def told_of_killed_makers() -> Iterator[None]:
    """Says in one line that a process that makes pictures was killed.

    PyTorch raises that from a signal handler, so in whatever runs at that moment: training is to be done within, too.
    One that dies while it hands a batch over shows first as a connection that breaks, in one of many ways: what tells
    them from other troubles is that a process died.

    Raises:
        BrickgateError: it was.
    """
    try:
        yield
    except (RuntimeError, EOFError, OSError) as error:
        with _no_second_word():
            if "DataLoader worker" not in str(error) and not _has_a_maker_died():
                raise
        raise BrickgateError(
            "a process that makes pictures was killed: run the same command to go on, with fewer --workers if memory"
            " is short"
        ) from error


@contextmanager
def _no_second_word() -> Iterator[None]:
    """Keeps PyTorch's handler from raising while the first sign of a process's death is being looked at."""
    if threading.current_thread() is not threading.main_thread():  # only the main one hears signals
        yield
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def _has_a_maker_died() -> bool:
    """Whether a process that makes pictures has ended by a fault; a connection breaks just before its end shows.

    One that is dying closes its connections, its sentinel among them, before the system tells how it ended: that is
    waited for.
    """
    makers = list(_makers)
    ending = connection.wait([maker.sentinel for maker in makers if maker.exitcode is None], timeout=1.0)
    for maker in makers:
        if maker.sentinel in ending:
            maker.join()
    return any(maker.exitcode for maker in makers)


_makers: weakref.WeakSet[BaseProcess] = weakref.WeakSet()


def _made(dataset: Batches, loaders: int) -> Iterator[Batch]:
    if not loaders:
        return map(dataset.__getitem__, itertools.count())
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=itertools.count(),
        num_workers=loaders,
        prefetch_factor=4,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_begin_making,
    )
    others = set(multiprocessing.active_children())
    made = iter(loader)
    _makers.update(set(multiprocessing.active_children()) - others)
    return made


def _begin_making(_: int) -> None:
    """One core each; Ctrl-C, which a terminal sends to all, is for the training to hear, which ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def stream(folder: Path, size_px: int, batch: int, seed: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches ((B, S, S, 3) uint8 RGB, (B,) int64 family) of one set of renders.

    Raises:
        InputError: the folder holds no finished shard.
    """
    mix = Mix([open_any(folder)], (1.0,), seed)  # opened here: what is missing is said at once
    return (batch_[:2] for batch_ in batches(mix, size_px, batch, loaders=workers))
