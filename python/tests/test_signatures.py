"""Signatures: values of every kind and direction against float64, names, and what they refuse."""

import sys

import pytest
import torch
from boo.driver.launch import get_launchable
from boo.op_exports import conv, gemm, layer_norm
from boo.op_exports.batch_norm import BatchNormSignature
from boo.op_exports.conv import ConvSignature, Mode, get_conv_func_name
from boo.op_exports.gemm import GEMMSignature
from boo.op_exports.layer_norm import LayerNormSignature
from boo.op_exports.utils import Permutation, permute_layout
from signature_cases import KINDS, all_convs, as_tuple

import boo


def wide(args):
    return [
        each if each is None or not each.is_floating_point() else each.double() for each in args
    ]


def check(signature, results, args):
    """Results of a launch against torch's in float64."""
    exact = as_tuple(signature.get_nn_module()(*wide(args)))
    assert len(results) == len(exact), signature
    for i, (ours, theirs) in enumerate(zip(results, exact)):
        if ours is None or theirs is None:
            assert ours is theirs, (signature, i)
            continue
        assert ours.shape == theirs.shape, (signature, i)
        if not ours.dtype.is_floating_point:
            assert torch.equal(ours, theirs), (signature, i)
            continue
        # One rounding of the result, and sums of some dozens of terms in float32.
        eps, terms = torch.finfo(ours.dtype).eps, 64 * torch.finfo(torch.float32).eps
        error = (ours.double() - theirs).abs().max().item()
        scale = max(1.0, theirs.abs().max().item())
        assert error <= (eps + terms) * scale, (signature, i, error)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_values(kind, dtype):
    for signature in KINDS[kind](dtype):
        args = signature.get_sample_args(seed=3)
        results = as_tuple(get_launchable(signature)(*[
            None if each is None else each.clone() for each in args
        ]))  # fmt: skip
        check(signature, results, args)


def test_a_wrong_kernel_is_noticed():
    signature = ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3))
    args = signature.get_sample_args(seed=1)
    made = as_tuple(get_launchable(signature)(*args))
    check(signature, made, args)
    made[0][0, 0, 0, 0] += 0.25
    with pytest.raises(AssertionError):
        check(signature, made, args)


def test_results_lie_contiguous_in_their_layouts():
    for signature in all_convs(torch.float32):
        program = signature.program()
        shapes = [signature.output_shape]
        if not signature.is_forward:
            channels = signature.bias_type().sizes
            all_shapes = (signature.input_shape, signature.kernel_shape, channels)
            shapes = [each for each, on in zip(all_shapes, signature.backward_mask) if on]
        made = as_tuple(get_launchable(signature)(*signature.get_sample_args(seed=1)))
        assert [tuple(each.shape) for each in made] == shapes
        assert all(each.is_contiguous() for each in made)
        assert signature.get_output_size() == sum(4 * each.numel() for each in made)
        assert len(program.arguments) == len(signature.kernel().arguments)


def test_backward_arguments_follow_from_a_forward_launch():
    for kind in ("conv", "gemm", "layer_norm"):
        for signature in KINDS[kind](torch.float32):
            if signature.is_forward:
                with pytest.raises(ValueError):
                    signature.arrange_backward_launch_args((), ())
                continue
            forward = signature.make_signature_copy_for_forward()
            assert forward.is_forward
            args = forward.get_sample_args(seed=5)
            inputs = [each.requires_grad_() for each in args]
            results = as_tuple(forward.get_nn_module()(*inputs))
            gradient = torch.randn_like(results[0])
            results[0].backward(gradient)
            rest = signature.arrange_backward_launch_args(args, results)
            rest = [each if each is None else each.detach() for each in rest]
            made = as_tuple(get_launchable(signature)(gradient, *rest))
            index = signature.get_arg_index_for_backward()
            if index < len(inputs):
                torch.testing.assert_close(made[0], inputs[index].grad, rtol=1e-4, atol=1e-4)


