/*
 * Random graphs full of transposes, reshapes and what stands between them: the passes never change
 * their numbers. Also: the ONNX networks become what their TFLite versions are, and a million nodes
 * take no time.
 */
#include "support.h"

#include <time.h>

#include "graph_run.h"

#define N_GRAPHS 1500
#define N_STEPS 14

/* A growing pool of tensors with known shapes. */
struct pool {
    struct pare_graph *g;
    uint32_t seed;
    int n, tensor[64];
};

static uint32_t draw(struct pool *p, uint32_t n)
{
    return test_random(&p->seed) % n;
}

static int keep(struct pool *p, int t, int rank, const int64_t *dims)
{
    int64_t copy[PARE_MAX_RANK];
    memcpy(copy, dims, (size_t)rank * sizeof *dims);
    p->g->tensors[t].rank = rank;
    memcpy(p->g->tensors[t].dims, copy, (size_t)rank * sizeof *copy);
    if (p->n < 64) {
        p->tensor[p->n++] = t;
    }
    return t;
}

static void dims_of(const struct pool *p, int t, int *rank, int64_t *dims)
{
    *rank = p->g->tensors[t].rank;
    memcpy(dims, p->g->tensors[t].dims, sizeof p->g->tensors[t].dims);
}

static void random_transpose(struct pool *p, int x)
{
    int rank, perm[PARE_MAX_RANK];
    int64_t dims[PARE_MAX_RANK], out[PARE_MAX_RANK];
    static const int common[2][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    dims_of(p, x, &rank, dims);
    for (int i = 0; i < rank; i++) {
        perm[i] = i;
    }
    for (int i = rank - 1; i > 0; i--) {
        int k = (int)draw(p, (uint32_t)i + 1), swap = perm[i];
        perm[i] = perm[k];
        perm[k] = swap;
    }
    if (rank == 4 && draw(p, 2) == 0) {
        memcpy(perm, common[draw(p, 2)], sizeof common[0]);
    }
    for (int i = 0; i < rank; i++) {
        out[i] = dims[perm[i]];
    }
    keep(p, gr_transpose(p->g, x, rank, perm), rank, out);
}

/* The dims with some neighbours merged and some factors split, and ones put in. */
static void random_reshape(struct pool *p, int x)
{
    int rank, n = 0;
    int64_t dims[PARE_MAX_RANK], out[3 * PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    for (int i = 0; i < rank && n < PARE_MAX_RANK; i++) {
        if (draw(p, 6) == 0) {
            out[n++] = 1;
        }
        if (n > 0 && draw(p, 3) == 0) {
            out[n - 1] *= dims[i];
        } else if (dims[i] % 2 == 0 && draw(p, 2) == 0) {
            out[n++] = draw(p, 2) == 0 ? 2 : dims[i] / 2;
            out[n] = dims[i] / out[n - 1];
            n++;
        } else if (dims[i] != 1 || draw(p, 2) == 0) {
            out[n++] = dims[i];
        }
    }
    int64_t product = 1, wanted = 1;
    for (int i = 0; i < n; i++) {
        product *= out[i];
    }
    for (int i = 0; i < rank; i++) {
        wanted *= dims[i];
    }
    if (n > 5 || product != wanted) {
        return;
    }
    keep(p, gr_reshape(p->g, x, n, out), n, out);
}

static int tensor_of_shape(struct pool *p, int x, bool allow_ones)
{
    int found = x, seen = 0;
    const struct pare_tensor *a = &p->g->tensors[x];
    for (int i = 0; i < p->n; i++) {
        const struct pare_tensor *b = &p->g->tensors[p->tensor[i]];
        bool fits = a->rank == b->rank || (allow_ones && b->rank <= a->rank);
        for (int k = 0; k < b->rank && fits; k++) {
            int64_t da = a->dims[a->rank - 1 - k], db = b->dims[b->rank - 1 - k];
            fits = da == db || (allow_ones && db == 1);
        }
        if (fits && draw(p, (uint32_t)++seen) == 0) {
            found = p->tensor[i];
        }
    }
    return found;
}

static void random_binary(struct pool *p, int x)
{
    static const enum pare_op ops[5] = {PARE_OP_ADD, PARE_OP_SUB, PARE_OP_MUL, PARE_OP_MAX,
                                        PARE_OP_MIN};
    int rank, other, offset;
    int64_t dims[PARE_MAX_RANK], c[PARE_MAX_RANK];
    enum pare_op op = ops[draw(p, 5)];
    dims_of(p, x, &rank, dims);
    if (draw(p, 2) == 0) {
        other = tensor_of_shape(p, x, true);
    } else {
        offset = rank > 0 ? (int)draw(p, (uint32_t)rank) : 0;
        for (int i = offset; i < rank; i++) {
            c[i - offset] = draw(p, 2) == 0 ? 1 : dims[i];
        }
        other = gr_const(p->g, rank - offset, c, &p->seed);
    }
    bool swap = draw(p, 2) == 0;
    int y = gr_binary(p->g, draw(p, 8) == 0 && !swap ? PARE_OP_PRELU : op, swap ? other : x,
                      swap ? x : other);
    keep(p, y, rank, dims);
}

static void random_concat(struct pool *p, int x)
{
    int rank, in[2] = {x, tensor_of_shape(p, x, false)};
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    if (rank == 0) {
        return;
    }
    int axis = (int)draw(p, (uint32_t)rank), y = gr_node(p->g, PARE_OP_CONCAT, 2, in);
    gr_attr(p->g)->axis = draw(p, 2) == 0 ? axis : axis - rank;
    dims[axis] *= 2;
    keep(p, y, rank, dims);
}

/* x with one axis changed in place: half of a split, every second index, one more, or the same. */
static void random_same_rank(struct pool *p, int x, int axis)
{
    int rank, kind = (int)draw(p, 4);
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    if (kind == 0 && dims[axis] % 2 == 0) {
        int out[2] = {pare_graph_add_tensor(p->g, "a", PARE_F32),
                      pare_graph_add_tensor(p->g, "b", PARE_F32)};
        pare_graph_add_node(p->g, PARE_OP_SPLIT, "", 1, &x, 2, out);
        gr_attr(p->g)->axis = axis;
        dims[axis] /= 2;
        keep(p, out[0], rank, dims);
        keep(p, out[1], rank, dims);
    } else if (kind == 1) {
        int y = gr_unary(p->g, PARE_OP_SLICE, x);
        gr_attr(p->g)->n_axes = 1;
        gr_attr(p->g)->axes[0] = axis;
        gr_attr(p->g)->end[0] = INT64_MAX;
        gr_attr(p->g)->step[0] = 2;
        dims[axis] = (dims[axis] + 1) / 2;
        keep(p, y, rank, dims);
    } else if (kind == 2) {
        int y = gr_unary(p->g, PARE_OP_PAD, x);
        gr_attr(p->g)->n_axes = 1;
        gr_attr(p->g)->axes[0] = axis;
        gr_attr(p->g)->pad_before[0] = 1;
        dims[axis]++;
        keep(p, y, rank, dims);
    } else {
        int y = gr_unary(p->g, PARE_OP_SOFTMAX, x);
        gr_attr(p->g)->axis = axis - rank;
        gr_attr(p->g)->newer_softmax = true;
        keep(p, y, rank, dims);
    }
}

static void remove_axis(int64_t *dims, int rank, int axis)
{
    memmove(dims + axis, dims + axis + 1, (size_t)(rank - axis - 1) * sizeof *dims);
}

/* GATHER with one index or several, UNPACK. */
static void random_pick(struct pool *p, int x, int axis)
{
    int rank;
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    if (draw(p, 2) == 0 && dims[axis] <= 4) {
        int out[4], n = (int)dims[axis];
        for (int i = 0; i < n; i++) {
            out[i] = pare_graph_add_tensor(p->g, "u", PARE_F32);
        }
        pare_graph_add_node(p->g, PARE_OP_UNPACK, "", 1, &x, n, out);
        gr_attr(p->g)->axis = axis;
        remove_axis(dims, rank, axis);
        keep(p, out[0], rank - 1, dims);
        return;
    }
    int64_t which[3] = {0, dims[axis] - 1, 0};
    bool scalar = draw(p, 2) == 0;
    int in[2] = {x, scalar ? pare_graph_add_const(p->g, "i", PARE_I64, 0, NULL, which, 8)
                           : gr_ints(p->g, 3, which)};
    int y = gr_node(p->g, PARE_OP_GATHER, 2, in);
    gr_attr(p->g)->axis = axis;
    dims[axis] = 3;
    if (scalar) {
        remove_axis(dims, rank, axis);
    }
    keep(p, y, scalar ? rank - 1 : rank, dims);
}

static void random_resize(struct pool *p, int x, int axis)
{
    int rank, in[4] = {x, -1, -1, -1};
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    dims[axis] *= 2;
    in[3] = gr_ints(p->g, 1, &dims[axis]);
    int y = gr_node(p->g, PARE_OP_RESIZE, 4, in);
    gr_attr(p->g)->n_axes = 1;
    gr_attr(p->g)->axes[0] = axis;
    gr_attr(p->g)->resize.coord = PARE_COORD_ASYMMETRIC;
    gr_attr(p->g)->resize.nearest = PARE_NEAREST_FLOOR;
    keep(p, y, rank, dims);
}

static void random_reduce(struct pool *p, int x, int axis)
{
    static const enum pare_op ops[3] = {PARE_OP_REDUCE_MEAN, PARE_OP_REDUCE_MAX,
                                        PARE_OP_REDUCE_SUM};
    int rank;
    int64_t dims[PARE_MAX_RANK];
    bool kept = draw(p, 2) == 0;
    dims_of(p, x, &rank, dims);
    int y = gr_unary(p->g, ops[draw(p, 3)], x);
    gr_attr(p->g)->n_axes = 1;
    gr_attr(p->g)->axes[0] = axis - (draw(p, 2) == 0 ? rank : 0);
    gr_attr(p->g)->keep_dims = kept;
    dims[axis] = 1;
    if (!kept) {
        remove_axis(dims, rank, axis);
    }
    keep(p, y, kept ? rank : rank - 1, dims);
}

static void random_axis_op(struct pool *p, int x)
{
    int rank = p->g->tensors[x].rank, axis = rank > 0 ? (int)draw(p, (uint32_t)rank) : 0;
    if (rank == 0) {
        return;
    }
    switch (draw(p, 8)) {
    case 0:
    case 1:
        random_pick(p, x, axis);
        break;
    case 2:
        random_resize(p, x, axis);
        break;
    case 3:
        random_reduce(p, x, axis);
        break;
    default:
        random_same_rank(p, x, axis);
        break;
    }
}

static void random_unary(struct pool *p, int x)
{
    static const enum pare_op ops[6] = {PARE_OP_RELU,    PARE_OP_NEG,      PARE_OP_TANH,
                                        PARE_OP_SIGMOID, PARE_OP_IDENTITY, PARE_OP_ABS};
    int rank;
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    keep(p, gr_unary(p->g, ops[draw(p, 6)], x), rank, dims);
}

/* A convolution on what is taken as NHWC, or a product with a matrix. */
static void random_layer(struct pool *p, int x)
{
    int rank;
    int64_t dims[PARE_MAX_RANK];
    dims_of(p, x, &rank, dims);
    if (rank == 4 && dims[3] <= 16) {
        int c = (int)dims[3], groups = draw(p, 3) == 0 ? c : 1;
        int y = gr_conv(p->g, x, c, 2 * c <= 16 ? 2 * c : c, 1 + 2 * (int)draw(p, 2), groups,
                        draw(p, 2) == 0, &p->seed);
        dims[3] = 2 * c <= 16 ? 2 * c : c;
        keep(p, y, rank, dims);
    } else if (rank >= 1 && dims[rank - 1] <= 200) {
        int64_t shape[2] = {dims[rank - 1], 6};
        int y = gr_binary(p->g, PARE_OP_MATMUL, x, gr_const(p->g, 2, shape, &p->seed));
        dims[rank - 1] = 6;
        keep(p, y, rank, dims);
    }
}

static void random_graph(struct pool *p)
{
    static const int64_t shapes[3][4] = {{1, 4, 6, 2}, {2, 3, 4, 4}, {1, 1, 4, 6}};
    gr_input(p->g, "x", 4, shapes[draw(p, 3)]);
    p->tensor[p->n++] = p->g->inputs[0];
    for (int i = 0; i < N_STEPS; i++) {
        int x = p->tensor[p->n - 1 - (int)draw(p, p->n < 3 ? (uint32_t)p->n : 3)];
        if (pare_tensor_elements(&p->g->tensors[x]) > 2000) {
            continue;
        }
        switch (draw(p, 10)) {
        case 0:
        case 1:
        case 2:
            random_transpose(p, x);
            break;
        case 3:
        case 4:
            random_reshape(p, x);
            break;
        case 5:
            random_unary(p, x);
            break;
        case 6:
            random_binary(p, x);
            break;
        case 7:
            random_concat(p, x);
            break;
        case 8:
            random_axis_op(p, x);
            break;
        default:
            random_layer(p, x);
            break;
        }
    }
    gr_output(p->g, p->tensor[p->n - 1]);
    for (int i = 0; i < 2; i++) { /* outputs in the middle */
        int t = p->tensor[draw(p, (uint32_t)p->n)];
        bool again = t == p->g->outputs[0] || (p->g->n_outputs > 1 && t == p->g->outputs[1]);
        if (!again) {
            gr_output(p->g, t);
        }
    }
}

static void random_graphs_keep_their_numbers(void **state)
{
    (void)state;
    int before = 0, after = 0;
    for (uint32_t i = 0; i < N_GRAPHS; i++) {
        struct pool p = {.g = pare_graph_new(), .seed = 1000 + i};
        random_graph(&p);
        before += gr_count(p.g, PARE_OP_TRANSPOSE);
        gr_check_passes(p.g, NULL, 2e-5);
        after += gr_count(p.g, PARE_OP_TRANSPOSE);
        pare_graph_free(p.g);
    }
    printf("%d graphs, seeds from 1000: %d transposes before, %d after\n", N_GRAPHS, before, after);
    assert_true(after < before / 2);
}

static struct pare_graph *open_model(const char *path, struct pare_pass_report *report)
{
    struct pare_graph *g = NULL;
    struct pare_error err = {0};
    bool onnx = strstr(path, ".onnx") != NULL;
    enum pare_status status =
        onnx ? pare_onnx_read(path, &g, &err) : pare_tflite_read(path, &g, &err);
    status = status == PARE_OK ? pare_graph_finish(g, path, &err) : status;
    status = status == PARE_OK ? pare_shapes_infer(g, path, &err) : status;
    status = status == PARE_OK ? pare_passes_run(g, path, report, &err) : status;
    status = status == PARE_OK ? pare_shapes_infer(g, path, &err) : status;
    if (status != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    printf("%-60s %3d nodes; folded %d constants, %d BatchNorm, %d PReLU; removed %d transposes, "
           "%d dead\n",
           path, g->n_nodes, report->n_constants_folded, report->n_bn_folded, report->n_prelu_fused,
           report->n_transposes_removed, report->n_dead_removed);
    return g;
}

static void onnx_networks_become_what_tflite_has(void **state)
{
    (void)state;
    static const char *const pairs[2][2] = {
        {"mediapipe/palm_detection_lite.onnx", "mediapipe/palm_detection_lite.tflite"},
        {"mediapipe/hand_landmark_lite.onnx", "mediapipe/hand_landmark_lite.tflite"},
    };
    struct pare_pass_report report;
    if (test_models_dir() == NULL) {
        test_skip("no folder of real models");
    }
    for (int i = 0; i < 2; i++) {
        struct pare_graph *a = open_model(test_model(pairs[i][0]), &report);
        assert_int_equal(report.n_prelu_fused, i == 0 ? 26 : 0);
        struct pare_graph *b = open_model(test_model(pairs[i][1]), &report);
        for (int op = 0; op < PARE_OP_COUNT; op++) {
            assert_int_equal(gr_count(a, (enum pare_op)op), gr_count(b, (enum pare_op)op));
        }
        assert_int_equal(gr_count(a, PARE_OP_TRANSPOSE), 0);
        pare_graph_free(a);
        pare_graph_free(b);
    }
    struct pare_graph *g = open_model(test_model("detectors/FastestDet.onnx"), &report);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 2); /* planes in, planes out */
    assert_int_equal(g->nodes[0].op, PARE_OP_TRANSPOSE);
    pare_graph_free(g);
    g = open_model(test_model("mnist/mnist_cnn.onnx"), &report);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 0);
    assert_int_equal(gr_count(g, PARE_OP_ADD), 0);
    pare_graph_free(g);
}

static void a_million_identities(void **state)
{
    (void)state;
    struct timespec from, to;
    struct pare_pass_report report;
    struct pare_graph *g = pare_graph_new();
    int64_t dims[1] = {4};
    int t = gr_input(g, "x", 1, dims);
    for (int i = 0; i < 1000000; i++) {
        int y = pare_graph_add_tensor(g, "", PARE_F32);
        g->tensors[y].rank = 1;
        g->tensors[y].dims[0] = 4;
        pare_graph_add_node(g, PARE_OP_IDENTITY, "", 1, &t, 1, &y);
        t = y;
    }
    gr_output(g, t);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(pare_graph_finish(g, "t", NULL), PARE_OK);
    assert_int_equal(pare_passes_run(g, "t", &report, NULL), PARE_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double s = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    printf("1e6 identities: finish and passes %.2f s\n", s);
    assert_true(s < 15.0); /* sanitizers and a busy machine; 2 s is asked of the release build */
    assert_true(g->n_nodes <= 1);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_keep_their_numbers),
        cmocka_unit_test(onnx_networks_become_what_tflite_has),
        cmocka_unit_test(a_million_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
