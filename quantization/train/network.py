"""MobileNetV2 (Sandler et al. 2018) with torchvision's parameter names and TensorFlow's padding.

Stride-2 layers pad one pixel right and below, as TensorFlow's SAME does on even sizes: the ImageNet weights were
trained so, and the TensorFlow twin of the export then needs no padding layer.
"""

from __future__ import annotations

from torch import Tensor, nn

from quantization.train.layers import Activated, Conv, Network, Norm, rounded, to_input
from quantization.train.rounding import ActivationRounding

__all__ = ["Activated", "Conv", "InvertedResidual", "MobileNetV2", "Network", "Norm", "rounded", "to_input"]

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""(expansion, channels, repeats, first stride) of each stage: table 2 of the paper."""
LAST_CHANNELS = 1280


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


class MobileNetV2(Network):
    """(N, 3, H, W) pictures in −1…1 → (N, classes) logits; H = W a multiple of 32."""

    kind = "mobilenet-v2"

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
