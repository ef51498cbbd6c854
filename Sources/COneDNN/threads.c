#include <dlfcn.h>
#include <pthread.h>

#include "COneDNN.h"
#include "calls.h"

// oneDNN's threads are those of the OpenMP runtime that it was linked with. Its entry points are looked
// up, so that neither a compiler with OpenMP nor one runtime or the other is needed to build.
static void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
static int (*thread_number)(void);
static int (*thread_count)(void);
static int (*thread_limit)(void);
static void (*set_threads)(int);
static pthread_once_t runtime_once = PTHREAD_ONCE_INIT;

static void find_runtime(void) {
  lyco_onednn();
  parallel = (void (*)(void (*)(void *), void *, unsigned, unsigned))dlsym(RTLD_DEFAULT,
                                                                          "GOMP_parallel");
  thread_number = (int (*)(void))dlsym(RTLD_DEFAULT, "omp_get_thread_num");
  thread_count = (int (*)(void))dlsym(RTLD_DEFAULT, "omp_get_num_threads");
  thread_limit = (int (*)(void))dlsym(RTLD_DEFAULT, "omp_get_max_threads");
  set_threads = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
}

void lyco_set_threads(int count) {
  pthread_once(&runtime_once, find_runtime);
  if (set_threads) set_threads(count);
}

int lyco_threads(void) {
  pthread_once(&runtime_once, find_runtime);
  return thread_limit ? thread_limit() : 1;
}

struct work {
  size_t count;
  size_t next;
  void (*body)(size_t, void *);
  void *context;
};

static void run(void *shared) {
  struct work *work = shared;
  for (;;) {
    size_t index = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    if (index >= work->count) return;
    work->body(index, work->context);
  }
}

void lyco_parallel(size_t count, void (*body)(size_t index, void *context), void *context) {
  pthread_once(&runtime_once, find_runtime);
  struct work work = {count, 0, body, context};
  if (count > 1 && parallel && thread_number && thread_count && lyco_threads() > 1)
    parallel(run, &work, 0, 0);
  else
    run(&work);
}
