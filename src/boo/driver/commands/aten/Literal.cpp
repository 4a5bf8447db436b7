//===- Literal.cpp - Python literals, as profilers record them ------------===//

#include "boo/driver/commands/aten/Literal.h"
#include "boo/driver/commands/Flags.h"

#include <cmath>

using namespace boo;

namespace {

/// Reads one literal after the other. Lists nest to a bounded depth, so that
/// the recursion is bounded as well.
class LiteralReader {
public:
  explicit LiteralReader(std::string_view text) : Text(text) {}

  StatusOr<Literal> readAll() {
    BOO_ASSIGN_OR_RETURN(Literal literal, read(0));
    if (skipBlanks(); At != Text.size())
      return error("there is more behind the value");
    return literal;
  }

private:
  static constexpr int MostDepth = 8;

  StatusOr<Literal> read(int depth) {
    skipBlanks();
    if (At == Text.size())
      return error("a value is missing");
    char c = Text[At];
    if (c == '[' || c == '(')
      return depth == MostDepth ? error("lists nest too deeply")
                                : readList(c == '[' ? ']' : ')', depth);
    if (c == '\'' || c == '"')
      return readText(c);
    return readWord();
  }

  StatusOr<Literal> readList(char close, int depth) {
    Literal list;
    list.kind = Literal::List;
    ++At;
    for (skipBlanks(); !takeIf(close); skipBlanks()) {
      if (!list.items.empty() && !takeIf(','))
        return error(std::string("a comma or ") + close + " is missing");
      if (skipBlanks(); !list.items.empty() && takeIf(close))
        break;
      BOO_ASSIGN_OR_RETURN(Literal item, read(depth + 1));
      list.items.push_back(std::move(item));
    }
    return list;
  }

  StatusOr<Literal> readText(char quote) {
    size_t end = Text.find(quote, At + 1);
    if (end == Text.npos)
      return error("a string has no end");
    Literal literal;
    literal.kind = Literal::Text;
    literal.text = Text.substr(At + 1, end - At - 1);
    if (literal.text.find('\\') != literal.text.npos)
      return error("backslashes are not taken in strings");
    At = end + 1;
    return literal;
  }

  StatusOr<Literal> readWord() {
    size_t end = std::min(Text.find_first_of(" \t,[]()'\"", At), Text.size());
    std::string_view word = Text.substr(At, end - At);
    Literal literal;
    if (word == "True" || word == "False") {
      literal.kind = Literal::Bool;
      literal.truth = word == "True";
    } else if (parseInteger(word, &literal.integer)) {
      literal.kind = Literal::Integer;
    } else if (word == "inf" || word == "-inf" || word == "nan") {
      literal.kind = Literal::Real;
      literal.real = word == "nan" ? NAN : word == "inf" ? INFINITY : -INFINITY;
    } else if (parseReal(word, &literal.real)) {
      literal.kind = Literal::Real;
    } else if (word != "None") {
      return error("'" + std::string(word.substr(0, 60)) +
                   "' is no literal of Python's");
    }
    At = end;
    return literal;
  }

  void skipBlanks() {
    while (At != Text.size() && (Text[At] == ' ' || Text[At] == '\t'))
      ++At;
  }
  bool takeIf(char c) {
    bool is = At != Text.size() && Text[At] == c;
    At += is;
    return is;
  }
  Status error(const std::string &what) const {
    return invalidArgument("column " + std::to_string(At + 1) + ": " + what);
  }

  std::string_view Text;
  size_t At = 0;
};

} // namespace

StatusOr<Literal> boo::parseLiteral(std::string_view text) {
  return LiteralReader(text).readAll();
}
