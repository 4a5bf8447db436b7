"""The backends of torch.compile: values forward and backward, what is fused, options, names."""

import copy
import importlib
import importlib.metadata
import pathlib
import re
import subprocess
import sys
import threading

import boo.backends.boo as boo_backends
import pytest
import torch
from boo.backends import (
    backend,
    boo_backend,
    boo_inductor_backend,
    default_backend,
    experimental_backend,
    inductor_backend,
)
from boo.fusion import FusionSchema, OpFusionSpec, ReplacementSchema, fusion_transform

import boo
from boo.runtime import fallbacks, kernels, settings

aten = torch.ops.aten
LAST = torch.channels_last


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.second = torch.nn.Conv2d(8, 8, 3, stride=2)
        self.norm = torch.nn.LayerNorm(7)
        self.last = torch.nn.Linear(7, 5)

    def forward(self, x):
        y = torch.sigmoid(self.second(torch.relu(self.first(x))))
        return self.last(self.norm(y))


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    torch.manual_seed(5)
    fallbacks.reset()


@pytest.fixture
def graphs(monkeypatch):
    """The graphs behind the transform, which backends look up when they are called."""
    seen = []

    def spy(gm, **schemas):
        fusion_transform(gm, **schemas)
        seen.append([str(node.target) for node in gm.graph.nodes if node.op == "call_function"])

    monkeypatch.setattr(boo_backends, "fusion_transform", spy)
    return seen


def count(names):
    return sum(name.startswith("boo.fused_op_") for name in names)


def error(got, exact):
    return (got.double() - exact.double()).abs().max().item()


def run(call, x, cast, grad=None):
    """Result and gradients, of the input and of what `call` has parameters."""
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", dtype=cast or torch.bfloat16, enabled=cast is not None):
        y = call(x)
    y.backward(torch.ones_like(y) if grad is None else grad.to(y.dtype))
    parameters = list(call.parameters())
    gradients = [each.grad for each in parameters]
    for each in parameters:
        each.grad = None
    return [y.detach(), x.grad, *gradients]


def check(chosen, memory_format=torch.contiguous_format, cast=None, **arguments):
    """Forward, backward and inference: as near to float64 as eager torch comes, and its strides."""
    model = Block().to(memory_format=memory_format)
    exact = copy.deepcopy(model).double()
    x = torch.randn(2, 3, 16, 16).to(memory_format=memory_format)
    compiled = torch.compile(model, backend=chosen, **arguments)
    grad = torch.randn_like(exact(x.double()))
    results = [
        run(compiled, x, cast, grad), run(model, x, cast, grad), run(exact, x.double(), None, grad)
    ]  # fmt: skip
    base = 1e-5 if cast is None else 1e-2
    for got, eager, wide in zip(*results):
        bound = 4 * error(eager, wide) + base * max(1.0, wide.abs().max().item())
        assert error(got, wide) <= bound
        assert got.stride() == eager.stride() and got.dtype == eager.dtype
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast is not None):
        got, eager = compiled(x), model(x)
    assert error(got, results[2][0]) <= 4 * error(eager, results[2][0]) + base * 4
    assert got.stride() == eager.stride()


@pytest.mark.parametrize("cast", [None, torch.bfloat16], ids=["float32", "autocast"])
@pytest.mark.parametrize("last", [torch.contiguous_format, LAST], ids=["contiguous", "last"])
def test_default_backend(graphs, last, cast):
    check(default_backend, last, cast, dynamic=False)
    forward, backward, inference = map(count, graphs)
    # Convolutions and the norm, whose rows are dense unless channels are last in memory.
    assert (forward, backward) == (3 if last is not LAST else 2, 0)
    assert inference == forward
    assert not fallbacks.counts()


@pytest.mark.parametrize("cast", [None, torch.bfloat16], ids=["float32", "autocast"])
@pytest.mark.parametrize("last", [torch.contiguous_format, LAST], ids=["contiguous", "last"])
def test_experimental_backend(graphs, last, cast):
    check(experimental_backend, last, cast, dynamic=False)
    assert [count(each) for each in graphs] == [4, 4, 4]
    convolutions = [name for name in graphs[1] if "layout_cus" in name]
    assert len(convolutions) == 2
    assert not fallbacks.counts()


