/*
 * plan_layer.c: one layer: its geometry for the kernels, and its epilogue.
 *
 * Integer levels, in this order, in float32 (x: input grid, w: weights of the channel, y: output
 * grid): s = s_x * s_w                          real value of one unit of the accumulator r = bias
 * + offset_x * (s_w * (float)(sum of codes - k * zero_w))   (offset_x: one-bit grids only) without
 * successors    m = s / s_y,  b = (r - offset_y) / s_y;  clamps become the bounds of the output
 *   with successors       t = fmaf(acc, s / v, r / v), each successor in order, then (t - offset_y / v) * (v / s_y), where
 * v is the scale of the 8-bit grid that the result is carried on, if it is and all successors commute with a factor (then
 * reals that they add or clamp to are divided by v too), else 1. It depends on the layer alone, not on who asks for what.
 * In the int32 accumulator: -zero_x * (sum of codes - k * zero_w), and the file's own int32
 * bias where input and weights both are on the file's grids (then bias is 0 above). Float levels: t
 * = sum + bias, the successors, and for codes (t - offset_y) * (1 / s_y) of the float32 value, so
 * that codes are the same whether t was stored in between or not.
 *
 * Integer levels with scales for groups of input channels: acc and s per group g, each with its own zero points in the
 * accumulator; t = fmaf(acc_0, s_0, r), t = fmaf(acc_g, s_g, t) for g = 1, 2, ..., then as with successors. r adds the
 * groups' offset_x terms to the bias in the same order. t waits in a float32 plane between the groups.
 */
#include "exec/plan_parts.h"

#include <math.h>
#include <string.h>

static int axis_or_one(const struct pare_tensor *t, int axis, int n_spatial)
{
    /* a 1-D picture is one row */
    const int at = n_spatial == 2 ? 1 + axis : axis == 0 ? -1 : 1;
    return at < 0 ? 1 : (int)t->dims[at];
}

void plan_layer_geometry(const struct pare_graph *g, int node, struct pk_conv *c, int64_t *batch)
{
    const struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *x = &g->tensors[n->in[0]], *w = &g->tensors[n->in[1]],
                             *y = &g->tensors[n->out[0]];
    memset(c, 0, sizeof *c);
    c->in_h = c->in_w = c->out_h = c->out_w = c->kernel_h = c->kernel_w = 1;
    c->stride_h = c->stride_w = c->dilation_h = c->dilation_w = c->groups = 1;
    *batch = 1;
    c->out_c = (int)pare_node_out_channels(g, node);
    if (n->op == PARE_OP_FULLY_CONNECTED) {
        c->in_c = (int)w->dims[1];
        c->in_w = c->out_w = (int)(pare_tensor_elements(x) / w->dims[1]);
        return;
    }
    const struct pare_window *win = &n->attr.window;
    const int spatial = win->n_spatial, last = spatial - 1;
    *batch = x->dims[0];
    c->in_c = (int)x->dims[x->rank - 1];
    c->groups = n->op == PARE_OP_DEPTHWISE ? c->in_c : n->attr.groups;
    c->in_h = axis_or_one(x, 0, spatial);
    c->in_w = axis_or_one(x, 1, spatial);
    c->out_h = axis_or_one(y, 0, spatial);
    c->out_w = axis_or_one(y, 1, spatial);
    c->kernel_w = win->kernel[last];
    c->stride_w = win->stride[last];
    c->dilation_w = win->dilation[last];
    c->pad_left = win->pad_before[last];
    if (spatial == 2) {
        c->kernel_h = win->kernel[0];
        c->stride_h = win->stride[0];
        c->dilation_h = win->dilation[0];
        c->pad_top = win->pad_before[0];
    }
}

void pare_layer_geometry(const struct pare_graph *g, int node, struct pk_conv *c, int64_t *batch)
{
    plan_layer_geometry(g, node, c, batch);
    if (g->nodes[node].op == PARE_OP_CONV_TRANSPOSE) {
        c->out_h = c->in_h;
        c->out_w = c->in_w;
    }
}

/* ---- scales and biases ---- */

/* Is the file's int32 bias in units of this input's and the weights' scales? */
static bool bias_is_imported(const struct pare_plan *p, int node, const struct pare_grid *x)
{
    const struct pare_node *n = &p->graph->nodes[node];
    struct pare_grid file;
    return n->n_in > 2 && n->in[2] >= 0 && p->graph->tensors[n->in[2]].dtype == PARE_I32 &&
           pare_tensor_elements(&p->graph->tensors[n->in[2]]) ==
               pare_node_out_channels(p->graph, node) &&
           pare_weights_imported(p->graph, node, p->levels[node].w_bits) &&
           plan_file_grid(p->graph, n->in[0], &file) && pare_grid_equal(&file, x);
}

