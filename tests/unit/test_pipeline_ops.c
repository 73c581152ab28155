/* The tensor operations of glue: what they compute, what they refuse, and that strange numbers
 * pass. */
#include <math.h>

#include "pipeline/ops.h"
#include "support.h"

static struct pare_arena arena;

static int clear(void **state)
{
    (void)state;
    pare_arena_clear(&arena);
    return 0;
}

static struct pare_value *value(int rank, const int64_t *dims, const float *data)
{
    struct pare_value *v = pare_value_new(&arena, rank, dims);
    assert_non_null(v);
    if (data != NULL) {
        memcpy(v->data, data, (size_t)pare_value_elements(v) * sizeof *data);
    }
    return v;
}

static struct pare_value *noise(int rank, const int64_t *dims, uint32_t *seed)
{
    struct pare_value *v = value(rank, dims, NULL);
    for (int64_t i = 0; i < pare_value_elements(v); i++) {
        v->data[i] = (float)(test_random(seed) % 1000) / 1000.0f;
    }
    return v;
}

static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-5)) {
        fail_msg("%.9g is not %.9g", a, b);
    }
}

static void exp_agrees_with_the_library(void **state)
{
    (void)state;
    for (double x = -50; x < 50; x += 0.37) {
        assert_true(fabs(pare_exp(x) / exp(x) - 1) < 1e-14);
    }
    assert_true(pare_exp(1000) == HUGE_VAL && pare_exp(-1000) == 0 && isnan(pare_exp((double)NAN)));
}

static void crop_of_everything_is_the_picture(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct pare_value *image = noise(4, (int64_t[]){1, 6, 6, 3}, &seed), *out;
    const struct pare_box box = {.cx = 0.5, .cy = 0.5, .w = 1, .h = 1};
    struct pare_box frame;
    struct pare_error err;
    assert_int_equal(pare_op_crop(image, &box, 6, 6, 1, &arena, &out, &err), PARE_OK);
    assert_int_equal(pare_op_crop_frame(image, &box, 1, &frame, &err), PARE_OK);
    for (int i = 0; i < 6 * 6 * 3; i++) {
        near((double)out->data[i], (double)image->data[i]);
    }
    near(frame.w, 1);
}

/* Straight from the formula in ops.h, one pixel at a time. */
static double expected_pixel(const struct pare_value *v, const struct pare_box *b, int n,
                             double scale, int i, int j)
{
    const double w = (double)v->dims[2], h = (double)v->dims[1];
    const double side = scale * fmax(b->w * w, b->h * h);
    const double dx = ((j + 0.5) / n - 0.5) * side, dy = ((i + 0.5) / n - 0.5) * side;
    const double x = b->cx * w + dx * cos(b->angle) - dy * sin(b->angle) - 0.5;
    const double y = b->cy * h + dx * sin(b->angle) + dy * cos(b->angle) - 0.5;
    double sum = 0;
    for (int yy = 0; yy < v->dims[1]; yy++) {
        for (int xx = 0; xx < v->dims[2]; xx++) {
            sum += fmax(0, 1 - fabs(x - xx)) * fmax(0, 1 - fabs(y - yy)) *
                   (double)v->data[yy * v->dims[2] + xx];
        }
    }
    return sum;
}

static void crop_turns_and_is_black_outside(void **state)
{
    (void)state;
    uint32_t seed = 8;
    struct pare_value *image = noise(4, (int64_t[]){1, 9, 14, 1}, &seed), *out;
    const struct pare_box box = {.cx = 0.3, .cy = 0.7, .w = 0.5, .h = 0.9, .angle = 0.6};
    struct pare_error err;
    assert_int_equal(pare_op_crop(image, &box, 11, 11, 1.2, &arena, &out, &err), PARE_OK);
    for (int i = 0; i < 11; i++) {
        for (int j = 0; j < 11; j++) {
            near((double)out->data[i * 11 + j], expected_pixel(image, &box, 11, 1.2, i, j));
        }
    }
}

