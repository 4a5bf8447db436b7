//===- GuardedBuffer.h - Memory that notices a step outside -----*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>

namespace boo::testing {

/// `bytes` of memory with an inaccessible page right after its last byte or
/// right before its first one. The slack on the other side holds a pattern.
class GuardedBuffer {
public:
  enum class Guard { Before, After };
  /// The first byte lies on a multiple of `alignment` only if `bytes` is one
  /// or the guard stands before.
  GuardedBuffer(size_t bytes, Guard guard);
  ~GuardedBuffer();
  GuardedBuffer(GuardedBuffer &&other) noexcept;
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;

  void *data() const { return Data; }
  size_t size() const { return Bytes; }
  /// Whether the slack still holds its pattern.
  bool slackIsIntact() const;

private:
  uint8_t *Map = nullptr, *Data = nullptr, *Slack = nullptr;
  size_t MapBytes = 0, Bytes = 0, SlackBytes = 0;
};

} // namespace boo::testing
