"""boo_conv: values against float64, strides as eager torch's, gradients, and what it refuses."""

import copy
import itertools

import numpy as np
import pytest
import torch
from boo.op_exports.conv import ConvSignature

import boo
from boo.ops import _conv_kernels, boo_conv, disable_backward, enable_backward
from boo.runtime import fallbacks, kernels, use_cache_dir

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
SHAPES = [  # input, weight, arguments
    ((2, 8, 9), (6, 8, 3), {}),
    ((1, 8, 4, 4), (8, 8, 1, 1), {}),
    ((2, 3, 13, 11), (10, 3, 3, 2), dict(stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
    ((2, 12, 7, 8), (12, 1, 3, 3), dict(padding=1, groups=12)),
    ((1, 64, 12, 12), (32, 64, 3, 3), dict(padding=1)),
    ((2, 4, 5, 6, 7), (6, 2, 3, 2, 1), dict(padding=(1, 0, 0), groups=2)),
]


def reference(x, w, b, **arguments):
    call = (None, None, None, torch.conv1d, torch.conv2d, torch.conv3d)[x.dim()]
    wide = [each if each is None else each.double() for each in (x, w, b)]
    return call(*wide, **arguments)


def tolerance(dtype, exact):
    return 4 * torch.finfo(dtype).eps * max(1.0, exact.abs().max().item()) * 8


def eager(x, w, b, **arguments):
    call = (None, None, None, torch.conv1d, torch.conv2d, torch.conv3d)[x.dim()]
    return call(x, w, b, **arguments)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("shapes", SHAPES, ids=lambda each: "x".join(map(str, each[0])))
def test_values_and_strides(shapes, last, dtype):
    torch.manual_seed(1)
    x, w = (torch.randn(sizes).to(dtype) for sizes in shapes[:2])
    b = torch.randn(w.shape[0]).to(dtype)
    if last and x.dim() > 3:
        x = x.to(memory_format=[torch.channels_last, torch.channels_last_3d][x.dim() - 4])
    exact = reference(x, w, b, **shapes[2])
    before = fallbacks.counts()
    y = boo_conv(x, w, b, **shapes[2])
    assert fallbacks.counts() == before, "a kernel served it"
    assert y.dtype == dtype
    assert (y.double() - exact).abs().max().item() <= tolerance(dtype, exact)
    assert y.stride() == eager(x, w, b, **shapes[2]).stride()


@pytest.mark.parametrize(
    "sizes", [(1, 8, 1, 1), (2, 1, 4, 4), (1, 8, 4, 1), (1, 1, 1, 1), (3, 8, 1, 5)]
)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.to(memory_format=torch.channels_last)])
def test_strides_where_sizes_are_one(sizes, view):
    x, w = view(torch.randn(sizes)), torch.randn(4, sizes[1], 1, 1)
    assert boo_conv(x, w).stride() == torch.conv2d(x, w).stride()
    x, w = torch.randn(sizes), view(torch.randn(4, sizes[1], 1, 1))
    assert boo_conv(x, w).stride() == torch.conv2d(x, w).stride()


