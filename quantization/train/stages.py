"""Stages of a training: picture size, number of pictures and learning rate, and the precision that suits them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Stage:
    """`pictures` pictures of `size_px`; the learning rate goes from `rate_from` to `rate_to`."""

    size_px: int
    pictures: int
    rate_from: float
    rate_to: float
    batch: int = 64
    """Pictures a step, over all processes."""
    int8: bool = False
    """Train with the rounding that int8 brings (quantization-aware)."""
    norms_frozen: bool = False
    """Keep the batch norms' statistics: a trained network goes on about 1.4 times as fast, on a CPU, as with them."""
    blocks_frozen: int = 0
    """Keep so many of the first blocks as they are: they see the largest pictures, and cost the most."""
    warm_up: int = 0
    """Pictures over which the rate rises from 0: Adam's first steps are long ones, and spoil what was learned."""


def rate_at(stage: Stage, pictures_in_stage: int) -> float:
    """Learning rate: a straight rise in the warm-up, and the stage's half cosine over all of it."""
    warmth = min((pictures_in_stage + stage.batch) / stage.warm_up, 1.0) if stage.warm_up else 1.0
    done = min(pictures_in_stage / stage.pictures, 1.0)
    return warmth * (stage.rate_to + (stage.rate_from - stage.rate_to) * 0.5 * (1 + math.cos(math.pi * done)))


def precision(stage: Stage, device: torch.device) -> torch.dtype:
    """What the network computes in (Micikevicius et al. 2018, Kalamkar et al. 2019).

    A CPU gains nothing by bfloat16 even where it computes in it, and takes over ten times as long where it does not. A
    stage that rounds as int8 does stays in float32: bfloat16 has eight bits itself, and would round once more.
    """
    if stage.int8 or device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
