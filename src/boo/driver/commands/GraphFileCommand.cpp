//===- GraphFileCommand.cpp - `graph FILE`: any Graph in text form --------===//

#include "boo/driver/commands/Command.h"
#include "boo/runtime/Files.h"

#include <sys/stat.h>

using namespace boo;

/// The file's name as a func_name: safe bytes only, of bounded length.
static std::string graphName(const std::string &path) {
  std::string name = baseName(path);
  name = name.substr(0, name.rfind('.'));
  for (char &c : name)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
        !(c >= '0' && c <= '9') && c != '-')
      c = '_';
  return "graph_" + name.substr(0, 150);
}

/// A name that is wrong on the command line is a usage error.
static Status unreadable(const Status &status) {
  return invalidArgument("graph: " + status.message());
}

StatusOr<CommandGraph> boo::buildGraphFile(const CommandLine &line) {
  if (line.positionals.size() != 1)
    return invalidArgument("graph takes the name of one file");
  const std::string &path = line.positionals.front();
  // A pipe or a device may never end.
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return unreadable(systemError("open", path));
  constexpr int64_t limit = int64_t(1) << 30;
  if (!S_ISREG(info.st_mode) || info.st_size > limit)
    return invalidArgument(path + " is no regular file of at most 1 GiB");
  auto text = readFile(path);
  if (!text.isOk())
    return unreadable(text.status());
  auto graph = parseGraph(*text);
  if (!graph.isOk())
    return graph.status().withContext(path);

  CommandGraph result;
  result.graph = std::move(*graph);
  result.name = graphName(path);
  for (const Value &value : result.graph.values())
    if (!value.type.isStatic())
      return unsupported(path + ": sizes that are bound at launch cannot be "
                                "run from the command line");
  for (const Output &output : result.graph.outputs()) {
    std::vector<int64_t> sizes;
    for (Dim dim : result.graph.value(output.value).type.sizes)
      sizes.push_back(dim.size());
    result.outputSizes.push_back(std::move(sizes));
  }
  if (line.driver.on(DriverFlag::WeiConst))
    result.notes.push_back("--wei-const is ignored: the Graph's text says "
                           "which arguments are constants");
  return result;
}
