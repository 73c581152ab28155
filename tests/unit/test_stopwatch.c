/* test_stopwatch.c: what the stopwatch makes of blocks: clean ones count, disturbed ones do not, noise has no figures. */
#include "src/measure/bench_kernels.h"
#include "src/measure/latency_parts.h"
#include "src/measure/slower.h"

#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct pare_series a, b;

static void block(struct pare_series *s, double ns, double ghz, enum pare_tiles tiles, unsigned why)
{
    s->blocks[s->n++] = (struct pare_block){.ghz = (float)ghz, .tiles = (unsigned char)tiles, .disturbed = (unsigned char)why, .ns = ns};
}

static void disturbed_blocks_do_not_count(void **state)
{
    (void)state;
    struct pare_timing t;
    memset(&a, 0, sizeof a);
    for (int i = 0; i < 20; i++) {
        block(&a, 100 + i, 2, PARE_TILES_NONE, 0);
        block(&a, 1e6, 2, PARE_TILES_NONE, i % 2 == 0 ? PARE_LOST_CORE : PARE_SHARED_CORE | PARE_CLOCK_MOVED);
    }
    pare_series_timing(&a, PARE_TILES_NONE, &t);
    assert_int_equal(t.n, 20);
    assert_false(t.noisy);
    assert_float_equal(t.min, 100, 0);
    assert_float_equal(t.median, 109.5, 1e-9);
    assert_float_equal(t.p90, 117.1, 1e-9);
    assert_true(isnan(t.p99)); /* of 20 blocks there is no 99th percentile */
    assert_float_equal(t.cycles, 219, 1e-9);
    assert_float_equal(t.disturbed, 0.5, 1e-9);
    assert_float_equal(t.lost, 0.25, 1e-9);
    assert_float_equal(t.shared, 0.25, 1e-9);
}

static void noise_has_no_figures(void **state)
{
    (void)state;
    struct pare_timing t;
    memset(&a, 0, sizeof a);
    for (int i = 0; i < 9; i++) {
        block(&a, 100, 2, PARE_TILES_NONE, 0);
    }
    pare_series_timing(&a, PARE_TILES_NONE, &t);
    assert_true(t.noisy && isnan(t.median) && isnan(t.cycles));
    for (int i = 0; i < 20; i++) {
        block(&a, i % 2 == 0 ? 100 : 200, 2, PARE_TILES_NONE, 0);
    }
    pare_series_timing(&a, PARE_TILES_NONE, &t);
    assert_true(t.noisy);
    assert_int_equal(t.n, 29);
}

static void states_of_the_tile_unit_are_kept_apart(void **state)
{
    (void)state;
    struct pare_timing t;
    memset(&a, 0, sizeof a);
    for (int i = 0; i < 12; i++) {
        block(&a, 100, 2, PARE_TILES_FAST, 0);
        block(&a, 270, 2, PARE_TILES_SLOW, 0);
    }
    pare_series_timing(&a, PARE_TILES_FAST, &t);
    assert_float_equal(t.median, 100, 0);
    pare_series_timing(&a, PARE_TILES_SLOW, &t);
    assert_float_equal(t.median, 270, 0);
}

static void ratios_are_taken_round_by_round(void **state)
{
    (void)state;
    double low, high;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    for (int i = 0; i < 40; i++) { /* the machine is twice as slow in half of the rounds: the ratio does not care */
        const double load = i < 20 ? 1 : 2;
        block(&a, 50 * load * (1 + 0.001 * (i % 5)), 2, PARE_TILES_NONE, 0);
        block(&b, 100 * load, 2, PARE_TILES_NONE, i == 3 ? PARE_LOST_CORE : i == 4 ? PARE_CLOCK_MOVED : 0);
    }
    assert_float_equal(pare_series_ratio(&a, &b, PARE_TILES_NONE, &low, &high), 0.501, 1e-9);
    assert_true(low >= 0.5 && low <= 0.501 && high >= 0.501 && high < 0.503);
    for (int i = 9; i < 40; i++) {
        b.blocks[i].disturbed = PARE_CLOCK_MOVED; /* makes cycles unknown, not which took longer */
    }
    assert_float_equal(pare_series_ratio(&a, &b, PARE_TILES_NONE, &low, &high), 0.501, 1e-9);
    b.n = 9;
    assert_true(isnan(pare_series_ratio(&a, &b, PARE_TILES_NONE, &low, &high)));
}

static void work(void *self)
{
    volatile unsigned *n = self;
    for (int i = 0; i < 2000; i++) {
        *n += 1;
    }
}

