"""The kinds of networks that a recipe can name."""

from __future__ import annotations

from edge.errors import InputError
from quantization.train.layers import Network
from quantization.train.network import MobileNetV2
from quantization.train.resnet import ResNet

KINDS = ("mobilenet-v2", "resnet18", "resnet50")


def make_network(kind: str, classes: int, width: float = 1.0) -> Network:
    """A new network of one of `KINDS`.

    Raises:
        InputError: there is no such kind.
    """
    if kind == MobileNetV2.kind:
        return MobileNetV2(classes, width)
    if kind in KINDS:
        return ResNet(classes, int(kind.removeprefix("resnet")), width)
    raise InputError(f"no network '{kind}': give one of {', '.join(KINDS)}")
