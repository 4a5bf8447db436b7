//===- SpecFile.cpp -------------------------------------------------------===//

#include "boo/driver/tune/SpecFile.h"

using namespace boo;

Status SpecFile::open(const std::string &path) {
  BOO_RETURN_IF_ERROR(File.open(path, "--output (-o)"));
  BOO_ASSIGN_OR_RETURN(Text, File.read());
  size_t whole = Text.rfind('\n') + 1; // 0 for no line at all
  if (whole != Text.size()) {
    // The last line was cut short, or an editor left out its newline.
    bool torn = !TuningTable::parse(Text.substr(whole)).isOk() &&
                (whole != 0 || Text.starts_with("{\"graph\""));
    if (torn)
      Text.resize(whole);
    else
      Text += '\n';
  }
  auto table = TuningTable::parse(Text);
  if (!table.isOk())
    return invalidArgument("--output (-o) " + path +
                           ": this is no file of tuning entries, and is left "
                           "alone: name another (" +
                           table.status().message() + ")");
  BOO_RETURN_IF_ERROR(File.keep(std::min(whole, Text.size())));
  if (Text.size() > whole)
    return File.append(std::string_view(Text).substr(whole));
  return Status::ok();
}

Status SpecFile::add(const TuningEntry &entry) {
  BOO_ASSIGN_OR_RETURN(TuningTable table, TuningTable::parse(Text));
  if (table.find(entry.graph, entry.isa, entry.math) == entry.schedule)
    return Status::ok();
  std::string line = printTuningEntry(entry);
  BOO_RETURN_IF_ERROR(File.append(line));
  Text += line;
  return Status::ok();
}

Status SpecFile::withdraw(const TuningEntry &entry) {
  for (size_t end = Text.size(); end != 0;) {
    size_t begin = end < 2 ? 0 : Text.rfind('\n', end - 2) + 1;
    auto line =
        TuningTable::parse(std::string_view(Text).substr(begin, end - begin));
    std::string schedule =
        line.isOk() ? line->find(entry.graph, entry.isa, entry.math) : "";
    if (schedule.empty()) {
      end = begin;
      continue;
    }
    if (schedule != entry.schedule)
      break;
    Text.erase(begin, end - begin);
    BOO_RETURN_IF_ERROR(File.keep(begin));
    return File.append(std::string_view(Text).substr(begin));
  }
  return Status::ok();
}
