// PNG through libpng's callback interface: its simplified one converts gamma, which training must not.

#include "message.h"

#include <png.h>
#include <string.h>

/// Packed bytes that may follow upon those of the last row. libpng unpacks them, though nothing needs them: a
/// megabyte of them is a gigabyte.
#define MOST_SURPLUS (64 << 10)

typedef struct {
  const uint8_t *bytes;
  size_t left;
  char *message;
  /// How much may still be read.
  size_t most;
} source;

static void read_bytes(png_structp png, png_bytep target, png_size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->left) png_error(png, "the file is cut short");
  if (count > from->most) png_error(png, "more data than its pixels are");
  memcpy(target, from->bytes, count);
  from->bytes += count;
  from->left -= count;
  from->most -= count;
}

static void fail(png_structp png, png_const_charp text) {
  source *from = png_get_error_ptr(png);
  lyco_image_fail(from->message, text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

/// A reader at the start of the file; NULL if there is no memory for it. The caller sets the jump.
static png_structp open_png(source *from, png_infop *info) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, from, fail, ignore);
  if (!png) {
    lyco_image_fail(from->message, "out of memory");
    return NULL;
  }
  *info = png_create_info_struct(png);
  if (!*info) {
    png_destroy_read_struct(&png, NULL, NULL);
    lyco_image_fail(from->message, "out of memory");
    return NULL;
  }
  png_set_read_fn(png, from, read_bytes);
  // The caller limits pixels. Text and profiles are not needed at all, and are not even unpacked: a
  // megabyte of them may hold gigabytes. -1 means every chunk that does not change pixels.
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_chunk_malloc_max(png, 8 << 20);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  return png;
}

int lyco_png_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message) {
  // IHDR is the first chunk, and that is all a header asks for: later ones may lie beyond `count`.
  if (count < 33) return lyco_image_fail(message, "the file is cut short");
  if (memcmp(bytes + 12, "IHDR", 4) != 0) return lyco_image_fail(message, "no IHDR chunk");
  header->width = png_get_uint_32(bytes + 16);
  header->height = png_get_uint_32(bytes + 20);
  header->has_alpha = (bytes[25] & PNG_COLOR_MASK_ALPHA) != 0;
  header->is_animated = 0;
  header->orientation = 0;
  return 1;
}

int lyco_png_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                    int channels, uint8_t *pixels, char *message) {
  source from = {bytes, count, message, SIZE_MAX};
  png_infop info = NULL;
  png_structp png = open_png(&from, &info);
  if (!png) return 0;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
  }
  png_read_info(png, info);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height)
    png_error(png, "the file changed while it was read");
  png_set_expand(png);    // palettes, few bits of gray, a transparent colour
  png_set_strip_16(png);  // the high byte, as Pillow takes it
  png_set_gray_to_rgb(png);
  if (channels == 4)
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
  else
    png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t row = (size_t)width * (size_t)channels;
  if (png_get_rowbytes(png, info) != row) png_error(png, "unexpected channels");
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t y = 0; y < height; y++) {
      // Eight bytes are the largest pixel, and packing makes a row hardly larger.
      if (pass + 1 == passes && y + 1 == height) from.most = (size_t)width * 9 + MOST_SURPLUS;
      png_read_row(png, pixels + y * row, NULL);
    }
  }
  from.most = SIZE_MAX;
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  return 1;
}
