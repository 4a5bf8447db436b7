//===- KernelBuilder.h - What emitters write kernels with -------*- C++ -*-===//
//
// A thin layer over OpBuilder: index arithmetic that folds, loops that take a
// lambda, and the frame of a dispatch function.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/graph/DType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

namespace boo::compiler {

using mlir::Value; // not the Graph's

class KernelBuilder {
public:
  /// Builds at the end of `module`.
  explicit KernelBuilder(mlir::ModuleOp module);

  mlir::OpBuilder &builder() { return Builder; }
  mlir::Location loc() const { return Loc; }
  mlir::Type type(DType dtype);

  /// Writes the function `boo_dispatch_<number>`: `body` is called with the
  /// index of a tile, inside the loop over the worker's tiles; or over all of
  /// `tiles` when the grid is declared to have a single one.
  void dispatch(int64_t number,
                const std::function<void(mlir::Value tile)> &body,
                std::optional<int64_t> tiles = std::nullopt);

  /// A buffer of the launch; only inside of dispatch().
  mlir::Value buffer(ArgField field, int64_t slot, mlir::Type element);

  // Index arithmetic, only inside of dispatch(); constants fold.
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, index(b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value ceilDiv(mlir::Value a, int64_t b); ///< `a` may be negative
  mlir::Value equal(mlir::Value a, int64_t b);
  /// Splits a linear index into coordinates of `sizes`, the last one fastest.
  std::vector<mlir::Value> delinearize(mlir::Value linear,
                                       const std::vector<int64_t> &sizes);

  /// `for (i = from; i < to; i += step)`. A single known trip is no loop.
  void loop(mlir::Value from, mlir::Value to, int64_t step,
            const std::function<void(mlir::Value)> &body);
  /// The first of each `step` out of `count`, and how many they are: the last
  /// may be fewer, and have a body of their own.
  void loopPieces(int64_t count, int64_t step,
                  const std::function<void(mlir::Value, int64_t)> &body);
  void ifThen(mlir::Value condition, const std::function<void()> &then,
              const std::function<void()> &otherwise = nullptr);

  mlir::Value load(mlir::Value buffer, mlir::Value at);
  void store(mlir::Value value, mlir::Value buffer, mlir::Value at);
  /// Asks for the 64 bytes at `at`, for the cache of `level` (1 or 2).
  void prefetch(mlir::Value buffer, mlir::Value at, int level);
  /// `value` (a float or a vector of floats) in another float type.
  mlir::Value convert(mlir::Value value, mlir::Type element);

private:
  mlir::OpBuilder Builder;
  mlir::ModuleOp Module;
  mlir::Location Loc;
  mlir::Value Args, Tile;
  mlir::Block *Entry = nullptr;
  // Of the current function, one of each at its start.
  std::map<int64_t, mlir::Value> Constants;
  std::map<std::tuple<int, int64_t, const void *>, mlir::Value> Buffers;
};

} // namespace boo::compiler
