"""From commands, with MIOpenDriver's flags, to signatures."""

from __future__ import annotations

import abc
import argparse
import shlex
from collections.abc import Iterable, Sequence

import torch

from .. import _boo
from .base import OpSignature

__all__ = ["OpCLIParser"]

#: What a command's name ends with, by element type.
SUFFIXES = {
    "": torch.float32,
    "fp16": torch.float16,
    "bfp16": torch.bfloat16,
    "fp64": torch.float64,
}


class _Parser(argparse.ArgumentParser):
    """Raises ValueError where argparse would end the process."""

    def error(self, message: str):
        raise ValueError(f"{self.prog}: {message}")

    def underscored(self, tokens: Iterable[str]) -> list[str]:
        """The tokens with --in-h as --in_h, where the latter is a flag of this command."""
        known, result = self._option_string_actions, []
        for token in tokens:
            name, equals, value = token.partition("=")
            plain = "--" + name[2:].replace("-", "_")
            if name.startswith("--") and name not in known and plain in known:
                token = plain + equals + value
            result.append(token)
        return result


class OpCLIParser(abc.ABC):
    """Makes signatures of one kind of operation from commands."""

    #: The key in the registry; a command's name is that and one of SUFFIXES.
    OP_NAME: str

    @classmethod
    @abc.abstractmethod
    def get_signature(cls, args: argparse.Namespace) -> OpSignature:
        """From parsed flags. Raises ValueError for wrong ones, boo.Unsupported for others."""

    @classmethod
    @abc.abstractmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        """Parses a command with its name as first argument; its errors are ValueErrors."""

    @classmethod
    def get_op_name(cls) -> str:
        return cls.OP_NAME

    @classmethod
    def commands(cls) -> tuple[str, ...]:
        """Names of the commands that this class parses."""
        return tuple(cls.OP_NAME + suffix for suffix in SUFFIXES)

    @classmethod
    def dtype_of(cls, command: str) -> torch.dtype:
        return SUFFIXES[command.removeprefix(cls.OP_NAME)]

    @classmethod
    def is_command(cls, token: str) -> bool:
        return token in cls.commands()

    @classmethod
    def command_to_signature(
        cls, command: str | Sequence[str], ignore_unhandled_args: bool = False
    ) -> OpSignature:
        """The signature of a command.

        Args:
            command: one string, split as a shell does, in which flags of the driver
                (``-t 1 --iter 100``), or anything before the command's name, are ignored; or the
                split command, in which they are errors.
            ignore_unhandled_args: takes a split command as a string is taken.

        Raises:
            ValueError: it is not a command of this operation, or has wrong flags.
            boo.Unsupported: flags that ask for something no signature has.
        """
        lenient = ignore_unhandled_args
        if isinstance(command, str):
            lenient = True
            tokens = shlex.split(command)
            starts = [i for i, token in enumerate(tokens) if cls.is_command(token)]
            tokens = tokens[starts[0] :] if starts else tokens
        else:
            tokens = [str(each) for each in command]
        if not tokens or not cls.is_command(tokens[0]):
            what = tokens[0] if tokens else ""
            raise ValueError(f"{what!r} is none of {', '.join(cls.commands())}")
        parser = cls.get_miopen_parser()
        if isinstance(parser, _Parser):
            tokens = parser.underscored(tokens)
        if lenient:
            return cls.get_signature(parser.parse_known_args(tokens)[0])
        return cls.get_signature(parser.parse_args(tokens))

    @classmethod
    def _parser(cls) -> _Parser:
        # No -h: it must not end the process that parses a file of commands.
        parser = _Parser(prog=cls.OP_NAME, add_help=False)
        parser.add_argument("command", choices=cls.commands())
        return parser


def add_flags(parser: argparse.ArgumentParser, flags: str) -> None:
    """Adds integer flags from lines of ``--name -n default``; default None makes it a string."""
    for line in flags.split("\n"):
        if not line.strip():
            continue
        *names, default = line.split()
        if default == "None":
            parser.add_argument(*names, default=None)
        else:
            parser.add_argument(*names, type=int, default=int(default))


def refuse(args: argparse.Namespace, *allowed: tuple[str, Sequence]) -> None:
    """Raises boo.Unsupported for a flag whose value is not among those given with its name."""
    for name, values in allowed:
        value = getattr(args, name)
        if value not in values:
            listed = ", ".join(map(str, values))
            raise _boo.Unsupported(
                f"{args.command}: --{name} {value} makes no signature, only {listed} does;"
                " boo driver may take it"
            )
