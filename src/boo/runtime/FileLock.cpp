//===- FileLock.cpp -------------------------------------------------------===//

#include "boo/runtime/FileLock.h"
#include "boo/base/Log.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <pthread.h>
#include <thread>
#include <unistd.h>

using namespace boo;

// A child of fork() inherits the descriptors and with them the locks, which
// would outlive a parent that dies. So the child closes them: the parent's own
// descriptors keep the locks. The table is of atomics because a fork handler
// may take no mutex.
static std::array<std::atomic<int>, 256> heldDescriptors{};

static void closeInChild() {
  for (std::atomic<int> &held : heldDescriptors)
    if (int fd = held.exchange(0))
      ::close(fd - 1);
}

[[maybe_unused]] static const int forkHandler =
    ::pthread_atfork(nullptr, nullptr, closeInChild);

static int remember(int fd) {
  for (size_t i = 0; i < heldDescriptors.size(); ++i) {
    int none = 0;
    if (heldDescriptors[i].compare_exchange_strong(none, fd + 1))
      return int(i);
  }
  return -1;
}

static int setLock(int fd, int command, short type, int64_t offset) {
  // OFD locks and not F_SETLKW: those belong to the process, so two threads
  // would not exclude each other, closing any descriptor of the file would
  // drop them, and the kernel would see deadlocks between threads that wait
  // for different keys.
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  int result;
  do
    result = ::fcntl(fd, command, &lock);
  while (result != 0 && errno == EINTR);
  return result;
}

static bool isTaken(int error) { return error == EAGAIN || error == EACCES; }

/// Tries again for a while; 0 when the lock is had.
static int tryLock(int fd, int64_t offset, std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  while (setLock(fd, F_OFD_SETLK, F_WRLCK, offset) != 0) {
    auto waited = Clock::now() - start;
    if (!isTaken(errno) || waited >= patience)
      return errno;
    // A sixteenth of the wait is lost at most, and few calls go over a network.
    std::this_thread::sleep_for(std::chrono::milliseconds(1) + waited / 16);
  }
  return 0;
}

StatusOr<FileLock> FileLock::acquire(const std::string &path, int64_t offset,
                                     std::string_view what,
                                     std::chrono::milliseconds patience) {
  FileLock lock;
  lock.File = FileHandle(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.File.isOpen())
    return systemError("open", path);
  int fd = lock.File.fd();
  // Before the lock is had: a child may be forked while this waits.
  lock.Slot = remember(fd);
  int error = tryLock(fd, offset, patience);
  if (isTaken(error)) {
    BOO_LOG(Warning,
            std::string(what) + ": waiting for the process that holds " + path);
    error = setLock(fd, F_OFD_SETLKW, F_WRLCK, offset) == 0 ? 0 : errno;
  }
  if (error != 0) {
    errno = error;
    return systemError("lock", path);
  }
  lock.Offset = offset;
  return lock;
}

FileLock::~FileLock() {
  if (!File.isOpen())
    return;
  // In a forked child the descriptor is already closed, and its number may
  // belong to another file by now.
  if (Slot >= 0 && heldDescriptors[size_t(Slot)].exchange(0) == 0) {
    File.forget();
    return;
  }
  setLock(File.fd(), F_OFD_SETLK, F_UNLCK, Offset);
}
