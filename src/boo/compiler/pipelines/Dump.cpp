//===- Dump.cpp - IR after each stage, for people -------------------------===//

#include "boo/compiler/pipelines/Dump.h"
#include "boo/base/Log.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace boo;
using namespace boo::compiler;

Status boo::compiler::writeText(const std::string &path,
                                std::string_view text) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << llvm::StringRef(text.data(), text.size());
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return ioError(path + ": " + error.message());
  return Status::ok();
}

Dump::Dump(std::string folder, std::string name)
    : State(std::make_shared<Shared>()) {
  State->folder = std::move(folder);
  State->name = name.empty() ? "kernel" : std::move(name);
  if (enabled())
    if (std::error_code error =
            llvm::sys::fs::create_directories(State->folder)) {
      BOO_LOG(Warning, "dump folder " + State->folder + ": " + error.message());
      State->folder.clear();
    }
}

void Dump::text(std::string_view stage, std::string_view text) const {
  if (!enabled())
    return;
  char number[16];
  std::snprintf(number, sizeof number, ".%02d-", State->number++);
  std::string path =
      State->folder + "/" + State->name + number + std::string(stage);
  if (Status status = writeText(path, text); !status.isOk())
    BOO_LOG(Warning, "dump " + status.message());
}

StageDump Dump::stageDump() const {
  if (!enabled())
    return nullptr;
  return [copy = *this](std::string_view stage, std::string_view text) {
    copy.text(stage, text);
  };
}

namespace {
struct DumpInstrumentation : mlir::PassInstrumentation {
  DumpInstrumentation(Dump dump, std::shared_ptr<std::string> failedPass)
      : Files(std::move(dump)), FailedPass(std::move(failedPass)) {}

  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override {
    // Passes on functions show the whole module, once for each function.
    if (!Files.enabled() || pass->getArgument().empty())
      return;
    auto module = mlir::dyn_cast<mlir::ModuleOp>(op);
    if (!module)
      module = op->getParentOfType<mlir::ModuleOp>();
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    Files.text(std::string(pass->getArgument()) + ".mlir", text);
  }
  void runAfterPassFailed(mlir::Pass *pass, mlir::Operation *) override {
    if (FailedPass->empty())
      *FailedPass = pass->getArgument().str();
  }

  Dump Files;
  std::shared_ptr<std::string> FailedPass;
};
} // namespace

std::unique_ptr<mlir::PassInstrumentation>
Dump::instrumentation(std::shared_ptr<std::string> failedPass) const {
  return std::make_unique<DumpInstrumentation>(*this, std::move(failedPass));
}
