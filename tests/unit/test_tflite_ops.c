/*
 * What the TFLite reader makes of single operators: run through the graph and compared with plain
 * loops over the file's own definition (masks of STRIDED_SLICE, pads of TRANSPOSE_CONV, flattening
 * of FULLY_CONNECTED, options).
 */
#include "support.h"

#include "graph_run.h"
#include "tflite_writer.h"

/* One operator of builtin `code`; tensor 0 is the input, the last one the output. */
struct one {
    struct tw_model m;
    struct tw_subgraph *s;
    struct tw_op *op;
};

static void begin_op(struct one *o, int code, int options_type, int rank, const int32_t *shape)
{
    memset(o, 0, sizeof *o);
    o->m.version = 3;
    o->m.n_codes = 1;
    o->m.codes[0] = (struct tw_code){code < 127 ? code : 127, code, NULL};
    o->m.n_buffers = 1;
    o->m.n_subgraphs = 1;
    o->s = &o->m.subgraphs[0];
    o->op = &o->s->ops[0];
    o->op->options_type = options_type;
    o->s->n_ops = o->s->n_in = o->s->n_out = o->s->n_tensors = 1;
    o->s->tensors[0] = (struct tw_tensor){.name = "x", .rank = rank};
    memcpy(o->s->tensors[0].shape, shape, (size_t)rank * 4);
    o->op->n_in = 1;
}

/* Another tensor; data NULL for none. Returns its index. */
static int add_tensor(struct one *o, int type, int rank, const int32_t *shape, const void *data,
                      size_t size)
{
    struct tw_tensor *t = &o->s->tensors[o->s->n_tensors];
    *t = (struct tw_tensor){.name = "t", .rank = rank, .type = type};
    memcpy(t->shape, shape, (size_t)rank * 4);
    if (data != NULL) {
        o->m.buffers[o->m.n_buffers] = (struct tw_buffer){data, size, 0, 0};
        t->buffer = (uint32_t)o->m.n_buffers++;
    }
    return o->s->n_tensors++;
}

static void add_ints(struct one *o, int32_t n, const int32_t *values)
{
    o->op->in[o->op->n_in++] = add_tensor(o, 2, 1, &n, values, (size_t)n * 4);
}

static void add_option(struct one *o, int field, int size, int64_t value)
{
    o->op->options[o->op->n_options++] = (struct tw_option){field, size, value, {0}};
}

static void end_op(struct one *o, int rank, const int32_t *shape)
{
    o->op->out[0] = o->s->out[0] = add_tensor(o, 0, rank, shape, NULL, 0);
    o->op->n_out = 1;
    o->s->tensors[o->s->n_tensors - 1].name = "y";
}

/* The graph, shapes inferred. */
static struct pare_graph *read_one(const struct one *o)
{
    struct tw_bytes b = tw_write(&o->m, NULL);
    struct pare_graph *g = NULL;
    struct pare_error err = {0};
    enum pare_status status = pare_tflite_parse(b.data, b.n, "t", &g, &err);
    status = status == PARE_OK ? pare_graph_finish(g, "t", &err) : status;
    status = status == PARE_OK ? pare_shapes_infer(g, "t", &err) : status;
    if (status != PARE_OK) {
        fail_msg("%s", err.message);
    }
    /* The graph refers to the bytes: copy what it keeps, then they may go. */
    for (int t = 0; t < g->n_tensors; t++) {
        if (g->tensors[t].data != NULL) {
            void *copy = pare_arena_alloc(&g->arena, g->tensors[t].size_bytes);
            memcpy(copy, g->tensors[t].data, g->tensors[t].size_bytes);
            g->tensors[t].data = copy;
        }
    }
    free(b.data);
    return g;
}

/* The input that gr_run(g, seed) gives to a network with one input. */
static float *input_of(const struct pare_graph *g, uint32_t seed)
{
    void **data = calloc((size_t)g->n_tensors, sizeof *data);
    gr_fill_inputs(g, data, seed);
    float *x = data[g->inputs[0]];
    free(data);
    return x;
}

static void expect(const struct pare_graph *g, const float *wanted, size_t n, double tolerance)
{
    struct gr_result r = gr_run(g, 5);
    assert_int_equal(r.elements[0], n);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)r.values[0][i] - (double)wanted[i]) <= tolerance)) {
            fail_msg("element %zu is %g, expected %g", i, (double)r.values[0][i],
                     (double)wanted[i]);
        }
    }
    gr_free(&r);
}

