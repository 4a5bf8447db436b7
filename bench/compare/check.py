"""Do results agree with the float64 reference, and with each other?"""

import numpy as np


def select(array, index):
    """The part of the array that a Problem.reference gives: one index list or slice a dimension."""
    for axis, which in enumerate(index):
        array = array[(slice(None),) * axis + (which,)]
    return array


def wrong_by(problem, reference, result):
    """The largest error in units of the tolerance; infinite for a wrong shape or a NaN."""
    if result.shape != tuple(problem.out_shape):
        return float("inf")
    index, expected = reference
    error = np.abs(select(result, index) - expected) / problem.tolerance(expected)
    worst = float(np.max(error))
    return worst if np.isfinite(worst) else float("inf")


def differ_by(problem, one, other):
    """The largest difference of two whole results, in units of twice the tolerance."""
    error = np.abs(one - other) / (2 * problem.tolerance(one))
    worst = float(np.max(error))
    return worst if np.isfinite(worst) else float("inf")


def disagreements(problem, arrays, results):
    """{engine: text} of those in `results` ({engine: array}) that are wrong.

    All are held to the reference; where that is only a part of the output, whole results
    are compared with the first one that passed.
    """
    reference = problem.reference(arrays)
    errors = {name: wrong_by(problem, reference, result) for name, result in results.items()}
    wrong = {name: f"{error:.3g} times the tolerance off the float64 reference"
             for name, error in errors.items() if not error <= 1}
    right = [name for name in results if name not in wrong]
    if right and reference[1].size < results[right[0]].size:
        for name in right[1:]:
            error = differ_by(problem, results[right[0]], results[name])
            if not error <= 1:
                wrong[name] = f"{error:.3g} times the tolerance off {right[0]}"
    return wrong
