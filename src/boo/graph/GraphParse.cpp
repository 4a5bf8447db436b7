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
#include "boo/graph/Verify.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_map>

using namespace boo;

namespace {

class Parser {
public:
  explicit Parser(std::string_view text) : Text(text) {}
  StatusOr<Graph> run();

private:
  // Words. A take… function leaves the position at the next word.
  void skipBlanks();
  bool atEnd() const { return Position == Text.size(); }
  char peek() const { return atEnd() ? '\0' : Text[Position]; }
  bool takeIf(char c);
  bool takeWordIf(std::string_view word);
  Status expect(char c);
  std::string_view takeWord();
  StatusOr<int64_t> takeInteger();
  StatusOr<std::vector<int64_t>> takeList(char open, char close);
  StatusOr<std::string> takeString();

  // Sentences.
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

  Status error(const std::string &message) const {
    return at(Position, invalidArgument(message));
  }
  /// `status` with the place before it. Finding a place takes a walk over the
  /// text: for errors only.
  Status at(size_t position, const Status &status) const {
    return status.isOk() ? status : status.withContext(place(position));
  }
  std::string place(size_t position) const;

  std::string_view Text;
  size_t Position = 0;
  Graph Result;
  std::unordered_map<std::string_view, ValueId> Names;
};

} // namespace

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isWordChar(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '_' || c == '.';
}

std::string Parser::place(size_t position) const {
  std::string_view before = Text.substr(0, position);
  size_t line = size_t(std::count(before.begin(), before.end(), '\n')) + 1;
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " +
         std::to_string(position - lineStart + 1);
}

void Parser::skipBlanks() {
  while (!atEnd()) {
    char c = peek();
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      ++Position;
    else if (Text.substr(Position, 2) == "//")
      Position = std::min(Text.find('\n', Position), Text.size());
    else
      return;
  }
}

bool Parser::takeIf(char c) {
  if (atEnd() || peek() != c)
    return false;
  ++Position;
  skipBlanks();
  return true;
}

bool Parser::takeWordIf(std::string_view word) {
  if (Text.substr(Position, word.size()) != word)
    return false;
  size_t end = Position + word.size();
  if (end < Text.size() && isWordChar(Text[end]))
    return false;
  Position = end;
  skipBlanks();
  return true;
}

Status Parser::expect(char c) {
  if (takeIf(c))
    return Status::ok();
  return error(std::string("expected `") + c + "`");
}

std::string_view Parser::takeWord() {
  size_t start = Position;
  while (!atEnd() && isWordChar(peek()))
    ++Position;
  std::string_view word = Text.substr(start, Position - start);
  skipBlanks();
  return word;
}

StatusOr<int64_t> Parser::takeInteger() {
  int64_t value = 0;
  const char *begin = Text.data() + Position;
  auto [end, code] = std::from_chars(begin, Text.data() + Text.size(), value);
  if (code == std::errc::result_out_of_range)
    return error("the number does not fit 64 bits");
  if (code != std::errc())
    return error("expected an integer");
  Position += size_t(end - begin);
  skipBlanks();
  return value;
}

StatusOr<std::vector<int64_t>> Parser::takeList(char open, char close) {
  std::vector<int64_t> values;
  BOO_RETURN_IF_ERROR(expect(open));
  if (takeIf(close))
    return values;
  do {
    BOO_ASSIGN_OR_RETURN(int64_t value, takeInteger());
    values.push_back(value);
  } while (takeIf(','));
  BOO_RETURN_IF_ERROR(expect(close));
  return values;
}

