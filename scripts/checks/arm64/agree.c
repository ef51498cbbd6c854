/* What the C of the tools computes, in lines that two processors are to agree on: `name exact HASH` bit by bit,
   `name near A B` to rounding, `name bf16 A B` to that of bf16. Deterministic numbers go in; check-arm64.sh compares. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CImages.h"
#include "CKernels.h"
#include "CLayers.h"
#include "COneDNN.h"
#include "CPlatform.h"
#include "CRE2.h"

#define COUNT 4099

static uint64_t state = 88172645463325252u;

/* xorshift */
static uint32_t random_bits(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

static float *uniform(size_t count, float scale) {
  float *x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = scale * ((float)(random_bits() >> 8) / 8388608 - 1);
  return x;
}

/* Floats of any magnitude: any bits but those of NaN, whose payload is nobody's promise. */
static float *any_floats(size_t count) {
  float *x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count;) {
    uint32_t bits = random_bits();
    memcpy(x + i, &bits, sizeof bits);
    if (!isnan(x[i])) i++;
  }
  return x;
}

static void exact(const char *name, const void *bytes, size_t count) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
  printf("%s exact %016llx\n", name, (unsigned long long)hash);
}

/* Two sums, of which one knows the order of the numbers. */
static void print_sums(const char *name, const char *kind, const float *x, size_t count) {
  double sum = 0, turned = 0;
  for (size_t i = 0; i < count; i++) sum += fabs(x[i]), turned += fabs(x[i]) * (double)(i % 13 + 1);
  printf("%s %s %.9g %.9g\n", name, kind, sum, turned);
}

static void near(const char *name, const float *x, size_t count) { print_sums(name, "near", x, count); }

static void check(const char *name, int failed) {
  if (!failed) return;
  fprintf(stderr, "%s: expected it done, found status %d\n", name, failed);
  exit(1);
}

static void conversions(void) {
  static uint16_t codes[65536];
  static float wide[65536];
  /* All but NaN. */
  size_t count = 0;
  for (uint32_t code = 0; code < 65536; code++)
    if ((code & 0x7c00) != 0x7c00 || (code & 0x3ff) == 0) codes[count++] = (uint16_t)code;
  lyco_widen_f16(codes, wide, count);
  exact("widen_f16", wide, count * sizeof *wide);
  struct lyco_losses losses = {0};
  static uint16_t narrow[65536];
  lyco_f16_to_bf16(codes, narrow, count, &losses);
  exact("f16_to_bf16", narrow, count * sizeof *narrow);
  exact("f16_to_bf16_losses", &losses, sizeof losses);
  count = 0;
  for (uint32_t code = 0; code < 65536; code++)
    if ((code & 0x7f80) != 0x7f80 || (code & 0x7f) == 0) codes[count++] = (uint16_t)code;
  lyco_widen_bf16(codes, wide, count);
  exact("widen_bf16", wide, count * sizeof *wide);
  losses = (struct lyco_losses){0};
  lyco_bf16_to_f16(codes, narrow, count, &losses);
  exact("bf16_to_f16", narrow, count * sizeof *narrow);
  exact("bf16_to_f16_losses", &losses, sizeof losses);

  float *x = any_floats(65536);
  static uint8_t bytes[65536];
  lyco_narrow_f16(x, narrow, 65536);
  exact("narrow_f16", narrow, sizeof narrow);
  printf("infinite_f16 exact %zu\n", lyco_count_infinite_f16(narrow, 65536));
  lyco_narrow_bf16(x, narrow, 65536);
  exact("narrow_bf16", narrow, sizeof narrow);
  lyco_narrow_f8_e4m3(x, bytes, 65536);
  exact("narrow_f8_e4m3", bytes, sizeof bytes);
  lyco_narrow_f8_e5m2(x, bytes, 65536);
  exact("narrow_f8_e5m2", bytes, sizeof bytes);
  float *table = uniform(256, 3);
  lyco_widen_f8(bytes, table, wide, 65536);
  exact("widen_f8", wide, sizeof wide);
}

