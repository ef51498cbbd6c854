#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "COneDNN.h"
#include "engine.h"

// MARK: Memory that is kept

static struct {
  void *start;
  size_t size;
} kept[LYCO_PURPOSES];

#define HUGE_PAGE ((size_t)1 << 21)

// Addresses are asked for, pages come as far as they are used: memory that grows would be cleared anew each time.
#define RESERVED ((size_t)1 << 30)

void *lyco_kept_memory(lyco_purpose purpose, size_t size) {
  if (size <= kept[purpose].size && kept[purpose].start) return kept[purpose].start;
  lyco_release_large_memory(kept[purpose].start, kept[purpose].size);
  kept[purpose].size = 0;
  const size_t rounded = (size + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
  const size_t sizes[] = {rounded > RESERVED ? rounded : RESERVED, rounded};
  for (int i = 0; i < 2 && !kept[purpose].size; i++) {
    kept[purpose].start = lyco_large_memory(sizes[i]);
    if (kept[purpose].start) kept[purpose].size = sizes[i];
  }
  return kept[purpose].start;
}

#ifdef __linux__

// Not of the heap: what is read for a block and let go of behind it leaves holes there that nothing else fits into, and
// where the heap keeps what is freed, the memory of three or four blocks is taken for two.
void *lyco_large_memory(size_t size) {
  if (size < HUGE_PAGE) return malloc(size ? size : 1);
  const size_t rounded = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  char *start = mmap(NULL, rounded + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  const size_t before = -(uintptr_t)start % HUGE_PAGE;
  if (before) munmap(start, before);
  if (before < HUGE_PAGE) munmap(start + before + rounded, HUGE_PAGE - before);
  madvise(start + before, rounded, MADV_HUGEPAGE);
  return start + before;
}

void lyco_release_large_memory(void *start, size_t size) {
  if (size < HUGE_PAGE) {
    free(start);
  } else if (start) {
    munmap(start, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
  }
}

#else

void *lyco_large_memory(size_t size) { return malloc(size ? size : 1); }

void lyco_release_large_memory(void *start, size_t size) { free(start); }

#endif

// MARK: Conversion

#define CHUNK ((size_t)1 << 15)

struct conversion {
  const void *source;
  void *target;
  size_t count;
};

static LYCO_CLONED void narrow_chunk(size_t index, void *context) {
  const struct conversion *work = context;
  const size_t start = index * CHUNK;
  const size_t end = start + CHUNK < work->count ? start + CHUNK : work->count;
  const uint32_t *restrict bits = work->source;
  uint16_t *restrict target = work->target;
  for (size_t i = start; i < end; i++) {
    const uint32_t value = bits[i];
    const uint32_t rounded = (value + 0x7FFF + ((value >> 16) & 1)) >> 16;
    target[i] = (uint16_t)((value & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded);
  }
}

static LYCO_CLONED void widen_chunk(size_t index, void *context) {
  const struct conversion *work = context;
  const size_t start = index * CHUNK;
  const size_t end = start + CHUNK < work->count ? start + CHUNK : work->count;
  const uint16_t *restrict source = work->source;
  uint32_t *restrict bits = work->target;
  for (size_t i = start; i < end; i++) bits[i] = (uint32_t)source[i] << 16;
}

static void copy_chunk(size_t index, void *context) {
  const struct conversion *work = context;
  const size_t start = index * CHUNK;
  const size_t end = start + CHUNK < work->count ? start + CHUNK : work->count;
  memcpy((float *)work->target + start, (const float *)work->source + start,
         (end - start) * sizeof(float));
}

void lyco_copy(const float *source, float *target, size_t count) {
  struct conversion work = {source, target, count};
  lyco_parallel((count + CHUNK - 1) / CHUNK, copy_chunk, &work);
}

void lyco_narrow(const float *source, uint16_t *target, size_t count) {
  struct conversion work = {source, target, count};
  lyco_parallel((count + CHUNK - 1) / CHUNK, narrow_chunk, &work);
}

void lyco_widen(const uint16_t *source, float *target, size_t count) {
  struct conversion work = {source, target, count};
  lyco_parallel((count + CHUNK - 1) / CHUNK, widen_chunk, &work);
}
