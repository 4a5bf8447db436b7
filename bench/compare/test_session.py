"""Turns, state file, tables: with engines that only pretend."""

import io
import json
import os
import tempfile
import unittest
from contextlib import redirect_stderr

import numpy as np

from .cli import plan, sample
from .engines.boo import match
from .ops import problem_of
from .process import EngineDied, choose_cpus
from .report import NAN, report, rows_of, write_csv
from .session import Session, Settings, Task, progress, rotated
from .state import State, StateError
from .worker import serve, take_turn

COMMAND = "conv -n 1 -c 8 -H 4 -W 4 -k 8 -y 1 -x 1"


class FakeProcess:
    """Answers as an engine's process would; `ways` says who misbehaves."""

    ways, times, turns = {}, {}, []

    def __init__(self, name, _threads, _build, _log):
        self.name, self.error, self.version = name, None, "1"
        if self.ways.get(name) == "broken":
            self.error = "it does not start"

    def prepare(self, command, paths, _constant):
        if self.ways.get(self.name) == "unsupported":
            return {"error": "nothing serves this", "unsupported": True}
        if self.ways.get(self.name) == "dies":
            raise EngineDied("its process ended")
        self.problem, self.arrays = problem_of(command), [np.load(path) for path in paths]
        return {"compile_ms": 3.0, "artifact_bytes": 100}

    def result(self, path):
        values = self.problem.reference(self.arrays)[1].astype(np.float32)
        np.save(path, values + (1 if self.ways.get(self.name) == "wrong" else 0))
        return {}

    def turn(self, _seconds):
        FakeProcess.turns.append(self.name)
        if self.ways.get(self.name) == "dies later":
            raise EngineDied("its process ended")
        return {"us": self.times.get(self.name, 10.0), "runs": 1}

    def close(self):
        pass


def measure(ways, times=None, repeats=3, done=0, column="run"):
    """The records of one task with the engines boo, torch, jax and ort."""
    FakeProcess.ways, FakeProcess.times, FakeProcess.turns = ways, times or {}, []
    settings = Settings(("boo", "torch", "jax", "ort"), 1, "", repeats)
    with Session(settings, FakeProcess, lambda *_: 100.0) as session:
        return list(session.measure(Task(COMMAND, "fwd", column), done))


class SessionTest(unittest.TestCase):
    def test_turns_rotate(self):
        records = measure({})
        self.assertEqual(len(records), 3)
        self.assertEqual([record["repeat"] for record in records], [0, 1, 2])
        self.assertEqual(FakeProcess.turns[:6], ["boo", "torch", "jax", "torch", "jax", "boo"])
        self.assertEqual(len(records[0]["engines"]["boo"]["us"]), 5)
        self.assertNotIn("ort", records[0]["engines"])  # it freezes weights
        self.assertIn("ort", measure({}, column="const")[0]["engines"])

    def test_the_hopeless_stop_early(self):
        records = measure({}, {"boo": 1e5, "jax": 9e5, "torch": 3e5})
        for record, turns in zip(records, (1, 0, 0), strict=True):
            self.assertEqual({name: len(e["us"]) for name, e in record["engines"].items()},
                             {"boo": 5, "torch": 5, "jax": turns})
        self.assertEqual(rows_of(records)[0].us("jax"), 9e5)
        self.assertIn("jax 900000.0", progress(Task(COMMAND, "fwd", "run"), records))

    def test_an_engine_dies_in_its_turn(self):
        records = measure({"jax": "dies later"})
        self.assertEqual(list(records[2]["engines"]), ["boo", "torch"])
        self.assertEqual(records[2]["errors"], {"jax": "its process ended"})
        self.assertEqual(FakeProcess.turns.count("jax"), 1)

    def test_goes_on(self):
        self.assertEqual([r["repeat"] for r in measure({}, done=2)], [2])

    def test_failures_cost_their_engine_alone(self):
        record = measure({"boo": "unsupported", "jax": "dies"}, repeats=1)[0]
        self.assertEqual(list(record["engines"]), ["torch"])
        self.assertEqual(record["unsupported"], {"boo": "nothing serves this"})
        self.assertEqual(record["errors"], {"jax": "its process ended"})
        record = measure({"torch": "broken"}, repeats=1)[0]
        self.assertEqual(record["errors"], {"torch": "it does not start"})

    def test_names_a_disagreement(self):
        record = measure({"jax": "wrong"}, {"jax": 1.0}, repeats=1)[0]
        self.assertEqual(list(record["wrong"]), ["jax"])
        self.assertEqual(rows_of([record])[0].best, "torch")  # wrong results win nothing


