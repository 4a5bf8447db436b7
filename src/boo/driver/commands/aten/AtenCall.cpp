//===- AtenCall.cpp - A call of a torch operator, as recorded -------------===//

#include "boo/driver/commands/aten/AtenCall.h"

#include <algorithm>
#include <cctype>

using namespace boo;

static constexpr std::string_view Fields[] = {
    "input_dims", "input_type", "input_strides", "concrete_inputs"};

namespace {
struct ElementType {
  std::string_view recorded; ///< C++'s name, as the profiler writes it
  int64_t number;            ///< of torch's ScalarType
  DType dtype;
};
} // namespace

static constexpr ElementType ElementTypes[] = {
    {"float", 6, DType::F32},
    {"double", 7, DType::F64},
    {"c10::Half", 5, DType::F16},
    {"c10::BFloat16", 15, DType::BF16},
    {"at::Half", 5, DType::F16},
    {"at::BFloat16", 15, DType::BF16},
    {"struct c10::Half", 5, DType::F16},
    {"struct c10::BFloat16", 15, DType::BF16},
};

/// Places in another tensor, which only operators that look there take.
static constexpr std::string_view IndexTypes[] = {"long int", "long",
                                                  "long long", "__int64"};

static std::string field(size_t i) { return std::string(Fields[i]); }

/// The four lists behind the name, all as long as the first.
static StatusOr<std::vector<Literal>>
readFields(const std::vector<std::string> &words) {
  if (words.size() != std::size(Fields))
    return invalidArgument(
        "takes four lists behind its name, each in quotes: input_dims, "
        "input_type, input_strides, concrete_inputs, as torch's profiler "
        "records them; here are " +
        std::to_string(words.size()));
  std::vector<Literal> lists;
  for (size_t i = 0; i != words.size(); ++i) {
    auto list = parseLiteral(words[i]);
    if (!list.isOk())
      return list.status().withContext(field(i));
    if (list->kind != Literal::List)
      return invalidArgument(field(i) + " must be a list");
    if (i != 0 && list->items.size() != lists[0].items.size())
      return invalidArgument(
          field(i) + " has " + std::to_string(list->items.size()) +
          " entries and input_dims " + std::to_string(lists[0].items.size()));
    lists.push_back(std::move(*list));
  }
  return lists;
}

static StatusOr<std::vector<int64_t>> readIntegers(const Literal &list,
                                                   const std::string &what) {
  std::vector<int64_t> values;
  for (const Literal &item : list.items) {
    if (item.kind != Literal::Integer)
      return invalidArgument(what + " must be a list of integers");
    values.push_back(item.integer);
  }
  if (list.kind != Literal::List)
    return invalidArgument(what + " must be a list of integers");
  return values;
}

/// A tensor whose bytes can be counted.
static StatusOr<TensorType> readTensor(DType dtype, const Literal &dims,
                                       const Literal &strides) {
  BOO_ASSIGN_OR_RETURN(auto sizes, readIntegers(dims, field(0)));
  TensorType type;
  type.dtype = dtype;
  BOO_ASSIGN_OR_RETURN(type.strides, readIntegers(strides, field(2)));
  if (type.strides.size() != sizes.size())
    return invalidArgument("has " + std::to_string(sizes.size()) +
                           " dimensions and " +
                           std::to_string(type.strides.size()) + " strides");
  constexpr size_t mostDims = 16;
  if (sizes.size() > mostDims)
    return invalidArgument("has " + std::to_string(sizes.size()) +
                           " dimensions; at most " + std::to_string(mostDims) +
                           " are taken");
  int64_t last = 0, count = 1, bytes = 0;
  for (size_t i = 0; i != sizes.size(); ++i) {
    int64_t along = 0;
    if (sizes[i] < 1 || type.strides[i] < 0)
      return invalidArgument("has sizes below 1 or strides below 0");
    if (__builtin_mul_overflow(sizes[i] - 1, type.strides[i], &along) ||
        __builtin_add_overflow(last, along, &last) ||
        __builtin_mul_overflow(count, sizes[i], &count))
      return invalidArgument("has more elements than 61 bits count");
    type.sizes.push_back(sizes[i]);
  }
  for (int64_t elements : {last, count})
    if (__builtin_mul_overflow(elements, dtypeBytes(dtype), &bytes) ||
        bytes > INT64_MAX / 4)
      return invalidArgument("has more bytes than 61 bits count");
  return type;
}

