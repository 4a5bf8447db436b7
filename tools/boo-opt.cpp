//===- boo-opt.cpp - Runs BOO's passes and emitters alone -----------------===//
//
// mlir-opt with BOO's dialect and passes, and `--boo-emit` in front: with it
// the input is a Graph text, optionally after lines `// schedule: …`,
// `// target: …`, `// math: …` and `// constants: packed`, and the output the
// emitted module.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/Compiler.h"
#include "boo/compiler/Request.h"
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
llvm::cl::opt<bool> compileOption(
    "boo-compile", llvm::cl::init(false),
    llvm::cl::desc(
        "read a Graph text and write its artifact, unsealed, to -o"));
llvm::cl::opt<bool> decideOption(
    "boo-decide", llvm::cl::init(false),
    llvm::cl::desc("read a Graph text and write its Schedule and the reasons"));

Status runRequest(const Request &request, mlir::MLIRContext &context,
                  llvm::raw_ostream &out) {
  BOO_ASSIGN_OR_RETURN(Graph graph, parseGraph(request.graph));
  graph = canonicalize(graph);
  BOO_ASSIGN_OR_RETURN(Target target, parseTarget(request.target));
  BOO_ASSIGN_OR_RETURN(Decision decision,
                       decide(graph, target,
                              {request.math, request.constantsPacked},
                              request.schedule));
  if (decideOption) {
    out << printSchedule(decision.schedule) << "\n";
    for (const std::string &reason : decision.why)
      out << reason << "\n";
    return Status::ok();
  }
  EmitOptions options;
  options.constantsPacked = request.constantsPacked;
  BOO_ASSIGN_OR_RETURN(KernelModule kernel,
                       emitKernel(context, graph, decision.schedule, options));
  kernel.module->print(out);
  return Status::ok();
}

/// The whole compiler, for targets that need not run here.
Status compileRequest(const Request &request, const std::string &output) {
  BOO_ASSIGN_OR_RETURN(Graph graph, parseGraph(request.graph));
  std::string text = printGraph(canonicalize(graph));
  boo_compile_request compile{};
  compile.struct_size = sizeof(compile);
  compile.graph_text = text.c_str();
  compile.target_text = request.target.c_str();
  compile.math = request.math.c_str();
  compile.tuning_entry = request.schedule.c_str();
  compile.key = compile.builds = compile.dump_dir = compile.mlir_path = "";
  compile.transforms = "";
  compile.name = "kernel";
  compile.constants_packed = request.constantsPacked;
  compile.output_path = output.c_str();
  return compileGroup(compile);
}

int report(const Status &status) {
  if (!status.isOk())
    llvm::errs() << "boo-opt: error: " << status.message() << "\n";
  return !status.isOk();
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
  Request request = parseRequest(input->getBuffer());
  if (compileOption) {
    output.reset(); // the compiler writes the file itself
    return report(compileRequest(request, outputFile.str()));
  }
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  Status status = runRequest(request, context, output->os());
  if (status.isOk())
    output->keep();
  return report(status);
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerTensorDialects(registry);
  boo::compiler::registerPasses();
  mlir::registerTransformsPasses();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "BOO's passes and emitters\n", registry);
  if (emitOption || decideOption || compileOption)
    return emit(input, output, registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
