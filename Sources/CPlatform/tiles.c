#include "CPlatform.h"

#if defined(__x86_64__) && defined(__linux__)

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_permitted;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Linux gives tiles to processes that ask for them.
static void ask(void) {
  enum { REQUEST = 0x1023, TILE_DATA = 18 };
  is_permitted = __builtin_cpu_supports("amx-bf16") && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

int lyco_permits_tiles(void) {
  pthread_once(&once, ask);
  return is_permitted;
}

#else

int lyco_permits_tiles(void) { return 0; }

#endif
