/* plan.c: makes a plan, and gives access to its inputs, outputs and tensors. */
#include "exec/plan_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nothing of this network is opaque, and every shape is known. */
static enum pare_status check_graph(const struct pare_graph *g, struct pare_error *err)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct pare_node *n = &g->nodes[i];
        if (n->op == PARE_OP_UNKNOWN) {
            return pare_error(err, PARE_ERR_FORMAT, n->name, "operator %s cannot be run",
                              n->attr.op_name != NULL ? n->attr.op_name : "of an unknown kind");
        }
        for (int k = 0; k < n->n_in + n->n_out; k++) {
            const int t = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
            if (t >= 0 && pare_tensor_elements(&g->tensors[t]) < 0) {
                return pare_error(err, PARE_ERR_FORMAT, n->name,
                                  "the shape of tensor %s is not known", g->tensors[t].name);
            }
        }
    }
    return PARE_OK;
}

static enum pare_status copy_levels(struct pare_plan *p, const struct pare_level *levels,
                                    struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    bool all_fp32 = true;
    p->levels = pare_arena_array(&p->arena, (size_t)g->n_nodes + 1, sizeof *p->levels);
    if (p->levels == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        p->levels[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
        if (levels == NULL || !pare_node_is_layer(g, i)) {
            continue;
        }
        p->levels[i] = levels[i];
        if (levels[i].kind == PARE_LEVEL_INT && p->maker != NULL && pare_maker_real(p->maker, i, levels[i])) {
            p->levels[i].kind = PARE_LEVEL_SIMULATED; /* weights that no integer kernel takes */
        }
        if (levels[i].kind == PARE_LEVEL_FP32) {
            continue;
        }
        if (!plan_is_kernel_layer(g, i)) {
            return pare_error(err, PARE_ERR_USAGE, g->nodes[i].name,
                              "this layer (3-D, or with a computed bias) runs at fp32 only");
        }
        all_fp32 = false;
    }
    p->fuse = !(p->keep_all && all_fp32);
    return PARE_OK;
}

static enum pare_status allocate(struct pare_plan *p, struct pare_error *err)
{
    const size_t tensors = (size_t)p->graph->n_tensors + 1;
    p->float_class = pare_arena_array(&p->arena, tensors, 1);
    p->first_slot = pare_arena_array(&p->arena, tensors, sizeof *p->first_slot);
    p->dims = pare_arena_array(&p->arena, tensors, sizeof *p->dims);
    if (p->float_class == NULL || p->first_slot == NULL || p->dims == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < p->graph->n_tensors; i++) {
        p->first_slot[i] = -1;
        memcpy(p->dims[i], p->graph->tensors[i].dims, sizeof p->dims[i]);
    }
    return PARE_OK;
}

static enum pare_status make(struct pare_plan *p, const struct pare_plan_options *options,
                             struct pare_error *err)
{
    enum pare_status status = check_graph(p->graph, err);
    if (status == PARE_OK) {
        status = copy_levels(p, options->levels, err);
    }
    if (status == PARE_OK) {
        status = allocate(p, err);
    }
    if (status == PARE_OK) {
        status = plan_make_groups(p, err);
    }
    if (status == PARE_OK) {
        status = plan_share_ranges(p, err);
    }
    if (status == PARE_OK) {
        plan_classify(p);
        status = plan_make_slots(p, err);
    }
    if (status == PARE_OK) {
        status = plan_make_steps(p, err);
    }
    if (status == PARE_OK) {
        status = plan_alias_slots(p, err);
    }
    if (status == PARE_OK) {
        status = plan_make_bands(p, err);
    }
    if (status == PARE_OK) {
        status = plan_place_memory(p, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    plan_bind_steps(p);
    p->mark = pare_arena_array(&p->arena, (size_t)p->n_steps + 1, 1);
    p->needed = pare_arena_array(&p->arena, (size_t)p->n_slots + 1, 1);
    return p->mark != NULL && p->needed != NULL ? PARE_OK : pare_error_nomem(err);
}

enum pare_status pare_plan_new(const struct pare_graph *g, const struct pare_plan_options *options,
                               struct pare_plan **plan, struct pare_error *err)
{
    *plan = NULL;
    struct pare_plan *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return pare_error_nomem(err);
    }
    p->graph = g;
    p->calibration = options->calibration;
    p->carrier = options->carrier;
    p->isa = options->isa;
    p->maker = options->maker;
    p->room = options->room;
    p->keep_all = options->keep_all;
    p->band_bytes = options->band_bytes;
    p->cache = options->cache != NULL ? options->cache : &p->own_cache;
    enum pare_status status = make(p, options, err);
    if (status != PARE_OK) {
        pare_plan_free(p);
        return status;
    }
    *plan = p;
    return PARE_OK;
}

void pare_plan_free(struct pare_plan *p)
{
    if (p == NULL) {
        return;
    }
    plan_weights_clear(p);
    pare_arena_clear(&p->arena);
    free(p->slots);
    free(p->steps);
    if (p->room == NULL || p->block != p->room->memory) {
        free(p->block);
    }
    free(p);
}

void pare_plan_memory(const struct pare_plan *p, size_t *activations, size_t *weights)
{
    *activations = p->block_bytes;
    *weights = p->weight_bytes;
}

/* ---- inputs, outputs, tensors ---- */

static const struct pare_grid grid_f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};

/* float <-> the integers of a tensor that is no real number; values outside the type go to its
 * ends. */
static double limit(double v, double lo, double hi)
{
    return v > lo ? (v < hi ? v : hi) : lo;
}

static bool store_integers(enum pare_dtype dtype, const float *x, size_t n, void *data)
{
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        switch (dtype) {
        case PARE_I8:
            ((int8_t *)data)[i] = (int8_t)limit(v, -128, 127);
            break;
        case PARE_U8:
            ((uint8_t *)data)[i] = (uint8_t)limit(v, 0, 255);
            break;
        case PARE_BOOL:
            ((uint8_t *)data)[i] = x[i] != 0.0f;
            break;
        case PARE_I16:
            ((int16_t *)data)[i] = (int16_t)limit(v, INT16_MIN, INT16_MAX);
            break;
        case PARE_U16:
            ((uint16_t *)data)[i] = (uint16_t)limit(v, 0, UINT16_MAX);
            break;
        case PARE_I32:
            ((int32_t *)data)[i] = (int32_t)limit(v, INT32_MIN, INT32_MAX);
            break;
        case PARE_U32:
            ((uint32_t *)data)[i] = (uint32_t)limit(v, 0, UINT32_MAX);
            break;
        case PARE_I64:
            ((int64_t *)data)[i] = (int64_t)limit(v, -9e18, 9e18);
            break;
        case PARE_U64:
            ((uint64_t *)data)[i] = (uint64_t)limit(v, 0, 1.8e19);
            break;
        default:
            return false;
        }
    }
    return true;
}

