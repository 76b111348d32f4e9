"""Starting weights: ImageNet's from a local file or from torchvision, or those of a network trained before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import InputError
from quantization.train.layers import Network
from quantization.train.resnet import torchvision_names
from quantization.train.torch_file import read_torch

TORCHVISION = Path("torchvision")
"""Given in place of a file: torchvision's own weights, which it downloads."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""torchvision's networks see (RGB / 255 − mean) / std, ours (RGB − 127.5) / 127.5."""

CLASSIFIER = ("classifier.1.weight", "classifier.1.bias")

State = dict[str, Tensor]


def load_start(
    network: Network, weights: Path, families: Sequence[str] = (), class_of: Mapping[str, int] | None = None
) -> list[int]:
    """Loads the feature layers; of a network trained before, the classifier's rows of the families that both know, too.

    Args:
        network: is given the weights.
        weights: an .npz file, a file of torch (a state with torchvision's names, or a checkpoint), or "torchvision".
        families: the network's classes, in their order. A checkpoint may know some of them, in another one, and others
            besides; the classifier of one that names none is left out, as its classes may be any.
        class_of: the class of every other name of theirs, by which the checkpoint may call them.

    Returns:
        The classes whose rows of the classifier were loaded.

    Raises:
        InputError: no such file, or weights of another network or width.
    """
    state, known = _read(network, weights)
    state = {_own_name(network, name): value for name, value in state.items()}
    rows = _rows(known, families, class_of or {}, len(state.get(CLASSIFIER[1], ())), network.classes)
    fitting = {key: value for key, value in state.items() if key.startswith("features.")}
    try:
        fitting |= {key: _with_rows(network.state_dict()[key], state[key], rows) for key in CLASSIFIER if rows}
        missing, _ = network.load_state_dict(fitting, strict=False)
    except (RuntimeError, KeyError, IndexError) as error:
        raise InputError(
            f"{weights} fits another network than one of width {network.width:g}: give weights of that width, or set"
            f" network.width in the recipe (its kind is {network.kind})"
        ) from error
    lost = [key for key in missing if key.startswith("features.") and "num_batches" not in key]
    if lost:
        raise InputError(f"{weights} lacks {lost[0]} and {len(lost) - 1} more: give weights of a {network.kind}")
    return list(rows)


def _rows(
    known: Sequence[str] | None,
    families: Sequence[str],
    class_of: Mapping[str, int],
    outputs: int,
    classes: int,
) -> dict[int, int]:
    """For each class that a file of weights brings a row for, which of its `outputs` rows that is; its own
    number's before another name's."""
    if known is None:
        return {}
    if not families:
        return {k: k for k in range(classes)} if outputs == classes else {}
    place = {family: row for row, family in enumerate(known)}
    rows = {k: place[family] for k, family in enumerate(families) if family in place}
    for name, row in place.items():
        if name in class_of:
            rows.setdefault(class_of[name], row)
    return dict(sorted(rows.items()))


def _with_rows(own: Tensor, theirs: Tensor, rows: Mapping[int, int]) -> Tensor:
    mixed = own.clone()
    mixed[list(rows)] = theirs[list(rows.values())].to(own)
    return mixed


def _read(network: Network, weights: Path) -> tuple[State, Sequence[str] | None]:
    """The state in a file, and the families that a checkpoint of ours knows: none where it does not say; None for other
    files."""
    if weights == TORCHVISION:
        return _adapted(_from_torchvision(network.kind)), None
    try:
        if weights.suffix in {".pt", ".pth"}:
            return _of_torch(read_torch(weights))
        with np.load(weights) as arrays:
            return {k: torch.from_numpy(arrays[k]) for k in arrays.files}, None
    except (OSError, ValueError, BadZipFile, EOFError, TypeError, UnpicklingError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            f"{weights} holds no starting weights ({why or 'damaged, or of another kind'}): give an .npz file or a"
            " checkpoint (.pt)"
        ) from error


def _of_torch(held: Any) -> tuple[State, Sequence[str] | None]:
    if not isinstance(held, Mapping):
        raise TypeError("no weights by their names")
    if "average" not in held:
        return _adapted(held), None
    return dict(held["average"]), list(held.get("recipe", {}).get("families", ()))


def _from_torchvision(kind: str) -> State:
    try:
        from torchvision.models import get_model_weights  # pyright: ignore[reportMissingImports]

        return get_model_weights(kind.replace("-", "_")).DEFAULT.get_state_dict(progress=False)
    except (ImportError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())[:160]
        raise InputError(f"torchvision gives no weights ({why}): give a file with --weights, or 'none'") from error


def _own_name(network: Network, name: str) -> str:
    """Our name of a parameter that torchvision may call otherwise."""
    if not network.kind.startswith("resnet"):
        return name
    names = torchvision_names(int(network.kind.removeprefix("resnet")))
    return next((own + name.removeprefix(theirs) for theirs, own in names.items() if name.startswith(theirs)), name)


def _adapted(state: Mapping[str, Tensor]) -> State:
    """torchvision's weights for our input: the first convolution takes up the other scale, its norm the other zero."""
    first, norm = ("conv1.weight", "bn1") if "conv1.weight" in state else ("features.0.0.weight", "features.0.1")
    if first not in state or f"{norm}.running_mean" not in state:
        return dict(state)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    kernel = state[first].float()
    offset = (kernel * ((0.5 - mean) / std)[:, None, None]).sum((1, 2, 3))
    shifted = state[f"{norm}.running_mean"] - offset
    return {**state, first: kernel * (0.5 / std)[:, None, None], f"{norm}.running_mean": shifted}


@torch.no_grad()
def unfold_batch_norms(network: nn.Module, pictures: Tensor) -> None:
    """Gives batch norms that were folded into the convolutions (identity plus bias) real statistics again.

    The function of the network in evaluation stays exactly the same: with mean m and variance v of a layer's input over
    `pictures`, scale √(v+ε) and shift b+m undo what the statistics do. In training the layer then normalises as usual.
    """
    statistics: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def observe(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].float()
        assert isinstance(layer, nn.BatchNorm2d)
        statistics[layer] = (values.mean((0, 2, 3)), values.var((0, 2, 3)))

    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(observe) for layer in layers]
    network.eval()
    network(pictures)
    for hook in hooks:
        hook.remove()
    for layer, (mean, variance) in statistics.items():
        _renormalise(layer, mean, variance.clamp_min(1e-4))


def _renormalise(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None and layer.running_var is not None
    old_gain = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    old_shift = layer.bias - old_gain * layer.running_mean
    layer.weight.copy_(old_gain * torch.sqrt(variance + layer.eps))
    layer.bias.copy_(old_shift + old_gain * mean)
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
