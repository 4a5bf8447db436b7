#!/usr/bin/env python3
"""Runs `boo preload` and sends a signal while it works.

Usage: preload_signal.py kill-worker|interrupt COMMAND…. kill-worker kills the
first worker process, interrupt sends Ctrl-C to all of them behind the first
line of output. Prints the output, then `status N`.
"""
import os
import signal
import subprocess
import sys
import time


def first_child(pid):
    """The first child of a process, once it has one."""
    while True:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            text = children.read().split()
        if text:
            return int(text[0])
        time.sleep(0.001)


def main():
    what, command = sys.argv[1], sys.argv[2:]
    # In a script's background Ctrl-C is ignored, by children too.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    head = ""
    if what == "kill-worker":
        os.kill(first_child(process.pid), signal.SIGKILL)
    else:
        head = process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate()
    print(head + rest + f"status {process.returncode}")


main()
