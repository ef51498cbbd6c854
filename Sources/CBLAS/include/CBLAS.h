#ifndef LYCO_CBLAS_H
#define LYCO_CBLAS_H

#include <cblas.h>
#include <lapacke.h>

/* The calls of OpenBLAS and LAPACKE that the suite makes. Both libraries are loaded when the first is looked up: they
   have thousands of symbols and start threads, which would take a third of the time of a tool that computes nothing. */

#define LYCO_BLAS_CALLS(CALL)    \
  CALL(openblas_get_corename)    \
  CALL(openblas_set_num_threads) \
  CALL(cblas_dgemm)              \
  CALL(cblas_dsdot)              \
  CALL(cblas_dsyrk)              \
  CALL(cblas_dtrmm)              \
  CALL(cblas_dtrsm)              \
  CALL(cblas_sgemm)              \
  CALL(cblas_sgemv)              \
  CALL(cblas_somatcopy)          \
  CALL(cblas_ssyrk)              \
  CALL(cblas_strmm)              \
  CALL(cblas_strsm)

#define LYCO_LAPACK_CALLS(CALL) \
  CALL(LAPACKE_dgees)           \
  CALL(LAPACKE_dgeqrf)          \
  CALL(LAPACKE_dgesdd)          \
  CALL(LAPACKE_dgesv)           \
  CALL(LAPACKE_dgetrf)          \
  CALL(LAPACKE_dorgqr)          \
  CALL(LAPACKE_dpotrf)          \
  CALL(LAPACKE_dsyevd)          \
  CALL(LAPACKE_dsyevr)          \
  CALL(LAPACKE_dsygst)          \
  CALL(LAPACKE_dsygvd)          \
  CALL(LAPACKE_sgeqrf)          \
  CALL(LAPACKE_sgesdd)          \
  CALL(LAPACKE_sgesv)           \
  CALL(LAPACKE_sgesvd)          \
  CALL(LAPACKE_sorgqr)          \
  CALL(LAPACKE_spotrf)

typedef struct {
#define LYCO_CALL(name) __typeof__(&name) name;
  LYCO_BLAS_CALLS(LYCO_CALL)
  LYCO_LAPACK_CALLS(LYCO_CALL)
#undef LYCO_CALL
} lyco_blas_calls;

/* All of them; from any thread. Ends the process with status 1 and a line that says what to install where a library or
   one of its symbols is missing. */
const lyco_blas_calls *lyco_blas(void);

/* How many threads one call may use: from now on, or once OpenBLAS is there. */
void lyco_blas_set_threads(int count);

#endif
