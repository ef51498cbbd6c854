#define _GNU_SOURCE
#include "CMPI.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef void *handle;

// Only ever written by the library, and ignored.
typedef struct {
  int source, tag, error, cancelled;
  size_t count;
} status;

enum { thread_serialized = 2, thread_multiple = 3, longest_text = 1024 };

// Prototypes of our own for what is looked up by name.
static struct {
  int (*Init_thread)(int *, char ***, int, int *);
  int (*Finalize)(void);
  int (*Abort)(handle, int);
  int (*Comm_rank)(handle, int *);
  int (*Comm_size)(handle, int *);
  int (*Comm_dup)(handle, handle *);
  int (*Comm_set_errhandler)(handle, handle);
  int (*Error_string)(int, char *, int *);
  int (*Iallgather)(const void *, int, handle, void *, int, handle, handle, handle *);
  int (*Test)(handle *, int *, status *);
  int (*Wait)(handle *, status *);
  int (*Allgatherv)(const void *, int, handle, void *, const int *, const int *, handle, handle);
  int (*Bcast)(void *, int, handle, int, handle);
  int (*Send)(const void *, int, handle, int, int, handle);
  int (*Recv)(void *, int, handle, int, int, handle, status *);
  int (*Isend)(const void *, int, handle, int, int, handle, handle *);
  int (*Iprobe)(int, int, handle, int *, status *);
  int (*Alltoallv)(const void *, const int *, const int *, handle, void *, const int *, const int *,
                   handle, handle);
  int (*Allreduce)(const void *, void *, int, handle, handle, handle);
} mpi;

static handle world, byte_type, float_type, sum_op;
static int rank, size = 1, threads;
static char version[longest_text], host[256], text[longest_text];

static const char *say(const char *what, const char *detail) {
  snprintf(text, sizeof text, what, detail ? detail : "");
  for (char *c = text; *c; c++)
    if (*c == '\n') *c = ' ';
  return text;
}

const char *lyco_mpi_host(void) {
  if (!host[0] && gethostname(host, sizeof host - 1)) strcpy(host, "unknown");
  return host;
}

static void *open_library(void) {
  // Its plugins look for its symbols among all that are loaded.
  const char *names[] = {"libmpi.so.40", "libmpi.so.80", "libmpi.so", "libmpi.40.dylib", "libmpi.dylib"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
    if (library) return library;
  }
  return NULL;
}

