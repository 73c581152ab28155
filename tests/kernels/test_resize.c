/* test_resize.c: bytes at twice the size (pk_resize), the case with integers of its own. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(doubled_bytes_round_half_to_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