class ReportTest(unittest.TestCase):
    def test_ratio_and_behind(self):
        row = rows_of(measure({}, {"boo": 10.0, "torch": 8.0, "jax": 20.0}))[0]
        self.assertEqual((row.best, row.ratio, row.behind), ("torch", 0.8, True))
        self.assertAlmostEqual(row.fraction, row.flops / 10 * 1e-3 / 100)

    def test_one_repeat_of_three_does_not_make_behind(self):
        records = measure({}, {"boo": 10.0, "torch": 12.0})
        records[1]["engines"]["torch"]["us"] = [5.0] * 5
        self.assertFalse(rows_of(records)[0].behind)
        two = rows_of(measure({}, {"boo": 10.0, "torch": 8.0}, repeats=2))[0]
        self.assertEqual((two.ratio, two.behind), (0.8, False))

    def test_text(self):
        text = report(rows_of(measure({}) + measure({"boo": "unsupported"}, column="const")))
        self.assertIn("geometric mean of best peer / ours: 1.00 over 1 shapes; behind: 0", text)
        self.assertIn("unsupp.", text)
        self.assertIn("boo: 1 of 2, first", text)
        for line in text.split("\n"):
            self.assertLessEqual(len(line), 80, line)
        report(rows_of(measure({"boo": "wrong"})))

    def test_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.csv")
            write_csv(path, rows_of(measure({})), {"threads": 1, "cpu": "c"})
            with open(path, encoding="utf-8") as file:
                head, line = file.read().splitlines()
        cells = dict(zip(head.split(","), line.split(","), strict=True))
        self.assertEqual((cells["boo_us"], cells["boo_compile_ms"], cells["artifact_bytes"]),
                         ("10.0", "3.0", "100"))


class StateTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "state")

    def test_goes_on_after_a_torn_line(self):
        State(self.path, {"cpu": "a"}).add({"command": "c", "column": "run", "us": NAN})
        with open(self.path, "a", encoding="utf-8") as file:
            file.write('{"command": "c"')
        state = State(self.path, {"cpu": "a"})
        state.add({"command": "é", "column": "run"})
        again = State(self.path, {"cpu": "a"})
        self.assertEqual(len(again.of("c", "run")), 1)
        self.assertEqual(len(again.of("é", "run")), 1)

    def test_refuses_another_machine(self):
        State(self.path, {"cpu": "a"})
        with self.assertRaisesRegex(StateError, "another cpu: a there, b here"):
            State(self.path, {"cpu": "b"})
        with self.assertRaises(StateError):
            State(__file__, {"cpu": "a"})


class WorkerTest(unittest.TestCase):
    def test_take_turn(self):
        now, calls = [0.0], []

        def run(cost):
            calls.append(cost)
            now[0] += cost

        self.assertEqual(take_turn(lambda: run(2.0), 0.05, lambda: now[0]), (2.0, 1))
        seconds, runs = take_turn(lambda: run(1e-5), 0.05, lambda: now[0])
        self.assertAlmostEqual(seconds, 1e-5)
        self.assertEqual(runs % 10, 0)
        self.assertGreaterEqual(runs, 5000)

    def test_serve_survives(self):
        class Engine:
            def prepare(self, *_):
                raise ValueError("first\nsecond")

        out = io.StringIO()
        request = {"do": "prepare", "command": "conv -F 3", "arrays": [], "constant": False}
        serve(Engine(), [json.dumps(request), json.dumps({**request, "command": COMMAND})], out)
        first, second = map(json.loads, out.getvalue().splitlines())
        self.assertTrue(first["unsupported"])
        self.assertEqual(second, {"error": "first", "unsupported": False})

    def test_match(self):
        dy, w = np.zeros((1, 4, 8, 8)), np.zeros((4, 4, 3, 3))
        self.assertEqual(match([dy.shape, w.shape], [dy, w]), [0, 1])
        self.assertEqual(match([dy.shape, dy.shape, w.shape], [dy, w]), [0, None, 1])
        self.assertEqual(match([(1, 4, 1, 1)], [np.zeros(4)]), [0])
        with self.assertRaises(ValueError):
            match([dy.shape], [w])


class CliTest(unittest.TestCase):
    def test_plan(self):
        lines = [COMMAND, "softmax -n 4", "conv --nonsense"]
        with redirect_stderr(io.StringIO()) as text:
            tasks, bad = plan(lines, ["f32", "bf16"], ["fwd"], True)
        self.assertEqual((len(tasks), bad), (6, 2))
        self.assertIn("nonsense", text.getvalue())
        self.assertEqual([t.column for t in tasks], ["run", "run", "const"] * 2)

    def test_sample_and_rotation(self):
        self.assertEqual(sample(list(range(100)), 4), [0, 25, 50, 75])
        self.assertEqual(rotated([1, 2, 3], 4), [2, 3, 1])
        self.assertEqual(len(choose_cpus(1)), 1)


if __name__ == "__main__":
    unittest.main()
