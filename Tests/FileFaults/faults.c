/* Preloaded into a tool, this counts its calls that change the file system, and lets one of them go wrong.

   FAULTS_LOG=FILE        a line for every call: its number, its name, its paths
   FAULTS_KILL=K          the process is killed before call K
   FAULTS_FAIL=K          call K fails with FAULTS_ERRNO
   FAULTS_NAMED=1         the file system has no files without names

   Writes count where they go to files: to descriptors above standard error. */
#define _GNU_SOURCE
#include "FileFaults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;

static long setting(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

/* Whether the call is to fail. */
static int fails(const char *call, const char *first, const char *second) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  const char *log = getenv("FAULTS_LOG");
  if (log) {
    char line[2048];
    int length = snprintf(line, sizeof line, "%ld %s %s %s\n", number, call, first ? first : "",
                          second ? second : "");
    if (length >= (int)sizeof line) length = sizeof line - 1;
    int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
  }
  if (setting("FAULTS_KILL") == number) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (setting("FAULTS_FAIL") != number) return 0;
  errno = (int)setting("FAULTS_ERRNO");
  return 1;
}

#define NEXT(name) \
  static __typeof__(&name) next; \
  if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int linkat(int a, const char *p, int b, const char *q, int flags) {
  NEXT(linkat);
  return fails("link", p, q) ? -1 : next(a, p, b, q, flags);
}

int rename(const char *p, const char *q) {
  NEXT(rename);
  return fails("rename", p, q) ? -1 : next(p, q);
}

int unlink(const char *p) {
  NEXT(unlink);
  return fails("unlink", p, 0) ? -1 : next(p);
}

int rmdir(const char *p) {
  NEXT(rmdir);
  return fails("rmdir", p, 0) ? -1 : next(p);
}

int mkdir(const char *p, mode_t mode) {
  NEXT(mkdir);
  return fails("mkdir", p, 0) ? -1 : next(p, mode);
}

int fsync(int file) {
  NEXT(fsync);
  return fails("fsync", 0, 0) ? -1 : next(file);
}

int fchmod(int file, mode_t mode) {
  NEXT(fchmod);
  return fails("fchmod", 0, 0) ? -1 : next(file, mode);
}

int ftruncate(int file, off_t length) {
  NEXT(ftruncate);
  return fails("ftruncate", 0, 0) ? -1 : next(file, length);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  NEXT(fallocate);
  return fails("fallocate", 0, 0) ? -1 : next(file, mode, offset, length);
}

ssize_t write(int file, const void *bytes, size_t count) {
  NEXT(write);
  return file > STDERR_FILENO && fails("write", 0, 0) ? -1 : next(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  NEXT(pwrite);
  return fails("pwrite", 0, 0) ? -1 : next(file, bytes, count, offset);
}

static int creates(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

static int refuses(const char *path, int flags) {
  int is_unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  if (is_unnamed && getenv("FAULTS_NAMED")) {
    errno = EOPNOTSUPP;
    return 1;
  }
  return creates(flags) && fails(is_unnamed ? "unnamed" : "create", path, 0);
}

#define OPENER(name, parameters, call) \
  int name parameters { \
    NEXT(name); \
    mode_t mode = 0; \
    if (creates(flags)) { \
      va_list list; \
      va_start(list, flags); \
      mode = va_arg(list, mode_t); \
      va_end(list); \
    } \
    return refuses(path, flags) ? -1 : call; \
  }

OPENER(open, (const char *path, int flags, ...), next(path, flags, mode))
OPENER(open64, (const char *path, int flags, ...), next(path, flags, mode))
OPENER(openat, (int folder, const char *path, int flags, ...), next(folder, path, flags, mode))
OPENER(openat64, (int folder, const char *path, int flags, ...), next(folder, path, flags, mode))
