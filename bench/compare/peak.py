"""The machine's f32 multiply-add peak now, as `boo driver` measures it."""

import json
import os
import shlex
import subprocess

from .process import choose_cpus, pinned

COMMAND = ("conv -n 1 -c 64 -H 14 -W 14 -k 64 -y 3 -x 3 -p 1 -q 1 "
           "-I NHWC -f NHWC -O NHWC --json --iter 10")


def measure_peak(build, threads, cache):
    """GFLOP/s of `threads` threads together, NaN where it cannot be measured."""
    words = [*shlex.split(COMMAND), "--threads", str(threads)]
    try:
        with pinned(choose_cpus(threads)):
            done = subprocess.run(
                [os.path.join(build, "bin", "boo"), "driver", *words],
                capture_output=True, timeout=60, check=False,
                env=dict(os.environ, BOO_CACHE_DIR=cache, BOO_CACHE_ON="1"))
        figures = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return float("nan")
    if figures.get("peak_kind") != "fma-f32" or not figures.get("peak_gflops"):
        return float("nan")
    return figures["peak_gflops"]
