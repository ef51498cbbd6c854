#ifndef CMPI_H
#define CMPI_H

#include <stddef.h>
#include <stdint.h>

/* What the suite needs of Open MPI, whose library is loaded when a run begins that mpirun or srun started: no header
   of it is needed to build, and no process that is started alone ever loads it.

   That works because what Open MPI calls handles are addresses of objects that its library exports, and the calls
   below are the same in its releases 3 to 5. Of MPICH and its kin handles are numbers: they are refused by name.

   All calls but lyco_mpi_start and lyco_mpi_host need a start that succeeded, and come from one thread at a time;
   lyco_mpi_abort may come from any.
   Those that return an int return 0, or a code of MPI that lyco_mpi_error explains. */

/* Loads the library and joins the other ranks. NULL, or why that is not possible: one line that lasts. */
const char *lyco_mpi_start(void);

int lyco_mpi_rank(void);
int lyco_mpi_size(void);

/* Version of the library: `Open MPI v4.1.4, …`, cut at the first comma. */
const char *lyco_mpi_version(void);

/* Name of this machine. */
const char *lyco_mpi_host(void);

/* What a code means. */
const char *lyco_mpi_error(int code);

/* Has a thread of its own send the other ranks signs of life from now on, every second, and look for theirs: the first
   rank for those of all, the others for those of the first. All ranks have to. Does nothing where the library is built
   for fewer threads.
   seconds: of silence after which a rank is lost.
   lost: called once on that thread, with the rank. */
int lyco_mpi_watch(double seconds, void (*lost)(int rank, void *context), void *context);

/* Leaves the other ranks when the process ends by exit; all have to, and each waits there for the others. So none ends
   before the last word of another, which mpirun would not let through any more. */
void lyco_mpi_finish_at_exit(void);

/* Ends all ranks at once. */
void lyco_mpi_abort(int status);

/* All ranks get two numbers of each, in the order of ranks.
   seconds: how long to wait for the others; 0 for as long as it takes. Sets late to 1 where they have not come, after
   which nothing but lyco_mpi_abort may be called. */
int lyco_mpi_gather_heads(const uint64_t own[2], uint64_t *all, double seconds, int *late);

/* All ranks get the bytes of each, one after another. counts: how many each rank has. */
int lyco_mpi_gather(const void *own, const uint64_t *counts, void *all);

/* Rank 0 gets the bytes of each, one after another; all is NULL on the others. */
int lyco_mpi_collect_bytes(const void *own, const uint64_t *counts, void *all);

/* The part of so many numbers that a rank sums: from its start to that of the next rank. */
size_t lyco_mpi_slice_start(size_t count, int rank);

/* Adds the numbers of all ranks, in the order of ranks, to the sums of the slice that this one owns.
   Every number travels once. received: room for size times the slice. */
int lyco_mpi_add(const float *values, size_t count, float *sums, float *received);

/* All ranks get the sums of all slices. */
int lyco_mpi_collect(const float *sums, float *all, size_t count);

/* The sum as MPI forms it, in an order of its own: what a benchmark compares with. */
int lyco_mpi_allreduce(float *values, size_t count);

#endif
