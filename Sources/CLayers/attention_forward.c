#include <math.h>

#include "attention.h"

// A segment of keys and values of a head.
static void pack_segment(size_t index, void *context) {
  const struct attention *work = context;
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  const size_t segments = CEILING(e->keys, TASK_KEYS);
  const size_t head = work->first_head + index / segments, first = index % segments * TASK_KEYS;
  const size_t seen = seen_keys(work, head);
  if (first >= seen) return;
  unit *keys = work->packed + index / segments * (work->keys_size + work->values_size);
  const size_t offset = head_offset(e, head, e->keys), end = FEWER(first + TASK_KEYS, seen);
  kernel->pack_transposed(work->k + offset + first * work->stride, work->stride, end - first,
                          e->width, keys + first * units(kernel, e->width));
  unit *values = keys + work->keys_size + first / KEYS * padded(e->width) * units(kernel, KEYS);
  for (size_t key = first; key < end; key += KEYS) {
    kernel->pack_depth(work->v + offset + key * work->stride, work->stride, FEWER(KEYS, end - key),
                       e->width, values);
    values += padded(e->width) * units(kernel, KEYS);
  }
}

// Turns scores into exponentials below the largest so far, and scales back what was summed before.
static CLONED void exponentiate(float *scores, size_t keys, size_t rows, float scale,
                                const size_t *seen, float *largest, vector *sums, float *output,
                                size_t width) {
  for (size_t i = 0; i < rows; i++) {
    float *row = scores + i * KEYS;
    for (size_t j = seen[i]; j < padded(keys); j++) row[j] = -INFINITY;
    vector top = *(vector *)row;
    for (size_t j = LANES; j < padded(keys); j += LANES)
      top = __builtin_elementwise_max(top, *(vector *)(row + j));
    const float before = largest[i], now = fmaxf(before, largest_of(top) * scale);
    vector sum = {0};
    for (size_t j = 0; j < padded(keys); j += LANES) {
      const vector p = exponential(*(vector *)(row + j) * scale - now);
      *(vector *)(row + j) = p;
      sum += p;
    }
    const float correction = before == now ? 1 : expf(before - now);
    sums[i] = sums[i] * correction + sum;
    largest[i] = now;
    if (correction != 1)
      for (size_t j = 0; j < width; j += LANES) *(vector *)(output + i * width + j) *= correction;
  }
}

// Scales the scores of a query and adds the bias of its distances.
static CLONED void add_bias(float *scores, const float *bias, size_t count, float scale) {
  for (size_t j = 0; j < count; j += LANES)
    *(vector *)(scores + j) = *(vector *)(scores + j) * scale + load(bias + j, count - j);
}

static CLONED void attend(const struct attention *work, size_t head, size_t query, size_t rows,
                   float *scores, float *output, unit *a) {
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  const size_t width = padded(e->width), depth = units(kernel, e->width);
  const unit *keys =
      work->packed + (head - work->first_head) * (work->keys_size + work->values_size);
  const unit *values = keys + work->keys_size;
  unit *probabilities = a + QUERIES * depth;
  // Sums of exponentials, every 16th key in a lane of its own.
  vector sums[QUERIES] = {{0}};
  float largest[QUERIES];
  for (size_t i = 0; i < rows; i++) largest[i] = -INFINITY;
  memset(output, 0, QUERIES * width * sizeof(float));
  const size_t offset = head_offset(e, head, e->queries) + query * work->stride;
  kernel->pack_rows(work->q + offset, work->stride, rows, e->width, a);
  const size_t key_count = seen_keys(work, head);
  for (size_t key = 0; key < key_count; key += KEYS) {
    if (e->causal && key > query + rows - 1) break;
    const size_t count = FEWER(KEYS, key_count - key);
    size_t seen[QUERIES];
    for (size_t i = 0; i < rows; i++) seen[i] = visible(e, query + i, key, count);
    kernel->multiply(a, depth, 1, keys + key * depth, LANES * depth, depth, scores, KEYS, rows,
                     padded(count), 0);
    if (work->bias) {
      const float *bias = work->bias + head % e->heads * (e->queries + e->keys - 1);
      for (size_t i = 0; i < rows; i++)
        add_bias(scores + i * KEYS, bias + e->queries - 1 - query - i + key, count, e->scale);
    }
    exponentiate(scores, count, rows, work->bias ? 1 : e->scale, seen, largest, sums, output,
                 width);
    const unit *p = (const unit *)scores;
    size_t p_stride = KEYS;
    if (!reads_plain(kernel)) {
      kernel->pack_rows(scores, KEYS, rows, count, probabilities);
      p = probabilities;
      p_stride = units(kernel, count);
    }
    kernel->multiply(p, p_stride, 1, values, LANES * units(kernel, count), units(kernel, count),
                     output, width, rows, width, 1);
    values += width * units(kernel, KEYS);
  }
  for (size_t i = 0; i < rows; i++) {
    const float sum = sum_of(sums[i]), inverse = 1 / sum;
    for (size_t j = 0; j < e->width; j++)
      work->written[offset + i * work->stride + j] = output[i * width + j] * inverse;
    work->written_logs[head * e->queries + query + i] = largest[i] + logf(sum);
  }
}

static void forward_task(size_t index, void *context) {
  struct attention *work = context;
  const lyco_attention *e = work->extents;
  const size_t tasks = CEILING(e->queries, work->task_queries);
  const size_t head = work->first_head + index / tasks, first = index % tasks * work->task_queries;
  const size_t last = FEWER(first + work->task_queries, e->queries);
  float *scores = malloc((QUERIES * (2 * KEYS + 2 * padded(e->width))) * sizeof(float));
  if (!scores) {
    work->failed = 1;
    return;
  }
  float *output = scores + QUERIES * KEYS;
  for (size_t query = first; query < last; query += QUERIES)
    attend(work, head, query, FEWER(QUERIES, last - query), scores, output,
           (unit *)output + QUERIES * padded(e->width));
  free(scores);
}

// Beyond that, what threads wait for each other at the end of a group is less than a hundredth.
#define FORWARD_TASKS_PER_THREAD ((size_t)128)

int lyco_attention_forward(const lyco_attention *extents, const size_t *key_counts,
                           const float *bias, const float *q, const float *k, const float *v,
                           float *y, float *logs) {
  struct attention work = described(extents, key_counts);
  work.bias = bias;
  work.q = q, work.k = k, work.v = v, work.written = y, work.written_logs = logs;
  const size_t heads = extents->batch * extents->heads;
  const int has_enough = heads * CEILING(extents->queries, TASK_QUERIES) >= wanted_tasks();
  work.task_queries = has_enough ? TASK_QUERIES : QUERIES;
  const size_t tasks = CEILING(extents->queries, work.task_queries);
  const size_t segments = CEILING(extents->keys, TASK_KEYS);
  // Heads whose keys and values are packed at a time: enough that no thread waits.
  const size_t wanted = FORWARD_TASKS_PER_THREAD * (size_t)lyco_threads();
  const size_t group = FEWER(heads, tasks > 0 ? CEILING(wanted, tasks) : 1);
  work.packed = malloc(group * (work.keys_size + work.values_size) * sizeof(unit));
  if (!work.packed) return 1;
  for (work.first_head = 0; work.first_head < heads; work.first_head += group) {
    const size_t count = FEWER(group, heads - work.first_head);
    lyco_parallel(count * segments, pack_segment, &work);
    lyco_parallel(count * tasks, forward_task, &work);
  }
  free(work.packed);
  return work.failed;
}
