"""Builds the Keras twin of a folded network and converts it to full-integer TFLite.

Runs as a program of its own in an environment with TensorFlow (`python twin.py FOLDER`), and therefore imports nothing
of Brickgate. FOLDER holds `network.json` (layers, input_px), `weights.npz` and `representative.npy`
((N, H, W, 3) float32 in −1…1); it leaves `model.tflite` (int8 in and out) and `float.tflite` there.
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
    x = picture = keras.Input((size, size, 3), batch_size=1)
    values = [x]
    for layer in description["layers"]:
        if layer["kind"] == "add":
            x = keras.layers.Add()([values[-1 - int(layer["back"])], x])
        else:
            x = _convolution(keras, layer, weights)(x)
        values.append(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(weights["dense/bias"].shape[0], name="dense")
    x = dense(x)
    dense.set_weights([weights["dense/kernel"], weights["dense/bias"]])
    return keras.Model(picture, x)


def _convolution(keras: Any, layer: dict[str, Any], weights: Any) -> Any:
    kernel, bias = weights[f"{layer['name']}/kernel"], weights[f"{layer['name']}/bias"]
    shared = {"strides": int(layer["stride"]), "padding": "same", "name": layer["name"]}
    shared["activation"] = tf.nn.relu6 if layer["relu6"] else None
    if layer["kind"] == "depthwise":
        made = keras.layers.DepthwiseConv2D(kernel.shape[0], **shared)
    else:
        made = keras.layers.Conv2D(kernel.shape[3], kernel.shape[0], **shared)
    made.build((1, None, None, kernel.shape[2]))
    made.set_weights([kernel, bias])
    return made


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
    (folder / "model.tflite").write_bytes(convert(model, representative))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
