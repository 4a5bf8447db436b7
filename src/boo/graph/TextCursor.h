//===- TextCursor.h - The words of a Graph text -----------------*- C++ -*-===//
//
// What the parser reads with: blanks, numbers, lists and strings, and errors
// that name line and column.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace boo {

/// Is `c` part of a word: a letter, a digit, `_` or `.`?
bool isWordChar(char c);

/// A position in a text. A take… function leaves it at the next word.
class TextCursor {
public:
  explicit TextCursor(std::string_view text) : Text(text) {}

  void skipBlanks();
  bool atEnd() const { return Position == Text.size(); }
  /// The next character, 0 at the end.
  char peek() const { return atEnd() ? '\0' : Text[Position]; }
  void skipChar() { ++Position; }
  size_t position() const { return Position; }
  void setPosition(size_t position) { Position = position; }

  bool takeIf(char c);
  bool takeWordIf(std::string_view word);
  Status expect(char c);
  /// "" when there is none.
  std::string_view takeWord();
  StatusOr<int64_t> takeInteger();
  /// All that looks like one number; not taken.
  std::string_view peekNumber() const;
  /// Digits with a point or an exponent, or -inf.
  StatusOr<double> takeDouble();
  /// Integers with commas between them.
  StatusOr<std::vector<int64_t>> takeList(char open, char close);
  StatusOr<std::string> takeString();

  /// An error here.
  Status error(const std::string &message) const {
    return at(Position, invalidArgument(message));
  }

  /// `status` with the place before it. Finding a place takes a walk over the
  /// text: for errors only.
  Status at(size_t position, const Status &status) const {
    return status.isOk() ? status : status.withContext(place(position));
  }

private:
  std::string place(size_t position) const;

  std::string_view Text;
  size_t Position = 0;
};

} // namespace boo
