#include "CKernels.h"

#include <math.h>
#include <string.h>

#include "clones.h"

// Every CPU level gives the same bits: nothing is fused, and nothing is summed.
#pragma STDC FP_CONTRACT OFF

CLONED void lyco_adam(float *restrict value, const float *restrict gradient, float *restrict first,
                      float *restrict second, size_t count, struct lyco_adam_step step) {
  for (size_t i = 0; i < count; i++) {
    float x = value[i];
    float slope = gradient[i] + step.decay * x;
    float mean = first[i] + (slope - first[i]) * step.growth;
    float square = second[i] * step.second_keep + slope * slope * step.second_growth;
    first[i] = mean;
    second[i] = square;
    value[i] = x * step.keep - step.size * (mean / (sqrtf(square) / step.correction + step.epsilon));
  }
}

CLONED void lyco_adam_move(float *restrict value, const float *restrict first,
                           const float *restrict second, size_t count, float size, float epsilon,
                           float decay) {
  for (size_t i = 0; i < count; i++) {
    float x = value[i];
    value[i] = x - decay * x - size * (first[i] / (sqrtf(second[i]) + epsilon));
  }
}

CLONED void lyco_adam_average(float *restrict value, const float *restrict gradient,
                              float *restrict origin, float *restrict second, size_t count,
                              struct lyco_average_step step) {
  for (size_t i = 0; i < count; i++) {
    float slope = gradient[i], x = value[i], z = origin[i];
    float square = second[i] * step.second_keep + slope * slope * step.second_growth;
    second[i] = square;
    float move = slope / (sqrtf(square / step.correction) + step.epsilon) + step.decay * x;
    value[i] = x + step.share * (z - x) + step.growth * move;
    origin[i] = z - step.size * move;
  }
}

CLONED void lyco_read_codes(const uint8_t *restrict codes, const float *restrict values,
                            float magnitude, float *restrict target, size_t count) {
  for (size_t i = 0; i < count; i++) target[i] = values[codes[i]] * magnitude;
}

CLONED float lyco_write_codes(const float *restrict source, const uint8_t *restrict first_codes,
                              const float *restrict bounds, uint8_t *restrict codes, size_t count) {
  float magnitude = 0;
  for (size_t i = 0; i < count; i++) {
    float size = fabsf(source[i]);
    magnitude = size > magnitude ? size : magnitude;
  }
  float divisor = magnitude > 0 ? magnitude : 1;
  for (size_t i = 0; i < count; i++) {
    float x = source[i] / divisor;
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint8_t code = first_codes[bits >> 16];
    codes[i] = (uint8_t)(code + (x > bounds[code]));
  }
  return magnitude;
}
