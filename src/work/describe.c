/*
 * describe.c: what a pipeline is: stages, layers, shapes, sizes, data, and the hash of all content that results
 * depend on. The front knows a pipeline only through this.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "measure/own_error.h"
#include "model/sets.h"
#include "quant/bytes.h"
#include "quant/make.h"
#include "work/work.h"

/* Raised by hand when the meaning of results changes: rows of other versions are not found any more. */
#define RESULTS_VERSION 19

static json_t *safe_string(const char *text)
{
    char escaped[1024];
    pare_escape(text, strlen(text), escaped, sizeof escaped);
    return json_string(escaped);
}

static const char *kind_of(enum pare_op op)
{
    return op == PARE_OP_DEPTHWISE ? "dw" : op == PARE_OP_FULLY_CONNECTED ? "fc" : op == PARE_OP_CONV_TRANSPOSE ? "tconv" : "conv";
}

/* "3x3/2 16>32": kernel, stride, channels in and out. */
static void shape_text(const struct pare_graph *g, int node, char *text, size_t size)
{
    const struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *in = &g->tensors[n->in[0]];
    long long channels = in->rank > 0 ? (long long)in->dims[in->rank - 1] : 0;
    long long out = (long long)pare_node_out_channels(g, node);
    int used = 0;
    if (n->op != PARE_OP_FULLY_CONNECTED) {
        for (int i = 0; i < n->attr.window.n_spatial; i++) {
            used += snprintf(text + used, size - (size_t)used, "%s%d", i > 0 ? "x" : "", n->attr.window.kernel[i]);
        }
        if (n->attr.window.stride[0] > 1) {
            used += snprintf(text + used, size - (size_t)used, "/%d", n->attr.window.stride[0]);
        }
        used += snprintf(text + used, size - (size_t)used, " ");
    }
    snprintf(text + used, size - (size_t)used, "%lld>%lld", channels, out);
}

/* What pipeline.lua's `keep` asks of a layer: the widest level of all patterns that match, "" when none does. */
static const char *kept_level(const struct pare_pipeline *p, const char *layer)
{
    const char *widest = "";
    struct pare_level best = {0}, level;
    for (int i = 0; i < p->n_keep; i++) {
        if (pare_glob_match(p->keep[i].pattern, layer) && pare_level_parse(p->keep[i].level, &level, NULL) == PARE_OK &&
            (widest[0] == '\0' || pare_level_compare(level, best) < 0)) {
            best = level;
            widest = p->keep[i].level;
        }
    }
    return widest;
}

/* By the bits of the weights; "w16a16" apart from fp16. */
static json_t *bytes_json(const struct pare_graph *g, int node, const struct pare_method *m)
{
    json_t *bytes = json_object();
    for (int bits = 1; bits <= 32; bits++) {
        if (bits <= 8 || bits == 16 || bits == 32) {
            struct pare_level level = bits == 32   ? (struct pare_level){PARE_LEVEL_FP32, 32, 32}
                                      : bits == 16 ? (struct pare_level){PARE_LEVEL_FP16, 16, 16}
                                                   : (struct pare_level){PARE_LEVEL_INT, (unsigned char)bits, 8};
            char key[8];
            snprintf(key, sizeof key, "%d", bits);
            json_object_set_new(bytes, key, json_integer(pare_layer_bytes(g, node, level, m)));
        }
    }
    const struct pare_level wide = {PARE_LEVEL_SIMULATED, 16, 16};
    json_object_set_new(bytes, "w16a16", json_integer(pare_layer_bytes(g, node, wide, m)));
    return bytes;
}

/* Bits of weights that no kernel takes: powers of two. */
static json_t *simulated_json(const struct pare_maker *maker, int node)
{
    json_t *list = json_array();
    for (unsigned char bits = 1; maker != NULL && bits <= 8; bits++) {
        if (pare_maker_real(maker, node, (struct pare_level){PARE_LEVEL_INT, bits, 8})) {
            json_array_append_new(list, json_integer(bits));
        }
    }
    return list;
}

/* The name that others know a tensor by. */
static json_t *file_name(const struct pare_tensor *t)
{
    return safe_string(t->source != NULL ? t->source : t->name);
}

