/* run.c: runs the steps of a plan. Allocates nothing. */
#include "exec/plan_parts.h"
#include "pk_ops.h"

#include <math.h>
#include <string.h>
#include <time.h>

void plan_load_f32(enum pk_isa isa, const struct plan_slot *s, const void *data, size_t n, float *x)
{
    switch (s->dtype) {
    case PARE_F32:
        memcpy(x, data, n * sizeof *x);
        break;
    case PARE_F16:
        pk_f16_to_f32(isa, data, n, x);
        break;
    default:
        pk_dequantize_u8(isa, data, n, s->grid.scale, s->grid.offset, s->grid.zero, x);
        break;
    }
}

void plan_store_f32(enum pk_isa isa, const struct plan_slot *s, const float *x, size_t n,
                    void *data)
{
    const struct pare_grid *g = &s->grid;
    switch (s->dtype) {
    case PARE_F32:
        memcpy(data, x, n * sizeof *x);
        break;
    case PARE_F16:
        pk_f32_to_f16(isa, x, n, data);
        break;
    default:
        pk_quantize_u8(isa, x, n, 1.0f / g->scale, g->offset, g->zero, (float)-g->zero,
                       (float)((1 << g->bits) - 1 - g->zero), data);
        break;
    }
}

/* ---- conversions ---- */

static size_t element_bytes(const struct plan_slot *s)
{
    return (size_t)pare_dtype_bits(s->dtype) / 8;
}

static bool same_form(const struct plan_slot *a, const struct plan_slot *b)
{
    return a->dtype == b->dtype && (a->dtype != PARE_U8 || pare_grid_equal(&a->grid, &b->grid));
}

/* n consecutive elements from one form to another. */
static void convert_run(enum pk_isa isa, const struct plan_slot *from, const unsigned char *src,
                        const struct plan_slot *to, unsigned char *dst, size_t n)
{
    if (same_form(from, to)) {
        memmove(dst, src, n * element_bytes(to));
        return;
    }
    if (from->dtype == PARE_F32) {
        plan_store_f32(isa, to, (const float *)(const void *)src, n, dst);
        return;
    }
    if (to->dtype == PARE_F32) {
        plan_load_f32(isa, from, src, n, (float *)(void *)dst);
        return;
    }
    float part[256];
    for (size_t i = 0; i < n; i += 256) {
        const size_t count = n - i < 256 ? n - i : 256;
        plan_load_f32(isa, from, src + i * element_bytes(from), count, part);
        plan_store_f32(isa, to, part, count, dst + i * element_bytes(to));
    }
}

static bool dense(const struct plan_slot *s)
{
    return s->pitch == s->row;
}

/* Byte offset of element i. */
static size_t element_offset(const struct plan_slot *s, int64_t i)
{
    const int64_t at = dense(s) || s->row <= 0 ? i : i / s->row * s->pitch + i % s->row;
    return (size_t)at * element_bytes(s);
}

void plan_convert(const struct pare_plan *p, const struct plan_slot *from,
                  const struct plan_slot *to)
{
    int64_t run = dense(from) ? from->elements : from->row;
    if (!dense(to) && to->row < run) {
        run = to->row;
    }
    for (int64_t i = 0; i < from->elements && run > 0; i += run) {
        const int64_t left = from->elements - i;
        convert_run(p->isa, from, from->data + element_offset(from, i), to,
                    to->data + element_offset(to, i), (size_t)(left < run ? left : run));
    }
}

static void run_convert(struct pare_plan *p, const struct plan_step *step)
{
    if (step->pieces == NULL) {
        plan_convert(p, &p->slots[step->in[0]], &p->slots[step->out[0]]);
        return;
    }
    for (int k = 0; k < step->n_in; k++) {
        if (step->pieces[k] >= 0) {
            plan_convert(p, &p->slots[step->in[k]], &p->slots[step->pieces[k]]);
        }
    }
}

/* ---- layers ---- */

static size_t pk_bytes(enum pk_type type)
{
    return type == PK_U8 ? 1 : type == PK_F16 ? 2 : 4;
}

