// Preloaded into a training: tells what its thread does alone from what all threads share. It stands in front of
// GOMP_parallel, through which oneDNN and the layers start all of their parallel regions.
//
// Every 20 ms or so a line of JSON goes to the file that LYCO_SHARE_LOG names: the wall's clock; since the start the
// processors' seconds of the process, of the training thread in all and inside of regions, and of all threads in the
// work of regions, without what they wait; regions; page faults.
//
// With LYCO_SHARE_NAMES the thread is called lyco-alone outside of regions, so that a profile can be divided by the
// name; that takes a little of its time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

typedef void (*body)(void *);
typedef void (*starter)(body, void *, unsigned, unsigned);
typedef long long nanoseconds;

static const nanoseconds interval = 20000000;

static starter start_region;
static FILE *log_file;
static int names;
// Regions are the training thread's; the first that starts one. Others pass through.
static pthread_t trainer;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static nanoseconds inside, shared_work, last_line;
static long regions;

static nanoseconds now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

struct region {
  body work;
  void *context;
  nanoseconds sum;
};

static void timed(void *context) {
  struct region *region = context;
  const nanoseconds start = now(CLOCK_THREAD_CPUTIME_ID);
  region->work(region->context);
  __atomic_fetch_add(&region->sum, now(CLOCK_THREAD_CPUTIME_ID) - start, __ATOMIC_RELAXED);
}

static void write_line(nanoseconds wall) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  fprintf(log_file,
          "{\"wall\": %.6f, \"process\": %.6f, \"thread\": %.6f, \"inside\": %.6f, \"shared\": %.6f, "
          "\"regions\": %ld, \"faults\": %ld}\n",
          1e-9 * wall, 1e-9 * now(CLOCK_PROCESS_CPUTIME_ID), 1e-9 * now(CLOCK_THREAD_CPUTIME_ID), 1e-9 * inside,
          1e-9 * shared_work, regions, usage.ru_minflt);
}

static void begin(void) {
  start_region = (starter)dlsym(RTLD_NEXT, "GOMP_parallel");
  const char *path = getenv("LYCO_SHARE_LOG");
  log_file = path ? fopen(path, "w") : NULL;
  if (!start_region || !log_file) abort();
  trainer = pthread_self();
  names = getenv("LYCO_SHARE_NAMES") != NULL;
}

void GOMP_parallel(body work, void *context, unsigned count, unsigned flags) {
  pthread_once(&once, begin);
  if (!pthread_equal(pthread_self(), trainer)) {
    start_region(work, context, count, flags);
    return;
  }
  struct region region = {.work = work, .context = context};
  const nanoseconds start = now(CLOCK_THREAD_CPUTIME_ID);
  if (names) prctl(PR_SET_NAME, "lyco-together");
  start_region(timed, &region, count, flags);
  if (names) prctl(PR_SET_NAME, "lyco-alone");
  inside += now(CLOCK_THREAD_CPUTIME_ID) - start;
  shared_work += region.sum;
  regions++;
  const nanoseconds wall = now(CLOCK_REALTIME);
  if (wall - last_line < interval) return;
  last_line = wall;
  write_line(wall);
}

__attribute__((destructor)) static void end(void) {
  if (log_file) fclose(log_file);
}
