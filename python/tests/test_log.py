"""TURBINE_LOG_LEVEL: what Python code logs, and launches as commands that repeat them."""

import logging
import os
import shlex
import subprocess
import sys

from boo.runtime.log import log

import boo
from boo.runtime import fallbacks

#: Two launches of one kernel, and one of another.
PROGRAM = """
import torch, boo
x, w = torch.randn(1, 3, 6, 6), torch.randn(4, 3, 3, 3)
for _ in range(2):
    boo.boo_conv(x, w)
with torch.no_grad():
    torch.compile(lambda x: torch.softmax(x.relu(), 1), backend="boo")(x)
"""


def run(level, *arguments):
    environment = {**os.environ, "TURBINE_LOG_LEVEL": level}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )


def test_debug_repeats_launches(tmp_path):
    lines = [
        line.removeprefix("boo: debug: ")
        for line in run("DEBUG", "-c", PROGRAM).stderr.splitlines()
        if line.startswith("boo: debug: boo driver ")
    ]
    assert len(lines) == 3 and lines[0] == lines[1] != lines[2]
    for line in set(lines):
        _, _, *arguments = shlex.split(line)
        again = run("WARNING", "-m", "boo.driver.driver", *arguments, "--verify")
        assert ">>> tensor([...], device='cpu', size=(" in again.stdout


def test_levels():
    told = run("INFO", "-c", PROGRAM).stderr
    assert "boo: info: conv_2d_float32_forward_1x3x6x6" in told
    assert "boo driver" not in told
    assert "boo: " not in run("WARNING", "-c", PROGRAM).stderr


def test_handlers_of_the_program(caplog, capsys):
    with caplog.at_level(logging.INFO, logger=log.name):
        fallbacks.count("a thing", "a reason")
    assert "torch computes a thing: a reason" in caplog.text
    assert "boo: " not in capsys.readouterr().err


def test_no_line_above_debug(capfd):
    import torch

    assert not log.isEnabledFor(logging.DEBUG)
    boo.boo_conv(torch.randn(1, 3, 5, 5), torch.randn(2, 3, 3, 3))
    assert "boo driver" not in capfd.readouterr().err
