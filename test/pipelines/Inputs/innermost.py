#!/usr/bin/env python3
"""Reads `llvm-objdump -d --no-show-raw-insn` and judges the innermost loops.

A loop is a jump to a lower address of the same function; it is innermost when
no other loop lies inside of it. Of the innermost loops that multiply, none may
touch the stack: an accumulator that is spilled there costs more than the
multiplication. With --stores reading the stack is allowed: a transform's loop
may take an address or a constant from there in each round. Prints each loop's
size and exits with 1 on a stack access, or when there is no such loop at all.
"""
import re
import sys

LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
MULTIPLY = re.compile(r"^(vfn?m(add|sub)|v?mulp|v?t?dpbf16ps)")


def functions(text):
    code = []
    for line in text.splitlines():
        if line.endswith(">:"):
            if code:
                yield code
            code = []
        elif match := LINE.match(line):
            code.append((int(match[1], 16), match[2], match[3]))
    if code:
        yield code


def innermost(code):
    loops = []
    first = code[0][0]
    for address, name, operands in code:
        target = re.match(r"(?:0x)?([0-9a-f]+)\b", operands)
        if name.startswith("j") and target and first <= int(target[1], 16) <= address:
            loops.append((int(target[1], 16), address))
    for loop in loops:
        if not any(o != loop and loop[0] <= o[0] and o[1] <= loop[1] for o in loops):
            yield [i for i in code if loop[0] <= i[0] <= loop[1]]


def touches_stack(name, operands, stores_only):
    if not stores_only:
        return "(%rsp" in operands
    # AT&T syntax: the last operand is written, unless it is only compared.
    return ("(%rsp" in operands.rsplit(", ", 1)[-1]
            and not name.startswith(("cmp", "test")))


def main():
    stores_only = "--stores" in sys.argv[1:]
    found = bad = 0
    for code in functions(sys.stdin.read()):
        for loop in innermost(code):
            multiplies = sum(bool(MULTIPLY.match(name)) for _, name, _ in loop)
            if not multiplies:
                continue
            found += 1
            stack = [i for i in loop if touches_stack(i[1], i[2], stores_only)]
            print(f"loop at {loop[0][0]:x}: {len(loop)} instructions, "
                  f"{multiplies} multiply, {len(stack)} on the stack")
            for address, name, operands in stack:
                bad += 1
                print(f"  {address:x}: {name} {operands}")
    if not found:
        print("no innermost loop multiplies")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    sys.exit(main())