static void crop_of_a_strange_box_is_black(void **state)
{
    (void)state;
    const double bad[] = {(double)NAN, HUGE_VAL, -HUGE_VAL, 1e308, -1e308};
    uint32_t seed = 9;
    struct pare_value *image = noise(4, (int64_t[]){1, 5, 5, 1}, &seed), *out;
    struct pare_error err;
    for (int k = 0; k < 5; k++) {
        for (int field = 0; field < 5; field++) {
            double f[5] = {0.5, 0.5, 1, 1, 0};
            f[field] = bad[k];
            const struct pare_box box = {
                .cx = f[0], .cy = f[1], .w = f[2], .h = f[3], .angle = f[4]};
            assert_int_equal(pare_op_crop(image, &box, 4, 4, 1, &arena, &out, &err), PARE_OK);
            for (int i = 0; i < 16; i++) {
                assert_true(isfinite(out->data[i]));
            }
        }
    }
    const struct pare_box box = {.cx = 0.5};
    assert_int_equal(pare_op_crop(image, &box, 0, 4, 1, &arena, &out, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_op_crop(image, &box, 4, 100000, 1, &arena, &out, &err), PARE_ERR_USAGE);
}

static void resize_interpolates(void **state)
{
    (void)state;
    const float data[4] = {0, 1, 2, 3};
    struct pare_value *image = value(4, (int64_t[]){1, 2, 2, 1}, data), *out;
    struct pare_error err;
    assert_int_equal(pare_op_resize(image, 4, 4, &arena, &out, &err), PARE_OK);
    const double row[4] = {0, 0.25, 0.75, 1};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            near((double)out->data[4 * i + j], row[j] + 2 * row[i]);
        }
    }
}

static void letterbox_and_place_are_inverse(void **state)
{
    (void)state;
    uint32_t seed = 10;
    struct pare_value *image = noise(4, (int64_t[]){1, 20, 40, 1}, &seed), *out, *placed;
    struct pare_box frame;
    struct pare_error err;
    assert_int_equal(pare_op_letterbox(image, 32, 32, 0.5, &arena, &out, &err), PARE_OK);
    assert_int_equal(pare_op_letterbox_frame(image, 32, 32, &frame, &err), PARE_OK);
    near((double)out->data[0], 0.5);
    const float points[6] = {0.5f,  0.5f, 0,
                             0.25f, 1,    0.75f}; /* centre, corners of the picture inside */
    struct pare_value *p = value(3, (int64_t[]){1, 3, 2}, points);
    assert_int_equal(pare_op_place(p, 2, &frame, image, &arena, &placed, &err), PARE_OK);
    const double expected[6] = {0.5, 0.5, 0, 0, 1, 1};
    for (int i = 0; i < 6; i++) {
        near((double)placed->data[i], expected[i]);
    }
    struct pare_box box = {.cx = 1, .cy = 0.75, .w = 0.5, .h = 0.25, .n_points = 1}, moved;
    assert_int_equal(pare_op_place_box(&box, &frame, image, &moved, &err), PARE_OK);
    near(moved.cx, 1);
    near(moved.cy, 1);
    near(moved.w, 0.5);
    near(moved.h, 0.5);
}

static void best_box_reads_both_orders(void **state)
{
    (void)state;
    enum { H = 3, W = 4 };
    struct pare_value *last = value(4, (int64_t[]){1, H, W, 5}, NULL);
    struct pare_value *first = value(4, (int64_t[]){1, 5, H, W}, NULL);
    struct pare_error err;
    uint32_t seed = 11;
    for (int i = 0; i < H * W; i++) {
        for (int k = 0; k < 5; k++) {
            const float x = (float)(test_random(&seed) % 100) / 50 - (k == 0 ? 3 : 1);
            last->data[i * 5 + k] = x;
            first->data[k * H * W + i] = x;
        }
    }
    last->data[6 * 5] = first->data[6] = 2; /* row 1, column 2 */
    struct pare_box a, b;
    bool found;
    assert_int_equal(pare_op_best_box(last, NULL, 0.5, &found, &a, &err), PARE_OK);
    assert_true(found);
    assert_int_equal(pare_op_best_box(first, NULL, 0.5, &found, &b, &err), PARE_OK);
    assert_true(found);
    assert_memory_equal(&a, &b, sizeof a);
    near(a.score, 1 / (1 + exp(-2)));
    near(a.cx, (2 + 1 / (1 + exp(-(double)first->data[H * W + 6]))) / W);
    near(a.cy, (1 + 1 / (1 + exp(-(double)first->data[2 * H * W + 6]))) / H);
    assert_int_equal(pare_op_best_box(last, NULL, 0.95, &found, &a, &err), PARE_OK);
    assert_false(found);
    for (int i = 0; i < H * W; i++) {
        last->data[i * 5] = NAN;
    }
    assert_int_equal(pare_op_best_box(last, NULL, 0.5, &found, &a, &err), PARE_OK);
    assert_false(found);
    struct pare_value *wrong = value(4, (int64_t[]){1, 6, 3, 4}, NULL);
    assert_int_equal(pare_op_best_box(wrong, NULL, 0.5, &found, &a, &err), PARE_ERR_USAGE);
}

