"""Convolutions as linalg text, channels last, as IREE likes them."""

import numpy as np

from .base import Unsupported

MLIR_DTYPE = {"f32": "f32", "f16": "f16", "bf16": "bf16", "f64": "f64"}
PLAIN = {1: "conv_1d_nwc_wcf", 2: "conv_2d_nhwc_hwcf", 3: "conv_3d_ndhwc_dhwcf"}
DEPTHWISE = {1: "depthwise_conv_1d_nwc_wc", 2: "depthwise_conv_2d_nhwc_hwc",
             3: "depthwise_conv_3d_ndhwc_dhwc"}


def to_nhwc(array):
    """N, C, space as N, space, C."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def from_nhwc(array):
    """N, space, C as N, C, space."""
    return np.moveaxis(array, -1, 1)


def to_hwcf(array):
    """K, C, space as space, C, K."""
    return np.ascontiguousarray(np.moveaxis(array, (0, 1), (-1, -2)))


def tensor(shape, element):
    """The type's text: tensor<1x2xf32>."""
    return f"tensor<{'x'.join(map(str, [*shape, element]))}>"


def round_result(shape, element, value):
    """Lines that bring %value from f32 to `element` as %y, and return it."""
    wide, narrow = tensor(shape, "f32"), tensor(shape, element)
    if element in ("f32", "f64"):
        return f"    return %{value} : {narrow}\n"
    dims = ", ".join(f"d{i}" for i in range(len(shape)))
    same = f"affine_map<({dims}) -> ({dims})>"
    loops = ", ".join(['"parallel"'] * len(shape))
    return f"""    %narrow = tensor.empty() : {narrow}
    %y = linalg.generic {{indexing_maps = [{same}, {same}], iterator_types = [{loops}]}}
        ins(%{value} : {wide}) outs(%narrow : {narrow}) {{
    ^bb0(%in: f32, %out: {element}):
      %t = arith.truncf %in : f32 to {element}
      linalg.yield %t : {element}
    }} -> {narrow}
    return %y : {narrow}
"""


def main_header(shapes, element, constants, result):
    """The head of @main; arguments in `constants` ({index: hex text}) become literals."""
    given = [f"%a{i}: {tensor(shape, element)}" for i, shape in enumerate(shapes)
             if i not in constants]
    text = f"func.func @main({', '.join(given)}) -> {tensor(result, element)} {{\n"
    for i, literal in constants.items():
        text += f'    %a{i} = arith.constant dense<"0x{literal}"> : {tensor(shapes[i], element)}\n'
    return text


def conv_linalg(problem, constants):
    """MLIR text of @main(x, w): sums in f32 (f64 for f64), rounded once."""
    p = problem
    depthwise = p.groups > 1 and p.groups == p.c == p.k
    if p.forw != 1 or p.bias or p.residual or p.tails:
        raise Unsupported("only plain forward convolutions are written for IREE")
    if p.groups > 1 and not depthwise:
        if p.rank != 2:
            raise Unsupported("linalg has grouped convolutions in two dimensions alone")
        return _grouped_linalg(p, constants)
    element, total = MLIR_DTYPE[p.dtype], "f64" if p.dtype == "f64" else "f32"
    x = (p.n, *p.size, p.c)
    w = (*p.fil, p.c // p.groups, p.k)
    y = (p.n, *p.out, p.k)
    text = main_header([x, w], element, constants, y)
    kernel, kernel_type = "%a1", tensor(w, element)
    if depthwise:
        kernel, kernel_type = "%w", tensor((*p.fil, p.k), element)
        maps = [*[[i] for i in range(p.rank)], [p.rank, p.rank + 1]]
        text += (f"    %w = tensor.collapse_shape %a1 {maps} : {tensor(w, element)} "
                 f"into {kernel_type}\n")
    image, image_type = "%a0", tensor(x, element)
    if any(p.pad):
        image, image_type = "%x", tensor(_padded(p, x), element)
        text += _pad(p, x, element)
    text += _sum(p, (DEPTHWISE if depthwise else PLAIN)[p.rank], image, image_type, kernel,
                 kernel_type, tensor(y, total), total)
    return text + round_result(y, element, "sum") + "}\n"


def _padded(p, x):
    """The shape of the padded input, whose shape is x: N, space, then what else there is."""
    return (p.n, *[size + 2 * pad for size, pad in zip(p.size, p.pad, strict=True)],
            *x[1 + p.rank :])


def _pad(p, x, element):
    """Lines that pad %a0 with zeros to %x."""
    edge = ", ".join(map(str, [0, *p.pad, *[0] * (len(x) - 1 - p.rank)]))
    indices = ", ".join(f"%i{i}: index" for i in range(len(x)))
    return f"""    %none = arith.constant 0.0 : {element}
    %x = tensor.pad %a0 low[{edge}] high[{edge}] {{
    ^bb0({indices}):
      tensor.yield %none : {element}
    }} : {tensor(x, element)} to {tensor(_padded(p, x), element)}
"""


def _sum(p, op, image, image_type, kernel, kernel_type, out, total):
    """Lines that compute %sum, whose type is `out` and whose elements are `total`."""
    numbers = [f"dense<[{', '.join(map(str, values))}]> : tensor<{p.rank}xi64>"
               for values in (p.dilation, p.stride)]
    return f"""    %zero = arith.constant 0.0 : {total}
    %empty = tensor.empty() : {out}
    %start = linalg.fill ins(%zero : {total}) outs(%empty : {out}) -> {out}
    %sum = linalg.{op}
        {{dilations = {numbers[0]}, strides = {numbers[1]}}}
        ins({image}, {kernel} : {image_type}, {kernel_type}) outs(%start : {out}) -> {out}
"""


def _grouped_linalg(p, constants):
    """The same for groups: channels as groups x channels of a group, the filter GFHWC."""
    element, total = MLIR_DTYPE[p.dtype], "f64" if p.dtype == "f64" else "f32"
    x = (p.n, *p.size, p.groups, p.c // p.groups)
    w = (p.groups, p.k // p.groups, *p.fil, p.c // p.groups)
    y = (p.n, *p.out, p.groups, p.k // p.groups)
    text = main_header([x, w], element, constants, y)
    image = "%x" if any(p.pad) else "%a0"
    text += _pad(p, x, element) if any(p.pad) else ""
    text += _sum(p, "conv_2d_nhwgc_gfhwc", image, tensor(_padded(p, x), element), "%a1",
                 tensor(w, element), tensor(y, total), total)
    return text + round_result(y, element, "sum") + "}\n"


def linalg_arrays(p, arrays):
    """Input and filter in the order of dimensions of conv_linalg's text."""
    x, w = to_nhwc(arrays[0]), arrays[1]
    if p.groups == 1 or p.groups == p.c == p.k:
        return [x, to_hwcf(w)]
    w = w.reshape(p.groups, p.k // p.groups, *w.shape[1:])
    return [x.reshape(*x.shape[:-1], p.groups, -1), np.ascontiguousarray(np.moveaxis(w, 2, -1))]
