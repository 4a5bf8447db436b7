"""Which machine this is, as the state file stamps it, and how busy it is."""

import hashlib
import os
import textwrap


def cpu_info():
    """The first processor of /proc/cpuinfo as a dict; empty where there is none."""
    info = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, colon, value = line.partition(":")
                if not colon:
                    break
                info[key.strip()] = value.strip()
    except OSError:
        pass
    return info


def stamp():
    """Model, cores and features of the CPU; equal for runs that may be mixed."""
    info = cpu_info()
    flags = sorted(info.get("flags", "").split())
    shown = [flag for flag in flags if flag in ("avx", "avx2", "fma", "f16c")
             or flag.startswith(("avx512", "amx"))]
    return {
        "cpu": info.get("model name", "unknown"),
        "model": "-".join(info.get(key, "?") for key in ("cpu family", "model", "stepping")),
        "cores": len(os.sched_getaffinity(0)),
        "features": " ".join(shown),
        "flags": hashlib.sha256(" ".join(flags).encode()).hexdigest()[:12],
    }


def describe(stamped):
    """For people, in lines of 80 columns."""
    text = (f"{stamped['cpu']} (family-model-stepping {stamped['model']}), {stamped['cores']} "
            f"cores, {stamped['features']}; threads {stamped['threads']}")
    return "\n".join(textwrap.wrap(text, 80, break_on_hyphens=False))


def load():
    """Processes that want to run, the mean of the last minute."""
    return os.getloadavg()[0]


def build_id(build):
    """A short hash of BOO's libraries in that build folder; "none" if there are none."""
    digest, found = hashlib.sha256(), False
    for name in ("libboo.so", "libboo-compiler.so"):
        path = os.path.join(build, "lib", name)
        if os.path.exists(path):
            found = True
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()[:12] if found else "none"
