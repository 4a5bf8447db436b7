#!/usr/bin/env python3
"""Plants violations of the house's borders and sees that each is found."""

import os
import tempfile
import unittest

import borders


class Borders(unittest.TestCase):
    def found(self, **files):
        """What borders finds in a house of these files ('__' stands for '/')."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = os.path.join(root, name.replace("__", "/").replace("_h", ".h")
                                    .replace("_cpp", ".cpp"))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as file:
                    file.write(text)
            return borders.check(root)[0]

    def one(self, expected, **files):
        found = self.found(**files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def none(self, **files):
        self.assertEqual(self.found(**files), [])

    def test_arrows(self):
        for part, below in borders.BELOW.items():
            for other in borders.BELOW:
                text = f'#include "boo/{other}/X.h"\n'
                name = f"src__boo__{part}__A_cpp"
                if other == part or other in below:
                    self.none(**{name: text})
                else:
                    self.one(f"A.cpp:1: {part} includes {other}", **{name: text})

    def test_runtime_and_compiler_never_meet(self):
        self.one("runtime includes compiler", src__boo__runtime__A_h="#include <boo/compiler/X.h>\n")
        self.one("compiler includes runtime", src__boo__compiler__passes__A_cpp="\n"
                 '# include "boo/runtime/X.h"\n')

    def test_relative_includes_are_followed(self):
        self.one("base includes runtime", src__boo__base__A_cpp='#include "../runtime/X.h"\n',
                 src__boo__runtime__X_h="")

    def test_mlir_stays_in_the_compiler(self):
        for header in ("mlir/IR/A.h", "llvm/ADT/A.h", "lld/Common/A.h", "mlir-c/IR.h"):
            text = f"#include <{header}>\n"
            self.one(header, src__boo__driver__A_cpp=text)
            self.one(header, tools__boo_cpp=text)
            self.one(header, fuzz__A_cpp=text)
            self.none(src__boo__compiler__emit__A_cpp=text)
            self.none(**{"tools__boo-opt_cpp": text})

    def test_tools(self):
        text = '#include "boo/compiler/X.h"\n#include "boo/driver/X.h"\n'
        self.none(**{"tools__boo-opt_cpp": text})
        self.one("boo.cpp:1: tools includes compiler", tools__boo_cpp=text)

    def test_getenv(self):
        text = 'const char *a = std::getenv("A");\n'
        self.one("A.cpp:1: getenv", src__boo__runtime__A_cpp=text)
        self.none(src__boo__base__Env_cpp=text)
        self.none(test__sweep__ATest_cpp=text)
        self.none(src__boo__runtime__A_cpp='// getenv("A")\nconst char *a = "getenv(";\n')

    def test_options_and_pragmas(self):
        text = "static llvm::cl::opt<bool> a;\n"
        self.one("cl:: option", src__boo__compiler__A_cpp=text)
        self.none(**{"tools__boo-opt_cpp": text})
        self.one("OpenMP", src__boo__runtime__A_cpp="#pragma omp parallel\n")

    def test_comments_hide_nothing_else(self):
        self.none(src__boo__base__A_cpp='/*\n#include "boo/graph/X.h"\n*/\n')
        self.one("A.cpp:2", src__boo__base__A_cpp='// a "quote\n#include "boo/graph/X.h"\n')

    def test_marks_and_lengths(self):
        self.one("unfinished", docs__A_h="// TO" "DO: later\n")
        self.one("501 lines", src__boo__base__A_cpp="\n" * 501)
        self.none(src__boo__base__A_cpp=f"// {borders.LONG_REASON} it is a table.\n" + "\n" * 501)
        self.one("under 150", tools__boo_cpp="\n" * 150)

    def test_an_empty_house_is_no_success(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(borders.check(root), ([], 0))


if __name__ == "__main__":
    unittest.main()