NAMES = {
    "conv_2d_float32_forward_b_10x2x14x14_nchw_3x2x2x2_fchw_nfhw_1x1s_0x0p_1x1d_1g": dict(
        input_shape=(10, 2, 14, 14), kernel_shape=(3, 2, 2, 2), bias=True, dtype=torch.float32
    ),
    "conv_2d_bfloat16_weight_backward_2x16x32x3_nhwc_10x2x2x3_fhwc_nhwf_1x1s_0x0p_1x1d_1g": dict(
        input_shape=(2, 16, 32, 3), kernel_shape=(10, 2, 2, 3), shared_layout="NHWC", mode="wrw"
    ),
    "conv_1d_float16_input_backward_1x4x9_nch_6x2x3_fch_nfh_2s_1p_1d_2g": dict(
        input_shape=(1, 4, 9), kernel_shape=(6, 2, 3), groups=2, stride=2, padding=1, mode="bwd",
        dtype=torch.float16,
    ),
    "conv_2d_bfloat16_all_backward_2x4x5x5_nchw_4x3x3x3_fchw_nfhw_2x2s_0x0p_1x1d_1g_trans_1x0op":
        dict(input_shape=(2, 4, 5, 5), kernel_shape=(4, 3, 3, 3), transposed=True, stride=2,
             output_padding=(1, 0), mode="ALL_BACKWARD"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_convolutions(name):
    signature = ConvSignature(**NAMES[name])
    assert signature.func_name == signature.get_func_name() == name
    assert get_conv_func_name.cache_info().currsize > 0


def test_names_of_others():
    product = GEMMSignature(a_shape=(32, 64), b_shape=(64, 128), transpose_b=True)
    assert product.func_name == "gemm_float32_forward_32x64x128_transB"
    norm = dict(input_shape=(4, 8, 16), normalized_shape=(16,))
    assert LayerNormSignature(**norm).func_name == (
        "layer_norm_1d_bfloat16_float32_forward_4x8x16_w_b_aten"
    )
    assert LayerNormSignature(**norm, input_permutation=(1, 0, 2)).func_name == (
        "layer_norm_1d_bfloat16_float32_forward_4x8x16_w_b_perm_1_0_2_aten"
    )
    batch = BatchNormSignature((8, 64, 56, 56), torch.bfloat16)
    assert batch.func_name == "batch_norm_bfloat16_forward_8x64x56x56_nhwc_spatial_save_run"


def test_different_signatures_have_different_names():
    all_of_them = [
        each
        for dtype in (torch.float32, torch.bfloat16)
        for make in KINDS.values()
        for each in make(dtype)
    ]
    all_of_them += [
        LayerNormSignature(input_shape=(3, 4, 5), normalized_shape=(5,), eps=eps, dtype=dtype)
        for eps in (1e-4, 1e-6)
        for dtype in (torch.float32, torch.bfloat16)
    ]
    graphs = {}
    for each in all_of_them:
        assert graphs.setdefault(each.func_name, each.graph()) == each.graph(), each
        assert len(each.func_name.encode()) <= 217
        assert not set(each.func_name) & set("/: []")


def test_equality_and_copies():
    for make in KINDS.values():
        for each in make(torch.float32):
            again = type(each)(**each.as_init_kwargs())
            assert again == each and hash(again) == hash(each)
            assert again.func_name == each.func_name and again.graph() == each.graph()
    first = ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3))
    assert first != ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), padding=1)


def test_conv_from_tensors():
    x, w, b = torch.randn(2, 9, 9, 4), torch.randn(6, 3, 3, 4), torch.randn(6)
    signature = ConvSignature.get(x, w, b, shared_layout="NHWC", stride=2)
    y = get_launchable(signature)(x, w, b)
    exact = torch.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), b, stride=2)
    torch.testing.assert_close(y, exact.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    assert signature.output_shape == tuple(y.shape) == (2, 4, 4, 6)
    assert signature.get_conv_kwargs()["stride"] == (2, 2)
    padded = ConvSignature.get(x, w, shared_layout="NHWC", padding=(1, 2))
    shape = torch.nn.functional.pad(x, padded.explicit_padding).shape
    assert shape == (2, 11, 13, 4)
    assert (padded.input_grouped_dim, padded.kernel_grouped_dim, padded.output_grouped_dim) == (
        3, 0, 3,
    )  # fmt: skip


def test_modules():
    signature = ConvSignature(
        input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), dtype=torch.float32
    )
    args = signature.get_sample_args(seed=0)
    exact = signature.get_nn_module()(*args)
    torch.testing.assert_close(signature.get_nn_module(use_custom=True)(*args), exact)
    torch.testing.assert_close(signature.get_compiled_module(backend="eager")(*args), exact)


def test_compiled_modules_in_layouts():
    """One operator has the layout that torch chooses; any other backend may copy."""
    given = dict(input_shape=(1, 5, 5, 2), kernel_shape=(3, 3, 3, 2), dtype=torch.float32)
    layouts = dict(input_layout="NHWC", kernel_layout="NHWC")
    for output_layout in ("NHWC", "NCHW"):
        signature = ConvSignature(**given, **layouts, output_layout=output_layout)
        args = signature.get_sample_args(seed=0)
        exact = signature.get_nn_module()(*args)
        y = signature.get_compiled_module(backend="boo")(*args)
        torch.testing.assert_close(y, exact)
        assert y.is_contiguous()
        compiled = signature.get_compiled_module(backend="iree_boo")
        if output_layout == "NHWC":
            torch.testing.assert_close(compiled(*args), exact)
        else:
            with pytest.raises(ValueError, match=r"not contiguous in requested layout: NCHW"):
                compiled(*args)


