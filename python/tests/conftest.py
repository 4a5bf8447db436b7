"""What every test starts from: seeds, no compiled graph left, nothing counted."""

import pytest
import torch

from boo.runtime import fallbacks, report


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    torch._dynamo.reset()
    report.reset()
    fallbacks.reset()