static void kernels(void) {
  float *x = uniform(COUNT, 2), *y = uniform(COUNT, 2);
  printf("sum_of_squares near %.12g 1\n", lyco_sum_of_squares(x, COUNT));
  printf("squared_distance near %.12g 1\n", lyco_squared_distance(x, y, COUNT));
  printf("largest_magnitude exact %a\n", (double)lyco_largest_magnitude(x, COUNT));
  float *b = uniform(64 * LYCO_THIN_COLUMNS, 1), *c = uniform(60 * LYCO_THIN_COLUMNS, 1);
  lyco_add_thin_product(x, 64, 1, b, c, 60, 64);
  near("thin_product", c, 60 * LYCO_THIN_COLUMNS);

  /* The same bits on every processor, see CKernels.h. */
  float *value = uniform(COUNT, 1), *first = uniform(COUNT, 0.1f), *second = uniform(COUNT, 0.1f);
  for (int i = 0; i < COUNT; i++) second[i] *= second[i];
  struct lyco_adam_step step = {.keep = 0.9999f,
                                .decay = 0.01f,
                                .growth = 0.1f,
                                .second_keep = 0.999f,
                                .second_growth = 0.001f,
                                .size = 1e-3f,
                                .correction = 0.3f,
                                .epsilon = 1e-8f};
  lyco_adam(value, x, first, second, COUNT, step);
  exact("adam", value, COUNT * sizeof *value);
  exact("adam_second", second, COUNT * sizeof *second);
  lyco_adam_move(value, first, second, COUNT, 1e-3f, 1e-8f, 0.01f);
  exact("adam_move", value, COUNT * sizeof *value);
  struct lyco_average_step average = {.second_keep = 0.999f,
                                      .second_growth = 0.001f,
                                      .correction = 0.3f,
                                      .epsilon = 1e-8f,
                                      .decay = 0.01f,
                                      .share = 0.2f,
                                      .growth = 0.1f,
                                      .size = 1e-3f};
  lyco_adam_average(value, x, first, second, COUNT, average);
  exact("adam_average", value, COUNT * sizeof *value);
}

static void layers(void) {
  float *x = uniform(COUNT, 4), *y = uniform(COUNT, 4), *z = malloc(2 * COUNT * sizeof *z);
  for (lyco_activation kind = LYCO_SILU; kind <= LYCO_TANH_GELU; kind++) {
    char name[32];
    snprintf(name, sizeof name, "activation_%d", kind);
    lyco_activate(kind, x, z, COUNT);
    near(name, z, COUNT);
    snprintf(name, sizeof name, "activation_%d_backward", kind);
    lyco_activate_backward(kind, x, y, z, COUNT);
    near(name, z, COUNT);
  }
  lyco_exponential(x, z, COUNT);
  near("exponential", z, COUNT);
  float *weight = uniform(64, 1), *bias = uniform(64, 1), statistics[256];
  lyco_group_norm norm = {.batch = 1, .positions = 64, .channels = 64, .groups = 8, .epsilon = 1e-5f, .silu = 1};
  check("group_norm", lyco_group_norm_forward(&norm, x, weight, bias, z, statistics));
  near("group_norm", z, 64 * 64);
  check("group_norm_backward",
        lyco_group_norm_backward(&norm, x, y, weight, bias, statistics, z, NULL, NULL));
  near("group_norm_backward", z, 64 * 64);
  lyco_layer_norm_forward(64, 64, 1e-5f, x, weight, bias, z, statistics);
  near("layer_norm", z, 64 * 64);
  lyco_rms_norm_forward(64, 64, 1e-6f, x, weight, z, statistics);
  near("rms_norm", z, 64 * 64);
  lyco_rotation rotation = {.batch = 1, .tokens = 32, .rotated = 30, .heads = 4, .pairs = 16};
  float *cosines = uniform(30 * 16, 1), *sines = uniform(30 * 16, 1);
  lyco_rotate(&rotation, cosines, sines, 0, x, z);
  near("rotate", z, 32 * 4 * 32);

  lyco_attention attention = {
      .batch = 1, .heads = 2, .queries = 37, .keys = 41, .width = 40, .scale = 0.158f, .compute = LYCO_F32};
  float *q = uniform(37 * 80, 1), *k = uniform(41 * 80, 1), *v = uniform(41 * 80, 1), *dy = uniform(37 * 80, 1);
  float *out = malloc(37 * 80 * sizeof *out), *logs = malloc(2 * 37 * sizeof *logs);
  float *dq = malloc(37 * 80 * sizeof *dq), *dk = malloc(41 * 80 * sizeof *dk), *dv = malloc(41 * 80 * sizeof *dv);
  check("attention", lyco_attention_forward(&attention, NULL, NULL, q, k, v, out, logs));
  near("attention", out, 37 * 80);
  check("attention_backward", lyco_attention_backward(&attention, NULL, q, k, v, out, logs, dy, dq, dk, dv));
  near("attention_dq", dq, 37 * 80);
  near("attention_dk", dk, 41 * 80);
  near("attention_dv", dv, 41 * 80);
}

