"""The command line of bench/compare.py."""

import argparse
import os
import sys
import time

from . import machine
from .commands import DIRECTIONS, CommandError, read_list, rewrite
from .dtypes import SUFFIX
from .engines import ENGINES, OURS, PEERS
from .ops import OPS, problem_of
from .plot import write_plot
from .report import report, rows_of, write_csv
from .session import Session, Settings, Task, progress
from .state import State, StateError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUICK_COMMANDS, QUICK_MINUTES = 20, 15
BUSY = 0.5  # processes beside ours that make timings doubtful


def items(known):
    """A parser of comma-separated names out of `known`."""

    def parse(text):
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return names

    return parse


def arguments():
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="compare.py", description="Compares BOO with other engines on the same tensors.",
        epilog="docs/performance.md tells how it measures.")
    add = parser.add_argument
    add("lists", nargs="*", metavar="LIST", help="files of driver commands, as in bench/inputs "
        "[bench/inputs/quick.txt]")
    add("--threads", type=int, default=1, help="of every engine [1]")
    add("--dtype", type=items(SUFFIX), help="f32,bf16,f16: rewrites the commands [as they are]")
    add("--direction", type=items(DIRECTIONS), default=["fwd"], help="fwd,bwd,wrw [fwd]")
    add("--wei-const", action="store_true", help="also with weights known ahead")
    add("--peers", type=items(PEERS), help=f"{','.join(PEERS)} [those installed]")
    add("--match", default="", metavar="TEXT", help="only commands that contain this")
    add("--repeats", type=int, default=3, help="measurements whose median counts [3]")
    add("--turns", type=int, default=5, help="turns of an engine in a repeat [5]")
    add("--turn-ms", type=float, default=50, help="milliseconds of a turn [50]")
    add("--state", metavar="FILE", help="keep what is measured there, and go on from there")
    add("--quick", action="store_true", help=f"at most {QUICK_COMMANDS} commands of the lists, "
        f"always the same, and {QUICK_MINUTES} minutes")
    add("--minutes", type=float, help="stop after so long")
    add("--csv", metavar="FILE", help="write all figures there")
    add("--plot", metavar="FILE.png", help="draw ratios and fractions of the peak")
    add("--build", default=os.path.join(ROOT, "build", "release"),
        help="BOO's build folder, with bin/boo and lib/libboo.so [build/release]")
    add("--verbose", action="store_true", help="show what the engines print")
    return parser


def choose_engines(wanted):
    """Ours and the peers that are wanted and installed; stderr names the others."""
    chosen = [OURS]
    for name in PEERS if wanted is None else wanted:
        if ENGINES[name].missing():
            print(f"{name} is not installed: pip install {ENGINES[name].pip}", file=sys.stderr)
        else:
            chosen.append(name)
    return tuple(chosen)


def sample(lines, count):
    """`count` of the lines, evenly spread, always the same."""
    if len(lines) <= count:
        return lines
    return [lines[index * len(lines) // count] for index in range(count)]


def plan(lines, dtypes, directions, constant):
    """The Tasks; lines that are none are named on stderr and left out."""
    tasks, bad = [], 0
    for dtype in dtypes or [None]:
        for direction in directions:
            commands = []
            for line in lines:
                try:
                    command = rewrite(line, OPS, dtype, direction)
                    commands.append((command, problem_of(command).constants))
                except CommandError as error:
                    print(f"left out: {line}: {error}", file=sys.stderr)
                    bad += 1
            tasks += [Task(command, direction, "run") for command, _ in commands]
            if constant:
                tasks += [Task(command, direction, "const") for command, known in commands if known]
    return list(dict.fromkeys(tasks)), bad


def measure_all(tasks, settings, state, minutes):
    """Measures what the state lacks; True if all is there now."""
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    with Session(settings) as session:
        for index, task in enumerate(tasks):
            done = len(state.of(task.command, task.column))
            if done >= settings.repeats:
                continue
            if time.monotonic() > end:
                print(f"stopped after {minutes:g} minutes, {len(tasks) - index} of {len(tasks)} "
                      "left; with --state the same command goes on", file=sys.stderr)
                return False
            fresh = []
            for record in session.measure(task, done):
                state.add(record)
                fresh.append(record)
            print(f"[{index + 1}/{len(tasks)}] {progress(task, fresh)}", file=sys.stderr, flush=True)
    return True


def main(argv=None):
    """Exit status: 0; 1 if ours failed or is wrong somewhere; 2 for a wrong request."""
    args = arguments().parse_args(argv)
    lists = args.lists or [os.path.join(ROOT, "bench", "inputs", "quick.txt")]
    try:
        lines = [line for path in lists for line in read_list(path) if args.match in line]
    except OSError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    if args.quick:
        lines = sample(lines, QUICK_COMMANDS)
    if machine.build_id(args.build) == "none":
        print(f"compare.py: no lib/libboo.so in {args.build}; build BOO, or name its build folder: "
              "--build", file=sys.stderr)
        return 2
    tasks, bad = plan(lines, args.dtype, args.direction, args.wei_const)
    settings = Settings(choose_engines(args.peers), args.threads, os.path.abspath(args.build),
                        args.repeats, args.turns, args.turn_ms / 1e3, args.verbose)
    stamp = {**machine.stamp(), "threads": args.threads, "turns": args.turns,
             "turn_ms": args.turn_ms, "boo": machine.build_id(args.build)}
    if machine.load() > BUSY:
        print(f"the machine is busy (load {machine.load():.1f}): these times are not quiet ones",
              file=sys.stderr)
    try:
        state = State(args.state, stamp)
    except (StateError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    try:
        measure_all(tasks, settings, state, args.minutes or (args.quick and QUICK_MINUTES))
    except KeyboardInterrupt:
        print("interrupted; this is what there is", file=sys.stderr)
    wanted = {(task.command, task.column) for task in tasks}
    rows = [row for row in rows_of(state.records) if (row.command, row.column) in wanted]
    print(machine.describe(stamp) + "\n")
    print(report(rows))
    if args.csv:
        write_csv(args.csv, rows, stamp)
    if args.plot:
        try:
            write_plot(args.plot, rows, f"{stamp['cpu']}, threads {args.threads}")
        except RuntimeError as error:
            print(f"compare.py: {error}", file=sys.stderr)
            return 2
    failed = any(not row.notes.get(OURS, "unsupported").startswith("unsupported") for row in rows)
    return 1 if failed or bad else 0