/* NULL when memory is out. */
static json_t *layer_json(const struct pare_engine *e, int layer, const struct pare_graph *g, const bool *first,
                          const bool *last, int first_layer_of_stage)
{
    const struct pare_layer_ref *ref = pare_engine_layer(e, layer);
    const struct pare_maker *maker = pare_engine_maker(e, ref->stage);
    char shape[96];
    int sources[16];
    shape_text(g, ref->node, shape, sizeof shape);
    json_t *bytes = bytes_json(g, ref->node, maker != NULL ? &maker->methods[ref->node] : NULL), *from = json_array();
    int n = pare_layer_sources(g, ref->node, sources, 16);
    if (n < 0) {
        json_decref(bytes);
        json_decref(from);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        for (int l = first_layer_of_stage; l < layer; l++) {
            if (pare_engine_layer(e, l)->node == sources[i]) {
                json_array_append_new(from, json_integer(l));
            }
        }
    }
    const struct pare_tensor *in = &g->tensors[g->nodes[ref->node].in[0]];
    struct pk_conv c;
    int64_t batch;
    pare_layer_geometry(g, ref->node, &c, &batch);
    json_t *geometry = json_pack("[i,i,i,i,i,i,i,i,i,i,i,i,i,I]", c.in_h, c.in_w, c.in_c, c.out_h, c.out_w, c.out_c, c.kernel_h,
                                 c.kernel_w, c.stride_h, c.stride_w, c.dilation_h, c.dilation_w, c.groups, (json_int_t)batch);
    const int behind = pare_layer_output(g, ref->node);
    json_t *its = json_pack("{s:o, s:o, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o, s:I, s:o}", "name", safe_string(ref->name),
                     "tensor", safe_string(g->tensors[behind].name), "tensor_index", behind,
                     "stage", ref->stage, "kind", kind_of(g->nodes[ref->node].op), "shape", shape, "macs",
                     (json_int_t)pare_node_macs(g, ref->node), "weights", (json_int_t)pare_node_weights(g, ref->node),
                     "biases", (json_int_t)pare_node_biases(g, ref->node), "channels",
                     (json_int_t)pare_node_out_channels(g, ref->node), "first", (int)first[ref->node], "last",
                     (int)last[ref->node], "bytes", bytes, "from", from, "elements",
                     (json_int_t)pare_tensor_elements(in), "geometry", geometry);
    json_object_set_new(its, "simulated_bits", simulated_json(maker, ref->node));
    json_object_set_new(its, "weight", file_name(&g->tensors[g->nodes[ref->node].in[1]]));
    json_object_set_new(its, "input", file_name(in));
    return its;
}

/* Bytes of constants that belong to no layer (slopes, tables, ...), as they are stored. */
static int64_t other_bytes(const struct pare_graph *g)
{
    int64_t sum = 0;
    for (int n = 0; n < g->n_nodes; n++) {
        for (int i = 0; i < g->nodes[n].n_in && !pare_node_is_layer(g, n); i++) {
            int t = g->nodes[n].in[i];
            sum += t >= 0 && g->tensors[t].data != NULL ? (int64_t)g->tensors[t].size_bytes : 0;
        }
    }
    return sum;
}

static json_t *tensor_list(const struct pare_graph *g, const int *tensors, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char shape[96];
        pare_tensor_shape_text(&g->tensors[tensors[i]], shape, sizeof shape);
        json_array_append_new(list, json_pack("{s:o, s:s}", "name", safe_string(g->tensors[tensors[i]].name), "shape", shape));
    }
    return list;
}

/* Names of what flows between operators: what `--quantize` may choose a range for. */
static json_t *activation_names(const struct pare_graph *g)
{
    json_t *list = json_array();
    for (int t = 0; t < g->n_tensors; t++) {
        if (g->tensors[t].data == NULL && g->tensors[t].name != NULL && g->tensors[t].name[0] != '\0') {
            json_array_append_new(list, safe_string(g->tensors[t].name));
        }
    }
    return list;
}

