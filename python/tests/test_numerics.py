"""Statistics of errors: what passes, what must fail, and how it is told."""

import math

import pytest
import torch
from boo.driver.numerics import (
    ErrorStatistics,
    NumericsVerdict,
    collect_error_samples,
    compute_cpu_reference,
    compute_error_statistics,
    evaluate_statistical_criteria,
    format_results_table,
    format_verdict_simple,
    format_verdict_verbose,
    generate_structured_test_pattern,
    is_approximately_negligible,
    run_structured_test,
    verify_numerics,
)
from boo.op_exports.registry import BooOpRegistry

from boo.driver import numerics

CONV = "conv -n 2 -c 8 -H 9 -W 9 -k 4 -p 1 -q 1"


def test_statistics():
    errors = torch.tensor([1.0, -1.0, 3.0, -3.0])
    assert compute_error_statistics(errors) == ErrorStatistics(
        0.0, pytest.approx(math.sqrt(20 / 3)), 3.0, 4
    )
    single = compute_error_statistics(torch.tensor([2.0]))
    assert math.isnan(single.stddev) and (single.mean, single.max_abs_err) == (2.0, 2.0)
    assert evaluate_statistical_criteria(single, single)[:2] == (False, True), "no spread to judge"
    assert compute_error_statistics(torch.empty(0)).num_samples == 0


def test_criteria():
    theirs = ErrorStatistics(0.0, 1.0, 3.0, 1000)
    for mean, stddev, expected in (
        (0.0, 1.0, (True, True)),
        (0.19, 1.0, (True, True)),
        (0.21, 1.0, (False, True)),
        (-0.21, 1.0, (False, True)),
        (0.0, 1.19, (True, True)),
        (0.0, 1.21, (True, False)),
        (math.nan, 1.0, (False, True)),
        (0.0, math.nan, (False, False)),
        (0.0, math.inf, (True, False)),
    ):
        given = evaluate_statistical_criteria(ErrorStatistics(mean, stddev, 1, 9), theirs)
        assert given[:2] == expected, (mean, stddev)
        assert len(given[2]) == expected.count(False)
    wide = evaluate_statistical_criteria(
        ErrorStatistics(0.0, 1.9, 1, 9),
        theirs,
        stddev_check_rtol=2.0,
        mean_check_rtol=0.0,
    )
    assert wide == (True, True, [])
    assert is_approximately_negligible(1e-6, 0.0) and not is_approximately_negligible(1e-4, 0.0)
    assert not is_approximately_negligible(math.nan, 1.0)


def test_patterns():
    pattern = generate_structured_test_pattern((8, 9), torch.bfloat16, seed=3)
    assert pattern.shape == (8, 9) and pattern.dtype == torch.bfloat16
    assert pattern.sum() == 18 and set(pattern.flatten().tolist()) == {0.0, 1.0}
    ones = pattern.flatten().nonzero().flatten()
    assert ones[-1] - ones[0] == 17, "one block"
    assert generate_structured_test_pattern((100, 100)).sum() == 128
    assert generate_structured_test_pattern((2,)).sum() == 1
    assert generate_structured_test_pattern((0, 3)).numel() == 0
    assert torch.equal(pattern, generate_structured_test_pattern((8, 9), torch.bfloat16, seed=3))


@pytest.mark.parametrize(
    "command",
    [
        CONV,
        CONV.replace("conv ", "convbfp16 ") + " -F 4",
        CONV + " -F 10",
        "gemmfp16 -k 33 -m 65 -n 17",
        "layernorm -X 4x8x8x32 -m 1",
        "layernormbfp16 -X 4x8x8x32 -m 1 -F 2",
        "bnorm -n 4 -c 8 -H 5 -W 5 -r 1 -s 1",
        "aten::relu [[300,4]] \"['float']\" [[0,1]] \"['']\"",
        (
            "aten::argmax [[4,8,60],[],[]] \"['float','Scalar','Scalar']\" [[480,60,1],[],[]]"
            " \"['','1','False']\""
        ),
    ],
)
def test_kernels_pass(command):
    (verdict,) = verify_numerics([command])
    assert verdict.passed and verdict.reasons() == [], format_verdict_verbose(verdict)
    assert verdict.command == command
    assert "    BOO CPU vs float64 Reference: mean=" in format_verdict_verbose(verdict)
    assert verdict.boo_gpu_err.num_samples >= 1000, command
    assert format_verdict_simple(verdict) == "Numerics: PASS"


