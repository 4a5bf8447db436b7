//===- boo-opt.cpp - Runs BOO's passes and emitters alone -----------------===//
//
// mlir-opt with BOO's dialect and passes, and `--boo-emit` in front: with it
// the input is a Graph text, optionally after lines `// schedule: …`, `//
// target: …` and `// constants: packed`, and the output the emitted module.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/Compiler.h"
#include "boo/compiler/pipelines/Pipelines.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace boo;
using namespace boo::compiler;

namespace {

llvm::cl::opt<bool> emitOption(
    "boo-emit", llvm::cl::init(false),
    llvm::cl::desc("read a Graph text and write its kernel before any pass"));
llvm::cl::opt<bool> decideOption(
    "boo-decide", llvm::cl::init(false),
    llvm::cl::desc("read a Graph text and write its Schedule and the reasons"));

/// A Graph text and the lines about it.
struct Request {
  std::string graph, schedule, target = printTarget(Target{.isa = Isa::Avx512}),
                               constants;
};

/// A bare ISA name stands for that ISA with the default caches.
std::string completeTarget(llvm::StringRef text) {
  auto isa = parseIsa(std::string_view(text));
  return isa.isOk() ? printTarget(Target{.isa = *isa}) : text.str();
}

Request parseRequest(llvm::StringRef text) {
  Request request;
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n');
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
    else if (comment.consume_front("constants:"))
      request.constants = comment.trim().str();
  }
  return request;
}

Status runRequest(const Request &request, mlir::MLIRContext &context,
                  llvm::raw_ostream &out) {
  BOO_ASSIGN_OR_RETURN(Graph graph, parseGraph(request.graph));
  graph = canonicalize(graph);
  BOO_ASSIGN_OR_RETURN(Target target, parseTarget(request.target));
  BOO_ASSIGN_OR_RETURN(Decision decision,
                       decide(graph, target, request.schedule));
  if (decideOption) {
    out << printSchedule(decision.schedule) << "\n";
    for (const std::string &reason : decision.why)
      out << reason << "\n";
    return Status::ok();
  }
  EmitOptions options;
  options.constantsPacked = request.constants == "packed";
  BOO_ASSIGN_OR_RETURN(KernelModule kernel,
                       emitKernel(context, graph, decision.schedule, options));
  kernel.module->print(out);
  return Status::ok();
}

int emit(llvm::StringRef inputFile, llvm::StringRef outputFile,
         mlir::DialectRegistry &registry) {
  std::string message;
  auto input = mlir::openInputFile(inputFile, &message);
  auto output = input ? mlir::openOutputFile(outputFile, &message) : nullptr;
  if (!output) {
    llvm::errs() << "boo-opt: " << message << "\n";
    return 1;
  }
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  Status status =
      runRequest(parseRequest(input->getBuffer()), context, output->os());
  if (!status.isOk()) {
    llvm::errs() << "boo-opt: error: " << status.message() << "\n";
    return 1;
  }
  output->keep();
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  registerDialects(registry);
  boo::compiler::registerPasses();
  mlir::registerTransformsPasses();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "BOO's passes and emitters\n", registry);
  if (emitOption || decideOption)
    return emit(input, output, registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