static void ssd_boxes_are_averaged_by_score(void **state)
{
    (void)state;
    const struct pare_ssd ssd = {
        .size = 10, .threshold = 0.5, .iou = 0.3, .n_layers = 1, .grid = {2}, .per_cell = {1}};
    /* anchors at (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75); the first two meet in the
     * middle */
    const float raw[4 * 6] = {2, 0, 4, 4, 1, 1, -2, 0, 4, 4, 1, 1,
                              0, 0, 1, 1, 0, 0, 0,  0, 1, 1, 0, 0};
    const float scores[4] = {2, 1, -5, 0.5f};
    struct pare_box boxes[4];
    struct pare_error err;
    int n;
    assert_int_equal(pare_op_ssd_boxes(value(3, (int64_t[]){1, 4, 6}, raw),
                                       value(3, (int64_t[]){1, 4, 1}, scores), &ssd, &arena, boxes,
                                       4, &n, &err),
                     PARE_OK);
    assert_int_equal(n, 2);
    const double s0 = pare_sigmoid(2), s1 = pare_sigmoid(1);
    near(boxes[0].cx, (s0 * 0.45 + s1 * 0.55) / (s0 + s1));
    near(boxes[0].w, 0.4);
    near(boxes[0].score, s0);
    assert_int_equal(boxes[0].n_points, 1);
    near(boxes[0].points[0][0], (s0 * 0.35 + s1 * 0.85) / (s0 + s1));
    near(boxes[1].cx, 0.75);
    struct pare_ssd wrong = ssd;
    wrong.grid[0] = 3;
    assert_int_equal(pare_op_ssd_boxes(value(3, (int64_t[]){1, 4, 6}, raw),
                                       value(3, (int64_t[]){1, 4, 1}, scores), &wrong, &arena,
                                       boxes, 4, &n, &err),
                     PARE_ERR_USAGE);
}

static void turned_box_points_up(void **state)
{
    (void)state;
    struct pare_value *image = value(4, (int64_t[]){1, 100, 100, 1}, NULL);
    struct pare_box box = {.cx = 0.5, .cy = 0.5, .w = 0.2, .h = 0.1, .n_points = 2}, out;
    struct pare_error err;
    box.points[0][0] = 0.5;
    box.points[0][1] = 0.6;
    box.points[1][0] = 0.5;
    box.points[1][1] = 0.4; /* already up */
    assert_int_equal(pare_op_turn_box(image, &box, 0, 1, 0, -0.5, 2, &out, &err), PARE_OK);
    near(out.angle, 0);
    near(out.cy, 0.45);
    near(out.w, 0.4);
    near(out.h, 0.4);
    box.points[1][0] = 0.7; /* points right: turned by 90 degrees */
    box.points[1][1] = 0.6;
    assert_int_equal(pare_op_turn_box(image, &box, 0, 1, 0, -0.5, 2, &out, &err), PARE_OK);
    near(out.angle, acos(-1) / 2);
    near(out.cx, 0.55);
    near(out.cy, 0.5);
    assert_int_equal(pare_op_turn_box(image, &box, 0, 2, 0, 0, 1, &out, &err), PARE_ERR_USAGE);
}

static void points_are_normalised(void **state)
{
    (void)state;
    const float points[6] = {1, 2, 3, 2, 1, -2}, same[4] = {5, 5, 5, 5};
    struct pare_value *out;
    struct pare_error err;
    assert_int_equal(pare_op_normalise(value(2, (int64_t[]){1, 6}, points), 2, &arena, &out, &err),
                     PARE_OK);
    const double expected[6] = {0, 0, 0.5, 0, 0, -1};
    for (int i = 0; i < 6; i++) {
        near((double)out->data[i], expected[i]);
    }
    assert_int_equal(
        pare_op_normalise_box(value(2, (int64_t[]){3, 2}, points), 2, &arena, &out, &err), PARE_OK);
    near((double)out->data[2], 0.5);
    near((double)out->data[5], -1);
    assert_int_equal(pare_op_normalise(value(2, (int64_t[]){2, 2}, same), 2, &arena, &out, &err),
                     PARE_OK);
    near((double)out->data[3], 0);
    assert_int_equal(pare_op_normalise(value(2, (int64_t[]){1, 5}, NULL), 2, &arena, &out, &err),
                     PARE_ERR_USAGE);
}

