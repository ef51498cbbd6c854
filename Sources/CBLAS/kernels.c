#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

#if defined(__x86_64__)

// What OpenBLAS takes for a processor that it does not know.
static const char *const fallback = "Prescott";

// Of those that OpenBLAS has, the best that this processor runs; NULL where the fallback is.
static const char *best(void) {
  if (__builtin_cpu_supports("x86-64-v4")) return __builtin_cpu_supports("avx512bf16") ? "Cooperlake" : "SkylakeX";
  return __builtin_cpu_supports("x86-64-v3") ? "Haswell" : NULL;
}

void lyco_blas_choose_kernels(char *(*current)(void)) {
  static const char variable[] = "OPENBLAS_CORETYPE";
  if (getenv(variable) || strcmp(current(), fallback) != 0) return;
  const char *kernels = best();
  void (*quit)(void) = NULL, (*init)(void) = NULL;
  *(void **)&quit = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_quit");
  *(void **)&init = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_init");
  if (!kernels || !quit || !init) return;
  setenv(variable, kernels, 0);
  quit();
  init();
  unsetenv(variable);
}

#else

void lyco_blas_choose_kernels(char *(*current)(void)) { (void)current; }

#endif
