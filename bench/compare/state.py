"""The state file: what was measured, so that a run that was cut off goes on.

JSON lines. The first stamps machine, threads, build of BOO and seconds of a turn; each
further one is a record: one repeat of one command in one column (session.py says what is in
it). A line is whole or absent, so a file that was cut off loses its last record alone.
"""

import json
import os


class StateError(Exception):
    """The file belongs to another machine, build or setting."""


class State:
    """Records in memory, and in `path` if that is not None."""

    def __init__(self, path, stamp):
        """Reads what `path` has; StateError if its stamp is not `stamp`."""
        self.path, self.records = path, []
        if not path:
            return
        lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = [line for line in file if line.endswith("\n")]
        if lines:
            self._read(lines, stamp)
        with open(path, "w" if not lines else "r+", encoding="utf-8") as file:
            if not lines:
                file.write(json.dumps({"stamp": stamp}) + "\n")
            else:  # a torn last line would spoil the next one
                file.truncate(sum(len(line.encode()) for line in lines))

    def _read(self, lines, stamp):
        try:
            there = json.loads(lines[0])["stamp"]
            self.records = [json.loads(line) for line in lines[1:]]
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"{self.path} is no state file: {error}") from error
        for key in sorted({*there, *stamp}):
            if there.get(key) != stamp.get(key):
                raise StateError(
                    f"{self.path} was measured with another {key}: {there.get(key)} there, "
                    f"{stamp.get(key)} here; name another state file")

    def add(self, record):
        """Keeps a record, at once in the file."""
        self.records.append(record)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def of(self, command, column):
        """The records of one command in one column, in the order of their repeats."""
        return [record for record in self.records
                if record["command"] == command and record["column"] == column]
