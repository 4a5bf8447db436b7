#!/usr/bin/env python3
"""Keeps the borders of the house: who may include whom, and a few bans.

borders.py [ROOT] reads the sources below ROOT (the current folder if not
given), prints one line `file:line: what is wrong` for each violation, and
exits with 1 if there is any, or if there was nothing to read.
"""

import os
import re
import sys

# Arrows point one way: a folder of src/boo may include itself and these.
BELOW = {
    "base": set(),
    "abi": {"base"},
    "graph": {"base", "abi"},
    "ops": {"base", "abi", "graph"},
    "runtime": {"base", "abi", "graph", "ops"},
    "driver/commands": {"base", "abi", "graph", "ops", "runtime"},
    "driver/records": {"base", "abi", "graph"},
    "driver": {"base", "abi", "graph", "ops", "runtime", "driver/commands", "driver/records"},
    "compiler": {"base", "abi", "graph", "ops"},
}
MLIR = re.compile(r"(mlir|llvm|lld|clang)(-c)?/")
MLIR_ALLOWED = re.compile(r"src/boo/compiler/|tools/boo-opt\.cpp$")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')

# (what matches in code, where it may stand, what is wrong with it elsewhere)
BANS = [
    (re.compile(r"\b(secure_)?getenv\s*\("), re.compile(r"src/boo/base/Env\.cpp$|.*Test\.cpp$"),
     "getenv outside src/boo/base/Env.cpp"),
    (re.compile(r"\bcl::(opt|list|bits|alias)\b"), re.compile(r"tools/"),
     "a cl:: option outside tools/; pass an options struct down"),
    (re.compile(r"^\s*#\s*pragma\s+omp\b"), re.compile(r"(?!)"),
     "an OpenMP pragma; call the runtime's threads"),
]
# Spelled in two pieces, so that this file passes its own rule.
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|DO NOT SUB" r"MIT)\b"
                   r"|^(<{7}|>{7}) ")
CODE = (".cpp", ".h", ".inc", ".c")
TEXT = CODE + (".td", ".py", ".in", ".cmake", ".md", ".txt", ".test", ".graph", ".mlir")
TOPS = ("src", "include", "tools", "fuzz", "test", "bench", "cmake", "docs", "examples",
        "python", "CMakeLists.txt", "README.md", "dev")
LONG = 500
LONG_REASON = "Over 500 lines because"
SHORT = re.compile(r"tools/[^/]+\.cpp$|dev$")


def files_below(root):
    """Paths of the house's files, relative to root, with '/'."""
    for top in TOPS:
        path = os.path.join(root, top)
        if os.path.isfile(path):
            yield top
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(f for f in folders if f != "__pycache__" and f[0] != ".")
            for name in sorted(names):
                if name.endswith(TEXT):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def without(text, strings):
    """C++ text with comments blanked, and string contents too; lines stay."""
    pattern = re.compile(r'R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                         r"|'(?:\\.|[^'\\\n])+'|//[^\n]*|/\*.*?\*/", re.S)

    def blank(match):
        token = match.group(0)
        if token[0] in "\"'R" and not strings:
            return token
        return re.sub(r"[^\n]", " ", token)

    return pattern.sub(blank, text)


def part_of(path):
    """The folder of src/boo that path lies in, else its top folder."""
    pieces = path.split("/")
    return folder_of(pieces[2:]) if pieces[:2] == ["src", "boo"] and len(pieces) > 3 else pieces[0]


def folder_of(pieces):
    """The folder that a path below boo/ begins with: two deep where that has borders of its own."""
    deep = "/".join(pieces[:2])
    return deep if deep in BELOW else pieces[0]


def included_part(root, path, quoted, name):
    """The part of the house that `#include name` in path reaches, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name)).replace(os.sep, "/")
    if quoted and os.path.isfile(os.path.join(root, beside)):
        return part_of(beside)
    pieces = name.split("/")
    return folder_of(pieces[1:]) if pieces[0] == "boo" and len(pieces) > 2 else None


def check_code(root, path, text):
    """Violations of one C or C++ file: (line, what)."""
    mine = part_of(path)
    for number, line in enumerate(without(text, strings=False).split("\n"), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(2)
        if MLIR.match(name) and not MLIR_ALLOWED.match(path):
            yield number, f"{name} included outside src/boo/compiler and tools/boo-opt.cpp"
        part = included_part(root, path, match.group(1) == '"', name)
        if part not in BELOW or part == mine:
            continue
        if mine in BELOW and part not in BELOW[mine]:
            yield number, f"{mine} includes {part} ({name})"
        elif mine not in BELOW and part == "compiler" and not MLIR_ALLOWED.match(path):
            yield number, f"{mine} includes compiler ({name})"
    for number, line in enumerate(without(text, strings=True).split("\n"), 1):
        for pattern, allowed, message in BANS:
            if pattern.search(line) and not allowed.match(path):
                yield number, message


def check_text(path, text):
    """Violations that any file can have: (line, what)."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if MARKS.search(line):
            yield number, "a mark of unfinished work"
    count = len(lines) - 1
    if SHORT.match(path) and count >= 150:
        yield count, f"{count} lines; mains and dev stay under 150"
    if count > LONG and not path.startswith("bench/inputs/") and LONG_REASON not in text[:2000]:
        yield count, f"{count} lines; over {LONG} needs a line '{LONG_REASON} …' at the top"
    if path.endswith("python/iree/__init__.py"):
        yield 1, "iree is a namespace shared with other packages; it has no __init__.py"


def check(root):
    """All violations below root as lines of text, and how many files were read."""
    found, count = [], 0
    for path in files_below(root):
        count += 1
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        wrong = list(check_text(path, text))
        if path.endswith(CODE):
            wrong += check_code(root, path, text)
        found += [f"{path}:{number}: {what}" for number, what in sorted(wrong)]
    return found, count


def main():
    found, count = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    print("\n".join(found + [f"borders: {count} files read, {len(found)} violations"]))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
