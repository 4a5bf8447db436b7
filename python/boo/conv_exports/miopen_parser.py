"""From convolution commands of MIOpenDriver to this package's signatures."""

from __future__ import annotations

from ..op_exports import conv
from .conv import ConvSignature

__all__ = ["ConvParser"]


class ConvParser(conv.ConvParser):
    """``ConvParser.command_to_signature("convbfp16 -n 128 …")``; flags of the driver are ignored."""

    SIGNATURE = ConvSignature
