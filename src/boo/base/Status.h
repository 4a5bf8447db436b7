//===- Status.h - Errors that carry a reason --------------------*- C++ -*-===//
//
// The error type of everything outside the compiler's MLIR code: a kind, for
// programs, and a sentence, for people. No exceptions cross a BOO interface.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace boo {

enum class StatusCode {
  Ok = 0,
  InvalidArgument, ///< The request is wrong: the message names flag and remedy.
  Unsupported,     ///< The request is sound, but nothing here serves it.
  NotFound,        ///< A file, entry or symbol is absent.
  OutOfMemory,     ///< The machine cannot hold what is asked for.
  IoError,         ///< The system refused a file operation.
  CompileError,    ///< The compiler plugin failed: the message names the pass.
  KernelError,     ///< Generated code returned non-zero.
  Internal,        ///< A bug of BOO's own.
};

/// The code's name as it stands in messages: "invalid argument", "i/o error".
std::string_view statusCodeName(StatusCode code);

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : Code(code), Message(std::move(message)) {}

  static Status ok() { return {}; }

  bool isOk() const { return Code == StatusCode::Ok; }
  StatusCode code() const { return Code; }
  const std::string &message() const { return Message; }
  /// "invalid argument: …", or "ok".
  std::string toString() const;
  /// The same error with `context: ` before its message.
  Status withContext(std::string_view context) const;

private:
  StatusCode Code = StatusCode::Ok;
  std::string Message;
};

inline Status invalidArgument(std::string message) {
  return {StatusCode::InvalidArgument, std::move(message)};
}
inline Status unsupported(std::string message) {
  return {StatusCode::Unsupported, std::move(message)};
}
inline Status notFound(std::string message) {
  return {StatusCode::NotFound, std::move(message)};
}
inline Status ioError(std::string message) {
  return {StatusCode::IoError, std::move(message)};
}
inline Status internalError(std::string message) {
  return {StatusCode::Internal, std::move(message)};
}

/// A value or the reason why there is none.
template <typename T> class [[nodiscard]] StatusOr {
public:
  StatusOr(T value) : Value(std::move(value)) {}
  StatusOr(Status status) : Error(std::move(status)) {
    assert(!Error.isOk() && "a StatusOr without a value needs an error");
  }

  bool isOk() const { return Value.has_value(); }
  const Status &status() const { return Error; }
  T &operator*() { return *Value; }
  const T &operator*() const { return *Value; }
  T *operator->() { return &*Value; }
  const T *operator->() const { return &*Value; }

private:
  std::optional<T> Value;
  Status Error;
};

} // namespace boo

#define BOO_CONCAT_IMPL(a, b) a##b
#define BOO_CONCAT(a, b) BOO_CONCAT_IMPL(a, b)

/// Returns from the enclosing function when `expr` is an error.
#define BOO_RETURN_IF_ERROR(expr)                                              \
  do {                                                                         \
    if (::boo::Status booStatus = (expr); !booStatus.isOk())                   \
      return booStatus;                                                        \
  } while (false)

/// `BOO_ASSIGN_OR_RETURN(auto x, f())`: the value, or return the error.
#define BOO_ASSIGN_OR_RETURN(lhs, expr)                                        \
  BOO_ASSIGN_OR_RETURN_IMPL(BOO_CONCAT(booOr, __COUNTER__), lhs, expr)
#define BOO_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr)                              \
  auto tmp = (expr);                                                           \
  if (!tmp.isOk())                                                             \
    return tmp.status();                                                       \
  lhs = std::move(*tmp)
