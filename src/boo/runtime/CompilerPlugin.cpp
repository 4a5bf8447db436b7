//===- CompilerPlugin.cpp -------------------------------------------------===//

#include "boo/runtime/CompilerPlugin.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/base/Env.h"
#include "boo/base/Log.h"
#include "boo/runtime/ElfFile.h"
#include "boo/runtime/Files.h"

#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

static constexpr const char *kPluginName = "libboo-compiler.so";

StatusOr<std::string> boo::findCompilerPlugin() {
  auto exists = [](const std::string &path) {
    return ::access(path.c_str(), R_OK) == 0;
  };
  if (const std::string &path = env().compilerPlugin; !path.empty()) {
    if (exists(path))
      return path.find('/') == std::string::npos ? "./" + path : path;
    return notFound("no compiler plugin at BOO_COMPILER_PLUGIN=" + path);
  }
  std::string own = ownDirectory(), tried;
  for (const char *folder : {"", "/../lib", "/../" BOO_INSTALL_LIBDIR}) {
    std::string path = own + folder + "/" + kPluginName;
    if (exists(path))
      return path;
    if (tried.find(path) == std::string::npos)
      tried += (tried.empty() ? "" : ", ") + path;
  }
  return notFound("no compiler plugin: " + tried +
                  " do not exist, and BOO_COMPILER_PLUGIN is not set");
}

/// Its build id, or a stand-in from size and time of a file without one.
static std::string buildIdOf(const std::string &path, ElfInfo *elf) {
  if (auto info = readElfInfo(path); info.isOk()) {
    *elf = std::move(*info);
    if (!elf->buildId.empty())
      return elf->buildId;
  }
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return "none";
  return "size" + std::to_string(info.st_size) + "-mtime" +
         std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

std::string boo::buildOf(const std::string &path) {
  ElfInfo elf;
  return buildIdOf(path, &elf);
}

/// Where the dynamic linker finds `name` for an object in `folder`.
static std::string resolveNeeded(const std::string &name,
                                 const std::string &runPath,
                                 const std::string &folder) {
  std::vector<std::string> folders = env().libraryPath;
  for (size_t begin = 0; begin < runPath.size();) {
    size_t end = std::min(runPath.find(':', begin), runPath.size());
    std::string part = runPath.substr(begin, end - begin);
    for (std::string_view origin : {"${ORIGIN}", "$ORIGIN"})
      if (size_t at = part.find(origin); at != std::string::npos)
        part.replace(at, origin.size(), folder);
    folders.push_back(part);
    begin = end + 1;
  }
  for (const char *standard :
       {"/usr/lib/llvm-22/lib", "/usr/local/lib", "/lib/x86_64-linux-gnu",
        "/lib64", "/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
        "/usr/lib"})
    folders.push_back(standard);
  for (const std::string &candidate : folders)
    if (std::string path = candidate + "/" + name;
        ::access(path.c_str(), R_OK) == 0)
      return path;
  return "";
}

static bool isCompilerLibrary(std::string_view name) {
  for (std::string_view prefix : {"libMLIR", "libLLVM", "liblld", "libboo"})
    if (name.substr(0, prefix.size()) == prefix)
      return true;
  return false;
}

std::string boo::compilerBuildsOf(const std::string &path) {
  ElfInfo plugin;
  std::string text = "boo-compiler=" + buildIdOf(path, &plugin);
  std::set<std::string> seen;
  std::vector<std::string> pending = plugin.needed;
  std::string runPath = plugin.runPath, folder = parentPath(path);
  while (!pending.empty()) {
    std::string name = pending.front();
    pending.erase(pending.begin());
    if (!isCompilerLibrary(name) || !seen.insert(name).second)
      continue;
    ElfInfo library;
    std::string found = resolveNeeded(name, runPath, folder);
    text += " " + name + "=" + buildIdOf(found, &library);
    pending.insert(pending.end(), library.needed.begin(), library.needed.end());
  }
  return text;
}

const std::string &boo::compilerBuilds() {
  static const std::string *builds = [] {
    auto path = findCompilerPlugin();
    return new std::string(path.isOk() ? compilerBuildsOf(*path)
                                       : "boo-compiler=none");
  }();
  return *builds;
}

namespace {
struct Plugin {
  Status status;
  decltype(&boo_compiler_compile) compile = nullptr;
  decltype(&boo_compiler_neighbours) neighbours = nullptr; ///< may be absent
  decltype(&boo_compiler_release) release = nullptr;
};
} // namespace

static Status openPlugin(Plugin &plugin) {
  auto found = findCompilerPlugin();
  if (!found.isOk()) // not a missing file of the cache
    return unsupported(found.status().message());
  const std::string &path = *found;
  BOO_LOG(Debug, "opening the compiler " + path);
  auto library = DynamicLibrary::open(path);
  if (!library.isOk())
    return library.status().withContext("cannot open the compiler plugin");
  auto version = reinterpret_cast<decltype(&boo_compiler_abi_version)>(
      library->find("boo_compiler_abi_version"));
  plugin.compile = reinterpret_cast<decltype(plugin.compile)>(
      library->find("boo_compiler_compile"));
  plugin.neighbours = reinterpret_cast<decltype(plugin.neighbours)>(
      library->find("boo_compiler_neighbours"));
  plugin.release = reinterpret_cast<decltype(plugin.release)>(
      library->find("boo_compiler_release"));
  if (!version || !plugin.compile || !plugin.release)
    return unsupported(path + " is no BOO compiler plugin");
  if (version() != BOO_COMPILER_ABI_VERSION)
    return unsupported(path + " has compiler ABI " + std::to_string(version()) +
                       ", this is ABI " +
                       std::to_string(BOO_COMPILER_ABI_VERSION));
  // LLVM leaves threads and exit handlers behind: it is never unmapped.
  library->leak();
  return Status::ok();
}

static const Plugin &compilerPlugin() {
  static const Plugin *plugin = [] {
    auto *opened = new Plugin;
    opened->status = openPlugin(*opened);
    return opened;
  }();
  return *plugin;
}

/// Calls a function of the plugin: its message, or its error.
static StatusOr<std::string> call(const Plugin &plugin,
                                  decltype(Plugin::compile) function,
                                  const boo_compile_request &request) {
  boo_compile_result result{};
  int32_t code = function(&request, &result);
  std::string message = result.message ? result.message : "no reason given";
  plugin.release(&result);
  if (code == 0)
    return message;
  bool known = code > 0 && code <= int32_t(StatusCode::Internal);
  return Status(known ? StatusCode(code) : StatusCode::CompileError,
                std::move(message));
}

Status boo::compileArtifact(const boo_compile_request &request) {
  const Plugin &plugin = compilerPlugin();
  BOO_RETURN_IF_ERROR(plugin.status);
  return call(plugin, plugin.compile, request).status();
}

StatusOr<std::vector<std::string>>
boo::compilerNeighbours(const boo_compile_request &request) {
  const Plugin &plugin = compilerPlugin();
  BOO_RETURN_IF_ERROR(plugin.status);
  if (!plugin.neighbours)
    return unsupported("the compiler plugin cannot name Schedules to try: it "
                       "is older than this program");
  BOO_ASSIGN_OR_RETURN(std::string text,
                       call(plugin, plugin.neighbours, request));
  std::vector<std::string> schedules;
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    schedules.push_back(text.substr(at, end - at));
  }
  if (schedules.empty())
    return internalError("the compiler plugin names no Schedule");
  return schedules;
}
