"""The kernel cache and what launches kernels."""

from .cache import (
    LaunchableRuntimeCache,
    OpCacheFiles,
    clear_cache,
    is_cache_enabled,
    set_cache_dir,
    toggle_cache_on,
    use_cache_dir,
)
from .launch import Launchable
from .module_launch import get_launchable

__all__ = [
    "Launchable",
    "LaunchableRuntimeCache",
    "OpCacheFiles",
    "clear_cache",
    "get_launchable",
    "is_cache_enabled",
    "set_cache_dir",
    "toggle_cache_on",
    "use_cache_dir",
]
