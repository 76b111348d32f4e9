"""One look in, one prediction out: preprocessing, the accelerator, calibrated log-probabilities, the
colour."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import cv2
import numpy as np

from edge.bundle.dequantize import dequantize, log_softmax
from edge.bundle.manifest import Bundle
from edge.bundle.preprocess import cut, quantization_table, to_tensor
from edge.clock import Clock, MonotonicClock
from edge.errors import BundleError
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.inference.colour import ColourMeter
from edge.records import Box, Look, Prediction, Scores

NO_COLOUR = np.zeros(0, np.float32)
TIMED_LOOKS = 64

Stored = Literal["int8", "uint8", "float32"]


@dataclass(frozen=True, slots=True)
class LookMilliseconds:
    """Medians over the last looks: `invoke_ms` of the network alone, `overhead_ms` of all else in a look."""

    invoke_ms: float
    overhead_ms: float


class Classifier:
    """Recognises looks with the model of `bundle`, which `accelerator` has loaded. The window is the mask's box with
    the bundle's margin; a look without a mask is framed already, its whole crop is the window.

    Args:
        accelerator: has the bundle's model loaded.
        bundle: the parts, the input and the temperature of that model.
        colours: measures the colour of each look; None leaves colours out.
        clock: for the live milliseconds.

    Raises:
        BundleError: the model's tensors do not fit the bundle.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        bundle: Bundle,
        colours: ColourMeter | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._accelerator = accelerator
        self._bundle = bundle
        self._framed = replace(bundle.input, margin=0.0)
        self._colours = colours
        self._clock = clock or MonotonicClock()
        self._dtype = _check_input(accelerator, bundle)
        self._output = _check_output(accelerator, bundle)
        source = accelerator.input_spec
        self._table = quantization_table(source.scale, source.zero_point, self._dtype)
        self._invoke_s: deque[float] = deque(maxlen=TIMED_LOOKS)
        self._look_s: deque[float] = deque(maxlen=TIMED_LOOKS)

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def classify(self, look: Look) -> Prediction:
        """The network's and the colour meter's answer for one look.

        Raises:
            HardwareError: the accelerator failed.
        """
        start_s = self._clock.now_s()
        parts = self._score_parts(look)
        colours = NO_COLOUR if self._colours is None else self._colours.measure(look)
        self._look_s.append(self._clock.now_s() - start_s)
        return Prediction(look.track_id, look.frame_index, look.view, parts, colours, look.quality)

    def live_ms(self) -> LookMilliseconds | None:
        """How long the last looks took; None before the first."""
        if not self._look_s:
            return None
        invoke_s = median(self._invoke_s)
        return LookMilliseconds(1e3 * invoke_s, 1e3 * max(median(self._look_s) - invoke_s, 0.0))

    def _score_parts(self, look: Look) -> Scores:
        spec = self._framed if look.mask is None else self._bundle.input
        tensor = to_tensor(cut(look.crop_bgr, box_of(look), spec, look.mm_per_px), self._table)
        start_s = self._clock.now_s()
        stored = self._accelerator.invoke(tensor)
        self._invoke_s.append(self._clock.now_s() - start_s)
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
