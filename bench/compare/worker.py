"""The process of one engine: python -m compare.worker ENGINE THREADS BUILD.

Reads one JSON request a line from stdin and answers each with one line on what was stdout
when it started; whatever an engine prints goes to stderr. Requests: `prepare` (command, arrays:
paths of .npy files, constant), `turn` (seconds), `result` (path), and the end of the input.
"""

import ctypes
import json
import os
import signal
import statistics
import sys
import time

import numpy as np

from .engines import ENGINES
from .ops import CommandError, Unsupported, problem_of

CHUNK = 100e-6  # seconds that one reading of the clock covers at least
WARM_UP = "conv -n 1 -c 8 -H 4 -W 4 -k 8 -y 1 -x 1 -I NHWC -f NHWC -O NHWC"
WARM_UPS = (WARM_UP, WARM_UP + " --tail relu")  # the second makes inductor call its C++ compiler


def take_turn(run, seconds, clock=time.perf_counter):
    """(median seconds of a run, runs): as many runs as `seconds` hold, at least one.

    The first is not counted where more follow: another engine had the caches.
    """
    start = clock()
    run()
    first = clock() - start
    if first >= seconds:
        return first, 1
    chunk = max(1, round(CHUNK / max(first, 1e-9)))
    samples, end = [], clock() + seconds
    now = clock()
    while now < end:
        for _ in range(chunk):
            run()
        before, now = now, clock()
        samples.append((now - before) / chunk)
    return statistics.median(samples), chunk * len(samples)


def die_with_parent():
    """A process that is stopped would outlive a parent that was killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def warm_up(engine):
    """What an engine does but once (plugins, lazy imports) is no part of compile_ms."""
    for command in WARM_UPS:
        problem = problem_of(command)
        try:
            engine.prepare(problem, problem.arrays(), False)
            engine.run()
        except Exception as error:  # noqa: BLE001 the real problem will tell
            print(f"warm-up: {error}", file=sys.stderr)


def answer(engine, request):
    """The reply to one request."""
    if request["do"] == "prepare":
        problem = problem_of(request["command"])
        arrays = [np.load(path) for path in request["arrays"]]
        return engine.prepare(problem, arrays, request["constant"])
    if request["do"] == "turn":
        seconds, runs = take_turn(engine.run, request["seconds"])
        return {"us": seconds * 1e6, "runs": runs}
    np.save(request["path"], np.ascontiguousarray(engine.result()))
    return {}


def serve(engine, requests, replies):
    """Answers requests until there are no more."""
    for line in requests:
        try:
            reply = answer(engine, json.loads(line))
        except (CommandError, Unsupported) as error:
            reply = {"error": str(error), "unsupported": True}
        except Exception as error:  # noqa: BLE001 whatever an engine raises is its result
            text = str(error).strip() or type(error).__name__
            reply = {"error": text.splitlines()[0][:300], "unsupported": False}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def main():
    name, threads, build = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    die_with_parent()
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        engine = ENGINES[name].make(threads, build)
        warm_up(engine)
        hello = {"version": engine.version()}
    except Exception as error:  # noqa: BLE001
        engine, hello = None, {"error": str(error)[:300]}
    replies.write(json.dumps(hello) + "\n")
    replies.flush()
    if engine:
        serve(engine, sys.stdin, replies)
        getattr(engine, "close", lambda: None)()


if __name__ == "__main__":
    main()