def test_layouts():
    x, w = torch.randn(2, 16, 32, 3), torch.randn(10, 2, 2, 3)
    exact = torch.conv2d(x.permute(0, 3, 1, 2).double(), w.permute(0, 3, 1, 2).double())
    y = boo_conv(x, w, shared_layout="NHWC")
    assert y.shape == (2, 15, 31, 10) and y.is_contiguous()
    torch.testing.assert_close(y.double(), exact.permute(0, 2, 3, 1), atol=1e-5, rtol=1e-5)
    mixed = boo_conv(
        x.permute(0, 3, 1, 2).contiguous(),
        w,
        input_layout="NCHW",
        kernel_layout="NHWC",
        output_layout="NCHW",
    )
    torch.testing.assert_close(mixed.double(), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernels", [False, True], ids=["torch", "boo"])
@pytest.mark.parametrize("layout", [None, "NHWC"])
def test_gradients(kernels, layout):
    (enable_backward if kernels else disable_backward)()
    try:
        x, w = torch.randn(2, 7, 8, 6), torch.randn(5, 3, 3, 6)
        b = torch.randn(5)
        if layout is None:
            x, w = (each.permute(0, 3, 1, 2).contiguous() for each in (x, w))
        ours = [each.clone().requires_grad_() for each in (x, w, b)]
        wide = [each.double().requires_grad_() for each in (x, w, b)]
        arguments = dict(stride=2, padding=1)
        y = boo_conv(*ours, shared_layout=layout, **arguments)
        plain = (each if layout is None else each.permute(0, 3, 1, 2) for each in wide[:2])
        exact = torch.conv2d(*plain, wide[2], **arguments)
        if layout:
            exact = exact.permute(0, 2, 3, 1)
        grad = torch.randn_like(y)
        y.backward(grad)
        exact.backward(grad.double())
        for mine, his in zip(ours, wide):
            torch.testing.assert_close(mine.grad.double(), his.grad, atol=1e-4, rtol=1e-4)
    finally:
        disable_backward()


@pytest.mark.parametrize("layout", [None, "NHWC"])
@pytest.mark.parametrize("wanted", list(itertools.product([False, True], repeat=3))[1:], ids=str)
def test_gradients_are_one_launch(wanted, layout, tmp_path):
    """Whatever is wanted of input, weight and bias, under the name that a signature of it has."""
    x, w, b = torch.randn(2, 5, 6, 7), torch.randn(4, 3, 3, 7), torch.randn(4)
    if layout is None:
        x, w = (each.permute(0, 3, 1, 2).contiguous() for each in (x, w))
    tensors = [each.requires_grad_(grad) for each, grad in zip((x, w, b), wanted)]
    shapes = dict(stride=2, padding=1)
    signature = ConvSignature.get(
        x.detach(), w.detach(), backward_mask=wanted, shared_layout=layout or "NCHW", **shapes
    )
    y = boo_conv(*tensors, shared_layout=layout, **shapes)
    # A sum's gradient has one element for all.
    for grad in (torch.randn_like(y), torch.ones(()).expand(y.shape)):
        exact = torch.ops.aten.convolution_backward(
            *((each if layout is None else each.permute(0, 3, 1, 2)).double()
              for each in (grad, x.detach(), w.detach())),
            [4], [2, 2], [1, 1], [1, 1], False, [0, 0], 1, wanted,
        )  # fmt: skip
        enable_backward()
        try:
            with use_cache_dir(tmp_path / str(grad.stride())):
                before = {id(each) for each in kernels.living()}
                made = torch.autograd.grad(
                    y, [each for each in tensors if each.requires_grad], grad, retain_graph=True
                )
                (kernel,) = (each for each in kernels.living() if id(each) not in before)
                assert kernel.calls == 1
                assert kernel.name == signature.func_name
                assert (tmp_path / str(grad.stride()) / kernel.name).is_dir()
        finally:
            disable_backward()
        results = iter(made)
        for wide, own, is_wanted in zip(exact, (x, w, b), wanted):
            if is_wanted:
                got = next(results)
                if layout is not None and own is not b:
                    wide = wide.permute(0, 2, 3, 1)
                torch.testing.assert_close(got.double(), wide, atol=1e-4, rtol=1e-4)
    assert not fallbacks.counts()


@pytest.mark.parametrize("kernels", [False, True], ids=["torch", "boo"])
def test_gradcheck(kernels):
    (enable_backward if kernels else disable_backward)()
    try:
        x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
        w = torch.randn(4, 1, 3, 3, dtype=torch.float64, requires_grad=True)
        b = torch.randn(4, dtype=torch.float64, requires_grad=True)
        call = lambda *tensors: boo_conv(*tensors, padding=1, groups=2)
        assert torch.autograd.gradcheck(call, (x, w, b))
        assert torch.autograd.gradgradcheck(call, (x, w, b))
    finally:
        disable_backward()


def test_expanded_gradient():
    enable_backward()
    try:
        x, w = torch.randn(1, 4, 6, 6), torch.randn(3, 4, 3, 3, requires_grad=True)
        boo_conv(x, w).sum().backward()
        mine, w.grad = w.grad, None
        torch.conv2d(x, w).sum().backward()
        torch.testing.assert_close(mine, w.grad, atol=1e-4, rtol=1e-4)
    finally:
        disable_backward()


def test_autocast():
    x, w = torch.randn(1, 8, 5, 5), torch.randn(4, 8, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert boo_conv(x, w).dtype == torch.bfloat16
    if hasattr(torch, "cuda"):
        with torch.autocast("cuda", enabled=False):
            assert boo_conv(x, w).dtype == torch.float32


def test_odd_tensors():
    x, w = torch.randn(2, 8, 10, 10), torch.randn(4, 8, 3, 3)
    cut = x[:, :, 1:8:2, ::3]
    torch.testing.assert_close(boo_conv(cut, w), torch.conv2d(cut, w), atol=1e-4, rtol=1e-4)
    wide = x[:1, :1].expand(3, 8, 10, 10)
    torch.testing.assert_close(boo_conv(wide, w), torch.conv2d(wide, w), atol=1e-4, rtol=1e-4)
    none = torch.randn(0, 8, 10, 10)
    assert boo_conv(none, w).shape == (0, 4, 8, 8)
    negative = torch._neg_view(x)
    torch.testing.assert_close(boo_conv(negative, w), torch.conv2d(-x, w), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="channels"):
        boo_conv(x, torch.randn(4, 7, 3, 3))
    with pytest.raises(ValueError, match="float64"):
        boo_conv(x, w.double())
    with pytest.raises(ValueError, match="no order"):
        boo_conv(x, w, shared_layout="NHCC")
    with pytest.raises((TypeError, RuntimeError), match="Tensor"):
        boo_conv(x, [1, 2])


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "last"])
def test_complex(rank, last):
    """torch computes it, with its gradients, and that is counted."""
    if last and rank == 1:
        pytest.skip("no memory format")
    x = torch.randn(2, 4, *(5,) * rank, dtype=torch.complex64)
    w = torch.randn(6, 2, *(3,) * rank, dtype=torch.complex64)
    if last:
        x = x.to(memory_format=[torch.channels_last, torch.channels_last_3d][rank - 2])
    eager = [torch.conv1d, torch.conv2d, torch.conv3d][rank - 1]
    shapes = dict(stride=2, padding=1, groups=2)
    exact = eager(x, w, **shapes)
    for call in (boo_conv, torch.compile(boo_conv, backend="boo", dynamic=False)):
        fallbacks.reset()
        y = call(x, w, **shapes)
        torch.testing.assert_close(y, exact)
        assert y.stride() == exact.stride()
        assert ("convolution", "no kernel for these types") in fallbacks.counts()
    ours, theirs = (w.clone().requires_grad_() for _ in range(2))
    boo_conv(x, ours, **shapes).abs().sum().backward()
    eager(x, theirs, **shapes).abs().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    with torch.inference_mode():
        torch.testing.assert_close(boo_conv(x, w, **shapes), exact)


