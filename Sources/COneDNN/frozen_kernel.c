#include <stdlib.h>
#include <string.h>

#include "convolution.h"

// A 1×1 kernel is multiplied as a matrix wherever that is the same. Any other takes the layout that the
// first convolution asks for, and keeps it.
struct lyco_kernel {
  size_t outputs, inputs, height, width;
  lyco_compute compute;
  lyco_matrix *matrix;
  // What its numbers are stored as, where they lie, and the layout they lie in.
  dnnl_data_type_t type;
  void *values;
  dnnl_memory_desc_t layout;
  // Where the numbers lie in memory that processes share, until this one reads the packed form: then `is_shared` alone
  // tells that.
  lyco_shared_kernel *shared;
  int is_shared;
  // Of those with numbers that are shared and not packed.
  struct lyco_kernel *next;
};

// Kernels that this process reads from memory that is shared, as they were read. Changed with the engine held.
static lyco_kernel *unpacked;

static void forget_unpacked(const lyco_kernel *kernel) {
  for (lyco_kernel **place = &unpacked; *place; place = &(*place)->next)
    if (*place == kernel) {
      *place = kernel->next;
      return;
    }
}

static size_t size_of(dnnl_data_type_t type) { return type == dnnl_bf16 ? 2 : 4; }

static size_t count_of(const lyco_kernel *kernel) {
  return kernel->outputs * kernel->inputs * kernel->height * kernel->width;
}

static void forget_values(lyco_kernel *kernel) {
  if (kernel->shared) {
    lyco_hold_engine();
    forget_unpacked(kernel);
    lyco_release_engine();
    lyco_shared_kernel_destroy(kernel->shared);
  }
  if (!kernel->is_shared) free(kernel->values);
}

lyco_kernel *lyco_kernel_create(const float *weight, size_t outputs, size_t inputs, size_t height,
                                size_t width, lyco_compute compute) {
  lyco_kernel *kernel = calloc(1, sizeof(lyco_kernel));
  if (!kernel) return NULL;
  kernel->outputs = outputs, kernel->inputs = inputs;
  kernel->height = height, kernel->width = width;
  kernel->compute = compute;
  if (height == 1 && width == 1) {
    kernel->matrix = lyco_matrix_create(
        weight, outputs, inputs, compute == LYCO_BF16 ? LYCO_STORED_BF16 : LYCO_STORED_F32, compute);
    if (kernel->matrix) return kernel;
    free(kernel);
    return NULL;
  }
  kernel->type = compute == LYCO_BF16 ? dnnl_bf16 : dnnl_f32;
  kernel->shared = lyco_shared_kernel_create(outputs, inputs, height, width, size_of(kernel->type));
  kernel->is_shared = kernel->shared != NULL;
  kernel->values = kernel->is_shared ? lyco_shared_plain(kernel->shared)
                                     : malloc(count_of(kernel) * size_of(kernel->type));
  if (!kernel->values || lyco_describe_kernel(&kernel->layout, outputs, inputs, height, width,
                                              kernel->type) != dnnl_success) {
    forget_values(kernel);
    free(kernel);
    return NULL;
  }
  if (kernel->is_shared) {
    lyco_hold_engine();
    kernel->next = unpacked;
    unpacked = kernel;
    lyco_release_engine();
    if (!lyco_writes_shared()) return kernel;
  }
  if (kernel->type == dnnl_bf16)
    lyco_narrow(weight, kernel->values, count_of(kernel));
  else
    lyco_copy(weight, kernel->values, count_of(kernel));
  return kernel;
}

void lyco_kernel_destroy(lyco_kernel *kernel) {
  if (!kernel) return;
  lyco_matrix_destroy(kernel->matrix);
  if (kernel->values) DESTROY_DESCRIPTOR(kernel->layout);
  forget_values(kernel);
  free(kernel);
}

size_t lyco_kernel_size(const lyco_kernel *kernel) {
  if (kernel->matrix) return lyco_matrix_size(kernel->matrix);
  return count_of(kernel) * size_of(kernel->type);
}

static int is_pointwise(const lyco_kernel *kernel, const lyco_convolution *e) {
  return kernel->matrix && e->stride == 1 && !e->top && !e->bottom && !e->left && !e->right;
}

