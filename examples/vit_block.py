"""A block of a vision transformer for inference: compiled by BOO, with frozen weights.

    python examples/vit_block.py --steps 50

Attention, norms, the two-layer perceptron and both residual sums become a few kernels; weights are
packed once. Prints the largest difference from eager torch, and the time of a call beside it.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

import boo


class VitBlock(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.project = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.widen, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.project(y)
        return x + self.narrow(F.gelu(self.widen(self.norm2(x))))


def median_ms(function, x, steps: int) -> float:
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        function(x)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=50, help="timed calls")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=197)
    args = parser.parse_args()

    torch.manual_seed(0)
    block = VitBlock(args.dim, args.heads).eval()
    x = torch.randn(1, args.tokens, args.dim)
    boo.freeze(block)  # weights are known ahead: they are packed once
    compiled = torch.compile(block, backend="boo")
    with torch.no_grad():
        apart = (compiled(x) - block(x)).abs().max().item()
        print(f"largest difference from eager torch: {apart:.2e}")
        assert apart < 1e-3

        # An update that torch counts is noticed; one through .data needs boo.refresh().
        block.project.bias.data += 1
        boo.refresh()
        apart = (compiled(x) - block(x)).abs().max().item()
        print(f"with another bias: {apart:.2e}")
        assert apart < 1e-3

        ours, theirs = median_ms(compiled, x, args.steps), median_ms(block, x, args.steps)
    print(f"a call takes {ours:.2f} ms, in eager torch {theirs:.2f} ms")


if __name__ == "__main__":
    main()
