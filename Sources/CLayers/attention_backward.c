#include <math.h>

#include "attention.h"

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
    if (!reads_plain(kernel)) {
      kernel->pack_rows(part->gradients, KEYS, rows, count, part->g_rows);
      g = part->g_rows;
      g_stride = units(kernel, count);
    }
    kernel->multiply(g, g_stride, 1, part->keys_deep + key / KEYS * width * units(kernel, KEYS),
                     LANES * units(kernel, count), units(kernel, count), part->dq, width, rows,
                     width, 1);
    if (!part->dk) continue;
    const unit *p_columns = (const unit *)part->scores, *g_columns = (const unit *)part->gradients;
    size_t row_stride = 1, unit_stride = KEYS;
    const size_t row_units = units(kernel, rows);
    if (!reads_plain(kernel)) {
      kernel->pack_columns(part->scores, KEYS, rows, count, part->p_columns);
      kernel->pack_columns(part->gradients, KEYS, rows, count, part->g_columns);
      p_columns = part->p_columns, g_columns = part->g_columns;
      unit_stride = count;
      if (kernel->turns_columns) row_stride = row_units, unit_stride = 1;
    }
    kernel->multiply(p_columns, row_stride, unit_stride, part->dy_deep, LANES * row_units, row_units,
                     part->dv + key * width, width, count, width, 1);
    kernel->multiply(g_columns, row_stride, unit_stride, part->q_deep, LANES * row_units, row_units,
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

// The same between arrays of one shape.
static void copy_rows_of(const float *source, float *target, size_t stride, size_t rows,
                         size_t count) {
  for (size_t i = 0; i < rows; i++)
    memcpy(target + i * stride, source + i * stride, count * sizeof(float));
}

static void add_rows_of(const float *source, float *target, size_t stride, size_t rows,
                        size_t count) {
  add_out(source, stride, target, stride, rows, count);
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

// MARK: Tasks of the backward pass

// Keys of a task begin with a segment or with a block of one. Segments go in waves of a few for each head, so that
// memory does not grow with queries times keys. Where that gives threads too little to do, every block of a segment is a
// task, and then the queries are shared out too. Sums are formed in the same order in any case: over the queries,
// block by block; over the keys, block by block in a segment, and then segment by segment.

static int is_split(const struct attention *work) { return work->task_keys < TASK_KEYS; }

// Where a task of keys leaves what it gives to the gradients of queries. The first segment of a wave adds to what is
// there, in dq itself; others, and blocks, have a part of their own.
static float *part_of(const struct attention *work, size_t slot) {
  const lyco_attention *e = work->extents;
  const size_t size = e->batch * e->queries * work->stride;
  if (is_split(work)) return work->parts + slot * size;
  return slot == 0 ? work->dq : work->parts + (slot - 1) * size;
}

// The queries of a run, in whole blocks.
static size_t first_query(const struct attention *work, size_t run) {
  return CEILING(work->extents->queries, QUERIES) * run / work->runs * QUERIES;
}

// Rows of the gradients of keys, and of those of values, that a block of queries behind the first run gives.
static size_t sum_rows(const struct attention *work) {
  return FEWER(work->task_keys, work->extents->keys);
}

static float *sum_of_block(const struct attention *work, size_t head, size_t slot, size_t query) {
  const size_t first = first_query(work, 1);
  const size_t blocks = CEILING(work->extents->queries - first, QUERIES);
  const size_t index = (head * work->slots + slot) * blocks + (query - first) / QUERIES;
  return work->sums + index * 2 * sum_rows(work) * padded(work->extents->width);
}

static void backward_task(size_t index, void *context) {
  struct attention *work = context;
  const lyco_attention *e = work->extents;
  const panel_kernel *kernel = work->kernel;
  const size_t width = padded(e->width), stride = work->stride;
  const size_t run = index % work->runs, slot = index / work->runs % work->slots;
  struct segment part = {.head = index / work->runs / work->slots,
                         .first = (work->wave + slot) * work->task_keys};
  if (part.first >= e->keys) return;
  const size_t seen = seen_keys(work, part.head), all = FEWER(work->task_keys, e->keys - part.first);
  const size_t offset = head_offset(e, part.head, e->keys) + part.first * stride;
  part.count = seen > part.first ? FEWER(all, seen - part.first) : 0;
  if (work->dk && run == 0) {
    const size_t unseen = offset + part.count * stride;
    clear_rows(work->dk + unseen, stride, all - part.count, e->width);
    clear_rows(work->dv + unseen, stride, all - part.count, e->width);
  }
  if (part.count == 0) return;
  const size_t whole = CEILING(part.count, KEYS) * KEYS;
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
  if (work->dk && run == 0) {
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
  const size_t end = FEWER(first_query(work, run + 1), e->queries);
  for (size_t query = first_query(work, run); query < end; query += QUERIES) {
    const size_t rows = FEWER(QUERIES, e->queries - query);
    if (work->dk && run > 0) {
      const size_t size = sum_rows(work) * width;
      part.dk = sum_of_block(work, part.head, slot, query), part.dv = part.dk + size;
      memset(part.dk, 0, 2 * size * sizeof(float));
    }
    differentiate_block(work, &part, query, rows);
    float *target = dq + head_offset(e, part.head, e->queries) + query * stride;
    if (!is_split(work) && slot == 0 && part.first > 0)
      add_out(part.dq, width, target, stride, rows, e->width);
    else
      copy_out(part.dq, width, target, stride, rows, e->width);
  }
  if (work->dk && run == 0) {
    copy_out(part.dk, width, work->dk + offset, stride, part.count, e->width);
    copy_out(part.dv, width, work->dv + offset, stride, part.count, e->width);
  }
  free(memory);
}

// Adds the parts of a wave to the gradients of a block of queries, in the order of the keys.
static void gather_queries(size_t index, void *context) {
  const struct attention *work = context;
  const lyco_attention *e = work->extents;
  const size_t blocks = CEILING(e->queries, QUERIES), head = index / blocks;
  const size_t first = index % blocks * QUERIES, rows = FEWER(QUERIES, e->queries - first);
  const size_t offset = head_offset(e, head, e->queries) + first * work->stride;
  const size_t seen = seen_keys(work, head), tasks = TASK_KEYS / work->task_keys;
  for (size_t slot = is_split(work) ? 0 : 1; slot < work->slots; slot++) {
    const size_t task = work->wave + slot;
    if (task * work->task_keys >= seen) break;
    float *part = part_of(work, slot) + offset;
    // The blocks of a segment first, into the first of them.
    for (size_t block = 1; block < tasks && (task + block) * work->task_keys < seen; block++)
      add_rows_of(part_of(work, slot + block) + offset, part, work->stride, rows, e->width);
    slot += tasks - 1;
    if (task == 0)
      copy_rows_of(part, work->dq + offset, work->stride, rows, e->width);
    else
      add_rows_of(part, work->dq + offset, work->stride, rows, e->width);
  }
}

// Adds what the blocks of queries behind the first run give to the gradients of some keys and values, in their order.
static void gather_keys(size_t index, void *context) {
  const struct attention *work = context;
  const lyco_attention *e = work->extents;
  const size_t head = index / work->slots, slot = index % work->slots;
  const size_t first = (work->wave + slot) * work->task_keys, seen = seen_keys(work, head);
  if (first >= seen) return;
  const size_t count = FEWER(work->task_keys, seen - first), width = padded(e->width);
  const size_t offset = head_offset(e, head, e->keys) + first * work->stride;
  for (size_t query = first_query(work, 1); query < e->queries; query += QUERIES) {
    const float *sums = sum_of_block(work, head, slot, query);
    add_out(sums, width, work->dk + offset, work->stride, count, e->width);
    add_out(sums + sum_rows(work) * width, width, work->dv + offset, work->stride, count, e->width);
  }
}

#define MOST_SLOTS ((size_t)4)
#define WAVES_PER_THREAD ((size_t)8)
// Bytes of what blocks of keys give to the gradients of queries, and blocks of queries to those of keys.
#define MOST_PARTS ((size_t)256 << 20)
#define MOST_SUMS ((size_t)64 << 20)

// How the work is shared out.
static void plan_tasks(struct attention *work, size_t heads) {
  const lyco_attention *e = work->extents;
  const size_t segments = CEILING(e->keys, TASK_KEYS), blocks = CEILING(e->keys, KEYS);
  const size_t wave = WAVES_PER_THREAD * (size_t)lyco_threads();
  work->task_keys = TASK_KEYS;
  work->runs = 1;
  work->slots = heads > 0 ? FEWER(FEWER(CEILING(wave, heads), MOST_SLOTS), segments) : 1;
  if (heads == 0 || heads * work->slots >= wanted_tasks()) return;
  const size_t of_segment = FEWER(TASK_KEYS / KEYS, blocks);
  const size_t part = e->batch * e->queries * work->stride * sizeof(float);
  const size_t most = part > 0 ? MOST_PARTS / part / of_segment : 1;
  if (most == 0) return;
  const size_t wanted = CEILING(wanted_tasks(), heads * of_segment);
  const size_t taken = FEWER(FEWER(wanted, work->slots), most);
  work->task_keys = KEYS;
  work->slots = FEWER(taken * of_segment, blocks);
  if (heads * work->slots >= wanted_tasks()) return;
  const size_t queries = CEILING(e->queries, QUERIES);
  work->runs = FEWER(CEILING(wanted_tasks(), heads * work->slots), queries > 0 ? queries : 1);
  const size_t sum = 2 * sum_rows(work) * padded(e->width) * sizeof(float);
  if (work->dk && heads * work->slots * queries * sum > MOST_SUMS) work->runs = 1;
}

int lyco_attention_backward(const lyco_attention *extents, const size_t *key_counts, const float *q,
                            const float *k, const float *v, const float *y, const float *logs,
                            const float *dy, float *dq, float *dk, float *dv) {
  struct attention work = described(extents, key_counts);
  work.q = q, work.k = k, work.v = v, work.y = y, work.logs = logs, work.dy = dy;
  work.dq = dq, work.dk = dk, work.dv = dv;
  const size_t heads = extents->batch * extents->heads;
  plan_tasks(&work, heads);
  const size_t tasks = CEILING(extents->keys, work.task_keys);
  const size_t parts = is_split(&work) ? work.slots : work.slots - 1;
  if (parts > 0) {
    work.parts = malloc(parts * extents->batch * extents->queries * work.stride * sizeof(float));
    if (!work.parts) return 1;
  }
  const int has_sums = work.dk && work.runs > 1;
  if (has_sums) {
    const size_t blocks = CEILING(extents->queries - first_query(&work, 1), QUERIES);
    work.sums = malloc(heads * work.slots * blocks * 2 * sum_rows(&work) * padded(extents->width) *
                       sizeof(float));
    if (!work.sums) {
      free(work.parts);
      return 1;
    }
  }
  for (work.wave = 0; work.wave < tasks && !work.failed; work.wave += work.slots) {
    lyco_parallel(heads * work.slots * work.runs, backward_task, &work);
    if (parts > 0) lyco_parallel(heads * CEILING(extents->queries, QUERIES), gather_queries, &work);
    if (has_sums) lyco_parallel(heads * work.slots, gather_keys, &work);
  }
  free(work.parts);
  free(work.sums);
  return work.failed;
}
