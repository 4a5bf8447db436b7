"""Launchables: kernels that are called with tensors, compiled when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import torch

from .. import _boo, _devices

__all__ = ["Launchable"]


class Launchable:
    """A kernel with the arguments and results of an operation.

    Safe to call from several threads. Gradients are not recorded.

    Args:
        make_kernel: called once, when the kernel is first needed.
        forms: for each number of arguments a launch may have, which of them the kernel reads.
        slots: for each result of a launch, which one of the kernel's it is; None for one that the
            operation does not have.
        updates: (result of the kernel, its argument) for results that are written to an argument.
        name: for messages.
        settings: what the kernel depends on beside its name; the session's cache compares it.
    """

    def __init__(
        self,
        make_kernel: Callable[[], _boo.Kernel],
        *,
        forms: Mapping[int, Sequence[int]],
        slots: Sequence[int | None] = (0,),
        updates: Sequence[tuple[int, int]] = (),
        name: str = "",
        settings: object = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._make_kernel = make_kernel
        self._forms = {count: tuple(reads) for count, reads in forms.items()}
        self._slots = tuple(slots)
        self._updates = tuple(updates)
        self._plain = not self._updates and self._slots == tuple(range(len(self._slots)))
        self._lock = threading.Lock()
        self._kernel: _boo.Kernel | None = None
        self._strides: list[tuple[int, ...]] = []
        #: How many arguments a launch has that needs nothing but the kernel.
        self._fast_count = -1

    @property
    def kernel(self) -> _boo.Kernel:
        """The kernel, compiled or loaded now if it was not yet.

        Raises boo.CompileError, or boo.Unsupported, with the reason.
        """
        if self._kernel is None:
            with self._lock:
                if self._kernel is None:
                    kernel = self._make_kernel()
                    self._strides = [tuple(spec[2]) for spec in kernel.arguments]
                    self._kernel = kernel
                    few = len(self._strides)
                    if self._plain and self._forms.get(few) == tuple(range(few)):
                        self._fast_count = few
        return self._kernel

    def preload(self, device: str | torch.device | None = None) -> None:
        """Compiles or loads the kernel now. Raises boo.Unsupported for a device other than CPU."""
        device = _devices.placed(device)
        _check_device(torch.device("cpu" if device is None else device))
        _ = self.kernel

    def launch(
        self,
        *args: torch.Tensor | None,
        device: str | torch.device | None = None,
        outputs: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor | tuple[torch.Tensor | None, ...] | None:
        """Runs the kernel.

        Args:
            args: the operation's tensors; those whose strides are not the kernel's are copied.
            device: where to run; that of the tensors if it is not given.
            outputs: tensors that the results are written to; new ones are made otherwise.

        Returns:
            The result, a tuple of several, or None for none. Absent results are None.

        Raises:
            ValueError: tensors of several devices, a wrong number of tensors, wrong sizes or types.
            boo.Unsupported: a device other than the CPU.
        """
        # The common case: all tensors as the kernel takes them, new results.
        if len(args) == self._fast_count and device is None and not outputs:
            for arg, strides in zip(args, self._strides):
                if arg is None or not arg.is_cpu or arg.stride() != strides:
                    break
            else:
                return self._kernel(*args)
        return self._launch_any(args, device, tuple(outputs))

    __call__ = launch

    def _launch_any(self, args, device, outputs):
        reads = self._forms.get(len(args))
        if reads is None:
            counts = " or ".join(map(str, sorted(self._forms)))
            raise ValueError(f"{self.name} takes {counts} tensors, and there are {len(args)}")
        _check_devices(args, outputs, device)
        args = tuple(args[i] for i in reads)
        kernel = self.kernel
        operands = self._as_kernel_reads(kernel, args)
        if outputs:
            return self._launch_into(kernel, args, operands, outputs)
        results = kernel(*operands)
        return results if self._plain else self._arrange(args, results)

    def _as_kernel_reads(self, kernel, args):
        """Copies of those that lie otherwise in memory; the kernel itself checks sizes and types."""
        operands = []
        for i, (arg, (_, sizes, strides)) in enumerate(zip(args, kernel.arguments)):
            dims = list(zip(sizes, arg.stride(), strides))
            if tuple(arg.shape) == tuple(sizes) and any(
                size > 1 and own != wanted for size, own, wanted in dims
            ):
                # Along a stride of 0 the kernel reads one element for all.
                part = arg.detach()
                expanded = [d for d, (size, _, to) in enumerate(dims) if size > 1 and to == 0]
                for dim in expanded:
                    part = part.narrow(dim, 0, 1)
                if expanded and not _equal(part, arg):
                    raise ValueError(
                        f"{self.name}: argument {i} must be expanded, with strides {strides}"
                    )
                made = torch.empty_strided(part.shape, strides, dtype=arg.dtype)
                arg = made.copy_(part).as_strided(sizes, strides)
            operands.append(arg)
        return tuple(operands)

    def _arrange(self, args, results):
        made = results if isinstance(results, tuple) else (results,)
        for result, argument in self._updates:
            args[argument].copy_(made[result])
        several = tuple(None if slot is None else made[slot] for slot in self._slots)
        if len(several) == 1:
            return several[0]
        return several or None

    def _launch_into(self, kernel, args, operands, outputs):
        """Through temporaries if an output does not lie in memory as the kernel writes it."""
        wanted = [slot for slot in self._slots if slot is not None]
        if len(outputs) != len(wanted):
            raise ValueError(
                f"{self.name} has {len(wanted)} results, and there are {len(outputs)} outputs"
            )
        specs = [kernel.results[slot] for slot in wanted]
        for i, (output, (dtype, sizes, _)) in enumerate(zip(outputs, specs)):
            if tuple(output.shape) != tuple(sizes) or str(output.dtype) != f"torch.{dtype}":
                raise ValueError(
                    f"output {i} is {output.dtype} with sizes {tuple(output.shape)}; the result"
                    f" is torch.{dtype} with sizes {tuple(sizes)}"
                )
        lies = all(output.stride() == tuple(spec[2]) for output, spec in zip(outputs, specs))
        if self._plain and lies and not _overlap(args, outputs):
            kernel.call_into(operands, outputs)
        else:
            made = kernel(*operands)
            made = made if isinstance(made, tuple) else (made,)
            self._arrange(args, made)
            for output, slot in zip(outputs, wanted):
                output.copy_(made[slot])
        return outputs[0] if len(outputs) == 1 else outputs


def _equal(part, whole) -> bool:
    """Whether the part, broadcast, is the whole; a NaN equals a NaN."""
    return bool(((part == whole) | (part.isnan() & whole.isnan())).all())


def _overlap(args, outputs) -> bool:
    """Whether an output shares its storage with an argument, or with another output."""
    used = {each.untyped_storage().data_ptr() for each in args}
    own = {each.untyped_storage().data_ptr() for each in outputs}
    return bool(used & own) or len(own) != len(outputs)


def _check_device(device: torch.device) -> None:
    if device.type != "cpu":
        raise _boo.Unsupported(f"kernels run on the CPU; a launch on {device} was asked for")


def _check_devices(args, outputs, device) -> None:
    device = _devices.placed(device)
    if device is None and all(
        each is None or each.device.type == "cpu" for each in (*args, *outputs)
    ):
        return
    devices = {each.device for each in (*args, *outputs) if each is not None}
    if device is not None:
        devices.add(torch.device(device))
    if len(devices) > 1:
        listed = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"Cannot launch with tensors from multiple devices: {listed}")
    for each in devices:
        _check_device(each)
