"""Who runs when: prepares a problem in each engine's process, then lets them take turns."""

import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass

import numpy as np

from .check import disagreements
from .engines import ENGINES, OURS
from .ops import problem_of
from .peak import measure_peak
from .process import EngineDied, Process

BOX = 0.5  # seconds after which an engine far behind the fastest gets no more turns in a repeat
FAR = 4  # times the fastest's time


@dataclass(frozen=True)
class Settings:
    """What a run does; seconds and counts."""

    engines: tuple  # names, ours among them
    threads: int
    build: str  # BOO's build folder
    repeats: int = 3
    turns: int = 5  # of each engine in a repeat; a repeat's time is their median
    seconds: float = 0.05  # that a turn takes, or one run if that is longer
    verbose: bool = False


@dataclass(frozen=True)
class Task:
    """One command in one column: "run" or "const"."""

    command: str
    direction: str
    column: str


def rotated(names, by):
    """The list begun at another place, so that nobody always follows the same neighbour."""
    by %= max(1, len(names))
    return names[by:] + names[:by]


def hopeless(name, times):
    """Whether an engine has used up its time box and can no longer be the fastest."""
    fastest = min((min(us) for us in times.values() if us), default=0)
    mine = times[name]
    return bool(mine) and sum(mine) > BOX * 1e6 and min(mine) > FAR * fastest


class Session:
    """The engines' processes; a context manager, which ends them.

    Processes start when they are first needed and live on; one that died starts anew.
    """

    def __init__(self, settings, make_process=Process, make_peak=measure_peak):
        self.settings, self.processes = settings, {}
        self.make_process, self.make_peak = make_process, make_peak
        self.broken = {}  # engines that did not start: why

    def __enter__(self):
        shared = "/dev/shm"
        self.folder = tempfile.mkdtemp(prefix="boo-compare-",
                                       dir=shared if os.access(shared, os.W_OK) else None)
        self.cache = tempfile.mkdtemp(prefix="boo-compare-")
        self.log = sys.stderr if self.settings.verbose else open(os.devnull, "w")
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)
        if self.log is not sys.stderr:
            self.log.close()

    def _process(self, name):
        """The running process of an engine; EngineDied if it does not start."""
        if name in self.broken:
            raise EngineDied(self.broken[name])
        if name not in self.processes:
            s = self.settings
            process = self.make_process(name, s.threads, s.build, self.log)
            if process.error:
                self.broken[name] = process.error
                process.close()
                raise EngineDied(process.error)
            self.processes[name] = process
        return self.processes[name]

    def _lost(self, name):
        process = self.processes.pop(name, None)
        if process:
            process.close()

    def measure(self, task, done):
        """Yields the records (state.py) of the repeats of a task that are not `done` yet."""
        problem = problem_of(task.command)
        arrays = problem.arrays()
        paths = []
        for index, array in enumerate(arrays):
            paths.append(os.path.join(self.folder, f"a{index}.npy"))
            np.save(paths[-1], array)
        record = {"command": task.command, "column": task.column, "direction": task.direction,
                  "dtype": problem.dtype, "label": problem.label, "flops": problem.flops,
                  "engines": {}, "errors": {}, "unsupported": {}}
        ready = self._prepare(task, problem, paths, record)
        record["wrong"] = self._check(problem, arrays, ready, record)
        times = {}
        for repeat in range(done, self.settings.repeats):
            record = {key: dict(value) if isinstance(value, dict) else value
                      for key, value in record.items()}
            slow = {name for name in times if hopeless(name, times)}
            peak = self.make_peak(self.settings.build, self.settings.threads, self.cache)
            times = self._turns([name for name in ready if name not in slow], repeat, record)
            record["engines"] = {name: {**figures, "us": times.get(name, [])}
                                 for name, figures in record["engines"].items()}
            ready = [name for name in times if name not in record["errors"]]
            yield {**record, "repeat": repeat, "peak_gflops": peak, "when": time.time()}

    def _prepare(self, task, problem, paths, record):
        """The names of the engines that are ready; what they say goes into the record."""
        ready = []
        for name in self.settings.engines:
            if not ENGINES[name].takes(task.column, problem.constants):
                continue
            try:
                process = self._process(name)
                reply = process.prepare(task.command, paths, task.column == "const")
            except EngineDied as error:
                reply = {"error": str(error), "unsupported": False}
                self._lost(name)
            if "error" in reply:
                kind = "unsupported" if reply["unsupported"] else "errors"
                record[kind][name] = reply["error"]
            else:
                record["engines"][name] = {**reply, "version": process.version}
                ready.append(name)
        return ready

    def _fail(self, name, why, ready, record):
        """Takes an engine out of this task."""
        ready.remove(name)
        record["engines"].pop(name, None)
        record["errors"][name] = why

    def _ask(self, name, ready, record, question):
        """The reply to question(process), or None after a failure, which is recorded."""
        try:
            reply = question(self.processes[name])
        except EngineDied as error:
            self._lost(name)
            reply = {"error": str(error)}
        if "error" in reply:
            self._fail(name, reply["error"], ready, record)
            return None
        return reply

    def _check(self, problem, arrays, ready, record):
        results = {}
        for name in list(ready):
            path = os.path.join(self.folder, f"{name}.npy")
            if self._ask(name, ready, record, lambda p, path=path: p.result(path)) is not None:
                results[name] = np.load(path)
                os.unlink(path)
        return disagreements(problem, arrays, results)

    def _turns(self, ready, repeat, record):
        """{engine: microseconds of a run in each of its turns}."""
        times = {name: [] for name in ready}
        for turn in range(self.settings.turns):
            for name in rotated(list(ready), turn + repeat):
                if hopeless(name, times):
                    continue
                reply = self._ask(name, ready, record, lambda p: p.turn(self.settings.seconds))
                if reply is None:
                    del times[name]
                else:
                    times[name].append(reply["us"])
        return times


def progress(task, records):
    """One line on a task that was measured."""
    last = records[-1]
    figures = []
    for name in sorted(last["engines"], key=lambda name: (name != OURS, name)):
        times = [us for record in records if name in record["engines"]
                 for us in record["engines"][name]["us"]]
        figures += [f"{name} {statistics.median(times):.1f}"] if times else []
    notes = [f"{name}: {why}" for kind in ("errors", "wrong") for name, why in last[kind].items()]
    notes += [f"{name}: unsupported" for name in last["unsupported"]]
    return f"{last['label']} {last['dtype']} {task.column} µs: " + " ".join(figures + notes)
