"""The examples of upstream's READMEs, under the names they have there; sizes are the tests' own."""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

import boo
from boo.runtime import LaunchableRuntimeCache, use_cache_dir

PACKAGE = Path(boo.__file__).parent
COMMANDS = (
    "convbfp16 -n 2 -c 8 -H 4 -W 8 -k 4 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1 -m conv -g 1 -F 1",
    "convbfp16 -n 2 -c 8 -H 4 -W 8 -k 4 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1 -m conv -g 1 -F 4",
    "convbfp16 -n 2 -c 5 -H 4 -W 6 -k 5 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1 -m conv -g 1 -F 1",
)
LAYOUTS = "--in_layout NHWC --out_layout NHWC --fil_layout NHWC"
#: What the commands print for their results, by number.
SIZES = ((2, 4, 8, 4), (4, 1, 1, 8), (2, 4, 6, 5))


@pytest.fixture(autouse=True)
def as_upstream(tmp_path):
    """A cache and a working folder of its own, and upstream's names."""
    dropin = importlib.import_module("boo.dropin")
    dropin.install()
    LaunchableRuntimeCache.reset()
    with warnings.catch_warnings(), use_cache_dir(tmp_path / "cache"):
        warnings.filterwarnings("ignore", message="CUDA is not available")
        yield
    LaunchableRuntimeCache.reset()
    dropin.uninstall()


@pytest.fixture
def commands_file(tmp_path):
    file = tmp_path / "commands_list.txt"
    file.write_text("".join(f"{each} -t 1 --iter 10 {LAYOUTS}\n" for each in COMMANDS))
    return file


def a_model():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(4 * 36, 5), torch.nn.Softmax(-1),
    ).eval()  # fmt: skip


