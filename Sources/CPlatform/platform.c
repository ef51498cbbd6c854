#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <sys/file.h>

/* Takes the places of standard streams that the caller has closed, before anything else is opened under their
   numbers and results are written into it. What is open for reading only refuses results, as a closed one. */
__attribute__((constructor)) static void fill_standard_streams(void) {
  for (int number = 0; number <= 2; number++) {
    if (fcntl(number, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", O_RDONLY);
  }
}

int lyco_is_ignored(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int lyco_lock(int file, int waits) { return flock(file, LOCK_EX | (waits ? 0 : LOCK_NB)); }

#ifdef __linux__

int lyco_make_memory(int64_t size) {
  int file = memfd_create("lyco", MFD_CLOEXEC);
  if (file >= 0 && ftruncate(file, size)) {
    close(file);
    return -1;
  }
  return file;
}

int lyco_usable_processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
}

int lyco_open_unnamed(const char *folder, unsigned mode) {
  return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
}

int lyco_start_writeback(int file, int64_t offset, int64_t count) {
  return sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);
}

int lyco_write_directly(int file, int is_direct) {
  int flags = fcntl(file, F_GETFL);
  if (flags < 0) return -1;
  return fcntl(file, F_SETFL, is_direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

int lyco_reserve(int file, int64_t size) { return fallocate(file, 0, 0, size); }

#else

int lyco_usable_processors(void) { return 0; }

int lyco_write_directly(int file, int is_direct) {
  (void)file, (void)is_direct;
  errno = ENOTSUP;
  return -1;
}

int lyco_reserve(int file, int64_t size) {
  (void)file, (void)size;
  errno = ENOTSUP;
  return -1;
}

int lyco_make_memory(int64_t size) {
  (void)size;
  errno = ENOTSUP;
  return -1;
}

int lyco_open_unnamed(const char *folder, unsigned mode) {
  (void)folder, (void)mode;
  errno = ENOTSUP;
  return -1;
}

int lyco_start_writeback(int file, int64_t offset, int64_t count) {
  (void)file, (void)offset, (void)count;
  errno = ENOTSUP;
  return -1;
}

#endif

#ifdef __GLIBC__

#include <malloc.h>

void lyco_keep_freed_memory(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

void lyco_keep_all_freed_memory(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

#else

void lyco_keep_freed_memory(void) {}
void lyco_keep_all_freed_memory(void) {}

#endif

int lyco_terminal_columns(int file) {
  if (!isatty(file)) return -1;
  struct winsize size;
  return ioctl(file, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
