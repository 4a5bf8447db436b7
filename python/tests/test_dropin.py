"""boo.dropin: names of iree-turbine's that BOO serves, and CUDA devices read as the CPU."""

import importlib
import pkgutil
import subprocess
import sys
import textwrap
import warnings

import pytest
import torch
from boo.driver.preload import CachePopulator
from boo.op_exports.conv import ConvSignature

import boo
from boo.runtime import LaunchableRuntimeCache, use_cache_dir

SMALL = dict(input_shape=(1, 2, 5, 5), kernel_shape=(3, 2, 3, 3), dtype=torch.float32)
WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.fixture
def dropin():
    module = importlib.import_module("boo.dropin")
    module.install()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="CUDA is not available")
        yield module
    module.uninstall()
    assert not any(name.partition(".")[0] == "iree" for name in sys.modules)


def run(code, tmp_path, *args):
    """A fresh Python with the code as a script; returns what it prints."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    ran = subprocess.run(
        [sys.executable, *args, str(script)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def modules():
    """All modules of the package but dropin itself and the compiler, which is no module."""
    for each in pkgutil.walk_packages(boo.__path__, "boo."):
        if each.name not in ("boo.dropin", "boo.libboo-compiler"):
            yield each.name


def test_every_module_has_its_second_name(dropin):
    for name in modules():
        own = importlib.import_module(name)
        alias = importlib.import_module(f"iree.turbine.kernel.{name}")
        assert alias is own and own.__spec__.name == name == own.__name__
    assert sys.modules["iree.turbine.kernel.boo"] is boo
    if "boo.fusion" in sys.modules:
        from iree.turbine.kernel.boo.fusion import kernel

        assert callable(kernel), "the function, not the module of that name"
    with pytest.raises(ModuleNotFoundError, match=r"iree\.turbine\.kernel\.boo\.nothing"):
        importlib.import_module("iree.turbine.kernel.boo.nothing")


def test_names_of_other_places(dropin):
    import iree.turbine.dynamo.backends.boo as by_path
    from iree.turbine.dynamo.backends import boo as by_name
    from iree.turbine.kernel.boo.exports.parser import OpCLIParser
    from iree.turbine.kernel.boo.exports.signature import OpSignature

    assert by_path is by_name is importlib.import_module("boo.backends.boo")
    assert issubclass(ConvSignature, OpSignature)
    assert OpCLIParser.__module__ == "boo.op_exports.parser"


def test_backends_by_name(dropin):
    before = torch._dynamo.list_backends()
    assert {"iree_boo", "iree_boo_inductor", "iree_boo_experimental"} <= set(before)
    x = torch.randn(3, 4)
    assert torch.allclose(torch.compile(torch.relu, backend="iree_boo")(x), x.relu())


def test_served(dropin):
    served = dropin.served()
    assert served.names["iree.turbine.kernel.boo"] == "boo"
    assert served.names["iree_boo"] == "boo.backends.boo.default_backend"
    assert served.cpu_for_cuda
    dropin.install()  # a second time changes nothing
    assert dropin.served() == served
    dropin.uninstall()
    assert dropin.served().names == {} and not dropin.served().cpu_for_cuda
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("iree.turbine.kernel.boo")


def test_uninstall_gives_torch_back():
    dropin = importlib.import_module("boo.dropin")
    dropin.uninstall()
    before = torch.randn, torch.Tensor.to, torch.Tensor.new_zeros
    dropin.install()
    assert torch.randn is not before[0]
    dropin.uninstall()
    assert (torch.randn, torch.Tensor.to, torch.Tensor.new_zeros) == before
    assert "to" not in vars(torch.Tensor)
    compiled = torch.compile(lambda x: x + torch.ones(3), backend="aot_eager", fullgraph=True)
    assert compiled(torch.zeros(3)).tolist() == [1, 1, 1]


def test_torch_is_not_imported(tmp_path):
    out = run(
        """
        import sys
        import boo.dropin
        assert "torch" not in sys.modules
        import iree.turbine.kernel.boo as boo
        assert "torch" not in sys.modules
        import torch
        print(boo.dropin.served().cpu_for_cuda, torch.randn(2, device="cpu").device)
        """,
        tmp_path,
    )
    assert out.split() == ["True", "cpu"]


def test_other_packages_below_iree(tmp_path):
    """As they are when iree-turbine is installed beside a package that shares its namespace."""
    one, other = tmp_path / "one" / "iree", tmp_path / "other" / "iree"
    for folder in ("kernel/boo/ops", "dynamo/backends"):
        (one / "turbine" / folder).mkdir(parents=True)
    for package in ("", "kernel/", "kernel/boo/", "kernel/boo/ops/"):
        (one / "turbine" / package / "__init__.py").write_text("mine = True\n")
    (one / "turbine" / "aot.py").write_text("mine = True\n")
    (one / "turbine" / "dynamo" / "backends" / "boo.py").write_text("mine = True\n")
    other.mkdir(parents=True)
    (other / "compiler.py").write_text("mine = True\n")
    out = run(
        f"""
        import sys
        sys.path.append({str(one.parent)!r})
        import boo.dropin
        import iree.turbine, iree.turbine.aot, iree.turbine.kernel
        assert iree.turbine.mine and iree.turbine.aot.mine and iree.turbine.kernel.mine
        import iree.turbine.kernel.boo.ops, iree.turbine.dynamo.backends.boo as backends
        print(iree.turbine.kernel.boo.ops.__name__, backends.__name__)
        sys.path.append({str(other.parent)!r})
        import iree.compiler
        assert iree.compiler.mine
        boo.dropin.uninstall()
        import iree.turbine.kernel.boo.ops
        assert iree.turbine.kernel.boo.ops.mine
        try:
            boo.dropin.install()
        except ImportError as error:
            print(error)
        """,
        tmp_path,
    )
    first, second = out.splitlines()
    assert first == "boo.ops boo.backends.boo"
    assert "was imported before boo.dropin" in second


def test_namespace_that_appears_later(tmp_path):
    (tmp_path / "late" / "iree").mkdir(parents=True)
    (tmp_path / "late" / "iree" / "compiler.py").write_text("")
    run(
        f"""
        import sys
        import boo.dropin
        import iree.turbine.kernel.boo.runtime
        sys.path.append({str(tmp_path / "late")!r})
        import iree.compiler
        """,
        tmp_path,
    )


def test_running_programs(tmp_path):
    code = """
    import sys
    import iree.turbine.kernel.boo.op_exports as ops
    if __name__ == "__main__":
        print(sys.argv[1:], ops.__name__)
    """
    assert run(code, tmp_path, "-m", "boo.dropin").split() == ["[]", "boo.op_exports"]
    start = [sys.executable, "-m", "boo.dropin"]
    ran = subprocess.run([*start, "-m", "script", "-a", "b"], cwd=tmp_path, capture_output=True,
                         text=True, check=True)  # fmt: skip
    assert ran.stdout == "['-a', 'b'] boo.op_exports\n"
    command = ["conv", "-n", "1", "-c", "4", "-H", "5", "-W", "5", "-k", "4"]
    ran = subprocess.run([*start, "-m", "iree.turbine.kernel.boo.driver.driver", *command],
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert ">>> tensor([...], device='cpu', size=(1, 4, 3, 3)" in ran.stdout
    for wrong in ([], ["--help"], ["-m"]):
        assert subprocess.run([*start, *wrong], capture_output=True, check=False).returncode == 2


@WITHOUT_CUDA
def test_tensors_on_cuda_are_on_the_cpu(dropin):
    cuda = torch.device("cuda:0")
    made = [
        torch.randn(2, device="cuda:0"),
        torch.zeros(2, device=cuda),
        torch.tensor([1.0, 2.0], device="cuda"),
        torch.empty_like(torch.ones(2), device=0),
        torch.ones(2).to("cuda:0", torch.float64),
        torch.ones(2).to(device=cuda),
        torch.ones(2).cuda(),
        torch.ones(2).new_zeros(2, device=cuda),
        torch.nn.Linear(2, 2, device=cuda).to(cuda).cuda().weight,
    ]
    assert all(each.device.type == "cpu" for each in made)
    assert torch.ones(2).to(torch.float64).dtype == torch.float64
    assert torch.ones(2, device="meta").device.type == "meta"
    dropin.cpu_for_cuda(False)
    with pytest.raises((AssertionError, RuntimeError), match="CUDA"):
        torch.zeros(2, device=cuda)
    assert not dropin.served().cpu_for_cuda
    dropin.cpu_for_cuda()
    assert torch.zeros(2, device=cuda).device.type == "cpu"


@WITHOUT_CUDA
def test_it_is_said_once(dropin, monkeypatch):
    monkeypatch.setattr("boo._devices._warned", False)
    with pytest.warns(UserWarning, match="takes the CPU for cuda:1") as caught:
        made = [torch.zeros(2, device="cuda:1") for _ in range(2)]
    assert len(made) == 2
    assert len(caught) == 1 and caught[0].filename == __file__


@WITHOUT_CUDA
@pytest.mark.parametrize("backend", ["eager", "aot_eager", "iree_boo"])
def test_compiled_functions_that_name_cuda(dropin, backend):
    def function(x):
        return x + torch.ones(3, device="cuda:0") + x.to("cuda")

    y = torch.compile(function, backend=backend, fullgraph=True)(torch.ones(3))
    assert y.device.type == "cpu" and y.tolist() == [3, 3, 3]


@WITHOUT_CUDA
def test_launches_on_cuda(dropin, tmp_path):
    from boo.driver.launch import get_launchable

    LaunchableRuntimeCache.reset()
    with use_cache_dir(tmp_path):
        signature = ConvSignature(**SMALL)
        x, w = signature.get_sample_args(device="cuda:0", seed=1)
        assert torch.equal(x, signature.get_sample_args(seed=1)[0])
        conv = get_launchable(signature)
        conv.preload("cuda:0")
        assert torch.equal(conv(x, w, device="cuda:0"), conv(x, w))
        populator = CachePopulator(signatures=[signature], devices=["cpu", "cuda:0"])
        populator.run()
        status = populator.get_cache_status(signature.func_name)
        assert status == {"mlir_import": True, "cpu": True}
    LaunchableRuntimeCache.reset()
