"""torch.compile(backend="boo"): values of every fusion, forward and backward, against float64."""

import pytest
import torch
from boo.backends import region_kernel
from compiled import assert_whole, check, groups
from torch import nn
from torch.nn import functional as F

import boo
from boo.runtime import report

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "hardswish": nn.Hardswish(),
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "hardsigmoid": nn.Hardsigmoid(),
    "leaky_relu": nn.LeakyReLU(0.1),
    "elu": nn.ELU(),
    "clamp": nn.Hardtanh(-0.5, 0.75),
}
BOTH = pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
FORMATS = pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
FLOATS = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)


@BOTH
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_behind_convolutions(activation, training):
    module = nn.Sequential(nn.Conv2d(6, 10, 3, padding=1), ACTIVATIONS[activation])
    graphs = check(module, torch.randn(2, 6, 9, 8), training=training)
    assert_whole(graphs)
    if not training:
        assert len(groups(graphs)) == 1, "one kernel"


class Residual(nn.Module):
    def __init__(self, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(8)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)) + x)


@BOTH
@FORMATS
@FLOATS
def test_residual(dtype, last, training):
    graphs = check(Residual(), torch.randn(2, 8, 7, 9), training=training, dtype=dtype, last=last)
    if dtype == torch.float32:
        # The counter of batches is an integer.
        assert {why for each in graphs for why in each["torch"]} <= {"aten.add.Tensor"}


@BOTH
@FORMATS
def test_depthwise_and_pointwise(last, training):
    module = nn.Sequential(
        nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU6(), nn.Conv2d(16, 24, 1)
    )
    assert_whole(check(module, torch.randn(2, 16, 10, 10), training=training, last=last))


@BOTH
def test_transposed(training):
    module = nn.Sequential(
        nn.ConvTranspose2d(6, 5, 3, stride=2, padding=1, output_padding=1), nn.SiLU()
    )
    assert_whole(check(module, torch.randn(2, 6, 5, 6), training=training))


@BOTH
@pytest.mark.parametrize("rank", [1, 3])
def test_other_ranks(rank, training):
    conv = {1: nn.Conv1d, 3: nn.Conv3d}[rank]
    module = nn.Sequential(conv(4, 6, 3, padding=1), nn.ReLU())
    assert_whole(check(module, torch.randn(2, 4, *(6,) * rank), training=training))


@BOTH
@FLOATS
def test_linear(dtype, training):
    module = nn.Sequential(nn.Linear(20, 33), nn.GELU(), nn.Linear(33, 7, bias=False))
    assert_whole(check(module, torch.randn(5, 20), training=training, dtype=dtype))
    check(module, torch.randn(2, 3, 20), training=training, dtype=dtype)


class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)


@BOTH
@FLOATS
@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal, dtype, training):
    q, k, v = (torch.randn(2, 3, 17, 16) for _ in range(3))
    assert_whole(check(Attention(causal), q, k, v, training=training, dtype=dtype))


@BOTH
@FLOATS
def test_layer_norm(dtype, training):
    module = nn.LayerNorm(24)
    nn.init.uniform_(module.weight, 0.5, 1.5)
    assert_whole(check(module, torch.randn(4, 5, 24), training=training, dtype=dtype))


class Softmax(nn.Module):
    def __init__(self, dim, log):
        super().__init__()
        self.call = (nn.LogSoftmax if log else nn.Softmax)(dim)

    def forward(self, x):
        return self.call(x)


@BOTH
@pytest.mark.parametrize("dim", [-1, 1])
@pytest.mark.parametrize("log", [False, True])
def test_softmax(dim, log, training):
    assert_whole(check(Softmax(dim, log), torch.randn(3, 11, 13), training=training))


@BOTH
@FORMATS
@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d(2)],
    ids=str,
)
def test_pools(pool, last, training):
    check(nn.Sequential(pool, nn.ReLU()), torch.randn(2, 5, 8, 8), training=training, last=last)


class Chain(nn.Module):
    def forward(self, x, y):
        z = torch.clamp(x * y - 0.5, min=-1.0) / (y.abs() + 1)
        return torch.maximum(z.exp(), -x) * torch.rsqrt(x * x + 1) + z.mean(-1, keepdim=True)


@BOTH
def test_pointwise_chain(training):
    check(Chain(), torch.randn(4, 5, 6), torch.randn(5, 6), training=training)


def test_mixed_types():
    class Mixed(nn.Module):
        def forward(self, x, y):
            return x.float() + y.to(torch.bfloat16) * 2

    x, y = torch.randn(6, 7).bfloat16(), torch.randn(6, 7)
    with torch.no_grad():
        got = torch.compile(Mixed(), backend="boo")(x, y)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, Mixed()(x, y), atol=0.05, rtol=0.02)