/* ---- STRIDED_SLICE ---- */

/* First index and number of steps along a dimension, as Python has it. */
static int32_t span(int32_t size, int32_t begin, int32_t end, int32_t step, bool no_begin,
                    bool no_end, int32_t *first)
{
    int32_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    begin = no_begin ? (step > 0 ? low : high) : begin < 0 ? begin + size : begin;
    end = no_end ? (step > 0 ? high : low) : end < 0 ? end + size : end;
    begin = begin < low ? low : begin > high ? high : begin;
    end = end < low ? low : end > high ? high : end;
    *first = begin;
    int32_t n = step > 0 ? (end - begin + step - 1) / step : (begin - end - step - 1) / -step;
    return n > 0 ? n : 0;
}

static void strided_slices_follow_their_masks(void **state)
{
    (void)state;
    uint32_t seed = 77;
    int n_run = 0;
    for (int round = 0; round < 400; round++) {
        struct one o;
        int32_t shape[3] = {2 + (int32_t)(test_random(&seed) % 4), 5, 3}, begin[3], finish[3],
                step[3], out[3], first[3];
        int32_t masks[3] = {0, 0, 0}; /* begin, end, shrink */
        int rank = 0;
        int64_t n = 1;
        for (int i = 0; i < 3; i++) {
            int32_t s = shape[i];
            static const int32_t steps[5] = {1, 1, 2, -1, -2};
            step[i] = steps[test_random(&seed) % 5];
            begin[i] = (int32_t)(test_random(&seed) % (uint32_t)(2 * s + 3)) - s - 1;
            finish[i] = (int32_t)(test_random(&seed) % (uint32_t)(2 * s + 3)) - s - 1;
            masks[0] |= (int32_t)(test_random(&seed) % 2) << i;
            masks[1] |= (int32_t)(test_random(&seed) % 2) << i;
            if (test_random(&seed) % 4 == 0) {
                masks[2] |= 1 << i;
                begin[i] = (int32_t)(test_random(&seed) % (uint32_t)(2 * s)) - s;
                step[i] = 1;
                first[i] = begin[i] < 0 ? begin[i] + s : begin[i];
            } else {
                out[rank] = span(s, begin[i], finish[i], step[i], (masks[0] >> i & 1) != 0,
                                 (masks[1] >> i & 1) != 0, &first[i]);
                n *= out[rank++];
            }
        }
        if (n == 0) {
            continue;
        }
        begin_op(&o, 45, 32, 3, shape);
        add_ints(&o, 3, begin);
        add_ints(&o, 3, finish);
        add_ints(&o, 3, step);
        add_option(&o, 0, 4, masks[0]);
        add_option(&o, 1, 4, masks[1]);
        add_option(&o, 4, 4, masks[2]);
        end_op(&o, rank, out);
        struct pare_graph *g = read_one(&o);
        float *x = input_of(g, 5), wanted[100];
        for (int64_t k = 0; k < n; k++) {
            int64_t rest = k;
            int32_t at[3];
            for (int i = 2, d = rank - 1; i >= 0; i--) {
                bool gone = (masks[2] >> i & 1) != 0;
                at[i] = first[i] + (gone ? 0 : step[i] * (int32_t)(rest % out[d]));
                rest = gone ? rest : rest / out[d];
                d -= !gone;
            }
            wanted[k] = x[(at[0] * shape[1] + at[1]) * shape[2] + at[2]];
        }
        expect(g, wanted, (size_t)n, 0);
        free(x);
        pare_graph_free(g);
        n_run++;
    }
    assert_true(n_run > 100);
}

static void strided_slice_adds_axes(void **state)
{
    (void)state;
    struct one o; /* x[..., newaxis, 1] of 2x3 */
    int32_t shape[2] = {2, 3}, begin[3] = {0, 0, 1}, finish[3] = {0, 0, 2}, step[3] = {1, 1, 1},
            out[2] = {2, 1};
    begin_op(&o, 45, 32, 2, shape);
    add_ints(&o, 3, begin);
    add_ints(&o, 3, finish);
    add_ints(&o, 3, step);
    add_option(&o, 2, 4, 1);
    add_option(&o, 3, 4, 2);
    add_option(&o, 4, 4, 4);
    end_op(&o, 2, out);
    struct pare_graph *g = read_one(&o);
    float *x = input_of(g, 5), wanted[2] = {x[1], x[4]};
    expect(g, wanted, 2, 0);
    free(x);
    pare_graph_free(g);
}

