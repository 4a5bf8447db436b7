//===- WorkerPool.cpp - Jobs in processes that may die --------------------===//
//
// A socket joins the program to each worker. The program writes the number of a
// job; the worker answers with frames: any number of messages, then one that
// tells that the job has returned. What is cut short by a death is left out.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/WorkerPool.h"
#include "boo/base/Interrupt.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace boo;

using Clock = std::chrono::steady_clock;

/// With which a worker ends that gets no more memory.
static constexpr int kOutOfMemory = 86;
static constexpr double kGraceSeconds = 2;

static std::string signalText(int signal) {
  switch (signal) {
  case SIGSEGV:
    return "SIGSEGV (bad memory access)";
  case SIGBUS:
    return "SIGBUS (bad memory access)";
  case SIGILL:
    return "SIGILL (instruction that this CPU lacks)";
  case SIGFPE:
    return "SIGFPE (division by zero)";
  case SIGABRT:
    return "SIGABRT (it gave up)";
  case SIGKILL:
    return "SIGKILL (by the system, out of memory, or by hand)";
  default:
    const char *name = ::sigabbrev_np(signal);
    return name ? "SIG" + std::string(name)
                : "signal " + std::to_string(signal);
  }
}

std::string JobEnd::describe() const {
  if (WIFSIGNALED(waitStatus))
    return "killed by " + signalText(WTERMSIG(waitStatus));
  if (WEXITSTATUS(waitStatus) == kOutOfMemory)
    return "ran out of memory";
  return "ended its process with status " +
         std::to_string(WEXITSTATUS(waitStatus));
}

namespace {
/// Before each message; FrameKind::Returned has a single byte behind it.
struct FrameHead {
  uint64_t kind, bytes;
};
enum FrameKind : uint64_t { Message, Returned };
} // namespace

static bool sendAll(int socket, const void *data, size_t bytes) {
  for (const char *at = static_cast<const char *>(data); bytes > 0;) {
    ssize_t n = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    at += n;
    bytes -= size_t(n);
  }
  return true;
}

static bool sendFrame(int socket, FrameKind kind, std::string_view bytes) {
  FrameHead head{kind, bytes.size()};
  return sendAll(socket, &head, sizeof head) &&
         sendAll(socket, bytes.data(), bytes.size());
}

/// The life of a worker.
[[noreturn]] static void serve(int socket, pid_t parent,
                               const WorkerOptions &options) {
  leaveCrashesToParent();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(0); // it died before the line above
  // When memory runs out the system is to end the worker, not the program.
  if (FileHandle file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
      file.isOpen()) {
    [[maybe_unused]] ssize_t n = ::write(file.fd(), "1000", 4);
  }
  std::set_new_handler([] { ::_exit(kOutOfMemory); });
  for (bool sound = true; sound;) {
    uint64_t job;
    ssize_t n = ::recv(socket, &job, sizeof job, MSG_WAITALL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n != ssize_t(sizeof job))
      break;
    sound = options.work(size_t(job), [&](std::string_view message) {
      if (!sendFrame(socket, Message, message))
        ::_exit(0); // nobody is there to hear
    });
    std::fflush(nullptr);
    if (!sendFrame(socket, Returned, sound ? "1" : "0"))
      break;
  }
  ::_exit(0);
}

namespace {

struct Worker {
  pid_t pid = -1;
  FileHandle socket;
  std::string received; ///< up to now, without the frames that were whole
  bool busy = false, sound = true;
  size_t job = 0;
  Clock::time_point deadline = Clock::time_point::max();
};

class Pool {
public:
  Pool(std::span<const size_t> jobs, const WorkerOptions &options)
      : Jobs(jobs), Options(options) {}
  ~Pool();

  Status run();

private:
  Status start(Worker *worker);
  Status startJobs();
  void wait();
  void receive(Worker &worker);
  void takeFrames(Worker &worker);
  void checkDeadlines();
  void passInterruptOn();
  void end(Worker &worker, bool timedOut);

  std::span<const size_t> Jobs; ///< those that have not begun
  const WorkerOptions &Options;
  std::vector<Worker> Workers;
  bool Told = false;
  sigset_t OldMask{};
};

} // namespace

Pool::~Pool() {
  for (Worker &worker : Workers)
    if (worker.busy)
      ::kill(worker.pid, SIGKILL);
  for (Worker &worker : Workers) {
    worker.socket = FileHandle(); // the end of its jobs
    ::waitpid(worker.pid, nullptr, 0);
  }
}

Status Pool::start(Worker *worker) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return systemError("make", "a socket for a worker process");
  FileHandle own(ends[0]), other(ends[1]);
  std::fflush(nullptr); // or the worker would write it once more
  pid_t parent = ::getpid();
  worker->pid = ::fork();
  if (worker->pid < 0)
    return systemError("start", "a worker process");
  if (worker->pid == 0) {
    ::close(ends[0]);
    for (const Worker &each : Workers)
      ::close(each.socket.fd());
    ::pthread_sigmask(SIG_SETMASK, &OldMask, nullptr);
    serve(ends[1], parent, Options);
  }
  worker->socket = std::move(own);
  return Status::ok();
}

