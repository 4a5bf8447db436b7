"""Signatures of all kinds and directions that tests of several modules go through."""

import itertools

import torch
from boo.op_exports import conv, gemm, layer_norm
from boo.op_exports.aten import AtenSignature
from boo.op_exports.batch_norm import BatchNormSignature
from boo.op_exports.conv import ConvSignature
from boo.op_exports.gemm import GEMMSignature
from boo.op_exports.layer_norm import LayerNormSignature

CONVS = [
    dict(input_shape=(2, 4, 9), kernel_shape=(6, 2, 3), groups=2, padding=1, stride=2),
    dict(input_shape=(3, 5, 9, 4), kernel_shape=(6, 2, 3, 4), shared_layout="NHWC",
         stride=(1, 2), dilation=(1, 2), padding=(0, 1)),
    dict(input_shape=(3, 4, 5, 9), kernel_shape=(3, 4, 2, 6), kernel_layout="HCWN",
         output_layout="CNHW"),
    dict(input_shape=(2, 4, 5, 6), kernel_shape=(4, 3, 3, 2), transposed=True, stride=2,
         padding=(1, 0), output_padding=1, groups=2),
    dict(input_shape=(2, 5, 6, 4), kernel_shape=(4, 3, 2, 3), transposed=True,
         shared_layout="NHWC", stride=(2, 1), dilation=(2, 1)),
    # More output padding than the stride needs, which padding makes up for.
    dict(input_shape=(2, 4, 5, 6), kernel_shape=(4, 3, 3, 2), transposed=True, stride=2,
         dilation=3, padding=2, output_padding=(2, 1)),
    dict(input_shape=(1, 4, 3, 5, 6), kernel_shape=(3, 4, 2, 3, 1), padding=(1, 0, 0)),
]  # fmt: skip


def all_convs(dtype):
    for case, mode in itertools.product(CONVS, list(conv.Mode)):
        yield ConvSignature(**case, mode=mode, dtype=dtype)
        if mode == conv.Mode.FORWARD:
            yield ConvSignature(**case, mode=mode, dtype=dtype, bias=True)


def all_gemms(dtype):
    for a, b, mode in itertools.product((False, True), (False, True), list(gemm.Mode)):
        yield GEMMSignature(
            a_shape=(5, 7), b_shape=(7, 3), transpose_a=a, transpose_b=b, dtype=dtype, mode=mode
        )


def all_layer_norms(dtype):
    shape = dict(input_shape=(3, 4, 5), dtype=dtype)
    for mode, dims in itertools.product(list(layer_norm.Mode), (1, 2)):
        for affine, bias in ((True, True), (True, False), (False, False)):
            yield LayerNormSignature(
                **shape, normalized_shape=(3, 4, 5)[-dims:], mode=mode, eps=0.01,
                elementwise_affine=affine, bias=bias,
            )  # fmt: skip
        yield LayerNormSignature(
            **shape, normalized_shape=(5,), mode=mode, input_permutation=(0, 2, 1)
        )
        yield LayerNormSignature(
            **shape, normalized_shape=(5,), mode=mode, forwarded_args_dtype=dtype
        )


def all_batch_norms(dtype):
    for last, sizes in itertools.product((True, False), ((4, 3), (2, 3, 6), (2, 3, 4, 5))):
        yield BatchNormSignature(sizes, dtype, last)
    yield BatchNormSignature((2, 3, 4, 5, 2), dtype)


def aten(name, *arguments):
    """From (sizes, type, strides, concrete) of each argument."""
    return AtenSignature(name, *zip(*arguments))


def scalar(text):
    return (), "Scalar", (), text


def all_atens(dtype):
    own = {torch.float32: "float", torch.bfloat16: "c10::BFloat16"}[dtype]
    absent = ((), "", (), "")
    yield aten("aten::mm", ((5, 7), own, (1, 5), ""), ((7, 3), own, (3, 1), ""))
    yield aten("aten::bmm", ((2, 5, 7), own, (35, 7, 1), ""), ((2, 7, 3), own, (21, 1, 7), ""))
    yield aten(
        "aten::addmm", ((3,), own, (1,), ""), ((5, 7), own, (7, 1), ""),
        ((7, 3), own, (1, 7), ""), scalar("0.5"), scalar("2"),
    )  # fmt: skip
    for name in ("aten::argmax", "aten::argmin"):
        yield aten(name, ((4, 8, 6), own, (48, 6, 1), ""), scalar("1"), scalar("False"))
    sizes = ((2, 3, 4, 8), own, (96, 32, 8, 1), "")
    yield aten(
        "aten::scaled_dot_product_attention", sizes, sizes, sizes, absent, scalar("0.0"),
        scalar("True"), absent, scalar("False"),
    )  # fmt: skip
    yield aten("aten::relu", ((3, 4), own, (0, 1), ""))
    yield aten("aten::mean", ((4, 5, 6), own, (30, 6, 1), ""), scalar("[-1]"), scalar("True"),
               absent)  # fmt: skip
    yield aten(
        "aten::native_batch_norm", ((2, 3, 4, 4), own, (48, 1, 12, 3), ""),
        *[((3,), "float", (1,), "")] * 4, scalar("True"), scalar("0.1"), scalar("1e-05"),
    )  # fmt: skip
    yield aten(
        "aten::convolution_backward", ((2, 6, 4, 4), own, (96, 16, 4, 1), ""),
        ((2, 3, 4, 4), own, (48, 16, 4, 1), ""), ((6, 3, 1, 1), own, (3, 1, 1, 1), ""),
        scalar("[6]"), scalar("[1, 1]"), scalar("[0, 0]"), scalar("[1, 1]"), scalar("False"),
        scalar("[0, 0]"), scalar("1"), scalar("[False, True, True]"),
    )  # fmt: skip


KINDS = {
    "conv": all_convs,
    "gemm": all_gemms,
    "layer_norm": all_layer_norms,
    "batch_norm": all_batch_norms,
    "aten": all_atens,
}


def as_tuple(results):
    return tuple(results) if isinstance(results, (tuple, list)) else (results,)