static void scores_pass_strange_numbers(void **state)
{
    (void)state;
    const float x[4] = {1, NAN, 3, 3}, bad[2] = {NAN, NAN}, inf[2] = {INFINITY, 0};
    struct pare_value *out;
    struct pare_error err;
    assert_int_equal(pare_op_argmax(value(1, (int64_t[]){4}, x)), 2);
    assert_int_equal(pare_op_argmax(value(1, (int64_t[]){2}, bad)), -1);
    assert_int_equal(pare_op_argmax(value(1, (int64_t[]){0}, NULL)), -1);
    assert_int_equal(pare_op_softmax(value(2, (int64_t[]){1, 4}, x), &arena, &out, &err), PARE_OK);
    near((double)out->data[2], (double)out->data[3]);
    near((double)out->data[0] + (double)out->data[2] + (double)out->data[3], 1);
    assert_int_equal(pare_op_softmax(value(1, (int64_t[]){2}, inf), &arena, &out, &err), PARE_OK);
    near((double)out->data[0], 0.5);
    near(pare_sigmoid(-1e9), 0);
}

static void shapes_change(void **state)
{
    (void)state;
    float data[24];
    struct pare_value *out, *v;
    struct pare_error err;
    for (int i = 0; i < 24; i++) {
        data[i] = (float)i;
    }
    v = value(3, (int64_t[]){2, 3, 4}, data);
    assert_int_equal(pare_op_reshape(v, 2, (int64_t[]){6, -1}, &arena, &out, &err), PARE_OK);
    assert_int_equal(out->dims[1], 4);
    assert_int_equal(pare_op_reshape(v, 2, (int64_t[]){5, -1}, &arena, &out, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_op_reshape(v, 2, (int64_t[]){0, -1}, &arena, &out, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_op_slice(v, 1, 1, 2, &arena, &out, &err), PARE_OK);
    near((double)out->data[8], 16);
    assert_int_equal(pare_op_slice(v, 1, 1, 3, &arena, &out, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_op_slice(v, 3, 0, 0, &arena, &out, &err), PARE_ERR_USAGE);
    const struct pare_value *two[2] = {v, out = NULL};
    two[1] = v;
    assert_int_equal(pare_op_concat(two, 2, 2, &arena, &out, &err), PARE_OK);
    assert_int_equal(out->dims[2], 8);
    near((double)out->data[8 + 4], 4);
    assert_int_equal(pare_op_transpose(v, (int[]){2, 0, 1}, &arena, &out, &err), PARE_OK);
    assert_int_equal(out->dims[0], 4);
    near((double)out->data[1 * 6 + 1 * 3 + 2], 12 + 2 * 4 + 1);
    assert_int_equal(pare_op_transpose(v, (int[]){0, 0, 1}, &arena, &out, &err), PARE_ERR_USAGE);
}

static struct pare_tensor input(int rank, const int64_t *dims)
{
    struct pare_tensor t = {.name = "x", .rank = rank, .dtype = PARE_F32};
    memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    return t;
}

static void values_become_inputs(void **state)
{
    (void)state;
    float data[24];
    const float *got;
    struct pare_error err;
    for (int i = 0; i < 24; i++) {
        data[i] = (float)i;
    }
    struct pare_value *picture = value(4, (int64_t[]){1, 2, 4, 3}, data);
    struct pare_tensor nchw = input(4, (int64_t[]){1, 3, 2, 4}),
                       nhwc = input(4, (int64_t[]){-1, 2, 4, 3});
    struct pare_tensor flat = input(2, (int64_t[]){1, 24}),
                       other = input(4, (int64_t[]){1, 4, 2, 3});
    assert_int_equal(pare_value_to_input(picture, &nchw, "s", &arena, &got, &err), PARE_OK);
    near((double)got[8 + 1], 4); /* channel 1, pixel 1 */
    assert_int_equal(pare_value_to_input(picture, &nhwc, "s", &arena, &got, &err), PARE_OK);
    assert_ptr_equal(got, picture->data);
    assert_int_equal(pare_value_to_input(picture, &flat, "s", &arena, &got, &err), PARE_OK);
    assert_int_equal(pare_value_to_input(picture, &other, "s", &arena, &got, &err), PARE_ERR_USAGE);
    assert_non_null(strstr(err.message, "1x2x4x3"));
    assert_non_null(strstr(err.message, "1x4x2x3"));
}

static void sizes_have_limits(void **state)
{
    (void)state;
    assert_null(pare_value_new(&arena, 2, (int64_t[]){1 << 20, 1 << 20}));
    assert_null(pare_value_new(&arena, 1, (int64_t[]){-1}));
    assert_null(pare_value_new(&arena, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}));
    assert_null(pare_value_new(&arena, 3, (int64_t[]){INT64_MAX, INT64_MAX, 4}));
    assert_non_null(pare_value_new(&arena, 0, NULL));
}

/* Every operation on values of every shape, full of numbers that a broken network may give. */
static void no_shape_and_no_number_breaks_an_operation(void **state)
{
    static const float strange[] = {NAN,   INFINITY, -INFINITY, 0, -0.0f,
                                    1e38f, -1e38f,   1e-42f,    1, 0.5f};
    uint32_t seed = 12345;
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct pare_error err;
        struct pare_value *v[2], *out;
        for (int k = 0; k < 2; k++) {
            int64_t dims[5];
            const int rank = (int)(test_random(&seed) % 6);
            for (int i = 0; i < rank; i++) {
                dims[i] = test_random(&seed) % 7;
                dims[i] = i == 0 && test_random(&seed) % 2 ? 1 : dims[i];
            }
            v[k] = value(rank, dims, NULL);
            for (int64_t i = 0; i < pare_value_elements(v[k]); i++) {
                v[k]->data[i] = strange[test_random(&seed) % 10];
            }
        }
        struct pare_box box = {.cx = (double)strange[test_random(&seed) % 10],
                               .cy = (double)strange[test_random(&seed) % 10],
                               .w = (double)strange[test_random(&seed) % 10],
                               .h = (double)strange[test_random(&seed) % 10],
                               .angle = (double)strange[test_random(&seed) % 10],
                               .n_points = 2},
                        other;
        const struct pare_ssd ssd = {
            .size = 1, .threshold = 0.5, .iou = 0.3, .n_layers = 1, .grid = {2}, .per_cell = {1}};
        struct pare_box boxes[2];
        double number;
        int n;
        bool found;
        const int perm[5] = {1, 0, 2, 3, 4};
        pare_op_crop(v[0], &box, 3, 4, (double)strange[test_random(&seed) % 10], &arena, &out,
                     &err);
        pare_op_crop_frame(v[0], &box, 2, &other, &err);
        pare_op_resize(v[0], 3, 2, &arena, &out, &err);
        pare_op_letterbox(v[0], 3, 2, 0, &arena, &out, &err);
        pare_op_letterbox_frame(v[0], 3, 2, &other, &err);
        pare_op_border(v[0], 1, 0, &arena, &out, &err);
        pare_op_best_box(v[0], NULL, 0.5, &found, &other, &err);
        pare_op_best_box(v[0], v[1], 0.5, &found, &other, &err);
        pare_op_ssd_boxes(v[0], v[1], &ssd, &arena, boxes, 2, &n, &err);
        pare_op_turn_box(v[0], &box, 0, 1, 0.5, 0.5, 2, &other, &err);
        pare_op_place(v[0], 2, &box, v[1], &arena, &out, &err);
        pare_op_argmax(v[0]);
        pare_op_softmax(v[0], &arena, &out, &err);
        pare_op_sigmoid(v[0], &arena, &out, &err);
        pare_op_normalise(v[0], 2, &arena, &out, &err);
        pare_op_normalise_box(v[0], 3, &arena, &out, &err);
        pare_op_arith((enum pare_arith)(round % 4), v[0], v[1], &arena, &out, &err);
        pare_op_mse(v[0], v[1], &number, &err);
        pare_op_reshape(v[0], v[1]->rank, v[1]->dims, &arena, &out, &err);
        pare_op_slice(v[0], round % 5, round % 3, round % 4, &arena, &out, &err);
        pare_op_concat((const struct pare_value *const *)v, 2, round % 5, &arena, &out, &err);
        pare_op_transpose(v[0], perm, &arena, &out, &err);
        pare_arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(exp_agrees_with_the_library, clear),
        cmocka_unit_test_teardown(crop_of_everything_is_the_picture, clear),
        cmocka_unit_test_teardown(crop_turns_and_is_black_outside, clear),
        cmocka_unit_test_teardown(crop_of_a_strange_box_is_black, clear),
        cmocka_unit_test_teardown(resize_interpolates, clear),
        cmocka_unit_test_teardown(letterbox_and_place_are_inverse, clear),
        cmocka_unit_test_teardown(best_box_reads_both_orders, clear),
        cmocka_unit_test_teardown(ssd_boxes_are_averaged_by_score, clear),
        cmocka_unit_test_teardown(turned_box_points_up, clear),
        cmocka_unit_test_teardown(points_are_normalised, clear),
        cmocka_unit_test_teardown(scores_pass_strange_numbers, clear),
        cmocka_unit_test_teardown(shapes_change, clear),
        cmocka_unit_test_teardown(values_become_inputs, clear),
        cmocka_unit_test_teardown(sizes_have_limits, clear),
        cmocka_unit_test_teardown(no_shape_and_no_number_breaks_an_operation, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
