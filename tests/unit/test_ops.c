/* The portable operators of kernels/ref/op_*.c: accuracy of our functions, fast paths against plain
 * loops. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "pk_ops.h"

static uint32_t seed = 12345;

static float uniform(float lo, float hi)
{
    return lo + (hi - lo) * (float)(test_random(&seed) >> 8) / 16777216.0f;
}

/* Distance in units of the last place of the right value (float32). */
static double ulps(float found, double wanted)
{
    int exponent;
    frexp(wanted, &exponent);
    double unit = ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)found - wanted) / unit;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void functions_are_within_two_ulp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum pk_unary_op op;
        double (*right)(double);
        float lo, hi, limit;
    } rows[] = {
        {"exp", PK_EXP, exp, -103.0f, 88.7f, 2.0f},
        {"exp near 0", PK_EXP, exp, -1.0f, 1.0f, 2.0f},
        {"tanh", PK_TANH, tanh, -10.0f, 10.0f, 2.0f},
        {"tanh near 0", PK_TANH, tanh, -0.7f, 0.7f, 2.0f},
        {"sigmoid", PK_SIGMOID, sigmoid, -80.0f, 40.0f, 2.5f},
        {"log", PK_LOG, log, 1e-30f, 10.0f, 0.51f},
        {"elu", PK_ELU, expm1, -20.0f, -1e-6f, 2.5f},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double worst = 0.0;
        for (int k = 0; k < 200000; k++) {
            float x = uniform(rows[i].lo, rows[i].hi), y;
            assert_true(pk_unary(rows[i].op, PK_DT_F32, 1, &x, &y, 1.0f, 0.0f));
            worst = fmax(worst, ulps(y, rows[i].right((double)x)));
        }
        printf("%-12s %.2f ulp\n", rows[i].name, worst);
        assert_true(worst <= (double)rows[i].limit);
    }
}

static void functions_keep_their_ends(void **state)
{
    (void)state;
    const float x[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, 1000.0f, -1000.0f, 1e-40f};
    float y[8];
    assert_true(pk_unary(PK_EXP, PK_DT_F32, 8, x, y, 1.0f, 0.0f));
    assert_true(isinf(y[0]) && y[1] == 0.0f && isnan(y[2]) && y[3] == 1.0f && isinf(y[5]) &&
                y[6] == 0.0f);
    assert_true(pk_unary(PK_TANH, PK_DT_F32, 8, x, y, 1.0f, 0.0f));
    assert_true(y[0] == 1.0f && y[1] == -1.0f && isnan(y[2]) && y[3] == 0.0f && signbit(y[4]) &&
                y[7] == 1e-40f);
    assert_true(pk_unary(PK_SIGMOID, PK_DT_F32, 8, x, y, 1.0f, 0.0f));
    assert_true(y[0] == 1.0f && y[1] == 0.0f && isnan(y[2]) && y[3] == 0.5f && y[6] == 0.0f);
    assert_true(pk_unary(PK_RELU, PK_DT_F32, 8, x, y, 1.0f, 0.0f));
    assert_true(isinf(y[0]) && y[1] == 0.0f && isnan(y[2]) && y[6] == 0.0f);
    const float halves[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0.49999997f, 8388609.0f, -2.5f};
    const float even[] = {0.0f, 2.0f, 2.0f, -0.0f, -2.0f, 0.0f, 8388609.0f, -2.0f};
    assert_true(pk_unary(PK_ROUND, PK_DT_F32, 8, halves, y, 1.0f, 0.0f));
    assert_memory_equal(y, even, sizeof even);
}

/* A value must not depend on where in an array it stands (vector body or tail). */
static void results_do_not_depend_on_the_place(void **state)
{
    (void)state;
    float x[67], y[67], one;
    for (int i = 0; i < 67; i++) {
        x[i] = uniform(-20.0f, 20.0f);
    }
    for (int op = 0; op < PK_UNARY_COUNT; op++) {
        assert_true(pk_unary((enum pk_unary_op)op, PK_DT_F32, 67, x, y, 0.3f, 0.4f));
        for (int i = 0; i < 67; i++) {
            assert_true(pk_unary((enum pk_unary_op)op, PK_DT_F32, 1, &x[i], &one, 0.3f, 0.4f));
            assert_memory_equal(&one, &y[i], sizeof one);
        }
    }
}

static void integers_wrap_and_divide(void **state)
{
    (void)state;
    const int64_t dims[1] = {4}, step[1] = {1};
    const int8_t a[4] = {127, -128, -7, 5}, b[4] = {1, -1, 2, 0};
    int8_t y[4];
    assert_true(pk_binary(PK_ADD, PK_DT_I8, 1, dims, a, step, b, step, y));
    assert_true(y[0] == -128 && y[1] == 127 && y[2] == -5);
    assert_true(pk_binary(PK_DIV, PK_DT_I8, 1, dims, a, step, b, step, y));
    assert_true(y[0] == 127 && y[1] == -128 && y[2] == -3 && y[3] == 0);
    const int64_t wide_a[1] = {INT64_MIN}, wide_b[1] = {-1}, one[1] = {1};
    int64_t wide_y[1];
    assert_true(pk_binary(PK_DIV, PK_DT_I64, 1, one, wide_a, step, wide_b, step, wide_y));
    assert_true(wide_y[0] == INT64_MIN);
}

