//===- Temporary.h - Files under construction -------------------*- C++ -*-===//
//
// A file is made under a name that tells its maker, then renamed. What a killed
// process left behind is found by that name.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <string>
#include <string_view>

namespace boo {

/// ".boo-<machine>-<pid>-<n>", unique among all processes that share a folder.
/// Callers may append a suffix.
std::string temporaryName();

bool isTemporaryName(std::string_view name);

/// Removes temporaries (files, and folders with files in them) in `folder`
/// whose process on this machine is dead, or that are more than a day old.
/// Returns how many.
int removeAbandoned(const std::string &folder);

/// Removes a folder and the files in it, but no folders within.
void removeFlatDirectory(const std::string &path);

} // namespace boo
