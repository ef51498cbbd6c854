#include "CBLAS.h"

#include <pthread.h>

#include "CPlatform.h"
#include "kernels.h"

static lyco_blas_calls calls;
static pthread_once_t once = PTHREAD_ONCE_INIT;
// What is to be set when OpenBLAS comes; 0 for what it takes itself.
static int threads;
static int is_loaded;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void load(void) {
  // In this order: what LAPACKE calls is then OpenBLAS' own, not a slow library of the name of LAPACK.
  void *blas = NULL, *lapack = NULL;
#define LOAD_BLAS(name) *(void **)&calls.name = lyco_symbol(#name, &blas, "libopenblas.so.0", "libopenblas0");
#define LOAD_LAPACK(name) *(void **)&calls.name = lyco_symbol(#name, &lapack, "liblapacke.so.3", "liblapacke");
  LYCO_BLAS_CALLS(LOAD_BLAS)
  LYCO_LAPACK_CALLS(LOAD_LAPACK)
  lyco_blas_choose_kernels(calls.openblas_get_corename);
  pthread_mutex_lock(&mutex);
  is_loaded = 1;
  if (threads > 0) calls.openblas_set_num_threads(threads);
  pthread_mutex_unlock(&mutex);
}

const lyco_blas_calls *lyco_blas(void) {
  pthread_once(&once, load);
  return &calls;
}

void lyco_blas_set_threads(int count) {
  pthread_mutex_lock(&mutex);
  threads = count;
  if (is_loaded) calls.openblas_set_num_threads(count);
  pthread_mutex_unlock(&mutex);
}
