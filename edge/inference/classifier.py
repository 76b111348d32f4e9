"""One look in, one prediction out: preprocessing, the accelerator, calibrated log-probabilities, the
colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np

from edge.bundle.dequantize import dequantize, log_softmax
from edge.bundle.manifest import Bundle
from edge.bundle.preprocess import cut, quantization_table, to_tensor, turned
from edge.errors import BundleError
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.inference.colour import ColourMeter
from edge.records import Box, Look, Prediction, Scores

NO_COLOUR = np.zeros(0, np.float32)

Stored = Literal["int8", "uint8", "float32"]


class Classifier:
    """Recognises looks with the model of `bundle`, which `accelerator` has loaded. The window is the mask's box with
    the bundle's margin; a look without a mask is framed already, its whole crop is the window. The network sees it
    turned by as many quarters as its number says.

    Args:
        accelerator: has the bundle's model loaded.
        bundle: the parts, the input and the temperature of that model.
        colours: measures the colour of each look; None leaves colours out.

    Raises:
        BundleError: the model's tensors do not fit the bundle.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        bundle: Bundle,
        colours: ColourMeter | None = None,
    ) -> None:
        self._accelerator = accelerator
        self._bundle = bundle
        self._framed = replace(bundle.input, margin=0.0)
        self._colours = colours
        self._dtype = _check_input(accelerator, bundle)
        self._output = _check_output(accelerator, bundle)
        source = accelerator.input_spec
        self._table = quantization_table(source.scale, source.zero_point, self._dtype)

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def classify(self, look: Look) -> Prediction:
        """The network's and the colour meter's answer for one look.

        Raises:
            HardwareError: the accelerator failed.
        """
        parts = self._score_parts(look)
        colours = NO_COLOUR if self._colours is None else self._colours.measure(look)
        return Prediction(look.track_id, look.frame_index, look.view, parts, colours, look.quality)

    def _score_parts(self, look: Look) -> Scores:
        spec = self._framed if look.mask is None else self._bundle.input
        picture = turned(cut(look.crop_bgr, box_of(look), spec, look.mm_per_px), look.number)
        stored = self._accelerator.invoke(to_tensor(picture, self._table))
        logits = dequantize(stored.reshape(-1), self._output.scale, self._output.zero_point)
        return log_softmax(logits, self._bundle.temperature)


def box_of(look: Look) -> Box:
    """The part's box in its crop: around its mask, or the whole crop where there is none or it is empty."""
    height, width = look.crop_bgr.shape[:2]
    if look.mask is None:
        return 0, 0, width, height
    left, top, across, down = cv2.boundingRect(look.mask.view(np.uint8))
    return (left, top, left + across, top + down) if across and down else (0, 0, width, height)


def _check_input(accelerator: Accelerator, bundle: Bundle) -> Stored:
    spec = accelerator.input_spec
    expected = (1, bundle.input.height_px, bundle.input.width_px, 3)
    if spec.shape != expected:
        raise BundleError(
            f"{bundle.model}: the model's input is {_shape(spec.shape)}, the bundle {bundle.name} promises"
            f" {_shape(expected)}: make or fetch the bundle again"
        )
    for dtype in ("int8", "uint8", "float32"):
        if spec.dtype == dtype:
            return dtype
    raise BundleError(
        f"{bundle.model}: the model's input is {spec.dtype}, the bundle {bundle.name} can serve int8, uint8"
        " and float32: export the model with one of these"
    )


def _check_output(accelerator: Accelerator, bundle: Bundle) -> TensorSpec:
    spec = accelerator.output_spec
    classes = int(np.prod(spec.shape))
    if classes != len(bundle.parts):
        raise BundleError(
            f"{bundle.model}: the model scores {classes} classes, the bundle {bundle.name} names"
            f" {len(bundle.parts)} parts: make or fetch the bundle again"
        )
    return spec


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape)
