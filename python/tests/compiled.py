"""Compiled modules compared with eager ones."""

import copy

import torch

from boo.runtime import report


def check(module, *inputs, training=True, dtype=torch.float32, last=False, scale=64.0):
    """Compares the compiled module in `dtype` with eager in float64; eager in `dtype` tells how far
    off that type may be. Returns the graphs that were compiled."""
    module = module.train(training)
    exact = copy.deepcopy(module).double()
    eager = copy.deepcopy(module).to(dtype)
    ours = copy.deepcopy(eager)
    if last:
        ours, eager = (each.to(memory_format=torch.channels_last) for each in (ours, eager))

    def run(model, kind, compiled=False):
        arguments = [each.detach().clone().to(kind) for each in inputs]
        if last and kind == dtype:
            arguments = [
                each.to(memory_format=torch.channels_last) if each.dim() == 4 else each
                for each in arguments
            ]
        call = torch.compile(model, backend="boo", dynamic=False) if compiled else model
        if not training:
            with torch.no_grad():
                return [call(*arguments)]
        for each in arguments:
            each.requires_grad_()
        y = call(*arguments)
        (
            y.double() * torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view_as(y)
        ).sum().backward()
        gradients = [each.grad for each in (*arguments, *model.parameters())]
        return [y.detach(), *gradients, *model.buffers()]

    wanted, usual, got = run(exact, torch.float64), run(eager, dtype), run(ours, dtype, True)
    assert len(got) == len(usual)
    for mine, his, right in zip(got, usual, wanted):
        if right is None or not right.is_floating_point():
            assert right is None or torch.equal(mine, his)
            continue
        assert mine.dtype == his.dtype and mine.shape == his.shape
        size = right.abs().max().item() + 1e-3
        error = (mine.double() - right).abs().max().item()
        usual_error = (his.double() - right).abs().max().item()
        assert error <= 2 * usual_error + scale * torch.finfo(dtype).eps * size, (
            error,
            usual_error,
        )
    assert strides(got[0]) == strides(usual[0])
    return report.graphs()


def strides(tensor):
    """Those that mean something: fake tensors are not eager's in dimensions of one element."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride()) if size != 1]


def assert_whole(graphs):
    """All of every graph is kernels."""
    assert graphs
    for graph in graphs:
        assert not graph["torch"], graph["torch"]


def groups(graphs):
    return [group for graph in graphs for kernel in graph["kernels"] for group in kernel.groups]
