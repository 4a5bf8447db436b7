//===- CompilerPlugin.h - The compiler, opened on the first miss -*- C++
//-*-===//
#pragma once

#include "boo/abi/CompilerAbi.h"
#include "boo/base/Status.h"

#include <vector>

namespace boo {

/// Where libboo-compiler.so is: BOO_COMPILER_PLUGIN, else beside this program
/// or library, else in its ../lib. The error lists the places looked at.
StatusOr<std::string> findCompilerPlugin();

/// Build ids of the plugin and of the libMLIR and libLLVM it is linked to, as
/// they stand in the cache key: "boo-compiler=1f… libMLIR.so.22=…". Nothing is
/// mapped, and the files are read once a process. Without a plugin
/// "boo-compiler=none": such keys only find what was made without one.
const std::string &compilerBuilds();
/// The same for a plugin at `path`.
std::string compilerBuildsOf(const std::string &path);

/// Build id of the program or library at `path`, or a stand-in from size and
/// time of a file without one.
std::string buildOf(const std::string &path);

/// Compiles through the plugin, opening it first if need be. It stays open.
Status compileArtifact(const boo_compile_request &request);

/// The Schedules that boo_compiler_neighbours() names: that of the request, and
/// those a step away.
StatusOr<std::vector<std::string>>
compilerNeighbours(const boo_compile_request &request);

} // namespace boo
