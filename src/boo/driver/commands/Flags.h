//===- Flags.h - Flags read from a table ------------------------*- C++ -*-===//
//
// MIOpen's flags cannot be given to an ordinary option library: `-!`, `-_`,
// `-F1` and `-F=1` are all in use. So flags stand in tables (ConvFlags.inc,
// DriverFlags.inc), and parser, help, docs and tests read those.
//
// Understood: `--in_h 32`, `--in_h=32`, `--in-h 32`, unambiguous prefixes
// (`--in_chan 3`), `-H 32`, `-H32`, `-H=32`. The last of several wins. `--` is
// skipped. A Switch stands alone or is followed by 0 or 1.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace boo {

enum class FlagKind { Int, Real, Text, Switch };

/// What giving a flag a value other than its default does.
enum class FlagUse {
  Honoured, ///< what its help says
  Noted,    ///< nothing, and stderr says why
  Refused,  ///< an error that names it and says why
};

/// Whether a flag of the driver concerns one command or all of them.
enum class FlagScope { Line, Session };

struct Flag {
  std::string_view name;         ///< long spelling, without dashes
  char letter;                   ///< short spelling, 0 = none
  std::string_view defaultValue; ///< "" = none
  FlagKind kind;
  FlagUse use;
  std::string_view help;
  std::string_view reason; ///< why it is noted or refused, "" when honoured
  FlagScope scope = FlagScope::Line;
  bool repro = false; ///< belongs into the line that repeats a failure
};

using FlagTable = std::span<const Flag>;

/// "--in_h (-H)", for messages.
std::string flagSpelling(const Flag &flag);

/// A flag or positional as it was found: tokens [begin, end).
struct Occurrence {
  size_t table = 0; ///< index of the table, kPositional for a positional
  size_t flag = 0;  ///< index in that table
  std::string value;
  size_t begin = 0, end = 0;

  static constexpr size_t kPositional = size_t(-1);
  bool isPositional() const { return table == kPositional; }
};

/// Reads `tokens` from `first` on. Values are checked against their flag's
/// kind. With `stopAtPositional` the first positional is the last occurrence.
StatusOr<std::vector<Occurrence>>
parseFlags(std::span<const std::string> tokens,
           std::span<const FlagTable> tables, size_t first = 0,
           bool stopAtPositional = false);

/// Values of one table's flags, by index. Those not given have their default.
class FlagValues {
public:
  explicit FlagValues(FlagTable table = {})
      : Table(table), Values(table.size()) {}

  void add(size_t flag, std::string value);
  FlagTable table() const { return Table; }
  bool given(size_t flag) const { return !Values[flag].empty(); }
  const std::vector<std::string> &all(size_t flag) const {
    return Values[flag];
  }
  /// The last value given, or the default.
  std::string text(size_t flag) const;
  int64_t integer(size_t flag) const;
  double real(size_t flag) const;
  bool on(size_t flag) const { return integer(flag) != 0; }

  /// An error for the first Refused flag with another value than its default;
  /// a line in `notes` for each such Noted one.
  Status checkUse(std::vector<std::string> *notes) const;

  /// The index in `names` that the flag's value is or names; the first has the
  /// number `first`.
  std::optional<size_t> choice(size_t flag,
                               std::span<const std::string_view> names,
                               size_t first = 0) const;
  /// An error that names the flag and its value, and says what it may be.
  Status wrongChoice(size_t flag, std::string_view choices) const;

private:
  FlagTable Table;
  std::vector<std::vector<std::string>> Values;
};

/// A whole decimal number without rest.
bool parseInteger(std::string_view text, int64_t *value);
bool parseReal(std::string_view text, double *value);

/// `text` in lines of at most 80 columns, the first of which goes on at
/// `column`, the others at `indent`. Ends in a newline.
std::string wrapText(std::string_view text, size_t indent, size_t column);

/// The table as help text, 80 columns wide.
std::string describeFlags(FlagTable table);

} // namespace boo
