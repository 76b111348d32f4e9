"""MobileNetV2 (Sandler et al. 2018) with torchvision's parameter names and TensorFlow's padding.

Only what every int8 accelerator maps: convolutions, depthwise convolutions, ReLU6, add, global mean, one linear layer.
Stride-2 layers pad one pixel right and below, as TensorFlow's SAME does on even sizes: the ImageNet weights were
trained so, and the Keras twin of the export then needs no padding layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from quantization.train.rounding import ActivationRounding, rounded_weights

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""(expansion, channels, repeats, first stride) of each stage: table 2 of the paper."""
LAST_CHANNELS = 1280


class Conv(nn.Conv2d):
    """A convolution without bias whose weights can be rounded as int8 stores them."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False)
        self.rounds = False

    def forward(self, input: Tensor, gain: Tensor | None = None, bias: Tensor | None = None) -> Tensor:  # noqa: A002 - torch's name
        weight = self.weight if gain is None else self.weight * gain[:, None, None, None]
        padded = functional.pad(input, (0, 1, 0, 1)) if self.stride[0] == 2 else input
        return self._conv_forward(padded, rounded_weights(weight) if self.rounds else weight, bias)


class Norm(nn.BatchNorm2d):
    """A batch norm that can be frozen: its statistics then stay, and it becomes part of the convolution before it."""

    frozen = False

    def after(self, conv: Conv, x: Tensor) -> Tensor:
        """`conv` of `x`, normed. Frozen, one convolution does both: much faster, and just what the int8 model does."""
        if not self.frozen:
            return self(conv(x))
        gain, bias = self.gain_and_bias()
        return conv(x, gain, bias)

    def gain_and_bias(self) -> tuple[Tensor, Tensor]:
        """(channels,) factor and summand that the running statistics make of this norm."""
        assert self.running_mean is not None and self.running_var is not None
        gain = self.weight / torch.sqrt(self.running_var + self.eps)
        return gain, self.bias - gain * self.running_mean


class Activated(nn.Sequential):
    """Convolution, batch norm, ReLU6 and, when training for int8, the rounding of the result."""

    def __init__(self, conv: Conv) -> None:
        super().__init__(conv, Norm(conv.out_channels), nn.ReLU6(inplace=True))
        self.rounding = ActivationRounding(0.0, 6.0)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        conv, norm, relu6, rounding = self
        assert isinstance(conv, Conv) and isinstance(norm, Norm)
        return rounding(relu6(norm.after(conv, input)))


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; added to its input where shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(Activated(Conv(channels_in, hidden)))
        layers.append(Activated(Conv(hidden, hidden, 3, stride, groups=hidden)))
        layers += [Conv(hidden, channels_out), Norm(channels_out)]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and channels_in == channels_out
        self.rounding = ActivationRounding()
        self.sum_rounding = ActivationRounding()

    def forward(self, x: Tensor) -> Tensor:
        *activated, conv, norm = self.conv
        assert isinstance(conv, Conv) and isinstance(norm, Norm)
        hidden = x
        for layer in activated:
            hidden = layer(hidden)
        projected = self.rounding(norm.after(conv, hidden))
        return self.sum_rounding(x + projected) if self.adds else projected


class MobileNetV2(nn.Module):
    """(N, 3, H, W) pictures in −1…1 → (N, classes) logits; H = W a multiple of 32."""

    def __init__(self, classes: int, width: float = 1.0, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        channels = rounded(32 * width)
        layers: list[nn.Module] = [Activated(Conv(3, channels, 3, stride=2))]
        for expansion, wanted, repeats, first_stride in BLOCKS:
            for k in range(repeats):
                out = rounded(wanted * width)
                layers.append(InvertedResidual(channels, out, first_stride if k == 0 else 1, expansion))
                channels = out
        last = rounded(LAST_CHANNELS * max(1.0, width))
        layers.append(Activated(Conv(channels, last)))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, classes))

    def round_as_int8(self, rounds: bool) -> None:
        """Switches on, or off, the rounding of weights and activations that the int8 model will suffer."""
        for module in self.modules():
            if isinstance(module, Conv | ActivationRounding):
                module.rounds = rounds

    def freeze_norms(self, frozen: bool) -> None:
        """Keeps the norms' statistics as they are and folds the norms into the convolutions, or undoes that."""
        for module in self.modules():
            if isinstance(module, Norm):
                module.frozen = frozen

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


def rounded(channels: float, divisor: int = 8) -> int:
    """Channels rounded to a multiple of 8, never down by more than a tenth (the paper's reference code)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def to_input(rgb: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 → (N, 3, H, W) float in −1…1, as `edge.bundle.preprocess.normalise` does."""
    return rgb.permute(0, 3, 1, 2).to(torch.float32).sub_(127.5).div_(127.5)
