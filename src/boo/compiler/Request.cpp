//===- Request.cpp - A Graph text with lines about it ---------------------===//

#include "boo/compiler/Request.h"
#include "boo/base/Target.h"

#include "llvm/ADT/StringRef.h"

using namespace boo;
using namespace boo::compiler;

static std::string completeTarget(llvm::StringRef text) {
  auto isa = parseIsa(std::string_view(text));
  if (!isa.isOk())
    return text.str();
  Target target;
  target.isa = *isa;
  return printTarget(target);
}

Request boo::compiler::parseRequest(std::string_view text) {
  Request request;
  request.target = completeTarget(isaName(Isa::Avx512));
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  for (llvm::StringRef line : lines) {
    llvm::StringRef comment = line.ltrim();
    if (!comment.consume_front("//")) {
      request.graph += line.str() + "\n";
      continue;
    }
    comment = comment.trim();
    if (comment.consume_front("schedule:"))
      request.schedule = comment.trim().str();
    else if (comment.consume_front("target:"))
      request.target = completeTarget(comment.trim());
    else if (comment.consume_front("math:"))
      request.math = comment.trim().str();
    else if (comment.consume_front("constants:"))
      request.constantsPacked = comment.trim() == "packed";
  }
  return request;
}
