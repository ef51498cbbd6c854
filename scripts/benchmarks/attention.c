// Times attention, forward and backward, on numbers of its own; prints a line of JSON for each, after one of what the
// processor multiplies at most, where that is known.
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

#ifdef __x86_64__
#include <immintrin.h>

// What the processor does at most: as many sums as hide how long a multiplication takes, all in registers.
enum { SUMS = 24, REPEATS = 1000000 };
static volatile int seed = 1;

#define PEAK(name, features, step)                                             \
  __attribute__((target(features))) static void name(size_t index, void *sink) { \
    const __m512 a = _mm512_set1_ps(1e-9f * (float)seed), b = _mm512_set1_ps((float)index); \
    __m512 sums[SUMS];                                                         \
    for (int i = 0; i < SUMS; i++) sums[i] = b;                                \
    for (int k = 0; k < REPEATS; k++)                                          \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < SUMS; i++) sums[i] = step; \
    for (int i = 1; i < SUMS; i++) sums[0] = _mm512_add_ps(sums[0], sums[i]);  \
    ((volatile float *)sink)[index] = _mm512_reduce_add_ps(sums[0]);           \
  }
PEAK(multiply_f32, "avx512f", _mm512_fmadd_ps(a, b, sums[i]))
PEAK(multiply_bf16, "avx512f,avx512bf16", _mm512_dpbf16_ps(sums[i], (__m512bh)a, (__m512bh)b))

// All threads at once, since two of them may share what multiplies. Prints GFLOP of a second of one.
static void report_peak(int is_bf16) {
  if (is_bf16 ? !__builtin_cpu_supports("avx512bf16") : !__builtin_cpu_supports("avx512f")) return;
  const size_t tasks = 8 * (size_t)lyco_threads();
  float *sink = malloc(tasks * sizeof(float));
  if (!sink) return;
  const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  lyco_parallel(tasks, is_bf16 ? multiply_bf16 : multiply_f32, sink);
  const double busy = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
  free(sink);
  printf("{\"pass\": \"peak\", \"rate\": %.1f}\n",
         1e-9 * (is_bf16 ? 64 : 32) * SUMS * REPEATS * (double)tasks / busy);
}
#else
static void report_peak(int is_bf16) { (void)is_bf16; }
#endif

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
  report_peak(extents.compute == LYCO_BF16);
  for (int round = atoi(arguments[6]); round > 0; round--) {
    float *y = malloc(size * sizeof(float)), *logs = malloc(heads * tokens * sizeof(float));
    report(NULL);
    if (lyco_attention_forward(&extents, NULL, NULL, q, k, v, y, logs)) return 1;
    report("forward");
    float *dq = malloc(size * sizeof(float)), *dk = malloc(size * sizeof(float));
    float *dv = malloc(size * sizeof(float));
    if (lyco_attention_backward(&extents, NULL, q, k, v, y, logs, dy, dq, dk, dv)) return 1;
    report("backward");
    free(y), free(logs), free(dq), free(dk), free(dv);
  }
  return 0;
}
