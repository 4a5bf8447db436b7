"""kill_worker.py worker|program COMMAND…: kills one with SIGKILL during line 2.

Runs COMMAND, whose second line takes minutes. Once that line is under way, it
prints how many threads the program has, kills its worker or itself, and prints
status and output.
"""

import os
import signal
import subprocess
import sys
import time


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(what):
    for _ in range(3000):
        if what():
            return
        time.sleep(0.02)
    sys.exit("waited in vain")


def main():
    victim, command = sys.argv[1], sys.argv[2:]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    while b"\nconv -n 16" not in text:
        piece = os.read(program.stdout.fileno(), 65536)
        if not piece:
            sys.exit("it ended too early: " + text.decode())
        text += piece
    wait_for(lambda: children(program.pid))
    workers = children(program.pid)
    print("program:", len(os.listdir(f"/proc/{program.pid}/task")), "thread")
    os.kill(workers[0] if victim == "worker" else program.pid, signal.SIGKILL)
    text += program.stdout.read() if victim == "worker" else b""
    print("status", program.wait())
    if victim == "program":
        wait_for(lambda: not any(map(alive, workers)))
        print("workers left:", sum(map(alive, workers)))
    print(text.decode())


if __name__ == "__main__":
    main()
