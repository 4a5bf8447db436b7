#!/usr/bin/env python3
"""Fits the polynomials of boo-expand-math and writes ExpandMathCoefficients.h.

Each polynomial P is the minimax fit, of the least degree that reaches the
wanted error, of a function g on an interval, where the error is weighted: with
w(x) * |P(x) - g(x)| we measure what an error of P does to the result, relative
to it. The fit is Remez's exchange in 60-digit arithmetic: solve for the
polynomial whose weighted error has alternating signs and one size at degree + 2
points, move the points to the extrema of that error, repeat. Coefficients are
then rounded to the type that computes; the rounded polynomial's error is what
is printed here.

What is fitted, and why so:

exp, expm1  expm1(r) = r + r^2 Q(r), |r| <= log(2)/2. The leading terms are
            exact, so Q's own rounding counts for at most a quarter of an ulp.
            One polynomial serves exp, expm1, tanh and erf.
log, log1p  With s = f / (2 + f): log(1 + f) = log((1 + s) / (1 - s))
            = 2 s + s z P(z), z = s^2, for 1 + f in [sqrt(1/2), sqrt(2)]. The
            series in z has positive, shrinking terms.
erf         erf(x) = -expm1(-(x + x M(x))) with M(x) = -log(erfc(x)) / x - 1,
            x >= 0. One smooth function for the whole range, accurate near 0
            since expm1 is; towards large x the weight erfc(x) / erf(x) falls so
            fast that a polynomial in x suffices. M(0) is 0.13, so that its
            rounding hardly counts. Beyond `erf_limit` erf rounds to 1.

Needs mpmath. Without arguments the header is written beside this folder; with
--check it is compared, and a difference is an error.
"""

import argparse
import pathlib
import struct
import sys

from mpmath import mp, mpf

mp.dps = 60
HEADER = pathlib.Path(__file__).resolve().parent.parent / "ExpandMathCoefficients.h"


def evaluate(coefficients, x):
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def extrema(error, low, high, count, signs):
    """One point of largest |error| in each stretch of one sign."""
    grid = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)
    ]
    values = [error(x) for x in grid]
    best = []
    for x, e in zip(grid, values):
        if best and (e > 0) == (best[-1][1] > 0):
            if abs(e) > abs(best[-1][1]):
                best[-1] = (x, e)
        else:
            best.append((x, e))
    while len(best) > signs:  # drop the smaller end: inner points must alternate
        best.pop(0 if abs(best[0][1]) < abs(best[-1][1]) else -1)
    return best


def remez(g, weight, low, high, degree, rounds=12):
    """Coefficients, lowest first, and the weighted error."""
    n = degree + 2
    low, high = mpf(low), mpf(high)
    grid = 40 * n
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    cache = {}

    def known(x):
        if x not in cache:
            cache[x] = (g(x), weight(x))
        return cache[x]

    coefficients, size = None, None
    for _ in range(rounds):
        matrix = mp.matrix(n, n)
        right = mp.matrix(n, 1)
        for i, x in enumerate(points):
            value, w = known(x)
            for j in range(degree + 1):
                matrix[i, j] = x**j
            matrix[i, degree + 1] = (-1) ** i / w
            right[i] = value
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[j] for j in range(degree + 1)]

        def error(x):
            value, w = known(x)
            return (evaluate(coefficients, x) - value) * w

        best = extrema(error, low, high, grid, n)
        if len(best) < n:
            break
        sizes = [abs(e) for _, e in best]
        size = max(sizes)
        points = [x for x, _ in best]
        if size < min(sizes) * mpf("1.001"):
            break
    return coefficients, size


def round_to(bits, value):
    """The nearest float of that many bits, as a Python float."""
    return struct.unpack("f", struct.pack("f", float(value)))[0] if bits == 32 else float(value)


def truncate(value, bits):
    """The leading `bits` of the value."""
    scale = mpf(2) ** (bits - 1 - int(mp.floor(mp.log(value, 2))))
    return mp.floor(value * scale) / scale


