"""The process of one engine: python -m models.worker ENGINE THREADS BUILD.

Reads one JSON request a line and answers each with one, as compare.worker does: `prepare` (task),
`turn` (seconds), `result` (path).
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np
import torch
from compare.worker import die_with_parent, take_turn

from .engines import ENGINES, Task


def answer(engine, request: dict) -> dict:
    if request["do"] == "prepare":
        start = time.perf_counter()
        engine.prepare(Task(*request["task"]))
        return {"prepare_s": time.perf_counter() - start}
    if request["do"] == "turn":
        seconds, runs = take_turn(engine.run, request["seconds"])
        return {"ms": seconds * 1e3, "runs": runs}
    np.save(request["path"], engine.result())
    return {}


def main() -> None:
    die_with_parent()
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(int(sys.argv[2]))
    engine = ENGINES[sys.argv[1]]()
    print(json.dumps({"version": torch.__version__}), file=replies, flush=True)
    for line in sys.stdin:
        try:
            reply = answer(engine, json.loads(line))
        except Exception as error:  # noqa: BLE001 whatever an engine raises is its result
            reply = {"error": (str(error).strip() or type(error).__name__).splitlines()[0][:200]}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
