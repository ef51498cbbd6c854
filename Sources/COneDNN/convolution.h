// What convolutions with frozen and with changing kernels share.
#ifndef LYCO_CONVOLUTION_H
#define LYCO_CONVOLUTION_H

#include "COneDNN.h"
#include "engine.h"

typedef enum { LYCO_FORWARD = 2, LYCO_BACKWARD_DATA, LYCO_BACKWARD_WEIGHT } lyco_direction;

/// The format in which a processor multiplies for a compute type.
dnnl_data_type_t lyco_multiplied_type(lyco_compute compute);

/// The primitive of a convolution; the layout of its weight is its own choice.
dnnl_status_t lyco_prepare_convolution(const lyco_convolution *extents, lyco_direction towards,
                                       dnnl_data_type_t type, int has_bias,
                                       lyco_prepared **prepared);

/// An image in the format of a product: where it lies, or narrowed for this product.
const void *lyco_image_as(dnnl_data_type_t type, lyco_purpose purpose, const float *image,
                          size_t count);
size_t lyco_input_count(const lyco_convolution *extents);
size_t lyco_output_count(const lyco_convolution *extents);

/// Whether the gradient of the input is a convolution of that of the output, by the kernel turned by 180° with
/// its channels exchanged; and its extents.
int lyco_turned_extents(const lyco_convolution *extents, lyco_convolution *turned);
/// Turns a kernel of one number format.
dnnl_status_t lyco_turn_kernel(const lyco_convolution *extents, size_t size, queried_descriptor from,
                               const void *source, queried_descriptor to, void *target);

/// `[out, in, height, width]`, row-major.
dnnl_status_t lyco_describe_kernel(dnnl_memory_desc_t *descriptor, size_t outputs, size_t inputs,
                                   size_t height, size_t width, dnnl_data_type_t type);

// MARK: Kernels that processes share

/// A kernel in memory that processes share: as it was read, and packed as a convolution wants it. Whichever process
/// multiplies by it first packs it for all; what was read is given back when the last of them has taken that on.
typedef struct lyco_shared_kernel lyco_shared_kernel;

/// What a kernel is packed for.
typedef struct {
  lyco_convolution extents;
  lyco_direction towards;
  dnnl_data_type_t type;
  int has_bias;
} lyco_packing;

/// NULL where nothing is shared, and for kernels that are not worth it.
lyco_shared_kernel *lyco_shared_kernel_create(size_t outputs, size_t inputs, size_t height,
                                              size_t width, size_t number_size);
void lyco_shared_kernel_destroy(lyco_shared_kernel *kernel);
/// The numbers as they were read, until `lyco_leave_plain`.
void *lyco_shared_plain(const lyco_shared_kernel *kernel);
/// The packed numbers and their layout; NULL where nobody has packed them, or in a layout that no convolution wants here.
void *lyco_find_packed(lyco_shared_kernel *kernel, queried_descriptor *layout);
/// Packs the kernel. Packed is NULL where another process does so already, and where there is no room for this layout.
dnnl_status_t lyco_pack(lyco_shared_kernel *kernel, queried_descriptor plain,
                        const lyco_packing *packing, queried_descriptor wanted, void **packed);
/// This process reads the packed numbers from here on.
void lyco_leave_plain(lyco_shared_kernel *kernel);

#endif
