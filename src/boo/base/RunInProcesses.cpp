//===- RunInProcesses.cpp -------------------------------------------------===//
//
// A child and its parent talk over a socket pair: a job's number one way, the
// answer's length and bytes the other. Either learns of the other's end by the
// end of the stream.
//
//===----------------------------------------------------------------------===//

#include "boo/base/RunInProcesses.h"
#include "boo/base/Interrupt.h"
#include "boo/base/Log.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace boo;

/// All bytes, or false at the end of the stream.
static bool sendAll(int fd, const void *data, size_t size) {
  const char *from = static_cast<const char *>(data);
  while (size > 0) {
    // Without a signal where nobody listens any more.
    ssize_t n = ::send(fd, from, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    from += n;
    size -= size_t(n);
  }
  return true;
}

static bool receiveAll(int fd, void *data, size_t size) {
  char *to = static_cast<char *>(data);
  while (size > 0) {
    ssize_t n = ::recv(fd, to, size, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    to += n;
    size -= size_t(n);
  }
  return true;
}

static bool receiveAnswer(int fd, std::string *answer) {
  uint64_t size;
  if (!receiveAll(fd, &size, sizeof size))
    return false;
  answer->resize(size);
  return receiveAll(fd, answer->data(), size);
}

[[noreturn]] static void serve(int fd,
                               const std::function<std::string(size_t)> &work) {
  // Ctrl-C reaches the whole group; the parent decides what it means.
  std::signal(SIGINT, SIG_IGN);
  for (size_t job; receiveAll(fd, &job, sizeof job);) {
    std::string answer = work(job);
    uint64_t size = answer.size();
    if (!sendAll(fd, &size, sizeof size) ||
        !sendAll(fd, answer.data(), answer.size()))
      break;
  }
  std::fflush(nullptr);
  ::_exit(0);
}

/// How a child ended, from waitpid's status.
static std::string describeEnd(int status) {
  if (!WIFSIGNALED(status))
    return "ended with status " + std::to_string(WEXITSTATUS(status));
  int signal = WTERMSIG(status);
  const char *name = ::strsignal(signal);
  return "was ended by signal " + std::to_string(signal) + " (" +
         (name ? name : "unknown") + ")" +
         (signal == SIGKILL ? ", perhaps for want of memory" : "");
}

namespace {

struct Child {
  pid_t pid = -1;
  int fd = -1;
  bool busy = false, closing = false;
  size_t job = 0;
};

class Pool {
public:
  Pool(std::span<const size_t> jobs, const ProcessJobs &what)
      : Jobs(jobs), What(what) {}
  ~Pool();

  Status run(size_t processes);

private:
  bool moreJobs() const { return Next != Jobs.size() && !interrupted(); }
  Status start();
  void feed(Child &child);
  /// Takes what a child has sent, or its end.
  void listen(Child &child);
  std::string reap(Child &child);

  std::span<const size_t> Jobs;
  const ProcessJobs &What;
  size_t Next = 0;
  std::vector<Child> Children;
};

} // namespace

Pool::~Pool() {
  for (Child &child : Children)
    reap(child);
}

std::string Pool::reap(Child &child) {
  ::close(child.fd);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
    ;
  return describeEnd(status);
}

Status Pool::start() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return ioError(std::string("socketpair: ") + std::strerror(errno));
  // What is in buffers would be written twice.
  std::fflush(nullptr);
  pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pair[0]);
    // A child must not keep the ends of its siblings' streams open.
    for (const Child &child : Children)
      ::close(child.fd);
    serve(pair[1], What.work);
  }
  int error = errno;
  ::close(pair[1]);
  if (pid < 0) {
    ::close(pair[0]);
    return ioError(std::string("fork: ") + std::strerror(error));
  }
  Children.push_back({pid, pair[0]});
  feed(Children.back());
  return Status::ok();
}

void Pool::feed(Child &child) {
  if (!moreJobs()) {
    child.closing = ::shutdown(child.fd, SHUT_WR) == 0;
    return;
  }
  child.job = Jobs[Next++];
  child.busy = true;
  // Where this fails the stream has ended, which listen() will find.
  (void)sendAll(child.fd, &child.job, sizeof child.job);
}

void Pool::listen(Child &child) {
  std::string answer;
  if (receiveAnswer(child.fd, &answer)) {
    child.busy = false;
    What.done(child.job, std::move(answer));
    feed(child);
    return;
  }
  std::string end = reap(child);
  if (child.busy)
    What.done(child.job, Status(StatusCode::Internal,
                                "the process that worked on it " + end));
  child.pid = -1;
}

Status Pool::run(size_t processes) {
  Status failure;
  while (moreJobs() || !Children.empty()) {
    while (moreJobs() && Children.size() < processes && failure.isOk())
      failure = start();
    if (Children.empty())
      return failure;
    if (!failure.isOk())
      warnOnce("processes", "only " + std::to_string(Children.size()) +
                                " processes: " + failure.message());
    std::vector<pollfd> streams;
    for (const Child &child : Children)
      streams.push_back({child.fd, POLLIN, 0});
    // A timeout, as Ctrl-C may come just before the wait.
    int ready = ::poll(streams.data(), streams.size(), 200);
    if (ready > 0)
      for (size_t i = 0; i != streams.size(); ++i)
        if (streams[i].revents)
          listen(Children[i]);
    std::erase_if(Children, [](const Child &child) { return child.pid < 0; });
    if (What.tick)
      What.tick();
  }
  return Status::ok();
}

Status boo::runInProcesses(std::span<const size_t> jobs, int64_t processes,
                           const ProcessJobs &what) {
  return Pool(jobs, what).run(size_t(std::max<int64_t>(processes, 1)));
}
