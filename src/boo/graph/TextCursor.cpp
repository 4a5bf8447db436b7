//===- TextCursor.cpp - The words of a Graph text -------------------------===//

#include "boo/graph/TextCursor.h"

#include <algorithm>
#include <charconv>

using namespace boo;

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool boo::isWordChar(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '_' || c == '.';
}

std::string TextCursor::place(size_t position) const {
  std::string_view before = Text.substr(0, position);
  size_t line = size_t(std::count(before.begin(), before.end(), '\n')) + 1;
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " +
         std::to_string(position - lineStart + 1);
}

void TextCursor::skipBlanks() {
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

bool TextCursor::takeIf(char c) {
  if (atEnd() || peek() != c)
    return false;
  ++Position;
  skipBlanks();
  return true;
}

bool TextCursor::takeWordIf(std::string_view word) {
  if (Text.substr(Position, word.size()) != word)
    return false;
  size_t end = Position + word.size();
  if (end < Text.size() && isWordChar(Text[end]))
    return false;
  Position = end;
  skipBlanks();
  return true;
}

Status TextCursor::expect(char c) {
  if (takeIf(c))
    return Status::ok();
  return error(std::string("expected `") + c + "`");
}

std::string_view TextCursor::takeWord() {
  size_t start = Position;
  while (!atEnd() && isWordChar(peek()))
    ++Position;
  std::string_view word = Text.substr(start, Position - start);
  skipBlanks();
  return word;
}

StatusOr<int64_t> TextCursor::takeInteger() {
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

StatusOr<std::vector<int64_t>> TextCursor::takeList(char open, char close) {
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

std::string_view TextCursor::peekNumber() const {
  size_t end = Position;
  while (end != Text.size() &&
         (isWordChar(Text[end]) || Text[end] == '-' || Text[end] == '+'))
    ++end;
  return Text.substr(Position, end - Position);
}

StatusOr<double> TextCursor::takeDouble() {
  std::string_view word = peekNumber();
  const char *wordEnd = word.data() + word.size();
  double value = 0;
  auto [end, code] = std::from_chars(word.data(), wordEnd, value);
  if (code == std::errc::result_out_of_range)
    return error("the number does not fit an f64");
  if (code != std::errc() || end != wordEnd)
    return error("expected a number");
  Position += word.size();
  skipBlanks();
  return value;
}

static int hexDigit(char c) {
  if (isDigit(c))
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

StatusOr<std::string> TextCursor::takeString() {
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
