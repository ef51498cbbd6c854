#ifndef LYCO_CBLAS_KERNELS_H
#define LYCO_CBLAS_KERNELS_H

/* Has OpenBLAS use the widest instructions of a processor that it does not know by its number. It tells processors apart
   by family and model, and of those made after it takes the kernels of 2004: Debian 12's OpenBLAS 0.3.21 computes with
   a fifth of the speed on Intel's of 2023 and later. What it does know, and what OPENBLAS_CORETYPE names, stays.
   Once, before the first call.
   current: OpenBLAS' openblas_get_corename. */
void lyco_blas_choose_kernels(char *(*current)(void));

#endif
