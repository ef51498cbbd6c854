// Times attention, forward and backward, on numbers of its own; prints a line of JSON for each.
//
// usage: attention TOKENS HEADS WIDTH f32|bf16 THREADS ROUNDS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CLayers.h"

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Prints what has passed since the last call: by the wall, and of all processors.
static void report(const char *pass) {
  static double wall, busy;
  const double wall_now = seconds(CLOCK_MONOTONIC), busy_now = seconds(CLOCK_PROCESS_CPUTIME_ID);
  if (pass)
    printf("{\"pass\": \"%s\", \"seconds\": %.3f, \"busy\": %.3f}\n", pass, wall_now - wall,
           busy_now - busy);
  fflush(stdout);
  wall = wall_now, busy = busy_now;
}

// Even in ±1.7, which has a deviation of 1.
static float *numbers(size_t count, uint32_t seed) {
  float *values = malloc(count * sizeof(float));
  if (!values) exit(1);
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = ((float)(seed >> 8) / 8388608.0f - 1) * 1.7320508f;
  }
  return values;
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: attention TOKENS HEADS WIDTH f32|bf16 THREADS ROUNDS\n");
    return 64;
  }
  const size_t tokens = strtoul(arguments[1], NULL, 10), heads = strtoul(arguments[2], NULL, 10);
  const size_t width = strtoul(arguments[3], NULL, 10), size = tokens * heads * width;
  const lyco_attention extents = {.batch = 1,
                                  .heads = heads,
                                  .queries = tokens,
                                  .keys = tokens,
                                  .width = width,
                                  .scale = 0.08838835f,
                                  .compute = strcmp(arguments[4], "bf16") ? LYCO_F32 : LYCO_BF16};
  lyco_set_threads(atoi(arguments[5]));
  float *q = numbers(size, 1), *k = numbers(size, 2), *v = numbers(size, 3), *dy = numbers(size, 4);
  for (int round = atoi(arguments[6]); round > 0; round--) {
    float *y = malloc(size * sizeof(float)), *logs = malloc(heads * tokens * sizeof(float));
    report(NULL);
    if (lyco_attention_forward(&extents, NULL, q, k, v, y, logs)) return 1;
    report("forward");
    float *dq = malloc(size * sizeof(float)), *dk = malloc(size * sizeof(float));
    float *dv = malloc(size * sizeof(float));
    if (lyco_attention_backward(&extents, NULL, q, k, v, y, logs, dy, dq, dk, dv)) return 1;
    report("backward");
    free(y), free(logs), free(dq), free(dk), free(dv);
  }
  return 0;
}
