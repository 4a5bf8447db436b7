//===- Backends.h - Backends of the driver in Python ------------*- C++ -*-===//
#pragma once

#include <nanobind/nanobind.h>

namespace boo::python {

/// Adds register_backend(name, factory) and read_graph(text) to the module.
///
/// `factory(graph)` is called with a Graph's text when a command is to run on
/// the backend. It returns an object that computes it:
///   run(inputs, threads)   computes; this is what is timed
///   deliver(outputs)       writes the results of the last run
///   prepare(inputs, threads)   packs constants, before the first run
/// Inputs and outputs are lists of torch tensors on the driver's own buffers,
/// with the sizes and strides of the Graph's arguments and outputs. Attributes
/// tell reports: `algorithm`, `schedule`, `why` (a list of str), `compile_ms`
/// (a float or None).
void addBackends(nanobind::module_ &module);

} // namespace boo::python