static bool load_integers(enum pare_dtype dtype, const void *data, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        switch (dtype) {
        case PARE_I8:
            x[i] = ((const int8_t *)data)[i];
            break;
        case PARE_U8:
        case PARE_BOOL:
            x[i] = ((const uint8_t *)data)[i];
            break;
        case PARE_I16:
            x[i] = ((const int16_t *)data)[i];
            break;
        case PARE_U16:
            x[i] = ((const uint16_t *)data)[i];
            break;
        case PARE_I32:
            x[i] = (float)((const int32_t *)data)[i];
            break;
        case PARE_U32:
            x[i] = (float)((const uint32_t *)data)[i];
            break;
        case PARE_I64:
            x[i] = (float)((const int64_t *)data)[i];
            break;
        case PARE_U64:
            x[i] = (float)((const uint64_t *)data)[i];
            break;
        default:
            return false;
        }
    }
    return true;
}

enum pare_status pare_plan_set_input(struct pare_plan *p, int i, const float *data,
                                     size_t n_elements, struct pare_error *err)
{
    const int tensor = i >= 0 && i < p->graph->n_inputs ? p->graph->inputs[i] : -1;
    if (tensor < 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "the network has %d inputs, not input %d",
                          p->graph->n_inputs, i);
    }
    const struct pare_tensor *t = &p->graph->tensors[tensor];
    struct plan_slot *s = &p->slots[plan_slot_find(p, tensor, &grid_f32)];
    if ((int64_t)n_elements != s->elements) {
        char shape[128];
        pare_tensor_shape_text(t, shape, sizeof shape);
        return pare_error(err, PARE_ERR_USAGE, t->name, "input takes %s, %zu numbers were given",
                          shape, n_elements);
    }
    p->has_run = false;
    if (plan_is_real(p->graph, tensor)) {
        memcpy(s->data, data, n_elements * sizeof *data);
        return PARE_OK;
    }
    return store_integers(t->dtype, data, n_elements, s->data)
               ? PARE_OK
               : pare_error(err, PARE_ERR_FORMAT, t->name, "%s inputs cannot be given",
                            pare_dtype_name(t->dtype));
}