/* ---- movement ---- */

/* Element of `src` at the position of dst's flat index i, by plain arithmetic. */
static void plain_transpose(int rank, const int64_t *dims, const int *perm, const uint16_t *src,
                            uint16_t *dst)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= dims[i];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t at[8], rest = i, from = 0;
        for (int k = rank - 1; k >= 0; k--) {
            at[perm[k]] = rest % dims[perm[k]];
            rest /= dims[perm[k]];
        }
        for (int k = 0; k < rank; k++) {
            from = from * dims[k] + at[k];
        }
        dst[i] = src[from];
    }
}

static void transposes_agree_with_plain_loops(void **state)
{
    (void)state;
    static uint16_t src[40000], found[40000], wanted[40000];
    for (int i = 0; i < 40000; i++) {
        src[i] = (uint16_t)i;
    }
    for (int round = 0; round < 300; round++) {
        int rank = 1 + (int)(test_random(&seed) % 5), perm[8];
        int64_t dims[8], n = 1;
        for (int i = 0; i < rank; i++) {
            int64_t most = rank <= 2 ? 150 : rank == 3 ? 30 : 7;
            dims[i] = 1 + (int64_t)(test_random(&seed) % (uint32_t)most);
            n *= dims[i];
            perm[i] = i;
        }
        for (int i = rank - 1; i > 0; i--) {
            int k = (int)(test_random(&seed) % (uint32_t)(i + 1)), t = perm[i];
            perm[i] = perm[k];
            perm[k] = t;
        }
        pk_transpose(2, rank, dims, perm, src, found);
        plain_transpose(rank, dims, perm, src, wanted);
        assert_memory_equal(found, wanted, (size_t)n * 2);
    }
}

static void pads_mirror_and_crop(void **state)
{
    (void)state;
    const int64_t dims[2] = {1, 3}, before[2] = {0, 2}, after[2] = {0, 3}, none[2] = {0, 0},
                  crop[2] = {0, -1};
    const uint8_t x[3] = {1, 2, 3};
    uint8_t y[8];
    pk_pad(1, 2, dims, before, after, PK_PAD_CONSTANT, 9, x, y);
    assert_memory_equal(y, ((uint8_t[]){9, 9, 1, 2, 3, 9, 9, 9}), 8);
    pk_pad(1, 2, dims, before, after, PK_PAD_REFLECT, 0, x, y);
    assert_memory_equal(y, ((uint8_t[]){3, 2, 1, 2, 3, 2, 1, 2}), 8);
    pk_pad(1, 2, dims, before, after, PK_PAD_SYMMETRIC, 0, x, y);
    assert_memory_equal(y, ((uint8_t[]){2, 1, 1, 2, 3, 3, 2, 1}), 8);
    pk_pad(1, 2, dims, before, after, PK_PAD_EDGE, 0, x, y);
    assert_memory_equal(y, ((uint8_t[]){1, 1, 1, 2, 3, 3, 3, 3}), 8);
    pk_pad(1, 2, dims, before, after, PK_PAD_WRAP, 0, x, y);
    assert_memory_equal(y, ((uint8_t[]){2, 3, 1, 2, 3, 1, 2, 3}), 8);
    pk_pad(1, 2, dims, crop, none, PK_PAD_CONSTANT, 9, x, y);
    assert_memory_equal(y, ((uint8_t[]){2, 3}), 2);
}

static void packed_elements_keep_their_neighbours(void **state)
{
    (void)state;
    uint8_t bytes[2] = {0xff, 0xff};
    pk_store_int(PK_DT_I4, bytes, 1, -8);
    pk_store_int(PK_DT_U2, bytes, 5, 2);
    assert_int_equal(bytes[0], 0x8f);
    assert_int_equal(bytes[1], 0xfb);
    assert_int_equal(pk_load_int(PK_DT_I4, bytes, 1), -8);
    assert_int_equal(pk_load_int(PK_DT_I4, bytes, 0), -1);
    assert_int_equal(pk_load_int(PK_DT_U2, bytes, 5), 2);
    assert_int_equal(pk_load_int(PK_DT_I2, bytes, 5), -2);
}

/* ---- windows ---- */

static struct pk_window small_window(int64_t channels)
{
    return (struct pk_window){.batch = 1,
                              .in = {1, 5, 6},
                              .out = {1, 3, 3},
                              .in_c = channels,
                              .out_c = channels,
                              .kernel = {1, 3, 3},
                              .stride = {1, 2, 2},
                              .dilation = {1, 1, 1},
                              .pad_before = {0, 1, 0},
                              .pad_after = {0, 1, 1},
                              .groups = 1};
}

