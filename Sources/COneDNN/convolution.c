#include "convolution.h"

#include <stdlib.h>
#include <string.h>

dnnl_data_type_t lyco_multiplied_type(lyco_compute compute) {
  return compute == LYCO_BF16 && lyco_has_bf16() ? dnnl_bf16 : dnnl_f32;
}

static size_t extent(size_t input, size_t before, size_t after, size_t kernel, size_t stride) {
  return (input + before + after - kernel) / stride + 1;
}

size_t lyco_input_count(const lyco_convolution *e) {
  return e->batch * e->height * e->width * e->inputs;
}

size_t lyco_output_count(const lyco_convolution *e) {
  return e->batch * extent(e->height, e->top, e->bottom, e->kernel_height, e->stride) *
         extent(e->width, e->left, e->right, e->kernel_width, e->stride) * e->outputs;
}

dnnl_status_t lyco_describe_kernel(dnnl_memory_desc_t *descriptor, size_t outputs, size_t inputs,
                                   size_t height, size_t width, dnnl_data_type_t type) {
  dnnl_dim_t extents[] = {(dnnl_dim_t)outputs, (dnnl_dim_t)inputs, (dnnl_dim_t)height,
                          (dnnl_dim_t)width};
  dnnl_dim_t strides[] = {extents[1] * extents[2] * extents[3], extents[2] * extents[3],
                          extents[3], 1};
  return lyco_describe(descriptor, 4, extents, type, strides);
}

static dnnl_status_t describe_image(dnnl_memory_desc_t *descriptor, size_t batch, size_t height,
                                    size_t width, size_t channels, dnnl_data_type_t type) {
  dnnl_dim_t extents[] = {(dnnl_dim_t)batch, (dnnl_dim_t)channels, (dnnl_dim_t)height,
                          (dnnl_dim_t)width};
  dnnl_dim_t strides[] = {extents[2] * extents[3] * extents[1], 1, extents[3] * extents[1],
                          extents[1]};
  return lyco_describe(descriptor, 4, extents, type, strides);
}

// The descriptors of one convolution.
struct description {
  dnnl_memory_desc_t x, weight, bias, y;
};

static dnnl_status_t describe(const lyco_convolution *e, struct description *d,
                              dnnl_data_type_t x_type, dnnl_data_type_t weight_type,
                              dnnl_data_type_t y_type) {
  memset(d, 0, sizeof *d);
  dnnl_dim_t kernel[] = {(dnnl_dim_t)e->outputs, (dnnl_dim_t)e->inputs,
                         (dnnl_dim_t)e->kernel_height, (dnnl_dim_t)e->kernel_width};
  dnnl_dim_t one[] = {1};
  dnnl_status_t status = describe_image(&d->x, e->batch, e->height, e->width, e->inputs, x_type);
  if (status == dnnl_success)
    status = describe_image(
        &d->y, e->batch, extent(e->height, e->top, e->bottom, e->kernel_height, e->stride),
        extent(e->width, e->left, e->right, e->kernel_width, e->stride), e->outputs, y_type);
  if (status == dnnl_success) status = lyco_describe_any(&d->weight, 4, kernel, weight_type);
  if (status == dnnl_success) status = lyco_describe(&d->bias, 1, kernel, dnnl_f32, one);
  return status;
}

static void forget(struct description *d) {
  DESTROY_DESCRIPTOR(d->x);
  DESTROY_DESCRIPTOR(d->weight);
  DESTROY_DESCRIPTOR(d->bias);
  DESTROY_DESCRIPTOR(d->y);
}

