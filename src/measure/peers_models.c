/* peers_models.c: whole networks beside the runtimes that people use for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/peers_parts.h"
#include "measure/stage_inputs.h"

enum { CALIBRATION_SAMPLES = 16, INPUT_SAMPLES = 4 };

struct own_run {
    struct pare_plan *plan;
    struct pare_error *err;
    enum pare_status status;
};

static void run_own(void *self)
{
    struct own_run *r = self;
    if (r->status == PARE_OK) {
        r->status = pare_plan_run(r->plan, r->err);
    }
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Does the file itself hold its activations in 8 bits? */
static bool is_integer_file(const struct pare_graph *g)
{
    return g->n_inputs > 0 && (g->tensors[g->inputs[0]].quant != NULL || (g->n_outputs > 0 && g->tensors[g->outputs[0]].quant != NULL));
}

static enum pare_status make_plans(struct pare_engine *e, int stage, const struct pare_stage_inputs *inputs,
                                   struct pare_plan *plans[2], struct pare_error *err)
{
    static const struct pare_level uniform[2] = {{PARE_LEVEL_FP32, 32, 32}, {PARE_LEVEL_INT, 8, 8}};
    const int n_layers = pare_engine_layer_count(e);
    struct pare_arena arena = {0};
    struct pare_level *levels = pare_arena_array(&arena, (size_t)n_layers + 1, sizeof *levels);
    enum pare_status status = levels != NULL ? PARE_OK : pare_error_nomem(err);
    for (int k = 0; status == PARE_OK && k < 2; k++) {
        for (int i = 0; i < n_layers; i++) {
            levels[i] = uniform[k];
        }
        status = pare_engine_plan_new(e, stage, levels, &plans[k], err);
        if (status == PARE_OK) {
            status = pare_engine_feed(e, stage, plans[k], inputs->in[0], inputs->n_in, &arena, err);
        }
    }
    pare_arena_clear(&arena);
    return status;
}

/* Which pairs are compared: our level (0 fp32, 1 int8) and what the peer runs. */
static const struct {
    const char *file, *peer, *name, *level;
    bool against_fp32, against_int8;
} networks[] = {
    {".onnx", "ort-model", "onnxruntime", "fp32", true, true},
    {".onnx", "ort-qdq", "onnxruntime", "int8 QDQ", false, true},
    {".tflite", "litert-model", "ai-edge-litert", "as in the file", true, true},
};
enum { NETWORK_PEERS = 3 };

static enum pare_status bench_stage(struct peers *p, const char *name, const char *path, const struct pare_graph *graph,
                        struct pare_plan *plans[2], struct pare_error *err)
{
    struct own_run own[2] = {{plans[0], err, PARE_OK}, {plans[1], err, PARE_OK}};
    struct peer_work work[NETWORK_PEERS];
    struct pare_contender contenders[2 + NETWORK_PEERS] = {{.run = run_own, .self = &own[0]}, {.run = run_own, .self = &own[1]}};
    int which[2 + NETWORK_PEERS], n = 2;
    for (int i = 0; i < NETWORK_PEERS; i++) {
        if (ends_with(path, networks[i].file) && peers_load(p, name, networks[i].peer, path, &work[n - 2])) {
            contenders[n] = (struct pare_contender){.run = peers_run_once, .self = &work[n - 2], .remote = peers_run_many};
            which[n++] = i;
        }
    }
    if (n == 2) {
        return PARE_OK;
    }
    const struct pare_watch_options o = {.seconds = p->options->seconds, .window_ns = 1e6, .min_rounds = 25};
    pare_watch(contenders, n, &o, p->series);
    if (own[0].status != PARE_OK || own[1].status != PARE_OK) {
        return own[0].status != PARE_OK ? own[0].status : own[1].status;
    }
    for (int k = 2; k < n; k++) {
        for (int ours = 0; ours < 2; ours++) {
            const bool float_file = !is_integer_file(graph);
            if (ours == 0 ? networks[which[k]].against_fp32 && float_file : networks[which[k]].against_int8) {
                struct pare_peer_row row = {.name = name, .level = ours == 0 ? "fp32" : "w8a8", .kernel = "", .macs = NAN,
                                            .peer = networks[which[k]].name, .peer_level = networks[which[k]].level};
                peers_row(p, &row, ours, k, &work[k - 2], false);
            }
        }
    }
    return PARE_OK;
}

static enum pare_status bench_engine(struct peers *p, struct pare_engine *e, struct pare_error *err)
{
    struct pare_pipeline *pipeline = pare_engine_pipeline(e);
    struct pare_arena data = {0};
    double glue;
    enum pare_status status = pipeline->bare ? PARE_OK : pare_pipeline_open_split(pipeline, PARE_SPLIT_CALIBRATION, err);
    struct pare_stage_inputs *inputs = pare_arena_array(&data, (size_t)pipeline->n_stages, sizeof *inputs);
    if (inputs == NULL) {
        status = pare_error_nomem(err);
    }
    if (status == PARE_OK) {
        status = pare_engine_calibrate(e, PARE_SPLIT_CALIBRATION, CALIBRATION_SAMPLES, NULL, NULL, err);
    }
    if (status == PARE_OK) {
        status = pare_stage_inputs_capture(e, PARE_SPLIT_CALIBRATION, INPUT_SAMPLES, &data, inputs, &glue, err);
    }
    for (int s = 0; status == PARE_OK && s < pipeline->n_stages; s++) {
        struct pare_plan *plans[2] = {NULL, NULL};
        if (inputs[s].n > 0) {
            status = make_plans(e, s, &inputs[s], plans, err);
        }
        if (status == PARE_OK && plans[1] != NULL) {
            const struct pare_stage *stage = &pipeline->stages[s];
            status = bench_stage(p, pipeline->bare ? pipeline->name : stage->name, stage->path, stage->graph, plans, err);
        }
        pare_plan_free(plans[0]);
        pare_plan_free(plans[1]);
    }
    pare_arena_clear(&data);
    return status;
}

enum pare_status peers_model(struct peers *p, const char *path, struct pare_error *err)
{
    struct pare_pipeline *pipeline = NULL;
    struct pare_engine *e = NULL;
    enum pare_status status = pare_pipeline_open(path, p->options->models_dir, &pipeline, err);
    if (status == PARE_OK) {
        status = pare_pipeline_open_models(pipeline, err);
    }
    if (status != PARE_OK) {
        pare_pipeline_free(pipeline);
        return status;
    }
    status = pare_engine_new(pipeline, pk_isa_best(), &e, err);
    if (status == PARE_OK) {
        status = bench_engine(p, e, err);
    }
    pare_engine_free(e);
    return status;
}