@pytest.mark.parametrize("last", [torch.contiguous_format, LAST], ids=["contiguous", "last"])
def test_region_backend(graphs, last):
    check(boo_backend, last, dynamic=False)
    assert not graphs, "regions need no schema"


@pytest.mark.needs_compiler
def test_inductor_backend(graphs):
    check(inductor_backend, cast=torch.bfloat16, dynamic=False)
    assert [count(each) for each in graphs] == [3, 0, 3]


@pytest.mark.needs_compiler
def test_region_inductor_backend():
    check(boo_inductor_backend, LAST, dynamic=False)


def test_customized_backend(graphs):
    """As users build their own: a schema, replacements, and a nested backend."""
    custom_fusion_schema: FusionSchema = {
        aten.addmm.default: OpFusionSpec(consumers=(aten.relu.default,))
    }
    custom_replacement_schema: ReplacementSchema = {}
    customized = backend(
        nested_backend="eager",
        fusion_schema=custom_fusion_schema,
        post_fusion_replacements=custom_replacement_schema,
    )
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU())
    x = torch.randn(3, 6)
    compiled = torch.compile(model, dynamic=False, backend=customized)
    assert error(compiled(x), copy.deepcopy(model).double()(x.double())) < 1e-5
    assert count(graphs[0]) == 1


def test_other_nested_backends():
    calls = []

    def nested(gm, example_inputs):
        calls.append(gm)
        return gm

    check(backend(nested_backend=nested), dynamic=False)
    assert len(calls) == 3
    torch._dynamo.reset()
    x = torch.randn(2, 3)
    compiled = torch.compile(torch.relu, backend=backend(nested_backend="eager_noexcept"))
    with pytest.warns(UserWarning, match="aten operators"):
        got = compiled(x)
    assert torch.equal(got, torch.relu(x))


@pytest.mark.parametrize("chosen", [default_backend, boo_backend], ids=["iree_boo", "boo"])
def test_dynamic_sizes(chosen):
    model = Block()
    compiled = torch.compile(model, backend=chosen, dynamic=True)
    for batch in (2, 3, 5):
        x = torch.randn(batch, 3, 16, 16)
        assert error(compiled(x), copy.deepcopy(model).double()(x.double())) < 5e-5


def test_options():
    x = torch.randn(3, 4)
    for chosen in (boo_backend, default_backend):
        for options, error in (
            ({"math": "sloppy"}, "math"),
            ({"fallback": "maybe"}, "fallback"),
            ({"threads": 0}, "threads"),
            ({"colour": 1}, "unknown options: colour"),
        ):
            with pytest.raises(Exception, match=error):
                torch.compile(torch.relu, backend=chosen, options=options)(x)
    before = boo._boo.math(), torch.get_num_threads()
    options = {"math": "strict", "fallback": "error", "threads": 1}
    for chosen in (boo_backend, default_backend):
        got = torch.compile(torch.relu, backend=chosen, options=options)(x)
        assert torch.equal(got, torch.relu(x))
        torch._dynamo.reset()
    assert (boo._boo.math(), torch.get_num_threads()) == before


