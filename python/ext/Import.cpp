//===- Import.cpp ---------------------------------------------------------===//

#include "Import.h"
#include "Errors.h"
#include "Torch.h"

#include "boo/driver/commands/aten/AtenImport.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

namespace {
/// A tensor of the Graph, in Python's hands.
struct GraphValue {
  ValueId id;
};
} // namespace

static Literal literalOf(nb::handle object) {
  Literal literal;
  if (object.is_none())
    return literal;
  if (nb::isinstance<nb::bool_>(object)) {
    literal.kind = Literal::Bool;
    literal.truth = nb::cast<bool>(object);
  } else if (nb::isinstance<nb::int_>(object)) {
    literal.kind = Literal::Integer;
    literal.integer = nb::cast<int64_t>(object);
  } else if (nb::isinstance<nb::float_>(object)) {
    literal.kind = Literal::Real;
    literal.real = nb::cast<double>(object);
  } else if (nb::isinstance<nb::str>(object)) {
    literal.kind = Literal::Text;
    literal.text = nb::cast<std::string>(object);
  } else if (nb::isinstance<nb::list>(object) ||
             nb::isinstance<nb::tuple>(object)) {
    literal.kind = Literal::List;
    for (nb::handle item : object)
      literal.items.push_back(literalOf(item));
  } else {
    throwIfError(
        unsupported("an argument of type " +
                    nb::cast<std::string>(object.type().attr("__name__"))));
  }
  return literal;
}

static TensorType typeFrom(const std::string &dtype,
                           const std::vector<int64_t> &sizes,
                           std::vector<int64_t> strides) {
  std::optional<DType> known = dtypeOfTorchName(dtype);
  if (!known)
    throwIfError(unsupported("tensors of " + dtype));
  return {*known, {sizes.begin(), sizes.end()}, std::move(strides)};
}

static std::vector<std::optional<GraphValue>>
call(AtenImport &self, const std::string &name, nb::sequence arguments) {
  std::vector<AtenImport::Operand> operands;
  for (nb::handle argument : arguments) {
    if (nb::isinstance<GraphValue>(argument))
      operands.emplace_back(nb::cast<GraphValue>(argument).id);
    else
      operands.emplace_back(literalOf(argument));
  }
  std::vector<std::optional<GraphValue>> results;
  for (ValueId id : valueOrThrow(self.call(name, std::move(operands))))
    results.push_back(id == kNoValue ? std::nullopt
                                     : std::optional(GraphValue{id}));
  return results;
}

/// (dtype, sizes, strides) as Kernel takes it.
static auto typeOf(const AtenImport &self, GraphValue value) {
  const TensorType &type = self.graph().value(value.id).type;
  std::vector<int64_t> sizes;
  for (const Dim &dim : type.sizes)
    sizes.push_back(dim.size());
  return std::tuple(std::string(torchDType(type.dtype)), sizes, type.strides);
}

/// The text, and for each of its arguments the number of the argument() that it
/// is a view of.
static std::tuple<std::string, std::vector<int64_t>>
finish(const AtenImport &self) {
  throwIfError(self.graph().verify());
  std::vector<int64_t> numbers;
  const std::vector<ValueId> &arguments = self.graph().arguments();
  std::vector<ValueId> sources = self.sources();
  for (ValueId source : sources) {
    int64_t number = 0; // among those that are no views
    for (size_t i = 0; arguments[i] != source; ++i)
      number += sources[i] == arguments[i];
    numbers.push_back(number);
  }
  return {printGraph(self.graph()), numbers};
}

void python::addImport(nb::module_ &module) {
  nb::class_<GraphValue>(module, "GraphValue");
  nb::class_<AtenImport>(module, "AtenImport")
      .def(nb::init<>())
      .def(
          "argument",
          [](AtenImport &self, const std::string &dtype,
             const std::vector<int64_t> &sizes, std::vector<int64_t> strides,
             bool constant) {
            return GraphValue{
                self.argument(typeFrom(dtype, sizes, std::move(strides)),
                              constant ? Role::Constant : Role::Input)};
          },
          nb::arg("dtype"), nb::arg("sizes"), nb::arg("strides"),
          nb::arg("constant") = false)
      .def("call", call)
      .def("type", typeOf)
      .def(
          "lay_out",
          [](AtenImport &self, GraphValue value, std::vector<int64_t> strides) {
            self.layOut(value.id, std::move(strides));
          })
      .def("output",
           [](AtenImport &self, GraphValue value) { self.output(value.id); })
      .def("finish", finish);
}
