"""Networks whose layers the input lists of bench/inputs come from, as torch modules.

Weights are random: what is measured does not depend on them. Sizes are those of the published
networks (He et al. 2015; Howard et al. 2017; Dosovitskiy et al. 2020, Touvron et al. 2020).
"""

from __future__ import annotations

import torch
from torch import nn


def _conv_norm(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = _conv_norm(inputs, width, 1)
        self.middle = _conv_norm(width, width, 3, stride)
        self.expand = _conv_norm(width, 4 * width, 1)
        changes = stride != 1 or inputs != 4 * width
        self.shortcut = _conv_norm(inputs, 4 * width, 1, stride) if changes else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.reduce(x))
        y = torch.relu(self.middle(y))
        return torch.relu(self.expand(y) + self.shortcut(x))


def resnet50(classes: int = 1000) -> nn.Module:
    """Input (N, 3, 224, 224)."""
    layers = [_conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(count):
            layers.append(Bottleneck(inputs, width, 2 if stage and not block else 1))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes))


def mobilenet_v1(classes: int = 1000) -> nn.Module:
    """Input (N, 3, 224, 224)."""
    layers = [_conv_norm(3, 32, 3, 2), nn.ReLU()]
    inputs = 32
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5
    for outputs, stride in [*plan, (1024, 2), (1024, 1)]:
        layers += [_conv_norm(inputs, inputs, 3, stride, inputs), nn.ReLU()]
        layers += [_conv_norm(inputs, outputs, 1), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, classes))


class VitBlock(nn.Module):
    def __init__(self, width: int = 384, heads: int = 6) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(n, tokens, width))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


def vit_s(blocks: int = 6) -> nn.Module:
    """Input (N, 197, 384): the tokens."""
    return nn.Sequential(*(VitBlock() for _ in range(blocks)))


#: Name -> (module, input sizes of one example, whether it takes images).
MODELS = {
    "resnet50": (resnet50, (3, 224, 224), True),
    "mobilenet-v1": (mobilenet_v1, (3, 224, 224), True),
    "vit-s": (vit_s, (197, 384), False),
}
