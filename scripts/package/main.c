/* All tools in one executable, which is installed under the name of each: what they share, which is most of them,
   is there once. tools.h, which link-tools.py writes, has a line TOOL(extract) for every tool. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TOOL(name) int lyco_##name##_main(int count, char **arguments);
#include "tools.h"
#undef TOOL

static const struct {
  const char *name;
  int (*main)(int, char **);
} tools[] = {
#define TOOL(name) {"lyco-" #name, lyco_##name##_main},
#include "tools.h"
};

/* In place of the one in CPlatform, which knows none. */
const char *lyco_commit(void) { return LYCO_COMMIT; }

/* A program that waits for the tool names its process in LYCO_PARENT, as the Python module does: however it ends, the
   tool is interrupted, where it would go on for hours unseen. */
static void end_with_parent(void) {
  const char *parent = getenv("LYCO_PARENT");
  if (!parent) return;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != strtol(parent, NULL, 10)) raise(SIGTERM);
  unsetenv("LYCO_PARENT");
}

int main(int count, char **arguments) {
  end_with_parent();
  const char *path = count > 0 ? arguments[0] : "";
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
    if (strcmp(name, tools[i].name) == 0) return tools[i].main(count, arguments);
  fprintf(stderr, "Error: expected to be run by the name of a tool, such as '%s', found '%s'\n", tools[0].name, name);
  return 64;
}
