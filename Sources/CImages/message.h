#ifndef LYCO_IMAGE_MESSAGE_H
#define LYCO_IMAGE_MESSAGE_H

#include "CImages.h"

#include <stdio.h>

/// Keeps `text` for the caller; returns 0, what a failing function returns.
static inline int lyco_image_fail(char *message, const char *text) {
  snprintf(message, LYCO_IMAGE_MESSAGE, "%s", text);
  return 0;
}

#endif
