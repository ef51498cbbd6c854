// Loops that widen stored numbers to f32 and narrow them back, on `count` elements of packed
// little-endian memory, and a few sums and products. None allocates or keeps state. See ../README.md.
#ifndef LYCO_CKERNELS_H
#define LYCO_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// MARK: Widening. Exact.

/// IEEE half precision to f32.
void lyco_widen_f16(const void *restrict source, float *restrict target, size_t count);
/// bfloat16 to f32.
void lyco_widen_bf16(const void *restrict source, float *restrict target, size_t count);
/// 8-bit floats of any layout: `table[code]` holds the f32 value of each of the 256 codes.
void lyco_widen_f8(const uint8_t *restrict source, const float *restrict table,
                   float *restrict target, size_t count);

/// f32 to f64.
void lyco_widen_f32(const float *restrict source, double *restrict target, size_t count);

// MARK: Narrowing. Round to nearest, ties to even; NaN stays NaN.

/// f32 to half precision; values beyond ±65504 become infinite.
void lyco_narrow_f16(const float *restrict source, void *restrict target, size_t count);
/// f32 to bfloat16.
void lyco_narrow_bf16(const float *restrict source, void *restrict target, size_t count);
/// f32 to 8-bit floats; values beyond ±448 or ±57344, infinities included, become the largest.
void lyco_narrow_f8_e4m3(const float *restrict source, uint8_t *restrict target, size_t count);
void lyco_narrow_f8_e5m2(const float *restrict source, uint8_t *restrict target, size_t count);

// MARK: From one 16-bit format to the other, in one pass

/// What numbers lose in another format. Every number is counted once at most, by the first that is
/// true of it.
struct lyco_losses {
  /// Not a number before.
  uint64_t not_a_number;
  /// Infinite before.
  uint64_t infinite;
  /// Finite before, and infinite or held at the largest number after.
  uint64_t overflowed;
  /// Not zero before, and zero after.
  uint64_t underflowed;
  /// Another number after.
  uint64_t rounded;
};

/// Half precision to bfloat16, as by way of f32; adds to `losses`.
void lyco_f16_to_bf16(const void *restrict source, void *restrict target, size_t count,
                      struct lyco_losses *restrict losses);
/// bfloat16 to half precision, as by way of f32; adds to `losses`.
void lyco_bf16_to_f16(const void *restrict source, void *restrict target, size_t count,
                      struct lyco_losses *restrict losses);
/// Adds what became of numbers: `before`, and `after` widened again.
/// `largest` is the largest finite number of the format.
void lyco_count_losses(const float *restrict before, const float *restrict after, size_t count,
                       float largest, struct lyco_losses *restrict losses);

// MARK: Sums in double precision

/// Σ x²
double lyco_sum_of_squares(const float *restrict x, size_t count);
/// Σ (x − y)²
double lyco_squared_distance(const float *restrict x, const float *restrict y, size_t count);

/// sums += x²
void lyco_add_squares(const float *restrict x, double *restrict sums, size_t count);

// MARK: Checks

/// The largest magnitude among finite numbers; 0 if there is none.
float lyco_largest_magnitude(const float *restrict x, size_t count);

/// How many of `count` half precision numbers are infinite.
size_t lyco_count_infinite_f16(const void *restrict source, size_t count);

// MARK: Thin products

/// Columns of the thin matrices that `lyco_add_thin_product` works on.
#define LYCO_THIN_COLUMNS 16

/// C += A·B for row-major B `[depth, 16]` and C `[count, 16]`, where element (i, k) of A
/// `[count, depth]` is a[i·row_stride + k·column_stride], so that A may be a transpose, and is read
/// where it lies.
void lyco_add_thin_product(const float *restrict a, size_t row_stride, size_t column_stride,
                           const float *restrict b, float *restrict c, size_t count, size_t depth);

// MARK: Blocks of rows, multiplied where they lie

/// products [count, count] = Y·Xᵀ, where row i of X and Y is the `columns` numbers from x[rows[i]] and y[rows[i]] on.
void lyco_multiply_rows(const float *restrict x, const float *restrict y, const size_t *restrict rows, size_t count,
                        size_t columns, float *restrict products);
/// X ← R·X for R [count, count] and rows as above. `scratch` holds 16 · count numbers.
void lyco_turn_rows(float *restrict x, const size_t *restrict rows, size_t count, size_t columns,
                    const float *restrict rotation, float *restrict scratch);

// MARK: Products of two matrices of low rank, element by element

/// Columns that lie side by side in a vector.
#define LYCO_HADAMARD_WIDTH 16

/// Some rows of a matrix Δ [rows, columns] beside (L·R) ⊙ (L'·R') for L and L' [rows, rank] and R and R' [rank, columns].
struct lyco_hadamard {
  size_t rows, columns, rank;
  /// Numbers between rows of R, R' and what is made: the columns, rounded up to vectors. R and R' have zeros there.
  size_t stride;
  const float *delta, *left, *right, *other_left, *other_right;
};

/// others = L'·R' [rows, stride], and sums [rows, rank, 16] += as many parts of (Δ - (L·R) ⊙ (L'·R')) ⊙ (L'·R')·Rᵀ.
/// Returns ‖Δ - (L·R) ⊙ (L'·R')‖².
double lyco_hadamard_left(const struct lyco_hadamard *restrict p, float *restrict others, float *restrict sums);
/// sides [rank, stride] += Lᵀ·((Δ - (L·R) ⊙ (L'·R')) ⊙ (L'·R')) for others = L'·R', whose factors are not read.
/// Returns the same as above.
double lyco_hadamard_right(const struct lyco_hadamard *restrict p, const float *restrict others,
                           float *restrict sides);
