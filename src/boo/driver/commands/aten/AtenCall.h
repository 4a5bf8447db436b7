//===- AtenCall.h - A call of a torch operator, as recorded -----*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/aten/Literal.h"

#include <functional>
#include <optional>

namespace boo {

struct AtenArgument {
  std::string name;                 ///< in the operator's schema, or its number
  std::string type;                 ///< as recorded: "float", "Scalar", ""
  std::optional<TensorType> tensor; ///< its sizes and strides, if it is one
  Literal value;                    ///< None for a tensor
};

/// An operator's name and arguments. Accessors give an error that names the
/// argument; those with a default give it for arguments that are None or absent
/// from the record.
class AtenCall {
public:
  /// Reads the five words that torch's profiler records: name (the command's),
  /// input_dims, input_type, input_strides, concrete_inputs. `schema` holds the
  /// names of the arguments, with ", " between them.
  static StatusOr<AtenCall> parse(const CommandLine &line,
                                  std::string_view schema);

  /// A call of "aten::…" with these arguments, which get their names.
  static StatusOr<AtenCall> create(std::string_view name,
                                   std::string_view schema,
                                   std::vector<AtenArgument> arguments);

  std::string_view name() const { return Name; } ///< without aten::
  /// Arguments beside tensors that are known ahead.
  Role weightRole() const { return Weights; }
  const std::vector<AtenArgument> &arguments() const { return Arguments; }
  bool isNone(size_t i) const;

  StatusOr<TensorType> tensor(size_t i) const;
  StatusOr<int64_t> integer(size_t i, std::optional<int64_t> otherwise) const;
  StatusOr<double> real(size_t i, std::optional<double> otherwise) const;
  StatusOr<bool> truth(size_t i, bool otherwise) const;
  StatusOr<std::vector<bool>> truths(size_t i) const;
  StatusOr<std::string> text(size_t i, const char *otherwise) const;
  /// An integer stands for a list of itself.
  StatusOr<std::vector<int64_t>> integers(size_t i) const;
  /// The element type that a `dtype` argument names by torch's number, or
  /// `otherwise`.
  StatusOr<DType> dtype(size_t i, DType otherwise) const;

  /// An error that names operator and argument.
  Status error(size_t i, const std::string &what) const;
  /// The same of what torch takes and BOO does not.
  Status refusal(size_t i, const std::string &what) const;

  /// aten_mm_bfloat16_64x32_32x16s1x32_alpha2: dtype of the first tensor, sizes
  /// of tensors with the strides of those that are not row-major, and values
  /// other than None.
  std::string funcName() const;

private:
  std::string Name;
  Role Weights = Role::Input;
  std::vector<AtenArgument> Arguments;
};

} // namespace boo