def fit(name, bits, g, weight, low, high, goal):
    """Of the least degree whose error, before rounding, is below the goal."""
    for degree in range(2, 30):
        coefficients, size = remez(g, weight, low, high, degree)
        if size is not None and size < goal:
            break
    rounded = [round_to(bits, c) for c in coefficients]
    worst = max(
        abs((evaluate([mpf(c) for c in rounded], x) - g(x)) * weight(x))
        for x in (mpf(low) + (mpf(high) - mpf(low)) * i / 997 for i in range(998))
    )
    print(f"{name:6} f{bits}: degree {degree}, error 2^{float(mp.log(worst, 2)):.1f}", file=sys.stderr)
    return rounded


# The functions, with their limits at 0, where the formulas cancel.
TINY = mpf(10) ** -15


def exp_q(r):
    return (mp.expm1(r) - r) / r**2 if abs(r) > TINY else mpf(1) / 2 + r / 6


def exp_weight(r):
    return r**2 / abs(mp.expm1(r)) if abs(r) > TINY else abs(r) + TINY**2


def log_p(z):
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z if z > TINY else mpf(2) / 3 + mpf(2) / 5 * z


def log_weight(z):
    # Error of s z P(z), relative to 2 atanh(s).
    return z / 2 if z > TINY else TINY


def erf_m(x):
    m = -mp.log(mp.erfc(x)) / x if x > TINY else 2 / mp.sqrt(mp.pi) * (1 + x / mp.sqrt(mp.pi))
    return m - 1


def erf_weight(x):
    return x * mp.erfc(x) / mp.erf(x) if x > TINY else mp.sqrt(mp.pi) / 2


def tables(bits):
    precision = 24 if bits == 32 else 53
    # Goals: a fraction of half an ulp.
    goal = mpf(2) ** -(precision + 3)
    ln2 = mp.log(2)
    half = ln2 / 2 * mpf("1.0001")  # the quotient is rounded before it is used
    z = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
    # From here on erfc(x) is less than half of the last bit of 1.
    limit = mp.findroot(lambda x: mp.log(mp.erfc(x), 2) + precision + 1, (3, 7), solver="anderson")
    # n * ln2_high must be exact for every exponent n.
    high = truncate(ln2, 14 if bits == 32 else 40)
    return [
        ("exp", fit("exp", bits, exp_q, exp_weight, -half, half, goal)),
        ("log", fit("log", bits, log_p, log_weight, 0, z, goal)),
        ("erf", fit("erf", bits, erf_m, erf_weight, 0, limit, goal)),
        ("erf_limit", round_to(bits, limit)),
        ("ln2_high", float(high)),
        ("ln2_low", round_to(bits, ln2 - high)),
    ]


def header():
    lines = [
        "//===- ExpandMathCoefficients.h - Written by fit/fit_math.py *- C++ -*-===//",
        "//",
        "// Do not edit: change the script and run it. What each polynomial fits, and how",
        "// it was found, stands there.",
        "//",
        "//===----------------------------------------------------------------------===//",
        "#pragma once",
        "",
        '#include "llvm/ADT/ArrayRef.h"',
        "",
        "namespace boo::compiler {",
        "",
        "/// Constants of one type that expansions compute in; polynomials with the",
        "/// lowest power first.",
        "struct ExpandMathCoefficients {",
        "  llvm::ArrayRef<double> exp, log, erf;",
        "  double erfLimit, ln2High, ln2Low;",
        "};",
        "",
    ]
    for bits in (32, 64):
        values = []
        for name, value in tables(bits):
            if isinstance(value, list):
                array = f"F{bits}{name.capitalize()}"
                lines.append(f"inline constexpr double {array}[] = {{")
                width = max(len(c.hex()) for c in value) + 1
                lines += [f"    {c.hex() + ',':{width}} // {c:.8g}" for c in value]
                lines.append("};")
                values.append(array)
            else:
                values.append(value.hex())
        lines.append(f"inline constexpr ExpandMathCoefficients F{bits}Coefficients = {{")
        lines.append(",\n".join(f"    {value}" for value in values) + "};")
        lines.append("")
    lines += ["} // namespace boo::compiler", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    text = header()
    if parser.parse_args().check:
        sys.exit(0 if HEADER.read_text() == text else f"{HEADER.name} is not what the script writes")
    HEADER.write_text(text)


if __name__ == "__main__":
    main()
