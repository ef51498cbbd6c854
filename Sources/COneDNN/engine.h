// What the files of this target share: the engine, and the two generations of oneDNN's C API.
#ifndef LYCO_ENGINE_H
#define LYCO_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "named_calls.h"

#if DNNL_VERSION_MAJOR >= 3
#define BY_REFERENCE(descriptor) (descriptor)
typedef const_dnnl_memory_desc_t queried_descriptor;
#define DESTROY_DESCRIPTOR(descriptor) dnnl_memory_desc_destroy(descriptor)
#else
#define BY_REFERENCE(descriptor) (&(descriptor))
typedef const dnnl_memory_desc_t *queried_descriptor;
#define DESTROY_DESCRIPTOR(descriptor) ((void)(descriptor))
#endif

#if defined(__x86_64__) && defined(__linux__)
#define LYCO_CLONED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define LYCO_CLONED
#endif

/// FNV-1a: a number for so many bytes.
uint64_t lyco_digest(const void *bytes, size_t count);

dnnl_engine_t lyco_engine(void);
dnnl_stream_t lyco_stream(void);

// Everything below is called with the engine held: primitives, their scratch memory and the memory below
// belong to one operation at a time.
void lyco_hold_engine(void);
void lyco_release_engine(void);

// MARK: Memory that is kept

/// What memory is used for within one operation.
typedef enum {
  LYCO_SCRATCHPAD,
  LYCO_FIRST,
  LYCO_SECOND,
  LYCO_WEIGHT,
  LYCO_CONVERTED,
  LYCO_PURPOSES
} lyco_purpose;

/// At least `size` bytes that stay until the next call for the same purpose; NULL without memory.
void *lyco_kept_memory(lyco_purpose purpose, size_t size);

/// Memory in large pages where it is large: to be filled it is asked for page by page. NULL without memory. Needs no
/// engine.
void *lyco_large_memory(size_t size);

/// Gives it back, with the size that it was asked for.
void lyco_release_large_memory(void *start, size_t size);

// MARK: Memory that processes share

/// Bytes that processors write at a time.
#define LYCO_LINE ((size_t)64)

/// So many bytes of it, from a multiple of `alignment` on. NULL where this thread shares nothing now, and where there
/// is no room. Needs no engine.
void *lyco_take_shared(size_t size, size_t alignment);
/// Whether this process writes what is made there.
int lyco_writes_shared(void);

// MARK: Conversion, on all threads

void lyco_copy(const float *source, float *target, size_t count);
void lyco_narrow(const float *source, uint16_t *target, size_t count);
void lyco_widen(const uint16_t *source, float *target, size_t count);

// MARK: Descriptors

/// A descriptor of dense or strided memory.
dnnl_status_t lyco_describe(dnnl_memory_desc_t *descriptor, int rank, const dnnl_dim_t *extents,
                            dnnl_data_type_t type, const dnnl_dim_t *strides);
/// A descriptor whose layout a primitive may choose.
dnnl_status_t lyco_describe_any(dnnl_memory_desc_t *descriptor, int rank, const dnnl_dim_t *extents,
                                dnnl_data_type_t type);
/// A copy that is the caller's.
dnnl_status_t lyco_copy_descriptor(dnnl_memory_desc_t *copy, queried_descriptor original);
/// Where an element lies in a blocked layout is a sum over its coordinates: offsets, in elements, of every
/// coordinate of an axis.
dnnl_status_t lyco_offsets(queried_descriptor descriptor, int axis, size_t *offsets);
/// Coordinates of an axis with those that pad it.
dnnl_dim_t lyco_padded_extent(queried_descriptor descriptor, int axis);
/// A number that tells layouts apart, in all processes alike; 0 for those that no offsets describe.
uint64_t lyco_layout_digest(queried_descriptor descriptor);

// MARK: Primitives

/// All that tells one primitive from another.
typedef struct {
  int32_t kind, first_type, second_type, has_bias, accumulates, threads;
  dnnl_dim_t extents[16];
} lyco_primitive_key;

#define LYCO_OPERANDS 4

/// A primitive with its memory objects, which are told where their memory is before each run.
typedef struct lyco_prepared {
  lyco_primitive_key key;
  struct lyco_prepared *next;
  dnnl_primitive_desc_t description;
  dnnl_primitive_t primitive;
  int count;
  int names[LYCO_OPERANDS];
  dnnl_memory_t memories[LYCO_OPERANDS];
  dnnl_memory_t scratchpad;
  size_t scratchpad_size;
} lyco_prepared;

/// The primitive of a key; NULL if it was not made yet.
lyco_prepared *lyco_find_primitive(lyco_primitive_key *key);
/// Makes it, takes over the description, and keeps it with its operands, by their names (`DNNL_ARG_…`).
dnnl_status_t lyco_keep_primitive(const lyco_primitive_key *key, dnnl_primitive_desc_t description,
                                  int count, const int *names, lyco_prepared **prepared);
/// The layout that an operand must have.
queried_descriptor lyco_wanted(const lyco_prepared *prepared, int name);
/// Runs it on memory in the order of its operands.
dnnl_status_t lyco_run(lyco_prepared *prepared, void *const *values);
/// Attributes of every primitive: scratch memory is ours, and results are added to if so.
dnnl_status_t lyco_attributes(dnnl_primitive_attr_t *attributes, int accumulates);

/// Copies from one layout or format to another.
dnnl_status_t lyco_reorder(queried_descriptor from, const void *source, queried_descriptor to,
                           void *target);

#endif
