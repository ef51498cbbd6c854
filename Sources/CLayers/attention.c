#include <math.h>
#include <stdlib.h>

#include "CLayers.h"
#include "panels.h"
#include "vectors.h"

// Scores are computed for blocks of this many queries and keys, and never stored beyond one. The number of
// keys is a multiple of that of queries, so that with a causal mask every block that is taken shows
// something to each of its rows.
#define QUERIES ((size_t)64)
#define KEYS ((size_t)128)
// Queries of a task of the forward pass, keys of one of the backward pass.
#define TASK_QUERIES ((size_t)256)
#define TASK_KEYS ((size_t)1024)

#define FEWER(a, b) ((a) < (b) ? (a) : (b))

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
  // Forward: the first head of those that are packed.
  size_t first_head;
  // Backward: how many segments of each head are worked on at a time, the first of them, and what all but
  // the first give to the gradients of queries.
  size_t slots, wave;
  float *parts;
  int failed;
};

static struct attention described(const lyco_attention *e, const size_t *key_counts) {
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
static size_t head_offset(const lyco_attention *e, size_t head, size_t rows) {
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

// MARK: Forward

static void pack_head(size_t index, void *context) {
  const struct attention *work = context;
  const size_t head = work->first_head + index;
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  unit *keys = work->packed + index * (work->keys_size + work->values_size);
  const size_t offset = head_offset(e, head, e->keys), count = seen_keys(work, head);
  kernel->pack_transposed(work->k + offset, work->stride, count, e->width, keys);
  unit *values = keys + work->keys_size;
  for (size_t key = 0; key < count; key += KEYS) {
    kernel->pack_depth(work->v + offset + key * work->stride, work->stride,
                       FEWER(KEYS, count - key), e->width, values);
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
    if (kernel->pair > 1) {
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
  const size_t tasks = (e->queries + TASK_QUERIES - 1) / TASK_QUERIES;
  const size_t head = work->first_head + index / tasks, first = index % tasks * TASK_QUERIES;
  const size_t last = FEWER(first + TASK_QUERIES, e->queries);
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
  const size_t tasks = (extents->queries + TASK_QUERIES - 1) / TASK_QUERIES;
  // Heads whose keys and values are packed at a time: enough that no thread waits.
  const size_t wanted = FORWARD_TASKS_PER_THREAD * (size_t)lyco_threads();
  const size_t group = FEWER(heads, tasks > 0 ? (wanted + tasks - 1) / tasks : 1);
  work.packed = malloc(group * (work.keys_size + work.values_size) * sizeof(unit));
  if (!work.packed) return 1;
  for (work.first_head = 0; work.first_head < heads; work.first_head += group) {
    const size_t count = FEWER(group, heads - work.first_head);
    lyco_parallel(count, pack_head, &work);
    lyco_parallel(count * tasks, forward_task, &work);
  }
  free(work.packed);
  return work.failed;
}

// MARK: Backward

// Scores to probabilities, and their gradients to those of the scores.
static CLONED void differentiate(float *scores, float *gradients, size_t keys, size_t rows,
                                 float scale, const size_t *seen, const float *logs,
                                 const float *means) {
  for (size_t i = 0; i < rows; i++) {
    float *p = scores + i * KEYS, *g = gradients + i * KEYS;
    const float log = logs[i], mean = means[i];
    for (size_t j = seen[i]; j < padded(keys); j++) p[j] = -INFINITY;
    for (size_t j = 0; j < padded(keys); j += LANES) {
      const vector probability = exponential(*(vector *)(p + j) * scale - log);
      *(vector *)(p + j) = probability;
      *(vector *)(g + j) = probability * (*(vector *)(g + j) - mean) * scale;
    }
  }
}

static CLONED float dot(const float *x, const float *y, size_t count) {
  vector sum = {0};
  for (size_t i = 0; i < count; i += LANES) sum += load(x + i, count - i) * load(y + i, count - i);
  return sum_of(sum);
}

// Gradients of the keys and values of a segment, and what they give to those of the queries.
struct segment {
  size_t head, first;
  // Keys that are seen.
  size_t count;
  // Packed: Kᵀ and Vᵀ by blocks of keys as they give scores, K as it gives dq.
  unit *keys, *values, *keys_deep;
  // `[count][padded width]`
  float *dk, *dv;
  // Blocks: scores, their gradients, dq, and the queries and gradients of the output in both forms.
  float *scores, *gradients, *dq;
  unit *q, *dy, *q_deep, *dy_deep, *p_columns, *g_columns, *g_rows;
};

static void differentiate_block(const struct attention *work, const struct segment *part,
                                size_t query, size_t rows) {
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  const size_t width = padded(e->width), depth = units(kernel, e->width);
  const size_t stride = work->stride;
  const size_t offset = head_offset(e, part->head, e->queries) + query * stride;
  const float *logs = work->logs + part->head * e->queries + query;
  float means[QUERIES];
  for (size_t i = 0; i < rows; i++)
    means[i] = dot(work->dy + offset + i * stride, work->y + offset + i * stride, e->width);
  kernel->pack_rows(work->q + offset, stride, rows, e->width, part->q);
  kernel->pack_rows(work->dy + offset, stride, rows, e->width, part->dy);
  if (part->dk) {
    kernel->pack_depth(work->q + offset, stride, rows, e->width, part->q_deep);
    kernel->pack_depth(work->dy + offset, stride, rows, e->width, part->dy_deep);
  }
  memset(part->dq, 0, rows * width * sizeof(float));
  for (size_t key = 0; key < part->count; key += KEYS) {
    if (e->causal && part->first + key > query + rows - 1) break;
    const size_t count = FEWER(KEYS, part->count - key);
    size_t seen[QUERIES];
    for (size_t i = 0; i < rows; i++) seen[i] = visible(e, query + i, part->first + key, count);
    kernel->multiply(part->q, depth, 1, part->keys + key * depth, LANES * depth, depth,
                     part->scores, KEYS, rows, padded(count), 0);
    kernel->multiply(part->dy, depth, 1, part->values + key * depth, LANES * depth, depth,
                     part->gradients, KEYS, rows, padded(count), 0);
    differentiate(part->scores, part->gradients, count, rows, e->scale, seen, logs, means);
    const unit *g = (const unit *)part->gradients;
    size_t g_stride = KEYS;
    if (kernel->pair > 1) {
      kernel->pack_rows(part->gradients, KEYS, rows, count, part->g_rows);
      g = part->g_rows;
      g_stride = units(kernel, count);
    }
    kernel->multiply(g, g_stride, 1, part->keys_deep + key / KEYS * width * units(kernel, KEYS),
                     LANES * units(kernel, count), units(kernel, count), part->dq, width, rows,
                     width, 1);
    if (!part->dk) continue;
    const unit *p_columns = (const unit *)part->scores, *g_columns = (const unit *)part->gradients;
    size_t columns_stride = KEYS;
    if (kernel->pair > 1) {
      kernel->pack_columns(part->scores, KEYS, rows, count, part->p_columns);
      kernel->pack_columns(part->gradients, KEYS, rows, count, part->g_columns);
      p_columns = part->p_columns, g_columns = part->g_columns;
      columns_stride = count;
    }
    const size_t row_units = units(kernel, rows);
    kernel->multiply(p_columns, 1, columns_stride, part->dy_deep, LANES * row_units, row_units,
                     part->dv + key * width, width, count, width, 1);
    kernel->multiply(g_columns, 1, columns_stride, part->q_deep, LANES * row_units, row_units,
                     part->dk + key * width, width, count, width, 1);
  }
}

static void copy_out(const float *source, size_t width, float *target, size_t stride, size_t rows,
                     size_t count) {
  for (size_t i = 0; i < rows; i++)
    memcpy(target + i * stride, source + i * width, count * sizeof(float));
}

static CLONED void add_out(const float *source, size_t width, float *target, size_t stride,
                           size_t rows, size_t count) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < count; j += LANES)
      store(target + i * stride + j,
            load(target + i * stride + j, count - j) + load(source + i * width + j, count - j),
            count - j);
}

static void clear_rows(float *target, size_t stride, size_t rows, size_t count) {
  for (size_t i = 0; i < rows; i++) memset(target + i * stride, 0, count * sizeof(float));
}

// Takes the next `count` floats or units of memory.
static void *take(float **memory, size_t count) {
  void *start = *memory;
  *memory += (count + LANES - 1) / LANES * LANES;
  return start;
}

// Where a segment of a wave leaves what it gives to the gradients of queries: the first adds to what is
// there, in dq itself; others have a part of their own.
static float *part_of(const struct attention *work, size_t slot) {
  const lyco_attention *e = work->extents;
  return slot == 0 ? work->dq : work->parts + (slot - 1) * e->batch * e->queries * work->stride;
}

static void backward_task(size_t index, void *context) {
  struct attention *work = context;
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  const size_t width = padded(e->width), stride = work->stride;
  const size_t slot = index % work->slots;
  struct segment part = {.head = index / work->slots, .first = (work->wave + slot) * TASK_KEYS};
  if (part.first >= e->keys) return;
  const size_t seen = seen_keys(work, part.head), all = FEWER(TASK_KEYS, e->keys - part.first);
  const size_t offset = head_offset(e, part.head, e->keys) + part.first * stride;
  part.count = seen > part.first ? FEWER(all, seen - part.first) : 0;
  if (work->dk) {
    const size_t unseen = offset + part.count * stride;
    clear_rows(work->dk + unseen, stride, all - part.count, e->width);
    clear_rows(work->dv + unseen, stride, all - part.count, e->width);
  }
  if (part.count == 0) return;
  const size_t whole = (part.count + KEYS - 1) / KEYS * KEYS;
  float *memory = malloc((5 * whole * width + QUERIES * (5 * KEYS + 5 * width) + 32 * LANES) *
                         sizeof(float));
  if (!memory) {
    work->failed = 1;
    return;
  }
  float *next = memory;
  part.keys = take(&next, whole * width);
  part.values = take(&next, whole * width);
  part.keys_deep = take(&next, whole * width);
  part.scores = take(&next, QUERIES * KEYS);
  part.gradients = take(&next, QUERIES * KEYS);
  part.p_columns = take(&next, QUERIES * KEYS);
  part.g_columns = take(&next, QUERIES * KEYS);
  part.g_rows = take(&next, QUERIES * KEYS);
  part.dq = take(&next, QUERIES * width);
  part.q = take(&next, QUERIES * width);
  part.dy = take(&next, QUERIES * width);
  part.q_deep = take(&next, QUERIES * width);
  part.dy_deep = take(&next, QUERIES * width);
  if (work->dk) {
    part.dk = take(&next, whole * width);
    part.dv = take(&next, whole * width);
    memset(part.dk, 0, part.count * width * sizeof(float));
    memset(part.dv, 0, part.count * width * sizeof(float));
  }
  kernel->pack_transposed(work->k + offset, stride, part.count, e->width, part.keys);
  kernel->pack_transposed(work->v + offset, stride, part.count, e->width, part.values);
  for (size_t key = 0; key < part.count; key += KEYS)
    kernel->pack_depth(work->k + offset + key * stride, stride, FEWER(KEYS, part.count - key),
                       e->width, part.keys_deep + key / KEYS * width * units(kernel, KEYS));
  float *dq = part_of(work, slot);
  for (size_t query = 0; query < e->queries; query += QUERIES) {
    const size_t rows = FEWER(QUERIES, e->queries - query);
    differentiate_block(work, &part, query, rows);
    float *target = dq + head_offset(e, part.head, e->queries) + query * stride;
    if (slot == 0 && part.first > 0)
      add_out(part.dq, width, target, stride, rows, e->width);
    else
      copy_out(part.dq, width, target, stride, rows, e->width);
  }
  if (work->dk) {
    copy_out(part.dk, width, work->dk + offset, stride, part.count, e->width);
    copy_out(part.dv, width, work->dv + offset, stride, part.count, e->width);
  }
  free(memory);
}

// Adds the parts of a wave to the gradients of the queries of a head, in the order of the keys.
static void gather_task(size_t head, void *context) {
  const struct attention *work = context;
  const lyco_attention *e = work->extents;
  const size_t offset = head_offset(e, head, e->queries), seen = seen_keys(work, head);
  for (size_t slot = 1; slot < work->slots; slot++) {
    if ((work->wave + slot) * TASK_KEYS >= seen) break;
    add_out(part_of(work, slot) + offset, work->stride, work->dq + offset, work->stride, e->queries,
            e->width);
  }
}

// Segments go in waves of a few for each head, so that memory does not grow with queries times keys. Their sums are
// formed in the order of the keys, whatever the size of a wave: it is as large as the threads need, and never more.
#define MOST_SLOTS ((size_t)4)
#define TASKS_PER_THREAD ((size_t)8)

static size_t slots(size_t heads, size_t segments) {
  const size_t wanted = TASKS_PER_THREAD * (size_t)lyco_threads();
  return FEWER(FEWER((wanted + heads - 1) / heads, MOST_SLOTS), segments);
}

int lyco_attention_backward(const lyco_attention *extents, const size_t *key_counts, const float *q,
                            const float *k, const float *v, const float *y, const float *logs,
                            const float *dy, float *dq, float *dk, float *dv) {
  struct attention work = described(extents, key_counts);
  work.q = q, work.k = k, work.v = v, work.y = y, work.logs = logs, work.dy = dy;
  work.dq = dq, work.dk = dk, work.dv = dv;
  const size_t heads = extents->batch * extents->heads;
  const size_t segments = (extents->keys + TASK_KEYS - 1) / TASK_KEYS;
  work.slots = heads > 0 ? slots(heads, segments) : 1;
  if (work.slots > 1) {
    work.parts =
        malloc((work.slots - 1) * extents->batch * extents->queries * work.stride * sizeof(float));
    if (!work.parts) return 1;
  }
  for (work.wave = 0; work.wave < segments && !work.failed; work.wave += work.slots) {
    lyco_parallel(heads * work.slots, backward_task, &work);
    if (work.slots > 1) lyco_parallel(heads, gather_task, &work);
  }
  free(work.parts);
  return work.failed;
}
