#!/usr/bin/env python3
"""Runs a command and prints which of some libraries it has mapped.

Usage: maps.py NAME… -- COMMAND…. Looks at /proc/PID/maps all the time that the
command runs, so it should take a second or so. Prints `NAME mapped` or
`NAME not mapped` for each NAME; `kernel` stands for an artifact of the cache.
"""
import os
import subprocess
import sys
import time


def main():
    split = sys.argv.index("--")
    names, command = sys.argv[1:split], sys.argv[split + 1:]
    pattern = {"kernel": os.environ["BOO_CACHE_DIR"]}
    seen = dict.fromkeys(names, False)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/maps") as maps:
                text = maps.read()
        except OSError:  # it ended between the two lines
            break
        for name in names:
            seen[name] |= pattern.get(name, name) in text
        time.sleep(0.005)
    for name in names:
        print(name, "mapped" if seen[name] else "not mapped")
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
