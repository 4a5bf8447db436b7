//===- Flags.cpp ----------------------------------------------------------===//

#include "boo/driver/commands/Flags.h"
#include "boo/driver/commands/Nearest.h"

#include <charconv>
#include <cmath>

using namespace boo;

std::string boo::flagSpelling(const Flag &flag) {
  std::string text = "--" + std::string(flag.name);
  if (flag.letter)
    text += std::string(" (-") + flag.letter + ")";
  return text;
}

bool boo::parseInteger(std::string_view text, int64_t *value) {
  if (text.size() > 1 && text[0] == '+')
    text.remove_prefix(1);
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

bool boo::parseReal(std::string_view text, double *value) {
  if (text.size() > 1 && text[0] == '+')
    text.remove_prefix(1);
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

/// A value may be cited in a message; a binary or endless one may not.
static std::string quote(std::string_view text) {
  std::string result = "'";
  for (char c : text.substr(0, 60))
    result += c >= 0 && c < ' ' ? '?' : c;
  return result + (text.size() > 60 ? "…'" : "'");
}

static Status checkValue(const Flag &flag, std::string_view value) {
  int64_t integer;
  double real;
  switch (flag.kind) {
  case FlagKind::Int:
    if (!parseInteger(value, &integer))
      return invalidArgument(flagSpelling(flag) +
                             " takes an integer of 64 "
                             "bits, not " +
                             quote(value));
    break;
  case FlagKind::Real:
    if (!parseReal(value, &real))
      return invalidArgument(flagSpelling(flag) + " takes a number, not " +
                             quote(value));
    break;
  case FlagKind::Switch:
    if (value != "0" && value != "1")
      return invalidArgument(flagSpelling(flag) + " takes 0 or 1, not " +
                             quote(value));
    break;
  case FlagKind::Text:
    break;
  }
  return Status::ok();
}

static std::string dashed(std::string_view name) {
  std::string result(name);
  for (char &c : result)
    if (c == '_')
      c = '-';
  return result;
}

static Status unknownFlag(std::string_view token,
                          std::span<const FlagTable> tables) {
  std::vector<std::string> spelt;
  for (const FlagTable &table : tables)
    for (const Flag &flag : table)
      spelt.push_back("--" + std::string(flag.name));
  std::vector<std::string_view> names(spelt.begin(), spelt.end());
  std::string hint = token.starts_with("--")
                         ? didYouMean(token.substr(0, token.find('=')), names)
                         : std::string();
  return invalidArgument("unknown flag " + quote(token) +
                         (hint.empty() ? "; --help lists them all" : hint));
}

/// Finds the flag that `name` (without dashes) spells or abbreviates.
static StatusOr<Occurrence> findLong(std::string_view name,
                                     std::string_view token,
                                     std::span<const FlagTable> tables) {
  std::string wanted = dashed(name), matches;
  Occurrence found;
  size_t count = 0;
  for (size_t t = 0; t != tables.size(); ++t)
    for (size_t f = 0; f != tables[t].size(); ++f) {
      std::string candidate = dashed(tables[t][f].name);
      if (!candidate.starts_with(wanted))
        continue;
      Occurrence match;
      match.table = t;
      match.flag = f;
      if (candidate == wanted)
        return match;
      // What several families have is one flag here.
      if (count && candidate == dashed(tables[found.table][found.flag].name))
        continue;
      if (count++ == 0)
        found = match;
      matches +=
          (matches.empty() ? "--" : ", --") + std::string(tables[t][f].name);
    }
  if (count == 0 || wanted.empty())
    return unknownFlag(token, tables);
  if (count > 1)
    return invalidArgument(quote(token) +
                           " is short for several flags: " + matches);
  return found;
}

static StatusOr<Occurrence> findShort(char letter, std::string_view token,
                                      std::span<const FlagTable> tables) {
  for (size_t t = 0; t != tables.size(); ++t)
    for (size_t f = 0; f != tables[t].size(); ++f)
      if (tables[t][f].letter == letter) {
        Occurrence match;
        match.table = t;
        match.flag = f;
        return match;
      }
  // The other case of a letter is the likeliest slip.
  char other = char(letter ^ 0x20);
  for (const FlagTable &table : tables)
    for (const Flag &flag : table)
      if (((letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z')) &&
          flag.letter == other)
        return invalidArgument("unknown flag " + quote(token) +
                               "; did you mean -" + other + ", --" +
                               std::string(flag.name) + "?");
  return unknownFlag(token, tables);
}

/// Is `token` another flag, and so no value of the one before? `-1.5` and `-`
/// are values.
static bool looksLikeFlag(std::string_view token) {
  double number;
  return token.size() > 1 && token[0] == '-' && !parseReal(token, &number);
}

StatusOr<std::vector<Occurrence>>
boo::parseFlags(std::span<const std::string> tokens,
                std::span<const FlagTable> tables, size_t first,
                bool stopAtPositional) {
  std::vector<Occurrence> result;
  for (size_t i = first; i < tokens.size(); ++i) {
    std::string_view token = tokens[i];
    if (token == "--")
      continue;
    if (token.size() < 2 || token[0] != '-') {
      Occurrence positional;
      positional.table = Occurrence::kPositional;
      positional.value = token;
      positional.begin = i;
      positional.end = i + 1;
      result.push_back(std::move(positional));
      if (stopAtPositional)
        break;
      continue;
    }

    bool isLong = token[1] == '-', hasValue = false;
    std::string_view value;
    Occurrence found;
    if (isLong) {
      size_t equals = token.find('=');
      hasValue = equals != token.npos;
      BOO_ASSIGN_OR_RETURN(
          found, findLong(token.substr(2, hasValue ? equals - 2 : equals),
                          token, tables));
      if (hasValue)
        value = token.substr(equals + 1);
    } else {
      BOO_ASSIGN_OR_RETURN(found, findShort(token[1], token, tables));
      hasValue = token.size() > 2;
      if (hasValue)
        value = token.substr(token[2] == '=' ? 3 : 2);
    }

    const Flag &flag = tables[found.table][found.flag];
    found.begin = i;
    if (!hasValue) {
      bool next = i + 1 < tokens.size() &&
                  (flag.kind == FlagKind::Switch
                       ? tokens[i + 1] == "0" || tokens[i + 1] == "1"
                       : !looksLikeFlag(tokens[i + 1]));
      if (next)
        value = tokens[++i];
      else if (flag.kind == FlagKind::Switch)
        value = "1";
      else
        return invalidArgument(flagSpelling(flag) + " needs a value");
    }
    BOO_RETURN_IF_ERROR(checkValue(flag, value));
    found.value = value;
    found.end = i + 1;
    result.push_back(std::move(found));
  }
  return result;
}

void FlagValues::add(size_t flag, std::string value) {
  Values[flag].push_back(std::move(value));
}

std::string FlagValues::text(size_t flag) const {
  return Values[flag].empty() ? std::string(Table[flag].defaultValue)
                              : Values[flag].back();
}

int64_t FlagValues::integer(size_t flag) const {
  int64_t value = 0;
  parseInteger(text(flag), &value);
  return value;
}

double FlagValues::real(size_t flag) const {
  double value = 0;
  parseReal(text(flag), &value);
  return value;
}

Status FlagValues::checkUse(std::vector<std::string> *notes) const {
  for (size_t i = 0; i != Table.size(); ++i) {
    const Flag &flag = Table[i];
    if (flag.use == FlagUse::Honoured || text(i) == flag.defaultValue)
      continue;
    std::string message = flagSpelling(flag) + " " + quote(text(i)) +
                          (flag.use == FlagUse::Refused ? " is not supported: "
                                                        : " is ignored: ") +
                          std::string(flag.reason);
    if (flag.use == FlagUse::Refused)
      return unsupported(message);
    notes->push_back(message);
  }
  return Status::ok();
}

std::optional<size_t>
FlagValues::choice(size_t flag, std::span<const std::string_view> names,
                   size_t first) const {
  std::string value = text(flag);
  for (size_t i = 0; i != names.size(); ++i)
    if (value == names[i] || value == std::to_string(i + first))
      return i;
  return std::nullopt;
}

Status FlagValues::wrongChoice(size_t flag, std::string_view choices) const {
  std::string value = text(flag).substr(0, 60);
  if (Table[flag].kind == FlagKind::Text)
    value = quote(value);
  return invalidArgument(flagSpelling(Table[flag]) + " " + value + ": " +
                         std::string(choices));
}

std::string boo::wrapText(std::string_view text, size_t indent, size_t column) {
  std::string out;
  bool lineStart = true;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (!lineStart && column + 1 + end > 80) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      lineStart = true;
    }
    if (!lineStart) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    lineStart = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + "\n";
}

std::string boo::describeFlags(FlagTable table) {
  static constexpr std::string_view kinds[] = {" INT", " NUM", " TEXT", ""};
  constexpr size_t indent = 32;
  std::string out;
  for (const Flag &flag : table) {
    std::string head = flag.letter ? std::string("  -") + flag.letter + ", --"
                                   : std::string("      --");
    head += flag.name;
    head += kinds[size_t(flag.kind)];
    if (head.size() + 1 > indent)
      head += "\n" + std::string(indent, ' ');
    else
      head.resize(indent, ' ');
    out += head;
    std::string help(flag.help);
    if (flag.kind != FlagKind::Switch && !flag.defaultValue.empty())
      help += " [" + std::string(flag.defaultValue) + "]";
    if (flag.use != FlagUse::Honoured)
      help += (flag.use == FlagUse::Noted ? " Accepted, ignored: "
                                          : " Not supported: ") +
              std::string(flag.reason);
    out += wrapText(help, indent, indent);
  }
  return out;
}