/// Gives a job to each worker that has none, making those that are missing.
Status Pool::startJobs() {
  size_t most = size_t(std::max(Options.workers, 1));
  for (size_t i = 0; i != most && !Jobs.empty(); ++i) {
    if (i == Workers.size()) {
      Worker fresh;
      BOO_RETURN_IF_ERROR(start(&fresh));
      Workers.push_back(std::move(fresh));
    }
    Worker &worker = Workers[i];
    if (worker.busy)
      continue;
    worker.job = Jobs.front();
    uint64_t job = worker.job;
    if (!sendAll(worker.socket.fd(), &job, sizeof job)) {
      // It died without a job (the system may have wanted its memory).
      end(worker, false);
      --i;
      continue;
    }
    Jobs = Jobs.subspan(1);
    worker.busy = true;
    double seconds = Options.timeout ? Options.timeout(worker.job) : 0;
    worker.deadline =
        seconds > 0 && seconds < 1e9
            ? Clock::now() + std::chrono::nanoseconds(int64_t(seconds * 1e9))
            : Clock::time_point::max();
    if (Options.onStart)
      Options.onStart(worker.job);
  }
  return Status::ok();
}

/// Until a worker has something to tell, a deadline passes, or Ctrl-C comes.
void Pool::wait() {
  std::vector<pollfd> fds;
  Clock::time_point first = Clock::time_point::max();
  for (const Worker &worker : Workers) {
    fds.push_back({worker.socket.fd(), POLLIN, 0});
    if (worker.busy)
      first = std::min(first, worker.deadline);
  }
  timespec patience{};
  if (auto left = first - Clock::now(); left.count() > 0) {
    auto ns = std::chrono::nanoseconds(left).count();
    patience = {time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
  }
  bool endless = first == Clock::time_point::max();
  // SIGINT is open only in here, so that none slips in between the question
  // and the wait.
  if (!interrupted() || Told)
    ::ppoll(fds.data(), fds.size(), endless ? nullptr : &patience, &OldMask);
  // One that came beside something to read is still pending: it is let in
  // before another job is handed out.
  timespec none{};
  ::ppoll(nullptr, 0, &none, &OldMask);
  for (size_t i = fds.size(); i-- != 0;)
    if (fds[i].revents)
      receive(Workers[i]);
}

void Pool::receive(Worker &worker) {
  char buffer[1 << 16];
  ssize_t n;
  while ((n = ::recv(worker.socket.fd(), buffer, sizeof buffer, MSG_DONTWAIT)) >
         0)
    worker.received.append(buffer, size_t(n));
  bool gone = n == 0 || (errno != EAGAIN && errno != EINTR);
  takeFrames(worker);
  if (gone || !worker.sound)
    end(worker, false);
}

void Pool::takeFrames(Worker &worker) {
  std::string_view rest = worker.received;
  FrameHead head;
  while (rest.size() >= sizeof head) {
    std::memcpy(&head, rest.data(), sizeof head);
    if (rest.size() - sizeof head < head.bytes)
      break;
    std::string_view bytes = rest.substr(sizeof head, head.bytes);
    rest.remove_prefix(sizeof head + head.bytes);
    if (head.kind == Message) {
      Options.onMessage(worker.job, bytes);
      continue;
    }
    worker.busy = false;
    worker.sound = bytes == "1";
    JobEnd end;
    end.returned = true;
    Options.onEnd(worker.job, end);
  }
  worker.received.erase(0, worker.received.size() - rest.size());
}

/// Buries a worker, and removes it.
void Pool::end(Worker &worker, bool timedOut) {
  // One that hangs ends so; one that died by itself keeps its own status.
  ::kill(worker.pid, SIGKILL);
  JobEnd end;
  end.timedOut = timedOut;
  ::waitpid(worker.pid, &end.waitStatus, 0);
  size_t job = worker.job;
  bool tell = worker.busy && !interrupted();
  Workers.erase(Workers.begin() + (&worker - Workers.data()));
  if (tell)
    Options.onEnd(job, end);
}

void Pool::checkDeadlines() {
  Clock::time_point now = Clock::now();
  for (size_t i = Workers.size(); i-- != 0;)
    if (Workers[i].busy && Workers[i].deadline <= now)
      end(Workers[i], true);
}

void Pool::passInterruptOn() {
  if (!interrupted() || std::exchange(Told, true))
    return;
  auto grace =
      Clock::now() + std::chrono::nanoseconds(int64_t(kGraceSeconds * 1e9));
  for (Worker &worker : Workers)
    if (worker.busy) {
      ::kill(worker.pid, SIGINT);
      worker.deadline = std::min(worker.deadline, grace);
    }
}

Status Pool::run() {
  sigset_t interrupt;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupt, &OldMask);
  Status status;
  for (;;) {
    if (!interrupted() && status.isOk())
      status = startJobs();
    passInterruptOn();
    bool busy = std::any_of(Workers.begin(), Workers.end(),
                            [](const Worker &worker) { return worker.busy; });
    if (!busy)
      break;
    wait();
    checkDeadlines();
  }
  ::pthread_sigmask(SIG_SETMASK, &OldMask, nullptr);
  return status;
}

Status boo::runInWorkers(std::span<const size_t> jobs,
                         const WorkerOptions &options) {
  return Pool(jobs, options).run();
}
