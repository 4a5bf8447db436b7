#!/usr/bin/env python3
"""What a kernel costs before its first run: time to compile, size of its artifact.

    bench/compile.py --boo build/release/bin/boo bench/inputs/quick.txt [more lists]

Each command has a process of its own, so that what is measured holds loading the compiler as
well; of --repeat such processes the shortest counts. Flags behind -- go to every command
(-- --math strict). With --instructions valgrind counts the instructions of each compilation
instead, which a busy machine does not change: for avx2, as valgrind knows no avx512.
"""
import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile

COUNTER = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
           "--toggle-collect=boo_compiler_compile"]


def commands(path):
    with open(path) as lines:
        return [line.strip() for line in lines if line.strip() and line[0] != "#"]


def measure(arguments, command, cache):
    """The cost of one compilation, in ms or millions of instructions, and the artifact's size."""
    line = [arguments.boo, "driver", *shlex.split(command), *arguments.flags,
            "--recompile", "--json", "--cache-dir", cache]
    if arguments.instructions:
        line = COUNTER + line + ["--target", "avx2"]
    run = subprocess.run(line, capture_output=True, text=True)
    if run.returncode != 0:
        said = [text for text in run.stderr.splitlines() if not text.startswith("==")]
        raise RuntimeError(" ".join(said) or f"exit status {run.returncode}")
    result = json.loads(run.stdout)
    cost = result["compile_ms"]
    if arguments.instructions:
        cost = int(re.search(r"Collected : (\d+)", run.stderr)[1]) / 1e6
    return cost, os.path.getsize(result["artifact"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", nargs="+", help="files of commands, one a line")
    parser.add_argument("--boo", default="boo", help="the program [boo]")
    parser.add_argument("--repeat", type=int, default=3, help="processes a command [3]")
    parser.add_argument("--instructions", action="store_true",
                        help="count instructions under valgrind, once")
    own, flags = sys.argv[1:], []
    if "--" in own:
        flags = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    arguments = parser.parse_args(own)
    arguments.flags = flags
    if arguments.repeat < 1:
        parser.error("--repeat: at least 1")

    unit = "Minstr" if arguments.instructions else "ms"
    costs, sizes, failed = [], [], 0
    print(f"{unit:>8} {'bytes':>8}  command")
    with tempfile.TemporaryDirectory() as cache:
        for command in dict.fromkeys(c for path in arguments.lists for c in commands(path)):
            try:
                runs = [measure(arguments, command, cache)
                        for _ in range(1 if arguments.instructions else arguments.repeat)]
            except (RuntimeError, OSError) as error:
                failed += 1
                print(f"{command}: {error}", file=sys.stderr)
                continue
            cost, size = min(runs)
            costs.append(cost)
            sizes.append(size)
            print(f"{cost:8.1f} {size:8}  {command}", flush=True)
    if costs:
        print(f"{len(costs)} kernels: median {statistics.median(costs):.1f} {unit}, "
              f"worst {max(costs):.1f}; artifacts: median {statistics.median(sizes):.0f} bytes, "
              f"largest {max(sizes)}")
    return 1 if failed or not costs else 0


if __name__ == "__main__":
    sys.exit(main())
