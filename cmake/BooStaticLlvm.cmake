# boo_static_llvm(): called once after find_package of MLIR and LLD, it lets their
# archives be linked without libLLVM.so. Debian's exported archives all ask for
# the shared library (target LLVM) and for an archive of Polly that no package
# has; lld starts every back end that LLVM was built with. Both wishes are taken
# out, and lldELF brings the target boo_static_llvm: what lld and the X86 back
# end need of LLVM, and empty functions for the rest. The linker must be lld,
# which does not mind the order of archives.
function(boo_static_llvm)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(libs ${target} INTERFACE_LINK_LIBRARIES)
    if(libs)
      list(REMOVE_ITEM libs LLVM Polly)
      set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${libs}")
    endif()
  endforeach()

  set(others ${LLVM_TARGETS_TO_BUILD})
  list(REMOVE_ITEM others X86)
  string(CONCAT stubs "/* Of the back ends only X86 is linked in: see BooStaticLlvm.cmake. */\n"
                "#define WEAK __attribute__((weak))\n")
  foreach(other IN LISTS others)
    foreach(part IN ITEMS TargetInfo Target TargetMC AsmPrinter AsmParser)
      string(APPEND stubs "WEAK void LLVMInitialize${other}${part}(void) {}\n")
    endforeach()
  endforeach()
  # Only LTO asks for it, and nothing here reaches LTO.
  string(APPEND stubs "WEAK void pollyStub(void) __asm__(\"_Z18getPollyPluginInfov\");\n"
                      "void pollyStub(void) { __builtin_trap(); }\n")
  file(CONFIGURE OUTPUT StaticLlvmStubs.c CONTENT "${stubs}" @ONLY)

  add_library(boo_static_llvm STATIC ${CMAKE_CURRENT_BINARY_DIR}/StaticLlvmStubs.c)
  target_link_libraries(
    boo_static_llvm
    PUBLIC LLVMBinaryFormat LLVMBitReader LLVMBitWriter LLVMCodeGen LLVMCore LLVMDTLTO
           LLVMDebugInfoDWARF LLVMDemangle LLVMIRReader LLVMLTO LLVMMC LLVMObject
           LLVMOption LLVMPasses LLVMSupport LLVMTarget LLVMTargetParser
           LLVMX86AsmParser LLVMX86CodeGen)
  set_property(TARGET lldELF APPEND PROPERTY INTERFACE_LINK_LIBRARIES boo_static_llvm)
endfunction()
