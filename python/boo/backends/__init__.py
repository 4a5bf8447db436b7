"""Backends of torch.compile: ``torch.compile(model, backend="boo")``."""

from .boo import backend, default_backend

__all__ = ["backend", "default_backend"]
