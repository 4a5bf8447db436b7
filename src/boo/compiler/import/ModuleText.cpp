//===- ModuleText.cpp - Modules that people wrote -------------------------===//

#include "boo/compiler/import/ModuleText.h"

#include "mlir/Parser/Parser.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

Messages::Messages(MLIRContext &context)
    : Handler(&context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return success();
        if (!Text.empty())
          Text += "; ";
        if (auto place = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
          Text += std::to_string(place.getLine()) + ":" +
                  std::to_string(place.getColumn()) + ": ";
        Text += diagnostic.str();
        return success();
      }) {}

std::string Messages::text() const {
  return Text.empty() ? "failed without a message" : Text;
}

/// How deep brackets of any kind nest in a text, comments and strings included.
/// MLIR's parser recurses with them, and a stack that overflows takes the whole
/// process along.
static int64_t nesting(std::string_view text) {
  int64_t depth = 0, deepest = 0;
  char before = ' ';
  for (char c : text) {
    if (c == '(' || c == '[' || c == '{' || c == '<')
      deepest = std::max(deepest, ++depth);
    else if (c == ')' || c == ']' || c == '}' || (c == '>' && before != '-'))
      depth = std::max<int64_t>(0, depth - 1);
    before = c;
  }
  return deepest;
}

StatusOr<OwningOpRef<ModuleOp>> parseModuleText(MLIRContext &context,
                                                std::string_view text) {
  constexpr int64_t deepest = 200;
  if (nesting(text) > deepest)
    return invalidArgument("brackets nest deeper than " +
                           std::to_string(deepest));
  Messages messages(context);
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return invalidArgument(messages.text());
  return module;
}

} // namespace boo::compiler
