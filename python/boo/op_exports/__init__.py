"""Operations as signatures: from sizes or commands to Graphs, kernels and modules of torch's."""

from .registry import BooOpRegistry
from .utils import Permutation, permute_layout

__all__ = ["BooOpRegistry", "Permutation", "permute_layout"]
