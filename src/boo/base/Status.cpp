//===- Status.cpp ---------------------------------------------------------===//

#include "boo/base/Status.h"

using namespace boo;

std::string_view boo::statusCodeName(StatusCode code) {
  switch (code) {
  case StatusCode::Ok:
    return "ok";
  case StatusCode::InvalidArgument:
    return "invalid argument";
  case StatusCode::Unsupported:
    return "unsupported";
  case StatusCode::NotFound:
    return "not found";
  case StatusCode::OutOfMemory:
    return "out of memory";
  case StatusCode::IoError:
    return "i/o error";
  case StatusCode::CompileError:
    return "compile error";
  case StatusCode::KernelError:
    return "kernel error";
  case StatusCode::Internal:
    return "internal error";
  }
  return "unknown error";
}

std::string Status::toString() const {
  std::string text(statusCodeName(Code));
  if (!isOk())
    text += ": " + Message;
  return text;
}

Status Status::withContext(std::string_view context) const {
  if (isOk())
    return *this;
  return {Code, std::string(context) + ": " + Message};
}
