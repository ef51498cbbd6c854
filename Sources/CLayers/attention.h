// What both passes of attention share.
#ifndef LYCO_ATTENTION_H
#define LYCO_ATTENTION_H

#include <stdlib.h>

#include "CLayers.h"
#include "panels.h"
#include "vectors.h"

// Scores are computed for blocks of this many queries and keys, and never stored beyond one. The number of
// keys is a multiple of that of queries, so that with a causal mask every block that is taken shows
// something to each of its rows.
#define QUERIES ((size_t)64)
#define KEYS ((size_t)128)
// Queries of a task of the forward pass, keys of one of the backward pass; a block where that leaves threads without.
#define TASK_QUERIES ((size_t)256)
#define TASK_KEYS ((size_t)1024)
// With fewer tasks for each thread, some threads wait for others.
#define TASKS_PER_THREAD ((size_t)4)

#define FEWER(a, b) ((a) < (b) ? (a) : (b))
#define CEILING(a, b) (((a) + (b) - 1) / (b))

INLINE size_t wanted_tasks(void) {
  const size_t threads = (size_t)lyco_threads();
  return threads > 1 ? TASKS_PER_THREAD * threads : 1;
}

struct attention {
  const lyco_attention *extents;
  // Of each sample: how many of its keys are seen; NULL for all.
  const size_t *key_counts;
  // Forward: of each head, what is added to scores by the distance from query to key; NULL for nothing.
  const float *bias;
  const panel_kernel *kernel;
  const float *q, *k, *v, *y, *dy, *logs;
  float *written, *written_logs, *dq, *dk, *dv;
  // Elements of a row, and between the parts of samples.
  size_t stride;
  // Units of one head in units: keys and values, packed (forward).
  size_t keys_size, values_size;
  unit *packed;
  // Forward: the first head of those that are packed; queries of a task.
  size_t first_head, task_queries;
  // Backward: keys of a task, a segment or a block of one; how many tasks of keys each head has at a time, the number of
  // the first of them, and what they give to the gradients of queries.
  size_t task_keys, slots, wave;
  float *parts;
  // How many tasks share the queries of some keys; what those but the first give to the gradients of keys and values,
  // by heads, slots and blocks of queries.
  size_t runs;
  float *sums;
  int failed;
};

INLINE struct attention described(const lyco_attention *e, const size_t *key_counts) {
  const panel_kernel *kernel = lyco_panel_kernel(e->compute);
  return (struct attention){
      .extents = e,
      .key_counts = key_counts,
      .kernel = kernel,
      .stride = e->heads * e->width,
      .keys_size = padded(e->keys) * units(kernel, e->width),
      .values_size = padded(e->width) * units(kernel, KEYS) * ((e->keys + KEYS - 1) / KEYS),
  };
}

// Where the part of a head begins among `rows` rows per sample.
INLINE size_t head_offset(const lyco_attention *e, size_t head, size_t rows) {
  return head / e->heads * rows * e->heads * e->width + head % e->heads * e->width;
}

// Keys of the sample of a head that are seen at all.
INLINE size_t seen_keys(const struct attention *work, size_t head) {
  const lyco_attention *e = work->extents;
  return work->key_counts ? work->key_counts[head / e->heads] : e->keys;
}

// Keys of a block that a query sees.
INLINE size_t visible(const lyco_attention *e, size_t query, size_t first_key, size_t count) {
  if (!e->causal) return count;
  return query < first_key ? 0 : FEWER(query + 1 - first_key, count);
}

#endif
