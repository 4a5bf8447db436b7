//===- GraphParse.cpp - The text form of a Graph, read --------------------===//
//
// Graph.h describes the form. Blanks, line ends and `//` comments may stand
// between any two words; strides may be left out, which means row-major. Every
// statement is verified as soon as it is read, so an error can name its place.
// Nothing recurses and nothing is allocated beyond what the text itself pays
// for.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/Graph.h"
#include "boo/graph/TextCursor.h"
#include "boo/graph/Verify.h"

#include <limits>
#include <unordered_map>

using namespace boo;

namespace {

class Parser {
public:
  explicit Parser(std::string_view text) : In(text) {}
  StatusOr<Graph> run();

private:
  StatusOr<std::string_view> takeName();
  StatusOr<ValueId> takeUse();
  StatusOr<Dim> takeDim();
  StatusOr<TensorType> takeType();
  StatusOr<Attribute> takeNumber();
  StatusOr<Attribute> takeAttribute();
  StatusOr<AttributeMap> takeAttributes();
  Status takeStatement();
  Status takeNode(Op op, const std::vector<std::string_view> &names,
                  size_t start);
  Status takeReturn(size_t start);
  Status define(std::string_view name, ValueId id, size_t start);

  TextCursor In;
  Graph Result;
  std::unordered_map<std::string_view, ValueId> Names;
};

} // namespace

StatusOr<std::string_view> Parser::takeName() {
  if (In.peek() != '%')
    return In.error("expected a value's name, such as %0");
  In.skipChar();
  if (!isWordChar(In.peek()))
    return In.error("expected letters or digits after `%`");
  return In.takeWord();
}

StatusOr<ValueId> Parser::takeUse() {
  if (In.takeWordIf("_"))
    return kNoValue;
  size_t start = In.position();
  BOO_ASSIGN_OR_RETURN(std::string_view name, takeName());
  auto it = Names.find(name);
  if (it == Names.end())
    return In.at(start,
                 invalidArgument("%" + std::string(name) + " is not defined"));
  return it->second;
}

StatusOr<Dim> Parser::takeDim() {
  bool symbol = In.peek() == 's';
  if (symbol)
    In.skipChar();
  if (In.peek() < '0' || In.peek() > '9')
    return In.error("expected a size: a number, or a symbol such as s0");
  size_t start = In.position();
  BOO_ASSIGN_OR_RETURN(int64_t value, In.takeInteger());
  if (!symbol)
    return Dim(value);
  if (value >= kMaxSymbols)
    return In.at(start, invalidArgument("symbols are s0 to s" +
                                        std::to_string(kMaxSymbols - 1)));
  return Dim::symbol(int32_t(value));
}

StatusOr<TensorType> Parser::takeType() {
  size_t start = In.position();
  std::optional<DType> dtype = parseDType(In.takeWord());
  if (!dtype) {
    In.setPosition(start);
    return In.error("expected an element type, such as f32");
  }
  TensorType type;
  type.dtype = *dtype;
  BOO_RETURN_IF_ERROR(In.expect('['));
  if (!In.takeIf(']')) {
    do {
      BOO_ASSIGN_OR_RETURN(Dim dim, takeDim());
      type.sizes.push_back(dim);
    } while (In.takeIf(','));
    BOO_RETURN_IF_ERROR(In.expect(']'));
  }
  if (In.peek() == '{') {
    BOO_ASSIGN_OR_RETURN(type.strides, In.takeList('{', '}'));
    return type;
  }
  if (!type.isStatic())
    return In.error("expected strides in braces: sizes with symbols have no "
                    "others");
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  return TensorType::contiguous(type.dtype, std::move(sizes));
}

StatusOr<Attribute> Parser::takeNumber() {
  // An integer stays one: a double shows a point, an exponent or its name.
  if (In.peekNumber().find_first_of(".einEIN") == std::string_view::npos) {
    BOO_ASSIGN_OR_RETURN(int64_t value, In.takeInteger());
    return Attribute(value);
  }
  BOO_ASSIGN_OR_RETURN(double value, In.takeDouble());
  return Attribute(value);
}

StatusOr<Attribute> Parser::takeAttribute() {
  char c = In.peek();
  if (c == '"') {
    BOO_ASSIGN_OR_RETURN(std::string value, In.takeString());
    return Attribute(std::move(value));
  }
  if (c == '[') {
    BOO_ASSIGN_OR_RETURN(auto values, In.takeList('[', ']'));
    return Attribute(std::move(values));
  }
  if ((c >= '0' && c <= '9') || c == '-')
    return takeNumber();
  size_t start = In.position();
  std::string_view word = In.takeWord();
  if (word == "true" || word == "false")
    return Attribute(word == "true");
  if (word == "inf")
    return Attribute(std::numeric_limits<double>::infinity());
  if (word == "nan")
    return Attribute(std::numeric_limits<double>::quiet_NaN());
  if (std::optional<DType> dtype = parseDType(word))
    return Attribute(*dtype);
  In.setPosition(start);
  return In.error("expected an attribute's value: a number, true, false, a "
                  "string, a list of integers or an element type");
}

