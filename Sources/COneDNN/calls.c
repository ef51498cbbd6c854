#include "calls.h"

#include <pthread.h>

#include "CPlatform.h"

static struct lyco_calls calls;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define WORD(text) #text
#define LIBRARY(generation) "libdnnl.so." WORD(generation)
#define PACKAGE(generation) "libdnnl" WORD(generation)

static void load(void) {
  void *library = NULL;
#define LOAD(name) \
  *(void **)&calls.name = lyco_symbol(#name, &library, LIBRARY(DNNL_VERSION_MAJOR), PACKAGE(DNNL_VERSION_MAJOR));
  LYCO_CALLS(LOAD)
}

const struct lyco_calls *lyco_onednn(void) {
  pthread_once(&once, load);
  return &calls;
}
