"""Each example runs to its end, in a few steps."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_resnet18_training():
    out = run("resnet18_training.py", "--steps", "4", "--batch", "4", "--width", "8")
    losses = [
        float(each) for each in re.findall(r"^(?:last )?step.*loss ([0-9.]+)", out, re.MULTILINE)
    ]
    assert losses[-1] < losses[0], out
    assert "in eager torch" in out


def test_vit_block():
    out = run("vit_block.py", "--steps", "3", "--dim", "48", "--tokens", "17")
    assert "with another bias" in out


def test_custom_schema():
    if importlib.util.find_spec("boo.fusion") is None:
        pytest.skip("boo.fusion is not in this build")
    out = run("custom_schema.py", "--steps", "2", "--size", "16")
    assert "fused_op" in out


def test_all_are_tested():
    scripts = {each.stem for each in EXAMPLES.glob("*.py")}
    assert scripts == {
        name.removeprefix("test_") for name in globals() if name.startswith("test_")
    } - {"all_are_tested"}
