"""Builds the Keras twin of a folded network and converts it to full-integer TFLite.

Runs as a program of its own in an environment with TensorFlow (`python twin.py FOLDER`), and therefore imports nothing
of Brickgate. FOLDER holds `network.json` (layers, input_px, and the sizes of the representative sets to try),
`weights.npz` and `representative.npy` ((N, H, W, 3) float32 in −1…1). It leaves `float.tflite` there, and for each size
`model-SIZE.tflite`, int8 in and out, whose ranges come from the first SIZE pictures.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf


def build(description: dict[str, Any], weights: Any) -> Any:
    """The Keras model: logits from a (1, input_px, input_px, 3) picture."""
    keras = tf.keras
    size = description["input_px"]
    picture = keras.Input((size, size, 3), batch_size=1)
    values = {"picture": picture}
    for layer in description["layers"]:
        inputs = [values[name] for name in layer["inputs"]]
        values[layer["name"]] = _value(keras, layer, inputs, weights)
    return keras.Model(picture, values[description["layers"][-1]["name"]])


def _value(keras: Any, layer: dict[str, Any], inputs: list[Any], weights: Any) -> Any:
    kind, name = layer["kind"], layer["name"]
    activation = {None: None, "relu": tf.nn.relu, "relu6": tf.nn.relu6}[layer["activation"]]
    if kind == "add":
        total = keras.layers.Add(name=name)(inputs)
        return keras.layers.Activation(activation)(total) if activation else total
    if kind == "mean":
        return keras.layers.GlobalAveragePooling2D(name=name)(inputs[0])
    if kind == "dense":
        kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
        return _filled(keras.layers.Dense(len(bias), activation, name=name), inputs[0], kernel, bias)
    x, padding = _padded(keras, layer, inputs[0])
    if kind == "maxpool":
        return keras.layers.MaxPool2D(layer["size"], layer["stride"], padding, name=name)(x)
    kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
    shared = {"strides": layer["stride"], "padding": padding, "activation": activation, "name": name}
    if kind == "depthwise":
        return _filled(keras.layers.DepthwiseConv2D(layer["size"], **shared), x, kernel, bias)
    return _filled(keras.layers.Conv2D(kernel.shape[3], layer["size"], **shared), x, kernel, bias)


def _filled(made: Any, x: Any, kernel: Any, bias: Any) -> Any:
    value = made(x)
    made.set_weights([kernel, bias])
    return value


def _padded(keras: Any, layer: dict[str, Any], x: Any) -> tuple[Any, str]:
    """The input and the padding that give the layer's `pads`; where neither SAME nor VALID does, a layer of its own."""
    pads, size, stride = list(layer["pads"]), layer["size"], layer["stride"]
    total = max((-(-x.shape[1] // stride) - 1) * stride + size - x.shape[1], 0)
    if pads == [0, 0]:
        return x, "valid"
    if pads == [total // 2, total - total // 2]:
        return x, "same"
    return keras.layers.ZeroPadding2D(((pads[0], pads[1]), (pads[0], pads[1])))(x), "valid"


def convert(model: Any, representative: Any | None) -> bytes:
    """A TFLite flatbuffer: float without, full-integer with representative pictures."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
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
    with np.load(folder / "weights.npz") as weights:
        model = build(description, weights)
    (folder / "float.tflite").write_bytes(convert(model, None))
    representative = np.load(folder / "representative.npy")
    for size in description["representative"]:
        (folder / f"model-{size}.tflite").write_bytes(convert(model, representative[:size]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
