"""Training on one process or many: `torchrun` starts them on any number of machines, and this joins them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from edge.errors import BrickgateError

Made = TypeVar("Made")


class WorkerLostError(BrickgateError):
    """Another process of the training is gone."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The processes of a training: this one's number, how many there are, and where this one computes."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process saves, reports and decides."""
        return self.rank == 0

    @property
    def loaders(self) -> int:
        """Processes that make this one's pictures: on CPUs, with a process a core, none is left for others."""
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if self.device.type == "cuda":
            return max(1, (os.cpu_count() or 1) // here - 1)
        return 1 if here == 1 else 0

    def sum(self, values: Tensor) -> Tensor:
        """Sums a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def average_buffers(self, network: nn.Module) -> None:
        """Gives every process the mean of the norms' statistics, which each one gathers from its own pictures."""
        if self.size == 1:
            return
        buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        mean = self.sum(torch.cat([buffer.reshape(-1).float() for buffer in buffers])) / self.size
        for buffer, part in zip(buffers, mean.split([buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(part.view_as(buffer))

    def shared(self, make: Callable[[], Made]) -> Made:
        """What the leading process makes, given to all; the problem that it met is everybody's.

        Raises:
            BrickgateError: raised by `make`.
        """
        if self.size == 1:
            return make()
        result: list[Any] = [None, None]
        if self.leads:
            try:
                result[0] = make()
            except BrickgateError as error:
                result[1] = error
        dist.broadcast_object_list(result, src=0, device=self.device)
        if result[1] is not None:
            raise result[1] from None
        return result[0]

    def alike(self, module: nn.Module) -> None:
        """Gives all processes the leading one's weights and buffers, in place."""
        if self.size > 1:
            for value in module.state_dict().values():
                dist.broadcast(value, src=0)

    def leader_first(self, make: Callable[[], Made]) -> Made:
        """What every process makes for itself, once the leading one has: what that meets is everybody's problem.

        Raises:
            BrickgateError: raised by `make`.
        """
        made: list[Made] = []
        self.shared(lambda: made.append(make()))
        return made[0] if made else make()

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes (Li et al. 2020, PyTorch Distributed)."""
        if self.size == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        # A 1×1 kernel's strides can be told in two ways; said once a process, and nothing that a user could mend.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides", UserWarning)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # newer versions rename broadcast_buffers
            return DistributedDataParallel(
                module, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True
            )


ALONE = Crew()


@contextmanager
def joined() -> Iterator[Crew]:
    """This process among those that `torchrun` started; started by hand it is alone.

    Raises:
        BrickgateError: more processes than GPUs on this machine.
        WorkerLostError: another process ended.
    """
    rank, size, local = (int(os.environ.get(key, default)) for key, default in ENVIRONMENT)
    device = _device(local)
    if size == 1:
        yield Crew(device=device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", rank=rank, world_size=size)
    try:
        yield Crew(rank, size, device)
    except RuntimeError as error:
        if not _is_lost_connection(error):
            raise
        raise WorkerLostError("another worker was lost: run the same command to go on from the checkpoint") from error
    finally:
        dist.destroy_process_group()


ENVIRONMENT = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
"""What `torchrun` tells its processes, and what a process alone has."""


def _device(local_rank: int) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise BrickgateError(
            f"{local_rank + 1} processes share {torch.cuda.device_count()} GPUs: give torchrun --nproc_per_node"
            f" {torch.cuda.device_count()}"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _is_lost_connection(error: RuntimeError) -> bool:
    said = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in said for word in ("gloo", "nccl", "connection closed", "connection reset", "peer", "socket")
    )
