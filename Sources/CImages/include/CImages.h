#ifndef LYCO_CIMAGES_H
#define LYCO_CIMAGES_H

#include <stddef.h>
#include <stdint.h>

/// Room for what is wrong with a file, with its final zero.
#define LYCO_IMAGE_MESSAGE 256

/// What the head of an image file says.
typedef struct {
  uint32_t width;
  uint32_t height;
  /// Whether some pixels may be transparent.
  int has_alpha;
  /// Whether it holds several frames.
  int is_animated;
  /// Exif's orientation, 1 to 8; 0 where none is given.
  int orientation;
} lyco_image_header;

// All functions return 1 if done; else 0, with the cause in `message`. They keep no state.
//
// `decode` fills `pixels` row by row with `channels` bytes each: 3 for RGB, transparency dropped,
// or 4 for RGBA, opaque where the file knows no transparency. `width` and `height` are those of the
// header; a file that has others by now is refused.

int lyco_png_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message);
int lyco_png_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                    int channels, uint8_t *pixels, char *message);

/// A file in memory, for `lyco_png_free`.
typedef struct {
  uint8_t *bytes;
  size_t count;
} lyco_png_file;

/// Writes pixels of 3 or 4 channels. `level` is zlib's, 0 to 9. `chunks` are what the file says besides, one behind the
/// other: a name of four letters, the number of bytes in four, the highest first, and the bytes.
int lyco_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, int level,
                    const uint8_t *chunks, size_t chunk_bytes, lyco_png_file *file, char *message);
void lyco_png_free(lyco_png_file *file);

int lyco_jpeg_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message);
int lyco_jpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                     int channels, uint8_t *pixels, char *message);

int lyco_webp_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message);
int lyco_webp_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                     int channels, uint8_t *pixels, char *message);

#endif
