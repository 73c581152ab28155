/* test_resize.c: bytes at twice the size (pk_resize), the case with integers of its own; codes to codes of another grid
 * (pk_resize_codes) against the three conversions that it stands for. */
#include "pk.h"
#include "pk_ops.h"
#include "support.h"

#include <math.h>

enum { H = 5, W = 7, C = 37 };

/* The value of output place i of n: half pixels, its two inputs and the weight of the second one. */
static float taps(int i, int n, int *low, int *high)
{
    const float x = ((float)i + 0.5f) / 2.0f - 0.5f, left = floorf(x);
    *low = left < 0 ? 0 : (int)left;
    *high = left + 1 > (float)(n - 1) ? n - 1 : (int)left + 1;
    return x - left;
}

static float value(const uint8_t *x, int oy, int ox, int c)
{
    int y0, y1, x0, x1;
    const float fy = taps(oy, H, &y0, &y1), fx = taps(ox, W, &x0, &x1);
    const float top = (1 - fx) * x[(y0 * W + x0) * C + c] + fx * x[(y0 * W + x1) * C + c];
    const float low = (1 - fx) * x[(y1 * W + x0) * C + c] + fx * x[(y1 * W + x1) * C + c];
    return (1 - fy) * top + fy * low; /* exact: sixteenths */
}

static void doubled_bytes_round_half_to_even(void **state)
{
    (void)state;
    static uint8_t x[H * W * C], y[4 * H * W * C];
    uint32_t random = 7;
    for (size_t i = 0; i < sizeof x; i++) {
        x[i] = (uint8_t)(i % 3 == 0 ? 255 : test_random(&random) >> 8);
    }
    struct pk_resize r = {.mode = PK_RESIZE_LINEAR, .coord = PK_COORD_HALF_PIXEL, .rank = 4,
                          .in = {1, H, W, C}, .out = {1, 2 * H, 2 * W, C}, .resized = {false, true, true, false},
                          .scale = {1, 2, 2, 1}};
    static _Alignas(64) char scratch[4096];
    assert_true(pk_resize_scratch(&r) <= sizeof scratch);
    assert_true(pk_resize(&r, PK_DT_U8, x, y, scratch));
    for (int i = 0; i < 4 * H * W * C; i++) {
        const int c = i % C, ox = i / C % (2 * W), oy = i / C / (2 * W);
        assert_int_equal(y[i], (int)rintf(value(x, oy, ox, c)));
    }
}

/* Doubles a picture [h][w][c] of random codes between random grids. */
static void double_codes(uint32_t *random, int h, int w, int c, enum pk_resize_coord coord)
{
    enum { MOST = 7 * 6 * 200 };
    static uint8_t x[MOST], y[4 * MOST + 1], expected[4 * MOST];
    static float real[MOST], doubled[4 * MOST];
    static _Alignas(64) char scratch[4096];
    const int n = h * w * c, bits = 2 + (int)(test_random(random) % 7);
    const float scale = (float)(1 + test_random(random) % 1000) / 777.0f, inv = 1.0f / (scale * (float)(1 << (8 - bits)) * 0.75f);
    const int from_zero = (int)(test_random(random) % 256), zero = (int)(test_random(random) % (1u << bits));
    const struct pk_resize_grids g = {scale, inv, (float)-zero, (float)((1 << bits) - 1 - zero), from_zero, zero};
    struct pk_resize r = {.mode = PK_RESIZE_LINEAR, .coord = coord, .rank = 4, .in = {1, h, w, c}, .out = {1, 2 * h, 2 * w, c},
                          .resized = {false, true, true, false}, .scale = {1, 2, 2, 1}};
    assert_true(n <= MOST && pk_resize_scratch(&r) <= sizeof scratch);
    for (int i = 0; i < n; i++) {
        x[i] = (uint8_t)(test_random(random) >> 8);
    }
    y[4 * n] = 77;
    assert_true(pk_resize_codes(&r, &g, x, y, scratch));
    pk_dequantize_u8(PK_REF, x, (size_t)n, scale, 0.0f, from_zero, real);
    assert_true(pk_resize(&r, PK_DT_F32, real, doubled, scratch));
    pk_quantize_u8(PK_REF, doubled, 4 * (size_t)n, inv, 0.0f, zero, g.lo, g.hi, expected);
    assert_memory_equal(y, expected, 4 * (size_t)n);
    assert_int_equal(y[4 * n], 77);
}

static void doubled_codes_are_the_bytes_of_three_passes(void **state)
{
    (void)state;
    uint32_t random = 11;
    static const int channels[] = {1, 16, 37, 64, 128, 200};
    for (int i = 0; i < 60; i++) {
        double_codes(&random, 1 + i % 7, 1 + i % 6, channels[i % 6], i % 2 == 0 ? PK_COORD_HALF_PIXEL : PK_COORD_PYTORCH_HALF_PIXEL);
    }
}

/* What doubles nothing, or not by halves of pixels, is left to pk_resize. */
static void other_resizes_of_codes_are_refused(void **state)
{
    (void)state;
    static _Alignas(64) char scratch[4096];
    uint8_t x[4 * 4] = {0}, y[8 * 12] = {0};
    const struct pk_resize_grids g = {1, 1, 0, 255, 0, 0};
    struct pk_resize r = {.mode = PK_RESIZE_LINEAR, .coord = PK_COORD_ALIGN_CORNERS, .rank = 4, .in = {1, 4, 4, 1},
                          .out = {1, 8, 8, 1}, .resized = {false, true, true, false}, .scale = {1, 2, 2, 1}};
    assert_false(pk_resize_codes(&r, &g, x, y, scratch));
    r.coord = PK_COORD_HALF_PIXEL;
    r.out[2] = 12;
    r.scale[2] = 3;
    assert_false(pk_resize_codes(&r, &g, x, y, scratch));
    r.out[2] = 8;
    r.scale[2] = 2;
    assert_true(pk_resize_codes(&r, &g, x, y, scratch));
    r.mode = PK_RESIZE_NEAREST;
    assert_false(pk_resize_codes(&r, &g, x, y, scratch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(doubled_bytes_round_half_to_even),
                                       cmocka_unit_test(doubled_codes_are_the_bytes_of_three_passes),
                                       cmocka_unit_test(other_resizes_of_codes_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
