"""Graphs in the form that kernels compute: BOO's own convolutions, and batch norms with running
statistics, are in regions with what surrounds them; values as eager."""

import copy

import pytest
import torch
from boo.modeling import BooConv2d
from torch import nn

import boo
from boo.ops import disable_backward, enable_backward
from boo.runtime import report

#: And how many launches x * 2, the convolution and what is behind it are: a view between two layouts
#: cuts; into a layout that torch would not choose, it is an operator between two regions.
LAYOUTS = [
    ({}, 1),
    (dict(kernel_layout="HWCN"), 1),
    (dict(shared_layout="NHWC"), 3),
    (dict(input_layout="NHWC", output_layout="NCHW"), 2),
]


@pytest.fixture(params=[False, True], ids=["torch", "kernels"])
def backward_by(request):
    if request.param:
        enable_backward()
    yield
    disable_backward()


def compare(function, args, kind="boo", **options):
    """Compiles it, with and without gradients; returns the graphs."""
    compiled = torch.compile(function, backend=kind, **options)
    results = []
    for call in (function, compiled):
        given = [each.detach().clone().requires_grad_() for each in args]
        y = call(*given)
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        with torch.no_grad():
            results.append((y.detach(), call(*given), *(each.grad for each in given)))
        assert y.stride() == results[0][0].stride()
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-4)
    return report.graphs()


def in_layout(sizes, layout, plain="NCHW"):
    return torch.randn([sizes[plain.index(each)] for each in layout or plain])


@pytest.mark.parametrize(("layouts", "launches"), LAYOUTS, ids=str)
def test_values(layouts, launches, backward_by):
    shared = layouts.get("shared_layout")
    x = in_layout((2, 4, 8, 7), layouts.get("input_layout", shared))
    w = in_layout((6, 2, 3, 3), layouts.get("kernel_layout", shared))

    def function(x, w, b):
        y = boo.boo_conv(x * 2, w, b, stride=(1, 2), padding=1, groups=2, **layouts)
        return torch.relu(y) * 0.5

    graphs = compare(function, (x, w, torch.randn(6)), options={"fallback": "error"})
    assert [graph["kind"] for graph in graphs] == ["forward", "backward", "inference"]
    assert not any(graph["torch"] for graph in graphs)
    assert len(graphs[0]["kernels"]) == len(graphs[2]["kernels"]) == launches


#: Beside regions, inductor compiles what torch computes.
either_backend = pytest.mark.parametrize(
    "kind", ["boo", pytest.param("boo_inductor", marks=pytest.mark.needs_compiler)]
)


@either_backend
def test_modules(kind):
    module = nn.Sequential(
        BooConv2d(3, 8, 3, padding=1, bias=False),
        nn.Hardswish(),
        BooConv2d(8, 4, 1),
    )
    x = torch.randn(2, 3, 6, 6).to(memory_format=torch.channels_last)
    for graph in compare(module, (x,), kind):
        assert not graph["torch"]
        if kind == "boo":
            assert len(graph["kernels"]) == 1, "one region"


def test_frozen_norms_are_folded():
    module = nn.Sequential(BooConv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()).eval()
    module[1].running_var.uniform_(0.5, 2)
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        exact = module(x)
        y = torch.compile(boo.freeze(module), backend="boo")(x)
    torch.testing.assert_close(y, exact, rtol=1e-4, atol=1e-4)
    (graph,) = report.graphs()
    (group,) = [group for kernel in graph["kernels"] for group in kernel.groups]
    assert '"sqrt"' not in group["graph"] and "= constant" in group["graph"]


@either_backend
def test_symbolic_sizes(kind):
    module = nn.Sequential(BooConv2d(3, 8, 3, padding=1), nn.ReLU())
    for batch in (2, 3):
        compare(module, (torch.randn(batch, 3, 6, 6),), kind, dynamic=True)
    if kind == "boo":
        assert not any(graph["torch"] for graph in report.graphs())


@pytest.mark.parametrize("kind", ["boo", "boo_inductor"])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients_of_batch_norms_in_eval_mode(kind, affine, dtype):
    """As when a pretrained network is trained with its statistics as they are."""
    norm = nn.BatchNorm2d(8, affine=affine)
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), norm, nn.ReLU()).eval().to(dtype)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    x = torch.randn(4, 3, 9, 9).to(dtype)
    results = []
    for call, kept in ((copy.deepcopy(module).double(), torch.float64), (module, dtype)):
        given = x.to(kept).requires_grad_()
        run = torch.compile(call, backend=kind) if call is module else call
        y = run(given)
        (y * torch.linspace(-1, 1, y.numel(), dtype=kept).view_as(y)).sum().backward()
        results.append([y.detach(), given.grad, *(each.grad for each in call.parameters())])
    for exact, mine in zip(*results):
        assert mine.dtype == dtype
        error = (mine.double() - exact).abs().max().item()
        assert error <= 64 * torch.finfo(dtype).eps * (exact.abs().max().item() + 1)
    graphs = report.graphs()
    assert len(graphs) == 2 and not any(graph["torch"] for graph in graphs)
    assert [len(graph["kernels"]) for graph in graphs] == [1, 1]


def test_statistics_that_are_results():
    """Whoever asks for those of an inference gets them, empty as eager torch's."""
    x = torch.randn(2, 3, 4, 4)
    given = (None, None, torch.zeros(3), torch.ones(3))

    def norms(x):
        return torch.native_batch_norm(x, *given, False, 0.1, 1e-5)

    for mine, his in zip(torch.compile(norms, backend="boo")(x), norms(x)):
        torch.testing.assert_close(mine, his)


def test_backward_by_torch_alone():
    """What the rewritten operator is to torch, where no kernel computes it."""
    x, dy = torch.randn(2, 2, 3, 4, 4)
    running = (torch.randn(3), torch.rand(3) + 1)
    more = (False, 1e-5, [True, False, False])
    backward = torch.ops.aten.native_batch_norm_backward
    wanted = backward(dy, x, None, *running, torch.empty(0), torch.empty(0), *more)
    torch.testing.assert_close(backward(dy, x, None, *running, None, None, *more), wanted)
