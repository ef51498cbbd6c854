// The calls of oneDNN under their own names.
#ifndef LYCO_NAMED_CALLS_H
#define LYCO_NAMED_CALLS_H

#include "calls.h"

#define dnnl_engine_create (lyco_onednn()->dnnl_engine_create)
#define dnnl_get_effective_cpu_isa (lyco_onednn()->dnnl_get_effective_cpu_isa)
#define dnnl_memory_create (lyco_onednn()->dnnl_memory_create)
#define dnnl_memory_desc_equal (lyco_onednn()->dnnl_memory_desc_equal)
#define dnnl_memory_desc_get_size (lyco_onednn()->dnnl_memory_desc_get_size)
#define dnnl_memory_destroy (lyco_onednn()->dnnl_memory_destroy)
#define dnnl_memory_set_data_handle (lyco_onednn()->dnnl_memory_set_data_handle)
#define dnnl_post_ops_append_sum (lyco_onednn()->dnnl_post_ops_append_sum)
#define dnnl_post_ops_create (lyco_onednn()->dnnl_post_ops_create)
#define dnnl_post_ops_destroy (lyco_onednn()->dnnl_post_ops_destroy)
#define dnnl_primitive_attr_create (lyco_onednn()->dnnl_primitive_attr_create)
#define dnnl_primitive_attr_destroy (lyco_onednn()->dnnl_primitive_attr_destroy)
#define dnnl_primitive_attr_set_post_ops (lyco_onednn()->dnnl_primitive_attr_set_post_ops)
#define dnnl_primitive_attr_set_scratchpad_mode (lyco_onednn()->dnnl_primitive_attr_set_scratchpad_mode)
#define dnnl_primitive_create (lyco_onednn()->dnnl_primitive_create)
#define dnnl_primitive_desc_destroy (lyco_onednn()->dnnl_primitive_desc_destroy)
#define dnnl_primitive_desc_query_md (lyco_onednn()->dnnl_primitive_desc_query_md)
#define dnnl_primitive_destroy (lyco_onednn()->dnnl_primitive_destroy)
#define dnnl_primitive_execute (lyco_onednn()->dnnl_primitive_execute)
#define dnnl_reorder_primitive_desc_create (lyco_onednn()->dnnl_reorder_primitive_desc_create)
#define dnnl_stream_create (lyco_onednn()->dnnl_stream_create)
#define dnnl_stream_wait (lyco_onednn()->dnnl_stream_wait)
#if DNNL_VERSION_MAJOR >= 3
#define dnnl_convolution_backward_data_primitive_desc_create (lyco_onednn()->dnnl_convolution_backward_data_primitive_desc_create)
#define dnnl_convolution_backward_weights_primitive_desc_create (lyco_onednn()->dnnl_convolution_backward_weights_primitive_desc_create)
#define dnnl_convolution_forward_primitive_desc_create (lyco_onednn()->dnnl_convolution_forward_primitive_desc_create)
#define dnnl_matmul_primitive_desc_create (lyco_onednn()->dnnl_matmul_primitive_desc_create)
#define dnnl_memory_desc_clone (lyco_onednn()->dnnl_memory_desc_clone)
#define dnnl_memory_desc_create_with_strides (lyco_onednn()->dnnl_memory_desc_create_with_strides)
#define dnnl_memory_desc_create_with_tag (lyco_onednn()->dnnl_memory_desc_create_with_tag)
#define dnnl_memory_desc_destroy (lyco_onednn()->dnnl_memory_desc_destroy)
#define dnnl_memory_desc_query (lyco_onednn()->dnnl_memory_desc_query)
#else
#define dnnl_dilated_convolution_backward_data_desc_init (lyco_onednn()->dnnl_dilated_convolution_backward_data_desc_init)
#define dnnl_dilated_convolution_backward_weights_desc_init (lyco_onednn()->dnnl_dilated_convolution_backward_weights_desc_init)
#define dnnl_dilated_convolution_forward_desc_init (lyco_onednn()->dnnl_dilated_convolution_forward_desc_init)
#define dnnl_matmul_desc_init (lyco_onednn()->dnnl_matmul_desc_init)
#define dnnl_memory_desc_init_by_strides (lyco_onednn()->dnnl_memory_desc_init_by_strides)
#define dnnl_memory_desc_init_by_tag (lyco_onednn()->dnnl_memory_desc_init_by_tag)
#define dnnl_primitive_desc_create (lyco_onednn()->dnnl_primitive_desc_create)
#endif

#endif