/* ---- layers ---- */

static void transposed_convolutions_have_the_files_pads(void **state)
{
    (void)state;
    for (int32_t k = 1; k <= 4; k++) {
        for (int32_t stride = 1; stride <= 3; stride++) {
            for (int same = 0; same < 2; same++) {
                struct one o;
                int32_t in = 4, size = same ? in * stride : (in - 1) * stride + k;
                int32_t shape[4] = {1, in, in, 1}, sizes[4] = {1, size, size, 1},
                        w_shape[4] = {1, k, k, 1};
                float w[16], wanted[300] = {0};
                for (int32_t i = 0; i < k * k; i++) {
                    w[i] = (float)(i + 1);
                }
                begin_op(&o, 67, 49, 4, shape);
                o.op->n_in = 0;
                add_ints(&o, 4, sizes);
                o.op->in[o.op->n_in++] = add_tensor(&o, 0, 4, w_shape, w, (size_t)(k * k) * 4);
                o.op->in[o.op->n_in++] = 0;
                add_option(&o, 0, 1, !same);
                add_option(&o, 1, 4, stride);
                add_option(&o, 2, 4, stride);
                end_op(&o, 4, sizes);
                struct pare_graph *g = read_one(&o);
                float *x = input_of(g, 5);
                int32_t total = (in - 1) * stride + k - size,
                        pad = same && total > 0 ? total / 2 : 0;
                for (int32_t i = 0; i < in * in * k * k;
                     i++) { /* every input pixel spreads its kernel */
                    int32_t kx = i % k, ky = i / k % k, px = i / (k * k) % in,
                            py = i / (k * k * in);
                    int32_t y = py * stride + ky - pad, c = px * stride + kx - pad;
                    if (y >= 0 && y < size && c >= 0 && c < size) {
                        wanted[y * size + c] += x[py * in + px] * w[ky * k + kx];
                    }
                }
                expect(g, wanted, (size_t)(size * size), 1e-4);
                free(x);
                pare_graph_free(g);
            }
        }
    }
}

static void fully_connected_flattens(void **state)
{
    (void)state;
    struct one o;
    int32_t shape[3] = {2, 2, 6}, w_shape[2] = {2, 4}, out[2] = {6, 2};
    static const float w[8] = {1, 0, 0, 0, 0, 0, 1, -1};
    begin_op(&o, 9, 8, 3, shape);
    o.op->in[o.op->n_in++] = add_tensor(&o, 0, 2, w_shape, w, sizeof w);
    o.op->in[o.op->n_in++] = -1;
    end_op(&o, 2, out);
    struct pare_graph *g = read_one(&o);
    float *x = input_of(g, 5), wanted[12];
    for (int i = 0; i < 6; i++) {
        wanted[2 * i] = x[4 * i];
        wanted[2 * i + 1] = x[4 * i + 2] - x[4 * i + 3];
    }
    expect(g, wanted, 12, 1e-6);
    free(x);
    pare_graph_free(g);
}

static void constants_of_other_operators_become_real(void **state)
{
    (void)state;
    struct one o; /* int8 x + int8 constant */
    int32_t shape[1] = {4};
    static const int8_t codes[4] = {-128, 0, 5, 127};
    begin_op(&o, 0, 11, 1, shape);
    int c = o.op->in[o.op->n_in++] = add_tensor(&o, 9, 1, shape, codes, sizeof codes);
    end_op(&o, 1, shape);
    for (int t = 0; t < 3; t++) {
        o.s->tensors[t].type = 9;
        o.s->tensors[t].n_scale = o.s->tensors[t].n_zero = 1;
        o.s->tensors[t].scale[0] = 0.5f;
        o.s->tensors[t].zero[0] = t == c ? 5 : 0;
    }
    struct pare_graph *g = read_one(&o);
    float *x = input_of(g, 5), wanted[4];
    for (int i = 0; i < 4; i++) {
        wanted[i] = x[i] + 0.5f * (float)(codes[i] - 5);
    }
    expect(g, wanted, 4, 0);
    free(x);
    pare_graph_free(g);
}

