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

#endif
