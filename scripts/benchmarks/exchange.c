// Times what a step of several ranks exchanges, beside MPI_Allreduce of the same numbers; rank 0 prints a line of JSON.
//
// usage: mpirun -n N exchange BYTES ROUNDS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CMPI.h"

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Waits for all ranks, so that none is timed while another is late.
static void meet(uint64_t *heads) {
  int late;
  const uint64_t nothing[2] = {0, 0};
  lyco_mpi_gather_heads(nothing, heads, 0, &late);
}

static void end(int rank, void *unused) { lyco_mpi_abort(1); }

int main(int argc, char **arguments) {
  if (argc != 3) {
    fprintf(stderr, "usage: mpirun -n N exchange BYTES ROUNDS\n");
    return 64;
  }
  const char *reason = lyco_mpi_start();
  if (reason) {
    fprintf(stderr, "exchange: %s\n", reason);
    return 1;
  }
  // As in a run of the tools.
  if (lyco_mpi_watch(6, end, NULL)) return 1;
  const size_t count = strtoul(arguments[1], NULL, 10) / sizeof(float);
  const int rounds = atoi(arguments[2]), size = lyco_mpi_size(), rank = lyco_mpi_rank();
  const size_t own = lyco_mpi_slice_start(count, rank + 1) - lyco_mpi_slice_start(count, rank);
  float *values = malloc(count * sizeof(float)), *sums = calloc(own + 1, sizeof(float));
  float *received = malloc((own * size + 1) * sizeof(float)), *all = malloc(count * sizeof(float));
  double *times[2] = {malloc(rounds * sizeof(double)), malloc(rounds * sizeof(double))};
  uint64_t *heads = malloc(2 * sizeof(uint64_t) * size);
  if (!values || !sums || !received || !all || !times[0] || !times[1] || !heads) return 1;
  for (size_t i = 0; i < count; i++) values[i] = (float)((i * 2654435761u + rank) % 1000) - 500;
  // The first round of each sets connections up.
  for (int round = -1; round < rounds; round++) {
    meet(heads);
    double start = now();
    memset(sums, 0, own * sizeof(float));
    if (lyco_mpi_add(values, count, sums, received) || lyco_mpi_collect(sums, all, count)) return 1;
    meet(heads);
    if (round >= 0) times[0][round] = now() - start;
    meet(heads);
    start = now();
    if (lyco_mpi_allreduce(values, count)) return 1;
    meet(heads);
    if (round >= 0) times[1][round] = now() - start;
    for (size_t i = 0; i < count; i += 4096) values[i] = (float)(i % 1000);
  }
  for (int kind = 0; kind < 2; kind++) qsort(times[kind], rounds, sizeof(double), ascending);
  if (rank == 0)
    printf("{\"ranks\": %d, \"bytes\": %zu, \"ordered_ms\": %.2f, \"allreduce_ms\": %.2f}\n", size,
           count * sizeof(float), 1e3 * times[0][rounds / 2], 1e3 * times[1][rounds / 2]);
  lyco_mpi_finish_at_exit();
  return 0;
}
