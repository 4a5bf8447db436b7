"""Fills the kernel cache: CachePopulator, and ``python preload.py FILE``, which is ``boo preload``."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from boo import _boo
from boo.driver.utils import load_commands, run_program
from boo.runtime.cache import OpCacheFiles, set_cache_dir, use_cache_dir

if TYPE_CHECKING:
    from boo.op_exports.base import OpSignature

__all__ = ["CachePopulator", "CachePrepopulator", "main"]


class CachePopulator:
    """Compiles kernels into the cache.

    Args:
        cache_dir: the cache to fill; the one in use by default. The cache counts as on.
        devices: what to compile for: "cpu", the default. Without a name, as in ``[""]``, only the
            kernels' MLIR is written and nothing is compiled.
        signatures: operations to compile.
        commands: operations as commands, strings or lists of words.
        commands_file: a file of commands.
        allow_download: fetch kernels from elsewhere, which nothing does.
        extra_compile_flags: upstream's flags of its compiler; they have no effect.

    ``signatures`` is complete after ``run``.

    Raises:
        NotImplementedError: `allow_download`.
    """

    def __init__(
        self,
        *,
        cache_dir: str | os.PathLike | None = None,
        devices: Sequence[str] | None = None,
        signatures: Iterable[OpSignature] = (),
        commands: Iterable[str | Sequence[str]] = (),
        commands_file: str | os.PathLike | None = None,
        allow_download: bool = False,
        extra_compile_flags: Sequence[str] = (),
    ) -> None:
        if allow_download:
            raise _boo.Unsupported("kernels are compiled; there is nowhere to download them from")
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self.devices = ("cpu",) if devices is None else tuple(each for each in devices if each)
        self.signatures: list[OpSignature] = list(signatures)
        self.commands: list[str | Sequence[str]] | None = list(commands)
        self.commands_file = commands_file
        self.extra_compile_flags = tuple(extra_compile_flags)
        self._failures: dict[str, str] = {}

    def run(
        self, max_processes: int | None = None, *, use_multiprocess_import: bool = False
    ) -> None:
        """Compiles what the cache does not have. A failure costs its operation alone.

        Args:
            max_processes: how many kernels are compiled at once; as many as there are CPUs to use
                by default.
            use_multiprocess_import: accepted as upstream's; it has no effect.

        Raises:
            OSError, ValueError: `commands_file` cannot be read.
        """
        commands = list(self.commands or ())
        if self.commands_file is not None:
            commands += load_commands(self.commands_file)
        for command in commands:
            self._add(command)
        self.commands = self.commands_file = None
        self.signatures = list(dict.fromkeys(self.signatures))
        workers = max_processes or len(os.sched_getaffinity(0))
        with self._cache(), concurrent.futures.ThreadPoolExecutor(workers) as pool:
            reasons = list(pool.map(self._populate, self.signatures))
        for signature, reason in zip(self.signatures, reasons):
            if reason is not None:
                self._failures[_name_of(signature)] = reason

    def get_cache_status(self, name: str) -> dict[str, bool]:
        """Whether the cache has the MLIR ("mlir_import") of the signature with this func_name, and
        by device whether it has its kernels.

        Raises KeyError if there is no such signature.
        """
        found = [each for each in self.signatures if _name_of(each) == name]
        if not found:
            raise KeyError(name)
        try:
            graph = found[0].graph()
        except (_boo.Error, ValueError):
            return {"mlir_import": False, **dict.fromkeys(self.devices, False)}
        with self._cache():
            needed = _boo.needed_kernels(graph, name)
            folder = OpCacheFiles(name).base_dir
        compiled = all(each["cached"] for each in needed)
        modules = all((folder / f"{each['key']}.mlir").is_file() for each in needed)
        devices = {each: compiled and each == "cpu" for each in self.devices}
        return {"mlir_import": modules or compiled, **devices}

    def get_failures(self) -> dict[str, str]:
        """Why it failed, by func_name; by command for one that makes no signature."""
        return dict(self._failures)

    def _parse(self, command: str | list[str]) -> OpSignature | None:
        from boo.op_exports.registry import BooOpRegistry

        return BooOpRegistry.parse_command(command, ignore_unhandled_args=True)

    def _add(self, command: str | Sequence[str]) -> None:
        words = command if isinstance(command, str) else list(command)
        text = words if isinstance(words, str) else shlex.join(words)
        try:
            signature = self._parse(words)
        except (_boo.Error, ValueError) as error:
            self._failures[text] = f"mlir import failure: {error}"
            return
        if signature is None:
            self._failures[text] = "mlir import failure: no operation with signatures is named"
        else:
            self.signatures.append(signature)

    def _cache(self) -> contextlib.AbstractContextManager:
        return use_cache_dir(set_cache_dir() if self.cache_dir is None else self.cache_dir)

    def _populate(self, signature: OpSignature) -> str | None:
        """Why it failed, or None."""
        try:
            graph, name = signature.graph(), signature.func_name
            if not self.devices:
                _write_modules(graph, name)
        except (_boo.Error, ValueError, OSError) as error:
            return f"mlir import failure: {error}"
        failed = [each for each in self.devices if each != "cpu"]
        reason = "there are kernels for the CPU alone" if failed else ""
        if "cpu" in self.devices:
            try:
                signature.kernel()
            except (_boo.Error, ValueError, OSError) as error:
                failed, reason = ["cpu", *failed], str(error)
        return f"failed compilation for devices: {set(failed)}: {reason}" if failed else None


#: The name that the oldest description of it has.
CachePrepopulator = CachePopulator


def _name_of(signature: OpSignature) -> str:
    try:
        return signature.func_name
    except (_boo.Error, ValueError):
        return repr(signature)


def _write_modules(graph: str, name: str) -> None:
    """Writes <key>.mlir for each kernel, and <name>.mlir as a link to the last one."""
    files = OpCacheFiles(name)
    files.base_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for needed, module in zip(_boo.needed_kernels(graph, name), _boo.emit(graph, name)):
        path = files.base_dir / f"{needed['key']}.mlir"
        own = path.with_suffix(f".{os.getpid()}.tmp")
        own.write_text(module)
        own.replace(path)
        link = own.with_suffix(".link")
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(files.mlir_path)


def main(args: Sequence[str] | None = None) -> int:
    """``boo preload`` with these arguments, those of the process by default; its exit status."""
    return run_program("preload", sys.argv[1:] if args is None else args)


if __name__ == "__main__":
    sys.exit(main())
