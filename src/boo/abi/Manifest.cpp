//===- Manifest.cpp - Text form of the manifest ---------------------------===//

#include "boo/abi/Manifest.h"

#include <algorithm>
#include <charconv>
#include <iterator>

using namespace boo;

namespace {
/// Larger figures are damage, and could overflow sums of sizes.
constexpr int64_t kMaxNumber = int64_t(1) << 46;
constexpr size_t kMaxText = size_t(64) << 20;

struct TextField {
  std::string_view name;
  std::string Manifest::*member;
};
struct NumberField {
  std::string_view name;
  int64_t Manifest::*member;
};
struct ListField {
  std::string_view name;
  std::vector<std::string> Manifest::*member;
};
struct DispatchField {
  std::string_view name;
  std::vector<Dispatch> Manifest::*member;
};
} // namespace

// Field lists, for printing and parsing alike. kernel_abi stands apart: it is
// the one number of 32 bits.
static constexpr std::string_view kChecksum = "checksum";
static constexpr std::string_view kKernelAbi = "kernel_abi";
static constexpr TextField kTextFields[] = {
    {"key", &Manifest::key},
    {"name", &Manifest::name},
    {"target", &Manifest::target},
    {"math", &Manifest::math},
    {"graph", &Manifest::graph},
    {"builds", &Manifest::builds},
    {"algorithm", &Manifest::algorithm},
    {"schedule", &Manifest::schedule},
};
static constexpr ListField kWhy = {"why", &Manifest::why};
static constexpr TextField kInstruction = {"instruction",
                                           &Manifest::instruction};
static constexpr NumberField kNumberFields[] = {
    {"workspace_bytes", &Manifest::workspaceBytes},
    {"scratch_bytes", &Manifest::scratchBytes},
    {"constants_bytes", &Manifest::constantsBytes},
};
static constexpr DispatchField kDispatchFields[] = {
    {"prepare", &Manifest::prepare},
    {"run", &Manifest::run},
};
static constexpr ListField kErrors = {"error", &Manifest::errors};

static void printLine(std::string &out, std::string_view name,
                      std::string_view value) {
  out += name;
  out += ' ';
  for (char c : value) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else if (c != '\0') // a NUL closes the section
      out += c;
  }
  out += '\n';
}

std::string boo::printManifest(const Manifest &manifest) {
  std::string out;
  printLine(out, kChecksum, manifest.checksum);
  printLine(out, kKernelAbi, std::to_string(manifest.kernelAbi));
  for (const TextField &field : kTextFields)
    printLine(out, field.name, manifest.*field.member);
  for (const std::string &why : manifest.*kWhy.member)
    printLine(out, kWhy.name, why);
  printLine(out, kInstruction.name, manifest.*kInstruction.member);
  for (const NumberField &field : kNumberFields)
    printLine(out, field.name, std::to_string(manifest.*field.member));
  for (const DispatchField &field : kDispatchFields)
    for (const Dispatch &dispatch : manifest.*field.member)
      printLine(out, field.name,
                dispatch.symbol + ' ' + std::to_string(dispatch.grid) + ' ' +
                    dispatch.name);
  for (const std::string &error : manifest.*kErrors.member)
    printLine(out, kErrors.name, error);
  return out;
}

static Status parseNumber(std::string_view text, int64_t max, int64_t *value) {
  const char *end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, *value);
  if (error != std::errc() || rest != end || *value < 0 || *value > max)
    return invalidArgument("bad number '" + std::string(text.substr(0, 40)) +
                           "'");
  return Status::ok();
}

static Status unescape(std::string_view text, std::string *value) {
  value->clear();
  value->reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      *value += text[i];
      continue;
    }
    if (++i == text.size() || (text[i] != 'n' && text[i] != '\\'))
      return invalidArgument("bad escape");
    *value += text[i] == 'n' ? '\n' : '\\';
  }
  return Status::ok();
}

static bool isSymbol(std::string_view name) {
  return !name.empty() && name.size() <= 200 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '_';
         });
}

