/*
 * Runs ONNX's own operator cases: <models>/onnx_node/test_NAME/{model.onnx,
 * test_data_set_0/{input,output}_K.pb}. Every case goes through reader, finish and shapes, and is
 * evaluated node by node; then again behind the passes. Inputs that an operator needs as constants
 * (shapes, axes, pads ...) are bound before inference. Floats must agree as in ONNX's runner (rtol
 * 1e-3, atol 1e-7), integers exactly.
 */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "model/eval.h"
#include "model/onnx.h"
#include "pk_ops.h"

#define MAX_ENDS 16

enum outcome { PASSED, FAILED, NOT_APPLICABLE };

struct run {
    char dir[1024];
    struct pare_graph *g;
    struct pare_view *views; /* [n_tensors] what each tensor holds */
    void **owned;            /* [n_owned] our buffers */
    int n_owned;             /* tensors when it ran; expected outputs are added behind */
    struct pare_file files[MAX_ENDS];
    int n_files;
    char reason[1200];
    struct pare_error err;
};

/* Operators that the project promises, as ONNX writes them; a case of another one need not apply.
 */
static bool is_promised(const char *op)
{
    static const char *const promised[] = {
        "Conv",
        "ConvTranspose",
        "Gemm",
        "MatMul",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Pad",
        "PRelu",
        "Relu",
        "Clip",
        "Sigmoid",
        "HardSwish",
        "HardSigmoid",
        "Tanh",
        "Softmax",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Min",
        "Max",
        "Neg",
        "Abs",
        "Exp",
        "Sqrt",
        "Concat",
        "Split",
        "Slice",
        "Gather",
        "Reshape",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Shape",
        "Constant",
        "Identity",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "Resize",
        "QuantizeLinear",
        "DequantizeLinear",
        "DepthToSpace",
        "ArgMax",
        "NonMaxSuppression",
        "BatchNormalization",
        "LeakyRelu",
    };
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        if (strcmp(op, promised[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- tensors in files ---- */

/* Reads dir/test_data_set_0/KIND_K.pb as a new constant tensor of the graph; -1 and a reason. */
static int read_pb(struct run *r, const char *kind, int k)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", r->dir, kind, k);
    struct pare_file *file = &r->files[r->n_files];
    if (r->n_files == MAX_ENDS || pare_file_open(path, SIZE_MAX, file, &r->err) != PARE_OK) {
        snprintf(r->reason, sizeof r->reason, "%s_%d.pb: %s", kind, k, r->err.message);
        return -1;
    }
    r->n_files++;
    struct onnx_importer c = {
        .file = {file->data, file->size}, .where = path, .err = &r->err, .g = r->g};
    struct pare_pb_damage damage;
    if (!pare_pb_check(c.file, onnx_messages, ONNX_TENSOR, &damage)) {
        snprintf(r->reason, sizeof r->reason, "%s_%d.pb is no tensor", kind, k);
        return -1;
    }
    int t = pare_graph_add_tensor(r->g, "", PARE_F32);
    onnx_read_tensor(&c, c.file, t, kind);
    if (c.status != PARE_OK || r->g->tensors[t].rank < 0) {
        snprintf(r->reason, sizeof r->reason, "%s_%d.pb: %s", kind, k, r->err.message);
        return -1;
    }
    return t;
}

/* The nested message reached by field numbers path[0..n), of which each is the first one; size 0:
 * not there. */
static struct pare_pb_span nested(struct pare_pb_span message, const uint32_t *path, int n)
{
    for (int i = 0; i < n; i++) {
        struct pare_pb reader = pare_pb_open(message);
        struct pare_pb_field f;
        bool found = false;
        while (!found && pare_pb_next(&reader, &f)) {
            found = f.number == path[i] && f.wire == PARE_PB_BYTES;
        }
        message = found ? f.bytes : (struct pare_pb_span){NULL, 0};
    }
    return message;
}

/* Is the model's first input a tensor? (ModelProto.graph.input.type.tensor_type; others are lists
 * and optionals) */
static bool takes_tensors(const struct pare_graph *g)
{
    static const uint32_t type[] = {7, 11, 2}, tensor_type[] = {1};
    struct pare_pb_span found = nested((struct pare_pb_span){g->file.data, g->file.size}, type, 3);
    return found.size == 0 || nested(found, tensor_type, 1).size > 0;
}

/* ---- inputs that must be constant ---- */

static bool needs_constant(enum pare_op op, int k)
{
    switch (op) {
    case PARE_OP_RESHAPE:
    case PARE_OP_SQUEEZE:
    case PARE_OP_UNSQUEEZE:
    case PARE_OP_EXPAND:
    case PARE_OP_TILE:
    case PARE_OP_SPLIT:
    case PARE_OP_REDUCE_MEAN:
    case PARE_OP_REDUCE_MAX:
    case PARE_OP_REDUCE_MIN:
    case PARE_OP_REDUCE_SUM:
    case PARE_OP_SLICE:
    case PARE_OP_PAD:
    case PARE_OP_RESIZE:
        return k >= 1;
    case PARE_OP_NMS:
        return k >= 2;
    case PARE_OP_CONSTANT_OF_SHAPE:
    case PARE_OP_RANGE:
        return true;
    default:
        return false;
    }
}

static void mark(const struct pare_graph *g, int t, bool *constant)
{
    if (t < 0 || constant[t]) {
        return;
    }
    constant[t] = true;
    int from = g->tensors[t].producer;
    for (int k = 0; from >= 0 && k < g->nodes[from].n_in; k++) {
        mark(g, g->nodes[from].in[k], constant);
    }
}

/* Inputs take the shapes of their values; those that must be constant stop being inputs. */
static bool bind_inputs(struct run *r, const void **value_of)
{
    struct pare_graph *g = r->g;
    int n = g->n_tensors, kept = 0;
    bool *constant = calloc((size_t)n, sizeof *constant);
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (needs_constant(g->nodes[i].op, k)) {
                mark(g, g->nodes[i].in[k], constant);
            }
        }
    }
    for (int i = 0; i < g->n_inputs; i++) {
        int t = g->inputs[i], value = read_pb(r, "input", i);
        if (value < 0) {
            free(constant);
            return false;
        }
        g->tensors[t].dtype = g->tensors[value].dtype;
        g->tensors[t].rank = g->tensors[value].rank;
        memcpy(g->tensors[t].dims, g->tensors[value].dims, sizeof g->tensors[t].dims);
        if (constant[t]) {
            g->tensors[t].data = g->tensors[value].data;
            g->tensors[t].size_bytes = g->tensors[value].size_bytes;
            g->tensors[t].is_input = false;
        } else {
            value_of[kept] = g->tensors[value].data; /* passes may renumber tensors */
            g->inputs[kept++] = t;
        }
    }
    g->n_inputs = kept;
    free(constant);
    return true;
}

/* ---- running ---- */

static struct pare_view view_of(const struct pare_tensor *t, void *data)
{
    struct pare_view v = {.dtype = t->dtype, .rank = t->rank, .data = data};
    memcpy(v.dims, t->dims, sizeof v.dims);
    return v;
}

static bool run_node(struct run *r, int index)
{
    struct pare_node *node = &r->g->nodes[index];
    struct pare_view in[MAX_ENDS] = {{0}}, out[MAX_ENDS] = {{0}};
    if (node->n_in > MAX_ENDS || node->n_out > MAX_ENDS) {
        snprintf(r->reason, sizeof r->reason, "too many ends");
        return false;
    }
    for (int k = 0; k < node->n_in; k++) {
        in[k].rank = -1;
        if (node->in[k] >= 0) {
            in[k] = r->views[node->in[k]];
        }
    }
    for (int k = 0; k < node->n_out; k++) {
        out[k].rank = -1;
        int t = node->out[k];
        int64_t n = t >= 0 ? pare_tensor_elements(&r->g->tensors[t]) : -1;
        if (t >= 0 && n < 0) {
            snprintf(r->reason, sizeof r->reason, "the shape of output %d is not known", k);
            return false;
        }
        if (t >= 0) { /* exactly as large as it must be: sanitizers see every byte too many */
            r->owned[t] = malloc(pare_dtype_bytes(r->g->tensors[t].dtype, n) + 1);
            out[k] = view_of(&r->g->tensors[t], r->owned[t]);
        }
    }
    void *scratch = malloc(pare_op_scratch_bytes(r->g, index) + 1);
    enum pare_status status = pare_op_eval(r->g, index, in, out, scratch, &r->err);
    free(scratch);
    for (int k = 0; k < node->n_out; k++) {
        if (node->out[k] >= 0) {
            r->views[node->out[k]] = out[k];
        }
    }
    if (status != PARE_OK) {
        snprintf(r->reason, sizeof r->reason, "%s", r->err.message);
    }
    return status == PARE_OK;
}

static bool run_graph(struct run *r, const void *const *value_of)
{
    struct pare_graph *g = r->g;
    r->n_owned = g->n_tensors;
    r->views = calloc((size_t)g->n_tensors, sizeof *r->views);
    r->owned = calloc((size_t)g->n_tensors, sizeof *r->owned);
    for (int t = 0; t < g->n_tensors; t++) {
        if (g->tensors[t].rank >= 0) {
            r->views[t] = view_of(&g->tensors[t], (void *)(uintptr_t)g->tensors[t].data);
        }
    }
    for (int i = 0; i < g->n_inputs; i++) {
        r->views[g->inputs[i]].data = (void *)(uintptr_t)value_of[i];
    }
    for (int i = 0; i < g->n_nodes; i++) {
        if (!run_node(r, i)) {
            return false;
        }
    }
    return true;
}

/* ---- comparing ---- */

static bool agree(enum pare_dtype t, const void *a, const void *b, size_t i)
{
    if (!pk_dtype_is_float((enum pk_dtype)t)) {
        return pk_load_int((enum pk_dtype)t, a, i) == pk_load_int((enum pk_dtype)t, b, i);
    }
    double found = pk_load((enum pk_dtype)t, a, i), wanted = pk_load((enum pk_dtype)t, b, i);
    if (isnan(found) || isnan(wanted) || isinf(found) || isinf(wanted)) {
        return (isnan(found) && isnan(wanted)) || found == wanted;
    }
    return fabs(found - wanted) <= 1e-7 + 1e-3 * fabs(wanted);
}

static bool compare_output(struct run *r, int k, const struct pare_view *found)
{
    int t = read_pb(r, "output", k);
    if (t < 0) {
        return false;
    }
    const struct pare_tensor *wanted = &r->g->tensors[t];
    char a[96], b[96];
    struct pare_tensor shape = {.rank = found->rank};
    memcpy(shape.dims, found->dims, sizeof shape.dims);
    pare_tensor_shape_text(&shape, a, sizeof a);
    pare_tensor_shape_text(wanted, b, sizeof b);
    if (found->dtype != wanted->dtype || strcmp(a, b) != 0) {
        snprintf(r->reason, sizeof r->reason, "output %d is %s %s, expected %s %s", k,
                 pare_dtype_name(found->dtype), a, pare_dtype_name(wanted->dtype), b);
        return false;
    }
    size_t n = (size_t)pare_tensor_elements(wanted);
    for (size_t i = 0; i < n; i++) {
        if (!agree(wanted->dtype, found->data, wanted->data, i)) {
            snprintf(r->reason, sizeof r->reason, "output %d [%zu] is %.9g, expected %.9g", k, i,
                     pk_load((enum pk_dtype)found->dtype, found->data, i),
                     pk_load((enum pk_dtype)wanted->dtype, wanted->data, i));
            return false;
        }
    }
    return true;
}

static bool compare_outputs(struct run *r)
{
    for (int k = 0; k < r->g->n_outputs; k++) {
        struct pare_view found = r->views[r->g->outputs[k]];
        if (!compare_output(r, k, &found)) {
            return false;
        }
    }
    return true;
}

/* ---- one case ---- */

static void close_run(struct run *r)
{
    for (int i = 0; i < r->n_owned; i++) {
        free(r->owned[i]);
    }
    free(r->owned);
    free(r->views);
    pare_graph_free(r->g);
    for (int i = 0; i < r->n_files; i++) {
        pare_file_close(&r->files[i]);
    }
}

static bool step_ok(struct run *r, enum pare_status status, const char *step)
{
    if (status != PARE_OK) {
        snprintf(r->reason, sizeof r->reason, "%s: %s", step, r->err.message);
    }
    return status == PARE_OK;
}

static enum outcome attempt(struct run *r, bool with_passes)
{
    const void *value_of[MAX_ENDS];
    char path[1200];
    snprintf(path, sizeof path, "%s/model.onnx", r->dir);
    if (!step_ok(r, pare_onnx_read(path, &r->g, &r->err), "read") ||
        !step_ok(r, pare_graph_finish(r->g, path, &r->err), "finish")) {
        return FAILED;
    }
    if (!takes_tensors(r->g)) {
        snprintf(r->reason, sizeof r->reason,
                 "its input is no tensor but an optional list of tensors");
        return NOT_APPLICABLE;
    }
    for (int i = 0; i < r->g->n_nodes; i++) {
        if (r->g->nodes[i].op == PARE_OP_UNKNOWN) {
            const char *op = r->g->nodes[i].attr.op_name;
            snprintf(r->reason, sizeof r->reason, "the operator %s is not known", op);
            return is_promised(op) ? FAILED : NOT_APPLICABLE;
        }
    }
    if (!bind_inputs(r, value_of)) {
        return FAILED;
    }
    bool ok = step_ok(r, pare_shapes_infer(r->g, path, &r->err), "shapes");
    if (with_passes) {
        struct pare_pass_report report;
        ok = ok && step_ok(r, pare_passes_run(r->g, path, &report, &r->err), "passes");
    }
    /* Inference on its own result must change nothing. */
    ok = ok && step_ok(r, pare_shapes_infer(r->g, path, &r->err), "shapes again");
    return ok && run_graph(r, value_of) && compare_outputs(r) ? PASSED : FAILED;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_cases(const char *dir, char **names, int max)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL && n < max; e = readdir(d)) {
        if (strncmp(e->d_name, "test_", 5) == 0) {
            names[n++] = strdup(e->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    qsort(names, (size_t)n, sizeof *names, compare_names);
    return n;
}

static void every_case_of_a_listed_operator_passes(void **state)
{
    static char *names[1024];
    const char *dir = test_model("onnx_node");
    int count[3] = {0};
    (void)state;
    if (dir == NULL) {
        test_skip("no onnx_node among the models");
        return;
    }
    char root[900];
    snprintf(root, sizeof root, "%s", dir);
    int n = list_cases(root, names, 1024);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        enum outcome result = PASSED;
        for (int passes = 0; passes < 2 && result == PASSED; passes++) {
            struct run r;
            memset(&r, 0, sizeof r);
            snprintf(r.dir, sizeof r.dir, "%s/%s", root, names[i]);
            result = attempt(&r, passes != 0);
            if (result != PASSED) {
                printf("%s %s%s: %s\n", result == FAILED ? "FAILED" : "not applicable", names[i],
                       passes != 0 ? " (behind the passes)" : "", r.reason);
            }
            close_run(&r);
        }
        count[result]++;
        free(names[i]);
    }
    printf("conformance: %d passed, %d failed, %d not applicable\n", count[PASSED], count[FAILED],
           count[NOT_APPLICABLE]);
    assert_int_equal(count[FAILED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_of_a_listed_operator_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
