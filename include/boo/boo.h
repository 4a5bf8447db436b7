/*===- boo.h - The public C interface of BOO ----------------------*- C -*-===*\
|*
|* An operation is made from a command line, as `boo driver` takes it, or from a
|* Graph text, and then runs on the caller's buffers. Making it finds its kernel
|* in the cache or compiles it; running it does neither.
|*
|*   boo_op *op;
|*   if (boo_create_from_command("conv -n 1 -c 8 -H 28 -W 28 -k 8 -y 3 -x 3",
|*                               NULL, &op) != BOO_OK)
|*     puts(boo_last_error());
|*
|* Functions that return int return BOO_OK or another code below, and then
|* boo_last_error() tells why. No exception and no signal leaves this library.
|* Link with Boo::boo of find_package(Boo).
|*
\*===----------------------------------------------------------------------===*/
#ifndef BOO_BOO_H
#define BOO_BOO_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BOO_API __attribute__((visibility("default")))
#else
#define BOO_API
#endif

/* Raised when a program compiled against an older header would break. What is
   added at the end of a struct does not raise it: struct_size tells. */
#define BOO_API_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

enum {
  BOO_OK = 0,
  BOO_INVALID_ARGUMENT = 1, /* the request is wrong */
  BOO_UNSUPPORTED = 2,      /* the request is sound, but nothing serves it */
  BOO_NOT_FOUND = 3,
  BOO_OUT_OF_MEMORY = 4,
  BOO_IO_ERROR = 5,
  BOO_COMPILE_ERROR = 6,
  BOO_KERNEL_ERROR = 7, /* generated code reported an error */
  BOO_INTERNAL = 8      /* a bug of BOO's own */
};

typedef enum boo_dtype {
  BOO_F64 = 0,
  BOO_F32 = 1,
  BOO_F16 = 2,
  BOO_BF16 = 3,
  BOO_I64 = 4,
  BOO_I32 = 5,
  BOO_I8 = 6,
  BOO_I1 = 7 /* one byte each */
} boo_dtype;

/* Set all fields with boo_options_init, then change some. */
typedef struct boo_options {
  size_t struct_size;
  const char *target;    /* "host", "avx512", "avx2", …; NULL = "host" */
  const char *math;      /* "strict", "default", "fast"; NULL = BOO_MATH */
  const char *cache_dir; /* NULL = BOO_CACHE_DIR */
  int use_cache;         /* 1, 0, or -1 = BOO_CACHE_ON */
  int recompile;         /* 1: compile even if the cache has it */
  int pack_constants;    /* 1: constants are packed once, by boo_prepare */
} boo_options;

/* A tensor as it must lie in memory. Valid as long as its operation. */
typedef struct boo_tensor {
  boo_dtype dtype;
  int32_t rank;
  const int64_t *sizes;
  const int64_t *strides; /* in elements */
  int64_t bytes;          /* that a buffer must hold */
} boo_tensor;

typedef struct boo_op boo_op;

/* BOO_API_VERSION of the library. */
BOO_API uint32_t boo_api_version(void);

/* Why this thread's last call failed; "" if none did. Valid until this thread's
   next call. */
BOO_API const char *boo_last_error(void);

BOO_API void boo_options_init(boo_options *options);

/* `options` may be NULL. *op is NULL after an error. */
BOO_API int boo_create_from_command(const char *command,
                                    const boo_options *options, boo_op **op);
/* `name` names the kernel for people; NULL derives one. */
BOO_API int boo_create_from_graph(const char *graph_text, const char *name,
                                  const boo_options *options, boo_op **op);
/* NULL does nothing. No call may be using the operation. */
BOO_API void boo_destroy(boo_op *op);

/* Its name, for instance "conv_2d_float32_forward_…". */
BOO_API const char *boo_name(const boo_op *op);
BOO_API size_t boo_num_arguments(const boo_op *op);
BOO_API size_t boo_num_outputs(const boo_op *op);
BOO_API int boo_argument(const boo_op *op, size_t index, boo_tensor *tensor);
BOO_API int boo_output(const boo_op *op, size_t index, boo_tensor *tensor);
/* Memory that a run on `threads` threads needs beside arguments and outputs. */
BOO_API int64_t boo_memory_bytes(const boo_op *op, int threads);

/* OMP_NUM_THREADS, else the CPUs that this process may use. */
BOO_API int boo_default_threads(void);

/* Packs constant arguments; needed once before boo_run if pack_constants was
   set. `in` has one buffer for each argument. */
BOO_API int boo_prepare(boo_op *op, const void *const *in, int threads);

/* Runs on the caller's buffers, one for each argument and each output, aligned
   to their element type, and returns when done. `threads` 0 means
   boo_default_threads(). Results do not depend on the number of threads.
   Several threads may run one operation at once. */
BOO_API int boo_run(const boo_op *op, const void *const *in, void *const *out,
                    int threads);

#ifdef __cplusplus
}
#endif

#endif /* BOO_BOO_H */