// Has the kernel lie in another layout from here on.
static dnnl_status_t move(lyco_kernel *kernel, queried_descriptor layout, void *values) {
  dnnl_memory_desc_t copy;
  const dnnl_status_t status = lyco_copy_descriptor(&copy, layout);
  if (status != dnnl_success) return status;
  if (!kernel->is_shared) free(kernel->values);
  DESTROY_DESCRIPTOR(kernel->layout);
  kernel->values = values;
  kernel->layout = copy;
  if (kernel->shared) {
    forget_unpacked(kernel);
    lyco_leave_plain(kernel->shared);
    lyco_shared_kernel_destroy(kernel->shared);
    kernel->shared = NULL;
  }
  return dnnl_success;
}

// Takes on the layouts that other processes have packed kernels in, of all of them: until every process has, what was
// read lies beside what is packed. Before a product's primitive is prepared: preparing may let go of others.
static void follow(void) {
  for (lyco_kernel *kernel = unpacked, *next; kernel; kernel = next) {
    next = kernel->next;
    queried_descriptor layout;
    void *packed = lyco_find_packed(kernel->shared, &layout);
    if (packed) move(kernel, layout, packed);
  }
}

// The kernel in the layout that a product wants: its own, which it takes on if it had none yet, or converted.
static dnnl_status_t place(lyco_kernel *kernel, const lyco_prepared *prepared,
                           const lyco_packing *packing, void **placed) {
  queried_descriptor wanted = lyco_wanted(prepared, DNNL_ARG_WEIGHTS);
  *placed = kernel->values;
  if (dnnl_memory_desc_equal(BY_REFERENCE(kernel->layout), wanted)) return dnnl_success;
  dnnl_memory_desc_t plain;
  dnnl_status_t status = lyco_describe_kernel(&plain, kernel->outputs, kernel->inputs,
                                              kernel->height, kernel->width, kernel->type);
  if (status != dnnl_success) return status;
  int takes_on = kernel->type == packing->type &&
                 dnnl_memory_desc_equal(BY_REFERENCE(kernel->layout), BY_REFERENCE(plain));
  DESTROY_DESCRIPTOR(plain);
  if (takes_on && kernel->is_shared) {
    void *packed = NULL;
    if (kernel->shared)
      status = lyco_pack(kernel->shared, BY_REFERENCE(kernel->layout), packing, wanted, &packed);
    if (status != dnnl_success) return status;
    if (packed) {
      *placed = packed;
      return move(kernel, wanted, packed);
    }
    takes_on = 0;
  }
  const size_t size = dnnl_memory_desc_get_size(wanted);
  *placed = takes_on ? malloc(size) : lyco_kept_memory(LYCO_WEIGHT, size);
  if (!*placed) return dnnl_out_of_memory;
  status = lyco_reorder(BY_REFERENCE(kernel->layout), kernel->values, wanted, *placed);
  if (!takes_on) return status;
  if (status == dnnl_success) status = move(kernel, wanted, *placed);
  if (status != dnnl_success) free(*placed);
  return status;
}

int lyco_kernel_forward(lyco_kernel *kernel, const lyco_convolution *e, const float *x,
                        const float *bias, float *y) {
  if (is_pointwise(kernel, e))
    return lyco_matrix_forward(kernel->matrix, e->batch * e->height * e->width, x, bias, y);
  if (kernel->matrix) {
    float *weight = malloc(count_of(kernel) * sizeof(float));
    if (!weight) return dnnl_out_of_memory;
    lyco_matrix_read(kernel->matrix, weight);
    const int status = lyco_convolution_forward(e, x, weight, bias, y, kernel->compute);
    free(weight);
    return status;
  }
  const dnnl_data_type_t type = lyco_multiplied_type(kernel->compute);
  const lyco_packing packing = {*e, LYCO_FORWARD, type, bias != NULL};
  lyco_hold_engine();
  follow();
  lyco_prepared *prepared;
  void *placed;
  dnnl_status_t status = lyco_prepare_convolution(e, LYCO_FORWARD, type, bias != NULL, &prepared);
  const void *image = lyco_image_as(type, LYCO_FIRST, x, lyco_input_count(e));
  if (status == dnnl_success && !image) status = dnnl_out_of_memory;
  if (status == dnnl_success) status = place(kernel, prepared, &packing, &placed);
  if (status == dnnl_success)
    status = lyco_run(prepared, (void *[]){(void *)(uintptr_t)image, placed, y,
                                           (void *)(uintptr_t)bias});
  lyco_release_engine();
  return status;
}

