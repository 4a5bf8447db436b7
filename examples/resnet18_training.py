"""Trains a small ResNet-18 on synthetic images, by BOO's kernels and by eager torch.

    python examples/resnet18_training.py --steps 20

Prints the loss as it falls, and the time of a step beside eager's.
"""

import argparse
import copy
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

import boo  # noqa: F401  (its backend has an entry point; this makes a missing package plain)


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet18(width: int, classes: int) -> nn.Module:
    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage and not block else 1
            layers.append(Block(channels, width << stage, stride))
            channels = width << stage
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


def train(model: nn.Module, x, labels, steps: int) -> tuple[list[float], float]:
    """The losses, and the median seconds of a step behind the first, which compiles."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses, times = [], []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
        losses.append(loss.item())
    return losses, statistics.median(times[1:] or times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    args = parser.parse_args()

    torch.manual_seed(0)
    labels = torch.arange(args.batch) % 4
    x = torch.randn(args.batch, 3, args.size, args.size) + labels.view(-1, 1, 1, 1) / 2
    eager = resnet18(args.width, 4)
    compiled = torch.compile(copy.deepcopy(eager), backend="boo")

    losses, ours = train(compiled, x, labels, args.steps)
    for step in range(0, args.steps, max(1, args.steps // 5)):
        print(f"step {step:3}: loss {losses[step]:.4f}")
    print(f"last step: loss {losses[-1]:.4f}")
    theirs_losses, theirs = train(eager, x, labels, args.steps)
    print(f"eager's last loss {theirs_losses[-1]:.4f}")
    print(f"a step takes {1e3 * ours:.1f} ms, in eager torch {1e3 * theirs:.1f} ms")


if __name__ == "__main__":
    main()
