//===- TuneReport.h - What `boo tune` prints --------------------*- C++ -*-===//
#pragma once

#include "boo/driver/tune/TuneRun.h"

namespace boo {

/// "line 2: conv -n 1 …", of the first command that needs the kernel.
std::string commandText(const TunedKernel &kernel);
/// A line for a Schedule that was found: the ratio to the untuned one, and the
/// fields in which they differ.
std::string findText(const Trial &trial);
/// A line for the end of a kernel's search.
std::string endText(const TunedKernel &kernel);

/// All kernels in 80 columns: line, microseconds untuned and tuned, their
/// ratio, Schedules tried and failed, command.
std::string tuneTable(std::span<const TunedKernel> kernels);

/// The text of the bar at a terminal.
std::string tuneBar(const TuneRun &run, double budget, size_t columns);

} // namespace boo
