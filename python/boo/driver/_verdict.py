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
    of the differences of the two; upstream's names for them say GPU, and `device` what they ran on.
    A structured test that was not run is None. What fails is also told in `failure_reasons`.
    """

    command: str
    passed: bool
    boo_gpu_err: ErrorStatistics | None = None
    pytorch_gpu_err: ErrorStatistics | None = None
    boo_pytorch_diff: ErrorStatistics | None = None
    mean_near_zero: bool = True
    stddev_ratio_ok: bool = True
    structured_test_passed: bool | None = None
    #: Whether the first is NaN where the second is not, or the reverse: kernel and reference,
    #: torch and reference, kernel and torch.
    boo_nan_mismatch: bool = False
    pytorch_nan_mismatch: bool = False
    boo_pytorch_nan_mismatch: bool = False
    failure_reasons: list[str] = dataclasses.field(default_factory=list)
    error_message: str | None = None
    reference_dtype: torch.dtype = torch.float64
    #: As texts call it. Verdicts that are made by hand are taken for those of upstream's.
    device: str = "GPU"

    def reasons(self) -> list[str]:
        """What failed, in a word or two each."""
        failed = (
            (not self.mean_near_zero, "mean bias"),
            (not self.stddev_ratio_ok, "stddev"),
            (self.boo_nan_mismatch, "NaN mismatch"),
            (self.structured_test_passed is False, "structured test"),
            (self.error_message is not None, "error"),
        )
        return [name for each, name in failed if each]


def compute_error_statistics(errors: torch.Tensor) -> ErrorStatistics:
    """Of a tensor of signed errors; the standard deviation is that of a sample, NaN for one."""
    errors = errors.detach().double().flatten()
    count = errors.numel()
    if count == 0:
        return ErrorStatistics(0.0, 0.0, 0.0, 0)
    stddev = errors.std().item() if count > 1 else math.nan
    return ErrorStatistics(errors.mean().item(), stddev, errors.abs().max().item(), count)


def is_approximately_negligible(
    value: float, scale: float, *, atol: float = 1e-5, rtol: float = 0.2
) -> bool:
    """|value| <= atol + rtol * |scale|; never for NaN."""
    return abs(value) <= atol + rtol * abs(scale)


def evaluate_statistical_criteria(
    boo_stats: ErrorStatistics,
    pytorch_stats: ErrorStatistics,
    mean_check_atol: float = 1e-5,
    mean_check_rtol: float = 0.2,
    stddev_check_rtol: float = 1.2,
    stddev_check_atol: float = 1e-5,
) -> tuple[bool, bool, list[str]]:
    """Whether the errors have no bias, whether they are not spread more widely than torch's, and
    what speaks against it."""
    # One sample has no spread to judge by.
    spread, theirs = (
        0.0 if each.num_samples == 1 else each.stddev for each in (boo_stats, pytorch_stats)
    )
    mean = boo_stats.mean
    unbiased = math.isfinite(mean) and is_approximately_negligible(
        mean, spread, atol=mean_check_atol, rtol=mean_check_rtol
    )
    narrow = math.isfinite(spread) and is_approximately_negligible(
        spread, theirs, atol=stddev_check_atol, rtol=stddev_check_rtol
    )
    reasons = []
    if not unbiased:
        reasons.append(
            f"Mean error {mean:.3e} is beyond {mean_check_atol:g} + {mean_check_rtol:g} x"
            f" {spread:.3e}, the stddev"
        )
    if not narrow:
        reasons.append(
            f"BOO stddev {spread:.3e} is beyond {stddev_check_atol:g} + {stddev_check_rtol:g} x"
            f" {theirs:.3e}, PyTorch's"
        )
    return unbiased, narrow, reasons


def format_verdict_simple(verdict: NumericsVerdict) -> str:
    """``Numerics: PASS``, or ``Numerics: FAIL (mean bias, stddev)``."""
    if verdict.passed:
        return "Numerics: PASS"
    return f"Numerics: FAIL ({', '.join(verdict.reasons())})"


def format_verdict_verbose(verdict: NumericsVerdict) -> str:
    """The command, the figures, what each check says, and the verdict, a line each."""
    lines = [verdict.command]
    if verdict.error_message is not None:
        lines.append(f"  ERROR: {verdict.error_message}")
    reference = f"{str(verdict.reference_dtype).removeprefix('torch.')} Reference"
    figures = [
        f"    {label}: mean={each.mean:.3e} stddev={each.stddev:.3e} max={each.max_abs_err:.3e}"
        f" samples={each.num_samples}"
        for label, each in (
            (f"BOO {verdict.device} vs {reference}", verdict.boo_gpu_err),
            (f"PyTorch {verdict.device} vs {reference}", verdict.pytorch_gpu_err),
            (f"BOO {verdict.device} vs PyTorch {verdict.device}", verdict.boo_pytorch_diff),
        )
        if each is not None
    ]
    if figures:
        lines += ["  Error Statistics", *figures, "  Statistical Tests"]
        lines.append(f"    Mean check: {_word(verdict.mean_near_zero)}")
        lines.append(f"    Stddev check: {_word(verdict.stddev_ratio_ok)}")
        lines.append(f"    NaN check: {_word(not verdict.boo_nan_mismatch)}")
    if verdict.structured_test_passed is not None:
        lines.append(f"  Structured Test: {_word(verdict.structured_test_passed)}")
    lines += [f"  {each}" for each in verdict.failure_reasons]
    lines.append(f"  VERDICT: {_word(verdict.passed)}")
    return "\n".join(lines)


def _word(passed: bool | None) -> str:
    return "N.A." if passed is None else "PASS" if passed else "FAIL"


def format_results_table(verdicts: Iterable[NumericsVerdict], *, figures: bool = False) -> str:
    """A line for each verdict: ``format_verdict_simple``, or a table with figures and commands."""
    if not figures:
        return "\n".join(format_verdict_simple(each) for each in verdicts)
    rows = [("numerics", "stddev", "pytorch stddev", "max", "structured", "command")]
    for each in verdicts:
        cells = [
            "N.A." if statistics is None else f"{getattr(statistics, name):.3e}"
            for statistics, name in (
                (each.boo_gpu_err, "stddev"),
                (each.pytorch_gpu_err, "stddev"),
                (each.boo_gpu_err, "max_abs_err"),
            )
        ]
        passed = "PASS" if each.passed else f"FAIL ({', '.join(each.reasons())})"
        rows.append((passed, *cells, _word(each.structured_test_passed), each.command))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])
        for row in rows
    )
