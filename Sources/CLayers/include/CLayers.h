// Layers of diffusion models on row-major f32, forward and backward, spread over the threads of oneDNN.
// Results do not depend on the number of threads.
#ifndef LYCO_CLAYERS_H
#define LYCO_CLAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "COneDNN.h"

// MARK: Elements

/// y += factor · x
void lyco_add(float *y, const float *x, float factor, size_t count);
/// y = a + factor · b
void lyco_sum(const float *a, const float *b, float factor, float *y, size_t count);
/// y = a ⊙ b
void lyco_multiply(const float *a, const float *b, float *y, size_t count);
/// y = factor · x
void lyco_scale(const float *x, float factor, float *y, size_t count);

/// What is applied to every element.
typedef enum {
  /// x · sigmoid(x)
  LYCO_SILU,
  /// x · Φ(x)
  LYCO_GELU,
  /// x · sigmoid(1.702 x)
  LYCO_QUICK_GELU,
  /// x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2
  LYCO_TANH_GELU,
} lyco_activation;

void lyco_activate(lyco_activation activation, const float *x, float *y, size_t count);
/// dx = dy ⊙ f′(x)
void lyco_activate_backward(lyco_activation activation, const float *x, const float *dy, float *dx,
                            size_t count);
/// y = a ⊙ gelu(b) for x = [a, b] `[rows, 2 · width]`.
void lyco_geglu(const float *x, float *y, size_t rows, size_t width);
void lyco_geglu_backward(const float *x, const float *dy, float *dx, size_t rows, size_t width);

/// exp x and Φ(x), as the layers compute them.
void lyco_exponential(const float *x, float *y, size_t count);
void lyco_normal_distribution(const float *x, float *y, size_t count);

// MARK: Rows

/// y = x + row everywhere, x `[rows, width]`.
void lyco_add_row(const float *x, const float *row, float *y, size_t rows, size_t width);
/// The sum of the rows, `[width]`.
void lyco_sum_rows(const float *x, float *sums, size_t rows, size_t width);
/// Copies `width` elements of every row to others: rows of x lie `x_stride` apart, those of y `y_stride`.
void lyco_copy_rows(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows,
                    size_t width);
/// The same, added to what is there.
void lyco_add_rows(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows,
                   size_t width);

/// y `[columns, rows]` is x `[rows, columns]` transposed.
void lyco_transpose(const float *x, float *y, size_t rows, size_t columns);

// MARK: Rows of samples

/// y = x ⊙ (1 + scale) + shift for x `[batch, rows, width]`, scale and shift `[batch, width]`; without shift
/// where it is NULL.
void lyco_modulate(size_t batch, size_t rows, size_t width, const float *x, const float *scale,
                   const float *shift, float *y);
/// sum = x + gate ⊙ y for x and y `[batch, rows, width]` and gate `[batch, width]`; gate ⊙ y where x is NULL.
void lyco_add_gated(size_t batch, size_t rows, size_t width, const float *x, const float *y,
                    const float *gate, float *sum);
/// The sum of the rows of x ⊙ y, `[batch, width]`.
void lyco_sum_products(size_t batch, size_t rows, size_t width, const float *x, const float *y,
                       float *sums);

// MARK: Images

/// x `[batch, height, width, channels]` with every pixel four times.
void lyco_upsample(const float *x, float *y, size_t batch, size_t height, size_t width,
                   size_t channels);
/// The sum over the four pixels; extents are those of dx.
void lyco_upsample_backward(const float *dy, float *dx, size_t batch, size_t height, size_t width,
                            size_t channels);

// MARK: Normalization

/// Extents of a normalization of `[batch, positions, channels]` by groups of channels.
typedef struct {
  size_t batch, positions, channels, groups;
  float epsilon;
  /// Whether SiLU comes behind it.
  int silu;
} lyco_group_norm;

/// y = (x − mean) · deviation⁻¹ · weight + bias, through SiLU if asked.
/// `statistics` `[batch, groups, 2]` gets the means and inverse deviations. 0, or 1 without memory.
int lyco_group_norm_forward(const lyco_group_norm *extents, const float *x, const float *weight,
                            const float *bias, float *y, float *statistics);
