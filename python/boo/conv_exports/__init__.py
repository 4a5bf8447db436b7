"""Convolutions by the names and conventions of mid 2025; ``boo.op_exports`` has all operations."""

from ..op_exports.utils import Permutation
from .conv import ConvSignature, Mode
from .preload import CachePopulator, CachePrepopulator

__all__ = ["CachePopulator", "CachePrepopulator", "ConvSignature", "Mode", "Permutation"]
