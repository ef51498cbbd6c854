#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "CPlatform.h"

void *lyco_symbol(const char *name, void **library, const char *file, const char *package) {
  void *found = dlsym(RTLD_DEFAULT, name);
  if (found) return found;
  if (!*library) *library = dlopen(file, RTLD_NOW | RTLD_GLOBAL);
  if (*library && (found = dlsym(*library, name))) return found;
  const char *reason = dlerror();
  fprintf(
    stderr, "Error: %s: expected it where libraries are looked for, found %s; install it (Debian: 'apt install %s')\n",
    file, reason ? reason : "none", package);
  exit(1);
}
