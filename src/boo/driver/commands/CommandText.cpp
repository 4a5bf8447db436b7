//===- CommandText.cpp ----------------------------------------------------===//

#include "boo/driver/commands/CommandText.h"
#include "boo/base/Interrupt.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

using namespace boo;

static bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

StatusOr<std::vector<std::string>> boo::splitCommand(std::string_view text) {
  std::vector<std::string> tokens;
  std::string token;
  bool inToken = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (isBlank(c)) {
      if (inToken)
        tokens.push_back(std::move(token));
      token.clear();
      inToken = false;
      continue;
    }
    inToken = true;
    if (c == '\\') {
      if (++i == text.size())
        return invalidArgument("the line ends behind a backslash");
      token += text[i];
    } else if (c == '\'' || c == '"') {
      char quote = c;
      for (++i; i < text.size() && text[i] != quote; ++i) {
        // Inside double quotes a backslash protects only these two.
        if (quote == '"' && text[i] == '\\' && i + 1 < text.size() &&
            (text[i + 1] == '"' || text[i + 1] == '\\'))
          ++i;
        token += text[i];
      }
      if (i >= text.size())
        return invalidArgument(std::string("no closing quotation mark ") +
                               quote);
    } else {
      token += c;
    }
  }
  if (inToken)
    tokens.push_back(std::move(token));
  return tokens;
}

std::string boo::joinCommand(std::span<const std::string> tokens) {
  constexpr std::string_view safe = "@%+=:,./-_", inFlags = "#^!$";
  std::string line;
  for (const std::string &token : tokens) {
    if (!line.empty() || &token != &tokens.front())
      line += ' ';
    // A flag such as -! or -# reads better bare, and splits back as it is.
    bool flag = token.size() > 1 && token[0] == '-';
    bool plain = !token.empty();
    for (char c : token)
      plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || safe.find(c) != safe.npos ||
                        (flag && inFlags.find(c) != inFlags.npos));
    if (plain) {
      line += token;
      continue;
    }
    // Single quotes inside read better between double ones.
    if (token.find('\'') != token.npos &&
        token.find_first_of("\"$`!\\") == token.npos) {
      line += '"' + token + '"';
      continue;
    }
    line += '\'';
    for (char c : token)
      if (c == '\'')
        line += "'\"'\"'";
      else
        line += c;
    line += '\'';
  }
  return line;
}

std::vector<FileLine> boo::splitCommandsFile(std::string_view text, bool tabs) {
  std::vector<FileLine> lines;
  if (text.starts_with("\xef\xbb\xbf"))
    text.remove_prefix(3);
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && isBlank(line.back()))
      line.remove_suffix(1);
    while (!line.empty() && isBlank(line.front()))
      line.remove_prefix(1);
    if (line.empty() || line.front() == '#')
      continue;

    FileLine result;
    result.number = number;
    result.text = line;
    if (tabs && line.find('\t') != line.npos) {
      while (!line.empty()) {
        size_t tab = std::min(line.find('\t'), line.size());
        std::string_view cell = line.substr(0, tab);
        while (!cell.empty() && cell.back() == ' ')
          cell.remove_suffix(1);
        while (!cell.empty() && cell.front() == ' ')
          cell.remove_prefix(1);
        if (!cell.empty())
          result.tokens.emplace_back(cell);
        line.remove_prefix(std::min(tab + 1, line.size()));
      }
    } else {
      auto tokens = splitCommand(line);
      if (tokens.isOk())
        result.tokens = std::move(*tokens);
      else
        result.status = tokens.status();
    }
    lines.push_back(std::move(result));
  }
  return lines;
}

StatusOr<std::vector<FileLine>> boo::readCommandsFile(const std::string &path) {
  std::string text;
  if (path == "-") {
    char buffer[1 << 16];
    for (;;) {
      ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR && !interrupted())
        continue;
      if (n < 0)
        return systemError("read", "stdin");
      if (n == 0)
        break;
      text.append(buffer, size_t(n));
    }
  } else {
    BOO_ASSIGN_OR_RETURN(text, readFile(path));
  }
  return splitCommandsFile(text, path.ends_with(".tsv"));
}
