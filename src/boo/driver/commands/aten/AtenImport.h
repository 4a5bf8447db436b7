//===- AtenImport.h - Many calls of torch's into one Graph ------*- C++ -*-===//
//
// What a front end that has a program of torch's makes its Graph with: the
// builders of AtenOps.h, one call after the other.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/commands/aten/AtenCall.h"

#include <variant>

namespace boo {

class AtenImport {
public:
  /// A tensor of the Graph, or anything else.
  using Operand = std::variant<ValueId, Literal>;

  /// An argument of the Graph.
  ValueId argument(TensorType type, Role role = Role::Input);
  /// The results of "aten::…", called with the arguments of its schema in
  /// order; kNoValue for those that an `output_mask` leaves out. Unsupported
  /// when BOO does not compute this operator, or not so. After an error the
  /// import is of no use.
  StatusOr<std::vector<ValueId>> call(std::string_view name,
                                      std::vector<Operand> operands);
  const Graph &graph() const { return G; }
  /// Makes a result lie in memory with these strides.
  void layOut(ValueId value, std::vector<int64_t> strides) {
    G.setStrides(value, std::move(strides));
  }
  void output(ValueId value) { G.addOutput(value); }

  /// For each argument of the Graph the argument() that it is a view of.
  std::vector<ValueId> sources() const;

private:
  Graph G;
  std::map<ValueId, ValueId> ViewOf;
};

} // namespace boo
