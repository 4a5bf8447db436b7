"""Training with compiled models and with modules: steps, autocast, checkpoints, threads, processes."""

import copy
import warnings

import pytest
import torch
import torch.multiprocessing
from boo.modeling import replace_convs_with_boo
from torch import nn
from torch.utils.checkpoint import checkpoint

from boo.ops import boo_conv, disable_backward, enable_backward
from boo.runtime import fallbacks, kernels, report


def compiled(module):
    return torch.compile(module, backend="boo", dynamic=False)


#: What is called in place of a module.
ROADS = {"compiled": compiled, "modules": replace_convs_with_boo}


@pytest.fixture(params=ROADS)
def road(request):
    """Gradients of modules are kernels', too."""
    enable_backward()
    yield ROADS[request.param]
    disable_backward()


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, groups=4),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def steps(module, call, count, dtype=None):
    """The losses of some steps on fixed data."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(6, 3, 12, 12, generator=generator)
    wanted = torch.randint(0, 4, (6,), generator=generator)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            loss = nn.functional.cross_entropy(call(x), wanted)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_losses_fall_as_in_eager(road):
    ours = network()
    eager = copy.deepcopy(ours)
    mine = steps(ours, road(ours), 8)
    his = steps(eager, eager, 8)
    assert mine[-1] < mine[0]
    assert mine == pytest.approx(his, rel=1e-3)
    assert not fallbacks.counts()
    if road is compiled:
        assert {"forward", "backward"} <= {graph["kind"] for graph in report.graphs()}


def test_autocast(road):
    ours = network()
    eager = copy.deepcopy(ours)
    mine = steps(ours, road(ours), 4, torch.bfloat16)
    his = steps(eager, eager, 4, torch.bfloat16)
    assert mine == pytest.approx(his, rel=0.05)


def test_autocast_of_another_device(road):
    """It leaves the CPU's tensors alone."""
    module = network()
    call, x = road(module), torch.randn(2, 3, 12, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns where there is no such device
        with torch.autocast("cuda"):
            y = call(x)
    assert y.dtype == torch.float32


def test_same_bits_for_any_number_of_threads(road):
    start = network()
    before = torch.get_num_threads()
    weights = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            torch._dynamo.reset()
            module = copy.deepcopy(start)
            # Everything but the loss and the optimizer, whose sums are torch's.
            x = torch.randn(6, 3, 12, 12, generator=torch.Generator().manual_seed(1))
            y = road(module)(x)
            y.backward(torch.ones_like(y))
            weights.append([y.detach(), *(each.grad for each in module.parameters())])
    finally:
        torch.set_num_threads(before)
    for others in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], others))


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(6, 12), nn.GELU(), nn.Conv2d(3, 3, 3, padding=1), nn.Linear(12, 6)
        )

    def forward(self, x):
        return x + checkpoint(self.body, x, use_reentrant=False)


def test_checkpoints(road):
    module = Checkpointed()
    eager = copy.deepcopy(module)
    x = torch.randn(2, 3, 5, 6)
    road(module)(x).square().sum().backward()
    mine = [each.grad for each in module.parameters()]
    eager(x).square().sum().backward()
    for got, each in zip(mine, eager.parameters()):
        torch.testing.assert_close(got, each.grad, atol=1e-4, rtol=1e-4)


def test_gradients_by_numbers(road):
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 2)).double()
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(road(module), (x,))


def test_gradients_of_gradients():
    """They are torch's: only what is computed without a record of it is a kernel's."""
    x, w = (torch.randn(sizes, dtype=torch.float64) for sizes in ((1, 2, 5, 5), (3, 2, 3, 3)))
    results = []
    enable_backward()
    try:
        for conv in (boo_conv, torch.conv2d):
            a, b = (each.clone().requires_grad_() for each in (x, w))
            before = len(kernels.living())
            first = torch.autograd.grad(conv(a, b).square().sum(), (a, b), create_graph=True)
            made = kernels.living()[before:]
            assert not any("backward" in each.name for each in made)
            sum(each.square().sum() for each in first).backward()
            results.append([*first, a.grad, b.grad])
    finally:
        disable_backward()
    for mine, his in zip(*results):
        torch.testing.assert_close(mine, his)
    # Compiled graphs have none: torch says so.
    x.requires_grad_()
    y = compiled(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh()).double())(x)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"):
        first.sum().backward()


class Whole(nn.Module):
    """dynamo leaves alone what DistributedDataParallel calls if its forward is torch's own."""

    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return self.body(x)


def _replica(rank, path, name, results):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{path}", rank=rank, world_size=2
    )
    torch.manual_seed(5)
    module = Whole().eval()  # batch statistics would differ between replicas
    whole = copy.deepcopy(module)
    enable_backward()
    if name == "modules":
        replace_convs_with_boo(module)
    call = nn.parallel.DistributedDataParallel(module)
    if name == "compiled":
        call = compiled(call)
    x = torch.randn(4, 3, 12, 12)
    call(x[2 * rank : 2 * rank + 2]).square().mean().backward()
    whole(x).square().mean().backward()
    ran = any(each.calls for each in kernels.living())
    results[rank] = ran and all(
        torch.allclose(a.grad, b.grad, atol=1e-5, rtol=1e-4)
        for a, b in zip(module.parameters(), whole.parameters())
    )
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", ROADS)
def test_two_processes(tmp_path, name):
    """DistributedDataParallel over gloo: two halves of a batch give the gradients that one process
    has, by torch, of the whole."""
    context = torch.multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        results = manager.dict()
        torch.multiprocessing.spawn(_replica, (str(tmp_path / "store"), name, results), nprocs=2)
        assert dict(results) == {0: True, 1: True}