static dnnl_status_t create(const lyco_convolution *e, lyco_direction towards, int has_bias,
                            struct description *d, dnnl_primitive_desc_t hint,
                            dnnl_primitive_desc_t *created) {
  dnnl_dim_t strides[] = {(dnnl_dim_t)e->stride, (dnnl_dim_t)e->stride}, none[] = {0, 0};
  dnnl_dim_t before[] = {(dnnl_dim_t)e->top, (dnnl_dim_t)e->left};
  dnnl_dim_t after[] = {(dnnl_dim_t)e->bottom, (dnnl_dim_t)e->right};
  dnnl_primitive_attr_t attributes;
  dnnl_status_t status = lyco_attributes(&attributes, 0);
  if (status != dnnl_success) return status;
#if DNNL_VERSION_MAJOR >= 3
  switch (towards) {
    case LYCO_FORWARD:
      status = dnnl_convolution_forward_primitive_desc_create(
          created, lyco_engine(), dnnl_forward_training, dnnl_convolution_direct, d->x, d->weight,
          has_bias ? d->bias : NULL, d->y, strides, none, before, after, attributes);
      break;
    case LYCO_BACKWARD_DATA:
      status = dnnl_convolution_backward_data_primitive_desc_create(
          created, lyco_engine(), dnnl_convolution_direct, d->x, d->weight, d->y, strides, none,
          before, after, hint, attributes);
      break;
    case LYCO_BACKWARD_WEIGHT:
      status = dnnl_convolution_backward_weights_primitive_desc_create(
          created, lyco_engine(), dnnl_convolution_direct, d->x, d->weight, NULL, d->y, strides,
          none, before, after, hint, attributes);
      break;
  }
#else
  dnnl_convolution_desc_t operation;
  switch (towards) {
    case LYCO_FORWARD:
      status = dnnl_dilated_convolution_forward_desc_init(
          &operation, dnnl_forward_training, dnnl_convolution_direct, &d->x, &d->weight,
          has_bias ? &d->bias : NULL, &d->y, strides, none, before, after);
      break;
    case LYCO_BACKWARD_DATA:
      status = dnnl_dilated_convolution_backward_data_desc_init(
          &operation, dnnl_convolution_direct, &d->x, &d->weight, &d->y, strides, none, before,
          after);
      break;
    case LYCO_BACKWARD_WEIGHT:
      status = dnnl_dilated_convolution_backward_weights_desc_init(
          &operation, dnnl_convolution_direct, &d->x, &d->weight, NULL, &d->y, strides, none,
          before, after);
      break;
  }
  if (status == dnnl_success)
    status = dnnl_primitive_desc_create(created, &operation, attributes, lyco_engine(), hint);
#endif
  dnnl_primitive_attr_destroy(attributes);
  return status;
}

