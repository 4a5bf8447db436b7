"""Compares BOO with other engines on the same tensors: see bench/README.md.

commands    driver command lines, their element types and directions
ops/        one file an operation: its tensors, its reference, how each engine spells it
engines/    one file an engine: prepare, run, result
worker      the process that an engine lives in; process is its parent's end
session     who runs when; machine, state: where and what was measured
check       do the results agree; report, plot: tables, CSV, pictures
networks    where the lists in bench/inputs come from
"""
