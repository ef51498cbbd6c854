// Decodes image files, whole and damaged in many ways, under the sanitizers of scripts/fuzz/sanitize.sh.

#include "CImages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

static uint32_t draw(uint32_t bound) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % bound;
}

static int decode(const uint8_t *bytes, size_t count) {
  int (*headers[])(const uint8_t *, size_t, lyco_image_header *, char *) = {
      lyco_png_header, lyco_jpeg_header, lyco_webp_header};
  int (*decoders[])(const uint8_t *, size_t, uint32_t, uint32_t, int, uint8_t *, char *) = {
      lyco_png_decode, lyco_jpeg_decode, lyco_webp_decode};
  int decoded = 0;
  for (int format = 0; format < 3; format++) {
    lyco_image_header header = {0};
    char message[LYCO_IMAGE_MESSAGE] = "";
    if (!headers[format](bytes, count, &header, message)) continue;
    // As callers do: nothing empty, and no more pixels than these here, for speed.
    uint64_t pixels = (uint64_t)header.width * header.height;
    if (pixels == 0 || pixels > 1 << 22 || header.is_animated) continue;
    for (int channels = 3; channels <= 4; channels++) {
      uint8_t *target = malloc(pixels * (size_t)channels);
      if (!target) abort();
      decoded += decoders[format](bytes, count, header.width, header.height, channels, target, message);
      free(target);
    }
  }
  return decoded;
}

int main(int count, char **names) {
  long rounds = atol(names[1]);
  long decoded = 0;
  for (int i = 2; i < count; i++) {
    FILE *file = fopen(names[i], "rb");
    if (!file) return 1;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *whole = malloc(size);
    if (!whole || fread(whole, 1, size, file) != size) return 1;
    fclose(file);
    decoded += decode(whole, size);
    for (long round = 0; round < rounds; round++) {
      // Exactly as long as it is, so that one byte too many is noticed.
      size_t length = draw(4) == 0 ? draw((uint32_t)size) + 1 : size;
      uint8_t *damaged = malloc(length);
      if (!damaged) return 1;
      memcpy(damaged, whole, length);
      for (uint32_t flips = draw(6); flips > 0; flips--) damaged[draw((uint32_t)length)] = (uint8_t)draw(256);
      decoded += decode(damaged, length);
      free(damaged);
    }
    free(whole);
  }
  printf("%d files, %ld rounds each, %ld decoded\n", count - 2, rounds, decoded);
  return 0;
}
