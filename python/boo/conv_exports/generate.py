"""Writes the MLIR of convolutions: ``python generate.py -c "conv -n 1 …"``."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from boo import _boo
from boo.conv_exports.conv import ConvSignature, Mode
from boo.conv_exports.miopen_parser import ConvParser
from boo.driver.launch import get_module_asm
from boo.driver.utils import load_commands

__all__ = ["filter_signatures", "generate_mlir", "main"]


def generate_mlir(
    signature: ConvSignature,
    output_path: str | os.PathLike | None = None,
    *,
    import_pipeline: str | Sequence[str] | None = None,
    print_ir: bool = False,
) -> str:
    """The kernel's module as its emitter writes it, also to a file if one is given.

    Raises boo.Unsupported for upstream's `import_pipeline` and `print_ir`, whose passes there are
    not here: ``boo generate --stage`` writes what each pass makes.
    """
    if import_pipeline or print_ir:
        raise _boo.Unsupported("boo generate --stage writes the module after a pass")
    text = get_module_asm(signature)
    if output_path is not None:
        Path(output_path).write_text(text)
    return text


def filter_signatures(
    signatures: dict[str, ConvSignature],
    *,
    mode: str | Mode | None = None,
    num_spatial_dims: int | None = None,
) -> dict[str, ConvSignature]:
    """Those of one direction, or one number of dimensions; None takes all."""
    return {
        name: each
        for name, each in signatures.items()
        if (mode is None or each.mode == Mode.parse(mode))
        and (num_spatial_dims is None or each.num_spatial_dims == num_spatial_dims)
    }


def _parse(commands: Iterable[str]) -> tuple[dict[str, ConvSignature], dict[str, str]]:
    """Signatures, and why others are none, by command."""
    signatures, failures = {}, {}
    for command in commands:
        try:
            signatures[command] = ConvParser.command_to_signature(command)
        except (_boo.Error, ValueError) as error:
            failures[command] = str(error)
    return signatures, failures


def main(args: Sequence[str] | None = None) -> int:
    """Writes {command}.mlir, or ERR_{command}.log, for each command, or to stdout without a folder.

    Returns 1 if one failed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("-f", "--commands-file", help="a file with a command a line")
    source.add_argument("-c", "--command", help="one command, in quotes")
    parser.add_argument("-o", "--output-dir", type=Path, help="folder to write to")
    parser.add_argument("-F", "--forw", choices=("fwd", "bwd", "wrw"), help="one direction alone")
    parser.add_argument("-N", "--num-spatial-dims", type=int, choices=(1, 2, 3))
    given = parser.parse_args(sys.argv[1:] if args is None else list(args))
    if given.command is not None:
        commands = [given.command]
    else:
        commands = [shlex.join(each) for each in load_commands(given.commands_file)]
    signatures, failures = _parse(commands)
    chosen = filter_signatures(signatures, mode=given.forw, num_spatial_dims=given.num_spatial_dims)
    if given.output_dir is not None:
        given.output_dir.mkdir(parents=True, exist_ok=True)
    for command, signature in chosen.items():
        try:
            text = generate_mlir(signature)
        except (_boo.Error, ValueError) as error:
            failures[command] = str(error)
            continue
        if given.output_dir is None:
            print(text)
        else:
            _file(given.output_dir, command, ".mlir").write_text(text)
    for command, reason in failures.items():
        if given.output_dir is None:
            print(f"{command}: {reason}", file=sys.stderr)
        else:
            _file(given.output_dir, f"ERR_{command}", ".log").write_text(reason + "\n")
    total = len(chosen) + sum(command not in chosen for command in failures)
    print(f"Failed to generate IR for {len(failures)} configs of {total} total.", file=sys.stderr)
    return 1 if failures else 0


def _file(folder: Path, command: str, suffix: str) -> Path:
    """A file whose name is the command, with blanks as underscores, and a hash for a long one."""
    safe = re.sub(r"[^\w.-]+", "_", command.strip())
    if len(safe) > 200:
        safe = f"{safe[:180]}_{hashlib.sha1(command.encode()).hexdigest()[:16]}"
    return folder / (safe + suffix)


if __name__ == "__main__":
    sys.exit(main())
