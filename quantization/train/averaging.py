"""The mean of networks of which one was trained from where another one ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edge.errors import InputError
from quantization.data.opening import difference
from quantization.train.checkpoint import State
from quantization.train.torch_file import read_torch


def mean_network(files: Sequence[Path]) -> State:
    """Averages weight by weight, which keeps what a training learned and gives back some of what it forgot.

    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models": the mean of a network before and after further
    training is about as good as the latter on what was trained, and better on pictures of another kind.

    Args:
        files: two checkpoints or more, of the same families and network.

    Returns:
        A checkpoint's `average` and `recipe`, to be started from; float32.

    Raises:
        InputError: a file is none of ours, or of another network than the first.
    """
    held = [_held(file) for file in files]
    for file, one in zip(files[1:], held[1:], strict=True):
        _check_alike(files[0], held[0], file, one)
    states = [one["average"] for one in held]
    return {
        "average": {name: _mean([state[name] for state in states]) for name in states[0]},
        "recipe": {key: held[0]["recipe"][key] for key in ("families", "kind", "width") if key in held[0]["recipe"]},
    }


def _held(file: Path) -> dict[str, Any]:
    try:
        state = read_torch(file)
        if not (state["average"] and state["recipe"]["families"]):
            raise ValueError("it is empty")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else "damaged, or of another kind"
        raise InputError(f"{file} cannot be averaged ({why}): give checkpoints that name their families") from error
    return state


def _check_alike(first_file: Path, first: dict[str, Any], file: Path, one: dict[str, Any]) -> None:
    was, has = first["recipe"]["families"], one["recipe"]["families"]
    if list(was) != list(has):
        raise InputError(f"{file} knows other families than {first_file}: {difference(was, has)}")
    shapes = [{name: tuple(value.shape) for name, value in each["average"].items()} for each in (first, one)]
    if shapes[0] != shapes[1]:
        raise InputError(f"{file} is of another network than {first_file}: average those of one kind and width")


def _mean(values: Sequence[Tensor]) -> Tensor:
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack([value.float() for value in values]).mean(0)
