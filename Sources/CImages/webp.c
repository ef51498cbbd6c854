// WebP through libwebp.

#include "message.h"

#include <webp/decode.h>

static int fail(VP8StatusCode status, char *message) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return lyco_image_fail(message, "the file is cut short");
    case VP8_STATUS_OUT_OF_MEMORY: return lyco_image_fail(message, "out of memory");
    case VP8_STATUS_UNSUPPORTED_FEATURE: return lyco_image_fail(message, "an unsupported feature");
    default: return lyco_image_fail(message, "broken data");
  }
}

int lyco_webp_header(const uint8_t *bytes, size_t count, lyco_image_header *header, char *message) {
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
  if (status != VP8_STATUS_OK) return fail(status, message);
  header->width = (uint32_t)features.width;
  header->height = (uint32_t)features.height;
  header->has_alpha = features.has_alpha;
  header->is_animated = features.has_animation;
  header->orientation = 0;
  return 1;
}

int lyco_webp_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height,
                     int channels, uint8_t *pixels, char *message) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return lyco_image_fail(message, "another libwebp");
  VP8StatusCode status = WebPGetFeatures(bytes, count, &config.input);
  if (status != VP8_STATUS_OK) return fail(status, message);
  if ((uint32_t)config.input.width != width || (uint32_t)config.input.height != height)
    return lyco_image_fail(message, "the file changed while it was read");
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)width * channels;
  config.output.u.RGBA.size = (size_t)width * height * (size_t)channels;
  status = WebPDecode(bytes, count, &config);
  WebPFreeDecBuffer(&config.output);
  return status == VP8_STATUS_OK ? 1 : fail(status, message);
}
