#include "CKernels.h"

#include <string.h>

#include "clones.h"

// Numbers between additions to the 64-bit counts: within, 32-bit ones fill the vectors.
#define BLOCK 65536

CLONED void lyco_f16_to_bf16(const void *restrict source, void *restrict target, size_t count,
                             struct lyco_losses *restrict losses) {
  const uint16_t *restrict halves = source;
  uint16_t *restrict codes = target;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = count - start < BLOCK ? count : start + BLOCK;
    uint32_t nans = 0, infinities = 0, rounded = 0;
    for (size_t i = start; i < end; i++) {
      _Float16 half;
      memcpy(&half, &halves[i], 2);
      float value = (float)half;
      uint32_t b;
      memcpy(&b, &value, 4);
      uint32_t magnitude = b & 0x7FFFFFFFu;
      uint32_t is_nan = magnitude > 0x7F800000u;
      uint32_t nearest = (b + 0x7FFFu + ((b >> 16) & 1u)) >> 16;
      codes[i] = (uint16_t)(is_nan ? (b >> 16) | 0x0040u : nearest);
      // Half precision has the smaller range, so nothing overflows or vanishes.
      nans += is_nan;
      infinities += magnitude == 0x7F800000u;
      rounded += (b & 0xFFFFu) != 0 && !is_nan;
    }
    losses->not_a_number += nans;
    losses->infinite += infinities;
    losses->rounded += rounded;
  }
}

CLONED void lyco_bf16_to_f16(const void *restrict source, void *restrict target, size_t count,
                             struct lyco_losses *restrict losses) {
  const uint16_t *restrict codes = source;
  uint16_t *restrict halves = target;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = count - start < BLOCK ? count : start + BLOCK;
    uint32_t nans = 0, infinities = 0, overflowed = 0, underflowed = 0, changed = 0;
    for (size_t i = start; i < end; i++) {
      uint32_t b = (uint32_t)codes[i] << 16;
      float value;
      memcpy(&value, &b, 4);
      _Float16 half = (_Float16)value;
      memcpy(&halves[i], &half, 2);
      float after = (float)half;
      uint32_t a;
      memcpy(&a, &after, 4);
      uint32_t magnitude = b & 0x7FFFFFFFu;
      nans += magnitude > 0x7F800000u;
      infinities += magnitude == 0x7F800000u;
      overflowed += magnitude < 0x7F800000u && (a & 0x7FFFFFFFu) == 0x7F800000u;
      underflowed += magnitude != 0 && (a & 0x7FFFFFFFu) == 0;
      changed += a != b && magnitude <= 0x7F800000u;
    }
    losses->not_a_number += nans;
    losses->infinite += infinities;
    losses->overflowed += overflowed;
    losses->underflowed += underflowed;
    losses->rounded += changed - overflowed - underflowed;
  }
}

CLONED void lyco_count_losses(const float *restrict before, const float *restrict after,
                              size_t count, float largest, struct lyco_losses *restrict losses) {
  const uint32_t *restrict old = (const uint32_t *)before;
  const uint32_t *restrict new = (const uint32_t *)after;
  uint32_t limit;
  memcpy(&limit, &largest, 4);
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = count - start < BLOCK ? count : start + BLOCK;
    uint32_t nans = 0, infinities = 0, overflowed = 0, underflowed = 0, changed = 0;
    for (size_t i = start; i < end; i++) {
      uint32_t b = old[i], a = new[i];
      uint32_t magnitude = b & 0x7FFFFFFFu, result = a & 0x7FFFFFFFu;
      uint32_t is_finite = magnitude < 0x7F800000u;
      // Past the largest number is infinity, or that number itself where the format saturates.
      uint32_t is_over = is_finite && a != b && (result == 0x7F800000u || (result == limit && magnitude > limit));
      nans += magnitude > 0x7F800000u;
      infinities += magnitude == 0x7F800000u;
      overflowed += is_over;
      underflowed += magnitude != 0 && result == 0;
      changed += is_finite && a != b;
    }
    losses->not_a_number += nans;
    losses->infinite += infinities;
    losses->overflowed += overflowed;
    losses->underflowed += underflowed;
    losses->rounded += changed - overflowed - underflowed;
  }
}
