//===- Plugin.cpp - The C interface of libboo-compiler.so -----------------===//

#include "boo/abi/CompilerAbi.h"
#include "boo/compiler/Compiler.h"

#include "llvm/Support/CrashRecoveryContext.h"

#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace boo;

#define BOO_EXPORT extern "C" __attribute__((visibility("default")))

namespace {
/// LLVM's crash handlers, in place while some thread compiles: the program's
/// own must be back afterwards.
class CrashHandlers {
public:
  CrashHandlers() {
    std::lock_guard<std::mutex> lock(Mutex);
    if (Users++ == 0)
      llvm::CrashRecoveryContext::Enable();
  }
  ~CrashHandlers() {
    std::lock_guard<std::mutex> lock(Mutex);
    if (--Users == 0)
      llvm::CrashRecoveryContext::Disable();
  }

private:
  static inline std::mutex Mutex;
  static inline int Users = 0;
};
} // namespace

BOO_EXPORT uint32_t boo_compiler_abi_version(void) {
  return BOO_COMPILER_ABI_VERSION;
}

static bool lacksText(const boo_compile_request &request) {
  for (const char *text :
       {request.graph_text, request.target_text, request.math,
        request.tuning_entry, request.transforms, request.key, request.name,
        request.builds, request.dump_dir, request.output_path,
        request.mlir_path})
    if (!text)
      return true;
  return false;
}

/// Calls `work` with the request so that a crash in it is an error.
template <typename Work>
static int32_t answer(const boo_compile_request *request,
                      boo_compile_result *result, const Work &work) {
  StatusOr<std::string> text = std::string();
  if (request->struct_size != sizeof(boo_compile_request)) {
    text = internalError("the compiler plugin and its caller disagree about "
                         "the compile request; rebuild both");
  } else if (lacksText(*request)) {
    text = internalError("a text of the compile request is NULL");
  } else {
    CrashHandlers handlers;
    llvm::CrashRecoveryContext recovery;
    if (!recovery.RunSafely([&] { text = work(*request); }))
      text = Status(StatusCode::CompileError,
                    "the compiler crashed on this group (signal or abort)");
  }
  result->code = int32_t(text.status().code());
  result->message =
      strdup(text.isOk() ? text->c_str() : text.status().message().c_str());
  return result->code;
}

BOO_EXPORT int32_t boo_compiler_compile(const boo_compile_request *request,
                                        boo_compile_result *result) {
  return answer(
      request, result,
      [](const boo_compile_request &request) -> StatusOr<std::string> {
        BOO_RETURN_IF_ERROR(compiler::compileGroup(request));
        return std::string();
      });
}

BOO_EXPORT int32_t boo_compiler_neighbours(const boo_compile_request *request,
                                           boo_compile_result *result) {
  return answer(request, result, compiler::neighboursOfGroup);
}

BOO_EXPORT void boo_compiler_release(boo_compile_result *result) {
  std::free(const_cast<char *>(result->message));
  result->message = nullptr;
}