static int hexDigit(char c) {
  if (isDigit(c))
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

StatusOr<std::string> Parser::takeString() {
  if (peek() != '"')
    return error("expected a string");
  ++Position;
  std::string value;
  while (true) {
    if (atEnd() || peek() == '\n')
      return error("the string is not closed");
    char c = Text[Position++];
    if (c == '"')
      break;
    if (c != '\\') {
      value += c;
      continue;
    }
    char escape = peek();
    std::string_view hex = Text.substr(std::min(Position + 1, Text.size()), 2);
    if (escape == '"' || escape == '\\') {
      value += escape;
    } else if (escape == 'n') {
      value += '\n';
    } else if (escape == 'x' && hex.size() == 2 && hexDigit(hex[0]) >= 0 &&
               hexDigit(hex[1]) >= 0) {
      value += char(hexDigit(hex[0]) * 16 + hexDigit(hex[1]));
      Position += 2;
    } else {
      return error("expected an escape: \\n, \\\\, \\\" or \\x and two of 0-9 "
                   "and a-f");
    }
    ++Position;
  }
  skipBlanks();
  return value;
}

StatusOr<std::string_view> Parser::takeName() {
  if (peek() != '%')
    return error("expected a value's name, such as %0");
  ++Position;
  if (!isWordChar(peek()))
    return error("expected letters or digits after `%`");
  return takeWord();
}

StatusOr<ValueId> Parser::takeUse() {
  if (takeWordIf("_"))
    return kNoValue;
  size_t start = Position;
  BOO_ASSIGN_OR_RETURN(std::string_view name, takeName());
  auto it = Names.find(name);
  if (it == Names.end())
    return at(start,
              invalidArgument("%" + std::string(name) + " is not defined"));
  return it->second;
}

StatusOr<Dim> Parser::takeDim() {
  bool symbol = peek() == 's';
  Position += symbol;
  if (!isDigit(peek()))
    return error("expected a size: a number, or a symbol such as s0");
  size_t start = Position;
  BOO_ASSIGN_OR_RETURN(int64_t value, takeInteger());
  if (!symbol)
    return Dim(value);
  if (value >= kMaxSymbols)
    return at(start, invalidArgument("symbols are s0 to s" +
                                     std::to_string(kMaxSymbols - 1)));
  return Dim::symbol(int32_t(value));
}

StatusOr<TensorType> Parser::takeType() {
  size_t start = Position;
  std::optional<DType> dtype = parseDType(takeWord());
  if (!dtype) {
    Position = start;
    return error("expected an element type, such as f32");
  }
  TensorType type;
  type.dtype = *dtype;
  BOO_RETURN_IF_ERROR(expect('['));
  if (!takeIf(']')) {
    do {
      BOO_ASSIGN_OR_RETURN(Dim dim, takeDim());
      type.sizes.push_back(dim);
    } while (takeIf(','));
    BOO_RETURN_IF_ERROR(expect(']'));
  }
  if (peek() == '{') {
    BOO_ASSIGN_OR_RETURN(type.strides, takeList('{', '}'));
    return type;
  }
  if (!type.isStatic())
    return error("expected strides in braces: sizes with symbols have no "
                 "others");
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  return TensorType::contiguous(type.dtype, std::move(sizes));
}

StatusOr<Attribute> Parser::takeNumber() {
  size_t end = Position;
  while (end != Text.size() &&
         (isWordChar(Text[end]) || Text[end] == '-' || Text[end] == '+'))
    ++end;
  std::string_view word = Text.substr(Position, end - Position);
  if (word.find_first_of(".einEIN") == std::string_view::npos) {
    BOO_ASSIGN_OR_RETURN(int64_t value, takeInteger());
    return Attribute(value);
  }
  double value = 0;
  auto [stop, code] =
      std::from_chars(word.data(), word.data() + word.size(), value);
  if (code == std::errc::result_out_of_range)
    return error("the number does not fit an f64");
  if (code != std::errc() || stop != word.data() + word.size())
    return error("expected a number");
  Position = end;
  skipBlanks();
  return Attribute(value);
}

StatusOr<Attribute> Parser::takeAttribute() {
  char c = peek();
  if (c == '"') {
    BOO_ASSIGN_OR_RETURN(std::string value, takeString());
    return Attribute(std::move(value));
  }
  if (c == '[') {
    BOO_ASSIGN_OR_RETURN(auto values, takeList('[', ']'));
    return Attribute(std::move(values));
  }
  if (isDigit(c) || c == '-')
    return takeNumber();
  size_t start = Position;
  std::string_view word = takeWord();
  if (word == "true" || word == "false")
    return Attribute(word == "true");
  if (word == "inf")
    return Attribute(std::numeric_limits<double>::infinity());
  if (word == "nan")
    return Attribute(std::numeric_limits<double>::quiet_NaN());
  if (std::optional<DType> dtype = parseDType(word))
    return Attribute(*dtype);
  Position = start;
  return error("expected an attribute's value: a number, true, false, a "
               "string, a list of integers or an element type");
}

StatusOr<AttributeMap> Parser::takeAttributes() {
  AttributeMap attributes;
  if (!takeIf('{') || takeIf('}'))
    return attributes;
  do {
    size_t start = Position;
    std::string name(takeWord());
    if (name.empty())
      return error("expected an attribute's name");
    BOO_RETURN_IF_ERROR(expect('='));
    BOO_ASSIGN_OR_RETURN(Attribute value, takeAttribute());
    if (!attributes.emplace(name, std::move(value)).second)
      return at(start,
                invalidArgument("attribute `" + name + "` is given twice"));
  } while (takeIf(','));
  BOO_RETURN_IF_ERROR(expect('}'));
  return attributes;
}

Status Parser::define(std::string_view name, ValueId id, size_t start) {
  if (Names.emplace(name, id).second)
    return Status::ok();
  return at(start,
            invalidArgument("%" + std::string(name) + " is defined twice"));
}

Status Parser::takeNode(Op op, const std::vector<std::string_view> &names,
                        size_t start) {
  BOO_RETURN_IF_ERROR(expect('('));
  std::vector<ValueId> operands;
  if (!takeIf(')')) {
    do {
      BOO_ASSIGN_OR_RETURN(ValueId id, takeUse());
      operands.push_back(id);
    } while (takeIf(','));
    BOO_RETURN_IF_ERROR(expect(')'));
  }
  BOO_ASSIGN_OR_RETURN(AttributeMap attributes, takeAttributes());
  BOO_RETURN_IF_ERROR(expect(':'));
  std::vector<TensorType> types;
  do {
    BOO_ASSIGN_OR_RETURN(TensorType type, takeType());
    types.push_back(std::move(type));
  } while (takeIf(','));
  if (types.size() != names.size())
    return at(start,
              invalidArgument(std::to_string(names.size()) + " results have " +
                              std::to_string(types.size()) + " types"));
  std::vector<ValueId> results = Result.addNode(
      op, std::move(operands), std::move(attributes), std::move(types));
  for (size_t i = 0; i != names.size(); ++i)
    BOO_RETURN_IF_ERROR(define(names[i], results[i], start));
  return at(start, verifyNode(Result, Result.nodes().size() - 1));
}

Status Parser::takeStatement() {
  size_t start = Position;
  std::vector<std::string_view> names;
  do {
    BOO_ASSIGN_OR_RETURN(std::string_view name, takeName());
    names.push_back(name);
  } while (takeIf(','));
  BOO_RETURN_IF_ERROR(expect('='));
  size_t wordStart = Position;
  std::string_view word = takeWord();
  std::optional<Role> role;
  if (word == "input")
    role = Role::Input;
  else if (word == "constant")
    role = Role::Constant;
  else if (word == "inout")
    role = Role::InOut;
  if (role) {
    if (names.size() != 1)
      return at(start, invalidArgument("an argument has one name"));
    BOO_ASSIGN_OR_RETURN(TensorType type, takeType());
    ValueId id = Result.addArgument(std::move(type), *role);
    BOO_RETURN_IF_ERROR(define(names[0], id, start));
    return at(start, verifyArgument(Result.value(id)));
  }
  StatusOr<Op> op = parseOp(word);
  if (op.isOk())
    return takeNode(*op, names, start);
  Position = wordStart;
  return error(word.empty() ? "expected input, constant, inout or an op"
                            : op.status().message());
}

Status Parser::takeReturn(size_t start) {
  do {
    BOO_ASSIGN_OR_RETURN(ValueId value, takeUse());
    ValueId into = kNoValue;
    if (takeWordIf("into")) {
      BOO_ASSIGN_OR_RETURN(into, takeUse());
    }
    Result.addOutput(value, into);
  } while (takeIf(','));
  if (!atEnd())
    return error("expected the end of the text after `return`");
  return at(start, verifyOutputs(Result));
}

StatusOr<Graph> Parser::run() {
  skipBlanks();
  if (!takeWordIf("boo.graph"))
    return error("expected `boo.graph 1`");
  size_t versionStart = Position;
  BOO_ASSIGN_OR_RETURN(int64_t version, takeInteger());
  if (version != 1)
    return at(versionStart,
              unsupported("Graph version " + std::to_string(version) +
                          " is not known: this is version 1"));
  while (true) {
    size_t start = Position;
    if (takeWordIf("return")) {
      BOO_RETURN_IF_ERROR(takeReturn(start));
      return std::move(Result);
    }
    if (atEnd())
      return error("expected `return` before the end of the text");
    BOO_RETURN_IF_ERROR(takeStatement());
  }
}

StatusOr<Graph> boo::parseGraph(std::string_view text) {
  return Parser(text).run();
}
