"""Launchables: the examples of the READMEs, arguments in all forms, outputs, kernels that are shared."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from boo.conv_exports import CachePopulator as ConvPopulator
from boo.conv_exports import ConvSignature as OldConvSignature
from boo.conv_exports import Permutation, generate
from boo.conv_exports.miopen_parser import ConvParser as OldConvParser
from boo.driver.launch import get_launchable, get_module_asm
from boo.driver.preload import CachePopulator, CachePrepopulator
from boo.driver.utils import load_commands
from boo.op_exports.conv import ConvSignature, Mode
from boo.op_exports.layer_norm import LayerNormSignature
from boo.op_exports.registry import BooOpRegistry

import boo
from boo.runtime import Launchable, LaunchableRuntimeCache, set_cache_dir, use_cache_dir

SMALL = dict(input_shape=(1, 2, 5, 5), kernel_shape=(3, 2, 3, 3), dtype=torch.float32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path):
    LaunchableRuntimeCache.reset()
    with use_cache_dir(tmp_path / "cache"):
        yield
    LaunchableRuntimeCache.reset()


def exact_gradients(dy, x, w):
    """Of input and weight, in NHWC and float64."""
    last = (0, 2, 3, 1)
    plain = [each.double().permute(0, 3, 1, 2) for each in (dy, x, w)]
    dx, dw, _ = torch.ops.aten.convolution_backward(
        *plain, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
    )
    return dx.permute(last), dw.permute(last)


def test_example_of_explicit_shapes():
    shapes = dict(input_shape=[2, 16, 32, 3], kernel_shape=[10, 2, 2, 3], shared_layout="NHWC")
    fwd_sig = OldConvSignature(**shapes)
    wrw_sig = OldConvSignature(**shapes, mode="wrw")
    bwd_sig = OldConvSignature(**shapes, mode="bwd")
    conv_fwd, conv_wrw, conv_bwd = map(get_launchable, (fwd_sig, wrw_sig, bwd_sig))
    torch_device = torch.device("cuda:0") if torch.cuda.is_available() else None
    x, w = fwd_sig.get_sample_args(device=torch_device, seed=10)
    y = conv_fwd(x, w)
    assert y.shape == (2, 15, 31, 10) and y.dtype == torch.bfloat16
    dLdy, _ = wrw_sig.get_sample_args(device=torch_device, seed=2)
    dLdw = conv_wrw(dLdy, x)
    dLdx = conv_bwd(dLdy, w)
    dx, dw = exact_gradients(dLdy, x, w)
    torch.testing.assert_close(dLdw.double(), dw, rtol=1e-2, atol=1e-1)
    torch.testing.assert_close(dLdx.double(), dx, rtol=1e-2, atol=1e-1)
    # All three tensors are taken as well, by the same launchable.
    new = ConvSignature(**shapes, mode="wrw")
    assert new.func_name == wrw_sig.get_func_name() and get_launchable(new) is conv_wrw
    assert torch.equal(conv_wrw(dLdy, x, w), dLdw)
    assert torch.equal(conv_bwd(dLdy, x, w), dLdx)
    assert wrw_sig.arrange_backward_launch_args((x, w), (y,)) == (x,)
    assert bwd_sig.arrange_backward_launch_args((x, w), (y,)) == (w,)
    assert new.arrange_backward_launch_args((x, w), (y,)) == (x, w)
    torch.testing.assert_close(wrw_sig.get_nn_module()(dLdy, x), new.get_nn_module()(dLdy, x, w))
    assert Permutation.get("NCHW", "NHWC").size == 4


def test_example_of_a_command():
    signature = OldConvParser.command_to_signature(
        "convbfp16 -n 2 -c 8 -H 4 -W 8 -k 4 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1 -m conv -g 1"
        " -F 1 -t 1 --iter 100 --in_layout NHWC --out_layout NHWC --fil_layout NHWC"
    )
    conv = get_launchable(signature)
    x, w = signature.get_sample_args(seed=1)
    assert conv(x, w).shape == (2, 4, 8, 4)


@pytest.mark.parametrize("populator_class", [ConvPopulator, CachePopulator])
def test_example_of_the_populator(populator_class, tmp_path):
    file = tmp_path / "commands.txt"
    file.write_text("# two\nconv -n 1 -c 4 -H 5 -W 5 -k 4 -t 1\n\nconv -n 1 -c 4 -H 5 -W 5 -F 2\n")
    populator = populator_class(commands_file=file)
    populator.run()
    assert len(populator.signatures) == 2
    assert populator.commands is None and populator.commands_file is None
    sample = populator.signatures[0]
    assert populator.get_cache_status(sample.get_func_name()) == {"mlir_import": True, "cpu": True}
    assert populator.get_failures() == {}
    assert (set_cache_dir() / sample.func_name).is_dir()
    conv = get_launchable(sample, cache_only=True)
    assert conv.kernel.groups[0]["cache"] == "hit"
    with pytest.raises(KeyError):
        populator.get_cache_status("another")


def test_populator_goes_on_after_failures(tmp_path):
    commands = [
        "conv -n 1 -c 4 -H 5 -W 5 -k 4",
        "conv -n 1 -c 4 -H 5 -W 5 -k 4",
        ["gemm", "-k", "3", "-m", "4", "-n", "5"],
        "conv -n 1 -g 7",
        "swim -n 1",
    ]
    much = ConvSignature(**SMALL | dict(kernel_shape=(2, 3, 3, 3)), transposed=True, dilation=3,
                         output_padding=2)  # fmt: skip
    populator = CachePrepopulator(
        commands=commands, signatures=[much], cache_dir=tmp_path / "other"
    )
    populator.run(max_processes=2)
    assert len(populator.signatures) == 3, "the same command is compiled once"
    failures = populator.get_failures()
    assert set(failures) == {"conv -n 1 -g 7", "swim -n 1", much.func_name}
    assert "output_padding" in failures[much.func_name]
    assert populator.get_cache_status("gemm_float32_forward_3x4x5")["cpu"]
    assert populator.get_cache_status(much.func_name) == {"mlir_import": False, "cpu": False}
    assert (tmp_path / "other" / "gemm_float32_forward_3x4x5").is_dir()
    assert not (tmp_path / "cache" / "gemm_float32_forward_3x4x5").exists()


def test_populator_of_other_devices():
    only_mlir = CachePopulator(signatures=[ConvSignature(**SMALL)], devices=[""])
    only_mlir.run()
    name = only_mlir.signatures[0].func_name
    assert only_mlir.get_cache_status(name) == {"mlir_import": True}
    assert "func.func" in (set_cache_dir() / name / f"{name}.mlir").read_text()
    assert not list((set_cache_dir() / name).glob("*.so"))
    cuda = CachePopulator(signatures=[ConvSignature(**SMALL)], devices=["cuda:0"])
    cuda.run()
    assert "cuda:0" in cuda.get_failures()[name]
    with pytest.raises(NotImplementedError):
        CachePopulator(allow_download=True)


def test_files_of_commands(tmp_path):
    tabs = tmp_path / "commands.tsv"
    tabs.write_text("aten::mm\t[[2, 3], [3, 4]]\t['float', 'float']\t[[3, 1], [4, 1]]\t['', '']\n")
    (words,) = load_commands(tabs)
    assert words[:2] == ["aten::mm", "[[2, 3], [3, 4]]"]
    assert BooOpRegistry.parse_command(words).argument_types()[1].sizes == (3, 4)
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("conv -n 1\nconv 'n\n")
    with pytest.raises(ValueError, match=":2:"):
        load_commands(wrong)
    with pytest.raises(OSError):
        load_commands(tmp_path / "none.txt")


def test_equal_operations_share_a_kernel():
    first = get_launchable(ConvSignature(**SMALL))
    assert get_launchable(ConvSignature(**SMALL)) is first
    assert first.kernel.groups[0]["cache"] == "miss"
    # The same matrix product by another signature: the key alone decides.
    a = get_launchable(BooOpRegistry.parse_command("gemm -k 3 -m 4 -n 5"))
    b = get_launchable(BooOpRegistry.parse_command(
        "aten::mm \"[[3, 4], [4, 5]]\" \"['float', 'float']\" \"[[4, 1], [5, 1]]\" \"['', '']\""
    ))  # fmt: skip
    assert a is not b and a.name != b.name
    assert b.kernel.groups[0]["cache"] == "hit"
    assert a.kernel.groups[0]["key"] == b.kernel.groups[0]["key"]
    x, y = torch.randn(3, 4), torch.randn(4, 5)
    assert torch.equal(a(x, y), b(x, y))


def test_the_session_follows_the_settings(tmp_path):
    signature = ConvSignature(**SMALL)
    first = get_launchable(signature)
    with use_cache_dir(tmp_path / "other"):
        assert get_launchable(signature) is not first
        assert (tmp_path / "other" / signature.func_name).is_dir()
    was = boo._boo.math()
    boo._boo.set_math("strict")
    try:
        assert get_launchable(signature) is not first
    finally:
        boo._boo.set_math(was)


def test_cache_only():
    signature = ConvSignature(**SMALL)
    with pytest.raises(ValueError, match="does not exist"):
        get_launchable(signature, cache_only=True)
    set_cache_dir().mkdir()
    with pytest.raises(RuntimeError, match="no kernel"):
        get_launchable(signature, cache_only=True)
    get_launchable(signature)
    assert get_launchable(signature, cache_only=True).kernel.groups[0]["cache"] == "hit"
    boo.runtime.toggle_cache_on(0)
    with pytest.raises(ValueError, match="off"):
        get_launchable(signature, cache_only=True)


def test_arguments_that_lie_otherwise_are_copied():
    signature = ConvSignature(**SMALL)
    conv = get_launchable(signature)
    x, w = signature.get_sample_args(seed=1)
    y = conv(x, w)
    last = x.to(memory_format=torch.channels_last)
    parts = torch.randn(1, 2, 10, 5)
    parts[:, :, ::2] = x
    for other in (last, parts[:, :, ::2], x.requires_grad_()):
        assert torch.equal(conv(other, w), y)
    assert not conv(x, torch.nn.Parameter(w)).requires_grad
    last = torch.full_like(last.detach(), torch.nan)
    assert not last.is_contiguous() and conv(last, w).isnan().all()
    relu = BooOpRegistry.parse_command("aten::relu [[3,4]] \"['float']\" [[0,1]] \"['']\"")
    row = torch.tensor([1.0, -1.0, 2.0, 0.5])
    assert torch.equal(get_launchable(relu)(row.repeat(3, 1)), row.relu().expand(3, 4))
    assert torch.equal(get_launchable(relu)(row.expand(3, 4)), row.relu().expand(3, 4))
    with pytest.raises(ValueError, match="expanded"):
        get_launchable(relu)(torch.randn(3, 4))


def test_outputs():
    signature = ConvSignature(**SMALL)
    conv = get_launchable(signature)
    x, w = signature.get_sample_args(seed=1)
    y = conv(x, w)
    into = torch.zeros_like(y)
    assert conv(x, w, outputs=(into,)) is into and torch.equal(into, y)
    last = torch.zeros_like(y).to(memory_format=torch.channels_last)
    assert conv.launch(x, w, outputs=[last]) is last and torch.equal(last, y)
    both = get_launchable(ConvSignature(**SMALL, mode=Mode.INPUT_WEIGHT_BACKWARD))
    dx, dw = torch.empty_like(x), torch.empty_like(w)
    made = both(y, x, w)
    both(y, x, w, outputs=(dx, dw))
    assert torch.equal(dx, made[0]) and torch.equal(dw, made[1])
    # An output may be an argument.
    square = BooOpRegistry.parse_command("gemm -k 4 -m 4 -n 4")
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    product = get_launchable(square)(a, b)
    get_launchable(square)(a, b, outputs=(a,))
    assert torch.equal(a, product)
    with pytest.raises(ValueError, match="1 results"):
        conv(x, w, outputs=(into, into))
    with pytest.raises(ValueError, match="output 0"):
        conv(x, w, outputs=(into.double(),))


def test_absent_arguments_and_results():
    signature = LayerNormSignature(
        input_shape=(3, 8), normalized_shape=(8,), dtype=torch.float32, mode="full_backward",
        bias=False,
    )  # fmt: skip
    args = signature.get_sample_args(seed=1)
    assert len(args) == 6 and args[3] is None
    launchable = get_launchable(signature)
    dx, dw, db = launchable(*args)
    assert db is None and dx.shape == (3, 8) and dw.shape == (8,)
    few = launchable(*(each for each in args if each is not None))
    assert torch.equal(few[0], dx)


def test_wrong_arguments():
    signature = ConvSignature(**SMALL)
    conv = get_launchable(signature)
    x, w = signature.get_sample_args(seed=1)
    with pytest.raises(ValueError, match="takes 2 tensors, and there are 1"):
        conv(x)
    with pytest.raises(ValueError):
        conv(x, w[:2])
    with pytest.raises(ValueError):
        conv(x.double(), w)
    with pytest.raises(ValueError, match="multiple devices: cpu, meta"):
        conv(x, w.to("meta"))
    with pytest.raises(boo.Unsupported, match="on meta"):
        conv(x.to("meta"), w.to("meta"))
    with pytest.raises(ValueError, match="multiple devices: cpu, cuda:0"):
        conv(x, w, device="cuda:0")
    with pytest.raises(boo.Unsupported, match="cuda"):
        conv.preload("cuda:0")
    conv.preload("cpu")


def test_threads_compile_once():
    made = []

    def make():
        made.append(1)
        return ConvSignature(**SMALL).kernel()

    launchable = Launchable(make, forms={2: (0, 1)})
    args = ConvSignature(**SMALL).get_sample_args(seed=1)
    threads = [threading.Thread(target=launchable, args=args) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert made == [1] and launchable.kernel.calls == 6


def test_module_text():
    assert "func.func" in get_module_asm(ConvSignature(**SMALL))


@pytest.mark.parametrize("program", ["driver", "preload", "numerics"])
def test_programs(program, tmp_path):
    """As modules, and by their paths from their own folder."""
    folder = Path(boo.__file__).parent / "driver"
    command = ["conv", "-n", "1", "-c", "4", "-H", "5", "-W", "5", "-k", "4"]
    for start, where in (
        ([sys.executable, "-m", f"boo.driver.{program}"], tmp_path),
        ([sys.executable, f"{program}.py"], folder),
    ):
        ran = subprocess.run([*start, *command], cwd=where, capture_output=True, text=True,
                             check=False)  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert " ".join(command) in ran.stdout or program == "preload"
        wrong = subprocess.run([*start, "swim"], cwd=where, capture_output=True, check=False)
        assert wrong.returncode == 2 or program != "driver"


def test_driver_main(capfd):
    from boo.driver.driver import ALL_STATS, DEFAULT_BACKEND, main

    assert main(["conv", "-n", "1", "-c", "4", "-H", "5", "-W", "5", "-k", "4"]) == 0
    out = capfd.readouterr().out
    assert ">>> tensor([...], device='cpu', size=(1, 4, 3, 3), dtype=torch.float32)" in out
    assert main(["swim"]) == 2
    assert DEFAULT_BACKEND == "boo" and "min" in ALL_STATS


def test_generate(tmp_path, capsys):
    commands = tmp_path / "commands.txt"
    commands.write_text("conv -n 1 -c 4 -H 5 -W 5\nconv -n 1 -F 4\nconv -n 1 -g 2\n")
    out = tmp_path / "out"
    assert generate.main(["-f", str(commands), "-o", str(out), "-F", "fwd"]) == 1
    assert "Failed to generate IR for 1 configs of 2 total." in capsys.readouterr().err
    assert sorted(each.name for each in out.iterdir()) == [
        "ERR_conv_-n_1_-g_2.log",
        "conv_-n_1_-c_4_-H_5_-W_5.mlir",
    ]
    assert generate.main(["-c", "conv -n 1 -c 4 -H 5 -W 5"]) == 0
    assert "func.func" in capsys.readouterr().out