static void byte_pools_round_half_to_even(void **state)
{
    (void)state;
    uint8_t x[5 * 6 * 300], largest[3 * 3 * 300], mean[3 * 3 * 300];
    struct pk_window w = small_window(300); /* more channels than one block of sums */
    for (size_t i = 0; i < sizeof x; i++) {
        x[i] = (uint8_t)test_random(&seed);
    }
    assert_true(pk_max_pool(&w, PK_DT_U8, x, largest, NULL, false));
    assert_true(pk_avg_pool(&w, PK_DT_U8, false, x, mean));
    for (int p = 0; p < 9; p++) {
        for (int c = 0; c < 300; c++) {
            int most = 0, sum = 0, n = 0;
            for (int k = 0; k < 9; k++) {
                int row = p / 3 * 2 - 1 + k / 3, column = p % 3 * 2 + k % 3;
                if (row < 0 || row >= 5 || column >= 6) {
                    continue;
                }
                int v = x[(row * 6 + column) * 300 + c];
                most = v > most ? v : most;
                sum += v;
                n++;
            }
            assert_int_equal(largest[p * 300 + c], most);
            assert_int_equal(mean[p * 300 + c], (int)nearbyint((double)sum / n));
        }
    }
}

/* ---- detection ---- */

static void tflite_detection_keeps_the_best(void **state)
{
    (void)state;
    /* Three boxes around their anchors: 0 and 1 overlap, 2 stands alone. Classes: background, a, b.
     */
    const float anchors[] = {0.5f, 0.5f, 0.2f, 0.2f, 0.5f, 0.52f,
                             0.2f, 0.2f, 0.1f, 0.1f, 0.1f, 0.1f};
    const float boxes[12] = {0};
    const float scores[] = {0.0f, 0.9f, 0.1f, 0.0f, 0.8f, 0.3f, 0.0f, 0.2f, 0.7f};
    for (int regular = 0; regular < 2; regular++) {
        struct pk_detection p = {.n = 3,
                                 .classes = 2,
                                 .box_pitch = 4,
                                 .score_pitch = 3,
                                 .anchor_pitch = 4,
                                 .most = 3,
                                 .classes_per_detection = 1,
                                 .per_class = 100,
                                 .regular = regular != 0,
                                 .score = 0.25f,
                                 .iou = 0.5f,
                                 .y_scale = 10,
                                 .x_scale = 10,
                                 .h_scale = 5,
                                 .w_scale = 5};
        float out_boxes[12], classes[3], best[3], count;
        void *scratch = malloc(pk_detection_scratch(&p));
        pk_detection(&p, boxes, scores, anchors, out_boxes, classes, best, &count, scratch);
        free(scratch);
        assert_true(best[0] == 0.9f && best[1] == 0.7f && classes[0] == 0.0f && classes[1] == 1.0f);
        assert_true(fabsf(out_boxes[0] - 0.4f) < 1e-6f && fabsf(out_boxes[4] - 0.05f) < 1e-6f);
        /* By class, box 1 also stands for class b, where box 0 is below the threshold. */
        assert_true(count == (regular != 0 ? 3.0f : 2.0f) &&
                    best[2] == (regular != 0 ? 0.3f : 0.0f));
    }
}

static void equal_scores_keep_their_order(void **state)
{
    (void)state;
    enum { N = 100 };
    float boxes[4 * N], scores[N];
    int64_t rows[3 * N];
    int32_t scratch[N];
    for (int i = 0; i < N; i++) {
        float corner = (float)(2 * i);
        memcpy(boxes + 4 * i, (float[]){corner, corner, corner + 1.0f, corner + 1.0f}, 16);
        scores[i] = (float)(i % 3);
    }
    struct pk_nms p = {.batches = 1, .classes = 1, .n = N, .most = N, .iou = 0.5f};
    assert_int_equal(pk_nms(&p, boxes, scores, rows, scratch), N);
    for (int i = 1; i < N; i++) {
        int64_t a = rows[3 * i - 1], b = rows[3 * i + 2];
        assert_true(scores[a] > scores[b] || (scores[a] == scores[b] && a < b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_within_two_ulp),
        cmocka_unit_test(functions_keep_their_ends),
        cmocka_unit_test(results_do_not_depend_on_the_place),
        cmocka_unit_test(integers_wrap_and_divide),
        cmocka_unit_test(transposes_agree_with_plain_loops),
        cmocka_unit_test(pads_mirror_and_crop),
        cmocka_unit_test(packed_elements_keep_their_neighbours),
        cmocka_unit_test(byte_pools_round_half_to_even),
        cmocka_unit_test(tflite_detection_keeps_the_best),
        cmocka_unit_test(equal_scores_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
