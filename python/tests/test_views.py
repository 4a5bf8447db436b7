"""Changes of shape do not keep operators apart: torch.compile(backend="boo") on tokens."""

import pytest
import torch
from compiled import check
from torch import nn
from torch.nn import functional as F

from boo.runtime import report

TOKENS = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


class Mlp(nn.Module):
    """Linear layers on tokens, as transformers have them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(24, 8)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Mlp(), Mlp()

    def forward(self, x):
        return self.second(self.first(x))


class Joins(nn.Module):
    """Tensors in other sizes, scalars and rows beside a product's result."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.linear, self.scale = nn.Linear(8, 6), nn.Parameter(torch.randn(6))
        self.other = nn.Parameter(torch.randn(2, 5, 6))
        self.column = nn.Parameter(torch.randn(5, 1))

    def forward(self, x):
        y = torch.relu(self.linear(x) * self.scale + self.other) * 0.5
        return (y.reshape(10, 6) + 1).view(5, 2, 6).transpose(0, 1) * self.column


def launches():
    return [len(graph["kernels"]) for graph in report.graphs()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("module", [Mlp, Twice, Joins])
@pytest.mark.parametrize("training", [False, True])
def test_values(module, training, dtype):
    report.reset()
    check(module(), TOKENS, training=training, dtype=dtype)
    assert not any(graph["torch"] for graph in report.graphs())


@pytest.mark.parametrize("module", [Mlp, Twice])
def test_blocks_are_one_launch(module):
    report.reset()
    check(module(), TOKENS, training=False)
    assert launches() == [1]


def test_tokens_of_one_image():
    check(Mlp(), TOKENS[:1], training=False)
    check(Mlp(), TOKENS[:1], training=True)


def test_results_of_a_view_keep_their_sizes_and_strides():
    class Shows(nn.Module):
        def forward(self, x, w):
            y = (x.view(10, 8) @ w).view(2, 5, 4)
            z = torch.relu(y)
            return torch.cat([z, y], 2).sum(2) * z[:, :, 0]

    check(Shows(), TOKENS, torch.randn(8, 4), training=False)
    check(Shows(), TOKENS, torch.randn(8, 4), training=True)


def test_parts_of_tensors_are_views():
    class Heads(nn.Module):
        def forward(self, x):
            q, k = x.view(2, 5, 2, 4).permute(2, 0, 1, 3).unbind(0)
            both = torch.relu(q + k[:, :, :])[:, 1:4, ::2]
            return both * x[:, 1:4, 0:2].select(1, 2).unsqueeze(1)

    report.reset()
    check(Heads(), TOKENS, training=False)
    check(Heads(), TOKENS, training=True)
    assert not report.graphs()[0]["torch"].keys() & {"aten.select.int", "aten.slice.Tensor"}


def test_the_strides_of_single_pixels_part_nothing():
    """Adaptive pools to one pixel change its strides: eager's results have them, kernels need not."""

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.layer = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)

        def forward(self, x):
            pixel = torch.relu(nn.functional.adaptive_avg_pool2d(self.features(x), 1))
            return self.layer(pixel.flatten(1))

    images = torch.randn(2, 3, 6, 6).contiguous(memory_format=torch.channels_last)
    for training in (False, True):
        report.reset()
        check(Classifier(), images, training=training)
        assert report.graphs()[0]["torch"] == {}


def test_a_result_keeps_the_strides_of_its_single_pixel():
    class Pools(nn.Module):
        def forward(self, x):
            return nn.functional.adaptive_avg_pool2d(torch.relu(x), 1)

    images = torch.randn(2, 3, 6, 6).contiguous(memory_format=torch.channels_last)
    check(Pools(), images, training=False)
