/* The reference kernels against values worked out by hand, and the choice of instruction set. */
#include "support.h"

#include "pk.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pk_layer_kernel *reference(enum pk_family family)
{
    return pk_kernel(family, PK_REF);
}

/* 2x2 picture of one channel, 3x3 kernel of 1..9, padding 1: two outputs worked out by hand. */
static void padding_reads_pad_code(void **state)
{
    (void)state;
    const struct pk_conv c = {2, 2, 1, 2, 2, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1};
    const uint8_t x[4] = {10, 20, 30, 40};
    const int8_t w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float m = 1, b = 0;
    float y[4];
    const struct pk_out out = {
        .type = PK_F32, .data = y, .pitch = 1, .m = &m, .b = &b, .lo = -1e9f, .hi = 1e9f};
    const struct pk_epilogue e = {.n_outs = 1, .outs = &out};
    reference(PK_CONV_U8S8)->run(&c, x, 0, w, &e, NULL);
    assert_true(y[0] == 10 * 5 + 20 * 6 + 30 * 8 + 40 * 9);
    assert_true(y[3] == 10 * 1 + 20 * 2 + 30 * 4 + 40 * 5);
    reference(PK_CONV_U8S8)->run(&c, x, 100, w, &e, NULL);
    assert_true(y[0] == 770 + 100 * (1 + 2 + 3 + 4 + 7));
    reference(PK_DEPTHWISE_U8S8)->run(&c, x, 100, w, &e, NULL); /* one channel: the same */
    assert_true(y[0] == 770 + 100 * (1 + 2 + 3 + 4 + 7));
}

/* Weight code 3 with zero point 1 means 2; padding counts; the int32 bias comes on top. */
static void weight_zero_and_bias_enter_the_sum(void **state)
{
    (void)state;
    const struct pk_conv c = {1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 0, 0, 1};
    const uint8_t x[2] = {10, 20};
    const int8_t w[2] = {3, 3};
    const int32_t bias = -5, zero = 1;
    const float m = 1, b = 0;
    float y[2];
    const struct pk_out out = {
        .type = PK_F32, .data = y, .pitch = 1, .m = &m, .b = &b, .lo = -1e9f, .hi = 1e9f};
    const struct pk_epilogue e = {
        .bias_i32 = &bias, .weight_zero = &zero, .n_outs = 1, .outs = &out};
    reference(PK_CONV_U8S8)->run(&c, x, 7, w, &e, NULL);
    assert_true(y[0] == 2 * 30 - 5);
    assert_true(y[1] == 2 * 27 - 5);
}

static uint8_t code_of(float sum, float m, float b, int zero, float lo, float hi)
{
    const struct pk_conv c = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const float one = 1;
    uint8_t q = 0xa5;
    const struct pk_out out = {
        .type = PK_U8, .data = &q, .pitch = 1, .m = &m, .b = &b, .lo = lo, .hi = hi, .zero = zero};
    const struct pk_epilogue e = {.n_outs = 1, .outs = &out};
    reference(PK_FC_F32)->run(&c, &sum, 0, &one, &e, NULL);
    return q;
}

static void codes_round_half_to_even_and_clamp_before(void **state)
{
    (void)state;
    assert_int_equal(code_of(5, 0.5f, 0, 10, -10, 245), 12);   /* 2.5 -> 2 */
    assert_int_equal(code_of(7, 0.5f, 0, 10, -10, 245), 14);   /* 3.5 -> 4 */
    assert_int_equal(code_of(-5, 0.5f, 0, 10, -10, 245), 8);   /* -2.5 -> -2 */
    assert_int_equal(code_of(1e30f, 1, 0, 10, -10, 245), 255); /* no overflow of the conversion */
    assert_int_equal(code_of(-1e30f, 1, 0, 10, -10, 245), 0);
    assert_int_equal(code_of(NAN, 1, 0, 10, -10, 245), 0);
    assert_int_equal(code_of(3, 1, 0, 10, 0, 2), 12);
}

