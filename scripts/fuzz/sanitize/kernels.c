// Runs the conversions of stored numbers over every bit pattern and every length up to some, in blocks that are
// exactly as long as they must be, under the sanitizers of scripts/fuzz/sanitize.sh.

#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { longest = 300 };

static void *block(size_t bytes) {
  void *result = malloc(bytes ? bytes : 1);
  if (!result) abort();
  memset(result, 0, bytes);
  return result;
}

int main(void) {
  float table[256];
  for (int i = 0; i < 256; i++) table[i] = (float)i;
  for (size_t count = 0; count <= longest; count++) {
    uint16_t *halves = block(count * 2);
    uint8_t *bytes = block(count);
    float *numbers = block(count * 4);
    for (uint32_t first = 0; first < 65536; first += longest) {
      for (size_t i = 0; i < count; i++) {
        halves[i] = (uint16_t)(first + i);
        bytes[i] = (uint8_t)(first + i);
      }
      lyco_widen_f16(halves, numbers, count);
      lyco_narrow_f8_e4m3(numbers, bytes, count);
      lyco_narrow_f8_e5m2(numbers, bytes, count);
      lyco_narrow_bf16(numbers, halves, count);
      lyco_widen_bf16(halves, numbers, count);
      lyco_narrow_f16(numbers, halves, count);
      lyco_widen_f8(bytes, table, numbers, count);
      if (count < longest && first > 4 * longest) break;
    }
    (void)lyco_sum_of_squares(numbers, count);
    (void)lyco_squared_distance(numbers, numbers, count);
    (void)lyco_largest_magnitude(numbers, count);
    (void)lyco_count_infinite_f16(halves, count);
    free(halves);
    free(bytes);
    free(numbers);
  }
  printf("lengths 0 to %d\n", longest);
  return 0;
}
