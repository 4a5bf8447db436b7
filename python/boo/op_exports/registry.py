"""All kinds of operations that have signatures, by the names of their commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import ClassVar

from .aten import AtenParser, AtenSignature
from .base import OpSignature
from .batch_norm import BatchNormParser, BatchNormSignature
from .conv import ConvParser, ConvSignature
from .gemm import GEMMParser, GEMMSignature
from .layer_norm import LayerNormParser, LayerNormSignature
from .parser import OpCLIParser

__all__ = ["BooOpRegistry"]


class BooOpRegistry:
    """A key is what the commands of an operation begin with: conv, gemm, aten::mm …"""

    _signatures: ClassVar[dict[str, type[OpSignature]]] = {}
    _parsers: ClassVar[dict[str, type[OpCLIParser]]] = {}

    @classmethod
    def _register(cls, key: str, signature: type[OpSignature], parser: type[OpCLIParser]) -> None:
        if key in cls._parsers:
            raise ValueError(f"{key} is registered already")
        cls._signatures[key] = signature
        cls._parsers[key] = parser

    @classmethod
    def keys(cls) -> list[str]:
        return list(cls._parsers)

    @classmethod
    def get_signature(cls, key: str) -> type[OpSignature]:
        """Raises KeyError for a key that is not registered and no operator of torch's."""
        return AtenSignature if AtenParser.is_command(key) else cls._signatures[key]

    @classmethod
    def get_parser(cls, key: str) -> type[OpCLIParser]:
        """Raises KeyError for a key that is not registered and no operator of torch's."""
        return AtenParser if AtenParser.is_command(key) else cls._parsers[key]

    @classmethod
    def find_key_from_command(cls, command: str, assume_unique: bool = True) -> str | None:
        """The key of the first word that is the name of a command; None if there is none.

        A word has one key at most, so that `assume_unique` makes no difference.
        """
        for token in shlex.split(command):
            if AtenParser.is_command(token):
                # The driver knows more of them than are listed here.
                return token
            for key, parser in cls._parsers.items():
                if parser.is_command(token):
                    return key
        return None

    @classmethod
    def parse_command(
        cls, command: str | Sequence[str], ignore_unhandled_args: bool = False
    ) -> OpSignature | None:
        """The signature of a command, as OpCLIParser.command_to_signature; None for a command of
        an operation that has no signatures.

        Raises:
            ValueError: wrong flags.
            boo.Unsupported: flags that no signature serves.
        """
        if isinstance(command, str):
            key = cls.find_key_from_command(command)
        else:
            key = cls.find_key_from_command(shlex.quote(str(command[0]))) if command else None
        if key is None:
            return None
        return cls.get_parser(key).command_to_signature(command, ignore_unhandled_args)


BooOpRegistry._register("conv", ConvSignature, ConvParser)
BooOpRegistry._register("gemm", GEMMSignature, GEMMParser)
BooOpRegistry._register("layernorm", LayerNormSignature, LayerNormParser)
BooOpRegistry._register("bnorm", BatchNormSignature, BatchNormParser)
for _name in AtenParser.OPERATORS:
    BooOpRegistry._register(f"aten::{_name}", AtenSignature, AtenParser)
