#include "CKernels.h"

#include <string.h>

#include "clones.h"

CLONED void lyco_widen_f16(const void *restrict source, float *restrict target, size_t count) {
  const _Float16 *restrict halves = source;
  for (size_t i = 0; i < count; i++) target[i] = (float)halves[i];
}

CLONED void lyco_widen_bf16(const void *restrict source, float *restrict target, size_t count) {
  const uint16_t *restrict codes = source;
  uint32_t *restrict bits = (uint32_t *)target;
  for (size_t i = 0; i < count; i++) bits[i] = (uint32_t)codes[i] << 16;
}

void lyco_widen_f8(const uint8_t *restrict source, const float *restrict table,
                   float *restrict target, size_t count) {
  for (size_t i = 0; i < count; i++) target[i] = table[source[i]];
}

CLONED void lyco_narrow_f16(const float *restrict source, void *restrict target, size_t count) {
  _Float16 *restrict halves = target;
  for (size_t i = 0; i < count; i++) halves[i] = (_Float16)source[i];
}

CLONED void lyco_narrow_bf16(const float *restrict source, void *restrict target, size_t count) {
  const uint32_t *restrict bits = (const uint32_t *)source;
  uint16_t *restrict codes = target;
  for (size_t i = 0; i < count; i++) {
    uint32_t b = bits[i];
    // Adding just under half a step, plus the last kept bit, rounds ties to even.
    uint32_t rounded = (b + 0x7FFFu + ((b >> 16) & 1u)) >> 16;
    uint32_t quiet = (b >> 16) | 0x0040u;
    codes[i] = (uint16_t)((b & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
  }
}

// The 8-bit float nearest to an f32 of the given bits. Where it is normal, the exponent is moved and
// the mantissa cut as for bfloat16; below, adding a power of two whose last place is the smallest
// 8-bit number leaves the code in the sum's low bits.
INLINE uint8_t narrow_f8(uint32_t bits, const int dropped, const uint32_t largest,
                         const uint32_t smallest_normal, const float shift) {
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  uint32_t is_nan = magnitude > 0x7F800000u;
  magnitude = magnitude > largest ? largest : magnitude;
  uint32_t half = (1u << (dropped - 1)) - 1u;
  uint32_t normal = (magnitude + half + ((magnitude >> dropped) & 1u)) >> dropped;
  normal -= (smallest_normal >> dropped) - (1u << (23 - dropped));
  float value;
  memcpy(&value, &magnitude, 4);
  value += shift;
  uint32_t subnormal;
  memcpy(&subnormal, &value, 4);
  uint32_t code = magnitude < smallest_normal ? subnormal & 0xFFu : normal;
  return (uint8_t)((is_nan ? 0x7Fu : code) | (bits >> 24 & 0x80u));
}

CLONED void lyco_narrow_f8_e4m3(const float *restrict source, uint8_t *restrict target,
                                size_t count) {
  const uint32_t *restrict bits = (const uint32_t *)source;
  // 448, 2^-6 and 2^14
  for (size_t i = 0; i < count; i++)
    target[i] = narrow_f8(bits[i], 20, 0x43E00000u, 0x3C800000u, 16384.0f);
}

CLONED void lyco_narrow_f8_e5m2(const float *restrict source, uint8_t *restrict target,
                                size_t count) {
  const uint32_t *restrict bits = (const uint32_t *)source;
  // 57344, 2^-14 and 2^7
  for (size_t i = 0; i < count; i++)
    target[i] = narrow_f8(bits[i], 21, 0x47600000u, 0x38800000u, 128.0f);
}

CLONED void lyco_widen_f32(const float *restrict source, double *restrict target, size_t count) {
  for (size_t i = 0; i < count; i++) target[i] = source[i];
}

CLONED double lyco_sum_of_squares(const float *restrict x, size_t count) {
  // Eight running sums, so that the order of addition does not depend on the vector width.
  double sums[8] = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (size_t j = 0; j < 8; j++) sums[j] += (double)x[i + j] * (double)x[i + j];
  for (size_t j = 0; i < count; i++, j++) sums[j] += (double)x[i] * (double)x[i];
  double total = 0;
  for (size_t j = 0; j < 8; j++) total += sums[j];
  return total;
}

CLONED void lyco_add_squares(const float *restrict x, double *restrict sums, size_t count) {
  for (size_t i = 0; i < count; i++) sums[i] += (double)x[i] * (double)x[i];
}

CLONED double lyco_squared_distance(const float *restrict x, const float *restrict y,
                                    size_t count) {
  double sums[8] = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (size_t j = 0; j < 8; j++) {
      double d = (double)x[i + j] - (double)y[i + j];
      sums[j] += d * d;
    }
  for (size_t j = 0; i < count; i++, j++) {
    double d = (double)x[i] - (double)y[i];
    sums[j] += d * d;
  }
  double total = 0;
  for (size_t j = 0; j < 8; j++) total += sums[j];
  return total;
}

CLONED size_t lyco_count_infinite_f16(const void *restrict source, size_t count) {
  const uint16_t *restrict codes = source;
  size_t infinite = 0;
  for (size_t i = 0; i < count; i++) infinite += (codes[i] & 0x7FFFu) == 0x7C00u;
  return infinite;
}

CLONED float lyco_largest_magnitude(const float *restrict x, size_t count) {
  const uint32_t *restrict bits = (const uint32_t *)x;
  // Magnitudes are ordered as their codes are.
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t magnitude = bits[i] & 0x7FFFFFFFu;
    magnitude = magnitude < 0x7F800000u ? magnitude : 0;
    largest = magnitude > largest ? magnitude : largest;
  }
  float value;
  memcpy(&value, &largest, 4);
  return value;
}
