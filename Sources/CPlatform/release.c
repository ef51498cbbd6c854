#include "CPlatform.h"

__attribute__((weak)) const char *lyco_commit(void) { return ""; }
