//===- ProgressBar.cpp ----------------------------------------------------===//

#include "boo/driver/ProgressBar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

using namespace boo;

std::string boo::durationText(double seconds) {
  // Longer than a thousand hours is "for ever".
  long long s = std::llround(std::clamp(seconds, 0.0, 3.6e6));
  char text[64];
  if (s >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600,
                  s / 60 % 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
  return text;
}

size_t boo::terminalColumns(int fd) {
  if (::isatty(fd) != 1)
    return 0;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

std::string boo::progressLine(const Progress &p, size_t columns) {
  std::vector<std::string> parts = {std::to_string(p.done) + "/" +
                                    std::to_string(p.total)};
  if (p.cached)
    parts.push_back(std::to_string(p.cached) + " cached");
  if (p.failed)
    parts.push_back(std::to_string(p.failed) + " failed");
  if (p.worked && p.seconds > 0) {
    double rate = double(p.worked) / p.seconds;
    char text[32];
    std::snprintf(text, sizeof text, "%.1f/s", rate);
    parts.push_back(text);
    parts.push_back(durationText(double(p.total - p.done) / rate) + " left");
  }
  return barLine(p.total ? double(p.done) / double(p.total) : 1, parts,
                 columns);
}

std::string boo::barLine(double fraction, std::span<const std::string> parts,
                         size_t columns) {
  std::string text;
  for (const std::string &part : parts)
    if (text.size() + part.size() + 3 < columns)
      text += (text.empty() ? "" : "  ") + part;
  // "[" bar "] " text, and one column that stays free.
  constexpr size_t frame = 4, least = 10, most = 40;
  if (columns < text.size() + frame + least)
    return text;
  size_t width = std::min(most, columns - text.size() - frame);
  // A little more, as fractions like 10 / 100 * 40 may fall short of the whole.
  auto filled = size_t(double(width) * std::clamp(fraction, 0.0, 1.0) + 1e-9);
  std::string bar(filled, '=');
  if (filled < width)
    bar += '>';
  bar.resize(width, ' ');
  return "[" + bar + "] " + text;
}