def test_autocast():
    module = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU())
    x = torch.randn(1, 4, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        got, wanted = torch.compile(module, backend="boo")(x), module(x)
    assert got.dtype == wanted.dtype == torch.bfloat16
    torch.testing.assert_close(got, wanted, atol=0.03, rtol=0.03)


def test_what_torch_computes_stays_there():
    class Cut(nn.Module):
        def forward(self, x):
            y = torch.relu(x @ x.t())
            order = torch.sort(y, dim=-1).values
            return torch.cumsum(order * 2, 0) + y

    check(Cut(), torch.randn(9, 9), training=False)
    names = {name for graph in report.graphs() for name in graph["torch"]}
    assert names == {"aten.sort.default", "aten.cumsum.default"}


def test_no_cycle_through_torch():
    """A node behind something that torch computes is in a later region than what that needs."""

    class Diamond(nn.Module):
        def forward(self, x):
            y = torch.relu(x)
            return y + torch.sort(y * 3).values + torch.exp(y)

    check(Diamond(), torch.randn(6, 8), training=False)


@pytest.mark.parametrize("dynamic", [True, None])
def test_sizes_that_vary(dynamic):
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    compiled = torch.compile(module, backend="boo", dynamic=dynamic)
    with torch.no_grad():
        for batch, size in [(2, 8), (3, 8), (5, 9), (2, 8), (1, 4)]:
            x = torch.randn(batch, 3, size, size)
            torch.testing.assert_close(compiled(x), module(x), atol=1e-4, rtol=1e-4)


def test_sizes_that_vary_in_training():
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh())
    compiled = torch.compile(module, backend="boo", dynamic=True)
    for batch in (2, 3, 7):
        x = torch.randn(batch, 6)
        module.zero_grad()
        compiled(x).square().sum().backward()
        mine = [each.grad.clone() for each in module.parameters()]
        module.zero_grad()
        module(x).square().sum().backward()
        for got, each in zip(mine, module.parameters()):
            torch.testing.assert_close(got, each.grad, atol=1e-4, rtol=1e-4)


def test_weight_changed_in_place():
    module = nn.Conv2d(3, 4, 3)
    compiled = torch.compile(module, backend="boo")
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        compiled(x)
        module.weight.mul_(2)
        module.weight.data[0] = 5
        torch.testing.assert_close(compiled(x), module(x), atol=1e-4, rtol=1e-4)


def test_module_moved_between_types():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    compiled = torch.compile(module, backend="boo")
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.float32):
            module.to(dtype)
            x = torch.randn(1, 3, 6, 6, dtype=dtype)
            torch.testing.assert_close(compiled(x), module(x), atol=0.05, rtol=0.05)


def test_empty_and_expanded_inputs():
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
    compiled = torch.compile(module, backend="boo", dynamic=False)
    with torch.no_grad():
        assert compiled(torch.randn(0, 6)).shape == (0, 5)
        x = torch.randn(1, 6).expand(4, 6)
        torch.testing.assert_close(compiled(x), module(x), atol=1e-5, rtol=1e-5)
        x = torch.randn(6, 8).t()[::2, :]
        torch.testing.assert_close(compiled(x), module(x), atol=1e-5, rtol=1e-5)


def test_no_gradient_where_the_graph_has_none():
    table = nn.Embedding(4, 3)

    @torch.compile(backend="boo")
    def look_up(i):
        with torch.no_grad():
            return table(i)

    assert not look_up(torch.tensor([1])).requires_grad

    @torch.compile(backend="boo")
    def switch_off(x):
        torch.set_grad_enabled(False)
        return x * 2

    switch_off(torch.ones(3))
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


def test_names_of_operators_do_not_clash():
    @torch.library.custom_op("boo_test::kernel", mutates_args=())
    def kernel(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    kernel.register_fake(torch.empty_like)
    with torch.no_grad():
        x = torch.randn(3, 3)
        call = torch.compile(lambda x: kernel(kernel(x) @ x) @ x, backend="boo")
        torch.testing.assert_close(call(x), ((x + 1) @ x + 1) @ x)


def test_what_fails_is_built_anew_alone(monkeypatch):
    """A node whose kernel cannot be had goes to torch; kernels of other regions are made once."""
    own, seen = region_kernel.build, []

    def build(nodes, constants):
        names = [str(node.target).split(".")[1] for node in nodes]
        seen.append(names)
        if "tanh" in names:
            raise boo.CompileError("no tanh today")
        return own(nodes, constants)

    monkeypatch.setattr(region_kernel, "build", build)

    def function(x):
        return torch.sort(torch.tanh(torch.exp(torch.sort(torch.relu(x)).values))).values.abs()

    x = torch.randn(4, 5)
    torch.testing.assert_close(torch.compile(function, backend="boo")(x), function(x))
    assert seen.count(["relu"]) == 1 and seen.count(["abs"]) == 1
    assert "no tanh today" in report.graphs()[0]["torch"]["aten.tanh.default"]


def test_a_negation_that_tracing_did_not_foresee():
    """The kernel itself is what dynamo calls: its guards must tell the tensors apart."""
    x, w = torch.randn(1, 4, 6, 6), torch.randn(4, 4, 1, 1)
    call = torch.compile(lambda x, w: F.relu(torch.conv2d(x, w)), backend="boo", dynamic=False)
    with torch.no_grad():
        for given in (x, torch._neg_view(x), x):
            wanted = F.relu(torch.conv2d(given, w))
            torch.testing.assert_close(call(given, w), wanted, atol=1e-5, rtol=1e-5)
