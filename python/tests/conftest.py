"""What every test starts from: seeds, no compiled graph left, no eager kernel known, nothing counted."""

import shutil

import pytest
import torch

from boo.ops import _conv_kernels
from boo.runtime import fallbacks, report


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_compiler: inductor has to compile C++")


def pytest_runtest_setup(item):
    if item.get_closest_marker("needs_compiler") and not (
        shutil.which("g++") or shutil.which("clang++")
    ):
        pytest.skip("inductor needs a C++ compiler")


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    torch._dynamo.reset()
    report.reset()
    fallbacks.reset()
    _conv_kernels.forget()
