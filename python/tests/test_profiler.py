"""torch's profiler sees each launch of a kernel, on every road, by the kernel's name."""

import torch
from boo.driver.launch import get_launchable
from boo.op_exports.conv import ConvSignature
from torch import nn
from torch.profiler import ProfilerActivity, profile

import boo
from boo.runtime import kernels


def seen(call):
    """By name, how often the profiler saw what `call` did."""
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        call()
    return {each.key: each.count for each in profiler.key_averages()}


def launched(call):
    """The names of the kernels that a warm `call` launches, and what the profiler saw."""
    events = seen(call)
    before = {id(each): each.calls for each in kernels.living()}
    call()
    return [each.name for each in kernels.living() if each.calls > before[id(each)]], events


def test_eager_convolution():
    x, w = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3)
    events = seen(lambda: boo.boo_conv(x, w))
    assert events[ConvSignature.get(x, w).func_name] == 1
    assert events["boo::convolution"] == 1


def test_gradients():
    x, w = torch.randn(1, 3, 8, 8, requires_grad=True), torch.randn(4, 3, 3, 3)
    boo.ops.enable_backward()
    try:
        events = seen(lambda: boo.boo_conv(x, w).sum().backward())
    finally:
        boo.ops.disable_backward()
    assert events[ConvSignature.get(x, w, mode="bwd").func_name] == 1


def test_launchable():
    signature = ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(3, 2, 3, 3))
    launch, args = get_launchable(signature), signature.get_sample_args()
    assert seen(lambda: launch(*args))[signature.func_name] == 1


class Model(nn.Module):
    """Two launches with a sort between them, the first of two kernels."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 6)

    def forward(self, x):
        return torch.sort(self.second(torch.relu(self.first(x)))).values * 2


def check_model(dynamic=False, grad=False, frozen=False):
    module = Model().requires_grad_(grad).eval()
    if frozen:
        boo.freeze(module)
    model = torch.compile(module, backend="boo", dynamic=dynamic)
    x = torch.randn(7, 5)
    with torch.set_grad_enabled(grad):
        names, events = launched(lambda: model(x))
    assert len(names) == 2 and any(each.endswith(" and 1 more") for each in names)
    assert all(events[each] == 1 for each in names)


def test_compiled_programs():
    check_model()


def test_programs_with_gradients():
    check_model(grad=True)


def test_programs_of_many_sizes():
    check_model(dynamic=True)


def test_frozen_programs():
    check_model(frozen=True)


def test_fused_operators():
    model = torch.compile(nn.Conv2d(3, 4, 3), backend="iree_boo", dynamic=False)
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        names, events = launched(lambda: model(x))
    assert names and all(events[each] == 1 for each in names)


def test_nothing_is_kept_without_a_profiler():
    x, w = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3)
    assert ConvSignature.get(x, w).func_name in seen(lambda: boo.boo_conv(x, w))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        pass
    boo.boo_conv(x, w)
    assert not any("conv" in each.key for each in profiler.key_averages())
