"""The driver's backends in torch: each op of a Graph once, in f32 and in bf16, judged by the driver
like BOO's own kernels."""

import json
import subprocess
import sys

import pytest
import torch

from boo import _boo
from boo.driver import backends, reference

SMALL = "-n 2 -c 4 -H 7 -W 7 -k 6 -y 3 -x 3"
ROWS = "-X 2x3x4x8"
POOL = "-n 2 -c 8 -H 8 -W 8"
HEADS = "--heads 2 --seq 16 --head_dim 8"
SHARED = "--heads 4 --kv_heads 2 --seq 16 --head_dim 8 --causal"
BNORM = "-n 2 -c 4 -H 5 -W 5"

COMMANDS = [
    f"conv {SMALL} -p 1 -q 1 -b 1",
    f"conv {SMALL} -p 1 -q 1 -b 1 --in_layout NHWC --out_layout NHWC --fil_layout NHWC",
    f"conv {SMALL} -F 2",
    f"conv {SMALL} -F 4",
    f"conv {SMALL} -F 7",
    f"conv {SMALL} -m trans",
    "conv -n 2 -c 4 -H 8 -W 8 -k 6 -z same -u 2 -v 2",
    "conv -n 2 -c 4 -H 8 -W 8 -k 6 -z same -u 2 -v 2 -F 2",
    f"CBAInfer {SMALL}",
    f"sepconv {SMALL}",
    "gemm -m 8 -k 9 -n 10",
    "gemm -m 8 -k 9 -n 10 -v 1",
    f"layernorm {ROWS} -m 0",
    f"layernorm {ROWS} -m 1",
    f"layernorm {ROWS} -m 1 -F 2",
    f"layernorm {ROWS} -m 1 -F 8",
    f"layernorm {ROWS} -m 1 -F 14",
    f"bnorm {BNORM} -r 1 -s 1",
    f"bnorm {BNORM} -m 0 -r 1 -s 1",
    f"bnorm {BNORM} -b 1 -F 0 -r 1 -s 1",
    "groupnorm -n 2 -c 8 -H 5 -W 5 -g 2",
    "groupnorm -n 2 -c 8 -H 5 -W 5 -g 2 -m 1",
    f"t5layernorm {ROWS}",
    f"t5layernorm {ROWS} -m 6 -F 2",
    "softmax -n 2 -c 8 -H 5 -W 5",
    "softmax -n 2 -c 8 -H 5 -W 5 -F 2",
    "softmax -n 2 -c 8 -H 5 -W 5 -F 2 -a 2",
    *(f"reduce -D 2x8x5 -O {fn}" for fn in range(8)),
    "reduce -D 2x8x5 -O 3 -I 1",
    "reduceextreme -X 2x8x5 -O 1",
    "reduceextreme -X 2x8x5 -O 4",
    f"pool {POOL}",
    f"pool {POOL} -z same -u 2 -v 2",
    f"pool {POOL} -m avg -p 1 -q 1",
    f"pool {POOL} -m avg -z same -u 2 -v 2",
    f"pool {POOL} -F 2",
    f"pool {POOL} -F 2 -m avg -p 1 -q 1",
    "activ -n 2 -c 8 -H 5 -W 5",
    "activ -n 2 -c 8 -H 5 -W 5 -F 2",
    "tensorop -n 2 -H 4 -W 4 -o 3",
    f"mhsa {HEADS}",
    f"mhsa {HEADS} --causal --logsumexp",
    f"mhsa {HEADS} --causal --mask st",
    f"mhsa {HEADS} --qkv --mask st",
    f"mhsa {HEADS} -F 2",
    f"mhsa {SHARED} --logsumexp",
    f"mhsa {SHARED} -F 2",
]


def narrow(command: str) -> str:
    name, _, flags = command.partition(" ")
    return f"{name}bfp16 {flags}"


