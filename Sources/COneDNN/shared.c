#include "COneDNN.h"
#include "engine.h"

static _Thread_local struct {
  char *start;
  size_t size, used;
  int writes;
} shared;

void lyco_begin_sharing(void *start, size_t size, int writes) {
  shared.start = start, shared.size = size, shared.used = 0, shared.writes = writes;
}

size_t lyco_end_sharing(void) {
  shared.start = NULL;
  return shared.used;
}

void *lyco_take_shared(size_t size, size_t alignment) {
  const size_t start = (shared.used + alignment - 1) / alignment * alignment;
  if (!shared.start || start > shared.size || size > shared.size - start) return NULL;
  shared.used = start + size;
  return shared.start + start;
}

int lyco_writes_shared(void) { return shared.writes; }