/* int32 part of one call: zero points, and the imported bias. */
static enum pare_status integer_bias(struct pare_plan *p, int node, const struct pare_grid *x,
                                     const struct plan_weights *w,
                                     const struct plan_call_weights *cw, struct pk_epilogue *e,
                                     struct pare_error *err)
{
    int32_t *bias = pare_arena_array(&p->arena, (size_t)w->channels, sizeof *bias);
    if (bias == NULL) {
        return pare_error_nomem(err);
    }
    const int32_t *file =
        bias_is_imported(p, node, x) ? p->graph->tensors[p->graph->nodes[node].in[2]].data : NULL;
    const int w_bits = p->levels[node].w_bits;
    int64_t most = 0;
    for (int64_t c = 0; c < w->channels; c++) {
        const int64_t zero_w = cw->zero_point != NULL ? cw->zero_point[c] : 0;
        const int64_t value =
            -(int64_t)x->zero * (cw->sum[c] - cw->k * zero_w) + (file != NULL ? file[c] : 0);
        if (value > INT32_MAX || value < INT32_MIN) {
            return pare_error(err, PARE_ERR_FORMAT, p->graph->nodes[node].name,
                              "the bias of channel %lld does not fit 32 bits", (long long)c);
        }
        bias[c] = (int32_t)value;
        most = llabs(value) > most ? llabs(value) : most;
    }
    e->bias_i32 = most > 0 ? bias : NULL;
    e->weight_zero = cw->zero_point;
    /* codes of x are at most 255, of weights 2^(bits - 1); a little more for the rounding to float */
    most += cw->k * 255 * (w_bits > 1 && w_bits <= 8 ? 1 << (w_bits - 1) : w_bits == 1 ? 1 : 128);
    e->sum_most = cw->zero_point == NULL && most < INT32_MAX ? (float)most * 1.0001f : 0.0f;
    return PARE_OK;
}

