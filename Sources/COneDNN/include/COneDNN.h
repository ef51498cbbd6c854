// Matrix products and convolutions over oneDNN, whose C API 2.x and 3.x differ: this is the one place
// that knows. All memory of callers is row-major f32; images are NHWC.
#ifndef LYCO_CONEDNN_H
#define LYCO_CONEDNN_H

#include <stddef.h>
#include <stdint.h>

/// The number format in which factors are multiplied; sums are always f32.
typedef enum { LYCO_F32 = 0, LYCO_BF16 = 1 } lyco_compute;

// MARK: Threads

/// How many threads products, convolutions and `lyco_parallel` use from now on, on the calling thread.
void lyco_set_threads(int count);
int lyco_threads(void);

/// Calls body(i, context) for every i below `count`, in any order, on the threads that oneDNN uses.
void lyco_parallel(size_t count, void (*body)(size_t index, void *context), void *context);

/// Whether the processor multiplies bf16 by itself; without, bf16 is only a way of storing.
int lyco_has_bf16(void);
/// Whether the processor multiplies bf16 by the tiles of AMX, which sum in another order. What DNNL_MAX_CPU_ISA rules
/// out counts as missing in both.
int lyco_has_tiles(void);

// MARK: Products

/// C = op(A)·op(B), or C += where `accumulates`: op(A) `[m, k]`, op(B) `[k, n]`, C `[m, n]`; a flag
/// says that an operand lies transposed. 0, or oneDNN's status.
int lyco_matmul(size_t m, size_t n, size_t k, const float *a, int a_transposed, const float *b,
                int b_transposed, float *c, int accumulates, lyco_compute compute);

// MARK: Frozen weights

/// Matrices and kernels that this thread makes from now on lie here one after another, as long as there is room: in
/// memory of zeros that processes share which make the same ones in the same order. Those that do not write take what
/// one of them writes. All may write to the memory: a kernel is packed by whichever process multiplies by it first.
void lyco_begin_sharing(void *start, size_t size, int writes);
/// Ends that. How many bytes were taken.
size_t lyco_end_sharing(void);

/// How the numbers of a frozen matrix are stored.
typedef enum {
  LYCO_STORED_F32 = 0,
  LYCO_STORED_BF16 = 1,
  /// 8 bits with a factor per row, that of its largest magnitude / 127.
  LYCO_STORED_INT8 = 2
} lyco_storage;

/// A weight `[out, in]` that does not change; what is not stored as it is multiplied is converted for
/// every product.
typedef struct lyco_matrix lyco_matrix;
/// NULL where memory does not suffice. Without a weight (NULL) all its rows are to be set.
lyco_matrix *lyco_matrix_create(const float *weight, size_t outputs, size_t inputs,
                                lyco_storage storage, lyco_compute compute);
/// Sets rows from `first` on to those of `weight` `[rows, in]`, before the first product.
void lyco_matrix_set_rows(lyco_matrix *matrix, size_t first, size_t rows, const float *weight);
void lyco_matrix_destroy(lyco_matrix *matrix);
/// Bytes of its numbers.
size_t lyco_matrix_size(const lyco_matrix *matrix);
/// y `[rows, out]` = x `[rows, in]` · Wᵀ + bias; no bias where it is NULL.
int lyco_matrix_forward(const lyco_matrix *matrix, size_t rows, const float *x, const float *bias,
                        float *y);
/// dx `[rows, in]` = dy `[rows, out]` · W
int lyco_matrix_backward(const lyco_matrix *matrix, size_t rows, const float *dy, float *dx);
/// The weight in f32, as it is multiplied.
void lyco_matrix_read(const lyco_matrix *matrix, float *weight);

// MARK: Convolutions

/// The extents of a 2-D convolution; paddings may differ at either end.
typedef struct {
  size_t batch, height, width, inputs, outputs;
  size_t kernel_height, kernel_width, stride;
  size_t top, left, bottom, right;
} lyco_convolution;

/// A kernel `[out, in, height, width]` that does not change. It is stored once, and turned for every
/// gradient.
typedef struct lyco_kernel lyco_kernel;
lyco_kernel *lyco_kernel_create(const float *weight, size_t outputs, size_t inputs, size_t height,
                                size_t width, lyco_compute compute);
void lyco_kernel_destroy(lyco_kernel *kernel);
/// Bytes of its numbers.
size_t lyco_kernel_size(const lyco_kernel *kernel);
/// y `[batch, height', width', out]` for x `[batch, height, width, in]`.
int lyco_kernel_forward(lyco_kernel *kernel, const lyco_convolution *extents, const float *x,
                        const float *bias, float *y);
int lyco_kernel_backward(lyco_kernel *kernel, const lyco_convolution *extents, const float *dy,
                         float *dx);
int lyco_kernel_read(const lyco_kernel *kernel, float *weight);

/// The same with a weight `[out, in, height, width]` that changes from step to step.
int lyco_convolution_forward(const lyco_convolution *extents, const float *x, const float *weight,
                             const float *bias, float *y, lyco_compute compute);
int lyco_convolution_backward_data(const lyco_convolution *extents, const float *dy,
                                   const float *weight, float *dx, lyco_compute compute);
int lyco_convolution_backward_weight(const lyco_convolution *extents, const float *x,
                                     const float *dy, float *dweight);

#endif