/* Steps in order: prelu, residual, clamp; then a two-valued grid: code = t > middle. */
static void steps_apply_in_order(void **state)
{
    (void)state;
    const struct pk_conv c = {1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const float x[2] = {2, -3}, w[2] = {1, -1}, m[2] = {1, 1}, b[2] = {0, 0},
                slope[2] = {0.5f, 0.25f};
    const uint8_t residual[5] = {128, 130, 0, 128, 132}; /* pitch 3 */
    float y[4];
    uint8_t q[4];
    const struct pk_step steps[3] = {
        {.op = PK_STEP_PRELU, .vec = slope},
        {.op = PK_STEP_ADD_TENSOR,
         .operand = residual,
         .pitch = 3,
         .type = PK_U8,
         .scale = 0.5f,
         .zero = 128},
        {.op = PK_STEP_CLAMP, .a = -1, .b = 4},
    };
    const struct pk_out outs[2] = {
        {.type = PK_F32, .data = y, .pitch = 2, .inv_scale = 1, .lo = -1e9f, .hi = 1e9f},
        {.type = PK_U8,
         .data = q,
         .pitch = 2,
         .inv_scale = 0.25f,
         .offset = -0.5f,
         .lo = 0,
         .hi = 1},
    };
    const struct pk_epilogue e = {
        .m = m, .b = b, .n_steps = 3, .steps = steps, .n_outs = 2, .outs = outs};
    reference(PK_CONV_F32)->run(&c, x, 0, w, &e, NULL);
    /* sums 2 -2 -3 3; prelu 2 -0.5 -1.5 3; residual 2 0.5 -1.5 5; clamp 2 0.5 -1 4 */
    assert_true(y[0] == 2 && y[1] == 0.5f && y[2] == -1 && y[3] == 4);
    /* (t + 0.5) / 4 = 0.625 0.25 -0.125 1.125 */
    assert_int_equal(q[0], 1);
    assert_int_equal(q[1], 0);
    assert_int_equal(q[2], 0);
    assert_int_equal(q[3], 1);
}

/* What a fresh process with this PARE_ISA takes as its best. */
static int best_with(const char *name)
{
    const pid_t child = fork();
    if (child == 0) {
        setenv("PARE_ISA", name, 1);
        _exit((int)pk_isa_best());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void pare_isa_overrides_and_falls_to_what_exists(void **state)
{
    (void)state;
    assert_int_equal(best_with("ref"), PK_REF);
    const int best = best_with("nonsense");
    assert_true(pk_isa_supported((enum pk_isa)best));
    for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
        const int got = best_with(pk_isa_name((enum pk_isa)isa));
        assert_true(got <= isa && pk_isa_supported((enum pk_isa)got));
        assert_true(!pk_isa_supported((enum pk_isa)isa) || got == isa);
    }
    for (int isa = best + 1; isa < PK_ISA_COUNT; isa++) {
        assert_false(pk_isa_supported((enum pk_isa)isa));
    }
}

static bool refused_with(const char *name)
{
    const pid_t child = fork();
    if (child == 0) {
        setenv("PARE_ISA", name, 1);
        _exit(pk_isa_refused() != NULL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

static void pare_isa_of_another_machine_is_refused(void **state)
{
    (void)state;
    assert_true(refused_with("nonsense"));
    assert_false(refused_with(""));
    assert_false(refused_with("ref"));
    for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
        assert_int_equal(refused_with(pk_isa_name((enum pk_isa)isa)), !pk_isa_supported((enum pk_isa)isa));
    }
}

static void kernel_for_steps_down_to_one_that_can(void **state)
{
    (void)state;
    /* 40 kernel rows: more than any fast depthwise kernel keeps */
    const struct pk_conv tall = {50, 3, 4, 11, 3, 4, 40, 1, 1, 1, 1, 1, 0, 0, 4};
    const struct pk_layer_kernel *k = pk_kernel_for(PK_DEPTHWISE_F32, pk_isa_best(), &tall);
    assert_true(k->packed_size(&tall) > 0);
    assert_ptr_equal(k, reference(PK_DEPTHWISE_F32));
    const struct pk_conv usual = {9, 9, 4, 9, 9, 4, 3, 3, 1, 1, 1, 1, 1, 1, 4};
    assert_ptr_equal(pk_kernel_for(PK_DEPTHWISE_F32, pk_isa_best(), &usual),
                     pk_kernel(PK_DEPTHWISE_F32, pk_isa_best()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_reads_pad_code),
        cmocka_unit_test(weight_zero_and_bias_enter_the_sum),
        cmocka_unit_test(codes_round_half_to_even_and_clamp_before),
        cmocka_unit_test(steps_apply_in_order),
        cmocka_unit_test(pare_isa_overrides_and_falls_to_what_exists), cmocka_unit_test(pare_isa_of_another_machine_is_refused),
        cmocka_unit_test(kernel_for_steps_down_to_one_that_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
