"""A fusion schema of one's own: which operators BOO fuses, the rest left to another backend.

    python examples/custom_schema.py --steps 20

The schema says that a convolution is one operator together with the bias, sum, multiplication and
activation behind it, and a matrix product with its activation. Everything else runs eagerly.
"""

import argparse
import statistics
import time

import torch
from boo.backends.boo import backend
from boo.fusion import FusionSchema, OpFusionSpec
from torch import nn

aten = torch.ops.aten

POINTWISE = (
    aten.add.Tensor,
    aten.mul.Tensor,
    aten.relu.default,
    aten.sigmoid.default,
    aten.silu.default,
)
SCHEMA: FusionSchema = {
    aten.convolution.default: OpFusionSpec(consumers=POINTWISE),
    aten.addmm.default: OpFusionSpec(recursive=False, consumers=(aten.relu.default,)),
}


class Gated(nn.Module):
    """Convolutions whose activations are written out, and a classifier."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.classify = nn.Linear(channels, classes)

    def forward(self, x):
        x = torch.relu(self.first(x))
        y = self.second(x)
        x = x + y * torch.sigmoid(y)
        return torch.relu(self.classify(x.mean((2, 3))))


def median_ms(function, x, steps: int) -> float:
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        function(x)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=20, help="timed calls")
    parser.add_argument("--size", type=int, default=56, help="height and width of the image")
    args = parser.parse_args()

    torch.manual_seed(0)
    model = Gated(32, 10).eval()
    x = torch.randn(1, 3, args.size, args.size)
    compiled = torch.compile(
        model, backend=backend(nested_backend="eager", fusion_schema=SCHEMA), dynamic=False
    )
    with torch.no_grad():
        apart = (compiled(x) - model(x)).abs().max().item()
        print(f"largest difference from eager torch: {apart:.2e}")
        assert apart < 1e-3
        ours, theirs = median_ms(compiled, x, args.steps), median_ms(model, x, args.steps)
    fused = sorted(name for name in dir(torch.ops.boo) if name.startswith("fused_op"))
    for name in fused:
        print(f"an operator of BOO's: {name[:60]}…")
    print(f"a call takes {ours:.2f} ms, in eager torch {theirs:.2f} ms")


if __name__ == "__main__":
    main()
