// PNG files in memory, through libpng.

#include "message.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  lyco_png_file *file;
  size_t capacity;
  char *message;
} target;

static void write_bytes(png_structp png, png_bytep bytes, png_size_t count) {
  target *to = png_get_io_ptr(png);
  lyco_png_file *file = to->file;
  if (count > to->capacity - file->count) {
    size_t capacity = to->capacity + to->capacity / 2 + count;
    uint8_t *grown = realloc(file->bytes, capacity);
    if (!grown) png_error(png, "out of memory");
    file->bytes = grown;
    to->capacity = capacity;
  }
  memcpy(file->bytes + file->count, bytes, count);
  file->count += count;
}

static void flush(png_structp png) { (void)png; }

static void fail(png_structp png, png_const_charp text) {
  target *to = png_get_error_ptr(png);
  lyco_image_fail(to->message, text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

int lyco_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, int level,
                    const uint8_t *chunks, size_t chunk_bytes, lyco_png_file *file, char *message) {
  target to = {file, 0, message};
  *file = (lyco_png_file){NULL, 0};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &to, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    return lyco_image_fail(message, "out of memory");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    lyco_png_free(file);
    return 0;
  }
  png_set_write_fn(png, &to, write_bytes, flush);
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_compression_level(png, level);
  png_set_IHDR(png, info, width, height, 8, channels == 4 ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  while (chunk_bytes >= 8) {
    const size_t count = png_get_uint_32(chunks + 4);
    if (count > chunk_bytes - 8) png_error(png, "a chunk is cut short");
    png_write_chunk(png, chunks, chunks + 8, count);
    chunks += 8 + count;
    chunk_bytes -= 8 + count;
  }
  for (uint32_t y = 0; y < height; y++)
    png_write_row(png, pixels + (size_t)y * width * (size_t)channels);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return 1;
}

void lyco_png_free(lyco_png_file *file) {
  free(file->bytes);
  *file = (lyco_png_file){NULL, 0};
}
