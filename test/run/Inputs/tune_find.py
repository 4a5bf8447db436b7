#!/usr/bin/env python3
"""Makes a find of what was tried, so that a test need not wait for one.

usage: tune_find.py STATE. Of each kernel in a state of boo tune stays the first
trial, twice, as one that took half the time, and as the look that confirms it.
"""
import json
import sys


def main():
    path = sys.argv[1]
    head, *trials = [json.loads(line) for line in open(path)]
    first = {}
    for trial in trials:
        first.setdefault(trial["kernel"], trial)
    lines = [head]
    for trial in first.values():
        trial.update(outcome="faster", ratio=0.5, us=10.0, against_us=20.0)
        lines += [trial, trial]
    with open(path, "w") as state:
        state.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


main()
