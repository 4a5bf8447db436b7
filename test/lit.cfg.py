# lit's configuration: %boo and %boo-opt, FileCheck, not and the llvm-* tools by
# name, a cache of its own for every test, features by what the machine has.
import os
import shlex
import shutil

import lit.formats

config.name = "boo"
config.suffixes = [".mlir", ".graph", ".test"]
config.excludes = ["Inputs", "house", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.boo_test_dir
config.test_format = lit.formats.ShTest(
    execute_external=False,
    preamble_commands=["rm -rf %t.cache", "export BOO_CACHE_DIR=%t.cache"],
)

# The longer name first: substitutions are made in this order.
for name in ("boo-opt", "boo"):
    program = shlex.quote(os.path.join(config.boo_bin_dir, name))
    config.substitutions.append((f"%{name}\\b", program))
config.substitutions.append(("%inputs\\b", os.path.join(config.boo_source_dir, "bench", "inputs")))

# What comes with BOO was measured, and changes: tests do without.
config.environment["BOO_TUNING_SPEC_PATH"] = ""
path = [config.boo_bin_dir, config.llvm_tools_dir, config.environment.get("PATH", "")]
config.environment["PATH"] = os.pathsep.join(path)
for name in ("HOME", "OMP_NUM_THREADS", "UBSAN_OPTIONS", "ASAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]


def cpu_flags():
    """The flags of the first CPU that the kernel lists; empty where it lists none."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            for line in cpuinfo:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


needed = {
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx512fp16": {"avx512_fp16"},
    "avx512bf16": {"avx512_bf16"},
    "amx": {"amx_tile", "amx_bf16"},
}
present = cpu_flags()
config.available_features.update(name for name, flags in needed.items() if flags <= present)
if shutil.which("zsh"):
    config.available_features.add("zsh")
if config.boo_compiler:
    config.available_features.add("compiler")