/* s and r of every channel (see the top); r is of the first group's call. */
static enum pare_status real_scales(struct pare_plan *p, int node, const struct pare_grid *x,
                                    const struct plan_weights *w,
                                    const struct plan_call_weights *cw, int of_part, float **s, float **r,
                                    struct pare_error *err)
{
    *s = pare_arena_array(&p->arena, (size_t)w->channels, sizeof **s);
    *r = pare_arena_array(&p->arena, (size_t)w->channels, sizeof **r);
    if (*s == NULL || *r == NULL) {
        return pare_error_nomem(err);
    }
    if (x->form != PARE_FORM_CODES || !bias_is_imported(p, node, x)) {
        enum pare_status status = pare_bias_f32(p->graph, node, *r, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    for (int64_t c = 0; w->correction != NULL && c < w->channels; c++) {
        (*r)[c] += w->correction[c];
    }
    for (int64_t c = 0; x->form == PARE_FORM_CODES && c < w->channels; c++) {
        (*s)[c] = x->scale * cw->scale[c];
        for (int part = 0; x->offset != 0.0f && of_part == 0 && part < w->n_parts; part++) {
            const struct plan_call_weights *g = cw + part * (w->n_calls / w->n_parts);
            const int64_t zero_w = g->zero_point != NULL ? g->zero_point[c] : 0;
            (*r)[c] = (*r)[c] + x->offset * (g->scale[c] * (float)(g->sum[c] - g->k * zero_w));
        }
    }
    return PARE_OK;
}

/* The unit v of the values between a layer and its outputs, see the top. */
static float unit_of(const struct pare_plan *p, const struct plan_step *step, const struct plan_successors *after)
{
    const struct pare_grid carrier = plan_carrier(p, p->groups[p->group_of[step->node]].tail);
    bool scales = carrier.form == PARE_FORM_CODES && step->layer->weights->n_parts == 1 && !after->only_clamps;
    for (int i = 0; i < after->n_steps && scales; i++) {
        switch (after->steps[i].op) {
        case PK_STEP_CLAMP:
        case PK_STEP_PRELU:
        case PK_STEP_LEAKY:
        case PK_STEP_MUL_VEC:
        case PK_STEP_MUL_TENSOR:
            break;
        case PK_STEP_ADD_TENSOR:
        case PK_STEP_SUB_TENSOR:
        case PK_STEP_RSUB_TENSOR:
            scales = after->steps[i].type == PK_U8;
            break;
        default:
            scales = false;
        }
    }
    return scales ? carrier.scale : 1.0f;
}

/* Real values of the steps in units of v. */
static void scale_steps(struct plan_call *call, float v)
{
    for (int i = 0; i < call->epilogue.n_steps; i++) {
        struct pk_step *s = &call->steps[i];
        if (s->op == PK_STEP_CLAMP) {
            s->a /= v;
            s->b /= v;
        } else if (s->op == PK_STEP_ADD_TENSOR || s->op == PK_STEP_SUB_TENSOR || s->op == PK_STEP_RSUB_TENSOR) {
            s->scale /= v;
            s->offset /= v;
        }
    }
}

/* One output without successors. s is NULL for float layers. */
static enum pare_status plain_out(struct pare_plan *p, const struct pare_grid *y, const float *s,
                                  const float *r, int64_t channels,
                                  const struct plan_successors *after, struct pk_out *out,
                                  struct pare_error *err)
{
    out->m = s;
    out->b = r;
    out->inv_scale = 1.0f;
    out->lo = after->lo;
    out->hi = after->hi;
    if (y->form != PARE_FORM_CODES) {
        return PARE_OK;
    }
    float *m = pare_arena_array(&p->arena, (size_t)channels, sizeof *m);
    float *b = pare_arena_array(&p->arena, (size_t)channels, sizeof *b);
    if (m == NULL || b == NULL) {
        return pare_error_nomem(err);
    }
    for (int64_t c = 0; c < channels; c++) {
        m[c] = s[c] / y->scale;
        b[c] = (r[c] - y->offset) / y->scale;
    }
    const float lo = (after->lo - y->offset) / y->scale, hi = (after->hi - y->offset) / y->scale;
    const float least = (float)-y->zero, most = (float)((1 << y->bits) - 1 - y->zero);
    out->m = m;
    out->b = b;
    out->zero = y->zero;
    out->lo = lo > least ? lo : least;
    out->hi = hi < most ? hi : most;
    /* a clamp wholly outside the grid gives the grid's end */
    out->lo = out->lo < most ? out->lo : most;
    out->hi = out->hi > least ? out->hi : least;
    return PARE_OK;
}

static void stepped_out(const struct pare_grid *y, float v, struct pk_out *out)
{
    const bool codes = y->form == PARE_FORM_CODES;
    out->inv_scale = codes ? v / y->scale : v;
    out->offset = codes ? y->offset / v : 0.0f;
    out->zero = codes ? y->zero : 0;
    out->lo = codes ? (float)-y->zero : -INFINITY;
    out->hi = codes ? (float)((1 << y->bits) - 1 - y->zero) : INFINITY;
}

/* The steps of an epilogue: with `add` the group's product with what the groups before have summed, then `after`. */
static enum pare_status make_steps(struct pare_plan *p, const struct plan_successors *after, const float *add,
                                   int64_t channels, struct plan_call *call, struct pare_error *err)
{
    struct pk_epilogue *e = &call->epilogue;
    const int before = add != NULL ? 1 : 0, rest = after != NULL ? after->n_steps : 0;
    e->n_steps = before + rest > 0 ? before + rest : 1;
    call->steps = pare_arena_array(&p->arena, (size_t)e->n_steps, sizeof *call->steps);
    if (call->steps == NULL) {
        return pare_error_nomem(err);
    }
    call->steps[0] = add != NULL ? (struct pk_step){.op = PK_STEP_FMA_TENSOR, .vec = add, .pitch = channels, .type = PK_F32}
                                 : (struct pk_step){.op = PK_STEP_CLAMP, .a = -INFINITY, .b = INFINITY};
    if (rest > 0) {
        memcpy(call->steps + before, after->steps, (size_t)rest * sizeof *call->steps);
    }
    e->steps = call->steps;
    return PARE_OK;
}

/* A group's call but the last: t to the plane of sums. */
static enum pare_status make_partial(struct pare_plan *p, int64_t channels, const float *s, const float *r,
                                     struct plan_call *call, struct pare_error *err)
{
    struct pk_out *out = pare_arena_array(&p->arena, 1, sizeof *out);
    if (out == NULL) {
        return pare_error_nomem(err);
    }
    *out = (struct pk_out){.type = PK_F32, .pitch = channels, .m = s, .b = r, .inv_scale = 1.0f, .lo = -INFINITY, .hi = INFINITY};
    call->partial = true;
    call->outs = out;
    call->epilogue.n_outs = 1;
    call->epilogue.outs = out;
    return call->adds ? make_steps(p, NULL, s, channels, call, err) : PARE_OK;
}

/* The outputs of a layer's (last) call. s is NULL for float layers; v: their unit, which s and r are in. */
static enum pare_status make_outs(struct pare_plan *p, struct plan_step *step, struct plan_call *call, const float *s,
                                  const float *r, float v, const struct plan_successors *after, struct pare_error *err)
{
    const int64_t channels = step->layer->weights->channels;
    enum pare_status status = PARE_OK;
    call->outs = pare_arena_array(&p->arena, (size_t)step->n_out, sizeof *call->outs);
    if (call->outs == NULL) {
        return pare_error_nomem(err);
    }
    bool codes_out = false;
    for (int i = 0; i < step->n_out; i++) {
        codes_out = codes_out || p->slots[step->out[i]].grid.form == PARE_FORM_CODES;
    }
    const bool plain = after->only_clamps && (s != NULL || !codes_out) && !call->adds;
    for (int i = 0; status == PARE_OK && i < step->n_out; i++) {
        const struct plan_slot *to = &p->slots[step->out[i]];
        struct pk_out *out = &call->outs[i];
        out->type = to->dtype == PARE_U8 ? PK_U8 : to->dtype == PARE_F16 ? PK_F16 : PK_F32;
        if (plain) {
            status = plain_out(p, &to->grid, s, r, channels, after, out, err);
        } else {
            stepped_out(&to->grid, v, out);
        }
    }
    call->epilogue.n_outs = step->n_out;
    call->epilogue.outs = call->outs;
    if (status != PARE_OK || plain) {
        return status;
    }
    status = make_steps(p, after, call->adds ? s : NULL, channels, call, err);
    if (status == PARE_OK && v != 1.0f) {
        scale_steps(call, v);
    }
    return status;
}

static enum pare_status make_call(struct pare_plan *p, struct plan_step *step,
                                  struct plan_call *call, int part, const struct plan_successors *after,
                                  struct pare_error *err)
{
    const struct plan_weights *w = step->layer->weights;
    const struct pare_grid *x = &p->slots[step->in[0]].grid;
    const bool integer = x->form == PARE_FORM_CODES;
    struct pk_epilogue *e = &call->epilogue;
    float *s, *r;
    enum pare_status status = real_scales(p, step->node, x, w, call->weights, part, &s, &r, err);
    if (status == PARE_OK && integer) {
        status = integer_bias(p, step->node, x, w, call->weights, e, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    const float v = integer ? unit_of(p, step, after) : 1.0f;
    for (int64_t c = 0; v != 1.0f && c < w->channels; c++) {
        s[c] /= v;
        r[c] /= v;
    }
    call->adds = part > 0; /* then t = (float)acc, and the first step is what adds */
    e->m = integer && !call->adds ? s : NULL;
    e->b = call->adds ? NULL : r;
    return part < w->n_parts - 1 ? make_partial(p, w->channels, s, r, call, err)
                                 : make_outs(p, step, call, integer ? s : NULL, r, v, after, err);
}

/* ---- the layer ---- */

static enum pare_status check_overflow(const struct pare_plan *p, const struct plan_step *step,
                                       struct pare_error *err)
{
    const struct plan_weights *w = step->layer->weights;
    const struct pare_grid *x = &p->slots[step->in[0]].grid;
    for (int i = 0; x->form == PARE_FORM_CODES && i < w->n_calls; i++) {
        const int64_t largest = (1 << x->bits) - 1;
        if ((double)w->calls[i].k * (double)largest * (double)w->max_code >= 2147483648.0) {
            return pare_error(err, PARE_ERR_FORMAT, p->graph->nodes[step->node].name,
                              "%lld products of up to %lld * %d could overflow a 32-bit sum",
                              (long long)w->calls[i].k, (long long)largest, w->max_code);
        }
    }
    return PARE_OK;
}

/* Scratch: the kernel's, and for a transposed convolution one plane per output. */
static enum pare_status layer_scratch(struct pare_plan *p, struct plan_step *step,
                                      struct pare_error *err)
{
    struct plan_layer *layer = step->layer;
    size_t planes = 0, sums = 0, input = 0;
    for (int i = 0; i < layer->n_calls; i++) {
        const struct pk_conv *c = &layer->calls[i].weights->conv;
        const size_t own = layer->calls[i].weights->kernel->scratch_size(c);
        layer->kernel_scratch = own > layer->kernel_scratch ? own : layer->kernel_scratch;
        const size_t plane = (size_t)c->out_h * (size_t)c->out_w * (size_t)c->out_c * sizeof(float);
        planes = layer->transposed && plane > planes ? plane : planes;
        if (layer->weights->n_parts > 1) {
            const size_t codes = (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
            sums = plane > sums ? plane : sums;
            input = codes > input ? codes : input;
        }
    }
    layer->kernel_scratch = (layer->kernel_scratch + 63) & ~(size_t)63;
    layer->plane_bytes = (planes + 63) & ~(size_t)63;
    layer->sums_bytes = (sums + 63) & ~(size_t)63;
    layer->round_at = (layer->kernel_scratch + layer->plane_bytes * (size_t)step->n_out + layer->sums_bytes + input + 63) & ~(size_t)63;
    const size_t rounded = layer->round.form == PARE_FORM_CODES ? (size_t)layer->in_image * sizeof(float) : 0;
    const size_t all = rounded > 0 ? layer->round_at + rounded
                                   : layer->kernel_scratch + layer->plane_bytes * (size_t)step->n_out + layer->sums_bytes + input;
    if (all > 0) {
        step->scratch = plan_scratch_add(p, all);
        return step->scratch >= 0 ? PARE_OK : pare_error_nomem(err);
    }
    return PARE_OK;
}

enum pare_status plan_layer_make(struct pare_plan *p, struct plan_step *step,
                                 struct pare_error *err)
{
    struct plan_layer *layer = step->layer;
    const struct plan_group *group = &p->groups[p->group_of[step->node]];
    struct pk_conv conv;
    plan_layer_geometry(p->graph, step->node, &conv, &layer->batch);
    enum pare_status status = plan_weights_get(p, step->node, &p->slots[step->in[0]].grid, &layer->weights, err);
    if (status == PARE_OK) {
        status = check_overflow(p, step, err);
    }
    struct plan_successors after = {0};
    if (status == PARE_OK) {
        status = plan_make_successors(p, step, group, &after, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    status = plan_layer_round_grid(p, step->node, &layer->round, err);
    if (status != PARE_OK) {
        return status;
    }
    step->kernel = layer->weights->calls[0].kernel->name;
    layer->pad_code = pare_grid_pad_code(&p->slots[step->in[0]].grid);
    layer->in_image = (int64_t)conv.in_h * conv.in_w * conv.in_c;
    layer->out_image = (int64_t)conv.out_h * conv.out_w; /* pixels */
    layer->transposed = p->graph->nodes[step->node].op == PARE_OP_CONV_TRANSPOSE;
    layer->out_h = conv.out_h;
    layer->out_w = conv.out_w;
    layer->out_c = conv.out_c;
    layer->stride_h = conv.stride_h;
    layer->stride_w = conv.stride_w;
    layer->n_calls = layer->weights->n_calls;
    layer->calls = pare_arena_array(&p->arena, (size_t)layer->n_calls, sizeof *layer->calls);
    if (layer->calls == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; status == PARE_OK && i < layer->n_calls; i++) {
        layer->calls[i].weights = &layer->weights->calls[i];
        p->weight_bytes += layer->weights->calls[i].packed_bytes;
        status = make_call(p, step, &layer->calls[i], i / (layer->n_calls / layer->weights->n_parts), &after, err);
    }
    return status == PARE_OK ? layer_scratch(p, step, err) : status;
}

unsigned char *plan_layer_sums(const struct pare_plan *p, const struct plan_step *step)
{
    return p->slots[step->scratch].data + step->layer->kernel_scratch + step->layer->plane_bytes * (size_t)step->n_out;
}

static void bind_call(struct pare_plan *p, struct plan_step *step, struct plan_call *call)
{
    struct plan_layer *layer = step->layer;
    const int before = call->adds ? 1 : 0;
    if (call->adds) {
        call->steps[0].operand = plan_layer_sums(p, step);
    }
    if (call->partial) {
        call->outs[0].data = plan_layer_sums(p, step);
        return;
    }
    for (int k = 0; k < layer->n_steps && call->steps != NULL; k++) {
        if (layer->operand[k] >= 0) {
            call->steps[before + k].operand = p->slots[layer->operand[k]].data;
            call->steps[before + k].pitch = p->slots[layer->operand[k]].pitch;
        }
    }
    for (int k = 0; k < step->n_out; k++) {
        const struct plan_slot *to = &p->slots[step->out[k]];
        call->outs[k].data = to->data;
        call->outs[k].pitch = to->pitch;
        if (layer->transposed) {
            call->outs[k].data = p->slots[step->scratch].data + layer->kernel_scratch +
                                 layer->plane_bytes * (size_t)k;
            call->outs[k].pitch = layer->out_c;
        }
    }
}

void plan_layer_bind(struct pare_plan *p, struct plan_step *step)
{
    for (int i = 0; i < step->layer->n_calls; i++) {
        bind_call(p, step, &step->layer->calls[i]);
    }
}
