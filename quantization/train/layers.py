"""What the networks are made of: only what every int8 accelerator maps, each in a form that folds.

Convolution, batch norm, ReLU or ReLU6, max pool, add, global mean, one linear layer. A norm always follows a
convolution and folds into it; what an activation gives is rounded as int8 does, when a network is trained so.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from quantization.train.rounding import ActivationRounding, rounded_weights


def pads_of(kernel: int, stride: int, same: bool = True) -> tuple[int, int]:
    """Pixels added before and after each axis, for sides that the stride divides.

    Args:
        kernel: side of the window.
        stride: step of the window.
        same: as TensorFlow's SAME has it (the odd pixel right and below); otherwise as torchvision has it.
    """
    if not same:
        return kernel // 2, kernel // 2
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


class Conv(nn.Conv2d):
    """A convolution without bias whose weights can be rounded as int8 stores them.

    `pads` are the pixels added before and after: TensorFlow's SAME, unless `same` is off (torchvision's).
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, same: bool = True
    ) -> None:
        self.pads = pads_of(kernel, stride, same)
        even = self.pads[0] if self.pads[0] == self.pads[1] else 0
        super().__init__(channels_in, channels_out, kernel, stride, even, groups=groups, bias=False)
        self.rounds = False

    def forward(self, input: Tensor, gain: Tensor | None = None, bias: Tensor | None = None) -> Tensor:  # noqa: A002 - torch's name
        weight = self.weight if gain is None else self.weight * gain[:, None, None, None]
        before, after = self.pads
        padded = input if before == after else functional.pad(input, (before, after, before, after))
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
        gain = self.weight / (self.running_var + self.eps).sqrt()
        return gain, self.bias - gain * self.running_mean


class Activated(nn.Sequential):
    """Convolution, batch norm, ReLU6 (or ReLU) and, when training for int8, the rounding of the result."""

    def __init__(self, conv: Conv, relu6: bool = True) -> None:
        super().__init__(conv, Norm(conv.out_channels), nn.ReLU6(inplace=True) if relu6 else nn.ReLU(inplace=True))
        self.rounding = ActivationRounding(0.0, 6.0) if relu6 else ActivationRounding()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        conv, norm, activation, rounding = self
        assert isinstance(conv, Conv) and isinstance(norm, Norm)
        return rounding(activation(norm.after(conv, input)))


class Pool(nn.Module):
    """Max pooling, 3×3 with stride 2, of values that are never negative: padding with zeros then changes nothing."""

    def __init__(self, same: bool = True) -> None:
        super().__init__()
        self.pads = pads_of(3, 2, same)

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.pads
        return functional.max_pool2d(functional.pad(x, (before, after, before, after)), 3, 2)


class Network(nn.Module):
    """(N, 3, H, W) pictures in −1…1 → (N, classes) logits; H = W a multiple of 32.

    Every network is `features`, a sequence of blocks that makes (N, C, H / 32, W / 32) of a picture, the mean over the
    picture, and `classifier`: dropout and one linear layer. `kind` and `width` say which network it is.
    """

    kind: str
    width: float
    features: nn.Sequential
    classifier: nn.Sequential

    @property
    def dense(self) -> nn.Linear:
        """The last layer."""
        layer = self.classifier[1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def dropout(self) -> nn.Dropout:
        """What is before it."""
        layer = self.classifier[0]
        assert isinstance(layer, nn.Dropout)
        return layer

    @property
    def classes(self) -> int:
        return self.dense.out_features

    @property
    def channels(self) -> int:
        """C of what `features` gives."""
        return self.dense.in_features

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

    def freeze_blocks(self, count: int) -> None:
        """Keeps the first `count` blocks of `features` as they are, norms too, and lets all others learn."""
        for number, block in enumerate(self.features):
            for parameter in block.parameters():
                parameter.requires_grad_(number >= count)
            for module in block.modules():
                if number < count and isinstance(module, Norm):
                    module.frozen = True

    def answer(self, features: Tensor) -> Tensor:
        """(N, classes) logits of what `features` made."""
        return self.classifier(functional.adaptive_avg_pool2d(features, 1).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))


def rounded(channels: float, divisor: int = 8) -> int:
    """Channels rounded to a multiple of 8, never down by more than a tenth (MobileNetV2's reference code)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def to_input(rgb: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 → (N, 3, H, W) float in −1…1, as `edge.bundle.preprocess.normalise` does."""
    return rgb.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)


def resized(pictures: Tensor, size_px: int) -> Tensor:
    """(N, 3, H, W) float → (N, 3, size_px, size_px), averaged where they become smaller."""
    if pictures.shape[2:] == (size_px, size_px):
        return pictures
    return functional.interpolate(pictures, size=(size_px, size_px), mode="bilinear", antialias=True)