void pare_plan_output_shape(const struct pare_plan *p, int i, int *rank,
                            int64_t dims[PARE_MAX_RANK])
{
    const int tensor = p->graph->outputs[i];
    *rank = p->graph->tensors[tensor].rank;
    memcpy(dims, p->dims[tensor], sizeof p->dims[tensor]);
}

/* The slot that speaks for a tensor: fp32 where there is one, else the carrier's, else the finest
 * codes. */
static int best_slot(const struct pare_plan *p, int tensor)
{
    const struct pare_grid carrier = plan_carrier(p, tensor);
    int slot = plan_slot_find(p, tensor, &grid_f32);
    slot = slot >= 0 ? slot : plan_slot_find(p, tensor, &carrier);
    for (int s = p->first_slot[tensor]; slot < 0 && s >= 0; s = p->slots[s].next) {
        slot = slot < 0 || p->slots[s].grid.form == PARE_FORM_F16 ||
                       p->slots[s].grid.bits > p->slots[slot].grid.bits
                   ? s
                   : slot;
    }
    return slot;
}

static enum pare_status read_slot(const struct pare_plan *p, int slot, float *data, size_t n,
                                  struct pare_error *err)
{
    const struct plan_slot *s = &p->slots[slot];
    if (plan_is_real(p->graph, s->tensor)) {
        struct plan_slot to = *s; /* a dense float copy of the slot's rows */
        to.dtype = PARE_F32;
        to.grid = grid_f32;
        to.pitch = to.row;
        to.elements = (int64_t)n;
        to.data = (unsigned char *)data;
        struct plan_slot from = *s;
        from.elements = (int64_t)n;
        plan_convert(p, &from, &to);
        return PARE_OK;
    }
    return load_integers(s->dtype, s->data, n, data)
               ? PARE_OK
               : pare_error(err, PARE_ERR_FORMAT, p->graph->tensors[s->tensor].name,
                            "%s tensors cannot be read as numbers", pare_dtype_name(s->dtype));
}

/* Elements of a tensor in the last run. */
static size_t elements_now(const struct pare_plan *p, int tensor)
{
    struct pare_tensor t = p->graph->tensors[tensor];
    memcpy(t.dims, p->dims[tensor], sizeof t.dims);
    const int64_t n = pare_tensor_elements(&t);
    return n > 0 ? (size_t)n : 0;
}

