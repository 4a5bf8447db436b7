//===- Buffer.cpp ---------------------------------------------------------===//

#include "boo/driver/Buffer.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

using namespace boo;

static constexpr int64_t Page = 4096;
/// Bytes of pattern in front of the data, and at least as many behind it.
static constexpr int64_t Margin = 256;
static constexpr int64_t Alignment = 64;
static constexpr unsigned char Pattern = 0xa5;

GuardedBuffer &GuardedBuffer::operator=(GuardedBuffer &&other) noexcept {
  std::swap(Map, other.Map);
  std::swap(Data, other.Data);
  std::swap(MapSize, other.MapSize);
  std::swap(Size, other.Size);
  return *this;
}

GuardedBuffer::~GuardedBuffer() {
  if (Map)
    ::munmap(Map, size_t(MapSize));
}

StatusOr<GuardedBuffer> GuardedBuffer::create(int64_t bytes) {
  if (bytes < 0 || bytes > INT64_MAX / 2)
    return Status(StatusCode::OutOfMemory, "a buffer of " +
                                               std::to_string(bytes) +
                                               " bytes is beyond any machine");
  int64_t inner = (2 * Margin + Alignment + bytes + Page - 1) / Page * Page;
  GuardedBuffer buffer;
  buffer.MapSize = inner + 2 * Page;
  void *map = ::mmap(nullptr, size_t(buffer.MapSize), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED ||
      ::mprotect(static_cast<char *>(map) + Page, size_t(inner),
                 PROT_READ | PROT_WRITE) != 0) {
    std::string reason = std::strerror(errno);
    if (map != MAP_FAILED)
      ::munmap(map, size_t(buffer.MapSize));
    return Status(StatusCode::OutOfMemory,
                  "mapping " + std::to_string(bytes) + " bytes: " + reason);
  }
  buffer.Map = static_cast<char *>(map);
  buffer.Size = bytes;
  buffer.place(0);
  return buffer;
}

void GuardedBuffer::place(int64_t offset) {
  assert(offset >= 0 && offset <= Alignment && "no room is left for more");
  char *begin = Map + Page, *end = Map + MapSize - Page;
  Data = begin + Margin + offset;
  std::memset(begin, Pattern, size_t(Data - begin));
  std::memset(Data + Size, Pattern, size_t(end - (Data + Size)));
  poison();
}

void GuardedBuffer::poison() { std::memset(Data, 0xff, size_t(Size)); }

int64_t GuardedBuffer::strayByte() const {
  auto written = [](const char *p) {
    return static_cast<unsigned char>(*p) != Pattern;
  };
  for (const char *p = Data + Size, *end = Map + MapSize - Page; p != end; ++p)
    if (written(p))
      return p - Data;
  for (const char *p = Data; p-- != Map + Page;)
    if (written(p))
      return p - Data;
  return kNone;
}
