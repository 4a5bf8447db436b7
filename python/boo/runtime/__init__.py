"""The kernel cache and what launches kernels."""
