//===- Allocator.cpp ------------------------------------------------------===//

#include "boo/runtime/Allocator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace boo;

namespace {
/// Stands before each block, in the 64 bytes that keep the block aligned.
struct Header {
  int64_t bytes; ///< of the size class
  uint32_t sizeClass;
  uint32_t magic;
};
constexpr int64_t kHeaderBytes = 64;
constexpr uint32_t kMagic = 0xb0007a95;
static_assert(sizeof(Header) <= kHeaderBytes);

/// Huge pages halve the time of the first touch of large blocks.
constexpr int64_t kHugePage = int64_t(2) << 20;

/// Four classes an octave from 256 bytes: at most a quarter is lost, and of
/// large blocks only addresses, since untouched pages cost no memory.
constexpr uint32_t kClasses = 4 * 40;
} // namespace

static uint32_t sizeClassOf(int64_t bytes) {
  if (bytes <= 256)
    return 0;
  uint64_t last = uint64_t(bytes) - 1;
  int octave = std::bit_width(last) - 1; // >= 8
  return uint32_t(octave - 8) * 4 + uint32_t(last >> (octave - 2) & 3) + 1;
}

static int64_t sizeClassBytes(uint32_t sizeClass) {
  if (sizeClass == 0)
    return 256;
  int octave = 8 + int(sizeClass - 1) / 4;
  int64_t quarters = 5 + (sizeClass - 1) % 4;
  return quarters << (octave - 2);
}

struct Allocator::State {
  mutable std::mutex mutex;
  std::array<std::vector<Header *>, kClasses> kept;
  AllocatorStats stats;
  int64_t keepLimit, blockLimit;
};

static int64_t physicalMemory() {
  return int64_t(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
}

Allocator::Allocator() : S(std::make_unique<State>()) {
  // Never the reason why others run out of memory: an eighth may be kept.
  S->keepLimit = std::max(physicalMemory() / 8, kHugePage);
  // Overcommitting systems promise more than they have.
  S->blockLimit = 2 * physicalMemory();
}

Allocator::~Allocator() { trim(); }

static Header *systemAllocate(int64_t bytes, uint32_t sizeClass) {
  int64_t total = kHeaderBytes + bytes;
  int64_t alignment = bytes >= kHugePage ? kHugePage : kHeaderBytes;
  total = (total + alignment - 1) / alignment * alignment;
  void *memory = std::aligned_alloc(size_t(alignment), size_t(total));
  if (!memory)
    return nullptr;
  if (alignment == kHugePage)
    ::madvise(memory, size_t(total), MADV_HUGEPAGE);
  auto *header = static_cast<Header *>(memory);
  *header = {bytes, sizeClass, kMagic};
  return header;
}

void *Allocator::allocate(int64_t bytes) {
  if (bytes < 0)
    return nullptr;
  uint32_t sizeClass = sizeClassOf(bytes);
  if (sizeClass >= kClasses)
    return nullptr;
  int64_t classBytes = sizeClassBytes(sizeClass);
  if (classBytes > S->blockLimit)
    return nullptr;
  Header *header = nullptr;
  {
    std::lock_guard lock(S->mutex);
    std::vector<Header *> &kept = S->kept[sizeClass];
    if (!kept.empty()) {
      header = kept.back(); // the last one freed is the warmest in the caches
      kept.pop_back();
      S->stats.cachedBytes -= classBytes;
    }
    ++S->stats.allocations;
    S->stats.systemCalls += header == nullptr;
    S->stats.inUseBytes += classBytes;
    S->stats.peakBytes = std::max(S->stats.peakBytes, S->stats.inUseBytes);
  }
  if (!header)
    header = systemAllocate(classBytes, sizeClass);
  if (!header) {
    trim();
    header = systemAllocate(classBytes, sizeClass);
  }
  if (!header) {
    std::lock_guard lock(S->mutex);
    S->stats.inUseBytes -= classBytes;
    return nullptr;
  }
  return reinterpret_cast<char *>(header) + kHeaderBytes;
}

void Allocator::release(void *block) {
  if (!block)
    return;
  auto *header =
      reinterpret_cast<Header *>(static_cast<char *>(block) - kHeaderBytes);
  if (header->magic != kMagic) {
    // Going on would hand out memory that is not ours.
    std::fputs("boo: a block that the allocator never made was released, or "
               "bytes before a block were overwritten\n",
               stderr);
    std::abort();
  }
  {
    std::lock_guard lock(S->mutex);
    S->stats.inUseBytes -= header->bytes;
    if (S->stats.cachedBytes + header->bytes <= S->keepLimit) {
      S->kept[header->sizeClass].push_back(header);
      S->stats.cachedBytes += header->bytes;
      return;
    }
  }
  std::free(header);
}

void Allocator::trim(int64_t keepBytes) {
  std::lock_guard lock(S->mutex);
  for (auto kept = S->kept.rbegin(); kept != S->kept.rend(); ++kept)
    while (!kept->empty() && S->stats.cachedBytes > keepBytes) {
      S->stats.cachedBytes -= kept->back()->bytes;
      std::free(kept->back());
      kept->pop_back();
    }
}

AllocatorStats Allocator::stats() const {
  std::lock_guard lock(S->mutex);
  return S->stats;
}

Allocator &Allocator::host() {
  static Allocator *allocator = [] {
    auto *made = new Allocator;
    // A child of fork() must not find the mutex held by a thread that does not
    // exist there.
    ::pthread_atfork([] { host().S->mutex.lock(); },
                     [] { host().S->mutex.unlock(); },
                     [] { host().S->mutex.unlock(); });
    return made;
  }();
  return *allocator;
}

HostBuffer::HostBuffer(HostBuffer &&other) noexcept
    : Data(std::exchange(other.Data, nullptr)),
      Size(std::exchange(other.Size, 0)) {}

HostBuffer &HostBuffer::operator=(HostBuffer &&other) noexcept {
  std::swap(Data, other.Data);
  std::swap(Size, other.Size);
  return *this;
}

StatusOr<HostBuffer> HostBuffer::create(int64_t bytes) {
  HostBuffer buffer;
  if (bytes <= 0)
    return buffer;
  buffer.Data = Allocator::host().allocate(bytes);
  if (!buffer.Data)
    return Status(StatusCode::OutOfMemory,
                  "cannot allocate " + std::to_string(bytes) + " bytes");
  buffer.Size = bytes;
  return buffer;
}
