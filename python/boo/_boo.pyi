"""The extension module: kernels, the dispatcher of eager calls, settings, and the boo command.

Tensor types cross as (dtype by torch's name without "torch.", sizes, strides in elements); strides
of dimensions with one element mean nothing. Graphs cross as text (``boo.graph 1``). Unless said
otherwise a wrong request raises ValueError, a sound one that nothing serves Unsupported, a file
that cannot be read or written OSError, and everything is called with the GIL held.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypedDict, final

import torch

_Spec: TypeAlias = tuple[str, Sequence[int], Sequence[int]]
_Literal: TypeAlias = bool | int | float | str | None | Sequence[_Literal]
_Results: TypeAlias = torch.Tensor | tuple[torch.Tensor, ...] | None

class Error(RuntimeError):
    """What BOO could not do, and why."""

class CompileError(Error):
    """A kernel did not compile; names the pass."""

class KernelError(Error):
    """Generated code reported an error."""

class Unsupported(Error, NotImplementedError):
    """A sound request that nothing here serves."""

class _Group(TypedDict):
    """One of the artifacts that a kernel is made of."""

    name: str
    key: str
    algorithm: str
    schedule: str
    #: Why this schedule, in sentences.
    why: list[str]
    graph: str
    #: "hit", "miss" or "off"
    cache: str
    #: From miss to published artifact; 0 for a hit.
    compile_ms: float
    #: To verify and open it.
    load_ms: float
    #: The file, or what stands for it with the cache off.
    artifact: str

class _Graph(TypedDict):
    """A Graph as plain values; tensors are numbers among `values`."""

    #: (dtype, sizes, strides, role): a size that is a symbol is -1; the role is "input",
    #: "constant", "inout" or "result".
    values: list[tuple[str, tuple[int, ...], tuple[int, ...], str]]
    #: (operation, operands, results, attributes by name), in order; dtypes by torch's names.
    nodes: list[tuple[str, list[int], list[int], dict[str, Any]]]
    arguments: list[int]
    #: (tensor, the inout argument that it is written to, or a negative number)
    outputs: list[tuple[int, int]]

class _Needed(TypedDict):
    """One of the kernels that a Graph needs."""

    key: str
    name: str
    graph: str
    cached: bool

@final
class Kernel:
    """A Graph that is called with tensors on the CPU.

    It runs on as many threads as torch is set to use, and releases the GIL unless it ends before
    another thread could take it. Safe to call from several threads at once.
    """

    def __init__(
        self,
        graph: str,
        *,
        name: str = "",
        arguments: Sequence[_Spec] | None = None,
        results: Sequence[_Spec] | None = None,
        recompile: bool = False,
        constants: bool = False,
        math: str = "",
    ) -> None:
        """Loads the Graph's artifacts, compiling what the cache does not have.

        Args:
            graph: the text; sizes that are symbols are unsupported.
            name: the folder of the first group in the cache; chosen from the Graph if it is empty.
            arguments, results: what tensors look like to a caller, of the same dtypes and bytes as
                the Graph's, in its order; the Graph's own types if left out.
            recompile: compiles although the cache has it.
            constants: the Graph's constants are packed by ``bind_constants``, before the first call.
            math: as ``set_math`` takes it; that is asked if it is empty.

        Raises:
            ValueError: the text is no Graph, or specs do not fit.
            Unsupported: no kernel computes it.
            CompileError: it does not compile.
        """

    def bind_constants(self, tensors: Sequence[tuple[int, torch.Tensor]], /) -> None:
        """Gives arguments, by number, these tensors for good and packs constants among them.

        Calls take the other arguments. The tensors are kept alive; what is written to them later
        may be seen or not. Raises TypeError and ValueError for tensors that do not fit.
        """

    def log_launches(self, line: str, /) -> None:
        """Has each run from now on write this line to stderr, as a message of level DEBUG."""

    def __call__(self, *tensors: torch.Tensor) -> _Results:
        """Runs it, without recording gradients.

        Args:
            tensors: one for each of ``arguments`` that is not bound. Those whose strides are not
                the kernel's are copied, which ``copies`` counts.

        Returns:
            The result, a tuple of several, or None for none: new tensors with the strides of
            ``results``.

        Raises:
            TypeError: not a dense tensor of a type that Graphs have.
            ValueError: another number of tensors, wrong sizes or dtypes, another device.
            KernelError: the generated code reported an error.
            MemoryError: no memory for results or workspace.
        """

    def call_for_tuple(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As a call, for tensors that are known to have no pending negation; always a tuple."""

    def call_into(
        self, tensors: tuple[torch.Tensor, ...], results: tuple[torch.Tensor, ...]
    ) -> None:
        """Writes into `results`, which have the sizes, dtypes and strides of ``results`` to the
        letter and share no memory with `tensors`. Raises as a call does."""

    @property
    def name(self) -> str:
        """What torch's profiler shows a run by: the name it was given; without one, that of the
        first group and how many more there are, or "empty"."""

    @property
    def graph(self) -> str:
        """The canonical text."""

    @property
    def arguments(self) -> list[tuple[str, list[int], list[int]]]:
        """What calls take, bound ones included."""

    @property
    def results(self) -> list[tuple[str, list[int], list[int]]]:
        """What calls give."""

    @property
    def groups(self) -> list[_Group]:
        """Its artifacts, in the order in which they run."""

    @property
    def calls(self) -> int:
        """How often it ran."""

    @property
    def copies(self) -> int:
        """How many arguments were copied because they lay otherwise in memory."""

    @property
    def copied_bytes(self) -> int:
        """How much that was."""