static void contenders_take_turns(void **state)
{
    (void)state;
    unsigned n = 0, m = 0;
    struct pare_contender c[2] = {{.run = work, .self = &n}, {.run = work, .self = &m, .repeats = 3}};
    const struct pare_watch_options o = {.seconds = 0.05, .window_ns = 2e4, .min_rounds = 12};
    struct pare_series series[2];
    const int rounds = pare_watch(c, 2, &o, series);
    assert_true(rounds >= PARE_WATCH_CLEAN);
    assert_int_equal(series[0].n, rounds);
    assert_int_equal(series[1].n, rounds);
    assert_true(c[0].repeats >= 1);
    assert_int_equal(c[1].repeats, 3);
    for (int i = 0; i < rounds; i++) {
        assert_true(series[0].blocks[i].ns > 0);
    }
}

static void families_say_what_they_compute_with(void **state)
{
    (void)state;
    struct pare_kernel_traits t;
    pare_kernel_traits(PK_DEPTHWISE_U8S8, &t);
    assert_int_equal(t.kind, PARE_KERNEL_DEPTHWISE);
    assert_string_equal(t.level, "w8a8");
    pare_kernel_traits(PK_FC_F16, &t);
    assert_int_equal(t.kind, PARE_KERNEL_FC);
    assert_int_equal(t.w_bits, 16);
    pare_kernel_traits(PK_CONV_F32, &t);
    assert_string_equal(t.level, "fp32");
    assert_float_equal(pare_mac_limit(&t, PK_AVX512), 32, 0);
}