const char *lyco_mpi_start(void) {
  void *library = open_library();
  if (!library)
    return say(
      "expected Open MPI's library on every machine, found no libmpi.so.40; install it (Debian: "
      "'apt install openmpi-bin'), or name its folder in LD_LIBRARY_PATH%s", "");
  int (*library_version)(char *, int *) =
    (int (*)(char *, int *))dlsym(library, "MPI_Get_library_version");
  int length = 0;
  // The text may take 256 bytes and more in other libraries.
  static char full[8192];
  if (!library_version || library_version(full, &length))
    return say("expected Open MPI's library, found one without MPI_Get_library_version%s", "");
  snprintf(version, sizeof version, "%.*s", (int)strcspn(full, ",\n"), full);
  if (strncmp(full, "Open MPI", 8))
    return say("expected Open MPI's library, found '%s'; start with the mpirun of Open MPI", version);
#define LOOK_UP(name)                                                            \
  do {                                                                           \
    *(void **)&mpi.name = dlsym(library, "MPI_" #name);                          \
    if (!mpi.name) return say("%s: no MPI_" #name " in its library", version);   \
  } while (0)
  LOOK_UP(Init_thread);
  LOOK_UP(Finalize);
  LOOK_UP(Abort);
  LOOK_UP(Comm_rank);
  LOOK_UP(Comm_size);
  LOOK_UP(Comm_dup);
  LOOK_UP(Comm_set_errhandler);
  LOOK_UP(Error_string);
  LOOK_UP(Iallgather);
  LOOK_UP(Test);
  LOOK_UP(Wait);
  LOOK_UP(Allgatherv);
  LOOK_UP(Bcast);
  LOOK_UP(Send);
  LOOK_UP(Recv);
  LOOK_UP(Isend);
  LOOK_UP(Iprobe);
  LOOK_UP(Alltoallv);
  LOOK_UP(Allreduce);
#undef LOOK_UP
  world = dlsym(library, "ompi_mpi_comm_world");
  byte_type = dlsym(library, "ompi_mpi_byte");
  float_type = dlsym(library, "ompi_mpi_float");
  sum_op = dlsym(library, "ompi_mpi_op_sum");
  handle returns = dlsym(library, "ompi_mpi_errors_return");
  if (!world || !byte_type || !float_type || !sum_op || !returns)
    return say("%s: its library lacks objects that Open MPI's has", version);
  if (mpi.Init_thread(NULL, NULL, thread_multiple, &threads))
    return say("%s: cannot start", version);
  if (threads < thread_serialized) return say("%s: built without threads", version);
  // What fails is told with rank and cause, and not by the library.
  mpi.Comm_set_errhandler(world, returns);
  if (mpi.Comm_rank(world, &rank) || mpi.Comm_size(world, &size))
    return say("%s: tells no rank", version);
  return NULL;
}

int lyco_mpi_rank(void) { return rank; }
int lyco_mpi_size(void) { return size; }
const char *lyco_mpi_version(void) { return version; }

const char *lyco_mpi_error(int code) {
  static char message[longest_text];
  int length = 0;
  if (mpi.Error_string(code, message, &length)) snprintf(message, sizeof message, "error %d", code);
  return message;
}

// MARK: Signs of life

// A second of signs, and how often a watcher looks.
enum { looks = 5, alive = 1, leaving = 0 };

struct peer {
  int rank, looks_since, has_left, is_sending;
  uint8_t sign;
  handle sending;
};

static struct {
  pthread_t thread;
  handle ranks;
  int is_running, count;
  struct peer *peers;
  int patience;
  void (*lost)(int rank, void *context);
  void *context;
  _Atomic int ends;
} watch;

// Waits for no one: of a peer that takes nothing the last sign is still on its way.
static void send_sign(struct peer *peer, uint8_t sign) {
  status ignored;
  int is_done = 0;
  if (peer->is_sending && (mpi.Test(&peer->sending, &is_done, &ignored) || !is_done)) return;
  peer->sign = sign;
  peer->is_sending =
    !mpi.Isend(&peer->sign, 1, byte_type, peer->rank, 0, watch.ranks, &peer->sending);
}

static void *keep_watch(void *unused) {
  for (int look = 0; !atomic_load(&watch.ends); look = (look + 1) % looks) {
    for (int i = 0; i < watch.count; i++) {
      struct peer *peer = watch.peers + i;
      if (look == 0) send_sign(peer, alive);
      // Looks are counted, not seconds: what stops this process as well stops its clock.
      peer->looks_since++;
      status ignored;
      for (int is_there = 1; is_there;) {
        uint8_t sign;
        is_there = 0;
        if (mpi.Iprobe(peer->rank, 0, watch.ranks, &is_there, &ignored) || !is_there) break;
        if (mpi.Recv(&sign, 1, byte_type, peer->rank, 0, watch.ranks, &ignored)) break;
        peer->looks_since = 0;
        if (sign == leaving) peer->has_left = 1;
      }
      if (peer->looks_since > watch.patience && !peer->has_left) {
        watch.lost(peer->rank, watch.context);
        return unused;
      }
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000000 / looks}, NULL);
  }
  for (int i = 0; i < watch.count; i++) send_sign(watch.peers + i, leaving);
  return unused;
}

int lyco_mpi_watch(double seconds, void (*lost)(int rank, void *context), void *context) {
  if (threads < thread_multiple || size == 1) return 0;
  int code = mpi.Comm_dup(world, &watch.ranks);
  if (code) return code;
  // All look at the first rank, which looks at all.
  watch.count = rank ? 1 : size - 1;
  watch.peers = calloc(watch.count, sizeof *watch.peers);
  if (!watch.peers) return 0;
  for (int i = 0; i < watch.count; i++) watch.peers[i].rank = rank ? 0 : i + 1;
  watch.patience = (int)(seconds * looks);
  watch.lost = lost;
  watch.context = context;
  watch.is_running = !pthread_create(&watch.thread, NULL, keep_watch, NULL);
  return 0;
}

static void end_watch(void) {
  if (!watch.is_running) return;
  atomic_store(&watch.ends, 1);
  pthread_join(watch.thread, NULL);
  watch.is_running = 0;
}

static atomic_int is_aborted;

static void finish(void) {
  if (is_aborted) return;
  end_watch();
  mpi.Finalize();
}

void lyco_mpi_finish_at_exit(void) { atexit(finish); }

void lyco_mpi_abort(int status) {
  is_aborted = 1;
  // Where what started the ranks is out of reach as well, this one ends nevertheless.
  signal(SIGALRM, SIG_DFL);
  alarm(2);
  mpi.Abort(world, status);
  _exit(status);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

int lyco_mpi_gather_heads(const uint64_t own[2], uint64_t *all, double seconds, int *late) {
  const int width = 2 * sizeof(uint64_t);
  // It is still written to where the wait ends early.
  static uint64_t sent[2];
  memcpy(sent, own, sizeof sent);
  handle request;
  status ignored;
  *late = 0;
  int code = mpi.Iallgather(sent, width, byte_type, all, width, byte_type, world, &request);
  if (code) return code;
  if (seconds <= 0) return mpi.Wait(&request, &ignored);
  for (double end = now() + seconds; now() < end;) {
    int is_done = 0;
    if ((code = mpi.Test(&request, &is_done, &ignored)) || is_done) return code;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  *late = 1;
  return 0;
}

// Places in one call are ints.
enum { most_bytes = 1 << 30 };

int lyco_mpi_gather(const void *own, const uint64_t *counts, void *all) {
  uint64_t total = 0;
  for (int i = 0; i < size; i++) total += counts[i];
  if (total <= most_bytes) {
    int *places = malloc(2 * sizeof(int) * size), *lengths = places + size;
    if (!places) return 1;
    for (int i = 0, at = 0; i < size; at += lengths[i++]) {
      places[i] = at;
      lengths[i] = (int)counts[i];
    }
    int code = mpi.Allgatherv(
      own, lengths[rank], byte_type, all, lengths, places, byte_type, world);
    free(places);
    return code;
  }
  char *target = all;
  for (int i = 0; i < size; i++) {
    if (i == rank) memcpy(target, own, counts[i]);
    for (uint64_t done = 0; done < counts[i]; done += most_bytes) {
      uint64_t rest = counts[i] - done;
      int code = mpi.Bcast(
        target + done, (int)(rest < most_bytes ? rest : most_bytes), byte_type, i, world);
      if (code) return code;
    }
    target += counts[i];
  }
  return 0;
}

int lyco_mpi_collect_bytes(const void *own, const uint64_t *counts, void *all) {
  status ignored;
  if (rank) {
    for (uint64_t done = 0; done < counts[rank]; done += most_bytes) {
      uint64_t rest = counts[rank] - done;
      int code = mpi.Send((const char *)own + done, (int)(rest < most_bytes ? rest : most_bytes),
                          byte_type, 0, 0, world);
      if (code) return code;
    }
    return 0;
  }
  memcpy(all, own, counts[0]);
  char *target = (char *)all + counts[0];
  for (int i = 1; i < size; target += counts[i++]) {
    for (uint64_t done = 0; done < counts[i]; done += most_bytes) {
      uint64_t rest = counts[i] - done;
      int code = mpi.Recv(target + done, (int)(rest < most_bytes ? rest : most_bytes), byte_type, i,
                          0, world, &ignored);
      if (code) return code;
    }
  }
  return 0;
}

size_t lyco_mpi_slice_start(size_t count, int rank) {
  // In whole cache lines, so that sums of neighbours share none.
  const size_t line = 16, lines = (count + line - 1) / line;
  const size_t start = lines * rank / size * line;
  return start < count ? start : count;
}

// counts: of the slices, in numbers; places: where they begin.
static void slices(size_t count, int *counts, int *places) {
  for (int i = 0; i < size; i++) {
    size_t start = lyco_mpi_slice_start(count, i);
    places[i] = (int)start;
    counts[i] = (int)(lyco_mpi_slice_start(count, i + 1) - start);
  }
}

int lyco_mpi_add(const float *values, size_t count, float *sums, float *received) {
  // Places are ints: 8 GiB, and as much in all that is received.
  if (count > INT_MAX - 16 * (size_t)size) return 2;
  int *ints = malloc(4 * sizeof(int) * size);
  if (!ints) return 1;
  int *counts = ints, *places = ints + size, *own = ints + 2 * size, *from = ints + 3 * size;
  slices(count, counts, places);
  const size_t width = counts[rank];
  const float *mine = values + places[rank];
  for (int i = 0; i < size; i++) {
    own[i] = i == rank ? 0 : (int)width;
    from[i] = (int)(width * i);
  }
  // What is this rank's own stays where it is.
  counts[rank] = 0;
  int code = mpi.Alltoallv(
    values, counts, places, float_type, received, own, from, float_type, world);
  free(ints);
  if (code) return code;
  // A number at a time, its terms in the order of ranks: what comes next is in the cache still.
  const size_t block = 4096;
  for (size_t start = 0; start < width; start += block) {
    size_t end = start + block < width ? start + block : width;
    for (int i = 0; i < size; i++) {
      const float *term = i == rank ? mine : received + width * i;
      for (size_t j = start; j < end; j++) sums[j] += term[j];
    }
  }
  return 0;
}

int lyco_mpi_collect(const float *sums, float *all, size_t count) {
  if (count > INT_MAX) return 2;
  int *counts = malloc(2 * sizeof(int) * size), *places = counts + size;
  if (!counts) return 1;
  slices(count, counts, places);
  int code = mpi.Allgatherv(
    sums, counts[rank], float_type, all, counts, places, float_type, world);
  free(counts);
  return code;
}

int lyco_mpi_allreduce(float *values, size_t count) {
  if (count > INT_MAX) return 2;
  return mpi.Allreduce((void *)1, values, (int)count, float_type, sum_op, world);
}
