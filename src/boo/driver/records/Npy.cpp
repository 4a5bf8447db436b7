//===- Npy.cpp - NumPy's file format --------------------------------------===//
//
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//===----------------------------------------------------------------------===//

#include "boo/driver/records/Npy.h"

#include <algorithm>
#include <charconv>

using namespace boo;

static constexpr std::string_view kMagic = "\x93NUMPY";

std::string_view boo::npyDescr(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "<f8";
  case DType::F32:
    return "<f4";
  case DType::F16:
    return "<f2";
  case DType::BF16:
    return "<u2";
  case DType::I64:
    return "<i8";
  case DType::I32:
    return "<i4";
  case DType::I8:
    return "|i1";
  case DType::I1:
    return "|b1";
  }
  return "";
}

bool boo::npyHolds(std::string_view descr, DType dtype) {
  if (dtype == DType::BF16 && (descr == "|V2" || descr == "<V2"))
    return true;
  return descr == npyDescr(dtype);
}

int64_t NpyHead::numElements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

std::string boo::printNpyHead(const NpyHead &head) {
  std::string text = "{'descr': '" + head.descr + "', 'fortran_order': " +
                     (head.fortranOrder ? "True" : "False") + ", 'shape': (";
  for (size_t i = 0; i != head.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(head.shape[i]);
  text += head.shape.size() == 1 ? ",), }" : "), }";
  constexpr size_t before = kMagic.size() + 4;
  size_t whole = (before + text.size() + 1 + 63) / 64 * 64;
  text.resize(whole - before - 1, ' ');
  text += '\n';
  return std::string(kMagic) + '\1' + '\0' + char(text.size() & 0xff) +
         char(text.size() >> 8) + text;
}

namespace {

/// Reads the dictionary: keys in any order, blanks anywhere.
class HeadParser {
public:
  explicit HeadParser(std::string_view text) : Rest(text) {}

  Status parse(NpyHead *head) {
    bool seen[3] = {};
    if (!take('{'))
      return wrong("no dictionary");
    while (!take('}')) {
      std::string key;
      if (!string(&key) || !take(':'))
        return wrong("no dictionary");
      size_t which = key == "descr"           ? 0
                     : key == "fortran_order" ? 1
                     : key == "shape"         ? 2
                                              : 3;
      if (which == 3 || std::exchange(seen[which], true))
        return wrong("a key that is unknown or stands twice");
      if (which == 0 && !string(&head->descr))
        return wrong("descr is no text (records are not supported)");
      if (which == 1 && !boolean(&head->fortranOrder))
        return wrong("fortran_order is neither True nor False");
      if (which == 2)
        if (Status status = shape(&head->shape); !status.isOk())
          return status;
      if (!take(',') && peek() != '}')
        return wrong("no comma between its entries");
    }
    if (!seen[0] || !seen[1] || !seen[2])
      return wrong("one of descr, fortran_order and shape is missing");
    return peek() ? wrong("more than a dictionary") : Status::ok();
  }

private:
  static Status wrong(const char *what) {
    return invalidArgument(std::string("its head is damaged: ") + what);
  }
  /// The next byte that is no blank; 0 at the end.
  char peek() {
    Rest.remove_prefix(std::min(Rest.find_first_not_of(" \n"), Rest.size()));
    return Rest.empty() ? '\0' : Rest.front();
  }
  bool take(char c) {
    bool there = peek() == c && !Rest.empty();
    Rest.remove_prefix(there);
    return there;
  }
  /// A plain one: NumPy writes no escapes here.
  bool string(std::string *value) {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return false;
    size_t end = Rest.find(quote, 1);
    if (end == Rest.npos)
      return false;
    *value = Rest.substr(1, end - 1);
    Rest.remove_prefix(end + 1);
    return std::all_of(value->begin(), value->end(), [](char c) {
      return c >= ' ' && c < 127 && c != '\\' && c != '\'';
    });
  }
  bool boolean(bool *value) {
    peek();
    *value = Rest.starts_with("True");
    if (!*value && !Rest.starts_with("False"))
      return false;
    Rest.remove_prefix(*value ? 4 : 5);
    return true;
  }
  Status shape(std::vector<int64_t> *sizes) {
    constexpr int64_t most = int64_t(1) << 59; // 8 bytes each
    int64_t count = 1;
    if (!take('('))
      return wrong("shape is no tuple");
    while (!take(')')) {
      int64_t size;
      peek();
      auto [end, error] =
          std::from_chars(Rest.data(), Rest.data() + Rest.size(), size);
      if (error != std::errc() || size < 0 || sizes->size() == 1000)
        return wrong("shape holds no sizes");
      Rest.remove_prefix(size_t(end - Rest.data()));
      // A zero makes all the others harmless, but they must not overflow.
      if (__builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count) ||
          count > most)
        return wrong("its array is larger than any file");
      sizes->push_back(size);
      if (!take(',') && peek() != ')')
        return wrong("shape is no tuple");
    }
    return Status::ok();
  }

  std::string_view Rest;
};

} // namespace

StatusOr<NpyHead> boo::parseNpyHead(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + 4)
    return invalidArgument("this is no .npy file: it does not begin with "
                           "\\x93NUMPY");
  auto byte = [&](size_t at) { return size_t(uint8_t(bytes[at])); };
  size_t major = byte(6), lengthBytes = major == 1 ? 2 : 4;
  if (major < 1 || major > 3 || byte(7) != 0)
    return invalidArgument("its format " + std::to_string(major) + "." +
                           std::to_string(byte(7)) +
                           " is unknown: 1.0, 2.0 and 3.0 are read");
  size_t begin = 8 + lengthBytes, length = 0;
  if (bytes.size() < begin)
    return invalidArgument("it ends inside its head");
  for (size_t i = lengthBytes; i-- != 0;)
    length = length << 8 | byte(8 + i);
  if (length > kNpyHeadBytes - begin)
    return invalidArgument("its head is damaged: it has " +
                           std::to_string(length) + " bytes");
  if (bytes.size() - begin < length)
    return invalidArgument("it ends inside its head");
  NpyHead head;
  BOO_RETURN_IF_ERROR(HeadParser(bytes.substr(begin, length)).parse(&head));
  head.dataOffset = begin + length;
  return head;
}
