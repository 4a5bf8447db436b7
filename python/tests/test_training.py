"""Training with compiled models: steps, autocast, checkpoints, threads, several processes."""

import copy

import pytest
import torch
import torch.multiprocessing
from torch import nn
from torch.utils.checkpoint import checkpoint

from boo.runtime import report


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


def test_losses_fall_as_in_eager():
    ours = network()
    eager = copy.deepcopy(ours)
    mine = steps(ours, torch.compile(ours, backend="boo", dynamic=False), 8)
    his = steps(eager, eager, 8)
    assert mine[-1] < mine[0]
    assert mine == pytest.approx(his, rel=1e-3)
    kinds = {graph["kind"] for graph in report.graphs()}
    assert {"forward", "backward"} <= kinds


def test_autocast():
    ours = network()
    eager = copy.deepcopy(ours)
    mine = steps(ours, torch.compile(ours, backend="boo", dynamic=False), 4, torch.bfloat16)
    his = steps(eager, eager, 4, torch.bfloat16)
    assert mine == pytest.approx(his, rel=0.05)


def test_same_bits_for_any_number_of_threads():
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
            y = torch.compile(module, backend="boo", dynamic=False)(x)
            y.backward(torch.ones_like(y))
            weights.append([y.detach(), *(each.grad for each in module.parameters())])
    finally:
        torch.set_num_threads(before)
    for others in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], others))


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 6))

    def forward(self, x):
        return x + checkpoint(self.body, x, use_reentrant=False)


def test_checkpoints():
    module = Checkpointed()
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(5, 6)
    compiled(x).square().sum().backward()
    mine = [each.grad.clone() for each in module.parameters()]
    module.zero_grad()
    module(x).square().sum().backward()
    for got, each in zip(mine, module.parameters()):
        torch.testing.assert_close(got, each.grad, atol=1e-4, rtol=1e-4)


def test_gradients_by_numbers():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 2)).double()
    compiled = torch.compile(module, backend="boo", dynamic=False)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(compiled, (x,))


def _replica(rank, path, results):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{path}", rank=rank, world_size=2
    )
    torch.manual_seed(5)
    module = network().eval()  # batch statistics would differ between replicas
    module.train(False)
    parallel = nn.parallel.DistributedDataParallel(module)
    compiled = torch.compile(parallel, backend="boo", dynamic=False)
    x = torch.randn(4, 3, 12, 12)
    compiled(x[2 * rank : 2 * rank + 2]).square().mean().backward()
    mine = [each.grad.clone() for each in module.parameters()]
    module.zero_grad()
    module(x).square().mean().backward()
    results[rank] = all(
        torch.allclose(a, b.grad, atol=1e-5, rtol=1e-4) for a, b in zip(mine, module.parameters())
    )
    torch.distributed.destroy_process_group()


def test_two_processes(tmp_path):
    """DistributedDataParallel over gloo: the gradients are those of both halves of the batch."""
    context = torch.multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        results = manager.dict()
        torch.multiprocessing.spawn(_replica, (str(tmp_path / "store"), results), nprocs=2)
        assert dict(results) == {0: True, 1: True}
