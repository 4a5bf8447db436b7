//===- LinkShared.cpp - lld as a library ----------------------------------===//

#include "boo/compiler/emit/Emit.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace boo;

namespace {
/// An anonymous file that lld can open by name: nothing to clean up after.
class MemoryFile {
public:
  explicit MemoryFile(std::string_view bytes)
      : Fd(memfd_create("boo-object", MFD_CLOEXEC)) {
    while (Fd >= 0 && !bytes.empty()) {
      ssize_t written = write(Fd, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0) {
        close(Fd);
        Fd = -1;
        return;
      }
      bytes.remove_prefix(size_t(written));
    }
  }
  ~MemoryFile() {
    if (Fd >= 0)
      close(Fd);
  }
  bool isOpen() const { return Fd >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(Fd); }

private:
  int Fd;
};
} // namespace

Status compiler::linkShared(std::string_view object, const std::string &path) {
  MemoryFile input(object);
  if (!input.isOpen())
    return ioError(std::string("no memory file for the object: ") +
                   std::strerror(errno));
  std::string inputPath = input.path();
  // Two threads in lld at once crash it.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  const char *args[] = {"ld.lld", "-shared", "-nostdlib", "-z", "defs", "-z",
                        "noexecstack", "-z", "now", "--threads=1",
                        "--build-id=none", "--hash-style=gnu", "--gc-sections",
                        // A full disk is then an error, not a bus error.
                        "--no-mmap-output-file", "-o", path.c_str(),
                        inputPath.c_str()};
  static bool usable = true;
  if (!usable)
    return internalError("lld crashed earlier in this process and cannot run "
                         "again");
  lld::Result result =
      lld::lldMain(args, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode == 0) {
    if (chmod(path.c_str(), 0600) != 0)
      return ioError(path + ": " + std::strerror(errno));
    return Status::ok();
  }
  return Status(StatusCode::CompileError,
                "linking failed: " +
                    (messages.empty() ? "no message" : messages));
}
