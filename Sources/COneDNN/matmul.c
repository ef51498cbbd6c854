#include <stdlib.h>
#include <string.h>

#include "COneDNN.h"
#include "engine.h"

enum { KIND_MATMUL = 1 };

// Rows of a factor lie a_width or b_width numbers apart.
static dnnl_status_t prepare(const lyco_primitive_key *key, int a_transposed, dnnl_dim_t a_width,
                             int b_transposed, dnnl_dim_t b_width, lyco_prepared **prepared) {
  const dnnl_dim_t m = key->extents[0], n = key->extents[1], k = key->extents[2];
  dnnl_dim_t source_extents[] = {m, k}, weight_extents[] = {k, n}, target_extents[] = {m, n};
  dnnl_dim_t bias_extents[] = {1, n};
  dnnl_dim_t source_strides[] = {a_transposed ? 1 : a_width, a_transposed ? a_width : 1};
  dnnl_dim_t weight_strides[] = {b_transposed ? 1 : b_width, b_transposed ? b_width : 1};
  dnnl_dim_t target_strides[] = {n, 1};
  dnnl_memory_desc_t source, weight, target, bias;
  dnnl_status_t status =
      lyco_describe(&source, 2, source_extents, (dnnl_data_type_t)key->first_type, source_strides);
  if (status == dnnl_success)
    status = lyco_describe(&weight, 2, weight_extents, (dnnl_data_type_t)key->second_type,
                           weight_strides);
  if (status == dnnl_success)
    status = lyco_describe(&target, 2, target_extents, dnnl_f32, target_strides);
  if (status == dnnl_success)
    status = lyco_describe(&bias, 2, bias_extents, dnnl_f32, target_strides);
  dnnl_primitive_attr_t attributes = NULL;
  if (status == dnnl_success) status = lyco_attributes(&attributes, key->accumulates);
  if (status != dnnl_success) return status;

  dnnl_primitive_desc_t description = NULL;
#if DNNL_VERSION_MAJOR >= 3
  status = dnnl_matmul_primitive_desc_create(&description, lyco_engine(), source, weight,
                                             key->has_bias ? bias : NULL, target, attributes);
#else
  dnnl_matmul_desc_t operation;
  status = dnnl_matmul_desc_init(&operation, &source, &weight, key->has_bias ? &bias : NULL, &target);
  if (status == dnnl_success)
    status = dnnl_primitive_desc_create(&description, &operation, attributes, lyco_engine(), NULL);
#endif
  dnnl_primitive_attr_destroy(attributes);
  DESTROY_DESCRIPTOR(source);
  DESTROY_DESCRIPTOR(weight);
  DESTROY_DESCRIPTOR(target);
  DESTROY_DESCRIPTOR(bias);
  if (status != dnnl_success) return status;
  const int names[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
  return lyco_keep_primitive(key, description, key->has_bias ? 4 : 3, names, prepared);
}

// One part of the depth of a product; types say how the factors are stored.
static dnnl_status_t multiply_part(size_t m, size_t n, size_t k, dnnl_data_type_t type,
                                   const void *a, int a_transposed, size_t a_width, const void *b,
                                   int b_transposed, size_t b_width, const float *bias, float *c,
                                   int accumulates) {
  const dnnl_dim_t widths[] = {(dnnl_dim_t)a_width, (dnnl_dim_t)b_width};
  lyco_primitive_key key = {
      .kind = KIND_MATMUL,
      .first_type = type,
      .second_type = type,
      .has_bias = bias != NULL,
      .accumulates = accumulates,
      .extents = {(dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, a_transposed, b_transposed,
                  widths[0], widths[1]}};
  lyco_prepared *prepared = lyco_find_primitive(&key);
  dnnl_status_t status = dnnl_success;
  if (!prepared) status = prepare(&key, a_transposed, widths[0], b_transposed, widths[1], &prepared);
  if (status != dnnl_success) return status;
  void *values[] = {(void *)(uintptr_t)a, (void *)(uintptr_t)b, c, (void *)(uintptr_t)bias};
  return lyco_run(prepared, values);
}

// oneDNN (2.6.3) cuts a great depth by how many threads there are: with vectors from 2048 on, to share it out among
// threads that would have nothing else to do; with the tiles of AMX where a thread's share is more than its cache holds,
// which up to 640 did not happen with 1 to 64 threads. What is cut here, and in which order it is summed, follows from
// the extents alone.
#define VECTOR_DEPTH ((size_t)2016)
#define TILE_DEPTH ((size_t)640)
// To whole tiles.
#define DEPTH_STEP ((size_t)32)

static size_t depth_at_once(size_t k, dnnl_data_type_t type) {
  const size_t most = type == dnnl_bf16 && lyco_has_tiles() ? TILE_DEPTH : VECTOR_DEPTH;
  if (k <= most) return k;
  const size_t parts = (k + most - 1) / most;
  return ((k + parts - 1) / parts + DEPTH_STEP - 1) / DEPTH_STEP * DEPTH_STEP;
}

// One product.
static dnnl_status_t multiply(size_t m, size_t n, size_t k, dnnl_data_type_t type, const void *a,
                              int a_transposed, const void *b, int b_transposed,
                              const float *bias, float *c, int accumulates) {
  const size_t depth = depth_at_once(k, type), size = type == dnnl_bf16 ? 2 : 4;
  const size_t a_width = a_transposed ? m : k, b_width = b_transposed ? k : n;
  // Of one row oneDNN does not need to know how far it is from the next, but chooses its algorithm by it.
  const int is_row = depth < k && m == 1, is_column = depth < k && n == 1;
  dnnl_status_t status = dnnl_success;
  for (size_t first = 0; status == dnnl_success && first < k; first += depth) {
    const size_t part = k - first < depth ? k - first : depth;
    status = multiply_part(
        m, n, part, type, (const char *)a + size * first * (a_transposed ? a_width : 1),
        is_row ? 0 : a_transposed, is_row ? part : a_width,
        (const char *)b + size * first * (b_transposed ? 1 : b_width),
        is_column ? 0 : b_transposed, is_column ? 1 : b_width, first == 0 ? bias : NULL, c,
        accumulates || first > 0);
  }
  return status;
}

// A factor narrowed for one product.
static const uint16_t *narrowed(lyco_purpose purpose, const float *values, size_t count) {
  uint16_t *memory = lyco_kept_memory(purpose, count * sizeof(uint16_t));
  if (memory) lyco_narrow(values, memory, count);
  return memory;
}

int lyco_matmul(size_t m, size_t n, size_t k, const float *a, int a_transposed, const float *b,
                int b_transposed, float *c, int accumulates, lyco_compute compute) {
  if (m == 0 || n == 0) return dnnl_success;
  if (k == 0) {
    if (!accumulates) memset(c, 0, m * n * sizeof(float));
    return dnnl_success;
  }
  lyco_hold_engine();
  dnnl_status_t status = dnnl_out_of_memory;
  if (compute == LYCO_F32 || !lyco_has_bf16()) {
    status = multiply(m, n, k, dnnl_f32, a, a_transposed, b, b_transposed, NULL, c, accumulates);
  } else {
    const uint16_t *x = narrowed(LYCO_FIRST, a, m * k), *y = narrowed(LYCO_SECOND, b, k * n);
    if (x && y)
      status = multiply(m, n, k, dnnl_bf16, x, a_transposed, y, b_transposed, NULL, c, accumulates);
  }
  lyco_release_engine();
  return status;
}

// MARK: Frozen weights

struct lyco_matrix {
  size_t outputs, inputs;
  lyco_storage storage;
  lyco_compute compute;
  // [out, in] in the format of `storage`
  void *values;
  // Of 8-bit numbers: what those of a row count in.
  float *scales;
  // Whether both lie in memory that processes share, and another one writes them.
  int is_shared, is_foreign;
};

static size_t width_of(lyco_storage storage) {
  return storage == LYCO_STORED_F32 ? sizeof(float) : storage == LYCO_STORED_BF16 ? 2 : 1;
}

struct rows {
  const lyco_matrix *matrix;
  const float *weight;
  // One of both.
  float *wide;
  uint16_t *narrow;
  // Where those of `weight` begin in the matrix.
  size_t first;
};

// Rows to 8 bits, the largest magnitude to 127.
static void quantize_row(size_t row, void *context) {
  const struct rows *work = context;
  const size_t count = work->matrix->inputs;
  const float *source = work->weight + row * count;
  int8_t *target = (int8_t *)work->matrix->values + (work->first + row) * count;
  float largest = 0, difference = 0;
  for (size_t i = 0; i < count; i++) {
    const float magnitude = source[i] < 0 ? -source[i] : source[i];
    largest = magnitude > largest ? magnitude : largest;
    difference += source[i] - source[i];
  }
  // A row with NaN or infinity, which no whole number is, stays one of no numbers, so that it is found.
  if (difference != 0) largest = difference;
  work->matrix->scales[work->first + row] = largest / 127;
  if (!(largest > 0)) {
    // Zeros; ones where the scale is no number.
    memset(target, largest != 0, count);
    return;
  }
  const float factor = 127 / largest;
  for (size_t i = 0; i < count; i++) {
    const float scaled = source[i] * factor;
    target[i] = (int8_t)(scaled < 0 ? scaled - 0.5f : scaled + 0.5f);
  }
}

static LYCO_CLONED void restore_row(size_t row, void *context) {
  const struct rows *work = context;
  const size_t count = work->matrix->inputs;
  const int8_t *restrict source = (const int8_t *)work->matrix->values + row * count;
  const float scale = work->matrix->scales[row];
  if (work->wide) {
    float *restrict target = work->wide + row * count;
    for (size_t i = 0; i < count; i++) target[i] = (float)source[i] * scale;
    return;
  }
  uint16_t *restrict target = work->narrow + row * count;
  for (size_t i = 0; i < count; i++) {
    const float value = (float)source[i] * scale;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    target[i] = (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
  }
}

static void restore(const lyco_matrix *matrix, float *wide, uint16_t *narrow) {
  struct rows work = {matrix, NULL, wide, narrow, 0};
  lyco_parallel(matrix->outputs, restore_row, &work);
}

lyco_matrix *lyco_matrix_create(const float *weight, size_t outputs, size_t inputs,
                                lyco_storage storage, lyco_compute compute) {
  lyco_matrix *matrix = calloc(1, sizeof(lyco_matrix));
  if (!matrix) return NULL;
  const size_t count = outputs * inputs;
  *matrix = (lyco_matrix){.outputs = outputs, .inputs = inputs, .storage = storage, .compute = compute};
  const size_t scale_size = storage == LYCO_STORED_INT8 ? outputs * sizeof(float) : 0;
  // With what goes to whole lines before the scales.
  const size_t value_size = (count * width_of(storage) + LYCO_LINE - 1) / LYCO_LINE * LYCO_LINE;
  char *taken = lyco_take_shared(value_size + scale_size, LYCO_LINE);
  if (taken) {
    matrix->is_shared = 1;
    matrix->is_foreign = !lyco_writes_shared();
    matrix->values = taken;
    if (scale_size) matrix->scales = (float *)(taken + value_size);
    if (weight) lyco_matrix_set_rows(matrix, 0, outputs, weight);
    return matrix;
  }
  matrix->values = lyco_large_memory(count * width_of(storage));
  if (storage == LYCO_STORED_INT8) matrix->scales = malloc((outputs ? outputs : 1) * sizeof(float));
  if (!matrix->values || (storage == LYCO_STORED_INT8 && !matrix->scales)) {
    lyco_matrix_destroy(matrix);
    return NULL;
  }
  if (weight) lyco_matrix_set_rows(matrix, 0, outputs, weight);
  return matrix;
}

void lyco_matrix_set_rows(lyco_matrix *matrix, size_t first, size_t rows, const float *weight) {
  if (matrix->is_foreign) return;
  const size_t start = first * matrix->inputs, count = rows * matrix->inputs;
  struct rows work = {matrix, weight, NULL, NULL, first};
  switch (matrix->storage) {
    case LYCO_STORED_F32:
      lyco_copy(weight, (float *)matrix->values + start, count);
      break;
    case LYCO_STORED_BF16: lyco_narrow(weight, (uint16_t *)matrix->values + start, count); break;
    case LYCO_STORED_INT8: lyco_parallel(rows, quantize_row, &work); break;
  }
}

void lyco_matrix_destroy(lyco_matrix *matrix) {
  if (!matrix) return;
  if (!matrix->is_shared) {
    lyco_release_large_memory(
        matrix->values, matrix->outputs * matrix->inputs * width_of(matrix->storage));
    free(matrix->scales);
  }
  free(matrix);
}

size_t lyco_matrix_size(const lyco_matrix *matrix) {
  return matrix->outputs * matrix->inputs * width_of(matrix->storage) +
         (matrix->scales ? matrix->outputs * sizeof(float) : 0);
}

void lyco_matrix_read(const lyco_matrix *matrix, float *weight) {
  const size_t count = matrix->outputs * matrix->inputs;
  switch (matrix->storage) {
    case LYCO_STORED_F32: memcpy(weight, matrix->values, count * sizeof(float)); break;
    case LYCO_STORED_BF16: lyco_widen(matrix->values, weight, count); break;
    case LYCO_STORED_INT8: restore(matrix, weight, NULL); break;
  }
}

// The weight in the format of a product: where it lies, or converted for this product.
static const void *weight_as(const lyco_matrix *matrix, dnnl_data_type_t type) {
  const lyco_storage wanted = type == dnnl_bf16 ? LYCO_STORED_BF16 : LYCO_STORED_F32;
  if (matrix->storage == wanted) return matrix->values;
  const size_t count = matrix->outputs * matrix->inputs;
  void *memory = lyco_kept_memory(LYCO_WEIGHT, count * width_of(wanted));
  if (!memory) return NULL;
  if (type == dnnl_f32)
    lyco_matrix_read(matrix, memory);
  else if (matrix->storage == LYCO_STORED_INT8)
    restore(matrix, NULL, memory);
  else
    lyco_narrow(matrix->values, memory, count);
  return memory;
}

// [rows, k] · W or Wᵀ
static int apply(const lyco_matrix *matrix, size_t rows, const float *x, const float *bias,
                 float *y, int is_forward) {
  const size_t k = is_forward ? matrix->inputs : matrix->outputs;
  const size_t n = is_forward ? matrix->outputs : matrix->inputs;
  const dnnl_data_type_t type =
      matrix->compute == LYCO_BF16 && lyco_has_bf16() ? dnnl_bf16 : dnnl_f32;
  if (rows == 0 || n == 0) return dnnl_success;
  lyco_hold_engine();
  dnnl_status_t status = dnnl_out_of_memory;
  const void *weight = weight_as(matrix, type);
  const void *source = type == dnnl_bf16 ? (const void *)narrowed(LYCO_FIRST, x, rows * k) : x;
  if (weight && source)
    status = multiply(rows, n, k, type, source, 0, weight, is_forward, bias, y, 0);
  lyco_release_engine();
  return status;
}

int lyco_matrix_forward(const lyco_matrix *matrix, size_t rows, const float *x, const float *bias,
                        float *y) {
  return apply(matrix, rows, x, bias, y, 1);
}

int lyco_matrix_backward(const lyco_matrix *matrix, size_t rows, const float *dy, float *dx) {
  return apply(matrix, rows, dy, NULL, dx, 0);
}