StatusOr<AttributeMap> Parser::takeAttributes() {
  AttributeMap attributes;
  if (!In.takeIf('{') || In.takeIf('}'))
    return attributes;
  do {
    size_t start = In.position();
    std::string name(In.takeWord());
    if (name.empty())
      return In.error("expected an attribute's name");
    BOO_RETURN_IF_ERROR(In.expect('='));
    BOO_ASSIGN_OR_RETURN(Attribute value, takeAttribute());
    if (!attributes.emplace(name, std::move(value)).second)
      return In.at(start,
                   invalidArgument("attribute `" + name + "` is given twice"));
  } while (In.takeIf(','));
  BOO_RETURN_IF_ERROR(In.expect('}'));
  return attributes;
}

Status Parser::define(std::string_view name, ValueId id, size_t start) {
  if (Names.emplace(name, id).second)
    return Status::ok();
  return In.at(start,
               invalidArgument("%" + std::string(name) + " is defined twice"));
}

Status Parser::takeNode(Op op, const std::vector<std::string_view> &names,
                        size_t start) {
  BOO_RETURN_IF_ERROR(In.expect('('));
  std::vector<ValueId> operands;
  if (!In.takeIf(')')) {
    do {
      BOO_ASSIGN_OR_RETURN(ValueId id, takeUse());
      operands.push_back(id);
    } while (In.takeIf(','));
    BOO_RETURN_IF_ERROR(In.expect(')'));
  }
  BOO_ASSIGN_OR_RETURN(AttributeMap attributes, takeAttributes());
  BOO_RETURN_IF_ERROR(In.expect(':'));
  std::vector<TensorType> types;
  do {
    BOO_ASSIGN_OR_RETURN(TensorType type, takeType());
    types.push_back(std::move(type));
  } while (In.takeIf(','));
  if (types.size() != names.size())
    return In.at(
        start, invalidArgument(std::to_string(names.size()) + " results have " +
                               std::to_string(types.size()) + " types"));
  std::vector<ValueId> results = Result.addNode(
      op, std::move(operands), std::move(attributes), std::move(types));
  for (size_t i = 0; i != names.size(); ++i)
    BOO_RETURN_IF_ERROR(define(names[i], results[i], start));
  return In.at(start, verifyNode(Result, Result.nodes().size() - 1));
}

Status Parser::takeStatement() {
  size_t start = In.position();
  std::vector<std::string_view> names;
  do {
    BOO_ASSIGN_OR_RETURN(std::string_view name, takeName());
    names.push_back(name);
  } while (In.takeIf(','));
  BOO_RETURN_IF_ERROR(In.expect('='));
  size_t wordStart = In.position();
  std::string_view word = In.takeWord();
  std::optional<Role> role;
  if (word == "input")
    role = Role::Input;
  else if (word == "constant")
    role = Role::Constant;
  else if (word == "inout")
    role = Role::InOut;
  if (role) {
    if (names.size() != 1)
      return In.at(start, invalidArgument("an argument has one name"));
    BOO_ASSIGN_OR_RETURN(TensorType type, takeType());
    ValueId id = Result.addArgument(std::move(type), *role);
    BOO_RETURN_IF_ERROR(define(names[0], id, start));
    return In.at(start, verifyArgument(Result.value(id)));
  }
  StatusOr<Op> op = parseOp(word);
  if (op.isOk())
    return takeNode(*op, names, start);
  In.setPosition(wordStart);
  return In.error(word.empty() ? "expected input, constant, inout or an op"
                               : op.status().message());
}

Status Parser::takeReturn(size_t start) {
  do {
    BOO_ASSIGN_OR_RETURN(ValueId value, takeUse());
    ValueId into = kNoValue;
    if (In.takeWordIf("into")) {
      BOO_ASSIGN_OR_RETURN(into, takeUse());
    }
    Result.addOutput(value, into);
  } while (In.takeIf(','));
  if (!In.atEnd())
    return In.error("expected the end of the text after `return`");
  return In.at(start, verifyOutputs(Result));
}

StatusOr<Graph> Parser::run() {
  In.skipBlanks();
  if (!In.takeWordIf("boo.graph"))
    return In.error("expected `boo.graph 1`");
  size_t versionStart = In.position();
  BOO_ASSIGN_OR_RETURN(int64_t version, In.takeInteger());
  if (version != 1)
    return In.at(versionStart,
                 unsupported("Graph version " + std::to_string(version) +
                             " is not known: this is version 1"));
  while (true) {
    size_t start = In.position();
    if (In.takeWordIf("return")) {
      BOO_RETURN_IF_ERROR(takeReturn(start));
      return std::move(Result);
    }
    if (In.atEnd())
      return In.error("expected `return` before the end of the text");
    BOO_RETURN_IF_ERROR(takeStatement());
  }
}

StatusOr<Graph> boo::parseGraph(std::string_view text) {
  return Parser(text).run();
}
