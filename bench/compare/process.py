"""The parent's end of an engine's process: one runs, the others are stopped."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

START, PREPARE, TURN = 300, 300, 120  # seconds until a process counts as hung



class EngineDied(Exception):
    """The process ended, or gave no answer in time."""


def choose_cpus(threads):
    """`threads` of the CPUs that this process may use, on distinct cores where there are enough."""
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    cores, chosen, rest = set(), [], []
    for cpu in allowed:
        path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        try:
            with open(path, encoding="ascii") as file:
                core = file.read().strip()
        except OSError:
            core = str(cpu)
        (rest if core in cores else chosen).append(cpu)
        cores.add(core)
    return set((chosen + rest)[:threads])


@contextlib.contextmanager
def pinned(cpus):
    """Children that are started inside may use these CPUs alone, and see no others."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


class Process:
    """An engine in a process of its own, stopped (SIGSTOP) unless it is asked something.

    Its threads may spin as they like, as for any user: stopped, they take nothing from others.
    """

    def __init__(self, name, threads, build, log, module="compare.worker"):
        self.name = name
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=here)
        with pinned(choose_cpus(threads)):
            self.child = subprocess.Popen(
                [sys.executable, "-m", module, name, str(threads), build],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=env,
                start_new_session=True)
        self.pending = b""
        hello = self._read(START)
        self.version = hello.get("version")
        self.error = hello.get("error")
        self._pause()

    def _read(self, seconds):
        """The next reply; EngineDied after `seconds`."""
        end = time.monotonic() + seconds
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.child.stdout], [], [], left)[0]
            chunk = os.read(self.child.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                why = "ended" if ready else f"gave no answer in {seconds} s"
                self.kill()
                raise EngineDied(f"its process {why}")
            self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def _pause(self):
        """Stops it, and returns when it has stopped."""
        try:
            self.child.send_signal(signal.SIGSTOP)
            for _ in range(2000):
                with open(f"/proc/{self.child.pid}/stat", encoding="ascii", errors="replace") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] in "TtZ":
                        return
                time.sleep(50e-6)
        except OSError:
            pass

    def ask(self, limit, /, **request):
        """The reply to a request, during which it alone runs; EngineDied after `limit` seconds."""
        if self.child.poll() is not None:
            raise EngineDied("its process ended")
        self.child.send_signal(signal.SIGCONT)
        try:
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError as error:
            raise EngineDied("its process ended") from error
        reply = self._read(limit)
        self._pause()
        return reply

    def prepare(self, command, paths, constant):
        return self.ask(PREPARE, do="prepare", command=command, arrays=paths, constant=constant)

    def turn(self, seconds):
        return self.ask(TURN, do="turn", seconds=seconds)

    def result(self, path):
        return self.ask(TURN, do="result", path=path)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def close(self):
        """Ends it in good order, or by force after a while."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            try:
                self.child.stdin.close()
                self.child.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.kill()
