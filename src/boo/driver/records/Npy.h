//===- Npy.h - NumPy's file format ------------------------------*- C++ -*-===//
//
// The head of a .npy file, which says what the bytes behind it are: magic,
// version, length, and a Python dictionary such as
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"
#include "boo/graph/DType.h"

#include <cstdint>
#include <vector>

namespace boo {

struct NpyHead {
  std::string descr;         ///< of the elements: "<f4"
  bool fortranOrder = false; ///< the first index runs fastest
  std::vector<int64_t> shape;
  size_t dataOffset = 0; ///< where the elements begin; set by parsing

  /// Elements; parseNpyHead() refuses more than 2^62 bytes.
  int64_t numElements() const;
};

/// What NumPy calls an element of ours. It has no bfloat16: those are written
/// as their bits, "<u2".
std::string_view npyDescr(DType dtype);
/// Whether elements of `descr` are ours bit by bit. bfloat16 may also be the
/// two opaque bytes ("|V2") that ml_dtypes makes of it.
bool npyHolds(std::string_view descr, DType dtype);

/// The head in format 1.0, padded so that the elements begin at a multiple of
/// 64. At most 1000 dimensions.
std::string printNpyHead(const NpyHead &head);

/// Reads the head at the start of a file; formats 1.0, 2.0 and 3.0. `bytes` may
/// be cut short behind the head: kNpyHeadBytes are always enough.
StatusOr<NpyHead> parseNpyHead(std::string_view bytes);
inline constexpr size_t kNpyHeadBytes = (1 << 16) + 12;

} // namespace boo
