"""Commands become signatures: all commands of the sample file, strict and lenient, errors."""

import shlex
from pathlib import Path

import pytest
import torch
from boo.conv_exports.miopen_parser import ConvParser as OldConvParser
from boo.driver.utils import load_commands
from boo.op_exports.aten import AtenParser, AtenSignature
from boo.op_exports.batch_norm import BatchNormParser
from boo.op_exports.conv import ConvParser, ConvSignature, Mode
from boo.op_exports.gemm import GEMMParser, GEMMSignature
from boo.op_exports.layer_norm import LayerNormParser, LayerNormSignature
from boo.op_exports.layer_norm import Mode as NormMode
from boo.op_exports.registry import BooOpRegistry

import boo
from boo import _boo
from boo.driver import registry

LAYOUTS = "--in_layout NHWC --out_layout NHWC --fil_layout NHWC"
README = (
    "convbfp16 -n 128 -c 128 -H 24 -W 48 -k 384 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1 -m conv"
    f" -g 1 -F 1 -t 1 --iter 100 {LAYOUTS}"
)
#: Commands, and the names of their kernels.
SAMPLES = {
    README: "conv_2d_bfloat16_forward_128x24x48x128_nhwc_384x1x1x128_fhwc_nhwf_1x1s_0x0p_1x1d_1g",
    f"convfp16 -n 2 -c 8 -H 6 -W 7 -k 4 -y 3 -x 2 -p 1 -u 2 -g 2 -F 4 {LAYOUTS}": (
        "conv_2d_float16_weight_backward_2x6x7x8_nhwc_4x3x2x4_fhwc_nhwf_2x1s_1x0p_1x1d_2g"
    ),
    "conv -n 1 -c 4 -! 3 -H 6 -W 7 -k 4 -@ 2 -_ 3 -# 2 -$ 1 -^ 2 -F=2": (
        "conv_3d_float32_input_backward_1x4x3x6x7_ncdhw_4x4x2x3x3_fcdhw_nfdhw"
        "_2x1x1s_1x0x0p_2x1x1d_1g"
    ),
    "conv --spatial_dim 1 -n 2 -c 4 --in-h 8 -k 6 -y3 -b 1": (
        "conv_1d_float32_forward_b_2x4x8_nch_6x4x3_fch_nfh_1s_0p_1d_1g"
    ),
    "conv -n 2 -c 4 -H 8 -W 8 -k 6 -m trans -u 2 -v 2 -Y 1 -X 1 -g 2": (
        "conv_2d_float32_forward_2x4x8x8_nchw_4x3x3x3_fchw_nfhw_2x2s_0x0p_1x1d_2g_trans_1x1op"
    ),
    "gemmfp16 --a_w 32 --a_h 64 --b_w 128 --transA 1": "gemm_float16_forward_32x64x128_transA",
    "gemmbfp16 -k 3 -m 4 -n 5 -F 3": "gemm_bfloat16_b_backward_3x4x5",
    "layernorm --input 10x32x42x32 -t 1 --mode 1 --iter 100": (
        "layer_norm_1d_float32_float32_forward_10x32x42x32_w_b_aten"
    ),
    "layernormbfp16 -X 4x8x16 -o 1 -F 14 -e 1e-3 -m 1": (
        "layer_norm_2d_bfloat16_float32_full_backward_4x8x16_w_b_aten"
    ),
    "layernorm -X 4x8x16 -o 2 --input-permutation 1 0 2 --use-aten false": (
        "layer_norm_1d_float32_float32_forward_4x8x16_perm_1_0_2"
    ),
    "bnormbfp16 --batchsize 8 --in_channels 64 --in_h 56 --in_w 56 --save 1 --run 1 -L NHWC": (
        "batch_norm_bfloat16_forward_8x64x56x56_nhwc_spatial_save_run"
    ),
    """aten::mm "[[38, 43], [43, 38]]" "['c10::BFloat16', 'c10::BFloat16']" "[[1, 38], [38, 1]]" "['', '']" """: (
        "aten_mm_bfloat16_38x43s1x38_43x38"
    ),
}