static json_t *stage_json(const struct pare_stage *stage, const char *hash)
{
    const struct pare_graph *g = stage->graph;
    json_t *warnings = json_array(), *unknown = json_array();
    for (int i = 0; i < g->n_warnings; i++) {
        json_array_append_new(warnings, json_string(g->warnings[i]));
    }
    for (int n = 0; n < g->n_nodes; n++) {
        if (g->nodes[n].op == PARE_OP_UNKNOWN) {
            json_array_append_new(unknown, json_pack("{s:o, s:o}", "node", safe_string(g->nodes[n].name), "operator",
                                                     safe_string(g->nodes[n].attr.op_name != NULL ? g->nodes[n].attr.op_name : "?")));
        }
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:I, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:I}", "name", safe_string(stage->name),
                     "file", safe_string(stage->file != NULL ? stage->file : ""), "path",
                     safe_string(stage->path != NULL ? stage->path : ""), "hash", hash, "format",
                     g->format == PARE_FORMAT_ONNX ? "onnx" : "tflite", "opset", (json_int_t)g->opset, "producer",
                     safe_string(g->producer != NULL ? g->producer : ""), "nodes", g->n_nodes, "inputs",
                     tensor_list(g, g->inputs, g->n_inputs), "outputs", tensor_list(g, g->outputs, g->n_outputs),
                     "tensors", activation_names(g), "warnings", warnings, "unknown", unknown, "other_bytes", (json_int_t)other_bytes(g));
}

/* Pairs of nodes as [layer, layer], into an array of pairs. */
static bool add_pairs(const struct pare_engine *e, int (*pairs)[2], int n, int first_layer, int count, json_t *list)
{
    for (int i = 0; i < n; i++) {
        int layer[2] = {-1, -1};
        for (int l = first_layer; l < first_layer + count; l++) {
            for (int k = 0; k < 2; k++) {
                layer[k] = pare_engine_layer(e, l)->node == pairs[i][k] ? l : layer[k];
            }
        }
        if (layer[0] >= 0 && layer[1] >= 0 && json_array_append_new(list, json_pack("[i,i]", layer[0], layer[1])) != 0) {
            return false;
        }
    }
    return n >= 0;
}

/* Which layers of a stage meet: {"shared-inputs": [[l, l], ...], "residual": [...]}, added to meet. */
static enum pare_status add_meetings(const struct pare_engine *e, const struct pare_graph *g, int first_layer, int count, json_t *meet,
                                     struct pare_error *err)
{
    const int max = g->n_nodes + 1;
    int(*pairs)[2] = calloc((size_t)max, sizeof *pairs);
    bool ok = pairs != NULL &&
              add_pairs(e, pairs, pare_layer_shared_inputs(g, pairs, max), first_layer, count, json_object_get(meet, "shared-inputs")) &&
              add_pairs(e, pairs, pare_layer_residuals(g, pairs, max), first_layer, count, json_object_get(meet, "residual"));
    free(pairs);
    return ok ? PARE_OK : pare_error_nomem(err);
}

