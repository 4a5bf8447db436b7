//===- TuneReport.h - What `boo tune` prints --------------------*- C++ -*-===//
#pragma once

#include "boo/driver/tune/TuneRun.h"

namespace boo {

/// "line 2: conv -n 1 …", of the first command that needs the kernel.
std::string commandText(const TunedKernel &kernel);
/// A line for the latest trial if it is a find, takes one back, or failed; ""
/// for all others. The ratio is that to the untuned Schedule.
std::string trialText(const TunedKernel &kernel);
/// A line for the end of a kernel's search, and one if times swung.
std::string endText(const TunedKernel &kernel);

/// All kernels in 80 columns: line, microseconds untuned and tuned, their
/// ratio, Schedules tried and failed, command.
std::string tuneTable(std::span<const TunedKernel> kernels);

/// The text of the bar at a terminal.
std::string tuneBar(const TuneRun &run, double budget, size_t columns);

} // namespace boo
