//===- Hash.h - Content hashes ----------------------------------*- C++ -*-===//
//
// XXH3-128 of bytes. It tells contents apart and finds damage; it is no
// defence against a forger: owner and permissions of a file are.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace boo {

/// 128 bits as 32 lower-case hexadecimal digits.
std::string hashHex(std::string_view bytes);

/// The hash of several pieces in turn, as if they were one.
class Hasher {
public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher &) = delete;
  Hasher &operator=(const Hasher &) = delete;

  void update(std::string_view bytes);
  std::string hex() const;

private:
  void *State;
};

} // namespace boo
