//===- TensorFiles.h - The .npy files of --save and --load ------*- C++ -*-===//
//
// <dir>/<func_name>-<hash of the Graph>.input0.npy, … and
// <dir>/<func_name>-<hash of the Graph>.output0.<backend>.npy, …
// The same for the same command on any machine. Sizes are in the Graph's
// logical order (an image: N, C, H, W), whatever the layout in memory, and the
// elements are written row by row. bfloat16, which NumPy lacks, is its bits in
// uint16.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/Operands.h"

#include <span>

namespace boo {

class TensorFiles {
public:
  /// For the operands of `graph`, which must outlive this.
  TensorFiles(const std::string &dir, const Graph &graph,
              const std::string &name);

  std::string inputPath(size_t index) const;
  std::string outputPath(size_t index, const std::string &backend) const;

  /// Write all files, each as a whole or not at all; makes the folder.
  Status saveInputs(std::span<const void *const> in) const;
  Status saveOutputs(std::span<void *const> out,
                     const std::string &backend) const;
  /// Fills all arguments. An error names the file, and what was expected.
  Status loadInputs(const Operands &operands) const;

private:
  std::string Stem; ///< with the folder
  const Graph *TheGraph;
};

/// One static tensor, laid out by its strides.
Status saveTensor(const std::string &path, const TensorType &type,
                  const void *data);
Status loadTensor(const std::string &path, const TensorType &type, void *data);

} // namespace boo
