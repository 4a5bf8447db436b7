//===- DynamicLibrary.cpp -------------------------------------------------===//

#include "boo/base/DynamicLibrary.h"

#include <climits>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/auxv.h>
#include <unistd.h>

using namespace boo;

DynamicLibrary::DynamicLibrary(DynamicLibrary &&other) noexcept
    : Handle(std::exchange(other.Handle, nullptr)) {}

DynamicLibrary &DynamicLibrary::operator=(DynamicLibrary &&other) noexcept {
  std::swap(Handle, other.Handle);
  return *this;
}

DynamicLibrary::~DynamicLibrary() {
  if (Handle)
    ::dlclose(Handle);
}

StatusOr<DynamicLibrary> DynamicLibrary::open(const std::string &path) {
  if (path.find('/') == std::string::npos)
    return invalidArgument("library path '" + path + "' has no folder");
  DynamicLibrary library;
  library.Handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library.Handle) {
    const char *why = ::dlerror();
    return ioError(why ? why : "cannot load " + path);
  }
  return library;
}

void *DynamicLibrary::find(const char *name) const {
  return Handle ? ::dlsym(Handle, name) : nullptr;
}

std::string boo::ownFile() {
  // For code in the main program dladdr gives argv[0], which may be relative
  // to a folder long left; /proc/self/exe is right there.
  Dl_info own, program;
  bool known = ::dladdr(reinterpret_cast<void *>(&ownFile), &own) != 0;
  bool inProgram =
      !known || !own.dli_fname ||
      (::dladdr(reinterpret_cast<void *>(::getauxval(AT_PHDR)), &program) &&
       program.dli_fbase == own.dli_fbase);
  char buffer[PATH_MAX];
  std::string path;
  if (inProgram) {
    ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof(buffer));
    if (n > 0)
      path.assign(buffer, size_t(n));
  } else {
    path = ::realpath(own.dli_fname, buffer) ? buffer : own.dli_fname;
  }
  return path;
}

std::string boo::ownDirectory() {
  std::string path = ownFile();
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
