"""A trained network as a plain list of layers, norms folded: the TensorFlow twin and the ONNX file are built from it.

The network is traced, so that any network made of what accelerators map can be described: convolutions (also
depthwise), batch norms after them, ReLU and ReLU6, max pooling, sums, the mean over the picture and linear layers.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn import functional

from edge.errors import BrickgateError
from quantization.train.rounding import ActivationRounding

Arrays = dict[str, NDArray[np.float32]]
Layer = dict[str, Any]
PICTURE = "picture"

_SILENT = (nn.Dropout, nn.Identity, ActivationRounding)
_LEAVES = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.Linear, *_SILENT)
_CONVOLUTIONS = (torch.conv2d, functional.conv2d)
_SUMS = (operator.add, operator.iadd, torch.add)
_MEANS = (functional.adaptive_avg_pool2d,)


def folded(network: nn.Module) -> tuple[list[Layer], Arrays]:
    """A plain description of the network and its weights.

    Returns:
        layers: in the order of computing, each {"kind", "name", "inputs", "activation"}: `inputs` names earlier layers
            or "picture", `activation` is None, "relu" or "relu6". "conv", "depthwise" and "maxpool" also have "size",
            "stride" and "pads", the pixels (before, after) added to both axes; "add", "mean" (over the picture) and
            "dense" have no more.
        arrays: "<name>/kernel" in TensorFlow's order (H, W, in, out), (H, W, channels, 1) or (in, out); "<name>/bias".

    Raises:
        BrickgateError: the network does what cannot be described.
    """
    plain = copy.deepcopy(network).float().eval()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d) and hasattr(module, "frozen"):
            module.frozen = False  # type: ignore[assignment]
        if hasattr(module, "rounds"):
            module.rounds = False  # type: ignore[assignment]
    walk = _Walk(plain)
    for node in _Tracer().trace(plain).nodes:
        walk.step(node)
    return walk.layers, {name: np.ascontiguousarray(array, np.float32) for name, array in walk.arrays.items()}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del module_qualified_name
        return isinstance(m, _LEAVES)


class _Walk:
    """Goes through the traced graph and collects layers."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._value: dict[fx.Node, str] = {}
        self._padded: dict[fx.Node, tuple[str, tuple[int, int]]] = {}
        self.layers: list[Layer] = []
        self.arrays: Arrays = {}

    @torch.no_grad()
    def step(self, node: fx.Node) -> None:
        """Takes up one operation."""
        if node.op in {"output", "get_attr"}:
            return
        if node.op == "placeholder":
            self._value[node] = PICTURE
            return
        take = self._module(node) if node.op == "call_module" else self._operation(node)
        if take is None:
            what = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            raise BrickgateError(
                f"the network's '{node.name}' ({what}) has no int8 counterpart on accelerators: build it from"
                " convolutions, norms, ReLU, max pooling, sums, a mean and linear layers"
            )
        take(node)

    def _module(self, node: fx.Node) -> Callable[[fx.Node], None] | None:
        module = self._network.get_submodule(str(node.target))
        kinds: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Callable[[fx.Node], None]], ...] = (
            (_SILENT, self._pass),
            (nn.BatchNorm2d, self._norm),
            (nn.ReLU6, lambda n: self._activate(n, "relu6")),
            (nn.ReLU, lambda n: self._activate(n, "relu")),
            (nn.MaxPool2d, self._pool_module),
            (nn.Linear, self._dense),
        )
        return next((take for kind, take in kinds if isinstance(module, kind)), None)

    def _operation(self, node: fx.Node) -> Callable[[fx.Node], None] | None:
        target: Any = node.target
        if target in _MEANS and node.args[1] not in (1, (1, 1)):
            return None
        takes: dict[Any, Callable[[fx.Node], None]] = {
            "flatten": self._pass,
            torch.flatten: self._pass,
            functional.pad: self._pad,
            functional.max_pool2d: self._pool,
            **dict.fromkeys(_CONVOLUTIONS, self._convolution),
            **dict.fromkeys(_MEANS, self._mean),
            **dict.fromkeys(_SUMS, self._sum),
            **dict.fromkeys((functional.relu, torch.relu), lambda n: self._activate(n, "relu")),
            functional.relu6: lambda n: self._activate(n, "relu6"),
        }
        return takes.get(target)

    def _mean(self, node: fx.Node) -> None:
        self._add("mean", [self._of(node.args[0])], node)

    def _sum(self, node: fx.Node) -> None:
        self._add("add", [self._of(node.args[0]), self._of(node.args[1])], node)

    def _of(self, node: Any) -> str:
        if node not in self._value:
            raise BrickgateError(f"the network uses '{node}' where a layer's values are expected: not folded")
        return self._value[node]

    def _add(self, kind: str, inputs: list[str], node: fx.Node, **more: Any) -> str:
        name = f"layer{len(self.layers):03d}"
        self.layers.append({"kind": kind, "name": name, "inputs": inputs, "activation": None, **more})
        self._value[node] = name
        return name

    def _pass(self, node: fx.Node) -> None:
        self._value[node] = self._of(node.args[0])

    def _pad(self, node: fx.Node) -> None:
        left, right, top, bottom = node.args[1]  # type: ignore[misc]
        if (
            (left, right) != (top, bottom)
            or node.kwargs.get("mode", "constant") != "constant"
            or node.kwargs.get("value")
        ):
            raise BrickgateError(f"the network's '{node.name}' pads unequally or not with zeros: it cannot be folded")
        self._padded[node] = self._of(node.args[0]), (left, right)  # type: ignore[assignment]

    def _input_and_pads(self, source: Any, own: Any) -> tuple[str, list[int]]:
        before, after = own if isinstance(own, tuple) else (own, own)
        if source not in self._padded:
            return self._of(source), [before, after]
        name, pads = self._padded[source]
        return name, [pads[0] + before, pads[1] + after]

    def _convolution(self, node: fx.Node) -> None:
        source, weight, bias, stride, padding, dilation, groups = node.args
        kernel = self._tensor(weight)
        depthwise = groups == kernel.shape[0] and kernel.shape[1] == 1 and kernel.shape[0] > 1
        if (groups != 1 and not depthwise) or dilation != (1, 1) or isinstance(padding, str) or bias is not None:
            raise BrickgateError(f"the network's '{node.name}' is a grouped, dilated or biased convolution: not folded")
        name, pads = self._input_and_pads(source, padding)
        kind = "depthwise" if depthwise else "conv"
        size, step = int(kernel.shape[-1]), int(stride[0])  # type: ignore[index]
        made = self._add(kind, [name], node, size=size, stride=step, pads=pads)
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        self.arrays[f"{made}/kernel"] = kernel.numpy().transpose(order).copy()
        self.arrays[f"{made}/bias"] = np.zeros(len(kernel), np.float32)

    def _tensor(self, node: Any) -> Tensor:
        owner, _, name = str(node.target).rpartition(".")
        return getattr(self._network.get_submodule(owner), name).detach()

    def _last(self, node: fx.Node) -> Layer:
        """The layer whose value this operation alone takes, so that both are one."""
        source = node.args[0]
        assert isinstance(source, fx.Node)
        name = self._of(source)
        layer = next((layer for layer in self.layers if layer["name"] == name), None)
        if layer is None or layer["activation"] or len(source.users) > 1:
            raise BrickgateError(f"the network's '{node.name}' follows no layer that it could be folded into")
        self._value[node] = name
        return layer

    def _norm(self, node: fx.Node) -> None:
        layer, norm = self._last(node), self._network.get_submodule(str(node.target))
        if layer["kind"] not in {"conv", "depthwise"}:
            raise BrickgateError(f"the network's norm '{node.target}' follows no convolution: it cannot be folded")
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).numpy()
        name = layer["name"]
        shaped = gain[:, np.newaxis] if layer["kind"] == "depthwise" else gain
        self.arrays[f"{name}/kernel"] = self.arrays[f"{name}/kernel"] * shaped
        shift = norm.bias.numpy() - gain * norm.running_mean.numpy()
        self.arrays[f"{name}/bias"] = self.arrays[f"{name}/bias"] * gain + shift

    def _activate(self, node: fx.Node, activation: str) -> None:
        self._last(node)["activation"] = activation

    def _pool_module(self, node: fx.Node) -> None:
        pool = self._network.get_submodule(str(node.target))
        assert isinstance(pool, nn.MaxPool2d)
        self._add_pool(node, pool.kernel_size, pool.stride, pool.padding)

    def _pool(self, node: fx.Node) -> None:
        rest = dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False)) | node.kwargs
        self._add_pool(node, rest["kernel_size"], rest.get("stride") or rest["kernel_size"], rest.get("padding", 0))

    def _add_pool(self, node: fx.Node, size: Any, stride: Any, padding: Any) -> None:
        name, pads = self._input_and_pads(node.args[0], padding)
        square = (side[0] if isinstance(side, tuple) else side for side in (size, stride))
        side, step = square
        self._add("maxpool", [name], node, size=int(side), stride=int(step), pads=pads)

    def _dense(self, node: fx.Node) -> None:
        dense = self._network.get_submodule(str(node.target))
        assert isinstance(dense, nn.Linear)
        name = self._add("dense", [self._of(node.args[0])], node)
        self.arrays[f"{name}/kernel"] = dense.weight.numpy().T.copy()
        self.arrays[f"{name}/bias"] = (
            np.zeros(dense.out_features, np.float32) if dense.bias is None else dense.bias.numpy().copy()
        )
