#!/usr/bin/env python3
"""Says whether the kernel of a --json report has the schedule of a tuning entry.

usage: same_schedule.py JSON ENTRIES
"""
import json
import sys


def main():
    report, entries = sys.argv[1:]
    schedule = json.load(open(report))["schedule"]
    tuned = [json.loads(line)["schedule"] for line in open(entries)]
    print("same schedule" if schedule in tuned else f"{schedule}\nis not one of\n{tuned}")


main()