def test_other_types():
    x, w = torch.randint(9, (1, 2, 5, 5)), torch.randint(9, (3, 2, 3, 3))
    boo_conv(x.float(), w.float())
    for dtype in (torch.int16, torch.uint8, torch.int64):
        assert torch.equal(
            boo_conv(x.to(dtype), w.to(dtype)), torch.conv2d(x.to(dtype), w.to(dtype))
        )
    assert fallbacks.counts()["convolution", "no kernel for these types"] == 3
    with fallbacks.refused(), pytest.raises(boo.Unsupported, match="no kernel computes conv"):
        boo_conv(x, w)
    with fallbacks.refused(), pytest.raises(boo.Unsupported, match="no kernel computes conv"):
        boo_conv(x.to(torch.complex64), w.to(torch.complex64))
    with pytest.raises(TypeError, match="has the type torch.int16, which no kernel takes"):
        kernels.living()[-1](x.short(), x.short())


def test_complex_module():
    from boo.modeling import BooConv2d

    module = BooConv2d(2, 3, 3, dtype=torch.complex64)
    x = torch.randn(1, 2, 6, 6, dtype=torch.complex64)
    exact = torch.conv2d(x, module.weight, module.bias)
    torch.testing.assert_close(module(x), exact)
    torch.testing.assert_close(torch.compile(module, backend="boo")(x), exact)
    with pytest.raises(Exception, match="no kernel computes"):
        torch.compile(module, backend="boo", options={"fallback": "error"})(x)


def test_fake_tensors_and_subclasses():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.randn(2, 8, 10, 10).to(memory_format=torch.channels_last)
        y = boo_conv(x, torch.randn(4, 8, 3, 3), padding=1)
    assert y.shape == (2, 4, 10, 10) and y.stride() == (400, 1, 40, 4)

    class Mine(torch.Tensor):
        pass

    x, w = torch.randn(1, 8, 5, 5), torch.randn(4, 8, 3, 3)
    y = boo_conv(x.as_subclass(Mine), w)
    torch.testing.assert_close(
        y.as_subclass(torch.Tensor), torch.conv2d(x, w), atol=1e-4, rtol=1e-4
    )


