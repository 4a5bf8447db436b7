//===- SizeList.cpp - Lists of numbers in flags ---------------------------===//

#include "boo/driver/commands/SizeList.h"

#include <algorithm>

using namespace boo;

static constexpr size_t mostDims = 16;

static std::string quoted(const Flag &flag, const std::string &text) {
  return flagSpelling(flag) + " '" + text.substr(0, 60) + "'";
}

/// Numbers of at least `least`; nothing if one is none, or smaller.
static std::vector<int64_t> parseList(std::string_view text,
                                      const char *between, int64_t least) {
  std::vector<int64_t> numbers;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find_first_of(between, begin), text.size());
    int64_t number = 0;
    if (!parseInteger(text.substr(begin, end - begin), &number) ||
        number < least)
      return {};
    numbers.push_back(number);
    begin = end + 1;
  }
  return numbers;
}

StatusOr<std::vector<int64_t>>
boo::parseSizes(const Flag &flag, const std::string &text, DType dtype) {
  if (text.empty())
    return invalidArgument(flagSpelling(flag) +
                           " is missing: the input's sizes, e.g. 8x128x768");
  std::vector<int64_t> sizes = parseList(text, "xX,", 1);
  if (sizes.empty())
    return invalidArgument(quoted(flag, text) +
                           ": must be sizes with x between them, each at "
                           "least 1");
  int64_t bytes = dtypeBytes(dtype);
  for (int64_t size : sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument(quoted(flag, text) +
                             " has more bytes than 61 bits count");
  if (sizes.size() > mostDims)
    return invalidArgument(
        flagSpelling(flag) + " has " + std::to_string(sizes.size()) +
        " dimensions; at most " + std::to_string(mostDims) + " are taken");
  return sizes;
}

StatusOr<std::vector<int64_t>>
boo::readImageSizes(const FlagValues &values, const std::vector<size_t> &flags,
                    DType dtype) {
  std::vector<int64_t> sizes;
  int64_t bytes = dtypeBytes(dtype);
  for (size_t flag : flags) {
    int64_t size = values.integer(flag);
    if (size < 1)
      return invalidArgument(flagSpelling(values.table()[flag]) + " " +
                             std::to_string(size) + ": must be at least 1");
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument("the input has more bytes than 61 bits count; "
                             "lower its sizes");
    sizes.push_back(size);
  }
  return sizes;
}

StatusOr<std::vector<int64_t>>
boo::parseDims(const Flag &flag, const std::string &text, size_t rank) {
  std::vector<int64_t> dims = parseList(text, ",", 0);
  std::sort(dims.begin(), dims.end());
  if (dims.empty() || dims.back() >= int64_t(rank))
    return invalidArgument(quoted(flag, text) +
                           ": must be dimensions with commas between them; "
                           "the input has " +
                           std::to_string(rank) + ", numbered from 0");
  if (std::adjacent_find(dims.begin(), dims.end()) != dims.end())
    return invalidArgument(quoted(flag, text) + " names a dimension twice");
  return dims;
}

TensorType boo::withDimsLast(const TensorType &type,
                             const std::vector<int64_t> &dims) {
  TensorType result{type.dtype, {}, {}};
  for (bool moved : {false, true})
    for (size_t i = 0; i != type.rank(); ++i)
      if (std::binary_search(dims.begin(), dims.end(), int64_t(i)) == moved) {
        result.sizes.push_back(type.sizes[i]);
        result.strides.push_back(type.strides[i]);
      }
  return result;
}

std::string boo::joinSizes(const std::vector<int64_t> &sizes,
                           const char *between) {
  std::string text;
  for (size_t i = 0; i != sizes.size(); ++i)
    text += (i ? between : "") + std::to_string(sizes[i]);
  return text;
}