@pytest.mark.parametrize("command", SAMPLES)
def test_names(command):
    assert BooOpRegistry.parse_command(command).func_name == SAMPLES[command]
    words = shlex.split(command)
    assert (
        BooOpRegistry.parse_command(words, ignore_unhandled_args=True).func_name
        == (SAMPLES[command])
    )


@pytest.mark.parametrize("command", [each for each in SAMPLES if "permutation" not in each])
def test_the_driver_understands_the_same(command):
    ours = BooOpRegistry.parse_command(command)
    theirs = _boo.graph_of_command(command)[0]
    assert _boo.canonical(ours.graph()) == _boo.canonical(theirs)


@pytest.mark.parametrize("file", ["conv-smoke", "conv-grad-smoke", "gemm-smoke", "norm-smoke"])
def test_the_driver_understands_files_the_same(file):
    path = Path(__file__).parents[2] / "bench" / "inputs" / f"{file}.txt"
    if not path.is_file():
        pytest.skip(f"no {path}")
    compared = 0
    for words in load_commands(path):
        try:
            ours = BooOpRegistry.parse_command(words, ignore_unhandled_args=True)
        except boo.Unsupported:
            continue
        if ours is None or (isinstance(ours, LayerNormSignature) and not _is_the_drivers(ours)):
            continue
        theirs = _boo.graph_of_command(shlex.join(words))[0]
        assert _boo.canonical(ours.graph()) == _boo.canonical(theirs), shlex.join(words)
        compared += 1
    assert compared > 5


def _is_the_drivers(signature):
    """Not so where a weight is absent: a signature gives no gradient of it, the driver does."""
    full = signature.mode == NormMode.FULL_BACKWARD
    return signature.bias or not full


def test_directions():
    modes = {1: 0, 2: 1, 4: 2, 6: 3, 7: 4, 8: 5, 9: 6, 10: 7}
    for forw, mode in modes.items():
        assert ConvParser.command_to_signature(f"conv -n 1 -F {forw}").mode == Mode(mode)
    for forw in (0, 3, 5):
        with pytest.raises(NotImplementedError):
            ConvParser.command_to_signature(f"conv -n 1 -F {forw}")
    with pytest.raises(ValueError):
        ConvParser.command_to_signature("conv -n 1 -F 11")
    assert LayerNormParser.command_to_signature("layernorm -X 2x3x4x5 -F 8").mode == (
        NormMode.BIAS_BACKWARD
    )


def test_strict_and_lenient():
    words = shlex.split(README)
    with pytest.raises(ValueError, match="--iter"):
        ConvParser.command_to_signature(words)
    lenient = ConvParser.command_to_signature(words, ignore_unhandled_args=True)
    assert lenient == ConvParser.command_to_signature(README)
    assert ConvParser.command_to_signature(["conv", "-n", "1"]).input_shape == (1, 3, 32, 32)
    assert ConvParser.command_to_signature("./bin/MIOpenDriver conv -n 1") == (
        ConvParser.command_to_signature(["conv", "-n", "1"])
    )


@pytest.mark.parametrize(
    "command",
    [
        "convx -n 1",
        "",
        "conv -n one",
        "conv -n 1 -I NHWC -f NCH",
        "conv -n 1 -I NHCC",
        "conv -n 1 -c 4 -g 3",
        "conv -n 1 -_ 4",
        "conv -n 1 -m both",
    ],
)
def test_wrong_convolutions(command):
    with pytest.raises(ValueError):
        ConvParser.command_to_signature(command)


