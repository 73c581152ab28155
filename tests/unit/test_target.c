/* test_target.c: tables of latencies: what is read, what is refused, what is predicted and how well. */
#include "src/measure/target.h"

#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/measure/bench_kernels.h"
#include "src/measure/table_write.h"

static const char head[] = PARE_TABLE_MAGIC "\n# machine: a board\nkind,level,kernel,isa,in_h,...\n";

static const char *write_text(const char *name, const char *text)
{
    static char path[1024];
    struct pare_error err;
    snprintf(path, sizeof path, "%s/%s", test_temp_dir(), name);
    assert_int_equal(pare_file_write(path, text, strlen(text), &err), PARE_OK);
    return path;
}

/* A machine that computes tiles of 4 pixels by 16 channels whole, 8 products a cycle, and starts in 1 us. */
static double invented_us(const struct pk_conv *c)
{
    const double m = ceil((double)c->out_h * c->out_w / 4) * 4, n = ceil(c->out_c / 16.0) * 16;
    const double k = (double)c->kernel_h * c->kernel_w * c->in_c;
    return 1 + 1e-3 * (m * n * k / 8 + 2.0 * c->out_h * c->out_w * c->out_c);
}

static void a_staircase_is_learnt_and_predicts_what_it_did_not_see(void **state)
{
    (void)state;
    struct pare_predict_row rows[64];
    struct pare_predictor p;
    int n, used = 0;
    const struct pare_bench_shape *s = pare_bench_shapes(&n);
    for (int i = 0; i < n && used < 64; i++) {
        if (s[i].conv.groups == 1 && s[i].conv.in_h > 1) {
            rows[used++] = (struct pare_predict_row){s[i].conv, invented_us(&s[i].conv)};
        }
    }
    assert_true(pare_predictor_fit(rows, used, false, &p));
    assert_true(p.error < 0.03);
    /* never in the rows: just over and just under a tile */
    for (int extra = -1; extra <= 1; extra++) {
        const struct pk_conv c = {11, 11, 48, 11, 11, 32 + extra, 3, 3, 1, 1, 1, 1, 1, 1, 1};
        const double us = pare_predictor_us(&p, &c);
        assert_true(fabs(us / invented_us(&c) - 1) < 0.1);
    }
    assert_false(pare_predictor_fit(rows, PARE_PREDICT_LEAST - 1, false, &p));
}

static void noise_shows_in_the_held_out_error(void **state)
{
    (void)state;
    struct pare_predict_row rows[64];
    struct pare_predictor p;
    uint32_t r = 7;
    int n, used = 0;
    const struct pare_bench_shape *s = pare_bench_shapes(&n);
    for (int i = 0; i < n && used < 64; i++) {
        if (s[i].conv.groups == 1 && s[i].conv.in_h > 1) {
            const double factor = (test_random(&r) & 1) != 0 ? 1.5 : 0.67;
            rows[used++] = (struct pare_predict_row){s[i].conv, factor * invented_us(&s[i].conv)};
        }
    }
    assert_true(pare_predictor_fit(rows, used, false, &p));
    assert_true(p.error > 0.2);
}

/* Seven rows, ninety ways to cut tiles: some fit by chance. What is told must still be what new layers see. */
static void the_error_told_is_that_of_new_layers(void **state)
{
    (void)state;
    double told = 0, real = 0;
    uint32_t r = 3;
    for (int trial = 0; trial < 40; trial++) {
        struct pare_predict_row rows[7 + 40];
        struct pare_predictor p;
        for (int i = 0; i < 47; i++) {
            const int side = 4 + (int)(test_random(&r) % 20);
            struct pk_conv c = {side, side, 8 + (int)(test_random(&r) % 120), side, side, 8 + (int)(test_random(&r) % 120), 1, 1, 1, 1, 1, 1, 0, 0, 1};
            const double factor = 0.5 + (test_random(&r) % 1000) / 1000.0;
            rows[i] = (struct pare_predict_row){c, factor * invented_us(&c)};
        }
        assert_true(pare_predictor_fit(rows, 7, false, &p));
        told += p.error / 40;
        for (int i = 7; i < 47; i++) {
            real += fabs(pare_predictor_us(&p, &rows[i].conv) / rows[i].us - 1) / 40 / 40;
        }
    }
    print_message("told %.3f, real %.3f\n", told, real);
    assert_true(told > 0.85 * real);
}

