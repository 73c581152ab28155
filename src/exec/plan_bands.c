/*
 * plan_bands.c: which layers are run together, some rows of the picture at a time, so that what one writes is read before
 * it leaves the second cache. A tensor of 3 MiB between two layers costs 0.3 ms otherwise (112x112x64 of fp32, L2 of 2 MiB:
 * a pointwise layer and the depthwise one after it took 0.43 ms, in bands 0.30; 2026-11-21).
 *
 * A chain is consecutive layer steps, each reading the big output of the one before. Every output row is computed once, by
 * the same kernel, from the same rows: the bytes are those of whole layers. All tensors keep their whole memory, and what
 * a chain touches lives throughout it (plan_memory.c), so a single step can still be run on its own.
 */
#include "exec/plan_parts.h"

enum {
    BAND_TENSOR = 1 << 20 /* bytes of a tensor from which on a chain pays: half of a 2 MiB L2 */
};

static const struct pk_conv *conv_of(const struct plan_step *s)
{
    return &s->layer->calls[0].weights->conv;
}

static bool can_band(const struct plan_step *s)
{
    return s->kind == PLAN_STEP_LAYER && s->layer->batch == 1 && s->layer->n_calls == 1 && !s->layer->transposed &&
           s->layer->round.form != PARE_FORM_CODES; /* a simulated level rounds whole images */
}

static bool writes(const struct plan_step *s, int slot)
{
    for (int k = 0; k < s->n_out; k++) {
        if (s->out[k] == slot) {
            return true;
        }
    }
    return false;
}

/* Step `i` reads all that it takes from the chain as it was written there: same slot, no views. */
static bool reads_whole_slots(const struct pare_plan *p, int first, int i)
{
    const struct plan_step *s = &p->steps[i];
    for (int k = 0; k < s->n_in; k++) {
        for (int j = first; j < i; j++) {
            for (int o = 0; o < p->steps[j].n_out; o++) {
                if (plan_root(p, p->steps[j].out[o]) == plan_root(p, s->in[k]) && p->steps[j].out[o] != s->in[k]) {
                    return false;
                }
            }
        }
    }
    return true;
}

static size_t slot_bytes(const struct pare_plan *p, int slot)
{
    return (size_t)p->slots[slot].elements * (size_t)pare_dtype_bits(p->slots[slot].dtype) / 8;
}

/* Does the chain from `first` go on from step i - 1 to step i? */
static bool links(const struct pare_plan *p, int first, int i, size_t least)
{
    const struct plan_step *before = &p->steps[i - 1], *s = &p->steps[i];
    if (i - first >= PLAN_BAND_STEPS || !can_band(s) || !writes(before, s->in[0])) {
        return false;
    }
    const struct plan_slot *x = &p->slots[s->in[0]];
    const struct pk_conv *a = conv_of(before), *b = conv_of(s);
    return x->pitch == x->row && slot_bytes(p, s->in[0]) >= least && a->out_h == b->in_h && a->out_w == b->in_w && a->out_c == b->in_c &&
           reads_whole_slots(p, first, i);
}

struct pk_conv plan_band_conv(const struct pk_conv *c, int begin, int end, int *in_row)
{
    struct pk_conv part = *c;
    const int top = begin * c->stride_h - c->pad_top, first = top > 0 ? top : 0;
    const int last = (end - 1) * c->stride_h - c->pad_top + (c->kernel_h - 1) * c->dilation_h + 1;
    part.in_h = (last < c->in_h ? last : c->in_h) - first;
    part.out_h = end - begin;
    part.pad_top = first - top;
    *in_row = first;
    return part;
}

int plan_band_end(const struct plan_band *b, int done, int height)
{
    return height - done < 2 * b->rows ? height : done + b->rows;
}

void plan_band_needs(const struct pare_plan *p, const struct plan_band *b, int end, int *need)
{
    const int n = b->last - b->first;
    for (int i = 0; i < n; i++) {
        need[i] = 0;
    }
    if (end == conv_of(&p->steps[b->last])->out_h) { /* also what nobody in the chain reads */
        for (int i = 0; i <= n; i++) {
            need[i] = conv_of(&p->steps[b->first + i])->out_h;
        }
        return;
    }
    need[n] = end;
    for (int i = n; i > 0; i--) {
        const struct plan_step *s = &p->steps[b->first + i];
        const struct pk_conv *c = conv_of(s);
        for (int k = 0; k < s->n_in; k++) {
            for (int j = 0; j < i; j++) {
                const struct plan_step *from = &p->steps[b->first + j];
                if (writes(from, s->in[k])) {
                    /* in[0] is the layer's input; the others are operands at the output's size */
                    const int reach = (need[i] - 1) * c->stride_h - c->pad_top + (c->kernel_h - 1) * c->dilation_h + 1;
                    const int rows = k == 0 ? reach : need[i], most = conv_of(from)->out_h;
                    need[j] = rows > need[j] ? (rows < most ? rows : most) : need[j];
                }
            }
        }
    }
}