dnnl_status_t lyco_prepare_convolution(const lyco_convolution *e, lyco_direction towards,
                                       dnnl_data_type_t type, int has_bias,
                                       lyco_prepared **prepared) {
  lyco_primitive_key key = {
      .kind = towards,
      .first_type = type,
      .second_type = type,
      .has_bias = has_bias,
      .extents = {(dnnl_dim_t)e->batch, (dnnl_dim_t)e->height, (dnnl_dim_t)e->width,
                  (dnnl_dim_t)e->inputs, (dnnl_dim_t)e->outputs, (dnnl_dim_t)e->kernel_height,
                  (dnnl_dim_t)e->kernel_width, (dnnl_dim_t)e->stride, (dnnl_dim_t)e->top,
                  (dnnl_dim_t)e->left, (dnnl_dim_t)e->bottom, (dnnl_dim_t)e->right}};
  *prepared = lyco_find_primitive(&key);
  if (*prepared) return dnnl_success;
  struct description description, forward;
  dnnl_primitive_desc_t created = NULL, hint = NULL;
  // What is written is f32, what is read may be narrower.
  dnnl_status_t status =
      describe(e, &description, towards == LYCO_BACKWARD_DATA ? dnnl_f32 : type,
               towards == LYCO_BACKWARD_WEIGHT ? dnnl_f32 : type,
               towards == LYCO_FORWARD ? dnnl_f32 : type);
  if (status == dnnl_success && towards != LYCO_FORWARD) {
    status = describe(e, &forward, type, type, type);
    if (status == dnnl_success) status = create(e, LYCO_FORWARD, 0, &forward, NULL, &hint);
    forget(&forward);
  }
  if (status == dnnl_success) status = create(e, towards, has_bias, &description, hint, &created);
  forget(&description);
  if (hint) dnnl_primitive_desc_destroy(hint);
  if (status != dnnl_success) return status;
  const int names[3][4] = {
      {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS},
      {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
      {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
  };
  return lyco_keep_primitive(&key, created, has_bias ? 4 : 3, names[towards - LYCO_FORWARD],
                             prepared);
}

const void *lyco_image_as(dnnl_data_type_t type, lyco_purpose purpose, const float *image,
                          size_t count) {
  if (type == dnnl_f32) return image;
  uint16_t *narrowed = lyco_kept_memory(purpose, count * sizeof(uint16_t));
  if (narrowed) lyco_narrow(image, narrowed, count);
  return narrowed;
}

// MARK: Turned kernels

int lyco_turned_extents(const lyco_convolution *e, lyco_convolution *turned) {
  const size_t down = e->kernel_height - 1, across = e->kernel_width - 1;
  if (e->stride != 1 || e->top > down || e->bottom > down || e->left > across || e->right > across)
    return 0;
  *turned = (lyco_convolution){
      .batch = e->batch,
      .height = extent(e->height, e->top, e->bottom, e->kernel_height, 1),
      .width = extent(e->width, e->left, e->right, e->kernel_width, 1),
      .inputs = e->outputs,
      .outputs = e->inputs,
      .kernel_height = e->kernel_height,
      .kernel_width = e->kernel_width,
      .stride = 1,
      .top = down - e->top,
      .left = across - e->left,
      .bottom = down - e->bottom,
      .right = across - e->right,
  };
  return 1;
}

// MARK: Kernels that change

// The kernel in the layout of a primitive, turned if so; converted into memory that is kept.
static dnnl_status_t place(const lyco_convolution *e, const float *weight, dnnl_data_type_t type,
                           queried_descriptor wanted, int is_turned, void **placed) {
  const size_t count = e->outputs * e->inputs * e->kernel_height * e->kernel_width;
  const void *values = lyco_image_as(type, LYCO_CONVERTED, weight, count);
  *placed = lyco_kept_memory(LYCO_WEIGHT, dnnl_memory_desc_get_size(wanted));
  if (!values || !*placed) return dnnl_out_of_memory;
  dnnl_memory_desc_t plain;
  dnnl_status_t status = lyco_describe_kernel(&plain, e->outputs, e->inputs, e->kernel_height,
                                              e->kernel_width, type);
  if (status != dnnl_success) return status;
  status = is_turned ? lyco_turn_kernel(e, type == dnnl_bf16 ? 2 : 4, BY_REFERENCE(plain), values,
                                        wanted, *placed)
                     : lyco_reorder(BY_REFERENCE(plain), values, wanted, *placed);
  DESTROY_DESCRIPTOR(plain);
  return status;
}

int lyco_convolution_forward(const lyco_convolution *e, const float *x, const float *weight,
                             const float *bias, float *y, lyco_compute compute) {
  const dnnl_data_type_t type = lyco_multiplied_type(compute);
  lyco_hold_engine();
  lyco_prepared *prepared;
  void *placed;
  dnnl_status_t status = lyco_prepare_convolution(e, LYCO_FORWARD, type, bias != NULL, &prepared);
  const void *image = lyco_image_as(type, LYCO_FIRST, x, lyco_input_count(e));
  if (status == dnnl_success && !image) status = dnnl_out_of_memory;
  if (status == dnnl_success)
    status = place(e, weight, type, lyco_wanted(prepared, DNNL_ARG_WEIGHTS), 0, &placed);
  if (status == dnnl_success)
    status = lyco_run(prepared, (void *[]){(void *)(uintptr_t)image, placed, y,
                                           (void *)(uintptr_t)bias});
  lyco_release_engine();
  return status;
}

int lyco_convolution_backward_data(const lyco_convolution *e, const float *dy, const float *weight,
                                   float *dx, lyco_compute compute) {
  const dnnl_data_type_t type = lyco_multiplied_type(compute);
  lyco_convolution turned;
  const int is_turned = lyco_turned_extents(e, &turned);
  lyco_hold_engine();
  lyco_prepared *prepared;
  void *placed;
  dnnl_status_t status = lyco_prepare_convolution(
      is_turned ? &turned : e, is_turned ? LYCO_FORWARD : LYCO_BACKWARD_DATA, type, 0, &prepared);
  const void *image = lyco_image_as(type, LYCO_FIRST, dy, lyco_output_count(e));
  if (status == dnnl_success && !image) status = dnnl_out_of_memory;
  if (status == dnnl_success)
    status = place(e, weight, type, lyco_wanted(prepared, DNNL_ARG_WEIGHTS), is_turned, &placed);
  if (status == dnnl_success)
    status = lyco_run(prepared, is_turned
                                    ? (void *[]){(void *)(uintptr_t)image, placed, dx}
                                    : (void *[]){dx, placed, (void *)(uintptr_t)image});
  lyco_release_engine();
  return status;
}

// MARK: Gradients of kernels

struct sum {
  float *total;
  const float *part;
  size_t count;
};

enum { SUM_CHUNK = 16384 };

static void add_chunk(size_t index, void *context) {
  const struct sum *sum = context;
  const size_t start = index * SUM_CHUNK;
  const size_t end = start + SUM_CHUNK < sum->count ? start + SUM_CHUNK : sum->count;
  for (size_t i = start; i < end; i++) sum->total[i] += sum->part[i];
}

// Image by image, summed in their order: with several images oneDNN sums as many parts as it has threads. In f32:
// with bf16 it does so for one image too.
int lyco_convolution_backward_weight(const lyco_convolution *e, const float *x, const float *dy,
                                     float *dweight) {
  lyco_convolution one = *e;
  one.batch = 1;
  lyco_hold_engine();
  lyco_prepared *prepared;
  dnnl_status_t status =
      lyco_prepare_convolution(&one, LYCO_BACKWARD_WEIGHT, dnnl_f32, 0, &prepared);
  dnnl_memory_desc_t plain;
  if (status == dnnl_success)
    status = lyco_describe_kernel(&plain, e->outputs, e->inputs, e->kernel_height, e->kernel_width,
                                  dnnl_f32);
  if (status == dnnl_success) {
    queried_descriptor wanted = lyco_wanted(prepared, DNNL_ARG_DIFF_WEIGHTS);
    const size_t bytes = dnnl_memory_desc_get_size(wanted);
    const int is_plain = dnnl_memory_desc_equal(BY_REFERENCE(plain), wanted);
    void *total = is_plain ? dweight : lyco_kept_memory(LYCO_WEIGHT, bytes);
    void *part = e->batch > 1 ? lyco_kept_memory(LYCO_CONVERTED, bytes) : NULL;
    if (!total || (e->batch > 1 && !part)) status = dnnl_out_of_memory;
    for (size_t image = 0; status == dnnl_success && image < e->batch; image++) {
      status = lyco_run(
          prepared,
          (void *[]){(void *)(uintptr_t)(x + image * lyco_input_count(&one)),
                     image == 0 ? total : part,
                     (void *)(uintptr_t)(dy + image * lyco_output_count(&one))});
      if (status != dnnl_success || image == 0) continue;
      struct sum sum = {total, part, bytes / sizeof(float)};
      lyco_parallel((sum.count + SUM_CHUNK - 1) / SUM_CHUNK, add_chunk, &sum);
    }
    if (status == dnnl_success && total != dweight)
      status = lyco_reorder(wanted, total, BY_REFERENCE(plain), dweight);
    DESTROY_DESCRIPTOR(plain);
  }
  lyco_release_engine();
  return status;
}
