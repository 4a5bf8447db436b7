"""shipped_tuning.py FILE BOO-OPT    fails if an entry of FILE cannot serve
shipped_tuning.py FILE > GRAPH    the graph of the first entry for avx512, f32, default mathematics
"""

import json
import subprocess
import sys
import tempfile

TARGET = "isa={} fp16=0 bf16dot=1 l1=32768 l2=1048576 l3=33554432 cores=2"


def entries(path):
    with open(path) as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    return [json.loads(line) for line in lines]


def check(entry, opt):
    with tempfile.NamedTemporaryFile("w", suffix=".graph") as request:
        request.write(f"// target: {TARGET.format(entry['target'])}\n// math: {entry['math']}\n")
        request.write(f"// schedule: {entry['schedule']}\n{entry['graph']}")
        request.flush()
        run = subprocess.run([opt, "--boo-decide", request.name], capture_output=True, text=True)
    if run.returncode or "\ntuned: " not in run.stdout:
        sys.exit(f"{entry}: {run.stderr or run.stdout}")


def main():
    found = entries(sys.argv[1])
    if len(sys.argv) > 2:
        for entry in found:
            check(entry, sys.argv[2])
        return
    for entry in found:
        if (entry["target"], entry["math"]) == ("avx512", "default") and "f32[" in entry["graph"]:
            print(entry["graph"], end="")
            return


main()