def test_sample_args():
    signature = ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), mode="wrw")
    first, again, other = (signature.get_sample_args(seed=seed) for seed in (1, 1, 2))
    assert [tuple(each.shape) for each in first] == [(1, 2, 3, 3), (1, 2, 5, 5), (2, 2, 3, 3)]
    assert all(each.dtype == torch.bfloat16 for each in first)
    assert all(map(torch.equal, first, again)) and not any(map(torch.equal, first, other))
    assert all((each == 2).all() for each in signature.get_sample_args(splat_value=2))
    assert not torch.equal(signature.get_sample_args()[0], signature.get_sample_args()[0])


def test_modes():
    assert Mode.parse("fwd") == Mode.FWD == Mode.FORWARD
    assert Mode.parse("bwd") == Mode.INPUT_BACKWARD and Mode.parse("WRW") == Mode.WEIGHT_BACKWARD
    assert Mode.parse("input_weight") == Mode.INPUT_WEIGHT_BACKWARD == 3
    assert Mode.ALL_BACKWARD.mask == (True, True, True) and not any(Mode.FORWARD.mask)
    assert Mode.from_mask((True, False, True)) == Mode.INPUT_BIAS_BACKWARD
    assert gemm.Mode.parse("a_backward") == 1 and layer_norm.Mode.FULL_BACKWARD == 14
    shapes = dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3))
    masked = ConvSignature(**shapes, backward_mask=(False, True, True))
    assert masked.mode == Mode.WEIGHT_BIAS_BACKWARD
    with pytest.raises(ValueError, match="no mode"):
        ConvSignature(**shapes, mode="sideways")


@pytest.mark.parametrize(
    "wrong",
    [
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 3, 3, 3)),
        dict(input_shape=(1, 2, 5), kernel_shape=(2, 2, 3, 3)),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), shared_layout="NHCC"),
        dict(input_shape=(1, 2, 2, 2), kernel_shape=(2, 2, 3, 3)),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(3, 1, 3, 3), groups=2),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), stride=0),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), output_padding=1),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), transposed=True,
             output_padding=1),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), dtype=torch.int32),
        dict(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), shared_layout="NHWC",
             kernel_layout="NCHW"),
    ],
)  # fmt: skip
def test_refused_convolutions(wrong):
    with pytest.raises(ValueError):
        ConvSignature(**wrong)


def test_refused_others():
    with pytest.raises(ValueError):
        GEMMSignature(a_shape=(2, 3), b_shape=(2, 3))
    with pytest.raises(ValueError):
        GEMMSignature(a_shape=(2, 3, 4), b_shape=(2, 3, 4))
    with pytest.raises(ValueError):
        LayerNormSignature(input_shape=(2, 3), normalized_shape=(4,))
    with pytest.raises(ValueError):
        BatchNormSignature((1, 3, 1, 1))
    much = ConvSignature(input_shape=(1, 2, 5, 5), kernel_shape=(2, 2, 3, 3), transposed=True,
                         dilation=3, output_padding=2)  # fmt: skip
    with pytest.raises(boo.Unsupported, match="output_padding"):
        much.graph()


def test_permutations():
    to_last = Permutation.get("NCHW", "NHWC")
    assert to_last.items == (0, 2, 3, 1) and to_last("NCHW") == "NHWC" and len(to_last) == 4
    assert to_last.inv() * to_last == Permutation.identity(4)
    twist = Permutation([1, 2, 0])
    assert (twist * twist)([10, 20, 30]) == twist(twist([10, 20, 30])) == [30, 10, 20]
    assert twist((1, 2, 3)) == (2, 3, 1) and repr(twist) == "Permutation([1, 2, 0])"
    x = torch.randn(2, 3, 4, 5)
    last = permute_layout(x, to_last)
    assert torch.equal(x, last) and last.is_contiguous(memory_format=torch.channels_last)
    assert permute_layout(x, [0, 2, 3, 1]).stride() == last.stride()
    for wrong in ([0, 0], [1, 2]):
        with pytest.raises(ValueError):
            Permutation(wrong)
    with pytest.raises(ValueError):
        Permutation.get("NCHW", "NHWD")


def test_import_is_cheap():
    import subprocess

    code = "import boo, boo.driver.driver, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"conv_exports", "driver", "modeling", "op_exports", "runtime"} <= set(dir(boo))
    assert boo.op_exports.conv is conv


def test_gradients_through_a_kernel_module():
    """They are torch's, whatever the kernel computes them from."""
    signature = LayerNormSignature(
        input_shape=(3, 8), normalized_shape=(8,), dtype=torch.float32, bias=False
    )
    ours, theirs = (
        [each.clone().requires_grad_() for each in signature.get_sample_args(seed=1)]
        for _ in range(2)
    )
    module = signature.get_nn_module(use_custom=True)
    weights = torch.randn(3, 8)
    (module(*ours)[0] * weights).sum().backward()
    (signature.get_nn_module()(*theirs)[0] * weights).sum().backward()
    for own, exact in zip(ours, theirs):
        torch.testing.assert_close(own.grad, exact.grad)
    with torch.no_grad():
        assert not module(*ours)[0].requires_grad
