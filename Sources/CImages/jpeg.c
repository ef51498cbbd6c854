// JPEG through libjpeg-turbo.

#include "message.h"

#include <setjmp.h>
#include <string.h>

#include <jpeglib.h>
// After jpeglib.h, which it needs.
#include <jerror.h>

/// Scans that any image may have; encoders write some ten.
#define FREE_SCANS 16
/// Most scans times pixels beyond these. A scan of a few bytes goes over all pixels: a small file may
/// otherwise keep the decoder busy for minutes. This is about five seconds.
#define MOST_SCANNED (1LL << 30)

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf jump;
  char *message;
} errors;

static void fail(j_common_ptr jpeg) {
  errors *e = (errors *)jpeg->err;
  char text[JMSG_LENGTH_MAX];
  e->base.format_message(jpeg, text);
  lyco_image_fail(e->message, text);
  longjmp(e->jump, 1);
}

/// Of what libjpeg only warns of, a missing end is an error: the rest of the picture would be gray.
static void notice(j_common_ptr jpeg, int level) {
  errors *e = (errors *)jpeg->err;
  if (level >= 0) return;
  if (e->base.msg_code == JWRN_JPEG_EOF) {
    lyco_image_fail(e->message, "the file is cut short");
    longjmp(e->jump, 1);
  }
}

/// The scans of a file, by its markers: known before memory is taken for all of its pixels.
static int64_t count_scans(const uint8_t *bytes, size_t count) {
  int64_t scans = 0;
  size_t at = 2;
  while (at + 4 <= count) {
    // Coded data hold no other marker than RST0 to RST7 (0xD0 to 0xD7), and a zero behind each 0xFF of their own;
    // these, SOI and TEM (0x01) have no length.
    if (bytes[at] != 0xFF || bytes[at + 1] == 0xFF || bytes[at + 1] <= 1 ||
        (bytes[at + 1] >= 0xD0 && bytes[at + 1] <= 0xD8)) {
      at += bytes[at] != 0xFF || bytes[at + 1] == 0xFF ? 1 : 2;
      continue;
    }
    if (bytes[at + 1] == 0xD9) break;
    scans += bytes[at + 1] == 0xDA;
    at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
  }
  return scans;
}

/// The orientation in an Exif segment; 0 if there is none.
static int orientation(const uint8_t *bytes, size_t count) {
  if (count < 14 || memcmp(bytes, "Exif\0\0", 6) != 0) return 0;
  const uint8_t *tiff = bytes + 6;
  size_t size = count - 6;
  int little = tiff[0] == 'I';
#define U16(p) (little ? (p)[0] | (p)[1] << 8 : (p)[0] << 8 | (p)[1])
#define U32(p) \
  (little ? (uint32_t)U16(p) | (uint32_t)U16((p) + 2) << 16 : (uint32_t)U16(p) << 16 | (uint32_t)U16((p) + 2))
  size_t entries = U32(tiff + 4);
  if (entries > size - 2) return 0;
  size_t number = (size_t)U16(tiff + entries);
  for (size_t i = 0; i < number; i++) {
    size_t at = entries + 2 + 12 * i;
    if (at + 12 > size) return 0;
    if (U16(tiff + at) == 0x0112) {
      int value = U16(tiff + at + 8);
      return value >= 1 && value <= 8 ? value : 0;
    }
  }
#undef U16
#undef U32
  return 0;
}

/// Sets the decoder up; `e->jump` must be set by the caller right after.
static void prepare(struct jpeg_decompress_struct *jpeg, errors *e, char *message) {
  memset(jpeg, 0, sizeof *jpeg);
  jpeg->err = jpeg_std_error(&e->base);
  e->base.error_exit = fail;
  e->base.emit_message = notice;
  e->message = message;
}

int lyco_jpeg_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message) {
  struct jpeg_decompress_struct jpeg;
  errors e;
  prepare(&jpeg, &e, message);
  if (setjmp(e.jump)) {
    jpeg_destroy_decompress(&jpeg);
    return 0;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes, count);
  jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&jpeg, TRUE);
  header->width = jpeg.image_width;
  header->height = jpeg.image_height;
  header->has_alpha = 0;
  header->is_animated = 0;
  header->orientation = 0;
  for (jpeg_saved_marker_ptr marker = jpeg.marker_list; marker; marker = marker->next)
    if (!header->orientation) header->orientation = orientation(marker->data, marker->data_length);
  jpeg_destroy_decompress(&jpeg);
  return 1;
}

/// `x · y / 255`, rounded as Pillow rounds it.
static uint8_t scaled(unsigned x, unsigned y) {
  unsigned t = x * y + 128;
  return (uint8_t)(((t >> 8) + t) >> 8);
}

/// Spreads a row of `components` per pixel, at the end of the target's row, to RGB or RGBA.
static void spread(const uint8_t *from, uint8_t *to, uint32_t width, int components, int channels) {
  for (uint32_t x = 0; x < width; x++, from += components, to += channels) {
    uint8_t r, g, b;
    if (components == 1) {
      r = g = b = from[0];
    } else if (components == 3) {
      r = from[0], g = from[1], b = from[2];
    } else {
      // Stored inverted, as Adobe does and as Pillow assumes.
      unsigned k = from[3];
      r = (uint8_t)(k - scaled(255u - from[0], k));
      g = (uint8_t)(k - scaled(255u - from[1], k));
      b = (uint8_t)(k - scaled(255u - from[2], k));
    }
    to[0] = r, to[1] = g, to[2] = b;
    if (channels == 4) to[3] = 0xFF;
  }
}

int lyco_jpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                     int channels, uint8_t *pixels, char *message) {
  struct jpeg_decompress_struct jpeg;
  errors e;
  prepare(&jpeg, &e, message);
  if (setjmp(e.jump)) {
    jpeg_destroy_decompress(&jpeg);
    return 0;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes, count);
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.image_width != width || jpeg.image_height != height) {
    jpeg_destroy_decompress(&jpeg);
    return lyco_image_fail(message, "the file changed while it was read");
  }
  int64_t area = (int64_t)width * height, scans = count_scans(bytes, count);
  if (scans > FREE_SCANS && scans > MOST_SCANNED / area) {
    jpeg_destroy_decompress(&jpeg);
    snprintf(message, LYCO_IMAGE_MESSAGE,
             "%lld scans of %lld pixels are too much work; save it again, not progressive",
             (long long)scans, (long long)area);
    return 0;
  }
  if (jpeg.num_components == 1)
    jpeg.out_color_space = JCS_GRAYSCALE;
  else if (jpeg.num_components == 4)
    jpeg.out_color_space = JCS_CMYK;
  else
    jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  int components = jpeg.output_components;
  // libjpeg frees it with the decoder.
  JSAMPARRAY row = jpeg.mem->alloc_sarray((j_common_ptr)&jpeg, JPOOL_IMAGE,
                                          width * (JDIMENSION)components, 1);
  while (jpeg.output_scanline < height) {
    uint8_t *target = pixels + (size_t)jpeg.output_scanline * width * (size_t)channels;
    jpeg_read_scanlines(&jpeg, row, 1);
    spread(row[0], target, width, components, channels);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return 1;
}
