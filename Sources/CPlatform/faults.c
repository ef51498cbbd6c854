#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Which file lies mapped where, for the handler of SIGBUS: one list for the process, as the signal is one.
   A handler may not lock, so a slot is taken by its start, which is written last. */
enum { slot_count = 1024 };

static struct {
  _Atomic(uintptr_t) start;
  size_t count;
  char *path;
} slots[slot_count];

static struct sigaction former;
static atomic_flag handled = ATOMIC_FLAG_INIT;

static void say(const char *text, size_t count) {
  while (count > 0) {
    ssize_t written = write(STDERR_FILENO, text, count);
    if (written <= 0) return;
    text += written;
    count -= (size_t)written;
  }
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int i = 0; i < slot_count; i++) {
    uintptr_t start = atomic_load(&slots[i].start);
    if (start < 2 || address < start || address - start >= slots[i].count) continue;
    static const char text[] =
        ": another program cut the file short while it was read, or its disk failed\n";
    if (isatty(STDERR_FILENO)) say("\r\033[K", 4);
    say("Error: ", 7);
    /* A name may hold what a terminal obeys. */
    for (char *c = slots[i].path; *c; c++) {
      int plain = (unsigned char)*c >= 0x20 && *c != 0x7f;
      say(plain ? c : "?", 1);
    }
    say(text, sizeof text - 1);
    _exit(1);
  }
  /* Not of an input: as if there were no handler. */
  sigaction(number, &former, NULL);
}

void lyco_explain_bus_errors(void) {
  if (atomic_flag_test_and_set(&handled)) return;
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &former);
}

void lyco_watch_mapping(const void *start, size_t count, const char *path) {
  for (int i = 0; i < slot_count; i++) {
    uintptr_t free_slot = 0;
    if (!atomic_compare_exchange_strong(&slots[i].start, &free_slot, 1)) continue;
    slots[i].count = count;
    slots[i].path = strdup(path);
    if (slots[i].path == NULL) {
      atomic_store(&slots[i].start, 0);
      return;
    }
    atomic_store(&slots[i].start, (uintptr_t)start);
    return;
  }
}

void lyco_forget_mapping(const void *start) {
  for (int i = 0; i < slot_count; i++) {
    uintptr_t taken = (uintptr_t)start;
    if (taken < 2 || !atomic_compare_exchange_strong(&slots[i].start, &taken, 1)) continue;
    free(slots[i].path);
    slots[i].path = NULL;
    atomic_store(&slots[i].start, 0);
    return;
  }
}

int64_t lyco_memory_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return limit.rlim_cur > INT64_MAX ? -1 : (int64_t)limit.rlim_cur;
}

#ifdef __linux__

/* Below these the libraries cannot start their threads and queues, and hang or end without a word. They do so
   before `main`, so that a look is taken before any of them. */
static const int64_t least_memory = (int64_t)1 << 30;
static const uint64_t least_files = 8;

/* Ends the process with a line that says what was expected and found. */
static void refuse(const char *expected, uint64_t found, const char *unit) {
  char digits[24];
  int first = sizeof digits;
  do {
    digits[--first] = (char)('0' + found % 10);
    found /= 10;
  } while (found > 0);
  say(expected, strlen(expected));
  say(digits + first, sizeof digits - (size_t)first);
  say(unit, strlen(unit));
  _exit(1);
}

/* A descriptor of the three that is closed would go to the first file that is opened, which would then be an
   output, or have messages in it. What is put there instead cannot be written to, so that lost results are noticed. */
static void fill_standard_descriptors(void) {
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
    if (fcntl(file, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", O_RDONLY);
  }
}

/* A write that cannot be done is told by its error. A reader of results that has gone away ends no work, and a
   limit on the size of files leaves a line and no debris. */
static void ignore_signals_of_writes(void) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

static void check_start(int count, char **arguments, char **environment) {
  (void)count, (void)arguments, (void)environment;
  ignore_signals_of_writes();
  fill_standard_descriptors();
  int64_t memory = lyco_memory_limit();
  if (memory >= 0 && memory < least_memory) {
    refuse("Error: the limit of memory (ulimit -v): expected at least 1024 MiB, found ", (uint64_t)memory >> 20,
           " MiB\n");
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < least_files) {
    refuse("Error: the limit of open files (ulimit -n): expected at least 8, found ", files.rlim_cur, "\n");
  }
}

__attribute__((section(".preinit_array"), used)) static void (*const start_check)(int, char **, char **) =
    check_start;

#endif
