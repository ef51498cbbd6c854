#include "engine.h"

#include <pthread.h>

#include "COneDNN.h"

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
  dnnl_engine_create(&engine, dnnl_cpu, 0);
  dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
}

dnnl_engine_t lyco_engine(void) {
  pthread_once(&once, start);
  return engine;
}

dnnl_stream_t lyco_stream(void) {
  pthread_once(&once, start);
  return stream;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void lyco_hold_engine(void) { pthread_mutex_lock(&mutex); }
void lyco_release_engine(void) { pthread_mutex_unlock(&mutex); }

// A set of instructions has the bits of all that it includes.
static int has(int isa) { return ((int)dnnl_get_effective_cpu_isa() & isa) == isa; }

int lyco_has_bf16(void) { return has(dnnl_cpu_isa_avx512_core_bf16); }
int lyco_has_tiles(void) { return has(dnnl_cpu_isa_avx512_core_amx); }
