"""Runs the conversion to int8 TFLite in a Python that has TensorFlow, and the models that come out."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edge.bundle.dequantize import dequantize
from edge.bundle.preprocess import normalise, quantization_table
from edge.errors import BrickgateError
from quantization.quantize.fold import folded

TWIN = Path(__file__).parent / "twin.py"
PYTHON_VARIABLE = "BRICKGATE_CONVERT_PYTHON"


def convert_python() -> str:
    """The interpreter that has TensorFlow: the one the variable names, or this one.

    Raises:
        BrickgateError: neither has it.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        return named
    if importlib.util.find_spec("tensorflow") is None:
        raise BrickgateError(
            f"TensorFlow is not installed: run './install.sh --model' or name a Python that has it in {PYTHON_VARIABLE}"
        )
    return sys.executable


def convert(
    network: nn.Module, representative: NDArray[np.uint8], input_px: int, folder: Path, sizes: Sequence[int] = ()
) -> dict[int, Path]:
    """Makes `float.tflite` and an int8 `model-SIZE.tflite` for each size of the representative set in `folder`.

    Args:
        network: trained, in evaluation mode.
        representative: (N, input_px, input_px, 3) uint8 RGB pictures that show the range of values.
        input_px: side of the input.
        folder: for the intermediate files and the results.
        sizes: how many of the pictures to take, one model each; none given: all of them.

    Returns:
        The int8 file of each size.

    Raises:
        BrickgateError: the conversion failed; the message names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = {size: folder / f"model-{size}.tflite" for size in sizes or (len(representative),)}
    layers, arrays = folded(network)
    description = {"layers": layers, "input_px": input_px, "representative": list(models)}
    (folder / "network.json").write_text(json.dumps(description), encoding="utf-8")
    np.savez(folder / "weights.npz", **arrays)  # type: ignore[arg-type]
    np.save(folder / "representative.npy", normalise(representative))
    for model in models.values():
        model.unlink(missing_ok=True)
    try:
        _run_twin(folder, models.values())
    finally:
        (folder / "representative.npy").unlink(missing_ok=True)
    return models


def _run_twin(folder: Path, models: Iterable[Path]) -> None:
    log, python = folder / "convert.log", convert_python()
    try:
        with log.open("w") as stream:
            done = subprocess.run(
                [python, str(TWIN), str(folder)], stdout=stream, stderr=subprocess.STDOUT, check=False
            )
    except OSError as error:
        raise BrickgateError(f"{python} cannot be run ({error.strerror}): correct {PYTHON_VARIABLE}") from error
    if done.returncode != 0 or not all(model.is_file() for model in models):
        raise BrickgateError(f"the conversion to TFLite failed: see {log}")


class TfliteModel:
    """A TFLite classifier run on the CPU, for evaluation."""

    def __init__(self, file: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(file), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        scale, zero_point = self._input["quantization"]
        name = np.dtype(self._input["dtype"]).name
        self._table = quantization_table(scale, zero_point, name)  # type: ignore[arg-type]

    @property
    def input_px(self) -> int:
        """Side of the pictures that it takes."""
        return int(self._input["shape"][1])

    @property
    def quantization(self) -> dict[str, dict[str, float]]:
        """Scale and zero point of input and output."""
        both = {"input": self._input, "output": self._output}
        return {
            k: {"scale": float(d["quantization"][0]), "zero_point": int(d["quantization"][1])} for k, d in both.items()
        }

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) logits of (N, H, W, 3) uint8 RGB pictures."""
        return np.concatenate([self._one(picture) for picture in pictures])

    def _one(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input["index"], np.take(self._table, picture)[np.newaxis])
        self._interpreter.invoke()
        return dequantize(self._interpreter.get_tensor(self._output["index"]), *self._output["quantization"])
