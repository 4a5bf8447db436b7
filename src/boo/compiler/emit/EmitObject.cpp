//===- EmitObject.cpp - LLVM: a short pipeline and the code generator -----===//
//
// The kernels arrive in vector form, so neither the vectoriser nor the unroller
// has work to do: the pipeline cleans addresses and hoists what is invariant.
//
//===----------------------------------------------------------------------===//

#include "boo/abi/KernelAbi.h"
#include "boo/compiler/emit/Emit.h"
#include "boo/compiler/emit/ReduceLoops.h"
#include "boo/compiler/emit/TripCounts.h"

#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <mutex>

using namespace boo;
using namespace boo::compiler;

namespace {

struct Cpu {
  const char *name;
  std::string features;
};

Cpu cpuFor(const Target &target) {
  switch (target.isa) {
  case Isa::Generic:
    return {"x86-64", ""};
  case Isa::Avx2:
    return {"x86-64-v3", ""};
  case Isa::Avx512:
  case Isa::Amx: {
    std::string features = "-prefer-256-bit";
    if (target.avx512Fp16)
      features += ",+avx512fp16";
    if (target.fastBf16Dot)
      features += ",+avx512bf16";
    if (target.isa == Isa::Amx)
      features += ",+amx-tile,+amx-bf16";
    return {"x86-64-v4", features};
  }
  }
  return {"x86-64", ""};
}

std::unique_ptr<llvm::TargetMachine> machineFor(const Target &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  Cpu cpu = cpuFor(target);
  llvm::TargetOptions options;
  // Decoded instructions are cached by lines of 64 bytes: a loop that begins in
  // the middle of one takes more of them. Zen 3, beside another thread of the
  // same core: up to 1.25 times as fast.
  options.LoopAlignment = 64;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, cpu.name, cpu.features, options, llvm::Reloc::PIC_, std::nullopt,
      llvm::CodeGenOptLevel::Default));
}

void addManifest(llvm::Module &module, const Manifest &manifest) {
  auto *text = llvm::ConstantDataArray::getString(module.getContext(),
                                                  printManifest(manifest));
  auto *global = new llvm::GlobalVariable(
      module, text->getType(), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, text, BOO_MANIFEST_SYMBOL);
  global->setSection(BOO_MANIFEST_SECTION);
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager cgscc;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(cgscc);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, cgscc, modules);
  llvm::FunctionPassManager passes;
  llvm::LoopPassManager loopPasses;
  loopPasses.addPass(ReduceLoops());
  loopPasses.addPass(TripCounts());
  // loop-mssa: licm moves loads only when it has MemorySSA. What is equal is so
  // along the dominator tree: gvn finds no more there than early-cse, slowly.
  llvm::cantFail(builder.parsePassPipeline(
      passes, "sroa,early-cse,instcombine<no-verify-fixpoint>,"
              "simplifycfg,loop-mssa(licm),early-cse<memssa>,"
              "instcombine<no-verify-fixpoint>"));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(loopPasses)));
  llvm::ModulePassManager all;
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  all.run(module, modules);
}

std::string print(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

StatusOr<std::string> generate(llvm::Module &module,
                               llvm::TargetMachine &machine,
                               llvm::CodeGenFileType kind) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, kind))
    return internalError("the x86 back end writes no such file");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

} // namespace

StatusOr<std::string> boo::compiler::emitObject(mlir::ModuleOp module,
                                                const Manifest &manifest,
                                                const Target &target,
                                                const StageDump &dump) {
  LoopsReducedBefore gate;
  llvm::LLVMContext context;
  context.setOptPassGate(gate);
  std::unique_ptr<llvm::Module> ir =
      mlir::translateModuleToLLVMIR(module, context, "boo");
  if (!ir)
    return Status(StatusCode::CompileError, "translation to LLVM IR failed");
  std::unique_ptr<llvm::TargetMachine> machine = machineFor(target);
  if (!machine)
    return internalError("this LLVM has no x86 back end");
  ir->setDataLayout(machine->createDataLayout());
  ir->setTargetTriple(machine->getTargetTriple());
  addManifest(*ir, manifest);
  if (dump)
    dump("translated.ll", print(*ir));
  if (llvm::verifyModule(*ir, nullptr))
    return Status(StatusCode::CompileError,
                  "the LLVM verifier rejects the translated module");
  optimize(*ir, *machine);
  if (dump) {
    dump("optimized.ll", print(*ir));
    auto copy = machineFor(target);
    auto assembly = generate(*llvm::CloneModule(*ir), *copy,
                             llvm::CodeGenFileType::AssemblyFile);
    if (assembly.isOk())
      dump("kernel.s", *assembly);
  }
  return generate(*ir, *machine, llvm::CodeGenFileType::ObjectFile);
}
