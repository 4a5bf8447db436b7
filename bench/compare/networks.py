"""Where the lists of networks in bench/inputs come from: python -m compare.networks FOLDER.

Each network is written down as its paper, or the code that everybody uses, defines it, and
a list has every distinct convolution of it, at batch 1 and 8, in f32 and channels last.
"""

import os
import sys

BATCHES = (1, 8)


class Net:
    """Follows the size of the image through a network and notes its convolutions."""

    def __init__(self, channels, *size):
        self.channels, self.size, self.found = channels, size, []

    def conv(self, out, *fil, stride=1, pad=None, dilation=1, groups=1, keep=True):
        """A convolution, padded to keep the size if `pad` is None; numbers hold for all axes.

        With keep=False (a branch) the network goes on from where it was.
        """
        rank = len(self.size)
        fil, stride, dilation = (wide(value, rank) for value in (fil, stride, dilation))
        if pad is None:
            pad = tuple(d * (f - 1) // 2 for f, d in zip(fil, dilation, strict=True))
        pad = wide(pad, rank)
        self.found.append((self.channels, self.size, out, fil, stride, pad, dilation, groups))
        if keep:
            self.size = tuple((s + 2 * p - d * (f - 1) - 1) // t + 1 for s, f, t, p, d in
                              zip(self.size, fil, stride, pad, dilation, strict=True))
            self.channels = out
        return self

    def shrink(self, by=2):
        """Pooling."""
        self.size = tuple(size // by for size in self.size)

    def grow(self, channels, by=2):
        """Upsampling, and channels of another branch beside."""
        self.size = tuple(size * by for size in self.size)
        self.channels = channels


def wide(value, rank):
    """(3,) or 3 as (3, 3)."""
    values = value if isinstance(value, tuple) else (value,)
    return values if len(values) == rank else values * rank


def bottlenecks(net, blocks, width, groups):
    """ResNet's stages, stride in the 3x3 (its v1.5): `width` channels at first."""
    for stage, count in enumerate(blocks):
        inner, out = width << stage, 256 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            if not block:
                net.conv(out, 1, stride=stride, keep=False)
            net.conv(inner, 1)
            net.conv(inner, 3, stride=stride, groups=groups)
            net.conv(out, 1)


def resnet50(width=64, groups=1):
    """He et al. 2015; as everybody trains it, with the stride in the 3x3."""
    net = Net(3, 224, 224).conv(64, 7, stride=2)
    net.shrink()
    bottlenecks(net, (3, 4, 6, 3), width, groups)
    return net


def resnext50():
    """Xie et al. 2016, 32x4d."""
    return resnet50(128, 32)


def mobilenet_v1():
    """Howard et al. 2017, width 1."""
    net = Net(3, 224, 224).conv(32, 3, stride=2)
    for out, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
                        *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
        net.conv(net.channels, 3, stride=stride, groups=net.channels).conv(out, 1)
    return net


def mobilenet_v2():
    """Sandler et al. 2018, width 1."""
    net = Net(3, 224, 224).conv(32, 3, stride=2)
    for expand, out, count, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                      (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for block in range(count):
            if expand > 1:
                net.conv(net.channels * expand, 1)
            net.conv(net.channels, 3, stride=1 if block else first, groups=net.channels)
            net.conv(out, 1)
    return net.conv(1280, 1)


def vgg16():
    """Simonyan and Zisserman 2014, configuration D."""
    net = Net(3, 224, 224)
    for out, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            net.conv(out, 3)
        net.shrink()
    return net


def unet():
    """Ronneberger et al. 2015 on 256x256, padded, bilinear upsampling and a 1x1 on the way up."""
    net = Net(3, 256, 256)
    for stage in range(5):
        net.conv(64 << stage, 3).conv(64 << stage, 3)
        if stage < 4:
            net.shrink()
    for stage in reversed(range(4)):
        net.grow(net.channels)
        net.conv(64 << stage, 1)
        net.channels = 128 << stage
        net.conv(64 << stage, 3).conv(64 << stage, 3)
    return net.conv(2, 1)


def wavenet():
    """Like van den Oord et al. 2016 without causality (Rethage et al. 2017): 1-D, 4096 samples."""
    net = Net(1, 4096).conv(64, 3)
    for layer in range(10):
        net.conv(128, 3, dilation=1 << layer)
        net.channels = 64  # half of them gates the other half
        net.conv(256, 1, keep=False)
        net.conv(64, 1)
    net.channels = 256
    return net.conv(256, 1).conv(1, 1)


def r3d18():
    """Tran et al. 2017, 16 frames of 112x112."""
    net = Net(3, 16, 112, 112).conv(64, 3, 7, 7, stride=(1, 2, 2))
    for stage in range(4):
        for block in range(2):
            out, stride = 64 << stage, 2 if stage and not block else 1
            if stride > 1:
                net.conv(out, 1, stride=stride, keep=False)
            net.conv(out, 3, stride=stride).conv(out, 3)
    return net


NETWORKS = {"resnet50": resnet50, "resnext50": resnext50, "mobilenet-v1": mobilenet_v1,
            "mobilenet-v2": mobilenet_v2, "vgg16": vgg16, "unet": unet, "wavenet": wavenet,
            "r3d18": r3d18}
AXES = {1: "H y u p l", 2: "HW yx uv pq lj", 3: "!HW @yx #uv $pq ^lj"}


def command(batch, channels, size, out, fil, stride, pad, dilation, groups):
    """The driver's command line."""
    rank = len(size)
    sizes, taps, strides, pads, dilations = AXES[rank].split()

    def flags(letters, values, plain=None):
        return [f"-{letter} {value}" for letter, value in zip(letters, values, strict=True)
                if value != plain]

    layout = {1: "NHC", 2: "NHWC", 3: "NDHWC"}[rank]
    words = [f"conv -n {batch} -c {channels}", *flags(sizes, size), f"-k {out}", *flags(taps, fil),
             *flags(strides, stride, 1), *flags(pads, pad, 0), *flags(dilations, dilation, 1)]
    if groups > 1:
        words.append(f"-g {groups}")
    return " ".join([*words, f"-I {layout} -f {layout} -O {layout}"])


def text(name):
    """The list of a network."""
    convs = list(dict.fromkeys(NETWORKS[name]().found))
    told = " ".join(NETWORKS[name].__doc__.split())
    lines = [f"# {name}: {told}",
             f"# {len(convs)} distinct convolutions, by `python -m compare.networks` in bench/."]
    for batch in BATCHES:
        lines += ["", f"# batch {batch}", *[command(batch, *conv) for conv in convs]]
    return "\n".join(lines) + "\n"


def main():
    for name in NETWORKS:
        with open(os.path.join(sys.argv[1], f"{name}.txt"), "w", encoding="utf-8") as file:
            file.write(text(name))


if __name__ == "__main__":
    main()
