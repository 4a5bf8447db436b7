"""What every test starts from: seeds, no compiled graph left, no eager kernel known, nothing counted."""

import pytest
import torch

from boo.ops import _conv_kernels
from boo.runtime import fallbacks, report


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    torch._dynamo.reset()
    report.reset()
    fallbacks.reset()
    _conv_kernels.forget()
