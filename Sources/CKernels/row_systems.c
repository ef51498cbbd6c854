#include "CKernels.h"

#include <math.h>

#include "clones.h"

#define LANES LYCO_SYSTEM_LANES

// A number of each of some rows.
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8)));

// As many systems at a time as there are lanes; those behind the last are the last again.
CLONED void lyco_solve_rows(const float *restrict matrices, const float *restrict sides, size_t count, size_t width,
                            double damping, double *restrict scratch, float *restrict solutions) {
  const size_t packed = width * (width + 1) / 2;
  lanes *restrict g = (lanes *)scratch, *restrict x = (lanes *)scratch + packed;
  for (size_t first = 0; first < count; first += LANES) {
    size_t rows[LANES];
    for (size_t l = 0; l < LANES; l++) rows[l] = first + l < count ? first + l : count - 1;
    for (size_t i = 0; i < packed; i++)
      for (size_t l = 0; l < LANES; l++) g[i][l] = (double)matrices[rows[l] * packed + i];
    for (size_t i = 0; i < width; i++)
      for (size_t l = 0; l < LANES; l++) x[i][l] = (double)sides[rows[l] * width + i];
    lanes trace = {0};
    for (size_t i = 0; i < width; i++) trace += g[i * (i + 3) / 2];
    const lanes mu = trace * (damping / (double)width);
    int solved[LANES];
    for (size_t l = 0; l < LANES; l++) solved[l] = 1;
    for (size_t i = 0; i < width; i++) {
      lanes *restrict row = g + i * (i + 1) / 2;
      for (size_t j = 0; j <= i; j++) {
        const lanes *restrict other = g + j * (j + 1) / 2;
        lanes sum = row[j];
        for (size_t k = 0; k < j; k++) sum -= row[k] * other[k];
        if (j < i) {
          row[j] = sum / other[j];
        } else {
          sum += mu;
          for (size_t l = 0; l < LANES; l++) {
            if (!(sum[l] > 0)) {
              solved[l] = 0;
              sum[l] = 1;
            }
            row[i][l] = sqrt(sum[l]);
          }
        }
      }
      // L·y = b goes along with the factor.
      for (size_t k = 0; k < i; k++) x[i] -= row[k] * x[k];
      x[i] /= row[i];
    }
    for (size_t i = width; i-- > 0;) {
      x[i] /= g[i * (i + 3) / 2];
      for (size_t k = 0; k < i; k++) x[k] -= g[i * (i + 1) / 2 + k] * x[i];
    }
    for (size_t l = 0; l < LANES && first + l < count; l++)
      for (size_t i = 0; i < width; i++) solutions[(first + l) * width + i] = solved[l] ? (float)x[i][l] : 0;
  }
}