static Status parseDispatch(std::string_view text, Dispatch *dispatch) {
  size_t first = text.find(' ');
  size_t second =
      first == std::string_view::npos ? first : text.find(' ', first + 1);
  if (second == std::string_view::npos)
    return invalidArgument("expected symbol, grid and name");
  if (!isSymbol(text.substr(0, first)))
    return invalidArgument("bad symbol");
  dispatch->symbol = text.substr(0, first);
  BOO_RETURN_IF_ERROR(parseNumber(text.substr(first + 1, second - first - 1),
                                  kMaxNumber, &dispatch->grid));
  return unescape(text.substr(second + 1), &dispatch->name);
}

static bool isChecksum(std::string_view text) {
  return text.size() == 32 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

namespace {
/// Reads lines in the fixed order of the fields.
class ManifestParser {
public:
  explicit ManifestParser(std::string_view text) : Rest(text) { advance(); }

  Status parse(Manifest &manifest) {
    std::string_view value;
    BOO_RETURN_IF_ERROR(take(kChecksum, value));
    if (!isChecksum(value))
      return error("expected 32 hexadecimal digits", 1);
    manifest.checksum = value;
    BOO_RETURN_IF_ERROR(take(kKernelAbi, value));
    int64_t number = 0;
    BOO_RETURN_IF_ERROR(at(parseNumber(value, UINT32_MAX, &number)));
    manifest.kernelAbi = uint32_t(number);
    for (const TextField &field : kTextFields)
      BOO_RETURN_IF_ERROR(takeText(field, manifest));
    BOO_RETURN_IF_ERROR(takeList(kWhy, manifest));
    BOO_RETURN_IF_ERROR(takeText(kInstruction, manifest));
    for (const NumberField &field : kNumberFields) {
      BOO_RETURN_IF_ERROR(take(field.name, value));
      BOO_RETURN_IF_ERROR(
          at(parseNumber(value, kMaxNumber, &(manifest.*field.member))));
    }
    for (const DispatchField &field : kDispatchFields)
      while (More && Name == field.name) {
        Dispatch &dispatch = (manifest.*field.member).emplace_back();
        BOO_RETURN_IF_ERROR(take(field.name, value));
        BOO_RETURN_IF_ERROR(at(parseDispatch(value, &dispatch)));
      }
    BOO_RETURN_IF_ERROR(takeList(kErrors, manifest));
    if (More)
      return error("unexpected field '" + std::string(Name.substr(0, 40)) + "'",
                   Line);
    return Status::ok();
  }

private:
  /// Splits the next line into Name and Value; More tells if there is one.
  void advance() {
    More = !Rest.empty();
    size_t end = std::min(Rest.find('\n'), Rest.size());
    std::string_view line = Rest.substr(0, end);
    Rest.remove_prefix(std::min(end + 1, Rest.size()));
    size_t space = std::min(line.find(' '), line.size());
    Name = line.substr(0, space);
    Value = line.substr(std::min(space + 1, line.size()));
    ++Line;
  }

  Status take(std::string_view name, std::string_view &value) {
    if (!More || Name != name)
      return error("expected field '" + std::string(name) + "'", Line);
    value = Value;
    advance();
    return Status::ok();
  }

  Status takeText(const TextField &field, Manifest &manifest) {
    std::string_view value;
    BOO_RETURN_IF_ERROR(take(field.name, value));
    return at(unescape(value, &(manifest.*field.member)));
  }

  Status takeList(const ListField &field, Manifest &manifest) {
    while (More && Name == field.name) {
      std::string_view value;
      BOO_RETURN_IF_ERROR(take(field.name, value));
      BOO_RETURN_IF_ERROR(
          at(unescape(value, &(manifest.*field.member).emplace_back())));
    }
    return Status::ok();
  }

  /// An error of the line taken last.
  Status at(const Status &status) const {
    return status.isOk() ? status : error(status.message(), Line - 1);
  }
  static Status error(const std::string &message, int line) {
    return invalidArgument("manifest, line " + std::to_string(line) + ": " +
                           message);
  }

  std::string_view Rest, Name, Value;
  bool More = false;
  int Line = 0;
};
} // namespace

StatusOr<Manifest> boo::parseManifest(std::string_view text) {
  if (text.size() > kMaxText)
    return invalidArgument("manifest of " + std::to_string(text.size()) +
                           " bytes");
  if (text.find('\0') != std::string_view::npos)
    return invalidArgument("manifest holds a NUL");
  Manifest manifest;
  BOO_RETURN_IF_ERROR(ManifestParser(text).parse(manifest));
  return manifest;
}
