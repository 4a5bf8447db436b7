"""BOO and torch in one process: import order, threads, fork, a shared cache, no compiler at hand."""

import os
import subprocess
import sys

import pytest

import boo

CONV = """
def conv(size=64):
    torch.manual_seed(0)
    x, w = torch.randn(2, 8, 32, 32), torch.randn(size, 8, 3, 3)
    y = boo.boo_conv(x, w, padding=1)
    torch.testing.assert_close(y, torch.nn.functional.conv2d(x, w, padding=1), atol=1e-3, rtol=1e-3)
"""


def run(code: str, *, status: int = 0, timeout: float = 120, **environment: str):
    """The code in a fresh process, whose static TLS nothing was done about."""
    given = {**os.environ, "OMP_NUM_THREADS": "2", **environment}
    given.pop("GLIBC_TUNABLES", None)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, env=given,
        check=False,
    )  # fmt: skip
    assert ran.returncode == status, ran.stdout + ran.stderr
    return ran.stdout


ONE_POOL = """
{imports}
import os
def count():
    return len(os.listdir("/proc/self/task"))
torch.set_num_threads(2)
def by_torch():
    x = torch.randn(256, 256)
    (x @ x).sum(); torch.nn.functional.softmax(torch.randn(512, 512), 1)
{conv}
{first}
alone = count()
{second}
{first}
both = count()
# A worker for each of two threads; a pool of BOO's own would add another.
assert 2 <= alone and both <= alone, (alone, both)
gomps = {{line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line}}
assert len(gomps) == 1, gomps
"""


@pytest.mark.parametrize("imports", ["import torch, boo", "import boo\nimport torch"])
def test_one_pool_in_either_order(imports):
    run(ONE_POOL.format(imports=imports, conv=CONV, first="by_torch()", second="conv()"))


def test_one_pool_when_kernels_run_first():
    run(ONE_POOL.format(
        imports="import boo\nimport torch", conv=CONV, first="conv()", second="by_torch()"
    ))  # fmt: skip


def test_import_is_light():
    out = run(
        "import time, torch\nbegin = time.perf_counter()\nimport boo, boo.ops\n"
        "print(time.perf_counter() - begin)\n"
        "maps = open('/proc/self/maps').read()\n"
        "assert not any(each in maps for each in ('libLLVM', 'libMLIR', 'libboo-compiler'))"
    )
    assert float(out) < 0.5  # typically under 0.05


def test_threads_call_one_kernel():
    run(
        "import torch, boo, threading\n"
        + CONV
        + """
x, w = torch.randn(1, 8, 16, 16), torch.randn(8, 8, 3, 3)
expected = boo.boo_conv(x, w, padding=1)
wrong = []
def body():
    for _ in range(100):
        if not torch.equal(boo.boo_conv(x, w, padding=1), expected):
            wrong.append(1)
threads = [threading.Thread(target=body) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
assert not wrong
"""
    )


def test_fork_after_use():
    run(
        "import os, torch, boo\n"
        + CONV
        + """
conv()
child = os.fork()
if child == 0:
    x, w = torch.ones(1, 8, 16, 16), torch.ones(8, 8, 3, 3)
    y = boo.boo_conv(x, w, padding=1)  # torch itself may hang here
    os._exit(0 if y[0, 0, 5, 5].item() == 72 else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
conv()
"""
    )


def test_processes_share_an_empty_cache(tmp_path):
    code = (
        "import torch, boo, sys\nfrom boo import _boo\n"
        "graph = 'boo.graph 1\\n%0 = input f32[64]{1}\\n'\n"
        "graph += '%1 = pointwise(%0) {fn = \"relu\"} : f32[64]{1}\\nreturn %1\\n'\n"
        "kernel = _boo.Kernel(graph)\n"
        "assert torch.equal(kernel(torch.ones(64)), torch.ones(64))\n"
        "print(*(each['cache'] for each in kernel.groups))"
    )
    environment = {**os.environ, "BOO_CACHE_DIR": str(tmp_path), "BOO_CACHE_ON": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]  # fmt: skip
    outcomes = []
    for process in processes:
        out, messages = process.communicate(timeout=120)
        assert process.returncode == 0, messages
        outcomes += out.split()
    assert sorted(outcomes) == ["hit", "hit", "miss"]
    assert len(list(tmp_path.glob("*/*.so"))) == 1


@pytest.fixture
def no_compiler(tmp_path):
    return {"BOO_CACHE_DIR": str(tmp_path), "BOO_COMPILER_PLUGIN": str(tmp_path / "nothing.so")}


def test_no_compiler_is_an_error_of_boos(no_compiler):
    out = run(
        "import torch, boo\n"
        "try:\n    boo.boo_conv(torch.ones(1, 8, 9, 9), torch.ones(4, 8, 3, 3))\n"
        "except boo.Error as error:\n    print(type(error).__name__, error)\n",
        **no_compiler,
    )
    assert "nothing.so" in out or "BOO_COMPILER_PLUGIN" in out, out
    assert issubclass(boo.Unsupported, boo.Error) and issubclass(boo.CompileError, boo.Error)


def test_no_compiler_falls_back_and_counts(no_compiler):
    out = run(
        "import torch, boo\nfrom boo.runtime import report\n"
        "model = torch.nn.Conv2d(8, 4, 3)\nx = torch.randn(1, 8, 9, 9)\n"
        "with torch.no_grad():\n"
        "    torch.testing.assert_close(torch.compile(model, backend='boo')(x), model(x))\n"
        "for graph in report.graphs():\n    print(len(graph['kernels']), graph['torch'])\n",
        **no_compiler,
    )
    assert out.startswith("0 ") and "convolution" in out, out