/* Copies the planes of one phase into the outputs. */
static void scatter_phase(const struct pare_plan *p, const struct plan_step *step,
                          const struct plan_call *call, int64_t image)
{
    const struct plan_layer *layer = step->layer;
    const struct pk_conv *c = &call->weights->conv;
    for (int k = 0; k < step->n_out; k++) {
        const struct plan_slot *to = &p->slots[step->out[k]];
        const size_t size = element_bytes(to), pixel = (size_t)layer->out_c * size;
        const unsigned char *from = call->outs[k].data;
        for (int y = 0; y < c->out_h; y++) {
            for (int x = 0; x < c->out_w; x++, from += pixel) {
                const int64_t oy = (int64_t)y * layer->stride_h + call->weights->phase_y;
                const int64_t ox = (int64_t)x * layer->stride_w + call->weights->phase_x;
                const int64_t at = (image * layer->out_h + oy) * layer->out_w + ox;
                memcpy(to->data + (size_t)(at * to->pitch) * size, from, pixel);
            }
        }
    }
}

/* The input channels of one group, side by side: the rows of x that `c` reads. */
static const unsigned char *copy_group(const struct pare_plan *p, const struct plan_step *step, const struct plan_call *call,
                                       const struct pk_conv *c, const unsigned char *x)
{
    const struct plan_layer *layer = step->layer;
    const struct pk_conv *whole = &call->weights->conv;
    const int part = (int)(call - layer->calls) / (layer->n_calls / layer->weights->n_parts);
    const size_t row = (size_t)c->in_w * (size_t)c->groups, depth = (size_t)layer->in_image / ((size_t)whole->in_h * row);
    const size_t n = (size_t)(c->in_c / c->groups), pieces = (size_t)c->in_h * row;
    unsigned char *copy = plan_layer_sums(p, step) + layer->sums_bytes, *to = copy;
    x += (size_t)part * (size_t)layer->weights->part;
    if (n == 32 || n == 64 || n == 128) { /* no call for so few bytes */
        for (size_t i = 0; i < pieces; i++, x += depth) {
            for (size_t k = 0; k < n; k += 32, to += 32) {
                memcpy(to, x + k, 32);
            }
        }
        return copy;
    }
    for (size_t i = 0; i < pieces; i++, x += depth, to += n) {
        memcpy(to, x, n);
    }
    return copy;
}

/* x[n] on a grid of at most 8 bits, as numbers again. */
static void round_codes(enum pk_isa isa, const struct pare_grid *g, const float *x, int64_t n, float *to)
{
    enum { PART = 4096 };
    uint8_t codes[PART];
    const struct plan_slot form = {.dtype = PARE_U8, .grid = *g};
    for (int64_t i = 0; i < n; i += PART) {
        const size_t count = (size_t)(n - i < PART ? n - i : PART);
        plan_store_f32(isa, &form, x + i, count, codes);
        plan_load_f32(isa, &form, codes, count, to + i);
    }
}

/* What the kernel reads from element `in` on: the slot's own memory, or at simulated levels an image of it on their grid. */
static const unsigned char *layer_input(const struct pare_plan *p, const struct plan_step *step, int64_t in)
{
    const struct plan_layer *layer = step->layer;
    const struct plan_slot *x = &p->slots[step->in[0]];
    const unsigned char *data = x->data + (size_t)in * element_bytes(x);
    if (layer->round.form != PARE_FORM_CODES) {
        return data;
    }
    unsigned char *room = p->slots[step->scratch].data + layer->round_at;
    const float *from = (const float *)(const void *)data;
    float *to = (float *)(void *)room;
    for (int64_t i = 0; i < layer->in_image && layer->round.bits > 8; i++) {
        to[i] = pare_grid_real(&layer->round, pare_grid_code(&layer->round, from[i]));
    }
    if (layer->round.bits <= 8) {
        round_codes(p->isa, &layer->round, from, layer->in_image, to);
    }
    return room;
}

/* A call of part of what the plan prepared: shape `c`, input from element `in` on, results and operands from output pixel
 * `pixels` on. */
