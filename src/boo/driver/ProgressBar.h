//===- ProgressBar.h - How far a list of commands is ------------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace boo {

struct Progress {
  size_t done = 0, total = 0; ///< all commands
  size_t cached = 0, failed = 0;
  size_t worked = 0; ///< of `done`, those that took a worker's time
  double seconds = 0;
};

/// "[=====>    ] 34/100  12 cached  1 failed  9.8/s  0:07 left", in fewer than
/// `columns` columns: what there is no room for is left out.
std::string progressLine(const Progress &progress, size_t columns);

/// "[=====>    ] PARTS", with as many of the parts as there is room for.
std::string barLine(double fraction, std::span<const std::string> parts,
                    size_t columns);

/// "0:07", "12:30", "1:02:03".
std::string durationText(double seconds);

/// Columns of the terminal on file descriptor `fd`, or 80; 0 = no terminal.
size_t terminalColumns(int fd);

} // namespace boo
