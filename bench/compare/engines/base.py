"""The interface of an engine."""

import time


class Engine:
    """Makes one problem's kernel and runs it, in a process of its own.

    prepare() may raise Unsupported (nothing serves this) or anything else (it failed).
    run() does one whole execution, on inputs and outputs where it wants them, and
    returns when it is done; result() is what the last one computed.
    """

    def __init__(self, threads):
        self.threads = threads

    def version(self):
        """The version that goes into the report."""
        raise NotImplementedError

    def prepare(self, problem, arrays, constant):
        """Readies run(); `constant`: problem.constants are known now and do not change.

        Returns figures for the report: compile_ms (milliseconds of compilation) unless
        there is none, artifact_bytes where a kernel is a file.
        """
        raise NotImplementedError

    def run(self):
        raise NotImplementedError

    def result(self):
        """The output as a float32 (float64) array in the problem's logical order."""
        raise NotImplementedError


def first_call_ms(function):
    """Milliseconds by which the first call is slower than the second: the compiler's part."""
    start = time.perf_counter()
    function()
    middle = time.perf_counter()
    function()
    return max(0.0, (2 * middle - start - time.perf_counter()) * 1e3)
