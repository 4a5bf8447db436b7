"""Judges kernels by the statistics of their errors; ``python numerics.py`` is ``boo numerics``.

A kernel passes if its errors against a float64 reference have no bias and are not spread more
widely than those of torch's own kernel, if it is NaN exactly where the reference is, and if it
computes a block of ones among zeros as torch does.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch

from boo import _boo
from boo.driver._verdict import (
    ErrorStatistics,
    NumericsVerdict,
    compute_error_statistics,
    evaluate_statistical_criteria,
    format_results_table,
    format_verdict_simple,
    format_verdict_verbose,
    is_approximately_negligible,
)
from boo.driver.launch import get_launchable
from boo.driver.utils import run_program
from boo.op_exports.base import OpSignature
from boo.op_exports.registry import BooOpRegistry

__all__ = [
    "ErrorStatistics",
    "NumericsVerdict",
    "collect_error_samples",
    "compute_cpu_reference",
    "compute_error_statistics",
    "evaluate_statistical_criteria",
    "format_results_table",
    "format_verdict_simple",
    "format_verdict_verbose",
    "generate_structured_test_pattern",
    "is_approximately_negligible",
    "main",
    "run_structured_test",
    "verify_numerics",
]

#: Algorithms whose errors are wider by their nature than those of a plain sum, and how much.
WIDER_ALGORITHMS = {"winograd-4x4": 4.0, "winograd-2x2": 1.5}
#: No more seeds than these: a single result a launch would take a thousand.
MOST_SEEDS = 64


def _main_result(signature: OpSignature, results) -> torch.Tensor:
    if isinstance(results, (tuple, list)):
        return results[signature.main_result_index]
    return results


def compute_cpu_reference(
    signature: OpSignature,
    args: Sequence[torch.Tensor | None],
    reference_dtype: torch.dtype = torch.float64,
) -> torch.Tensor:
    """The main result, computed by torch in a wider type from these arguments of a launch."""
    wide = [
        each if each is None or not each.is_floating_point() else each.cpu().to(reference_dtype)
        for each in args
    ]
    return _main_result(signature, signature.get_nn_module()(*wide))


def collect_error_samples(
    signature: OpSignature,
    *,
    min_samples: int = 1000,
    reference_dtype: torch.dtype = torch.float64,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, tuple[bool, bool, bool]]:
    """Signed errors with the seeds 0, 1, … until there are `min_samples` results.

    Returns:
        In float64: those of BOO's kernel against the reference, those of torch's in the
        signature's type, the differences of the two; and for each of these pairs whether one is
        NaN where the other is not. NaNs are left out of the errors; two infinities of one sign
        have an error of 0.
    """
    launchable, eager = get_launchable(signature), signature.get_nn_module()
    found: tuple[list, list, list] = ([], [], [])
    mismatches, count = [False] * 3, 0
    for seed in range(MOST_SEEDS):
        args = signature.get_sample_args(seed=seed)
        exact = compute_cpu_reference(signature, args, reference_dtype).double()
        ours, theirs = (
            _main_result(signature, call(*_copies(args))).double() for call in (launchable, eager)
        )
        for i, (first, second) in enumerate(((ours, exact), (theirs, exact), (ours, theirs))):
            mismatches[i] |= not torch.equal(first.isnan(), second.isnan())
            difference = torch.where(first == second, 0.0, first - second)
            found[i].append(difference[~difference.isnan()])
        count += exact.numel()
        if count >= min_samples:
            break
    boo, eager_errors, apart = (torch.cat([each.flatten() for each in errors]) for errors in found)
    return boo, eager_errors, apart, tuple(mismatches)


def _copies(args):
    """An operator may write to its arguments."""
    return [each if each is None else each.clone() for each in args]


def generate_structured_test_pattern(
    shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
    device: str | torch.device | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """Zeros with one block of consecutive ones, of a quarter of the elements but 128 at most."""
    pattern = torch.zeros(tuple(shape), dtype=dtype, device=device)
    total = pattern.numel()
    length = min(max(total // 4, 1), 128, total)
    if length:
        start = int(torch.randint(total - length + 1, (), generator=_generator(seed)))
        pattern.view(-1)[start : start + length] = 1
    return pattern


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pattern_like(tensor: torch.Tensor, seed: int) -> torch.Tensor:
    """A pattern of its sizes and type; expanded where it is."""
    shape = [1 if stride == 0 else size for size, stride in zip(tensor.shape, tensor.stride())]
    return generate_structured_test_pattern(shape, tensor.dtype, seed=seed).expand(tensor.shape)


def run_structured_test(signature: OpSignature) -> bool | None:
    """Whether BOO's kernel and torch's agree on arguments with a block of ones each.

    Few different sums occur, so that one lost or doubled term shows. None for results that are
    indices, which equal values leave open.
    """
    args = [
        None if each is None else _pattern_like(each, seed)
        for seed, each in enumerate(signature.get_sample_args(seed=0))
    ]
    ours, theirs = (
        _main_result(signature, call(*_copies(args)))
        for call in (get_launchable(signature), signature.get_nn_module())
    )
    if not theirs.is_floating_point():
        return None
    # Sums of ones are exact but for the last rounding, and for transforms in float32.
    largest = theirs.abs().nan_to_num().max().item() if theirs.numel() else 0.0
    exactly = torch.float64 if theirs.dtype == torch.float64 else torch.float32
    atol = 1e-7 + 16 * torch.finfo(exactly).eps * largest
    return torch.allclose(
        ours, theirs, rtol=2 * torch.finfo(theirs.dtype).eps, atol=atol, equal_nan=True
    )


def verify_numerics(
    commands: Iterable[str | Sequence[str] | OpSignature],
    *,
    device: int | str | torch.device = "cpu",
    min_samples: int = 1000,
    mean_check_atol: float = 1e-5,
    mean_check_rtol: float = 0.2,
    stddev_check_atol: float = 1e-5,
    stddev_check_rtol: float = 1.2,
    run_structured_tests: bool = True,
    reference_dtype: torch.dtype = torch.float64,
) -> list[NumericsVerdict]:
    """A verdict for each command (or signature), in order; what fails is told in its verdict.

    Args:
        commands: strings or lists of words; flags of the driver in them are ignored.
        device: accepted as upstream's; kernels run on the CPU.
        min_samples: how many results to judge at least.
        mean_check_atol, mean_check_rtol: |mean| <= atol + rtol * stddev of the errors.
        stddev_check_atol, stddev_check_rtol: stddev <= atol + rtol * stddev of torch's errors; the
            factor grows for algorithms that are less exact by their nature (WIDER_ALGORITHMS).
        run_structured_tests: whether to compare with torch on blocks of ones, too.
        reference_dtype: float64, or float32.
    """
    limits = dict(
        mean_check_atol=mean_check_atol,
        mean_check_rtol=mean_check_rtol,
        stddev_check_atol=stddev_check_atol,
        stddev_check_rtol=stddev_check_rtol,
    )
    verdicts = []
    for command in commands:
        text = command if isinstance(command, str) else _text(command)
        try:
            signature = command if isinstance(command, OpSignature) else _parse(command)
            verdict = _judge(signature, min_samples, limits, reference_dtype, run_structured_tests)
        except (_boo.Error, ValueError, RuntimeError) as error:
            verdict = NumericsVerdict(text, passed=False, error_message=str(error))
        verdict.command, verdict.device = text, "CPU"
        verdict.reference_dtype = reference_dtype
        verdicts.append(verdict)
    return verdicts


def _text(command) -> str:
    return command.func_name if isinstance(command, OpSignature) else shlex.join(command)


def _parse(command) -> OpSignature:
    words = command if isinstance(command, str) else list(command)
    signature = BooOpRegistry.parse_command(words, ignore_unhandled_args=True)
    if signature is None:
        raise ValueError("no operation with signatures is named")
    return signature


def _judge(signature, min_samples, limits, reference_dtype, run_structured) -> NumericsVerdict:
    boo, eager, apart, mismatches = collect_error_samples(
        signature, min_samples=min_samples, reference_dtype=reference_dtype
    )
    ours, theirs = compute_error_statistics(boo), compute_error_statistics(eager)
    algorithms = [group["algorithm"] for group in get_launchable(signature).kernel.groups]
    wider = max((WIDER_ALGORITHMS.get(each, 1.0) for each in algorithms), default=1.0)
    limits = {**limits, "stddev_check_rtol": limits["stddev_check_rtol"] * wider}
    mean_ok, stddev_ok, reasons = evaluate_statistical_criteria(ours, theirs, **limits)
    structured = run_structured_test(signature) if run_structured else None
    if mismatches[0]:
        reasons.append("NaN where the reference has none, or the reverse")
    if structured is False:
        reasons.append("another result than PyTorch's for blocks of ones")
    return NumericsVerdict(
        command=signature.func_name,
        passed=not reasons,
        boo_gpu_err=ours,
        pytorch_gpu_err=theirs,
        boo_pytorch_diff=compute_error_statistics(apart),
        mean_near_zero=mean_ok,
        stddev_ratio_ok=stddev_ok,
        boo_nan_mismatch=mismatches[0],
        pytorch_nan_mismatch=mismatches[1],
        boo_pytorch_nan_mismatch=mismatches[2],
        structured_test_passed=structured,
        failure_reasons=reasons,
    )


def main(args: Sequence[str] | None = None) -> int:
    """``boo numerics`` with these arguments, those of the process by default; its exit status."""
    return run_program("numerics", sys.argv[1:] if args is None else args)


if __name__ == "__main__":
    sys.exit(main())
