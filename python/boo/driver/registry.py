"""The registry of operations, where code of September 2025 looks for it."""

from ..op_exports.registry import BooOpRegistry

__all__ = ["BooOpRegistry"]