def test_samples():
    signature = BooOpRegistry.parse_command(CONV)
    args = signature.get_sample_args(seed=0)
    exact = compute_cpu_reference(signature, args)
    assert exact.dtype == torch.float64
    ours, theirs, apart, mismatches = collect_error_samples(signature, min_samples=1)
    assert ours.numel() == theirs.numel() == exact.numel() and not any(mismatches)
    torch.testing.assert_close(ours - theirs, apart)
    more = collect_error_samples(signature, min_samples=3 * exact.numel())
    assert more[0].numel() == 3 * exact.numel()


class Spoiled:
    """A launchable whose results something is done to."""

    def __init__(self, own, spoil):
        self.own, self.spoil, self.kernel = own, spoil, own.kernel

    def __call__(self, *args):
        return self.spoil(self.own(*args))


def lose_one(y):
    y.view(-1)[7] = 0
    return y


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda y: y + 1e-3, "mean bias"),
        (lambda y: y * (1 + 1e-3 * torch.randn(y.shape)), "stddev"),
        (lambda y: torch.where(y == y.max(), math.nan, y), "NaN mismatch"),
        (lose_one, "stddev"),
        (lambda y: y + ((y == y.round()) & (y != 0)), "structured test"),
    ],
    ids=["biased", "wide", "nan", "lost", "structured"],
)
def test_wrong_kernels_fail(spoil, reason, monkeypatch):
    torch.manual_seed(0)
    own = numerics.get_launchable
    monkeypatch.setattr(numerics, "get_launchable", lambda s: Spoiled(own(s), spoil))
    (verdict,) = verify_numerics([CONV])
    assert not verdict.passed and reason in verdict.reasons()
    assert reason in format_verdict_simple(verdict)


def test_structured_test_alone(monkeypatch):
    signature = BooOpRegistry.parse_command(CONV)
    assert run_structured_test(signature) is True
    own = numerics.get_launchable
    monkeypatch.setattr(numerics, "get_launchable", lambda s: Spoiled(own(s), lambda y: y * 1.01))
    assert run_structured_test(signature) is False


def test_errors_are_verdicts():
    verdicts = verify_numerics(
        ["conv -n 1 -F 3", "swim", CONV.split(), "conv -n 1 -g 2"], run_structured_tests=False
    )
    assert [each.passed for each in verdicts] == [False, False, True, False]
    assert verdicts[2].command == CONV and verdicts[2].structured_test_passed is None
    assert format_verdict_simple(verdicts[0]) == "Numerics: FAIL (error)"
    assert "several launches" in format_verdict_verbose(verdicts[0])


def test_table():
    statistics = ErrorStatistics(0.0, 1e-6, 3e-6, 1000)
    verdicts = [
        NumericsVerdict(passed=True, boo_gpu_err=statistics, pytorch_gpu_err=statistics,
                        structured_test_passed=True, command=CONV),
        NumericsVerdict("swim", passed=False, error_message="why"),
    ]  # fmt: skip
    assert format_results_table(verdicts) == "Numerics: PASS\nNumerics: FAIL (error)"
    head, first, second = format_results_table(verdicts, figures=True).split("\n")
    assert head.index("command") == first.index(CONV) == second.index("swim")
    assert "1.000e-06" in first and "FAIL (error)" in second
