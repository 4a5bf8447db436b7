"""Compares engines on whole networks, each in a process of its own, in turns."""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile

import numpy as np
from compare.process import EngineDied, Process

from .engines import ENGINES, Task
from .networks import MODELS


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/compare_models.py", description=__doc__)
    add = parser.add_argument
    add("--models", default=",".join(MODELS), help="of " + ", ".join(MODELS))
    add("--engines", default=",".join(ENGINES), help="of " + ", ".join(ENGINES))
    add("--dtype", default="float32,bfloat16")
    add("--batch", type=int, default=1)
    add("--threads", type=int, default=2)
    add("--training", action="store_true", help="a training step instead of inference")
    add("--turns", type=int, default=7, help="turns of each engine; the median counts")
    add("--seconds", type=float, default=0.5, help="of a turn")
    add("--csv", help="all figures")
    return parser.parse_args(arguments)


class Row:
    """One engine's figures on one task."""

    def __init__(self, name: str) -> None:
        self.name, self.note, self.turns, self.prepare = name, "", [], float("nan")
        self.output: np.ndarray | None = None

    @property
    def ms(self) -> float:
        return statistics.median(self.turns) if self.turns else float("nan")


def measure(task: Task, options: argparse.Namespace, log) -> list[Row]:
    """Every engine's row; one that fails has a note instead of times."""
    rows, processes = [], {}
    for name in options.engines.split(","):
        row = Row(name)
        rows.append(row)
        try:
            process = Process(name, options.threads, "", log, module="models.worker")
            reply = process.ask(600, do="prepare", task=list(task))
            if "error" in reply:
                row.note = reply["error"]
                process.close()
                continue
            row.prepare = reply["prepare_s"]
            processes[name] = process
        except EngineDied as error:
            row.note = str(error)
    for turn in range(options.turns):
        order = rows[turn % len(rows) :] + rows[: turn % len(rows)]
        for row in order:
            if row.name in processes:
                row.turns.append(
                    processes[row.name].ask(120, do="turn", seconds=options.seconds)["ms"]
                )
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            if row.name in processes:
                path = os.path.join(folder, "y.npy")
                processes[row.name].ask(120, do="result", path=path)
                row.output = np.load(path)
                processes[row.name].close()
    return rows


def judge(task: Task, rows: list[Row]) -> None:
    """Notes results that are not eager's; training changes the weights, so only inference is held
    to them."""
    eager = next((row.output for row in rows if row.name == "eager" and row.turns), None)
    if eager is None or task.training:
        return
    tolerance = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}[task.dtype]
    for row in rows:
        if row.output is not None:
            error = np.abs(row.output - eager).max() / np.abs(eager).max()
            if not error <= tolerance:
                row.note = f"differs from eager by {error:.1e} of the largest value"


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    figures = []
    with open(os.devnull, "w") as log:
        for model in options.models.split(","):
            for dtype in options.dtype.split(","):
                task = Task(model, dtype, options.batch, options.training)
                rows = measure(task, options, log)
                judge(task, rows)
                kind = "training step" if task.training else "inference"
                print(f"\n{model} {dtype} batch {task.batch}, {kind}, {options.threads} threads")
                print(f"  {'engine':16} {'ms':>9} {'spread':>15} {'first s':>8}")
                for row in rows:
                    spread = f"{min(row.turns):.1f}-{max(row.turns):.1f}" if row.turns else ""
                    text = (
                        f"  {row.name:16} {row.ms:9.2f} {spread:>15} {row.prepare:8.1f}  {row.note}"
                    )
                    print(text[:80], flush=True)
                    figures.append(
                        [*task, options.threads, row.name, row.ms, row.prepare, row.note]
                    )
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow("model dtype batch training threads engine ms prepare_s note".split())
            writer.writerows(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
