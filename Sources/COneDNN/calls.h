// The calls of oneDNN that this target makes. The library is loaded when the first is made: it has 40 MB and brings
// libraries of its own, which would take a sixth of the time of a tool that runs no model.
#ifndef LYCO_CALLS_H
#define LYCO_CALLS_H

#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
#define LYCO_CALLS_OF_GENERATION(CALL)                          \
  CALL(dnnl_convolution_backward_data_primitive_desc_create)    \
  CALL(dnnl_convolution_backward_weights_primitive_desc_create) \
  CALL(dnnl_convolution_forward_primitive_desc_create)          \
  CALL(dnnl_matmul_primitive_desc_create)                       \
  CALL(dnnl_memory_desc_clone)                                  \
  CALL(dnnl_memory_desc_create_with_strides)                    \
  CALL(dnnl_memory_desc_create_with_tag)                        \
  CALL(dnnl_memory_desc_destroy)                                \
  CALL(dnnl_memory_desc_query)
#else
#define LYCO_CALLS_OF_GENERATION(CALL)                      \
  CALL(dnnl_dilated_convolution_backward_data_desc_init)    \
  CALL(dnnl_dilated_convolution_backward_weights_desc_init) \
  CALL(dnnl_dilated_convolution_forward_desc_init)          \
  CALL(dnnl_matmul_desc_init)                               \
  CALL(dnnl_memory_desc_init_by_strides)                    \
  CALL(dnnl_memory_desc_init_by_tag)                        \
  CALL(dnnl_primitive_desc_create)
#endif

#define LYCO_CALLS(CALL)                        \
  CALL(dnnl_engine_create)                      \
  CALL(dnnl_get_effective_cpu_isa)              \
  CALL(dnnl_memory_create)                      \
  CALL(dnnl_memory_desc_equal)                  \
  CALL(dnnl_memory_desc_get_size)               \
  CALL(dnnl_memory_destroy)                     \
  CALL(dnnl_memory_set_data_handle)             \
  CALL(dnnl_post_ops_append_sum)                \
  CALL(dnnl_post_ops_create)                    \
  CALL(dnnl_post_ops_destroy)                   \
  CALL(dnnl_primitive_attr_create)              \
  CALL(dnnl_primitive_attr_destroy)             \
  CALL(dnnl_primitive_attr_set_post_ops)        \
  CALL(dnnl_primitive_attr_set_scratchpad_mode) \
  CALL(dnnl_primitive_create)                   \
  CALL(dnnl_primitive_desc_destroy)             \
  CALL(dnnl_primitive_desc_query_md)            \
  CALL(dnnl_primitive_destroy)                  \
  CALL(dnnl_primitive_execute)                  \
  CALL(dnnl_reorder_primitive_desc_create)      \
  CALL(dnnl_stream_create)                      \
  CALL(dnnl_stream_wait)                        \
  LYCO_CALLS_OF_GENERATION(CALL)

struct lyco_calls {
#define LYCO_CALL(name) __typeof__(&name) name;
  LYCO_CALLS(LYCO_CALL)
#undef LYCO_CALL
};

/// All of them; from any thread. Ends the process with status 1 and a line that says what to install where oneDNN is
/// missing.
const struct lyco_calls *lyco_onednn(void);

#endif
