"""Backends of torch.compile: ``torch.compile(model, backend="boo")``."""

from .boo import (
    backend,
    boo_backend,
    boo_inductor_backend,
    default_backend,
    experimental_backend,
    inductor_backend,
)

__all__ = [
    "backend",
    "boo_backend",
    "boo_inductor_backend",
    "default_backend",
    "experimental_backend",
    "inductor_backend",
]
