"""A problem as an ONNX model, for the engines that read one."""

import numpy as np
import onnx

from ..ops import Unsupported

OPSET = 17


def to_onnx(problem, arrays, constants, element=np.float32):
    """The serialized model; arguments in `constants` are its initializers.

    Inputs keep their names a0, a1, …; the output is y.
    """
    if problem.dtype == "f64":
        raise Unsupported("left out for f64")
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(element))
    inputs = [onnx.helper.make_tensor_value_info(f"a{i}", kind, array.shape)
              for i, array in enumerate(arrays) if i not in constants]
    weights = [onnx.numpy_helper.from_array(arrays[i].astype(element), f"a{i}")
               for i in constants]
    output = onnx.helper.make_tensor_value_info("y", kind, problem.out_shape)
    graph = onnx.helper.make_graph(problem.onnx_nodes(onnx), "problem", inputs, [output], weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)],
                                   ir_version=8)
    return model.SerializeToString()