static void the_floor_names_what_binds(void **state)
{
    (void)state;
    struct pare_kernel_traits t;
    struct pare_floor f;
    const struct pk_conv deep = {14, 14, 2304, 14, 14, 256, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    const struct pk_conv row = {1, 1, 8192, 1, 1, 8192, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    pare_kernel_traits(PK_CONV_U8S8, &t);
    pare_layer_floor(&deep, &t, PK_AVX512VNNI, 2304 * 256, 1, true, &f);
    assert_string_equal(f.binds, "multiply");
    assert_float_equal(f.macs, 14. * 14 * 256 * 2304, 0);
    assert_float_equal(f.mac_cycles, f.macs / 128, 1e-6);
    pare_kernel_traits(PK_FC_U8S8, &t);
    pare_layer_floor(&row, &t, PK_AVX512VNNI, 64e6, 1, true, &f);
    assert_string_equal(f.binds, "memory");
}

static const char *why(const char *narrow, const char *wide, int in_c)
{
    static char text[200];
    const struct pk_conv c = {8, 8, in_c, 8, 8, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    return pare_slower_why((struct pare_ran){narrow, 0}, (struct pare_ran){wide, 0}, &c, text);
}

/* What takes longer with fewer bits is told, with the reason that holds for its instruction set. */
static void slower_levels_have_a_reason(void **state)
{
    (void)state;
    assert_true(pare_is_slower(1.2, 1.1, 1.0, 1.05));
    assert_false(pare_is_slower(1.2, 1.0, 1.0, 1.05)); /* their scatter overlaps */
    assert_false(pare_is_slower(1.04, 1.03, 1.0, 1.01));
    assert_false(pare_is_slower(1.2, 1.1, NAN, NAN));
    assert_non_null(strstr(why("conv_u8s8_ref", "conv_u8s8_ref", 64), "one kernel"));
    assert_non_null(strstr(why("conv_nothing", "conv_u8s8_ref", 64), "not known"));
#ifdef __x86_64__
    assert_non_null(strstr(why("conv_u8s4_amx", "conv_u8s8_amx", 64), "4 bits are widened to bytes before the same dot products: 1/2 of"));
    assert_non_null(strstr(why("conv_u8s2_avx512vnni", "conv_u8s4_avx512vnni", 64), "1/4 of the memory"));
    assert_non_null(strstr(why("conv_u8s4_avx2", "conv_u8s8_avx2", 64), "16 bits"));
    assert_non_null(strstr(why("conv_u1s1_avx512vnni", "conv_u8s2_amx", 24), "24 channels do not fill"));
    assert_non_null(strstr(why("conv_u1s1_avx512vnni", "conv_u8s2_amx", 64), "tiles"));
    assert_non_null(strstr(why("conv_f16_avx2", "conv_f32_avx2", 64), "no half precision arithmetic"));
    assert_true(pare_fp16_is_widened("conv_f16_avx512") && pare_fp16_is_widened("fc_f16_avx2"));
    assert_false(pare_fp16_is_widened("conv_f16_avx512fp16") || pare_fp16_is_widened("conv_f32_avx2"));
    assert_null(strstr(why("conv_f16_avx512fp16", "conv_f32_avx512", 64), "no half precision arithmetic"));
    assert_non_null(strstr(why("depthwise_u8s8_avx512vnni", "depthwise_f16_avx512fp16", 64), "dot products of four"));
#endif
}

/* A row is compared with the next wider level of the same instruction set, in the same rounds: more work, so slower. */
static void take_slower(void *self, const struct pare_kernel_row *r)
{
    int *seen = self;
    seen[0]++;
    if (r->wider != NULL) {
        assert_true(r->times_wider > PARE_SLOWER_FROM);
        assert_true(r->wider != r->kernel);
        seen[1]++;
    }
}

static void rows_say_what_is_faster_with_more_bits(void **state)
{
    (void)state;
    int seen[2] = {0, 0};
    const char *const words[] = {"conv 1x1 24>24 112", "-f32", "-fp16"};
    const struct pare_kernel_bench bench = {.groups = PARE_SHAPE_CONV, .filters = words, .n_filters = 3, .seconds = 0.05, .row = take_slower, .self = seen};
    assert_true(pare_bench_kernels(&bench) >= 0);
    print_message("%d rows, %d slower than with more bits\n", seen[0], seen[1]);
}

/* Rounds of whole configs: disturbed ones are left out while ten are clean; with fewer all count, and that is noise. */
static void disturbed_rounds_are_left_out_or_noise(void **state)
{
    (void)state;
    bool disturbed[20] = {false};
    double ms[40], column[20];
    for (int r = 0; r < 20; r++) {
        disturbed[r] = r >= 10;
        ms[2 * r] = -1;
        ms[2 * r + 1] = r;
    }
    assert_true(latency_enough_clean(disturbed, 20));
    assert_int_equal(latency_column_of(ms, 20, 2, 1, disturbed, column), 10);
    assert_float_equal(column[9], 9, 0);
    assert_float_equal(latency_disturbed_share(disturbed, 20), 0.5, 0);
    disturbed[0] = true;
    assert_false(latency_enough_clean(disturbed, 20));
    assert_int_equal(latency_column_of(ms, 20, 2, 1, disturbed, column), 20);
}

/* Every shape of the list is one that some kernel can do, and its sizes fit together. */
static void shapes_are_sound(void **state)
{
    (void)state;
    int n, table = 0;
    const struct pare_bench_shape *s = pare_bench_shapes(&n);
    for (int i = 0; i < n; i++) {
        const struct pk_conv *c = &s[i].conv;
        assert_true(c->groups == 1 || c->groups == c->in_c);
        assert_true((c->out_h - 1) * c->stride_h - c->pad_top < c->in_h);
        assert_true((c->out_w - 1) * c->stride_w - c->pad_left < c->in_w);
        assert_true((s[i].groups & PARE_SHAPE_GEMM) == 0 || i < PARE_GEMM_SHAPES);
        table += (s[i].groups & PARE_SHAPE_TABLE) != 0;
    }
    assert_in_range(table, 55, 70);
}

/* 8192>2048: 16 MiB of bytes. */
static void large_weights_are_timed_from_memory(void **state)
{
    const struct pk_conv conv = {1, 1, 8192, 1, 1, 2048, 1, 1, 1, 1, 1, 1, 0, 0, 1}, few = {1, 1, 64, 1, 1, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    struct pare_series *series = calloc(PARE_FLUSHED_MOST, sizeof *series);
    struct pare_flushed rows[PARE_FLUSHED_MOST];
    struct pare_bench_case c[2];
    const enum pk_family families[] = {PK_FC_U8S8, PK_FC_U8S4};
    for (int i = 0; i < 2; i++) {
        assert_true(pare_bench_case_init(&c[i], families[i], pk_isa_best(), pk_kernel_for(families[i], pk_isa_best(), &conv), &conv, PK_U8, 8));
    }
    char before[64] = "codes";
    if (pare_flush_memory(before, sizeof before)) {
        assert_string_equal(before, "codes");
        assert_int_equal(pare_bench_flushed(c, 2, 1e-3, series, rows), 3);
        assert_string_equal(rows[0].level, "w8a8");
        assert_string_equal(rows[1].level, "w4a8");
        assert_ptr_equal(rows[1].kernel, c[1].kernel);
        assert_null(rows[2].kernel); /* the loop, over the larger */
        assert_int_equal(rows[2].bytes, rows[0].bytes);
    }
    for (int i = 0; i < 2; i++) {
        pare_bench_case_clear(&c[i]);
    }
    assert_true(pare_bench_case_init(c, PK_FC_U8S8, pk_isa_best(), pk_kernel_for(PK_FC_U8S8, pk_isa_best(), &few), &few, PK_U8, 8));
    assert_int_equal(pare_bench_flushed(c, 1, 1e-3, series, rows), 0); /* small ones are not */
    pare_bench_case_clear(c);
    free(series);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disturbed_blocks_do_not_count), cmocka_unit_test(noise_has_no_figures),
        cmocka_unit_test(states_of_the_tile_unit_are_kept_apart), cmocka_unit_test(ratios_are_taken_round_by_round),
        cmocka_unit_test(contenders_take_turns), cmocka_unit_test(families_say_what_they_compute_with),
        cmocka_unit_test(the_floor_names_what_binds), cmocka_unit_test(shapes_are_sound),
        cmocka_unit_test(large_weights_are_timed_from_memory), cmocka_unit_test(slower_levels_have_a_reason),
        cmocka_unit_test(disturbed_rounds_are_left_out_or_noise),
        cmocka_unit_test(rows_say_what_is_faster_with_more_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