/// `concrete` is the argument as Python prints it, in a string; "" for tensors.
static StatusOr<AtenArgument> readArgument(const Literal &dims,
                                           const Literal &type,
                                           const Literal &strides,
                                           const Literal &concrete) {
  AtenArgument argument;
  if (type.kind != Literal::Text)
    return invalidArgument("input_type must hold strings");
  argument.type = type.text;
  for (const ElementType &element : ElementTypes)
    if (element.recorded == type.text) {
      BOO_ASSIGN_OR_RETURN(argument.tensor,
                           readTensor(element.dtype, dims, strides));
      return argument;
    }
  bool indices = std::find(std::begin(IndexTypes), std::end(IndexTypes),
                           type.text) != std::end(IndexTypes);
  if (indices && !dims.items.empty()) {
    BOO_ASSIGN_OR_RETURN(argument.tensor,
                         readTensor(DType::I64, dims, strides));
    return argument;
  }
  if (!dims.items.empty())
    return unsupported("is a tensor of '" + type.text.substr(0, 40) +
                       "': float, double, c10::Half and c10::BFloat16 are "
                       "computed with");
  argument.value = concrete;
  if (concrete.kind != Literal::Text)
    return argument;
  if (concrete.text.empty()) {
    argument.value = Literal();
    return argument;
  }
  // A string that is no literal stands for itself: 'none', 'tanh'.
  if (auto value = parseLiteral(concrete.text); value.isOk())
    argument.value = std::move(*value);
  return argument;
}

static std::vector<std::string> splitNames(std::string_view schema) {
  std::vector<std::string> names;
  while (!schema.empty()) {
    size_t end = std::min(schema.find(", "), schema.size());
    names.emplace_back(schema.substr(0, end));
    schema.remove_prefix(std::min(end + 2, schema.size()));
  }
  return names;
}

/// Names of arguments; an error where there are more arguments than names.
static StatusOr<std::vector<std::string>>
namesFor(std::string_view name, std::string_view schema, size_t count) {
  std::vector<std::string> names = splitNames(schema);
  if (count > names.size())
    return invalidArgument(std::string(name) + " has " +
                           std::to_string(names.size()) + " arguments (" +
                           std::string(schema) + "), not " +
                           std::to_string(count));
  return names;
}

static std::string_view withoutAten(std::string_view name) {
  return name.substr(std::string_view("aten::").size());
}

StatusOr<AtenCall> AtenCall::create(std::string_view name,
                                    std::string_view schema,
                                    std::vector<AtenArgument> arguments) {
  AtenCall call;
  call.Name = withoutAten(name);
  BOO_ASSIGN_OR_RETURN(auto names, namesFor(name, schema, arguments.size()));
  for (size_t i = 0; i != arguments.size(); ++i)
    arguments[i].name = names[i];
  call.Arguments = std::move(arguments);
  return call;
}

StatusOr<AtenCall> AtenCall::parse(const CommandLine &line,
                                   std::string_view schema) {
  AtenCall call;
  call.Name = withoutAten(line.info->spelling);
  if (line.driver.on(DriverFlag::WeiConst))
    call.Weights = Role::Constant;
  auto fields = readFields(line.positionals);
  if (!fields.isOk())
    return fields.status().withContext(std::string(line.info->spelling));
  size_t count = (*fields)[0].items.size();
  BOO_ASSIGN_OR_RETURN(auto names,
                       namesFor(line.info->spelling, schema, count));
  for (size_t i = 0; i != count; ++i) {
    auto argument = readArgument((*fields)[0].items[i], (*fields)[1].items[i],
                                 (*fields)[2].items[i], (*fields)[3].items[i]);
    call.Arguments.emplace_back();
    call.Arguments.back().name = names[i];
    if (!argument.isOk())
      return Status(argument.status().code(),
                    call.error(i, argument.status().message()).message());
    argument->name = names[i];
    call.Arguments.back() = std::move(*argument);
  }
  return call;
}

Status AtenCall::error(size_t i, const std::string &what) const {
  std::string text = "aten::" + Name + ": argument " + std::to_string(i);
  if (i < Arguments.size())
    text += " (" + Arguments[i].name + ")";
  return invalidArgument(text + " " + what);
}

Status AtenCall::refusal(size_t i, const std::string &what) const {
  return unsupported(error(i, what).message());
}

bool AtenCall::isNone(size_t i) const {
  return i >= Arguments.size() ||
         (!Arguments[i].tensor && Arguments[i].value.kind == Literal::None);
}

