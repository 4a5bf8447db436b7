"""boo.report and boo.record: what they tell is what happened."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import boo
from boo.runtime import kernels


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.sort(torch.relu(self.conv(x))).values * 2


def test_report():
    model = torch.compile(Cut(), backend="boo", dynamic=False)
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        for _ in range(3):
            model(x)
    told = boo.report()
    (graph,) = told.graphs
    assert graph["kind"] == "inference"
    assert [len(each) for each in graph["kernels"]] == [1, 1]
    ((what, why),) = graph["torch"]
    assert what == "aten.sort.default" and "no kernel" in why
    names = {name for each in graph["kernels"] for name in each}
    calls = [each["calls"] for each in told.kernels if each["name"] in names]
    # Kernels of the same names may live on from elsewhere in the process.
    assert sum(each >= 3 for each in calls) >= len(names) == 2
    text = str(told)
    assert "torch computes 1 aten.sort.default" in text
    assert max(map(len, text.splitlines())) <= 80


def test_copies_are_reported():
    x, w = torch.randn(1, 4, 6, 6), torch.randn(3, 4, 3, 3)
    boo.boo_conv(x, w)
    kernel = kernels.living()[-1]
    before = boo.report().copied_bytes
    kernel(x.to(memory_format=torch.channels_last), w)
    assert boo.report().copied_bytes == before + 4 * 144
    assert "copies: " in str(boo.report())


def test_record(tmp_path):
    x, w = torch.randn(1, 4, 6, 6), torch.randn(3, 4, 3, 3)
    path = tmp_path / "a list.txt"
    boo.boo_conv(x, w)
    with boo.record(path):
        for _ in range(4):
            boo.boo_conv(x, w)
        boo.boo_conv(x[:, :, 1:], w)
    lines = path.read_text().splitlines()
    assert [line.split(" launches")[0] for line in lines[::2]] == ["# 4", "# 1"]
    done = subprocess.run(  # noqa: PLW1510
        [sys.executable, "-m", "boo.driver.driver", "--commands-file", path, "--verify"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("graph ") == 2


def test_set_math():
    x, w = torch.randn(1, 64, 16, 16), torch.randn(64, 64, 3, 3)
    try:
        boo.boo_conv(x, w, padding=1)
        assert "winograd" in kernels.living()[-1].groups[0]["algorithm"]
        boo.set_math("strict")
        boo.boo_conv(x, w, padding=1)
        assert kernels.living()[-1].groups[0]["algorithm"] == "direct"
        with pytest.raises(ValueError, match="strict"):
            boo.set_math("exact")
    finally:
        boo.set_math("default")