class TestOverview:
    """The README of July 2025."""

    @pytest.mark.parametrize(
        "backend", ["iree_boo", pytest.param("iree_boo_inductor", marks=pytest.mark.needs_compiler)]
    )
    def test_backends_of_torch_compile(self, backend):
        model: torch.nn.Module = a_model()
        boo_model = torch.compile(model, dynamic=False, backend=backend)
        x = torch.randn(2, 3, 6, 6)
        torch.testing.assert_close(boo_model(x), model(x), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        "nested", ["eager", pytest.param("inductor", marks=pytest.mark.needs_compiler)]
    )
    def test_a_customized_backend(self, nested):
        import iree.turbine.dynamo.backends.boo as boo  # noqa: PLR0402
        from iree.turbine.kernel.boo.fusion import FusionSchema, OpFusionSpec, ReplacementSchema

        aten = torch.ops.aten
        custom_fusion_schema: FusionSchema = {
            aten.convolution.default: OpFusionSpec(consumers=(aten.relu.default,)),
        }
        custom_replacement_schema: ReplacementSchema = {}
        customized_backend = boo.backend(
            nested_backend=nested,
            fusion_schema=custom_fusion_schema,
            post_fusion_replacements=custom_replacement_schema,
        )
        model: torch.nn.Module = a_model()
        customized_boo_model = torch.compile(model, dynamic=False, backend=customized_backend)
        x = torch.randn(2, 3, 6, 6)
        with torch.no_grad():
            torch.testing.assert_close(customized_boo_model(x), model(x), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_a_single_convolution(self, dtype):
        from iree.turbine.kernel.boo.ops import boo_conv

        input_shape = (2, 3, 6, 6)
        weight_shape = (4, 3, 3, 3)
        x = torch.randn(input_shape, dtype=dtype, device="cuda:0")
        w = torch.randn(weight_shape, dtype=dtype, device="cuda:0")
        b = None
        y = boo_conv(x, w, b)
        exact = torch.nn.functional.conv2d(x.double(), w.double())
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(y.double(), exact, rtol=2 * eps, atol=30 * eps)
        b = torch.randn(4, dtype=dtype, device="cuda:0")
        assert boo_conv(x, w, b, stride=2, padding=1, dilation=2, groups=1).shape == (2, 4, 2, 2)

    def test_the_module(self):
        from iree.turbine.kernel.boo.modeling import BooConv2d

        conv2d = BooConv2d(3, 4, kernel_size=3, stride=2, padding=1, bias=True)
        x = torch.randn(2, 3, 6, 6)
        exact = torch.nn.functional.conv2d(x, conv2d.weight, conv2d.bias, stride=2, padding=1)
        torch.testing.assert_close(conv2d(x), exact, rtol=1e-4, atol=1e-5)


class TestConvExports:
    """The README of conv_exports."""

    def test_eager(self):
        from iree.turbine.kernel.boo.ops import boo_conv

        x = torch.randn(1, 6, 8, 6)
        w = torch.randn(4, 6, 3, 2)
        conv2d = torch.nn.functional.conv2d
        y = boo_conv(x, w)
        torch.testing.assert_close(y, conv2d(x, w), rtol=1e-4, atol=1e-4)
        y = boo_conv(x, w, stride=[1, 2], dilation=[2, 2], padding=[1, 0])
        exact = conv2d(x, w, stride=[1, 2], dilation=[2, 2], padding=[1, 0])
        torch.testing.assert_close(y, exact, rtol=1e-4, atol=1e-4)

    def test_eager_with_layouts(self):
        from iree.turbine.kernel.boo.ops import boo_conv

        x = torch.randn(1, 6, 6, 6)
        w = torch.randn(6, 6, 6, 6)

        def plain(tensor):
            return tensor.permute(0, 3, 1, 2)

        y = boo_conv(x, w, shared_layout="NHWC")
        exact = torch.nn.functional.conv2d(plain(x), plain(w))
        torch.testing.assert_close(plain(y), exact, rtol=1e-4, atol=1e-3)
        y = boo_conv(x, w, input_layout="NCHW", kernel_layout="NHWC", output_layout="NCHW")
        exact = torch.nn.functional.conv2d(x, plain(w))
        torch.testing.assert_close(y, exact, rtol=1e-4, atol=1e-3)

    def test_signatures(self):
        from iree.turbine.kernel.boo.conv_exports import ConvSignature
        from iree.turbine.kernel.boo.driver.launch import get_launchable

        # fmt: off
        fwd_sig = ConvSignature(
            input_shape = [2,16,32,3],
            kernel_shape = [10,2,2,3],
            shared_layout="NHWC",
        )
        wrw_sig = ConvSignature(
            input_shape = [2,16,32,3],
            kernel_shape = [10,2,2,3],
            shared_layout="NHWC",
            mode="wrw",
        )
        # fmt: on
        conv_fwd = get_launchable(fwd_sig)
        conv_wrw = get_launchable(wrw_sig)
        torch_device = torch.device("cuda:0") if torch.cuda.is_available() else None
        x, w = fwd_sig.get_sample_args(device=torch_device, seed=10)
        y = conv_fwd(x, w)
        dLdy, _ = wrw_sig.get_sample_args(device=torch_device, seed=2)
        dLdw = conv_wrw(dLdy, x)

        assert y.shape == dLdy.shape == (2, 15, 31, 10) and dLdw.shape == w.shape
        weight = w.double().requires_grad_()
        exact = torch.nn.functional.conv2d(
            x.double().permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2)
        ).permute(0, 2, 3, 1)
        torch.testing.assert_close(y.double(), exact.detach(), rtol=1e-2, atol=1e-2)
        exact.backward(dLdy.double())
        torch.testing.assert_close(dLdw.double(), weight.grad, rtol=1e-2, atol=1e-1)

    def test_commands(self):
        from iree.turbine.kernel.boo.conv_exports.miopen_parser import ConvParser
        from iree.turbine.kernel.boo.driver.launch import get_launchable

        miopen_driver_command = f"{COMMANDS[0]} -t 1 --iter 100 {LAYOUTS}"
        signature = ConvParser.command_to_signature(miopen_driver_command)
        conv = get_launchable(signature)
        assert conv(*signature.get_sample_args(seed=1)).shape == SIZES[0]

    def test_the_full_command_makes_a_signature(self):
        from iree.turbine.kernel.boo.conv_exports.miopen_parser import ConvParser

        signature = ConvParser.command_to_signature(
            "convbfp16 -n 128 -c 128 -H 24 -W 48 -k 384 -y 1 -x 1 -p 0 -q 0 -u 1 -v 1 -l 1 -j 1"
            " -m conv -g 1 -F 1 -t 1 --iter 100 --in_layout NHWC --out_layout NHWC"
            " --fil_layout NHWC"
        )
        assert signature.output_shape == (128, 24, 48, 384) and signature.dtype == torch.bfloat16

    def test_the_populator(self, commands_file):
        from iree.turbine.kernel.boo.conv_exports import CachePopulator
        from iree.turbine.kernel.boo.driver.launch import get_launchable

        populator = CachePopulator(commands_file=str(commands_file))
        populator.run()
        sample_signature = populator.signatures[0]
        cache_status = populator.get_cache_status(sample_signature.get_func_name())
        print(cache_status)
        failed_funcs = populator.get_failures()
        conv = get_launchable(sample_signature)

        assert cache_status == {"mlir_import": True, "cpu": True} and not failed_funcs
        assert conv.kernel.groups[0]["cache"] == "hit" and len(populator.signatures) == 3