// The turned kernel in a layout, made for this product.
static dnnl_status_t turn(lyco_kernel *kernel, const lyco_convolution *e, queried_descriptor wanted,
                          dnnl_data_type_t type, void **placed) {
  *placed = lyco_kept_memory(LYCO_WEIGHT, dnnl_memory_desc_get_size(wanted));
  if (!*placed) return dnnl_out_of_memory;
  dnnl_status_t status = dnnl_success;
  if (kernel->type == type) {
    status = lyco_turn_kernel(e, size_of(type), BY_REFERENCE(kernel->layout), kernel->values,
                              wanted, *placed);
  } else {
    float *wide = lyco_kept_memory(LYCO_CONVERTED, count_of(kernel) * sizeof(float));
    dnnl_memory_desc_t plain;
    if (!wide) return dnnl_out_of_memory;
    status = lyco_describe_kernel(&plain, kernel->outputs, kernel->inputs, kernel->height,
                                  kernel->width, type);
    if (status == dnnl_success)
      status = lyco_reorder(BY_REFERENCE(kernel->layout), kernel->values, BY_REFERENCE(plain), wide);
    if (status == dnnl_success)
      status = lyco_turn_kernel(e, size_of(type), BY_REFERENCE(plain), wide, wanted, *placed);
    DESTROY_DESCRIPTOR(plain);
  }
  return status;
}

int lyco_kernel_backward(lyco_kernel *kernel, const lyco_convolution *e, const float *dy,
                         float *dx) {
  if (is_pointwise(kernel, e))
    return lyco_matrix_backward(kernel->matrix, e->batch * e->height * e->width, dy, dx);
  const dnnl_data_type_t type = lyco_multiplied_type(kernel->compute);
  lyco_convolution turned;
  const int is_turned = lyco_turned_extents(e, &turned);
  if (kernel->matrix) {
    float *weight = malloc(count_of(kernel) * sizeof(float));
    if (!weight) return dnnl_out_of_memory;
    lyco_matrix_read(kernel->matrix, weight);
    const int status = lyco_convolution_backward_data(e, dy, weight, dx, kernel->compute);
    free(weight);
    return status;
  }
  const lyco_packing packing = {*e, LYCO_BACKWARD_DATA, type, 0};
  lyco_hold_engine();
  follow();
  lyco_prepared *prepared;
  void *placed;
  dnnl_status_t status = lyco_prepare_convolution(
      is_turned ? &turned : e, is_turned ? LYCO_FORWARD : LYCO_BACKWARD_DATA, type, 0, &prepared);
  const void *image = lyco_image_as(type, LYCO_FIRST, dy, lyco_output_count(e));
  if (status == dnnl_success && !image) status = dnnl_out_of_memory;
  if (status == dnnl_success)
    status = is_turned
                 ? turn(kernel, e, lyco_wanted(prepared, DNNL_ARG_WEIGHTS), type, &placed)
                 : place(kernel, prepared, &packing, &placed);
  if (status == dnnl_success)
    status = lyco_run(prepared, is_turned
                                    ? (void *[]){(void *)(uintptr_t)image, placed, dx}
                                    : (void *[]){dx, placed, (void *)(uintptr_t)image});
  lyco_release_engine();
  return status;
}

int lyco_kernel_read(const lyco_kernel *kernel, float *weight) {
  if (kernel->matrix) {
    lyco_matrix_read(kernel->matrix, weight);
    return dnnl_success;
  }
  lyco_hold_engine();
  dnnl_memory_desc_t plain;
  dnnl_status_t status = lyco_describe_kernel(&plain, kernel->outputs, kernel->inputs,
                                              kernel->height, kernel->width, dnnl_f32);
  if (status == dnnl_success) {
    status = lyco_reorder(BY_REFERENCE(kernel->layout), kernel->values, BY_REFERENCE(plain), weight);
    DESTROY_DESCRIPTOR(plain);
  }
  lyco_release_engine();
  return status;
}
