/*===- CompilerAbi.h - The compiler plugin's C interface ----------*- C -*-===*\
|*
|* libboo-compiler.so is opened on the first cache miss and never closed. It
|* takes a group's Graph as text and writes one unsealed artifact (abi/
|* Manifest.h tells what sealing adds). Calls may come from several threads.
|*
\*===----------------------------------------------------------------------===*/
#ifndef BOO_ABI_COMPILERABI_H
#define BOO_ABI_COMPILERABI_H

#include <stddef.h>
#include <stdint.h>

#define BOO_COMPILER_ABI_VERSION 2
#define BOO_OPTIONAL_ENTRY "? "

#ifdef __cplusplus
extern "C" {
#endif

/* All strings are UTF-8, NUL-terminated and owned by the caller. */
typedef struct boo_compile_request {
  size_t struct_size;       /* sizeof(boo_compile_request) of the caller */
  const char *graph_text;   /* canonical text of one group, "boo.graph 1…" */
  const char *target_text;  /* base/Target.h's text form */
  const char *math;         /* "strict", "default" or "fast" */
  const char *tuning_entry; /* the one matching line, or ""; behind
                               BOO_OPTIONAL_ENTRY one that is left aside where
                               it cannot serve */
  const char *transforms;   /* text of a transform-dialect library, or "" */
  const char *key;          /* the cache key, repeated in the manifest */
  const char *name;         /* the signature's func_name, for people */
  const char *builds;       /* build ids, repeated in the manifest */
  int constants_packed;     /* 1: constants go through the prepare plan */
  const char *dump_dir;     /* IR after each stage goes here; "" for none */
  const char *output_path;  /* the artifact is written here, mode 0600; "" when
                               only the module is wanted: no pass runs */
  const char *mlir_path;    /* the emitted module goes here; "" for none */
} boo_compile_request;

typedef struct boo_compile_result {
  int32_t code;        /* 0, or a StatusCode of base/Status.h */
  const char *message; /* why; names the op and the pass. Never NULL. */
} boo_compile_result;

/* BOO_COMPILER_ABI_VERSION of the plugin. */
uint32_t boo_compiler_abi_version(void);
/* Fills *result; release it afterwards. Returns result->code. */
int32_t boo_compiler_compile(const boo_compile_request *request,
                             boo_compile_result *result);
/* The Schedules that a search may try from that of request->tuning_entry ("" =
   the strategy's own): on success message holds a line for that Schedule and
   one for each that is a step away, the likely ones first. Key, name, builds
   and paths are not looked at. A plugin may be without this function. */
int32_t boo_compiler_neighbours(const boo_compile_request *request,
                                boo_compile_result *result);
void boo_compiler_release(boo_compile_result *result);

#ifdef __cplusplus
}
#endif

#endif /* BOO_ABI_COMPILERABI_H */
