"""Commands and operations: parsing, references against the plainest loops, lists."""

import glob
import itertools
import os
import unittest

import numpy as np

from . import networks
from .check import disagreements, select, wrong_by
from .commands import CommandError, read_list, rewrite, split_name
from .dtypes import EPS, from_bits, round_to, to_bits
from .ops import OPS, problem_of
from .ops.conv_reference import conv_reference

INPUTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inputs")


def plain_conv(p, x, w):
    """The definition, element by element."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    y = np.zeros(p.y_shape)
    for n, k in itertools.product(range(p.n), range(p.k)):
        first = k // (p.k // p.groups) * (p.c // p.groups)
        for at in itertools.product(*map(range, p.out)):
            for c in range(p.c // p.groups):
                for tap in itertools.product(*map(range, p.fil)):
                    where = [o * s + t * d - pad for o, s, t, d, pad in
                             zip(at, p.stride, tap, p.dilation, p.pad, strict=True)]
                    if all(0 <= i < size for i, size in zip(where, p.size, strict=True)):
                        y[(n, k, *at)] += x[(n, first + c, *where)] * w[(k, c, *tap)]
    return y


class CommandsTest(unittest.TestCase):
    def test_names(self):
        self.assertEqual(split_name("conv", OPS), ("conv", "f32"))
        self.assertEqual(split_name("convbfp16", OPS), ("conv", "bf16"))
        self.assertEqual(split_name("gemmfp16", OPS), ("gemm", "f16"))
        with self.assertRaises(CommandError):
            split_name("convint8", OPS)

    def test_rewrite(self):
        self.assertEqual(rewrite("conv -n 1", OPS, "bf16", "wrw"), "convbfp16 -n 1 -F 4")
        self.assertEqual(rewrite("convfp16 -n 1", OPS), "convfp16 -n 1")
        self.assertEqual(problem_of(rewrite("conv -n 1 -! 2", OPS)).options.in_d, 2)

    def test_conv(self):
        p = problem_of("convbfp16 -_ 3 -n 1 -c 4 -! 5 -H 6 -W 7 -k 8 -@ 1 -y 3 -x 3 -$ 1 -p 1 "
                       "-# 2 -g 2 -I NDHWC -f NDHWC -O NDHWC -t 1 --iter 3")
        self.assertEqual(p.y_shape, (1, 8, 4, 6, 5))
        self.assertEqual((p.dtype, p.groups, p.terms), ("bf16", 2, 18))
        self.assertEqual(p.memory_orders()[0], [0, 2, 3, 4, 1])
        one = problem_of("conv -n 4 -c 32 -H 100 -k 48 -y 5 -p 2 -I NHC -f NHC -O NHC")
        self.assertEqual(one.y_shape, (4, 48, 100))
        self.assertEqual(one.flops, 2 * 4 * 48 * 100 * 32 * 5)

    def test_gemm_arguments_have_the_commands_sizes(self):
        problem = problem_of("gemm --a_w 2 --a_h 3 --b_w 5 --transA 1 --transB 1")
        stored = problem.arrays()
        self.assertEqual([a.shape for a in stored], [(3, 2), (5, 3)])
        self.assertEqual([a.shape for a in problem.boo_arrays(stored)], [(2, 3), (3, 5)])

    def test_refuses(self):
        for line in ("conv -F 3", "conv -z same", "conv -c 3 -g 2", "conv --nonsense 1",
                     "conv -I NHC -f NHWC", "conv -H 1 -W 1", "softmax -m 0", ""):
            with self.assertRaises(CommandError, msg=line):
                problem_of(line)


class DtypesTest(unittest.TestCase):
    def test_bf16_rounds_to_even(self):
        values = np.array([1 + 2**-8, 1 + 3 * 2**-8, -1.5, 0], np.float32)
        rounded = round_to(values, "bf16")
        np.testing.assert_array_equal(rounded, np.array([1, 1 + 2**-6, -1.5, 0], np.float32))
        np.testing.assert_array_equal(from_bits(to_bits(rounded, "bf16"), "bf16"), rounded)

    def test_eps(self):
        for dtype in ("f32", "f16", "bf16"):
            x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
            self.assertLessEqual(np.max(np.abs(round_to(x, dtype) / x - 1)), EPS[dtype] / 2 * 1.01)


class ReferenceTest(unittest.TestCase):
    COMMANDS = ("conv -n 2 -c 4 -H 5 -W 6 -k 6 -y 3 -x 2 -p 1 -q 1 -u 2 -g 2",
                "conv -n 1 -c 3 -H 7 -W 7 -k 3 -y 3 -x 3 -l 2 -p 1 -v 3 -g 3",
                "conv -_ 1 -n 2 -c 3 -H 9 -k 4 -y 3 -p 2 -l 2",
                "conv -_ 3 -n 1 -c 2 -! 3 -H 4 -W 3 -k 2 -@ 2 -y 3 -x 1 -p 1 -# 2")

    def test_forward(self):
        for line in self.COMMANDS:
            p = problem_of(line)
            x, w = p.arrays()
            np.testing.assert_allclose(p.reference([x, w])[1], plain_conv(p, x, w), atol=1e-12)

    def test_gradients_are_adjoint(self):
        for line in self.COMMANDS:
            p, data, filt = (problem_of(line + f" -F {forw}") for forw in (1, 2, 4))
            x, w = p.arrays(1)
            dy = np.random.default_rng(2).standard_normal(p.y_shape)
            whole = (dy * p.reference([x, w])[1]).sum()
            self.assertAlmostEqual((data.reference([dy, w])[1] * x).sum(), whole)
            self.assertAlmostEqual((filt.reference([dy, x])[1] * w).sum(), whole)

    def test_parts_are_parts(self):
        for line in self.COMMANDS:
            for forw in (1, 2, 4):
                p = problem_of(f"{line} -F {forw}")
                arrays = p.arrays()
                _, whole = conv_reference(p, arrays)
                index, part = conv_reference(p, arrays, p.flops / 4)
                self.assertLessEqual(part.size, whole.size)
                np.testing.assert_allclose(part, select(whole, index), atol=1e-12)

    def test_tail(self):
        p = problem_of("conv -n 1 -c 2 -H 3 -W 3 -k 2 -y 1 -x 1 --bias 1 --residual 1 --tail relu")
        x, w, bias, residual = p.arrays()
        expected = np.maximum(plain_conv(p, x, w) + bias.reshape(1, -1, 1, 1) + residual, 0)
        np.testing.assert_allclose(p.reference([x, w, bias, residual])[1], expected, atol=1e-6)


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.p = problem_of("conv -n 1 -c 512 -H 6 -W 6 -k 16 -y 3 -x 3")
        self.arrays = self.p.arrays()
        self.right = self.p.reference(self.arrays)[1].astype(np.float32)

    def test_names_the_wrong(self):
        wrong = self.right.copy()
        wrong[0, 0, 0, 0] += 1e-3
        nan = np.full_like(self.right, np.nan)
        found = disagreements(self.p, self.arrays, {"a": self.right, "b": wrong, "c": nan,
                                                    "d": self.right[:, :4]})
        self.assertEqual(sorted(found), ["b", "c", "d"])

    def test_a_lost_tap_shows(self):
        for dtype in ("f32", "f16", "bf16"):
            p = problem_of(rewrite(self.p.command, OPS, dtype))
            x, w = p.arrays()
            reference = p.reference([x, w])
            w[:, 5, 1, 1] = 0
            self.assertGreater(wrong_by(p, reference, p.reference([x, w])[1]), 1, dtype)


class ListsTest(unittest.TestCase):
    def test_every_line_parses(self):
        for path in glob.glob(os.path.join(INPUTS, "*.txt")):
            if path.endswith(("-smoke.txt", "all-ops.txt")):  # have more than is compared
                continue
            lines = read_list(path)
            self.assertTrue(lines, path)
            self.assertEqual(len(lines), len(set(lines)), path)
            for line in lines:
                problem_of(line)

    def test_lists_are_what_networks_writes(self):
        for name in networks.NETWORKS:
            with open(os.path.join(INPUTS, f"{name}.txt"), encoding="utf-8") as file:
                self.assertEqual(file.read(), networks.text(name), name)

    def test_work_of_the_networks(self):
        # Published multiply-adds of the convolutions, in 1e9.
        known = {"resnet50": 4.09, "resnext50": 4.23, "mobilenet-v1": 0.568,
                 "mobilenet-v2": 0.300, "vgg16": 15.35, "r3d18": 40.7}
        for name, macs in known.items():
            flops = sum(problem_of(networks.command(1, *conv)).flops
                        for conv in networks.NETWORKS[name]().found)
            self.assertAlmostEqual(flops / 2e9 / macs, 1, delta=0.01, msg=name)


if __name__ == "__main__":
    unittest.main()