class TestDriver:
    """The README of driver."""

    def test_the_populator(self, commands_file):
        from iree.turbine.kernel.boo.driver.launch import get_launchable
        from iree.turbine.kernel.boo.driver.preload import CachePopulator

        populator = CachePopulator(commands_file=str(commands_file))
        populator.run()
        sample_signature = populator.signatures[0]
        cache_status = populator.get_cache_status(sample_signature.func_name)
        print(cache_status)
        failed_funcs = populator.get_failures()
        conv = get_launchable(sample_signature)

        assert cache_status == {"mlir_import": True, "cpu": True} and not failed_funcs
        assert conv(*sample_signature.get_sample_args(seed=1)).shape == SIZES[0]

    @pytest.mark.parametrize("folder", ["conv_exports", "driver"])
    def test_preload_by_its_path(self, folder, commands_file, tmp_path):
        cache = tmp_path / "filled"
        out = console(folder, "preload.py", str(commands_file), "--cache-dir", str(cache))
        assert "3 compiled" in out and "0 failed" in out
        assert len(list(cache.glob("*/*.so"))) == 3
        only = tmp_path / "modules"
        console(folder, "preload.py", str(commands_file), "-d", "", "-o", str(only))
        assert len(list(only.glob("*/*.mlir"))) >= 3 and not list(only.glob("*/*.so"))
        assert "--device" in console(folder, "preload.py", "--help")

    def test_driver_by_its_path(self):
        command = [*COMMANDS[0].split(), "-t", "1", "--iter", "10", *LAYOUTS.split()]
        printed, result, times = console("driver", "driver.py", *command).splitlines()
        assert printed == f"{COMMANDS[0]} --iter 10 {LAYOUTS}"
        assert result == (
            ">>> tensor([...], device='cpu', size=(2, 4, 8, 4), dtype=torch.bfloat16)"
        )
        assert [each.partition("=")[0] for each in times.split()] == [
            ">>>", "min", "max", "mean", "stddev",
        ]  # fmt: skip

    def test_driver_with_a_file(self, commands_file, tmp_path):
        given = ("driver", "driver.py", "--commands-file", str(commands_file))
        lines = console(*given).splitlines()
        assert lines[0::3] == [f"{each} --iter 10 {LAYOUTS}" for each in COMMANDS]
        for result, times, sizes in zip(lines[1::3], lines[2::3], SIZES):
            assert f"size={sizes}" in result and times.startswith(">>> min=")
        table = tmp_path / "results.csv"
        console(*given, f"--csv={table}")
        assert len(table.read_text().splitlines()) == 4

    @pytest.mark.parametrize(
        "backend", ["torch", "inductor", "iree_boo_inductor", "iree_boo_legacy"]
    )
    def test_reference_backends(self, backend, tmp_path):
        command = [*COMMANDS[0].split(), *LAYOUTS.split()]
        out = console("driver", "driver.py", "--reference-backend", backend, *command)
        assert out.count(">>> tensor(") == 2

    @pytest.mark.parametrize("program", ["conv_exports/numerics_runner.py", "driver/numerics.py"])
    def test_numerics_by_its_path(self, program, commands_file):
        folder, name = program.split("/")
        assert console(folder, name, str(commands_file)).count("PASS") >= 3


def console(folder, script, *args):
    """``python SCRIPT ARGS`` in the script's own folder; returns what it prints."""
    ran = subprocess.run([sys.executable, script, *args], cwd=PACKAGE / folder, check=False,
                         capture_output=True, text=True)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
