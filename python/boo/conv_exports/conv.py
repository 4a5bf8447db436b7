"""ConvSignature, whose backward launches take only the tensors that they read."""

from __future__ import annotations

from ..op_exports import conv
from ..op_exports.conv import Mode, get_conv_func_name

__all__ = ["ConvSignature", "Mode", "get_conv_func_name"]


class ConvSignature(conv.ConvSignature):
    """As boo.op_exports.conv.ConvSignature, but for the order of backward launches:
    (dL/dy, weight) for the gradient of the input, (dL/dy, input) for that of the weight."""

    def _others(self) -> tuple[int, ...]:
        """Which of input and weight follow dL/dy."""
        return {Mode.INPUT_BACKWARD: (1,), Mode.WEIGHT_BACKWARD: (0,)}.get(self.mode, (0, 1))

    def argument_types(self):
        types = super().argument_types()
        if self.is_forward:
            return types
        return types[0], *(types[1 + i] for i in self._others())

    def arrange_backward_launch_args(self, forward_args, forward_results):
        self._refuse_forward()
        return tuple(forward_args[i] for i in self._others())
