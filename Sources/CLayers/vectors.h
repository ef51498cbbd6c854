// Vectors of 16 floats, compiled for every level of the processor, and the functions that layers need
// of them.
#ifndef LYCO_VECTORS_H
#define LYCO_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#define CLONED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
// For processors with registers of 512 bits, all of them used.
#define WIDE __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#else
#define CLONED
#endif

// What is inlined is compiled for the level of the clone that it is called from, and passes no vector
// through the ABI that the compiler warns of.
#define INLINE static inline __attribute__((always_inline, unused))
#pragma clang diagnostic ignored "-Wpsabi"

#define LANES ((size_t)16)

// Elements are only known to be aligned as floats.
typedef float vector __attribute__((vector_size(64), aligned(4)));
typedef int32_t integers __attribute__((vector_size(64), aligned(4)));

// The next 16 elements, or as many as are left, with zeros behind them.
INLINE vector load(const float *source, size_t left) {
  if (left >= LANES) return *(const vector *)source;
  vector part = {0};
  for (size_t i = 0; i < left; i++) part[i] = source[i];
  return part;
}

INLINE void store(float *target, vector values, size_t left) {
  if (left >= LANES)
    *(vector *)target = values;
  else
    for (size_t i = 0; i < left; i++) target[i] = values[i];
}

// Where `mask` is all ones the first, elsewhere the second.
INLINE vector choose(integers mask, vector a, vector b) {
  return (vector)((mask & (integers)a) | (~mask & (integers)b));
}

INLINE vector absolute(vector x) { return (vector)((integers)x & 0x7FFFFFFF); }

// Lanes half a vector apart, then a quarter, and so on: what is in lane 0 then stands for all.
#define FOLDED(x, combine)                                                                        \
  x = combine(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, \
                                         7));                                                     \
  x = combine(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10,  \
                                         11));                                                    \
  x = combine(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12,  \
                                         13));                                                    \
  x = combine(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14))

INLINE vector added(vector a, vector b) { return a + b; }

INLINE float sum_of(vector x) {
  FOLDED(x, added);
  return x[0];
}

INLINE float largest_of(vector x) {
  FOLDED(x, __builtin_elementwise_max);
  return x[0];
}

// exp x to 2 ulp between −87.3 and 88; 0 below, exp 88 above; NaN stays NaN.
INLINE vector exponential(vector x) {
  const vector zero = {0};
  const vector least = zero - 87.33f, most = zero + 88.0f;
  const integers vanishes = x < least;
  x = choose(vanishes, least, x);
  x = choose(x > most, most, x);
  // x = n ln 2 + r: adding 1.5 · 2²³ rounds to a whole number and leaves it in the last bits.
  const vector shifted = x * 1.44269504f + 12582912.0f;
  const vector n = shifted - 12582912.0f;
  vector r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  // (exp r − 1 − r) / r² on ±ln 2 / 2, minimax to 3e-9 of exp r.
  vector p = r * 1.3814541744e-3f + 8.3687454462e-3f;
  p = p * r + 4.1668388993e-2f;
  p = p * r + 1.6666521132e-1f;
  p = p * r + 4.9999994040e-1f;
  p = (p * r) * r + r + 1.0f;
  const vector power = (vector)(((integers)shifted + 127) << 23);
  return choose(vanishes, zero, p * power);
}

INLINE vector sigmoid(vector x) { return 1.0f / (1.0f + exponential(-x)); }

// The normal distribution function Φ(x) and e^(−x²/2). With u = 1 / (1 + 0.3 |x|),
// Φ(−|x|) = e^(−x²/2) · u · P(u), P minimax to 4e-9 for |x| < 14, where Φ leaves the range of f32.
INLINE vector normal_distribution(vector x, vector *bell) {
  const vector magnitude = absolute(x);
  const vector e = exponential(x * x * -0.5f);
  const vector u = 1.0f / (1.0f + 0.3f * magnitude);
  vector p = u * -2.0612822846e-2f + 1.1237574369e-1f;
  p = p * u - 2.2806744277e-1f;
  p = p * u + 1.9158160686e-1f;
  p = p * u - 7.9247273505e-2f;
  p = p * u + 9.6057802439e-2f;
  p = p * u + 7.8425586224e-2f;
  p = p * u + 1.1022732407e-1f;
  p = p * u + 1.1957284063e-1f;
  p = p * u + 1.1968663335e-1f;
  const vector tail = e * u * p;
  *bell = e;
  return choose(x < (vector){0}, tail, 1.0f - tail);
}

#endif