static void run_part(const struct pare_plan *p, const struct plan_step *step, const struct plan_call *call,
                     const struct pk_conv *c, int64_t in, int64_t pixels)
{
    const struct plan_layer *layer = step->layer;
    struct pk_epilogue e = call->epilogue;
    struct pk_step steps[PLAN_MAX_STEPS + 1];
    struct pk_out outs[PK_MAX_OUTS];
    const unsigned char *data = layer_input(p, step, in);
    if (pixels > 0) {
        for (int i = 0; i < e.n_steps; i++) {
            steps[i] = call->steps[i];
            if (steps[i].operand != NULL && !(i == 0 && call->adds)) {
                steps[i].operand = (const unsigned char *)steps[i].operand +
                                   (size_t)(pixels * steps[i].pitch) * pk_bytes(steps[i].type);
            }
        }
        for (int i = 0; i < e.n_outs; i++) {
            outs[i] = call->outs[i];
            if (!layer->transposed && !call->partial) {
                outs[i].data = (unsigned char *)outs[i].data +
                               (size_t)(pixels * outs[i].pitch) * pk_bytes(outs[i].type);
            }
        }
        e.steps = steps;
        e.outs = outs;
    }
    if (layer->weights->n_parts > 1) {
        data = copy_group(p, step, call, c, data);
    }
    call->weights->kernel->run(c, data, layer->pad_code, call->weights->packed, &e,
                               step->scratch >= 0 ? p->slots[step->scratch].data : NULL);
}

static void run_call(const struct pare_plan *p, const struct plan_step *step,
                     const struct plan_call *call, int64_t image)
{
    run_part(p, step, call, &call->weights->conv, image * step->layer->in_image, image * step->layer->out_image);
}

static void run_layer(const struct pare_plan *p, const struct plan_step *step)
{
    for (int64_t image = 0; image < step->layer->batch; image++) {
        for (int i = 0; i < step->layer->n_calls; i++) { /* phase by phase, each with all its groups */
            const int parts = step->layer->weights->n_parts, phases = step->layer->n_calls / parts;
            const struct plan_call *call = &step->layer->calls[i % parts * phases + i / parts];
            run_call(p, step, call, image);
            if (step->layer->transposed && !call->partial) {
                scatter_phase(p, step, call, image);
            }
        }
    }
}

/* Output rows [begin, end) of a layer. */
static void run_rows(const struct pare_plan *p, const struct plan_step *step, int begin, int end)
{
    const struct plan_call *call = &step->layer->calls[0];
    int in_row;
    const struct pk_conv c = plan_band_conv(&call->weights->conv, begin, end, &in_row);
    run_part(p, step, call, &c, (int64_t)in_row * c.in_w * c.in_c, (int64_t)begin * c.out_w);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* All layers of a band, in turns; adds each one's time to ns[step] unless that is NULL, from *before on. */
static void run_band(const struct pare_plan *p, const struct plan_band *b, uint64_t *ns, uint64_t *before)
{
    int done[PLAN_BAND_STEPS] = {0}, need[PLAN_BAND_STEPS];
    const int n = b->last - b->first + 1, height = p->steps[b->last].layer->out_h;
    while (done[n - 1] < height) {
        plan_band_needs(p, b, plan_band_end(b, done[n - 1], height), need);
        for (int i = 0; i < n; i++) {
            if (need[i] > done[i]) {
                run_rows(p, &p->steps[b->first + i], done[i], need[i]);
                done[i] = need[i];
                if (ns != NULL) {
                    const uint64_t after = now_ns();
                    ns[b->first + i] += after - *before;
                    *before = after;
                }
            }
        }
    }
}

/* ---- operators ---- */

static int output_of(const struct pare_node *n, int tensor)
{
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == tensor) {
            return k;
        }
    }
    return 0;
}

/* Keeps n float values inside [lo, hi]. */
static void limit(float *x, int64_t n, float lo, float hi)
{
    for (int64_t i = 0; i < n; i++) {
        const float v = x[i] > lo ? x[i] : lo;
        x[i] = v < hi ? v : hi;
    }
}

/* A resize from codes to one grid of codes without pictures of floats between them: the same bytes. */
static bool run_resize_codes(const struct pare_plan *p, const struct plan_step *step)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    const struct plan_eval *e = step->eval;
    struct pare_view in[4], out = {.dtype = PARE_U8};
    if (n->op != PARE_OP_RESIZE || n->n_in > 4 || step->n_out != 1 || e->in[0].scratch < 0 || e->out[0].limited) {
        return false;
    }
    const struct plan_slot *from = &p->slots[e->in[0].slot], *to = &p->slots[step->out[0]];
    if (from->dtype != PARE_U8 || to->dtype != PARE_U8 || from->grid.offset != 0.0f || to->grid.offset != 0.0f) {
        return false;
    }
    const struct pk_resize_grids grids = {.from_scale = from->grid.scale,
                                          .from_zero = from->grid.zero,
                                          .inv_scale = 1.0f / to->grid.scale,
                                          .lo = (float)-to->grid.zero,
                                          .hi = (float)((1 << to->grid.bits) - 1 - to->grid.zero),
                                          .zero = to->grid.zero};
    memcpy(in, e->in_view, (size_t)n->n_in * sizeof *in);
    memcpy(in[0].dims, p->dims[n->in[0]], sizeof in[0].dims);
    in[0].dtype = PARE_U8;
    in[0].data = from->data;
    out.data = to->data;
    return pare_op_resize_codes(p->graph, step->node, &grids, in, &out, p->slots[step->scratch].data + e->op_scratch);
}