static enum pare_status add_stage(struct pare_engine *e, int s, json_t *stages, json_t *layers, json_t *meet,
                                  struct pare_hash *content, struct pare_error *err)
{
    const struct pare_stage *stage = &pare_engine_pipeline(e)->stages[s];
    const struct pare_graph *g = stage->graph;
    struct pare_file file;
    char hash[33];
    int first_layer, count;
    enum pare_status status = pare_file_open(stage->path, SIZE_MAX, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    pare_hash_bytes(file.data, file.size, hash);
    pare_file_close(&file);
    pare_hash_add_string(content, stage->name);
    pare_hash_add_string(content, hash);
    bool *sets = calloc(2 * (size_t)g->n_nodes + 2, sizeof *sets);
    if (sets == NULL) {
        return pare_error_nomem(err);
    }
    status = pare_layer_sets(g, sets, sets + g->n_nodes, err);
    json_array_append_new(stages, stage_json(stage, hash));
    pare_engine_stage_layers(e, s, &first_layer, &count);
    for (int l = first_layer; status == PARE_OK && l < first_layer + count; l++) {
        json_t *layer = layer_json(e, l, g, sets, sets + g->n_nodes, first_layer);
        const char *kept = kept_level(pare_engine_pipeline(e), pare_engine_layer(e, l)->name);
        if (kept[0] != '\0') {
            json_object_set_new(layer, "keep", json_string(kept));
        }
        if (json_array_append_new(layers, layer) != 0) {
            status = pare_error_nomem(err);
        }
    }
    free(sets);
    return status == PARE_OK ? add_meetings(e, g, first_layer, count, meet, err) : status;
}

static enum pare_status add_splits(struct pare_pipeline *p, json_t *splits, struct pare_hash *content,
                                   struct pare_error *err)
{
    for (int s = 0; s < PARE_SPLIT_COUNT && !p->bare; s++) {
        char hash[33];
        if (p->data_as_written[s] == NULL) {
            continue;
        }
        enum pare_status status = pare_pipeline_open_split(p, (enum pare_split)s, err);
        if (status == PARE_OK) {
            status = pare_dataset_hash(p->data[s], hash, err);
        }
        if (status == PARE_ERR_NOINPUT) {
            json_object_set_new(splits, pare_split_name((enum pare_split)s),
                                json_pack("{s:i, s:o}", "n", 0, "missing", safe_string(p->data_as_written[s])));
            continue; /* everything but accuracy works without it */
        }
        if (status != PARE_OK) {
            return status;
        }
        pare_hash_add_string(content, pare_split_name((enum pare_split)s));
        pare_hash_add_string(content, hash);
        json_object_set_new(splits, pare_split_name((enum pare_split)s),
                            json_pack("{s:i, s:s}", "n", pare_dataset_count(p->data[s]), "hash", hash));
    }
    return PARE_OK;
}

enum pare_status pare_work_describe(struct pare_worker *w, const json_t *params, json_t **result,
                                    struct pare_error *err)
{
    struct pare_engine *e;
    struct pare_hash content;
    char hash[33];
    pare_worker_set_cache(w, NULL, NULL); /* look at the files as they are now */
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status != PARE_OK || (status = pare_hash_init(&content)) != PARE_OK) {
        return status;
    }
    struct pare_pipeline *p = pare_engine_pipeline(e);
    json_t *stages = json_array(), *layers = json_array(), *splits = json_object(), *classes = json_array();
    json_t *meet = json_pack("{s:[], s:[]}", "shared-inputs", "residual"), *ties = json_array();
    pare_hash_add_string(&content, p->lua_hash != NULL ? p->lua_hash : "");
    pare_hash_add(&content, &(int){RESULTS_VERSION}, sizeof(int));
    for (int s = 0; status == PARE_OK && s < p->n_stages; s++) {
        status = add_stage(e, s, stages, layers, meet, &content, err);
        pare_worker_progress(w, s + 1, p->n_stages + 1);
    }
    if (status == PARE_OK) {
        status = add_splits(p, splits, &content, err);
    }
    for (int i = 0; p->classes != NULL && i < p->n_classes; i++) {
        json_array_append_new(classes, safe_string(p->classes[i]));
    }
    for (int i = 0; i < p->n_ties; i++) {
        json_array_append_new(ties, safe_string(p->ties[i]));
    }
    pare_hash_final(&content, hash);
    json_t *metrics = json_object();
    for (int i = 0; i < p->n_extra; i++) {
        json_object_set_new(metrics, p->extra[i].name, json_string(pare_metric_name(p->extra[i].scoring.kind)));
    }
    if (status == PARE_OK) {
        *result = json_pack("{s:o, s:b, s:o, s:O, s:O, s:O, s:O, s:s, s:s}", "name", safe_string(p->name), "bare",
                            (int)p->bare, "metric", p->metric != NULL ? safe_string(p->metric) : json_null(), "classes",
                            classes, "stages", stages, "layers", layers, "splits", splits, "content", hash, "isa",
                            pk_isa_name(pare_engine_isa(e)));
        json_object_set(*result, "metrics", metrics);
        json_object_set(*result, "meet", meet);
        json_object_set(*result, "tie", ties);
        if (p->quantize != NULL) {
            json_object_set_new(*result, "quantize", safe_string(p->quantize));
        }
        json_t *rows = p->rows != NULL ? json_loads(p->rows, JSON_DECODE_ANY, NULL) : NULL;
        if (rows != NULL) {
            json_object_set_new(*result, "rows", rows);
        }
    }
    json_decref(metrics);
    json_decref(meet);
    json_decref(ties);
    json_decref(stages);
    json_decref(layers);
    json_decref(splits);
    json_decref(classes);
    return status;
}
