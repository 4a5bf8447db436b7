//===- GuardedBuffer.cpp --------------------------------------------------===//

#include "GuardedBuffer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

using namespace boo::testing;

static constexpr uint8_t pattern = 0xA5;

GuardedBuffer::GuardedBuffer(size_t bytes, Guard guard) : Bytes(bytes) {
  size_t page = size_t(sysconf(_SC_PAGESIZE));
  size_t inside = (std::max<size_t>(bytes, 1) + page - 1) / page * page;
  MapBytes = inside + page;
  void *map = mmap(nullptr, MapBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) {
    std::perror("mmap");
    std::abort();
  }
  Map = static_cast<uint8_t *>(map);
  uint8_t *first = guard == Guard::After ? Map : Map + page;
  uint8_t *guardPage = guard == Guard::After ? Map + inside : Map;
  Data = guard == Guard::After ? first + inside - bytes : first;
  Slack = guard == Guard::After ? first : first + bytes;
  SlackBytes = inside - bytes;
  std::fill_n(Slack, SlackBytes, pattern);
  if (mprotect(guardPage, page, PROT_NONE) != 0) {
    std::perror("mprotect");
    std::abort();
  }
}

GuardedBuffer::GuardedBuffer(GuardedBuffer &&other) noexcept
    : Map(std::exchange(other.Map, nullptr)), Data(other.Data),
      Slack(other.Slack), MapBytes(other.MapBytes), Bytes(other.Bytes),
      SlackBytes(other.SlackBytes) {}

GuardedBuffer::~GuardedBuffer() {
  if (Map)
    munmap(Map, MapBytes);
}

bool GuardedBuffer::slackIsIntact() const {
  return std::all_of(Slack, Slack + SlackBytes,
                     [](uint8_t byte) { return byte == pattern; });
}
