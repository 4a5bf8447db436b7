//===- VersionCommand.cpp -------------------------------------------------===//

#include "boo/driver/VersionCommand.h"
#include "boo/abi/CompilerAbi.h"
#include "boo/abi/KernelAbi.h"

#include <cstdio>

int boo::versionCommand(std::span<const std::string>) {
  std::printf("boo %s (kernel interface %d, compiler interface %d, graph text "
              "1)\n",
              BOO_VERSION, BOO_KERNEL_ABI_VERSION, BOO_COMPILER_ABI_VERSION);
  return 0;
}