@pytest.mark.parametrize("frozen", [False, True], ids=["symbols", "frozen"])
def test_options_of_threads_stay_apart(frozen, monkeypatch):
    """Programs that are compiled when they are called, both at once, with options of their own."""
    barrier, own, made = threading.Barrier(2), kernels.make, {}
    compiling = threading.Event()

    def make(*args, **options):
        compiling.set()
        barrier.wait(30)  # both are
        kernel = own(*args, **options)
        barrier.wait(30)
        made.setdefault(threading.current_thread().name, []).append(kernel)
        return kernel

    models = {}
    for math in ("strict", "default"):
        model = torch.nn.Conv2d(64, 64, 3, padding=1).eval()
        models[math] = torch.compile(
            boo.freeze(model) if frozen else model,
            backend=boo_backend, dynamic=not frozen, options={"math": math},
        )  # fmt: skip

    def run(math, size=16):
        with torch.no_grad():
            models[math](torch.randn(1, 64, size, 16))

    for math in models:
        run(math, 16 if frozen else 18)  # dynamo, too
    boo.refresh()
    monkeypatch.setattr(kernels, "make", make)
    threads = [threading.Thread(target=run, name=math, args=(math,)) for math in models]
    for each in threads:
        each.start()
        compiling.wait(30)  # torch traces one at a time
    for each in threads:
        each.join()
    algorithms = {math: made[math][0].groups[0]["algorithm"] for math in models}
    assert algorithms["strict"] == "direct" and "winograd" in algorithms["default"]


def test_eager_kernels_do_not_follow_options():
    """They serve all callers, so what a program asks for does not hold for them."""
    x, w = torch.randn(1, 64, 16, 16), torch.randn(64, 64, 3, 3)
    with settings.using_math("strict"):
        boo.boo_conv(x, w, padding=1)
    assert "winograd" in kernels.living()[-1].groups[0]["algorithm"]
    assert settings.math() == boo._boo.math() == "default"


def test_fallbacks_can_be_refused():
    def function(x):
        return torch.cumsum(x, 0)

    x = torch.randn(3, 4)
    schema = {aten.cumsum.default: OpFusionSpec()}
    for chosen in (boo_backend, backend(fusion_schema=schema)):
        assert torch.equal(torch.compile(function, backend=chosen)(x), function(x))
        torch._dynamo.reset()
        with pytest.raises(Exception, match="cumsum"):
            torch.compile(function, backend=chosen, options={"fallback": "error"})(x)
        torch._dynamo.reset()
    with pytest.raises(boo.Unsupported, match="cumsum"):
        torch.compile(
            function, backend=boo_backend, options={"fallback": "error"}, dynamic=True
        )(x)  # fmt: skip


def test_names():
    chosen = {
        "boo": boo_backend,
        "boo_inductor": boo_inductor_backend,
        "iree_boo": default_backend,
        "iree_boo_experimental": experimental_backend,
        "iree_boo_inductor": inductor_backend,
    }
    assert all(each.__name__ == name for name, each in chosen.items())
    project = pathlib.Path(__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("no pyproject.toml: the package is installed")
    section = project.read_text().split("[project.entry-points.torch_dynamo_backends]\n")[1]
    section = section.split("\n\n")[0]
    entries = dict(re.findall(r'^(\w+) = "(.+)"$', section, re.MULTILINE))
    for name, each in chosen.items():
        module, attribute = entries.pop(name).split(":")
        assert getattr(importlib.import_module(module), attribute) is each
    assert not entries


@pytest.mark.parametrize("name", ["iree_boo", "iree_boo_experimental"])
def test_names_need_no_import(name, graphs):
    """As users of the package write it."""
    (entry,) = importlib.metadata.entry_points(group="torch_dynamo_backends", name=name) or (None,)
    if entry is None:
        pytest.skip(f"the installed package has no entry point {name}")
    model = Block()
    x = torch.randn(1, 3, 16, 16)
    boo_model = torch.compile(model, dynamic=False, backend=name)
    with torch.no_grad():
        assert error(boo_model(x), copy.deepcopy(model).double()(x.double())) < 5e-5
    assert count(graphs[0]) >= 3


def test_imports_stay_light():
    code = (
        "import sys, boo; assert 'torch' not in sys.modules\n"
        "import boo.ops; assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.needs_compiler
def test_strides_that_tracing_did_not_foresee():
    """The operator is compiled anew, at a call: inductor lays out statistics in its own way."""
    norm = torch.nn.BatchNorm2d(8, track_running_stats=False)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), norm, torch.nn.Conv2d(8, 4, 1))
    x = torch.randn(2, 3, 6, 6)
    y = torch.compile(module, backend="boo_inductor")(x)
    torch.testing.assert_close(y, module(x), rtol=1e-4, atol=1e-4)
