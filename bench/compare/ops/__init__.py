"""The operations that can be compared: name of the command, without element type."""

import shlex

from ..commands import CommandError, split_name
from .attention import Attention
from .base import Flags, Problem, Unsupported
from .conv import Conv
from .gemm import Gemm
from .norm import BatchNorm, LayerNorm
from .softmax import Softmax

OPS = {
    "conv": Conv,
    "gemm": Gemm,
    "mhsa": Attention,
    "layernorm": LayerNorm,
    "bnorm": BatchNorm,
    "softmax": Softmax,
}


def problem_of(command):
    """The Problem of a command line; CommandError if there is none."""
    words = shlex.split(command)
    if not words:
        raise CommandError("an empty command")
    base, dtype = split_name(words[0], OPS)
    parser = Flags()
    OPS[base].flags(parser)
    return OPS[base](command, dtype, parser.parse_args(words[1:]))


__all__ = ["OPS", "CommandError", "Problem", "Unsupported", "problem_of"]
