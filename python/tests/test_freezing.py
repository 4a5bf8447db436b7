"""boo.freeze: values, what is folded, and that nothing is ever stale."""

import copy

import pytest
import torch
from torch import nn

import boo
from boo.runtime import report


def network():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.BatchNorm2d(8, affine=False),
        nn.Conv2d(8, 6, 1),
        nn.Flatten(),
        nn.Linear(6 * 64, 5),
    ).eval()
    for each in module:
        if isinstance(each, nn.BatchNorm2d):
            each.running_mean.uniform_(-1, 1)
            each.running_var.uniform_(0.5, 2)
    return module


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def close(got, wanted):
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("last", [False, True])
def test_values(last, dtype):
    module = network()
    if last:
        module = module.to(memory_format=torch.channels_last)
    exact = copy.deepcopy(module).double()
    module = boo.freeze(module.to(dtype))
    x = torch.randn(2, 3, 8, 8).to(dtype)
    got = torch.compile(module, backend="boo", dynamic=False)(x)
    usual = (module(x).double() - exact(x.double())).abs().max()
    assert (got.double() - exact(x.double())).abs().max() <= 2 * usual + 1e-5
    (graph,) = report.graphs()
    names = [group["graph"] for kernel in graph["kernels"] for group in kernel.groups]
    assert not any('"sqrt"' in text or '"pow"' in text for text in names), "norms are folded"
    assert any("= constant" in text for text in names), "weights are packed"


def test_changes_are_noticed():
    module = boo.freeze(network())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(1, 3, 8, 8)
    close(compiled(x), module(x))
    module[0].weight.mul_(-2)
    close(compiled(x), module(x))
    module[1].running_mean.add_(1)
    close(compiled(x), module(x))
    module[7].bias.copy_(torch.randn(5))
    close(compiled(x), module(x))
    module[5].weight.data = torch.randn(6, 8, 1, 1)
    close(compiled(x), module(x))


def test_uncounted_writes_need_refresh():
    module = boo.freeze(network())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(1, 3, 8, 8)
    before = compiled(x)
    module[0].weight.data.mul_(-3)
    torch.testing.assert_close(compiled(x), before)
    boo.refresh()
    close(compiled(x), module(x))


def test_unfreeze():
    module = boo.freeze(network())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(1, 3, 8, 8)
    before = compiled(x)
    boo.unfreeze(module)
    module[7].bias.data.add_(1)
    close(compiled(x), before + 1)


def test_replaced_parameter():
    module = boo.freeze(network())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(1, 3, 8, 8)
    compiled(x)
    module[7].bias = nn.Parameter(torch.randn(5))
    close(compiled(x), module(x))


def test_inference_tensors_are_refused():
    with torch.inference_mode():
        module = nn.Linear(3, 4)
    with pytest.raises(ValueError, match="inference tensor"):
        boo.freeze(module)


def test_training_ignores_it():
    module = boo.freeze(nn.Sequential(nn.Linear(4, 5), nn.ReLU()))
    with torch.enable_grad():
        compiled = torch.compile(module, backend="boo", dynamic=False)
        x = torch.randn(3, 4)
        compiled(x).sum().backward()
        mine = module[0].weight.grad.clone()
        module.zero_grad()
        module(x).sum().backward()
    close(mine, module[0].weight.grad)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(4, 4))

    def forward(self, x):
        return x @ (self.w + torch.randn_like(self.w)), self.w * 2


def test_random_numbers_and_results_are_new_at_each_call():
    compiled = torch.compile(boo.freeze(Noisy()), backend="boo", dynamic=False)
    x = torch.randn(3, 4)
    first, doubled = compiled(x)
    doubled.zero_()
    second, doubled = compiled(x)
    assert not torch.equal(first, second)
    assert torch.equal(doubled, torch.full((4, 4), 2.0))


def test_memory_used_again_is_noticed():
    module = boo.freeze(nn.Sequential(nn.Conv2d(64, 64, 1), nn.BatchNorm2d(64)).eval())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(1, 64, 4, 4)
    compiled(x)
    for _ in range(6):
        module[0].weight.data = torch.randn(64, 64, 1, 1)
        close(compiled(x), module(x))


def test_buffers_of_other_types():
    class Rotated(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("turn", torch.polar(torch.ones(4), torch.arange(4.0)))
            self.line = nn.Linear(8, 8)

        def forward(self, x):
            pairs = torch.view_as_complex(self.line(x).view(-1, 4, 2))
            return torch.view_as_real(pairs * self.turn).flatten(1)

    module = boo.freeze(Rotated())
    x = torch.randn(3, 8)
    close(torch.compile(module, backend="boo", dynamic=False)(x), module(x))


def test_expanded_weights():
    class Blur(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("k", torch.rand(1, 1, 3, 3))
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x):
            return self.norm(nn.functional.conv2d(x, self.k.expand(8, 1, 3, 3), groups=8))

    module = boo.freeze(Blur().eval())
    x = torch.randn(1, 8, 6, 6)
    close(torch.compile(module, backend="boo", dynamic=False)(x), module(x))


def test_buffers_that_the_graph_writes_to():
    module = boo.freeze(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).train())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(2, 3, 6, 6)
    for _ in range(4):
        compiled(x)
    assert len(report.graphs()) == 1, "made once"
