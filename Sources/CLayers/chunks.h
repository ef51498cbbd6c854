// Work over an array in pieces of a fixed size, so that results do not depend on the number of threads.
#ifndef LYCO_CHUNKS_H
#define LYCO_CHUNKS_H

#include "COneDNN.h"
#include "vectors.h"

#define CHUNK ((size_t)1 << 14)

// Defines `name(context)`: the body for every 16 elements, at `i` with `left` to go, of `work->count`.
#define OVER_ELEMENTS(name, type, ...)                                                        \
  static CLONED void name##_chunk(size_t index, void *context) {                              \
    const type *work = context;                                                               \
    const size_t start = index * CHUNK;                                                       \
    const size_t end = start + CHUNK < work->count ? start + CHUNK : work->count;             \
    for (size_t i = start; i < end; i += LANES) {                                             \
      const size_t left = end - i;                                                            \
      __VA_ARGS__                                                                             \
    }                                                                                         \
  }                                                                                           \
  static void name(type work) {                                                               \
    lyco_parallel((work.count + CHUNK - 1) / CHUNK, name##_chunk, &work);                     \
  }

#endif
