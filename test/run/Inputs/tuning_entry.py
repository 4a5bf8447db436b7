#!/usr/bin/env python3
"""Prints the tuning entry that gives an artifact's group another schedule.

usage: tuning_entry.py ARTIFACT ISA SCHEDULE
"""
import json
import re
import sys


def main():
    path, isa, schedule = sys.argv[1:]
    manifest = open(path, "rb").read()
    field = lambda name: re.search(rb"\n%s ([^\n]*)\n" % name, manifest)[1].decode()
    graph = field(b"graph").replace("\\n", "\n")
    print(json.dumps({"graph": graph, "target": isa, "math": field(b"math"), "schedule": schedule}))


main()