@final
class Dispatcher:
    """An eager operation: a kernel for each set of operand types and other arguments it meets."""

    def __init__(
        self, build: Callable[[tuple[torch.Tensor | None, ...], tuple], Kernel | None]
    ) -> None:
        """`build(operands, statics)` makes a kernel at the first call of its kind; None for none."""

    def call(self, operands: tuple[torch.Tensor | None, ...], statics: tuple, /) -> _Results:
        """Runs the operation.

        Args:
            operands: tensors, and None for those that are left out.
            statics: everything else: numbers, strings, None and sequences of those.

        Returns:
            As Kernel's call, or NotImplemented: no kernel serves it, or something of torch must see
            the call (recorded gradients, autocast, a mode, a transform, a trace, a profiler, a
            subclass of Tensor, a pending negation).

        Raises:
            Exception: what `build` and the kernel raise.
        """

    def direct(self, operands: tuple[torch.Tensor | None, ...], statics: tuple, /) -> _Results:
        """As a call, without a look at torch's state: for what torch itself calls."""

    def kernel(self, operands: tuple[torch.Tensor | None, ...], statics: tuple, /) -> Kernel | None:
        """The kernel that a call would run, made now if there is none yet."""

    def clear(self) -> None:
        """Forgets all kernels; those that run keep running."""

    def __len__(self) -> int: ...

@final
class GraphValue:
    """A tensor of the Graph that an AtenImport builds."""

@final
class AtenImport:
    """Builds a Graph from calls of aten operators. After an error it is of no use."""

    def __init__(self) -> None: ...
    def argument(
        self, dtype: str, sizes: Sequence[int], strides: Sequence[int], constant: bool = False
    ) -> GraphValue:
        """A new argument; a constant one may be packed. Raises Unsupported for the dtype."""

    def call(
        self, name: str, arguments: Sequence[GraphValue | _Literal], /
    ) -> list[GraphValue | None]:
        """The results of "aten::…", called with the arguments of its schema in order; None for
        those that an output mask leaves out. Raises Unsupported if BOO does not compute it so."""

    def type(self, value: GraphValue, /) -> tuple[str, list[int], list[int]]:
        """Dtype, sizes and strides, which views and results have by now."""

    def lay_out(self, value: GraphValue, strides: Sequence[int], /) -> None:
        """Makes a result lie in memory with these strides, in elements."""

    def output(self, value: GraphValue, /) -> None:
        """Adds a result to the Graph's."""

    def finish(self) -> tuple[str, list[int]]:
        """The text, and for each of its arguments the number of the ``argument`` that it is, or is
        a view of. Raises ValueError for a Graph that is not well formed."""

@final
class Frozen:
    """Some of the tensors that a program is called with, as they were when they were packed."""

    def __init__(self, tensors: Sequence[tuple[int, torch.Tensor]]) -> None:
        """(place among the arguments, tensor); tensors are kept alive."""

    def holds(self, arguments: list[Any], /) -> bool:
        """Whether these arguments have the same tensors, where they were in memory, and not written
        to since by an operator of torch. Writes that torch does not count are not noticed."""

def set_cache_dir(dir: str, /) -> None:
    """Keeps artifacts in this folder from now on; "" is what BOO_CACHE_DIR says."""

def cache_dir() -> str:
    """The folder, as it was set: a ~ in it stands."""

def set_cache_on(on: bool, /) -> None:
    """Whether artifacts are looked for and kept on disk."""

def is_cache_on() -> bool:
    """BOO_CACHE_ON says so at first. Raises ValueError for a variable with an unusable value."""

def set_math(math: str, /) -> None:
    """How exact kernels that are made from now on are.

    Args:
        math: "strict", what direct accumulation in float32 gives; "default", which adds Winograd's
            algorithms within a stated bound; "fast", which adds accumulation in narrower types.
    """

def math() -> str:
    """The mode; BOO_MATH says it at first. Raises ValueError for a variable with an unusable value."""

def use_backward_kernels() -> bool:
    """BOO_USE_BACKWARD_KERNELS. Raises ValueError for a variable with an unusable value."""

def log_level() -> str:
    """What TURBINE_LOG_LEVEL says: "ERROR", "WARNING", "INFO" or "DEBUG"."""

def use_exchange_api(on: bool, /) -> None:
    """Whether tensors cross by torch's table of C functions, or by the __dlpack__ protocol as with
    versions of torch before 2.10."""

def has_exchange_api() -> bool:
    """Whether tensors cross by the table now."""

def graph_of_command(command: str, /) -> tuple[str, str]:
    """The Graph of a command of ``boo driver``, and its name in the cache."""

def canonical(graph: str, /) -> str:
    """The text that the key is made from: equal for Graphs that do the same by other names."""

def needed_kernels(graph: str, name: str, /) -> list[_Needed]:
    """What a Kernel of this Graph would look for in the cache, each once. Compiles nothing."""

def read_graph(text: str) -> _Graph:
    """A Graph's text as plain values. Raises ValueError for a text that is no Graph."""

def register_backend(name: str, factory: Callable[[str], Any]) -> None:
    """Makes `name` a backend of the driver.

    `factory` is called with a Graph's text, and returns an object that computes it, with
    ``prepare(inputs, threads)``, which packs constants before the first run, ``run(inputs,
    threads)``, which is timed, and ``deliver(outputs)``, which writes the results of the last run.
    Both are lists of tensors on the driver's own buffers. `algorithm`, `schedule`, `why` (a list
    of str) and `compile_ms` (a float or None) of the object are told in reports.
    """

def emit(graph: str, name: str, /) -> list[str]:
    """The MLIR of each of its kernels as the emitter writes it, before any pass."""

def main(arguments: Sequence[str], /) -> int:
    """The boo command, without the GIL. Returns its exit status: 0 all well, 1 something failed,
    2 a usage error, which it has told on stderr."""
