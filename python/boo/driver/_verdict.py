"""Statistics of errors, what they are judged by, and verdicts as text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import torch


@dataclasses.dataclass
class ErrorStatistics:
    """Of signed errors; a mean and a standard deviation of none are 0."""

    mean: float
    stddev: float
    max_abs_err: float
    num_samples: int


@dataclasses.dataclass
class NumericsVerdict:
    """Whether a kernel computes what it should, and what speaks against it.

    The statistics are those of the kernel against the reference, of torch's kernel against it, and
    of the differences of the two. A test that was not run is None.
    """

    passed: bool
    boo_vs_ref: ErrorStatistics | None = None
    pytorch_vs_ref: ErrorStatistics | None = None
    boo_vs_pytorch: ErrorStatistics | None = None
    mean_check_passed: bool | None = None
    stddev_check_passed: bool | None = None
    nan_mismatch: bool = False
    structured_test_passed: bool | None = None
    error: str | None = None
    command: str = ""

    def reasons(self) -> list[str]:
        """What failed, in words."""
        failed = (
            (self.mean_check_passed is False, "mean bias"),
            (self.stddev_check_passed is False, "stddev"),
            (self.nan_mismatch, "NaN mismatch"),
            (self.structured_test_passed is False, "structured test"),
            (self.error is not None, "error"),
        )
        return [name for each, name in failed if each]


def compute_error_statistics(errors: torch.Tensor) -> ErrorStatistics:
    """Of a tensor of signed errors; the standard deviation is that of a sample."""
    errors = errors.detach().double().flatten()
    count = errors.numel()
    if count == 0:
        return ErrorStatistics(0.0, 0.0, 0.0, 0)
    # One sample has no spread to judge by.
    stddev = errors.std().item() if count > 1 else 0.0
    return ErrorStatistics(errors.mean().item(), stddev, errors.abs().max().item(), count)


def is_approximately_negligible(
    value: float, scale: float, *, atol: float = 1e-5, rtol: float = 0.2
) -> bool:
    """|value| <= atol + rtol * |scale|; never for NaN."""
    return abs(value) <= atol + rtol * abs(scale)


def evaluate_statistical_criteria(
    boo: ErrorStatistics,
    pytorch: ErrorStatistics,
    *,
    mean_atol: float = 1e-5,
    mean_rtol: float = 0.2,
    stddev_atol: float = 1e-5,
    stddev_rtol: float = 1.2,
) -> tuple[bool, bool]:
    """Whether the errors have no bias, and are not spread more widely than torch's."""
    unbiased = is_approximately_negligible(boo.mean, boo.stddev, atol=mean_atol, rtol=mean_rtol)
    narrow = is_approximately_negligible(
        boo.stddev, pytorch.stddev, atol=stddev_atol, rtol=stddev_rtol
    )
    return unbiased and math.isfinite(boo.mean), narrow and math.isfinite(boo.stddev)


def format_verdict_simple(verdict: NumericsVerdict) -> str:
    """``Numerics: PASS``, or ``Numerics: FAIL (mean bias, stddev)``."""
    if verdict.passed:
        return "Numerics: PASS"
    return f"Numerics: FAIL ({', '.join(verdict.reasons())})"


def format_verdict_verbose(verdict: NumericsVerdict) -> str:
    """The simple form and the figures, a line each."""
    lines = [format_verdict_simple(verdict)]
    for label, statistics in (
        ("boo vs reference", verdict.boo_vs_ref),
        ("pytorch vs reference", verdict.pytorch_vs_ref),
        ("boo vs pytorch", verdict.boo_vs_pytorch),
    ):
        if statistics is not None:
            lines.append(
                f"  {label}: mean={statistics.mean:.3e} stddev={statistics.stddev:.3e}"
                f" max={statistics.max_abs_err:.3e} samples={statistics.num_samples}"
            )
    if verdict.structured_test_passed is not None:
        lines.append(f"  structured test: {_word(verdict.structured_test_passed)}")
    if verdict.error is not None:
        lines.append(f"  error: {verdict.error}")
    return "\n".join(lines)


def _word(passed: bool | None) -> str:
    return "N.A." if passed is None else "PASS" if passed else "FAIL"


def format_results_table(verdicts: Iterable[NumericsVerdict]) -> str:
    """A table with a line for each verdict, in columns that align."""
    rows = [("numerics", "stddev", "pytorch stddev", "max", "structured", "command")]
    for each in verdicts:
        figures = [
            "N.A." if statistics is None else f"{getattr(statistics, name):.3e}"
            for statistics, name in (
                (each.boo_vs_ref, "stddev"),
                (each.pytorch_vs_ref, "stddev"),
                (each.boo_vs_ref, "max_abs_err"),
            )
        ]
        passed = "PASS" if each.passed else f"FAIL ({', '.join(each.reasons())})"
        rows.append((passed, *figures, _word(each.structured_test_passed), each.command))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])
        for row in rows
    )