static enum pare_status read_tensor(struct pare_plan *p, int tensor, int slot, float *data,
                                    size_t n_elements, struct pare_error *err)
{
    const struct pare_tensor *t = &p->graph->tensors[tensor];
    if ((int64_t)n_elements != pare_tensor_elements(t)) {
        return pare_error(err, PARE_ERR_USAGE, t->name,
                          "the tensor has %lld elements, %zu were asked for",
                          (long long)pare_tensor_elements(t), n_elements);
    }
    const size_t now = elements_now(p, tensor) < n_elements ? elements_now(p, tensor) : n_elements;
    memset(data + now, 0, (n_elements - now) * sizeof *data);
    return read_slot(p, slot, data, now, err);
}

enum pare_status pare_plan_get_output(struct pare_plan *p, int i, float *data, size_t n_elements,
                                      struct pare_error *err)
{
    if (i < 0 || i >= p->graph->n_outputs) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "the network has %d outputs, not output %d",
                          p->graph->n_outputs, i);
    }
    if (!p->has_run) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "outputs are read after a run");
    }
    const int tensor = p->graph->outputs[i];
    const struct pare_grid carrier = plan_carrier(p, tensor);
    return read_tensor(p, tensor, plan_slot_find(p, tensor, &carrier), data, n_elements, err);
}

/* Can this slot still be read after a run? */
static bool readable(const struct pare_plan *p, int slot)
{
    return slot >= 0 && (p->slots[slot].pinned || p->slots[slot].constant);
}

enum pare_status pare_plan_read_tensor(struct pare_plan *p, int tensor, float *data,
                                       size_t n_elements, struct pare_error *err)
{
    if (tensor < 0 || tensor >= p->graph->n_tensors) {
        return pare_error(err, PARE_ERR_INTERNAL, NULL, "no tensor %d", tensor);
    }
    const struct pare_tensor *t = &p->graph->tensors[tensor];
    if (t->data != NULL && plan_is_real(p->graph, tensor) &&
        (int64_t)n_elements == pare_tensor_elements(t)) {
        return pare_tensor_const_f32(t, data, err);
    }
    int slot = best_slot(p, tensor);
    for (int s = p->first_slot[tensor]; !readable(p, slot) && s >= 0; s = p->slots[s].next) {
        slot = s;
    }
    if (!p->has_run || !readable(p, slot)) {
        return pare_error(err, PARE_ERR_USAGE, t->name, "this tensor is not kept by the plan");
    }
    return read_tensor(p, tensor, slot, data, n_elements, err);
}

const void *pare_plan_raw_tensor(struct pare_plan *p, int tensor, struct pare_grid *grid)
{
    int slot = best_slot(p, tensor);
    for (int s = p->first_slot[tensor]; s >= 0; s = p->slots[s].next) {
        /* codes say most about what the plan does */
        slot = p->slots[s].grid.form == PARE_FORM_CODES && readable(p, s) ? s : slot;
    }
    if (!readable(p, slot) || p->slots[slot].pitch != p->slots[slot].row) {
        return NULL;
    }
    *grid = p->slots[slot].grid;
    return p->slots[slot].data;
}

/* ---- steps ---- */

int pare_plan_step_count(const struct pare_plan *p)
{
    return p->n_steps;
}

void pare_plan_step_info(const struct pare_plan *p, int step, struct pare_step_info *info)
{
    const struct plan_step *s = &p->steps[step];
    *info = (struct pare_step_info){s->node, s->kernel, s->level, s->is_layer};
}

bool pare_plan_step_work(const struct pare_plan *p, int step, int call, struct pare_step_work *work)
{
    const struct plan_step *s = &p->steps[step];
    if (s->kind != PLAN_STEP_LAYER || call >= s->layer->n_calls) {
        return false;
    }
    const struct plan_call_weights *w = s->layer->calls[call].weights;
    *work = (struct pare_step_work){.n_calls = s->layer->n_calls, .batch = s->layer->batch, .conv = &w->conv,
                                    .family = w->family, .kernel = w->kernel,
                                    .weight_bytes = w->packed_bytes};
    for (int i = 0; i < s->n_out; i++) {
        work->out_bytes += pare_dtype_bits(p->slots[s->out[i]].dtype) / 8;
    }
    return true;
}