def test_arguments_that_change():
    """Constants are known by identity: what others may change is looked at again."""
    x, w, stride = torch.randn(1, 4, 8, 8), torch.randn(4, 4, 1, 1), [1, 1]
    for wanted in (1, 2):
        stride[:] = [wanted, wanted]
        for _ in range(2):
            y = boo_conv(x, w, stride=stride, groups=np.int64(1))
            torch.testing.assert_close(y, torch.conv2d(x, w, stride=wanted))
    for wrong in (1.0, [1, 2, 3]):
        with pytest.raises((TypeError, ValueError)):
            boo_conv(x, w, stride=wrong)


def test_vmap():
    x, w = torch.randn(3, 2, 8, 6, 6), torch.randn(4, 8, 3, 3)
    y = torch.vmap(lambda each: boo_conv(each, w))(x)
    exact = torch.stack([torch.conv2d(each, w) for each in x])
    torch.testing.assert_close(y, exact, atol=1e-4, rtol=1e-4)


def test_without_exchange_api():
    """As with versions of torch before 2.10."""
    x, w = torch.randn(1, 8, 6, 6).to(memory_format=torch.channels_last), torch.randn(4, 8, 3, 3)
    boo._boo.use_exchange_api(False)
    try:
        y = boo_conv(x, w)
        assert y.stride() == torch.conv2d(x, w).stride()
        torch.testing.assert_close(y, torch.conv2d(x, w), atol=1e-4, rtol=1e-4)
    finally:
        boo._boo.use_exchange_api(True)


def test_results_outlive_kernels():
    x, w = torch.randn(1, 3, 5, 5), torch.randn(2, 3, 3, 3)
    y = boo_conv(x, w)
    kept = copy.deepcopy(y)
    _conv_kernels.forget()
    for _ in range(10):
        boo_conv(x, w)
    assert torch.equal(y, kept)


def test_kernel_copies_what_lies_otherwise():
    x, w = torch.randn(1, 4, 6, 6), torch.randn(3, 4, 3, 3)
    kernel = _conv_kernels.forward.kernel(
        (x, w, None), boo.ops.conv.ConvArgs((1, 1), (0, 0), (1, 1))
    )
    last = x.to(memory_format=torch.channels_last)
    assert kernel.copies == 0
    torch.testing.assert_close(kernel(last, w), torch.conv2d(x, w), atol=1e-4, rtol=1e-4)
    assert kernel.copies == 1 and kernel.copied_bytes == 4 * 144
    with pytest.raises(ValueError, match="sizes"):
        kernel(x[..., 1:], w)
    with pytest.raises(ValueError, match="f64"):
        kernel(x.double(), w)
    with pytest.raises(ValueError, match="2 tensors"):
        kernel(x)


def test_settings_are_followed(tmp_path):
    """Each folder that is set gets the kernels, by the names that signatures have."""
    x, w = torch.randn(1, 2, 5, 5), torch.randn(3, 2, 2, 2)
    for name in ("one", "other"):
        with use_cache_dir(tmp_path / name):
            boo_conv(x, w)
        (made,) = (each.name for each in (tmp_path / name).glob("conv_*"))
        assert made == ConvSignature.get(x, w).func_name
    last = x.to(memory_format=torch.channels_last)
    with use_cache_dir(tmp_path / "last"):
        boo_conv(last, w, torch.randn(3))
    (made,) = (each.name for each in (tmp_path / "last").glob("conv_*"))
    assert made.startswith("conv_2d_float32_forward_b_1x5x5x2_nhwc_3x2x2x2_fchw_nhwf_")
    boo_conv(x, w)
    was = boo._boo.math()
    boo.set_math("strict" if was != "strict" else "default")
    try:
        assert len(_conv_kernels.forward) == 0, "kernels are asked for again"
        with pytest.raises(ValueError):
            boo.set_math("loose")
    finally:
        boo.set_math(was)


def test_forward_mode_gradients():
    from torch.autograd import forward_ad

    x, w, t = torch.randn(1, 3, 5, 5), torch.randn(2, 3, 3, 3), torch.randn(1, 3, 5, 5)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(boo_conv(forward_ad.make_dual(x, t), w)).tangent
    torch.testing.assert_close(tangent, torch.conv2d(t, w), atol=1e-4, rtol=1e-4)