/* ---- options of the custom operator: a FlexBuffers map written by hand ---- */

static size_t write_flex(uint8_t *out, int n, const char *const *keys, const float *values)
{
    size_t at = 0, key_at[16];
    for (int i = 0; i < n; i++) {
        key_at[i] = at;
        memcpy(out + at, keys[i], strlen(keys[i]) + 1);
        at += strlen(keys[i]) + 1;
    }
    at = (at + 3) / 4 * 4;
    uint32_t word = (uint32_t)n;
    memcpy(out + at, &word, 4); /* keys: count, then references back */
    at += 4;
    size_t keys_at = at;
    for (int i = 0; i < n; i++, at += 4) {
        word = (uint32_t)(at - key_at[i]);
        memcpy(out + at, &word, 4);
    }
    word = (uint32_t)(at -
                      keys_at); /* map: reference to the keys, their width, count, values, types */
    memcpy(out + at, &word, 4);
    word = 4;
    memcpy(out + at + 4, &word, 4);
    word = (uint32_t)n;
    memcpy(out + at + 8, &word, 4);
    size_t values_at = at + 12;
    at = values_at;
    for (int i = 0; i < n; i++, at += 4) {
        bool whole = values[i] == floorf(values[i]);
        int32_t integer = (int32_t)values[i];
        memcpy(out + at, whole ? (const void *)&integer : (const void *)&values[i], 4);
        out[values_at + 4 * (size_t)n + (size_t)i] = (uint8_t)((whole ? 1 : 3) << 2 | 2);
    }
    at += (size_t)n;
    out[at] = (uint8_t)(at - values_at); /* the root: reference, type map, width */
    out[at + 1] = 9 << 2 | 2;
    out[at + 2] = 1;
    return at + 3;
}

static void detection_options_are_read(void **state)
{
    (void)state;
    static const char *const keys[10] = {"h_scale",
                                         "max_classes_per_detection",
                                         "max_detections",
                                         "nms_iou_threshold",
                                         "nms_score_threshold",
                                         "num_classes",
                                         "use_regular_nms",
                                         "w_scale",
                                         "x_scale",
                                         "y_scale"};
    static const float values[10] = {5, 1, 10, 0.6f, 0.25f, 90, 0, 5.5f, 10, 10};
    struct one o;
    int32_t boxes[3] = {1, 7, 4}, scores[3] = {1, 7, 91}, anchors[2] = {7, 4};
    static const float data[28];
    uint8_t flex[512] = {0};
    begin_op(&o, 32, 0, 3, boxes);
    o.m.codes[0].custom = "TFLite_Detection_PostProcess";
    o.op->in[o.op->n_in++] = add_tensor(&o, 0, 3, scores, NULL, 0);
    o.s->in[o.s->n_in++] = 1;
    o.op->in[o.op->n_in++] = add_tensor(&o, 0, 2, anchors, data, sizeof data);
    for (int i = 0; i < 4; i++) {
        o.op->out[i] = o.s->out[i] = add_tensor(&o, 0, 0, boxes, NULL, 0);
    }
    o.op->n_out = o.s->n_out = 4;
    o.op->custom = flex;
    o.op->n_custom = write_flex(flex, 10, keys, values);
    struct pare_graph *g = read_one(&o);
    assert_int_equal(g->n_warnings, 0);
    const struct pare_detection *d = &g->nodes[0].attr.post;
    assert_int_equal(g->nodes[0].op, PARE_OP_DETECTION_POSTPROCESS);
    assert_int_equal(d->max_detections, 10);
    assert_int_equal(d->n_classes, 90);
    assert_int_equal(d->detections_per_class, 100);
    assert_false(d->use_regular_nms);
    assert_true(d->iou_threshold == 0.6f && d->score_threshold == 0.25f && d->w_scale == 5.5f &&
                d->y_scale == 10.0f);
    int64_t rows = g->tensors[g->outputs[0]].dims[1];
    assert_int_equal(rows, 10);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strided_slices_follow_their_masks),
        cmocka_unit_test(strided_slice_adds_axes),
        cmocka_unit_test(transposed_convolutions_have_the_files_pads),
        cmocka_unit_test(fully_connected_flattens),
        cmocka_unit_test(constants_of_other_operators_become_real),
        cmocka_unit_test(detection_options_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