@pytest.mark.parametrize(
    ("parser", "command"),
    [
        (ConvParser, "conv -n 1 -U fp16"),
        (ConvParser, "conv -n 1 -r 1.5"),
        (ConvParser, "conv -n 1 -z same"),
        (ConvParser, "conv -n 1 --tail relu"),
        (GEMMParser, "gemm -b 2"),
        (GEMMParser, "gemm --alpha 2"),
        (LayerNormParser, "layernorm -X 2x3x4x5 -F 6"),
        (LayerNormParser, "layernorm -X 2x3x4x5 --stats 0"),
        (BatchNormParser, "bnorm -n 2"),
        (BatchNormParser, "bnorm -n 2 -r 1 -s 1 -b 1"),
    ],
)
def test_what_no_signature_serves(parser, command):
    with pytest.raises(boo.Unsupported):
        parser.command_to_signature(command)


def test_wrong_others():
    for parser, command in (
        (LayerNormParser, "layernorm -X 2xa"),
        (LayerNormParser, "layernorm -X 2x3"),
        (LayerNormParser, "layernorm -m 1"),
        (BatchNormParser, "bnorm -r 1 -s 1 -L NWHC"),
        (AtenParser, "aten::mm [[1] ['float'] [[1]] ['']"),
        (AtenParser, 'aten::mm "[[2, 3]]" "[\'float\', \'float\']" "[[3, 1]]" "[\'\']"'),
    ):
        with pytest.raises(ValueError):
            parser.command_to_signature(command)
    unknown = AtenSignature("aten::no_such_thing", [[2]], ["float"], [[1]], [""])
    with pytest.raises(ValueError):
        unknown.graph()


def test_registry():
    assert registry.BooOpRegistry is BooOpRegistry
    assert {"conv", "gemm", "layernorm", "bnorm", "aten::mm", "aten::argmin"} <= set(
        BooOpRegistry.keys()
    )
    assert BooOpRegistry.get_signature("conv") is ConvSignature
    assert BooOpRegistry.get_parser("gemm") is GEMMParser
    assert GEMMParser.get_op_name() == "gemm"
    assert BooOpRegistry.find_key_from_command("gemmbfp16 -m 3") == "gemm"
    assert BooOpRegistry.find_key_from_command("myconv -n 3") is None
    assert BooOpRegistry.parse_command("pool -n 3") is None
    assert BooOpRegistry.parse_command(["softmax", "-n", "3"]) is None
    assert BooOpRegistry.parse_command([]) is None
    # Only the first word of a split command is a command's name.
    assert BooOpRegistry.parse_command(["time", "conv", "-n", "3"]) is None
    with pytest.raises(ValueError):
        BooOpRegistry._register("conv", ConvSignature, ConvParser)
    with pytest.raises(KeyError):
        BooOpRegistry.get_parser("pool")


def test_aten_arguments():
    signature = AtenSignature(
        "aten::addmm", [[3], [5, 7], [7, 3], [], []],
        ["float", "float", "float", "Scalar", "Scalar"], [[1], [7, 1], [1, 7], [], []],
        ["", "", "", "0.5", "2"],
    )  # fmt: skip
    assert signature.torch_op is torch.ops.aten.addmm.default
    assert [(each.name, value) for each, value in signature.get_concrete_args()] == [
        ("beta", 0.5),
        ("alpha", 2),
    ]
    assert [each.sizes for each in signature.get_non_concrete_args()] == [(3,), (5, 7), (7, 3)]
    assert signature.get_sample_args(seed=1)[2].stride() == (1, 7)
    args = signature.get_sample_args(seed=1)
    torch.testing.assert_close(
        signature.get_nn_module()(*args), torch.addmm(*args, beta=0.5, alpha=2)
    )


def test_conv_exports_parser():
    signature = OldConvParser.command_to_signature(README.replace("-F 1", "-F 4"))
    assert type(signature).__module__ == "boo.conv_exports.conv"
    assert [tuple(each.shape) for each in signature.get_sample_args(splat_value=0)] == [
        (128, 24, 48, 384),
        (128, 24, 48, 128),
    ]
    assert isinstance(signature, ConvSignature) and not isinstance(signature, GEMMSignature)
