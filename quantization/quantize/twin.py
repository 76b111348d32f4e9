"""Builds the TensorFlow twin of a folded network and converts it to full-integer TFLite.

Runs as a program of its own in an environment with TensorFlow (`python twin.py FOLDER`), and therefore imports nothing
of Brickgate. FOLDER holds `network.json` (layers, input_px, and the sizes of the representative sets to try),
`weights.npz` and `representative.npy` ((N, H, W, 3) float32 in −1…1). It leaves `float.tflite` there, and for each size
`model-SIZE.tflite`, int8 in and out, whose ranges come from the first SIZE pictures.

The twin is a function over constants. As a Keras model it gave the same answers, and each conversion took 9 s in place
of 1: Keras traces a model anew each time, and saves its variables.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf

ACTIVATIONS = {"relu": tf.nn.relu, "relu6": tf.nn.relu6}


def build(description: dict[str, Any], weights: dict[str, Any]) -> Any:
    """The twin as a module whose `logits` is a concrete function of a (1, input_px, input_px, 3) picture."""
    size = description["input_px"]

    def logits(picture: Any) -> Any:
        values = {"picture": picture}
        for layer in description["layers"]:
            inputs = [values[name] for name in layer["inputs"]]
            values[layer["name"]] = _activated(layer, _value(layer, inputs, weights))
        return values[description["layers"][-1]["name"]]

    module: Any = tf.Module()
    signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="picture")]
    module.logits = tf.function(logits, input_signature=signature).get_concrete_function()
    return module


def _activated(layer: dict[str, Any], value: Any) -> Any:
    activation = layer["activation"]
    return ACTIVATIONS[activation](value) if activation else value


def _value(layer: dict[str, Any], inputs: list[Any], weights: dict[str, Any]) -> Any:
    kind, name = layer["kind"], layer["name"]
    if kind == "add":
        return tf.add(*inputs)
    if kind == "mean":
        return tf.reduce_mean(inputs[0], axis=(1, 2))
    if kind == "dense":
        return tf.nn.bias_add(tf.matmul(inputs[0], weights[f"{name}/kernel"]), weights[f"{name}/bias"])
    x, padding = _padded(layer, inputs[0])
    stride = layer["stride"]
    if kind == "maxpool":
        return tf.nn.max_pool2d(x, layer["size"], stride, padding)
    kernel = weights[f"{name}/kernel"]
    if kind == "depthwise":
        seen = tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), padding)
    else:
        seen = tf.nn.conv2d(x, kernel, stride, padding)
    return tf.nn.bias_add(seen, weights[f"{name}/bias"])


def _padded(layer: dict[str, Any], x: Any) -> tuple[Any, Literal["SAME", "VALID"]]:
    """The input and the padding that give the layer's `pads`; where neither SAME nor VALID does, padded by itself."""
    pads, size, stride = list(layer["pads"]), layer["size"], layer["stride"]
    total = max((-(-x.shape[1] // stride) - 1) * stride + size - x.shape[1], 0)
    if pads == [0, 0]:
        return x, "VALID"
    if pads == [total // 2, total - total // 2]:
        return x, "SAME"
    return tf.pad(x, ((0, 0), pads, pads, (0, 0))), "VALID"


def convert(module: Any, representative: Any | None) -> bytes:
    """A TFLite flatbuffer: float without, full-integer with representative pictures."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.logits], module)
    if representative is None:
        return converter.convert()

    def pictures() -> Iterator[list[Any]]:
        for one in representative:
            yield [one[np.newaxis]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # Accelerators want one scale for the dense layer.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter.convert()


def main(folder: Path) -> None:
    """Converts what lies in `folder`."""
    description = json.loads((folder / "network.json").read_text())
    with np.load(folder / "weights.npz") as arrays:
        module = build(description, {name: arrays[name] for name in arrays.files})
    (folder / "float.tflite").write_bytes(convert(module, None))
    representative = np.load(folder / "representative.npy")
    for size in description["representative"]:
        (folder / f"model-{size}.tflite").write_bytes(convert(module, representative[:size]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
