#ifndef LYCO_CBLAS_KERNELS_H
#define LYCO_CBLAS_KERNELS_H

/* Has OpenBLAS use the widest instructions of a processor for which it takes its oldest kernels. 0.3.21, that of
   Debian 12, does so for Intel's models from 0xB0 on by its code, and on an Emerald Rapids (0xCF) as seen: products then
   have a fifth of the speed. What OpenBLAS does know, and what OPENBLAS_CORETYPE names, stays.
   Once, before the first call, while nobody else in the process is in OpenBLAS.
   current: OpenBLAS' openblas_get_corename. */
void lyco_blas_choose_kernels(char *(*current)(void));

#endif
