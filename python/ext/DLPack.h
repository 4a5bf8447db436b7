//===- DLPack.h - The part of DLPack that tensors cross by ------*- C++ -*-===//
//
// Declarations of DLPack 1.x's binary interface
// (https://dmlc.github.io/dlpack): the tensor, the two managed forms, and the
// table of C functions that a framework's tensor type offers as
// __dlpack_c_exchange_api__ since 1.2. Layout and names are the standard's.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

extern "C" {

struct DLPackVersion {
  uint32_t major, minor;
};

struct DLDevice {
  int32_t device_type; ///< 1 is the CPU
  int32_t device_id;
};

struct DLDataType {
  uint8_t code; ///< 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool
  uint8_t bits;
  uint16_t lanes;
};

struct DLTensor {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides; ///< in elements; NULL, before 1.2, is row-major
  uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor dl_tensor;
  void *manager_ctx;
  void (*deleter)(DLManagedTensor *self);
};

struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(DLManagedTensorVersioned *self);
  uint64_t flags;
  DLTensor dl_tensor;
};

struct DLPackExchangeAPIHeader {
  DLPackVersion version;
  DLPackExchangeAPIHeader *prev_api;
};

struct DLPackExchangeAPI {
  DLPackExchangeAPIHeader header;
  void *managed_tensor_allocator;
  int (*managed_tensor_from_py_object_no_sync)(void *object,
                                               DLManagedTensorVersioned **out);
  int (*managed_tensor_to_py_object_no_sync)(DLManagedTensorVersioned *tensor,
                                             void **object);
  int (*dltensor_from_py_object_no_sync)(void *object, DLTensor *out);
  void *current_work_stream;
};

} // extern "C"
