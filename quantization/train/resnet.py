"""ResNet (He et al. 2016): of 50 layers as a teacher, of 18 and any width as a student for the machine.

Blocks name their layers as torchvision does. `features` is: `Activated` (7×7, stride 2), `Pool`, then blocks. To fold a
block: its `convs` in order, each but the last with a ReLU; then `downsample` of the block's input, where there is one;
their sum; a ReLU. The student pads as TensorFlow's SAME does, for its twin there; the teacher as torchvision does, so
that ImageNet weights serve it exactly (the stride is at the 3×3 layer, torchvision's "V1.5").
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from quantization.train.layers import Activated, Conv, Network, Norm, Pool, rounded
from quantization.train.rounding import ActivationRounding

CHANNELS = (64, 128, 256, 512)
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
"""Blocks of each of the four sizes: table 1 of the paper."""
WIDENING = {18: 1, 50: 4}
"""Channels that leave a block, as a multiple of those inside."""


class Residual(nn.Module):
    """Two 3×3 convolutions, or 1×1, 3×3 and 1×1, added to the input (or to a 1×1 convolution of it), then ReLU."""

    def __init__(self, channels_in: int, inside: int, out: int, stride: int, same: bool) -> None:
        super().__init__()
        if inside == out:
            self.conv1 = Conv(channels_in, inside, 3, stride, same=same)
            self.conv2 = Conv(inside, out, 3)
        else:
            self.conv1 = Conv(channels_in, inside)
            self.conv2 = Conv(inside, inside, 3, stride, same=same)
            self.conv3 = Conv(inside, out)
            self.bn3 = Norm(out)
        self.bn1, self.bn2 = Norm(inside), Norm(inside)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels_in != out:
            self.downsample = nn.Sequential(Conv(channels_in, out, 1, stride), Norm(out))
        self.roundings = nn.ModuleList(ActivationRounding() for _ in self.convs)
        self.shortcut_rounding, self.sum_rounding = ActivationRounding(), ActivationRounding()

    @property
    def convs(self) -> list[tuple[Conv, Norm]]:
        """The convolutions on the way, each with its norm; all but the last are followed by ReLU."""
        ways = [(self.conv1, self.bn1), (self.conv2, self.bn2)]
        return [*ways, (self.conv3, self.bn3)] if hasattr(self, "conv3") else ways

    def forward(self, x: Tensor) -> Tensor:
        hidden = x
        last = len(self.convs) - 1
        for k, (conv, norm) in enumerate(self.convs):
            hidden = norm.after(conv, hidden)
            hidden = self.roundings[k](functional.relu(hidden) if k < last else hidden)
        return self.sum_rounding(functional.relu(hidden + self._shortcut(x)))

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.downsample is None:
            return x
        conv, norm = self.downsample
        assert isinstance(conv, Conv) and isinstance(norm, Norm)
        return self.shortcut_rounding(norm.after(conv, x))


class ResNet(Network):
    """(N, 3, H, W) pictures in −1…1 → (N, classes) logits; H = W a multiple of 32."""

    def __init__(self, classes: int, depth: int, width: float = 1.0, dropout: float = 0.1) -> None:
        super().__init__()
        self.kind, self.width = f"resnet{depth}", width
        same = depth != 50
        channels = rounded(CHANNELS[0] * width)
        layers: list[nn.Module] = [Activated(Conv(3, channels, 7, 2, same=same), relu6=False), Pool(same)]
        for size, (wanted, repeats) in enumerate(zip(CHANNELS, BLOCKS[depth], strict=True)):
            inside = rounded(wanted * width)
            for k in range(repeats):
                stride = 2 if size and k == 0 else 1
                layers.append(Residual(channels, inside, inside * WIDENING[depth], stride, same))
                channels = inside * WIDENING[depth]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))
        for module in self.modules():
            if isinstance(module, Conv):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def torchvision_names(depth: int) -> dict[str, str]:
    """Beginnings of torchvision's parameter names, and of ours."""
    names = {"conv1.": "features.0.0.", "bn1.": "features.0.1.", "fc.": "classifier.1."}
    block = 2
    for size, repeats in enumerate(BLOCKS[depth], start=1):
        for k in range(repeats):
            names[f"layer{size}.{k}."] = f"features.{block}."
            block += 1
    return names
