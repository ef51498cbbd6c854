#include "CKernels.h"

#include <math.h>

#include "clones.h"

// a ← a⁻¹ by Gauss-Jordan elimination with row pivots; the sign of the determinant, 0 for a singular matrix.
INLINE int invert(double *restrict a, size_t n, size_t *restrict pivots) {
  int sign = 1;
  for (size_t c = 0; c < n; c++) {
    size_t pivot = c;
    for (size_t r = c + 1; r < n; r++)
      if (fabs(a[r * n + c]) > fabs(a[pivot * n + c])) pivot = r;
    pivots[c] = pivot;
    if (pivot != c) {
      sign = -sign;
      for (size_t j = 0; j < n; j++) {
        const double x = a[c * n + j];
        a[c * n + j] = a[pivot * n + j];
        a[pivot * n + j] = x;
      }
    }
    const double value = a[c * n + c];
    if (!(fabs(value) > 0) || !isfinite(value)) return 0;
    if (value < 0) sign = -sign;
    a[c * n + c] = 1;
    const double inverse = 1 / value;
    for (size_t j = 0; j < n; j++) a[c * n + j] *= inverse;
    for (size_t r = 0; r < n; r++) {
      if (r == c) continue;
      const double factor = a[r * n + c];
      a[r * n + c] = 0;
      for (size_t j = 0; j < n; j++) a[r * n + j] -= factor * a[c * n + j];
    }
  }
  for (size_t c = n; c-- > 0;) {
    if (pivots[c] == c) continue;
    for (size_t r = 0; r < n; r++) {
      const double x = a[r * n + c];
      a[r * n + c] = a[r * n + pivots[c]];
      a[r * n + pivots[c]] = x;
    }
  }
  return sign;
}

INLINE double norm(const double *restrict a, size_t count) {
  double sums[4] = {0};
  size_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (size_t j = 0; j < 4; j++) sums[j] += a[i + j] * a[i + j];
  for (size_t j = 0; i < count; i++, j++) sums[j] += a[i] * a[i];
  return sqrt(sums[0] + sums[1] + sums[2] + sums[3]);
}

CLONED int lyco_nearest_rotation(const double *restrict matrix, size_t n, double *restrict rotation,
                                 double *restrict scratch, size_t *restrict pivots) {
  const size_t count = n * n;
  const double size = norm(matrix, count);
  if (!(size > 0) || !isfinite(size)) return 0;
  for (size_t i = 0; i < count; i++) rotation[i] = matrix[i] / size;
  for (int step = 0; step < 30; step++) {
    for (size_t i = 0; i < count; i++) scratch[i] = rotation[i];
    if (invert(scratch, n, pivots) <= 0) return 0;
    const double own = norm(rotation, count), inverse = norm(scratch, count);
    // What a turn by the least singular values hangs on would be lost in rounding.
    if (step == 0 && !(own * inverse < 1e6)) return 0;
    double scale = sqrt(inverse / own);
    if (fabs(scale - 1) < 1e-2) scale = 1;
    double change = 0;
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) {
        const double x = rotation[i * n + j];
        const double next = 0.5 * (scale * x + scratch[j * n + i] / scale);
        change += (next - x) * (next - x);
        rotation[i * n + j] = next;
      }
    }
    // Near to it a step squares what is left.
    if (scale == 1 && change < 1e-18 * (double)n) return 1;
  }
  return 0;
}
