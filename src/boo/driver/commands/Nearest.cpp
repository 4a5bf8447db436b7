//===- Nearest.cpp --------------------------------------------------------===//

#include "boo/driver/commands/Nearest.h"

#include <algorithm>
#include <utility>

using namespace boo;

static std::string fold(std::string_view text) {
  std::string result(text);
  for (char &c : result) {
    if (c >= 'A' && c <= 'Z')
      c = char(c - 'A' + 'a');
    if (c == '_')
      c = '-';
  }
  return result;
}

static constexpr size_t Longest = 64; // longer words are no misspelt names

/// Insertions, deletions, substitutions and swaps of neighbours.
static size_t editDistance(const std::string &a, const std::string &b) {
  size_t rows[3][Longest + 1];
  size_t *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min(
          {last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string boo::nearest(std::string_view word,
                         std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > Longest)
    return "";
  std::string folded = fold(word);
  size_t best = std::max<size_t>(1, folded.size() / 3) + 1;
  std::string_view found;
  for (std::string_view candidate : candidates) {
    // Each letter of the difference in length is an edit.
    if (candidate.size() > Longest ||
        candidate.size() >= folded.size() + best ||
        folded.size() >= candidate.size() + best)
      continue;
    size_t distance = editDistance(folded, fold(candidate));
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return std::string(found);
}

std::string boo::didYouMean(std::string_view word,
                            std::span<const std::string_view> candidates) {
  std::string name = nearest(word, candidates);
  return name.empty() ? "" : "; did you mean '" + name + "'?";
}