static enum pare_status run_eval(struct pare_plan *p, const struct plan_step *step,
                                 struct pare_error *err)
{
    if (run_resize_codes(p, step)) {
        return PARE_OK;
    }
    const struct pare_node *n = &p->graph->nodes[step->node];
    const struct plan_eval *e = step->eval;
    unsigned char *scratch = step->scratch >= 0 ? p->slots[step->scratch].data : NULL;
    for (int k = 0; k < n->n_in; k++) {
        if (e->in[k].scratch >= 0) {
            const struct plan_slot *s = &p->slots[e->in[k].slot];
            plan_load_f32(p->isa, s, s->data, (size_t)s->elements, e->in_view[k].data);
        }
        if (n->in[k] >= 0) {
            memcpy(e->in_view[k].dims, p->dims[n->in[k]], sizeof e->in_view[k].dims);
        }
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0) {
            memcpy(e->out_view[k].dims, p->graph->tensors[n->out[k]].dims,
                   sizeof e->out_view[k].dims);
        }
    }
    enum pare_status status = pare_op_eval(p->graph, step->node, e->in_view, e->out_view,
                                           scratch != NULL ? scratch + e->op_scratch : NULL, err);
    for (int k = 0; status == PARE_OK && k < n->n_out; k++) {
        if (e->out[k].limited && e->out_view[k].data != NULL) {
            limit(e->out_view[k].data, pare_tensor_elements(&p->graph->tensors[n->out[k]]),
                  e->out[k].lo, e->out[k].hi);
        }
    }
    for (int i = 0; status == PARE_OK && i < step->n_out; i++) {
        const struct plan_slot *s = &p->slots[step->out[i]];
        const int k = output_of(n, s->tensor);
        if (e->out[k].slot != step->out[i]) {
            plan_store_f32(p->isa, s, e->out_view[k].data, (size_t)s->elements, s->data);
        }
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0 && e->counts_rows) {
            memcpy(p->dims[n->out[k]], e->out_view[k].dims, sizeof e->out_view[k].dims);
        }
    }
    return status;
}

enum pare_status plan_step_run(struct pare_plan *p, const struct plan_step *step,
                               struct pare_error *err)
{
    switch (step->kind) {
    case PLAN_STEP_LAYER:
        run_layer(p, step);
        return PARE_OK;
    case PLAN_STEP_CONVERT:
        run_convert(p, step);
        return PARE_OK;
    case PLAN_STEP_EVAL:
        return run_eval(p, step, err);
    case PLAN_STEP_ALIAS:
        break;
    }
    return PARE_OK;
}

static enum pare_status run_all(struct pare_plan *p, uint64_t *ns, struct pare_error *err)
{
    uint64_t before = ns != NULL ? now_ns() : 0;
    int band = 0;
    for (int i = 0; i < p->n_steps; i++) {
        if (band < p->n_bands && p->bands[band].first == i) {
            run_band(p, &p->bands[band], ns, &before);
            i = p->bands[band++].last;
            continue;
        }
        enum pare_status status = plan_step_run(p, &p->steps[i], err);
        if (status != PARE_OK) {
            return status;
        }
        if (ns != NULL) {
            const uint64_t after = now_ns();
            ns[i] += after - before;
            before = after;
        }
    }
    p->has_run = true;
    return PARE_OK;
}

enum pare_status pare_plan_run_until(struct pare_plan *p, int node, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < p->n_steps && p->steps[i].node != node; i++) {
        status = plan_step_run(p, &p->steps[i], err);
    }
    p->has_run = status == PARE_OK;
    return status;
}

enum pare_status pare_plan_run(struct pare_plan *p, struct pare_error *err)
{
    return run_all(p, NULL, err);
}

enum pare_status pare_plan_run_timed(struct pare_plan *p, uint64_t *ns, struct pare_error *err)
{
    return run_all(p, ns, err);
}