static void products(void) {
  enum { M = 33, N = 47, K = 65 };
  float *a = uniform(M * K, 1), *b = uniform(K * N, 1), *c = malloc(M * N * sizeof *c);
  check("matmul", lyco_matmul(M, N, K, a, 0, b, 0, c, 0, LYCO_F32));
  near("matmul", c, M * N);
  check("matmul_bf16", lyco_matmul(M, N, K, a, 0, b, 0, c, 0, LYCO_BF16));
  print_sums("matmul_bf16", "bf16", c, M * N);
  check("deep_product", lyco_deep_product(M, N, K, a, 0, b, 0, c, 0));
  near("deep_product", c, M * N);
  for (lyco_storage storage = LYCO_STORED_F32; storage <= LYCO_STORED_INT8; storage++) {
    char name[32];
    snprintf(name, sizeof name, "matrix_%d", storage);
    lyco_matrix *matrix = lyco_matrix_create(b, N, K, storage, LYCO_F32);
    check(name, matrix == NULL);
    check(name, lyco_matrix_forward(matrix, M, a, NULL, c));
    near(name, c, M * N);
    lyco_matrix_destroy(matrix);
  }
  lyco_convolution extents = {.batch = 2, .height = 9, .width = 11, .inputs = 8, .outputs = 16, .kernel_height = 3,
                              .kernel_width = 3, .stride = 1, .top = 1, .left = 1, .bottom = 1, .right = 1};
  float *x = uniform(2 * 9 * 11 * 8, 1), *weight = uniform(16 * 8 * 9, 1), *bias = uniform(16, 1);
  float *y = malloc(2 * 9 * 11 * 16 * sizeof *y), *dx = malloc(2 * 9 * 11 * 8 * sizeof *dx);
  float *dweight = malloc(16 * 8 * 9 * sizeof *dweight);
  check("convolution", lyco_convolution_forward(&extents, x, weight, bias, y, LYCO_F32));
  near("convolution", y, 2 * 9 * 11 * 16);
  check("convolution_dx", lyco_convolution_backward_data(&extents, y, weight, dx, LYCO_F32));
  near("convolution_dx", dx, 2 * 9 * 11 * 8);
  check("convolution_dweight", lyco_convolution_backward_weight(&extents, x, y, dweight));
  near("convolution_dweight", dweight, 16 * 8 * 9);
}

static void rest(void) {
  uint8_t pixels[16 * 16 * 3], again[sizeof pixels];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)random_bits();
  char message[LYCO_IMAGE_MESSAGE];
  lyco_png_file file;
  check("png", !lyco_png_encode(pixels, 16, 16, 3, 6, NULL, 0, &file, message));
  check("png", !lyco_png_decode(file.bytes, file.count, 16, 16, 3, again, message));
  check("png", memcmp(pixels, again, sizeof pixels) != 0);
  exact("png", again, sizeof again);
  lyco_png_free(&file);
  const char *expression = ".*attn[12]\\.to_[kqv]";
  lyco_regex *regex = lyco_regex_compile(expression, strlen(expression), 1 << 20, message, sizeof message);
  check("regex", regex == NULL);
  printf("regex exact %d%d\n", lyco_regex_matches(regex, "unet.attn2.to_k", 15, LYCO_REGEX_WHOLE),
         lyco_regex_matches(regex, "unet.attn3.to_k", 15, LYCO_REGEX_WHOLE));
  lyco_regex_free(regex);
  int unnamed = lyco_open_unnamed("/tmp", 0600);
  check("open_unnamed", unnamed < 0);
  printf("lock exact %d\n", lyco_lock(unnamed, 0));
}

int main(void) {
  lyco_set_threads(2);
  conversions();
  kernels();
  layers();
  products();
  rest();
  return 0;
}