/* Can every call of the band be made: packed alike, more than one pixel (which is another kernel's)? scratch[steps]: the most
 * bytes that they want. */
static bool fits(const struct pare_plan *p, const struct plan_band *b, size_t *scratch)
{
    int done[PLAN_BAND_STEPS] = {0}, need[PLAN_BAND_STEPS], at;
    const int n = b->last - b->first + 1, height = conv_of(&p->steps[b->last])->out_h;
    while (done[n - 1] < height) {
        plan_band_needs(p, b, plan_band_end(b, done[n - 1], height), need);
        for (int i = 0; i < n; i++) {
            if (need[i] <= done[i]) {
                continue;
            }
            const struct plan_call_weights *w = p->steps[b->first + i].layer->calls[0].weights;
            const struct pk_conv c = plan_band_conv(&w->conv, done[i], need[i], &at);
            if (c.in_h < 1 || c.out_h * c.out_w < 2 || w->kernel->packed_size(&c) != w->packed_bytes) {
                return false;
            }
            const size_t bytes = w->kernel->scratch_size(&c);
            scratch[i] = bytes > scratch[i] ? bytes : scratch[i];
            done[i] = need[i];
        }
    }
    return true;
}

/* A part's scratch may be larger than the whole's: other blocks, copies for want of pixels. */
static bool grow_scratch(struct pare_plan *p, struct plan_step *s, size_t bytes)
{
    if (bytes > 0 && s->scratch < 0) {
        s->scratch = plan_scratch_add(p, bytes);
        return s->scratch >= 0;
    }
    if (bytes > s->layer->kernel_scratch) {
        s->layer->kernel_scratch = (bytes + 63) & ~(size_t)63; /* no planes follow: not transposed */
        p->slots[s->scratch].bytes = s->layer->kernel_scratch;
    }
    return true;
}

/* Rows of the last layer per band, so that the largest tensor's share is about `bytes`; 0: too few bands to be worth it. */
static int rows_of(const struct pare_plan *p, int first, int last, size_t bytes)
{
    size_t most = 1, strides = 1;
    for (int i = last; i >= first; i--) {
        const struct pk_conv *c = conv_of(&p->steps[i]);
        const size_t row = slot_bytes(p, p->steps[i].out[0]) / (size_t)c->out_h * strides;
        most = row > most ? row : most;
        strides *= (size_t)c->stride_h;
    }
    const int height = conv_of(&p->steps[last])->out_h;
    const size_t rows = bytes / most < 2 ? 2 : bytes / most;
    return rows * 2 > (size_t)height ? 0 : (int)rows;
}

enum pare_status plan_make_bands(struct pare_plan *p, struct pare_error *err)
{
    const size_t pays = p->band_bytes != 0 ? p->band_bytes : BAND_TENSOR;
    if (p->keep_all) {
        return PARE_OK;
    }
    p->bands = pare_arena_array(&p->arena, (size_t)p->n_steps + 1, sizeof *p->bands);
    if (p->bands == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < p->n_steps; i++) {
        struct plan_band b = {i, i, 0};
        size_t largest = 0, scratch[PLAN_BAND_STEPS] = {0};
        if (!can_band(&p->steps[i])) {
            continue;
        }
        while (b.last + 1 < p->n_steps && links(p, b.first, b.last + 1, pays / 2)) {
            const size_t bytes = slot_bytes(p, p->steps[++b.last].in[0]);
            largest = bytes > largest ? bytes : largest;
        }
        b.rows = largest >= pays ? rows_of(p, b.first, b.last, pays / 4) : 0;
        if (b.last > b.first && b.rows > 0 && fits(p, &b, scratch)) {
            p->bands[p->n_bands++] = b;
            for (int k = b.first; k <= b.last; k++) {
                if (!grow_scratch(p, &p->steps[k], scratch[k - b.first])) {
                    return pare_error_nomem(err);
                }
            }
        }
        i = b.last;
    }
    return PARE_OK;
}
