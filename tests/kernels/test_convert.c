/* Conversions: the reference by its definition over all of fp16, the instruction sets against the
 * reference. */
#include "support.h"

#include "pk_tables.h"

#include <math.h>
#include <stdio.h>

static float widen(uint16_t h)
{
    float x;
    pk_f16_to_f32(PK_REF, &h, 1, &x);
    return x;
}

static uint16_t narrow(float x)
{
    uint16_t h;
    pk_f32_to_f16(PK_REF, &x, 1, &h);
    return h;
}

static void halves_have_their_ieee_values(void **state)
{
    (void)state;
    for (int h = 0; h < 0x7c00; h++) {
        const int exponent = h >> 10;
        const double value =
            exponent == 0 ? ldexp(h, -24) : ldexp(1024 + (h & 1023), exponent - 25);
        assert_true(widen((uint16_t)h) == (float)value);
        assert_true(widen((uint16_t)(h | 0x8000)) == -(float)value);
        assert_true(signbit(widen((uint16_t)(h | 0x8000))) != 0);
    }
    assert_true(widen(0x7c00) == INFINITY && widen(0xfc00) == -INFINITY);
    assert_true(isnan(widen(0x7c01)) && isnan(widen(0x7e00)) && isnan(widen(0xffff)));
}

static void narrowing_rounds_half_to_even(void **state)
{
    (void)state;
    for (int h = 0; h < 0x7c00; h++) {
        const float low = widen((uint16_t)h);
        const float high = h == 0x7bff ? 65536.0f : widen((uint16_t)(h + 1));
        const float middle = low + (high - low) / 2;
        const int even = (h & 1) == 0 ? h : h + 1;
        assert_int_equal(narrow(low), h);
        assert_int_equal(narrow(middle), even);
        assert_int_equal(narrow(nextafterf(middle, 0)), h);
        assert_int_equal(narrow(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(narrow(-middle), even | 0x8000);
    }
    assert_int_equal(narrow(INFINITY), 0x7c00);
    assert_int_equal(narrow(-1e30f), 0xfc00);
    assert_int_equal(narrow(NAN) & 0x7e00, 0x7e00);
    assert_int_equal(narrow(1e-30f), 0);
}

static void quantize_clamps_and_rounds_half_to_even(void **state)
{
    (void)state;
    const float x[] = {0.25f, 0.75f, -0.25f, NAN, INFINITY, -INFINITY, 1e9f};
    const uint8_t want[] = {10, 12, 10, 0, 255, 0, 255};
    uint8_t q[7];
    float back[7];
    pk_quantize_u8(PK_REF, x, 7, 2.0f, 0.0f, 10, -10.0f, 245.0f, q);
    assert_memory_equal(q, want, sizeof q);
    pk_dequantize_u8(PK_REF, q, 7, 0.5f, 1.0f, 10, back);
    assert_true(back[0] == 1.0f && back[1] == 2.0f && back[4] == 123.5f);
}

enum { LONGEST = 131 };

static void fill(float *x, uint16_t *h, uint8_t *q, int n, uint32_t *random)
{
    for (int i = 0; i < n; i++) {
        const uint32_t bits = test_random(random);
        const uint32_t moderate = (bits & 0x87ffffff) | 0x38000000;
        memcpy(&x[i], test_random(random) % 4 == 0 ? &bits : &moderate, 4);
        h[i] = (uint16_t)test_random(random);
        q[i] = (uint8_t)test_random(random);
    }
}

static void check_isa(enum pk_isa isa, int n, uint32_t *random)
{
    float x[LONGEST + 1], a[LONGEST + 1], b[LONGEST + 1];
    uint16_t h[LONGEST + 1], c[LONGEST + 1], d[LONGEST + 1];
    uint8_t q[LONGEST + 1], r[LONGEST + 1], s[LONGEST + 1];
    memset(a, 1, sizeof a), memset(b, 1, sizeof b), memset(c, 1, sizeof c), memset(d, 1, sizeof d);
    memset(r, 1, sizeof r), memset(s, 1, sizeof s);
    fill(x, h, q, n, random);
    const size_t count = (size_t)n;
    pk_f16_to_f32(PK_REF, h, count, a);
    pk_f16_to_f32(isa, h, count, b);
    assert_memory_equal(a, b, sizeof a);
    pk_f32_to_f16(PK_REF, x, count, c);
    pk_f32_to_f16(isa, x, count, d);
    assert_memory_equal(c, d, sizeof c);
    pk_quantize_u8(PK_REF, x, count, 17.3f, 0.1f, 100, -100, 155, r);
    pk_quantize_u8(isa, x, count, 17.3f, 0.1f, 100, -100, 155, s);
    assert_memory_equal(r, s, sizeof r);
    pk_dequantize_u8(PK_REF, q, count, 0.037f, -0.3f, 77, a);
    pk_dequantize_u8(isa, q, count, 0.037f, -0.3f, 77, b);
    assert_memory_equal(a, b, sizeof a);
}

static void every_isa_converts_as_the_reference(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
        if (!pk_isa_supported((enum pk_isa)isa)) {
            printf("SKIP: %s is not on this machine\n", pk_isa_name((enum pk_isa)isa));
            continue;
        }
        for (int n = 0; n <= LONGEST; n++) {
            check_isa((enum pk_isa)isa, n, &random);
            check_isa((enum pk_isa)isa, n, &random);
        }
    }
}

/* Sums by their definition, then every instruction set bit by bit. */
static void check_sums(enum pk_isa isa, int n, bool finite, uint32_t *random)
{
    float x[LONGEST + 1], y[LONGEST + 1];
    struct pk_moments a, b;
    struct pk_distance c, d;
    double sum[PK_SUM_LANES] = {0}, total = 0, most = 0;
    memset(&a, 0, sizeof a), memset(&b, 0, sizeof b), memset(&c, 0, sizeof c), memset(&d, 0, sizeof d);
    for (int i = 0; i < n; i++) {
        x[i] = (float)((int)(test_random(random) % 2001) - 1000) * 0.37f;
        y[i] = x[i] + (float)(test_random(random) % 100) * 0.01f;
        x[i] = !finite && test_random(random) % 8 == 0 ? (test_random(random) % 2 != 0 ? NAN : -INFINITY) : x[i];
        if (isfinite(x[i])) {
            sum[i % PK_SUM_LANES] += (double)x[i];
        }
    }
    for (int l = 0; l < PK_SUM_LANES; l++) {
        total += sum[l];
    }
    pk_moments_f32(PK_REF, x, (size_t)n, &a);
    pk_moments_f32(isa, x, (size_t)n, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.sum == total && (n > 0 || (a.min == 0 && a.max == 0)));
    if (finite) {
        assert_int_equal(a.n, n);
        for (int i = 0; i < n; i++) {
            assert_true(a.min <= x[i] && x[i] <= a.max);
            most = fabs((double)y[i] - (double)x[i]) > most ? fabs((double)y[i] - (double)x[i]) : most;
        }
        pk_distance_f32(PK_REF, x, y, (size_t)n, &c);
        pk_distance_f32(isa, x, y, (size_t)n, &d);
        assert_memory_equal(&c, &d, sizeof c);
        assert_true(c.most == most && c.power == a.squares);
    }
}

static void every_isa_adds_as_the_reference(void **state)
{
    (void)state;
    uint32_t random = 11;
    for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
        for (int n = 0; n <= LONGEST && pk_isa_supported((enum pk_isa)isa); n++) {
            check_sums((enum pk_isa)isa, n, true, &random);
            check_sums((enum pk_isa)isa, n, false, &random);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_have_their_ieee_values),
        cmocka_unit_test(narrowing_rounds_half_to_even),
        cmocka_unit_test(quantize_clamps_and_rounds_half_to_even),
        cmocka_unit_test(every_isa_converts_as_the_reference),
        cmocka_unit_test(every_isa_adds_as_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