def drive(*arguments: str, cwd=None, status: int | None = 0):
    """`boo driver` in a process of its own; what it printed, and its messages."""
    ran = subprocess.run(
        [sys.executable, "-m", "boo.driver.driver", *arguments],
        capture_output=True, text=True, timeout=300, cwd=cwd, check=False,
    )  # fmt: skip
    if status is not None:
        assert ran.returncode == status, ran.stderr
    return ran.stdout, ran.stderr


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_op(dtype, tmp_path):
    commands = COMMANDS if dtype == "float32" else [narrow(each) for each in COMMANDS]
    file = tmp_path / "commands.txt"
    file.write_text("\n".join(commands) + "\n")
    out, messages = drive(
        "--commands-file", str(file), "--backend", "boo", "--reference-backend", "torch",
        "--json", "--verify", "--iter", "1", "--threads", "2",
        status=0 if dtype == "float32" else None,
    )  # fmt: skip
    lines = [json.loads(each) for each in out.splitlines()]
    torchs = [each for each in lines if each["backend"] == "torch"]
    boos = [each for each in lines if each["backend"] == "boo"]
    assert len(torchs) == len(boos) >= len(commands), messages
    for each in boos:
        assert each["verified"] is True, each
    for each in torchs:
        assert each["schedule"] == "eager" and each["median_us"] > 0, each
        if dtype == "float32":
            assert each["verified"] is True, each
        else:  # torch rounds in between, which no bound of one rounding allows for
            assert each["verified"] or each["max_rel_err"] is not None, each
            assert each["verified"] or each["max_abs_err"] <= 0.1, each


@pytest.mark.parametrize(
    "backend",
    ["iree_boo", "iree_boo_experimental", "iree_boo_inductor", "iree_boo_legacy", "boo_inductor"],
)
def test_other_backends(backend):
    out, _ = drive(*f"conv {SMALL} -b 1 --json --verify --iter 1 --backend {backend}".split())
    result = json.loads(out)
    assert result["backend"] == backend and result["verified"] is True
    assert result["compile_ms"] > 0


def test_explain():
    out, _ = drive(*f"conv {SMALL} -b 1 --reference-backend torch --explain".split())
    assert ">>> backend boo" in out and ">>> backend torch" in out
    assert "eager" in out and "runs conv2d\n" in out, "bias and convolution are one call"


def test_threads_are_set():
    graph = "boo.graph 1\n%0 = input f32[4]{1}\n"
    graph += '%1 = pointwise(%0) {fn = "relu"} : f32[4]{1}\nreturn %1\n'
    runner = backends.BACKENDS["torch"](graph)
    before = torch.get_num_threads()
    try:
        x, y = torch.tensor([-1.0, 0.0, 1.0, 2.0]), torch.empty(4)
        runner.run([x], 1)
        assert torch.get_num_threads() == 1
        runner.deliver([y])
        assert y.tolist() == [0, 0, 1, 2]
    finally:
        torch.set_num_threads(before)


def test_refused():
    graph = "boo.graph 1\n%0 = input f32[4]{1}\n"
    graph += '%1 = mlir(%0) {module = "module {}"} : f32[4]{1}\nreturn %1\n'
    with pytest.raises(NotImplementedError, match="mlir"):
        reference.translate(graph)
    with pytest.raises(ValueError):
        _boo.read_graph("boo.graph 1\nnonsense")


def test_python_errors_name_the_backend():
    code = (
        "import sys\nfrom boo import _boo\n"
        "def broken(graph): raise KeyError('lost')\n"
        "_boo.register_backend('broken', broken)\n"
        "sys.exit(_boo.main(['driver', 'gemm', '-m', '4', '-k', '4', '-n', '4',"
        " '--backend', 'broken']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "backend broken: KeyError: 'lost'" in ran.stderr


def test_torch_is_imported_on_demand():
    code = (
        "import sys\nfrom boo import cli\nsys.argv = ['boo', 'version']\n"
        "assert cli.main() == 0 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
