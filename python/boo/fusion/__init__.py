"""Fusion of parts of a torch graph into operators of BOO's, as lists say it."""

from .apply import fusion_transform
from .kernel import kernel
from .schema import (
    DEFAULT_POST_DECOMPOSITION_REPLACEMENTS,
    DEFAULT_POST_FUSION_REPLACEMENTS,
    DEFAULT_SUPPORTED_BOO_FUSIONS,
    EXPERIMENTAL_POST_FUSION_REPLACEMENTS,
    EXPERIMENTAL_SUPPORTED_BOO_FUSIONS,
    FusionSchema,
    OpFusionSpec,
    ReplacementSchema,
)

__all__ = [
    "DEFAULT_POST_DECOMPOSITION_REPLACEMENTS",
    "DEFAULT_POST_FUSION_REPLACEMENTS",
    "DEFAULT_SUPPORTED_BOO_FUSIONS",
    "EXPERIMENTAL_POST_FUSION_REPLACEMENTS",
    "EXPERIMENTAL_SUPPORTED_BOO_FUSIONS",
    "FusionSchema",
    "OpFusionSpec",
    "ReplacementSchema",
    "fusion_transform",
    "kernel",
]
