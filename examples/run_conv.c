/* Makes a convolution from a command line and runs it on our own buffers.
 *
 *   run_conv ["conv -n 1 -c 16 …"]
 *
 * All inputs are 1, so every output is the number of products in its sum: the
 * length of the sum in the middle, less at a padded border. */

#include <boo/boo.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, boo_last_error());
  return 1;
}

static void print(const char *what, const boo_tensor *tensor) {
  printf("%s:", what);
  for (int i = 0; i < tensor->rank; ++i)
    printf(" %lld", (long long)tensor->sizes[i]);
  printf(" (%lld bytes)\n", (long long)tensor->bytes);
}

static float *allocate(const boo_tensor *tensor) {
  if (tensor->dtype != BOO_F32) {
    fprintf(stderr, "this example fills f32 tensors only\n");
    exit(1);
  }
  size_t count = (size_t)tensor->bytes / sizeof(float);
  float *buffer = malloc(count * sizeof(float));
  for (size_t i = 0; buffer && i < count; ++i)
    buffer[i] = 1;
  return buffer;
}

int main(int argc, char **argv) {
  const char *command =
      argc > 1 ? argv[1]
               : "conv -n 1 -c 16 -H 28 -W 28 -k 32 -y 3 -x 3 -p 0 -q 0";
  boo_op *op;
  if (boo_create_from_command(command, NULL, &op) != BOO_OK)
    return fail("cannot make the convolution");
  printf("kernel: %s\n", boo_name(op));

  if (boo_num_arguments(op) != 2 || boo_num_outputs(op) != 1) {
    fprintf(stderr, "this example takes convolutions without a bias\n");
    return 1;
  }
  boo_tensor input, filter, output;
  if (boo_argument(op, 0, &input) || boo_argument(op, 1, &filter) ||
      boo_output(op, 0, &output))
    return fail("cannot describe the tensors");
  print("input", &input);
  print("filter", &filter);
  print("output", &output);

  float *x = allocate(&input), *w = allocate(&filter), *y = allocate(&output);
  const void *in[] = {x, w};
  void *out[] = {y};
  if (boo_run(op, in, out, 0) != BOO_OK)
    return fail("cannot run");

  size_t middle = (size_t)output.bytes / sizeof(float) / 2;
  double expected = 1;
  for (int i = 1; i < filter.rank; ++i)
    expected *= (double)filter.sizes[i];
  printf("in the middle: %g\n", y[middle]);
  /* Without padding every sum has its full length. */
  int wrong = argc == 1 && y[middle] != expected;
  if (wrong)
    fprintf(stderr, "expected %g\n", expected);

  free(x);
  free(w);
  free(y);
  boo_destroy(op);
  return wrong;
}
