/*===- FakeCompiler.c - A compiler plugin without a compiler ------*- C -*-===*\
|*
|* Answers every request with a copy of the hand-written artifact, under the
|* key asked for, so that the runtime is tested without MLIR. A graph that calls
|* `neg` is refused as the real compiler refuses; one that calls `abs` gets
|* dispatches that do nothing.
|*
\*===----------------------------------------------------------------------===*/

#include "boo/abi/CompilerAbi.h"
#include "boo/runtime/testing/FixtureArtifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Overwrites the first `from` in the bytes with `to`, padded with '_'. */
static void patch(char *bytes, size_t size, const char *from, const char *to) {
  size_t length = strlen(from), given = strlen(to);
  for (size_t i = 0; i + length <= size; ++i) {
    if (memcmp(bytes + i, from, length) != 0)
      continue;
    for (size_t j = 0; j < length; ++j)
      bytes[i + j] = j < given ? to[j] : '_';
    return;
  }
}

static int copyFixture(const boo_compile_request *request) {
  const char *path = BOO_FIXTURE_ARTIFACT;
  if (request->constants_packed)
    path = BOO_PACKED_FIXTURE_ARTIFACT;
  else if (strstr(request->graph_text, "\"abs\""))
    path = BOO_EMPTY_FIXTURE_ARTIFACT;
  const size_t limit = 1 << 20;
  char *bytes = malloc(limit);
  FILE *in = fopen(path, "rb");
  FILE *out = fopen(request->output_path, "wb");
  int bad = !bytes || !in || !out;
  if (!bad) {
    size_t size = fread(bytes, 1, limit, in);
    patch(bytes, size, FIXTURE_KEY, request->key);
    patch(bytes, size, FIXTURE_NAME, request->name);
    bad = fwrite(bytes, 1, size, out) != size;
  }
  if (in)
    fclose(in);
  if (out)
    bad |= fclose(out) != 0;
  free(bytes);
  return bad;
}

EXPORT uint32_t boo_compiler_abi_version(void) {
  return BOO_COMPILER_ABI_VERSION;
}

EXPORT int32_t boo_compiler_compile(const boo_compile_request *request,
                                    boo_compile_result *result) {
  result->code = 0;
  result->message = "";
  if (strstr(request->graph_text, "\"neg\"")) {
    result->code = 6;
    result->message = "op neg: refused by pass fake-lowering";
  } else if (request->output_path[0] && copyFixture(request) != 0) {
    result->code = 5;
    result->message = "cannot write the artifact";
  } else if (request->mlir_path[0]) {
    FILE *mlir = fopen(request->mlir_path, "wb");
    if (mlir) {
      fprintf(mlir, "// %s\nmodule {}\n", request->name);
      fclose(mlir);
    }
  }
  return result->code;
}

EXPORT void boo_compiler_release(boo_compile_result *result) {
  result->message = NULL;
}