StatusOr<TensorType> AtenCall::tensor(size_t i) const {
  if (i >= Arguments.size() || !Arguments[i].tensor)
    return error(i, "must be a tensor");
  return *Arguments[i].tensor;
}

StatusOr<int64_t> AtenCall::integer(size_t i,
                                    std::optional<int64_t> otherwise) const {
  if (isNone(i) && otherwise)
    return *otherwise;
  if (i >= Arguments.size() || Arguments[i].value.kind != Literal::Integer)
    return error(i, "must be an integer");
  return Arguments[i].value.integer;
}

StatusOr<double> AtenCall::real(size_t i,
                                std::optional<double> otherwise) const {
  if (isNone(i) && otherwise)
    return *otherwise;
  if (i < Arguments.size() && Arguments[i].value.kind == Literal::Integer)
    return double(Arguments[i].value.integer);
  if (i < Arguments.size() && Arguments[i].value.kind == Literal::Real)
    return Arguments[i].value.real;
  return error(i, "must be a number");
}

StatusOr<bool> AtenCall::truth(size_t i, bool otherwise) const {
  if (isNone(i))
    return otherwise;
  const Literal &value = Arguments[i].value;
  if (value.kind == Literal::Integer &&
      (value.integer == 0 || value.integer == 1))
    return value.integer == 1;
  if (value.kind != Literal::Bool)
    return error(i, "must be True or False");
  return value.truth;
}

StatusOr<std::vector<bool>> AtenCall::truths(size_t i) const {
  std::vector<bool> values;
  if (!isNone(i))
    for (const Literal &item : Arguments[i].value.items) {
      if (item.kind != Literal::Bool)
        return error(i, "must be a list of True and False");
      values.push_back(item.truth);
    }
  return values;
}

StatusOr<std::string> AtenCall::text(size_t i, const char *otherwise) const {
  if (isNone(i))
    return std::string(otherwise);
  if (Arguments[i].value.kind != Literal::Text)
    return error(i, "must be a string");
  return Arguments[i].value.text;
}

StatusOr<std::vector<int64_t>> AtenCall::integers(size_t i) const {
  if (i < Arguments.size() && Arguments[i].value.kind == Literal::Integer)
    return std::vector<int64_t>{Arguments[i].value.integer};
  auto values =
      readIntegers(i < Arguments.size() ? Arguments[i].value : Literal(), "");
  if (!values.isOk())
    return error(i, "must be a list of integers");
  return values;
}

StatusOr<DType> AtenCall::dtype(size_t i, DType otherwise) const {
  if (isNone(i))
    return otherwise;
  BOO_ASSIGN_OR_RETURN(int64_t number, integer(i, std::nullopt));
  for (const ElementType &element : ElementTypes)
    if (element.number == number)
      return element.dtype;
  return error(i, "is " + std::to_string(number) +
                      ": of torch's element types 5 (float16), 6 (float32), 7 "
                      "(float64) and 15 (bfloat16) are computed with");
}

static std::string times(const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : "x") + std::to_string(value);
  return text.empty() ? "0d" : text;
}

static std::string valueText(const Literal &value) {
  char real[32];
  switch (value.kind) {
  case Literal::None:
    return "";
  case Literal::Bool:
    return value.truth ? "true" : "false";
  case Literal::Integer:
    return std::to_string(value.integer);
  case Literal::Real:
    std::snprintf(real, sizeof real, "%g", value.real);
    return real;
  case Literal::Text: {
    std::string safe = value.text.substr(0, 20);
    for (char &c : safe)
      if (!std::isalnum(static_cast<unsigned char>(c)))
        c = '_';
    return safe;
  }
  case Literal::List: {
    std::string text;
    for (const Literal &item : value.items)
      text += (text.empty() ? "" : "x") + valueText(item);
    return text;
  }
  }
  return "";
}

std::string AtenCall::funcName() const {
  std::string text = "aten_" + Name, values;
  bool typed = false;
  for (const AtenArgument &argument : Arguments) {
    if (!argument.tensor) {
      std::string value = valueText(argument.value);
      values += value.empty() ? "" : "_" + argument.name + value;
      continue;
    }
    const TensorType &type = *argument.tensor;
    if (!typed)
      text += "_" + std::string(torchDType(type.dtype));
    typed = true;
    std::vector<int64_t> sizes;
    for (Dim dim : type.sizes)
      sizes.push_back(dim.size());
    text += "_" + times(sizes);
    if (type != TensorType::contiguous(type.dtype, sizes))
      text += "s" + times(type.strides);
  }
  return text + values;
}
