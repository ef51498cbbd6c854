#include "kernels.h"

#if defined(__x86_64__)

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What OpenBLAS takes for a processor that it does not know.
static const char fallback[] = "Prescott";

extern char **environ;

// Starts over as if the variable were there. The environment that others may be reading stays as it is.
static void start_over(char *variable, void (*quit)(void), void (*init)(void)) {
  char **const before = environ;
  size_t count = 0;
  while (before && before[count]) count++;
  char **with = malloc((count + 2) * sizeof(char *));
  if (!with) return;
  with[0] = variable;
  if (count > 0) memcpy(with + 1, before, count * sizeof(char *));
  with[count + 1] = NULL;
  environ = with;
  quit();
  init();
  // `with` is not freed: whoever looked something up meanwhile may still hold it.
  environ = before;
}

void lyco_blas_choose_kernels(char *(*current)(void)) {
  if (getenv("OPENBLAS_CORETYPE") || strcmp(current(), fallback) != 0) return;
  void (*quit)(void) = NULL, (*init)(void) = NULL;
  *(void **)&quit = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_quit");
  *(void **)&init = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_init");
  if (!quit || !init || !__builtin_cpu_supports("x86-64-v3")) return;
  // Of a name that it does not have it goes by what the processor can do: 0.3.21 lacks the first.
  static char widest[] = "OPENBLAS_CORETYPE=Cooperlake", wide[] = "OPENBLAS_CORETYPE=SkylakeX",
              narrow[] = "OPENBLAS_CORETYPE=Haswell";
  if (__builtin_cpu_supports("x86-64-v4")) start_over(widest, quit, init);
  if (strcmp(current(), fallback) == 0 && __builtin_cpu_supports("x86-64-v4")) start_over(wide, quit, init);
  if (strcmp(current(), fallback) == 0) start_over(narrow, quit, init);
}

#else

void lyco_blas_choose_kernels(char *(*current)(void)) { (void)current; }

#endif
