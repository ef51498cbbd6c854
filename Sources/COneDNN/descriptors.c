#include "engine.h"

#include <string.h>

dnnl_status_t lyco_describe(dnnl_memory_desc_t *descriptor, int rank, const dnnl_dim_t *extents,
                            dnnl_data_type_t type, const dnnl_dim_t *strides) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_strides(descriptor, rank, extents, type, strides);
#else
  return dnnl_memory_desc_init_by_strides(descriptor, rank, extents, type, strides);
#endif
}

dnnl_status_t lyco_describe_any(dnnl_memory_desc_t *descriptor, int rank, const dnnl_dim_t *extents,
                                dnnl_data_type_t type) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_create_with_tag(descriptor, rank, extents, type, dnnl_format_tag_any);
#else
  return dnnl_memory_desc_init_by_tag(descriptor, rank, extents, type, dnnl_format_tag_any);
#endif
}

dnnl_status_t lyco_copy_descriptor(dnnl_memory_desc_t *copy, queried_descriptor original) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_desc_clone(copy, original);
#else
  *copy = *original;
  return dnnl_success;
#endif
}

// What of a blocked layout says where elements lie.
struct blocking {
  dnnl_dims_t extents, padded, strides, blocks, axes;
  int count;
  dnnl_dim_t start;
};

static dnnl_status_t read_blocking(queried_descriptor descriptor, struct blocking *blocking) {
#if DNNL_VERSION_MAJOR >= 3
  dnnl_dims_t *extents, *padded, *strides, *blocks, *axes;
  int rank = 0;
  dnnl_status_t status = dnnl_memory_desc_query(descriptor, dnnl_query_ndims_s32, &rank);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_dims, &extents);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_padded_dims, &padded);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_strides, &strides);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_inner_nblks_s32, &blocking->count);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_inner_blks, &blocks);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_inner_idxs, &axes);
  if (status == dnnl_success)
    status = dnnl_memory_desc_query(descriptor, dnnl_query_submemory_offset_s64, &blocking->start);
  if (status != dnnl_success) return status;
  for (int i = 0; i < rank; i++) {
    blocking->extents[i] = (*extents)[i];
    blocking->padded[i] = (*padded)[i];
    blocking->strides[i] = (*strides)[i];
  }
  for (int i = 0; i < blocking->count; i++) {
    blocking->blocks[i] = (*blocks)[i];
    blocking->axes[i] = (*axes)[i];
  }
#else
  if (descriptor->format_kind != dnnl_blocked) return dnnl_unimplemented;
  const dnnl_blocking_desc_t *format = &descriptor->format_desc.blocking;
  for (int i = 0; i < descriptor->ndims; i++) {
    blocking->extents[i] = descriptor->dims[i];
    blocking->padded[i] = descriptor->padded_dims[i];
    blocking->strides[i] = format->strides[i];
  }
  blocking->count = format->inner_nblks;
  for (int i = 0; i < format->inner_nblks; i++) {
    blocking->blocks[i] = format->inner_blks[i];
    blocking->axes[i] = format->inner_idxs[i];
  }
  blocking->start = descriptor->offset0;
#endif
  return dnnl_success;
}

dnnl_status_t lyco_offsets(queried_descriptor descriptor, int axis, size_t *offsets) {
  struct blocking layout;
  const dnnl_status_t status = read_blocking(descriptor, &layout);
  if (status != dnnl_success) return status;
  for (dnnl_dim_t i = 0; i < layout.extents[axis]; i++) {
    // The axis is divided by its blocks from the innermost outward; what is left steps by the stride.
    dnnl_dim_t coordinate = i, step = 1, offset = axis == 0 ? layout.start : 0;
    for (int block = layout.count - 1; block >= 0; block--) {
      if (layout.axes[block] == axis) {
        offset += coordinate % layout.blocks[block] * step;
        coordinate /= layout.blocks[block];
      }
      step *= layout.blocks[block];
    }
    offsets[i] = (size_t)(offset + coordinate * layout.strides[axis]);
  }
  return dnnl_success;
}

dnnl_dim_t lyco_padded_extent(queried_descriptor descriptor, int axis) {
  struct blocking layout;
  return read_blocking(descriptor, &layout) == dnnl_success ? layout.padded[axis] : 0;
}

uint64_t lyco_layout_digest(queried_descriptor descriptor) {
  struct blocking layout;
  memset(&layout, 0, sizeof layout);
  return read_blocking(descriptor, &layout) == dnnl_success ? lyco_digest(&layout, sizeof layout) : 0;
}
