"""Any plain TFLite classifier with a label file: the whole picture in, the label out.

Such files do not say how pixels become their input. A quantized image input can hold one range of real
numbers, and that range is what 0…255 was trained as; so pixels go in as they are (uint8) or shifted by 128
(int8). A float input is taken for (RGB − 127.5) / 127.5, which TensorFlow's MobileNets want.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import dequantize, log_softmax
from edge.bundle.preprocess import normalise
from edge.errors import BundleError, InputError
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.records import ImageBgr, Scores

LEAST_SHARE = 1e-6
"""Quantized shares below half a step are stored as 0; so many of them must not add up to much."""


def read_labels(file: Path) -> tuple[str, ...]:
    """The labels, one a line; "3 cat" and "3: cat" are cat if every line starts with its own index.

    Raises:
        InputError: the file is missing, is no text or holds no label.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as a label file ({error}): give one label a line") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{file} holds no label: give one label a line")
    numbered = [re.match(r"\s*(\d+)[:\s]\s*(.*)$", line) for line in lines]
    if all(match and int(match[1]) == index for index, match in enumerate(numbered)):
        return tuple(match[2].strip() for match in numbered if match)
    return tuple(line.strip() for line in lines)


class PlainClassifier:
    """Names whole pictures with the model that `accelerator` has loaded.

    Raises:
        BundleError: the model is no image classifier, or has another number of classes than there are labels.
    """

    def __init__(self, accelerator: Accelerator, labels: tuple[str, ...]) -> None:
        self._accelerator = accelerator
        self.labels = labels
        source, target = accelerator.input_spec, accelerator.output_spec
        if len(source.shape) != 4 or source.shape[0] != 1 or source.shape[3] != 3:
            raise BundleError(
                f"the model's input is {source.shape}: one RGB picture (1, height, width, 3) can be served"
            )
        if source.dtype not in (np.uint8, np.int8, np.float32):
            raise BundleError(f"the model's input is {source.dtype}: uint8, int8 and float32 can be served")
        classes = int(np.prod(target.shape))
        if classes != len(labels):
            raise BundleError(
                f"the model scores {classes} classes, the label file names {len(labels)}: give the model's own labels"
            )

    def classify(self, image_bgr: ImageBgr) -> Scores:
        """(labels,) log-probabilities of one picture."""
        stored = self._accelerator.invoke(self._tensor(image_bgr)).reshape(-1)
        target = self._accelerator.output_spec
        values = dequantize(stored, target.scale, target.zero_point)
        if holds_shares(values, target):
            values = np.log(np.maximum(values, LEAST_SHARE))
        return log_softmax(values)

    def _tensor(self, image_bgr: ImageBgr) -> NDArray[np.generic]:
        _, height, width, _ = self._accelerator.input_spec.shape
        shrinking = image_bgr.shape[0] * image_bgr.shape[1] > height * width
        resized = cv2.resize(
            image_bgr, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        )
        rgb = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)[np.newaxis]
        dtype = self._accelerator.input_spec.dtype
        if dtype == np.uint8:
            return rgb
        if dtype == np.int8:
            return (rgb.astype(np.int16) - 128).astype(np.int8)
        return normalise(rgb)


def holds_shares(values: Scores, spec: TensorSpec) -> bool:
    """Whether an output is softmaxed already. TFLite gives a quantized softmax the scale 1/256 from its
    lowest stored value up; of float outputs those that are shares of 1 count."""
    if spec.scale > 0:
        lowest = int(np.iinfo(spec.dtype).min)
        return spec.zero_point == lowest and spec.scale <= 1 / 255
    return bool(values.min() >= 0 and abs(float(values.sum()) - 1) < 1e-2)