static void rows_are_read_and_the_fastest_kernel_counts(void **state)
{
    (void)state;
    char text[2048];
    struct pare_target *t;
    struct pare_error err;
    enum pare_basis basis;
    double error;
    snprintf(text, sizeof text,
             "%sconv,w8a8,conv_u8s8_amx,amx,8,8,64,8,8,64,1,1,1,1,1.0,5.0\n"
             "conv,w8a8,conv_u8s8_avx512vnni,avx512vnni,8,8,64,8,8,64,1,1,1,1,3.5,3.5\r\n"
             "conv,fp32,conv_f32_avx512,avx512,8,8,64,8,8,64,1,1,1,1,9,9\n",
             head);
    assert_int_equal(pare_target_open(write_text("t.csv", text), "board", &t, &err), PARE_OK);
    assert_int_equal(pare_target_row_count(t), 3);
    assert_string_equal(pare_target_machine(t), "a board");
    assert_false(pare_target_complete(t));
    assert_false(pare_target_is_here(t));
    struct pk_conv c = {8, 8, 64, 8, 8, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const struct pare_level int8 = {PARE_LEVEL_INT, 8, 8}, w4a4 = {PARE_LEVEL_INT, 4, 4}, fp16 = {PARE_LEVEL_FP16, 16, 16};
    /* AMX by its slow state: 5, so the other one's 3.5 */
    assert_float_equal(pare_target_us(t, PARE_KERNEL_CONV, int8, &c, &basis, &error), 3.5, 1e-9);
    assert_int_equal(basis, PARE_BASIS_MEASURED);
    assert_float_equal(pare_target_us(t, PARE_KERNEL_CONV, w4a4, &c, &basis, &error), 3.5, 1e-9); /* int8 kernels run it */
    assert_float_equal(pare_target_us(t, PARE_KERNEL_CONV, fp16, &c, &basis, &error), 9, 1e-9);
    assert_false(pare_target_extrapolates(t, PARE_KERNEL_CONV, int8, &c));
    c.out_c = 65; /* too few rows to predict from */
    assert_true(isnan(pare_target_us(t, PARE_KERNEL_CONV, int8, &c, &basis, &error)));
    pare_target_free(t);
}

/* A processor of the same name with other instruction sets is another machine. */
static void a_table_knows_its_machine_and_its_end(void **state)
{
    (void)state;
    char text[1024], machine[256];
    int best = PK_REF;
    for (int i = 0; i < PK_ISA_COUNT; i++) {
        best = pk_isa_supported((enum pk_isa)i) ? i : best;
    }
    pare_watch_machine(machine, sizeof machine);
    for (int here = 0; here < 2; here++) {
        struct pare_target *t;
        struct pare_error err;
        snprintf(text, sizeof text, "# pare latency table 1\n# machine: %s\n# isa: %s, 2.00 GHz\nconv,fp32,k,neon,8,8,64,8,8,64,1,1,1,1,9,9\n# end: 1 rows\n",
                 machine[0] != '\0' ? machine : "this", here ? pk_isa_name((enum pk_isa)best) : "other");
        assert_int_equal(pare_target_open(write_text("t.csv", text), "host", &t, &err), PARE_OK);
        assert_true(pare_target_complete(t));
        assert_int_equal(pare_target_is_here(t), here);
        pare_target_free(t);
    }
}

static void beyond_the_rows_is_told(void **state)
{
    (void)state;
    char text[4096];
    struct pare_target *t;
    struct pare_error err;
    size_t n = (size_t)snprintf(text, sizeof text, "%s", head);
    for (int side = 4; side < 16; side++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "conv,w8a8,k,neon,%d,%d,16,%d,%d,16,1,1,1,1,%d,%d\n", side, side, side, side, 1 + side * side, 1 + side * side);
    }
    assert_int_equal(pare_target_open(write_text("t.csv", text), "board", &t, &err), PARE_OK);
    struct pk_conv c = {10, 10, 16, 10, 10, 20, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const struct pare_level int8 = {PARE_LEVEL_INT, 8, 8}, w4a4 = {PARE_LEVEL_INT, 4, 4};
    assert_false(pare_target_extrapolates(t, PARE_KERNEL_CONV, int8, &c));
    c.in_h = c.in_w = c.out_h = c.out_w = 100;
    assert_true(pare_target_extrapolates(t, PARE_KERNEL_CONV, int8, &c));
    assert_true(pare_target_extrapolates(t, PARE_KERNEL_CONV, w4a4, &c)); /* int8's rows */
    c.in_h = c.in_w = c.out_h = c.out_w = 1;
    assert_true(pare_target_extrapolates(t, PARE_KERNEL_CONV, int8, &c));
    pare_target_free(t);
}

static void bad_tables_are_refused_by_line(void **state)
{
    static const struct {
        const char *line, *place, *wanted;
    } cases[] = {
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0\n", ":4", "16 fields"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0,1.0,9\n", ":4", "16 fields"},
        {"pool,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1,1\n", ":4", "depthwise"},
        {"conv,w9a9,k,amx,8,8,64,8,8,64,1,1,1,1,1,1\n", ":4", "level"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,0,1,1,1,1\n", ":4", "sizes"},
        {"conv,w8a8,k,amx,8,8,99999999999999999999,8,8,64,1,1,1,1,1,1\n", ":4", "sizes"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,3,1,1\n", ":4", "groups"},
        {"depthwise,w8a8,k,amx,8,8,64,8,8,64,3,3,1,1,1,1\n", ":4", "groups"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,nan,1\n", ":4", "microseconds"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,-1,1\n", ":4", "microseconds"},
        {"", "", "found none"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0,1.2", ":4", "was the file cut"}, /* 1.25 */
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0,1.0\n# end: 2 rows\n", ":5", "was the file cut"},
        {"conv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0,1.0\n# end: 1 rows\nconv,w8a8,k,amx,8,8,64,8,8,64,1,1,1,1,1.0,1.0\n", ":6", "behind"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        struct pare_target *t;
        struct pare_error err = {0};
        snprintf(text, sizeof text, "%s%s", head, cases[i].line);
        assert_int_equal(pare_target_open(write_text("bad.csv", text), "bad", &t, &err), PARE_ERR_FORMAT);
        assert_non_null(strstr(err.where, cases[i].place));
        assert_non_null(strstr(err.message, cases[i].wanted));
    }
    struct pare_target *t;
    struct pare_error err = {0};
    assert_int_equal(pare_target_open(write_text("other.csv", "a,b\n1,2\n"), "bad", &t, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "no table"));
    assert_int_equal(pare_target_open("/nonexistent/t.csv", "bad", &t, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_target_load("../etc", &t, &err), PARE_ERR_USAGE);
}

static void rpi3_is_derived_and_pays_for_bits(void **state)
{
    (void)state;
    struct pare_target *t;
    struct pare_error err;
    enum pare_basis basis;
    double error;
    const struct pk_conv c = {14, 14, 256, 14, 14, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1};
    static const struct pare_level levels[] = {{PARE_LEVEL_FP32, 32, 32}, {PARE_LEVEL_INT, 8, 8}, {PARE_LEVEL_INT, 4, 4},
                                               {PARE_LEVEL_INT, 2, 2},    {PARE_LEVEL_INT, 1, 1}};
    double before = INFINITY;
    setenv("XDG_DATA_HOME", test_temp_dir(), 1);
    assert_int_equal(pare_target_load("rpi3", &t, &err), PARE_OK);
    assert_true(pare_target_derived(t));
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        const double us = pare_target_us(t, PARE_KERNEL_CONV, levels[i], &c, &basis, &error);
        assert_int_equal(basis, PARE_BASIS_DERIVED);
        assert_true(us < before);
        before = us;
    }
    /* fp32: 4 MAC per cycle at 1.2 GHz is 24.1 ms for 115.6 M; a whole layer is slower, not more than twice */
    const double fp32 = pare_target_us(t, PARE_KERNEL_CONV, levels[0], &c, &basis, &error);
    assert_true(fp32 > 24083 && fp32 < 48166);
    pare_target_free(t);
    assert_int_equal(pare_target_load("rpi9", &t, &err), PARE_ERR_NOINPUT);
}

/* Measured times choose among kernels that give the same bytes, never among floats, and never beyond what is asked for. */
static void measured_times_choose_kernels(void **state)
{
    (void)state;
    const struct pk_conv c = {8, 8, 64, 8, 8, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const enum pk_isa best = pk_isa_best();
    if (best != PK_AMX && best != PK_AVX512VNNI && best != PK_AVX512) {
        test_skip("no two kernels to choose from");
    }
    struct pk_conv other = c; /* where the rule's own choice was measured, far away */
    other.in_c = 64 << 10;
    const struct pk_layer_kernel *now = pk_kernel_for(PK_CONV_U8S8, best, &c);
    const enum pk_isa own = now == pk_kernel(PK_CONV_U8S8, PK_AMX) ? PK_AMX : now == pk_kernel(PK_CONV_U8S8, PK_AVX512VNNI) ? PK_AVX512VNNI : PK_AVX512;
    struct pk_choice choices[] = {{PK_CONV_U8S8, PK_AVX512, c, 1}, {PK_CONV_U8S8, PK_AVX2, c, 2},
                                  {PK_CONV_F32, PK_AVX512, c, 2},  {PK_CONV_F32, PK_AVX2, c, 1}, {PK_CONV_U8S8, own, other, 1}};
    const struct pk_layer_kernel *rule = pk_kernel_for(PK_CONV_U8S8, best, &c), *f32 = pk_kernel_for(PK_CONV_F32, best, &c);
    struct pk_conv far = c;
    far.out_c = 64 << 8;
    pk_set_choices(choices, own != PK_AVX512 ? 4 : 3); /* the rule's choice was not measured: it stays */
    if (own != PK_AVX512) {
        assert_ptr_equal(pk_kernel_for(PK_CONV_U8S8, best, &c), rule);
    }
    pk_set_choices(choices, 5);
    assert_string_equal(pk_kernel_for(PK_CONV_U8S8, best, &c)->name, "conv_u8s8_avx512");
    assert_string_equal(pk_kernel_for(PK_CONV_U8S8, PK_AVX2, &c)->name, "conv_u8s8_avx2"); /* never beyond what is asked for */
    assert_ptr_equal(pk_kernel_for(PK_CONV_F32, best, &c), f32);
    choices[1].us = 0.5f;
    assert_string_equal(pk_kernel_for(PK_CONV_U8S8, best, &c)->name, "conv_u8s8_avx2");
    const struct pk_layer_kernel *chosen_far = pk_kernel_for(PK_CONV_U8S8, best, &far);
    pk_set_choices(NULL, 0);
    assert_ptr_equal(chosen_far, pk_kernel_for(PK_CONV_U8S8, best, &far));
    assert_ptr_equal(pk_kernel_for(PK_CONV_U8S8, best, &c), rule);
}

static enum pk_isa isa_of(enum pk_family family, const struct pk_layer_kernel *kernel)
{
    int isa = PK_REF; /* the lowest: those above fall to it */
    while (isa < PK_ISA_COUNT - 1 && pk_kernel(family, (enum pk_isa)isa) != kernel) {
        isa++;
    }
    return (enum pk_isa)isa;
}

/* One bit runs as bits or as codes of two bits, by times where both were measured, else by rule. */
static void measured_times_choose_bits_or_codes(void **state)
{
    (void)state;
    const enum pk_family ways[] = {PK_CONV_U1S1, PK_CONV_U8S2};
    const struct pk_conv c = {8, 8, 128, 8, 8, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1};
    const struct pk_conv thin = {8, 8, 24, 8, 8, 24, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const enum pk_isa best = pk_isa_best();
    const struct pk_layer_kernel *bits = pk_kernel_for(ways[0], best, &c), *codes = pk_kernel_for(ways[1], best, &c);
    assert_ptr_equal(pk_kernel_among(ways, 2, best, &c), bits);
    if (best == PK_REF) {
        test_skip("no two kernels to choose from");
    }
    assert_ptr_equal(pk_kernel_among(ways, 2, best, &thin), pk_kernel_for(ways[1], best, &thin));
    struct pk_choice choices[] = {{ways[0], isa_of(ways[0], bits), c, 2}, {ways[1], isa_of(ways[1], codes), c, 1}};
    pk_set_choices(choices, 1);
    assert_ptr_equal(pk_kernel_among(ways, 2, best, &c), bits);
    pk_set_choices(choices, 2);
    assert_ptr_equal(pk_kernel_among(ways, 2, best, &c), codes);
    choices[0].us = 0.5f;
    assert_ptr_equal(pk_kernel_among(ways, 2, best, &c), bits);
    pk_set_choices(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_staircase_is_learnt_and_predicts_what_it_did_not_see),
        cmocka_unit_test(noise_shows_in_the_held_out_error),
        cmocka_unit_test(rows_are_read_and_the_fastest_kernel_counts),
        cmocka_unit_test(the_error_told_is_that_of_new_layers), cmocka_unit_test(a_table_knows_its_machine_and_its_end),
        cmocka_unit_test(beyond_the_rows_is_told),
        cmocka_unit_test(bad_tables_are_refused_by_line),
        cmocka_unit_test(rpi3_is_derived_and_pays_for_bits),
        cmocka_unit_test(measured_times_choose_kernels),
        cmocka_unit_test(measured_times_choose_bits_or_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
