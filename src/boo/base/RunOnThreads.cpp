//===- RunOnThreads.cpp ---------------------------------------------------===//

#include "boo/base/RunOnThreads.h"
#include "boo/base/Log.h"

#include <cstring>
#include <pthread.h>
#include <string>
#include <vector>

using namespace boo;

void boo::runOnThreads(int64_t threads, const std::function<void()> &work) {
  auto call = [](void *data) -> void * {
    (*static_cast<const std::function<void()> *>(data))();
    return nullptr;
  };
  void *data = const_cast<std::function<void()> *>(&work);
  std::vector<pthread_t> others;
  // Not std::thread: where there is no thread to be had it throws.
  for (int64_t i = 1; i < threads; ++i) {
    pthread_t thread;
    if (int error = ::pthread_create(&thread, nullptr, call, data)) {
      char buffer[256];
      warnOnce("threads", "only " + std::to_string(i) + " of " +
                              std::to_string(threads) +
                              " threads could be started: " +
                              ::strerror_r(error, buffer, sizeof(buffer)));
      break;
    }
    others.push_back(thread);
  }
  work();
  for (pthread_t thread : others)
    ::pthread_join(thread, nullptr);
}
