#include <stdlib.h>
#include <string.h>

#include "COneDNN.h"
#include "engine.h"

// Creating a primitive costs as much as running a small one, and the shapes of a model return with every
// step. Images of many extents leave many behind: beyond the limit all are let go.
#define BUCKETS 256
#define LIMIT 4096

static lyco_prepared *buckets[BUCKETS];
static size_t count;

uint64_t lyco_digest(const void *start, size_t count) {
  const unsigned char *bytes = start;
  uint64_t hash = 0xCBF29CE484222325;
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001B3;
  return hash;
}

static size_t bucket(const lyco_primitive_key *key) {
  return (lyco_digest(key, sizeof *key) >> 32) % BUCKETS;
}

static void destroy(lyco_prepared *prepared) {
  for (int i = 0; i < LYCO_OPERANDS; i++)
    if (prepared->memories[i]) dnnl_memory_destroy(prepared->memories[i]);
  if (prepared->scratchpad) dnnl_memory_destroy(prepared->scratchpad);
  if (prepared->primitive) dnnl_primitive_destroy(prepared->primitive);
  if (prepared->description) dnnl_primitive_desc_destroy(prepared->description);
  free(prepared);
}

lyco_prepared *lyco_find_primitive(lyco_primitive_key *key) {
  key->threads = lyco_threads();
  for (lyco_prepared *p = buckets[bucket(key)]; p; p = p->next)
    if (memcmp(&p->key, key, sizeof *key) == 0) return p;
  return NULL;
}

queried_descriptor lyco_wanted(const lyco_prepared *prepared, int name) {
  return dnnl_primitive_desc_query_md(prepared->description, dnnl_query_exec_arg_md, name);
}

dnnl_status_t lyco_keep_primitive(const lyco_primitive_key *key, dnnl_primitive_desc_t description,
                                  int operands, const int *names, lyco_prepared **result) {
  lyco_prepared *prepared = calloc(1, sizeof *prepared);
  if (!prepared) {
    dnnl_primitive_desc_destroy(description);
    return dnnl_out_of_memory;
  }
  prepared->key = *key;
  prepared->description = description;
  prepared->count = operands;
  dnnl_status_t status = dnnl_primitive_create(&prepared->primitive, description);
  for (int i = 0; i < operands && status == dnnl_success; i++) {
    prepared->names[i] = names[i];
    status = dnnl_memory_create(&prepared->memories[i], lyco_wanted(prepared, names[i]),
                                lyco_engine(), DNNL_MEMORY_NONE);
  }
  if (status == dnnl_success) {
    queried_descriptor scratchpad = lyco_wanted(prepared, DNNL_ARG_SCRATCHPAD);
    prepared->scratchpad_size = dnnl_memory_desc_get_size(scratchpad);
    status = dnnl_memory_create(&prepared->scratchpad, scratchpad, lyco_engine(), DNNL_MEMORY_NONE);
  }
  if (status != dnnl_success) {
    destroy(prepared);
    return status;
  }
  if (count == LIMIT) {
    for (size_t i = 0; i < BUCKETS; i++)
      while (buckets[i]) {
        lyco_prepared *next = buckets[i]->next;
        destroy(buckets[i]);
        buckets[i] = next;
      }
    count = 0;
  }
  lyco_prepared **first = &buckets[bucket(key)];
  prepared->next = *first;
  *first = prepared;
  count++;
  *result = prepared;
  return dnnl_success;
}

dnnl_status_t lyco_run(lyco_prepared *prepared, void *const *values) {
  dnnl_exec_arg_t arguments[LYCO_OPERANDS + 1];
  dnnl_status_t status = dnnl_success;
  for (int i = 0; i < prepared->count && status == dnnl_success; i++) {
    status = dnnl_memory_set_data_handle(prepared->memories[i], values[i]);
    arguments[i] = (dnnl_exec_arg_t){prepared->names[i], prepared->memories[i]};
  }
  int arguments_count = prepared->count;
  if (status == dnnl_success && prepared->scratchpad_size > 0) {
    void *scratchpad = lyco_kept_memory(LYCO_SCRATCHPAD, prepared->scratchpad_size);
    if (!scratchpad) return dnnl_out_of_memory;
    status = dnnl_memory_set_data_handle(prepared->scratchpad, scratchpad);
    arguments[arguments_count++] =
        (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, prepared->scratchpad};
  }
  if (status == dnnl_success)
    status = dnnl_primitive_execute(prepared->primitive, lyco_stream(), arguments_count, arguments);
  if (status == dnnl_success) status = dnnl_stream_wait(lyco_stream());
  return status;
}

dnnl_status_t lyco_attributes(dnnl_primitive_attr_t *attributes, int accumulates) {
  dnnl_status_t status = dnnl_primitive_attr_create(attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success && accumulates) {
    dnnl_post_ops_t operations;
    status = dnnl_post_ops_create(&operations);
    if (status != dnnl_success) return status;
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
#else
    status = dnnl_post_ops_append_sum(operations, 1);
#endif
    if (status == dnnl_success)
      status = dnnl_primitive_attr_set_post_ops(*attributes, operations);
    dnnl_post_ops_destroy(operations);
  }
  return status;
}

dnnl_status_t lyco_reorder(queried_descriptor from, const void *source, queried_descriptor to,
                           void *target) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_t primitive = NULL;
  dnnl_memory_t a = NULL, b = NULL;
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(&description, from, lyco_engine(), to,
                                                            lyco_engine(), NULL);
  if (status == dnnl_success) status = dnnl_primitive_create(&primitive, description);
  if (status == dnnl_success)
    status = dnnl_memory_create(&a, from, lyco_engine(), (void *)(uintptr_t)source);
  if (status == dnnl_success) status = dnnl_memory_create(&b, to, lyco_engine(), target);
  if (status == dnnl_success) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, b}};
    status = dnnl_primitive_execute(primitive, lyco_stream(), 2, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(lyco_stream());
  }
  if (a) dnnl_memory_destroy(a);
  if (b) dnnl_memory_destroy(b);
  if (primitive) dnnl_primitive_destroy(primitive);
  if (description) dnnl_primitive_desc_destroy(description);
  return status;
}
