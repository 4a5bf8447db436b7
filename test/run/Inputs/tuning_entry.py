#!/usr/bin/env python3
"""Prints the tuning entry that gives a command's kernel another schedule.

usage: tuning_entry.py JSON ISA SCHEDULE, where JSON is what --json wrote
"""
import json
import re
import sys


def main():
    report, isa, schedule = sys.argv[1:]
    manifest = open(json.load(open(report))["artifact"], "rb").read()
    field = lambda name: re.search(rb"\n%s ([^\n]*)\n" % name, manifest)[1].decode()
    graph = field(b"graph").replace("\\n", "\n")
    print(json.dumps({"graph": graph, "target": isa, "math": field(b"math"), "schedule": schedule}))


main()