/// Its two halves, for a sample that comes in parts: means and variances, `[batch, groups, 2]`, and y by means and
/// inverse deviations that are given.
int lyco_group_norm_moments(const lyco_group_norm *extents, const float *x, double *moments);
int lyco_group_norm_apply(const lyco_group_norm *extents, const float *x, const float *weight,
                          const float *bias, const float *statistics, float *y);
/// Any of the gradients may be NULL.
int lyco_group_norm_backward(const lyco_group_norm *extents, const float *x, const float *dy,
                             const float *weight, const float *bias, const float *statistics,
                             float *dx, float *dweight, float *dbias);

/// The same for every row of `[rows, width]`; `statistics` `[rows, 2]`. Weight and bias may both be NULL,
/// for ones and zeros.
void lyco_layer_norm_forward(size_t rows, size_t width, float epsilon, const float *x,
                             const float *weight, const float *bias, float *y, float *statistics);
int lyco_layer_norm_backward(size_t rows, size_t width, const float *x, const float *dy,
                             const float *weight, const float *statistics, float *dx,
                             float *dweight, float *dbias);

/// y = x / √(mean of x² + epsilon) · weight for every row of `[rows, width]`; `statistics` `[rows]` gets
/// the inverse roots.
void lyco_rms_norm_forward(size_t rows, size_t width, float epsilon, const float *x,
                           const float *weight, float *y, float *statistics);
/// Any of the gradients may be NULL. 0, or 1 without memory.
int lyco_rms_norm_backward(size_t rows, size_t width, const float *x, const float *dy,
                           const float *weight, const float *statistics, float *dx,
                           float *dweight);

// MARK: Positions

/// Extents of a rotation of pairs of neighbors in x `[batch, tokens, heads · 2 · pairs]`; tokens from
/// `rotated` on stay as they are.
typedef struct {
  size_t batch, tokens, rotated, heads, pairs;
} lyco_rotation;

/// Turns pair i of every head of a token by the angle whose cosine and sine, `[rotated, pairs]`, are
/// given, or back.
void lyco_rotate(const lyco_rotation *extents, const float *cosines, const float *sines,
                 int backward, const float *x, float *y);

/// Latents `[batch, frames · depth, rows · height, columns · width, channels]` as tokens
/// `[batch, frames, rows, columns, channels · depth · height · width]`.
typedef struct {
  size_t batch, frames, rows, columns, depth, height, width, channels;
  /// Whether the elements of a token go by channel, frame, line, column rather than by frame, line,
  /// column, channel.
  int channels_first;
} lyco_patches;

void lyco_patch(const lyco_patches *extents, const float *latents, float *tokens);
void lyco_unpatch(const lyco_patches *extents, const float *tokens, float *latents);

// MARK: Attention

/// Extents of softmax(q·kᵀ · scale) · v: q `[batch, queries, heads · width]`, k and v
/// `[batch, keys, heads · width]`.
typedef struct {
  size_t batch, heads, queries, keys, width;
  float scale;
  /// Whether row i sees keys 0 to i only.
  int causal;
  lyco_compute compute;
} lyco_attention;

/// y as q; `logs` `[batch, heads, queries]` gets the logarithms of the sums of exponentials.
/// `key_counts` `[batch]`, NULL for all: of each sample, how many of its first keys are seen, from 1 on.
/// `bias` `[heads, queries + keys - 1]`, NULL for none: what is added to scaled scores by the distance from query to
/// key, the most negative one first. 0, or 1 without memory.
int lyco_attention_forward(const lyco_attention *extents, const size_t *key_counts,
                           const float *bias, const float *q, const float *k, const float *v,
                           float *y, float *logs);
/// dk and dv may both be NULL; those of keys that are not seen are zero.
int lyco_attention_backward(const lyco_attention *extents, const size_t *key_counts, const float *q,
                            const float *k, const float *v, const float *y, const float *logs,
                            const float *dy, float *dq, float *dk, float *dv);

// MARK: Thin products

/// C = op(A)·op(B), or C += : as `lyco_matmul`, in f32, with the depth in pieces of a fixed size that
/// are added in order. 0, or 1 without memory.
int lyco_deep_product(size_t m, size_t n, size_t k, const float *a, int a_transposed, const float *b,
                      int b_transposed, float *c, int accumulates);

#endif
