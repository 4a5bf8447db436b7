//===- DynamicLibrary.h - dlopen with reasons -------------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

namespace boo {

/// A shared object, closed by its destructor unless leak() was called.
class DynamicLibrary {
public:
  DynamicLibrary() = default;
  DynamicLibrary(DynamicLibrary &&other) noexcept;
  DynamicLibrary &operator=(DynamicLibrary &&other) noexcept;
  ~DynamicLibrary();

  /// Opens `path` with RTLD_NOW and RTLD_LOCAL. `path` must hold a slash, so
  /// that no search path takes part.
  static StatusOr<DynamicLibrary> open(const std::string &path);

  bool isOpen() const { return Handle != nullptr; }
  /// The address of `name`, or NULL.
  void *find(const char *name) const;
  /// Keeps the object mapped until the process ends.
  void leak() { Handle = nullptr; }

private:
  void *Handle = nullptr;
};

/// The file that holds this code: libboo.so, or the program that BOO is linked
/// into. "" when the system does not tell.
std::string ownFile();
/// Its folder.
std::string ownDirectory();

} // namespace boo