/// The same error alone.
double lyco_hadamard_error(const struct lyco_hadamard *restrict p);

/// The rotation [n, n] nearest to a matrix, by Newton's iteration for its polar decomposition. Returns 0 where the matrix
/// is so near to a singular one, or to none of positive determinant, that it does not tell it; `scratch` holds n · n numbers
/// and `pivots` n.
int lyco_nearest_rotation(const double *restrict matrix, size_t n, double *restrict rotation,
                          double *restrict scratch, size_t *restrict pivots);

// MARK: Small systems, one for every row

/// Systems that are solved at a time.
#define LYCO_SYSTEM_LANES 8

/// solutions [count, width] of (G + mu I) x = b by Cholesky decompositions, for the lower triangles of every G
/// [count, width · (width + 1) / 2], every b [count, width] and mu = damping · the mean of the diagonal of G; zeros where
/// that is not positive definite. `scratch` holds 8 · width · (width + 3) / 2 numbers.
void lyco_solve_rows(const float *restrict matrices, const float *restrict sides, size_t count, size_t width,
                     double damping, double *restrict scratch, float *restrict solutions);

// MARK: Panels: a matrix [depth, n] as panels [depth, 16] of columns, one behind the other

/// Columns of a panel, and vectors multiplied at a time.
#define LYCO_PANEL_WIDTH 16

/// products = panelsᵀ·vectors and sums += panels·products for `count` panels, vectors [depth, 16], products
/// [count · 16, 16] and sums [depth, 16]. `next` is where panels will be read afterwards, or any address: it is
/// prefetched.
void lyco_add_panel_products(const float *restrict panels, size_t count, size_t depth, const float *restrict vectors,
                             float *restrict products, float *restrict sums, const float *restrict next);
/// sums += panel · diag(signs), both [depth, 16].
void lyco_fold_panel(const float *restrict panel, size_t depth, const float *restrict signs, float *restrict sums);
/// A row of `count` panels from a row of 16 · `count` columns: `panels` is its place in the first of them.
void lyco_pack_columns(const float *restrict source, size_t count, float *restrict panels, size_t depth);
/// `count` rows of a panel from 16 rows of `count` numbers that lie `stride` apart: their transpose.
void lyco_pack_rows(const float *restrict source, size_t stride, size_t count, float *restrict panel);

// MARK: Split panels: the same as pairs [depth, 32] of panels, every number in two halves of 16 bits

/// The upper half is the number as bf16, the lower one its lower bits: both together are all of it, but for NaN.
/// A row of `pairs` from a row of 32 · `pairs` columns: `upper` and `lower` are its places in the first of them.
void lyco_split_columns(const float *restrict source, size_t pairs, uint16_t *restrict upper,
                        uint16_t *restrict lower, size_t depth);
/// `count` rows of a pair from 32 rows of `count` numbers that lie `stride` apart: their transpose.
void lyco_split_rows(const float *restrict source, size_t stride, size_t count, uint16_t *restrict upper,
                     uint16_t *restrict lower);
/// Sum of x · (x as bf16 − x).
double lyco_split_bias(const float *restrict x, size_t count);
/// The numbers of both halves.
void lyco_join(const uint16_t *restrict upper, const uint16_t *restrict lower, size_t count, float *restrict target);
/// sums += panel · diag(signs), both [depth, 16], for the upper halves of one of the panels of a pair.
void lyco_fold_half(const uint16_t *restrict upper, size_t depth, const float *restrict signs, float *restrict sums);

// MARK: Element by element

/// x *= y
void lyco_multiply_by(float *restrict x, const float *restrict y, size_t count);
/// x -= y
void lyco_subtract(float *restrict x, const float *restrict y, size_t count);

// MARK: Steps of optimizers, element by element: the same bits on every CPU.

/// The numbers of a step of Adam.
struct lyco_adam_step {
  /// Of the value, what remains.
  float keep;
  /// Of the value, what is added to its gradient.
  float decay;
  /// Of the gradient, what goes into the first average.
  float growth;
  /// Of the second average, what remains, and of the gradient's square, what goes into it.
  float second_keep, second_growth;
  /// Of the step, and what the root of the second average is divided by.
  float size, correction;
  float epsilon;
};

/// Takes a gradient into its averages and moves the value by them.
void lyco_adam(float *restrict value, const float *restrict gradient, float *restrict first,
               float *restrict second, size_t count, struct lyco_adam_step step);
/// value - decay value - size first / (sqrt(second) + epsilon)
void lyco_adam_move(float *restrict value, const float *restrict first,
                    const float *restrict second, size_t count, float size, float epsilon,
                    float decay);

/// The numbers of a step of schedule-free Adam.
struct lyco_average_step {
  float second_keep, second_growth, correction, epsilon;
  /// Of the value, what is added to the step.
  float decay;
  /// Of the way to the origin, what the value goes.
  float share;
  /// What the value and the origin go along the step.
  float growth, size;
};

/// Takes a gradient into the average of squares, and moves the value and what it is an average of.
void lyco_adam_average(float *restrict value, const float *restrict gradient,
                       float *restrict origin, float *restrict second, size_t count,
                       struct lyco_average_step step);

/// values[code] * magnitude
void lyco_read_codes(const uint8_t *restrict codes, const float *restrict values, float magnitude,
                     float *restrict target, size_t count);
/// Codes of numbers over the largest magnitude among them, which is returned.
/// first_codes: for the upper half of a number's bits the lowest code of any such number, of which there
/// are two at most; bounds: where each code ends, the last being infinite. Numbers must be finite.
float lyco_write_codes(const float *restrict source, const uint8_t *restrict first_codes,
                       const float *restrict bounds, uint8_t *restrict codes, size_t count);

#endif
