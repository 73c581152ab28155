/*
 * low_body.h: layers whose weights stay packed in 4 or 2 bits. The including file defines first:
 *   LOW_EXPAND(to, from, field, bits)  LOW_BYTES codes in field `field` of as many stored bytes
 * and, where they differ from AVX-512's, what the u8s8 layout that the codes are expanded to is like:
 *   LOW_COLUMN, LOW_LINE   channels of a vector; of each, this many of K (a vector has LOW_COLUMN *
 *                          LOW_LINE bytes, a step of K is LOW_LINE long)
 *   LOW_PANEL, LOW_ROUND   channels of a panel; what the number of channels is rounded up to
 *   LOW_HEAD               bytes per channel before each panel, which stay as they are, filled by
 *                          panel_head(to, w, n, width, k): w [n][k] as given
 *   LOW_SLICE              bytes of expanded weights at a time
 *   LOW_TARGET(k, pixels)  channels of a panel of the u8s8 layout for a layer, where that is a part of LOW_PANEL
 *
 * Dense layers, packed: per group, panels of LOW_PANEL output channels in columns of LOW_COLUMN (the
 * last panel has fewer columns); a panel is its head, then [steps / share][columns][LOW_BYTES], share =
 * 8 / bits. Field f of stored vector t of a column is the byte vector of step t * share + f, and that
 * is [LOW_COLUMN channels][LOW_LINE of K] (16 and 4: the operand of one vpdpbusd and one row of an AMX
 * tile of weights). Zero beyond K and beyond the last channel.
 *
 * A run expands a slice of output channels, small enough for the second cache, into scratch in the
 * layout of a u8s8 kernel and calls that: so the cost of expanding is paid once for all pixels. A
 * single pixel has nothing to pay it with: its slices fit the first cache, or its kernel expands in
 * registers.
 *
 * Depthwise layers, packed: what the u8s8 kernel packs per vector of channels, without its ones.
 */
#ifndef PARE_PK_LOW_BODY_H
#define PARE_PK_LOW_BODY_H

#include "../ref/low.h"

#include <string.h>

/* Not every file needs every function. */
#define PK_SELDOM __attribute__((unused))

#ifndef LOW_COLUMN
#define LOW_COLUMN 16
#define LOW_LINE 4
#define LOW_PANEL 64
#define LOW_ROUND LOW_COLUMN
#endif
#ifndef LOW_HEAD
#define LOW_HEAD 0
#endif
#ifndef LOW_TARGET
#define LOW_TARGET(k, pixels) LOW_PANEL
#endif
#ifndef LOW_SLICE
#define LOW_SLICE (512 << 10) /* a quarter of a 2 MiB L2 */
#endif

enum {
    LOW_BYTES = LOW_COLUMN * LOW_LINE, /* of a vector */
    LOW_ROW_SLICE = 16 << 10, /* bytes of expanded weights at a time for one pixel */
    LOW_VECTOR_BYTES = 16384  /* of a depthwise layer's packed vector of channels; more: declined */
};

struct low_plan {
    size_t k, n;          /* products per sum, output channels of a group */
    size_t stored;        /* stored vectors of a column */
    size_t columns;       /* of a group */
    size_t target;        /* columns of a panel that is expanded to */
};

PK_INLINE struct low_plan low_plan_of(const struct pk_conv *c, size_t share)
{
    struct low_plan p;
    p.k = (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)(c->in_c / c->groups);
    p.n = (size_t)(c->out_c / c->groups);
    p.stored = (p.k + LOW_LINE * share - 1) / (LOW_LINE * share);
    p.columns = pk_round_up(p.n, LOW_ROUND) / LOW_COLUMN;
    p.target = LOW_TARGET(p.k, (size_t)c->out_h * (size_t)c->out_w) / LOW_COLUMN;
    return p;
}

/* Packed bytes of a number of columns that begins and ends with a panel or the group. */
PK_INLINE size_t low_bytes(const struct low_plan *p, size_t columns)
{
    return columns * (LOW_COLUMN * LOW_HEAD + p->stored * LOW_BYTES);
}

PK_INLINE size_t low_packed_size(const struct pk_conv *c, size_t share)
{
    const struct low_plan p = low_plan_of(c, share);
    return (size_t)c->groups * low_bytes(&p, p.columns);
}

/* Columns of the panel that begins at column `first`. */
PK_INLINE size_t low_columns(const struct low_plan *p, size_t first)
{
    const size_t most = LOW_PANEL / LOW_COLUMN;
    return p->columns - first < most ? p->columns - first : most;
}

/* One panel's codes; returns its end. w: [n][k] of the panel's channels. */
PK_INLINE uint8_t *low_pack_panel(const struct low_plan *p, const int8_t *w, size_t n, size_t columns,
                                  int bits, uint8_t *packed)
{
    const size_t share = (size_t)(8 / bits);
    for (size_t i = 0; i < p->stored * columns * LOW_BYTES; i++) {
        const size_t t = i / (columns * LOW_BYTES), lane = i % LOW_BYTES;
        const size_t channel = i / LOW_BYTES % columns * LOW_COLUMN + lane / LOW_LINE;
        uint8_t byte = 0;
        for (size_t f = 0; f < share; f++) {
            const size_t k = (t * share + f) * LOW_LINE + lane % LOW_LINE;
            const int code = channel < n && k < p->k ? w[channel * p->k + k] : 0;
            byte = pk_low_set(byte, bits, f, code);
        }
        *packed++ = byte;
    }
    return packed;
}

PK_SELDOM static void low_pack(const struct pk_conv *c, const int8_t *weights, int bits, uint8_t *packed)
{
    const struct low_plan p = low_plan_of(c, (size_t)(8 / bits));
    for (size_t g = 0; g < (size_t)c->groups; g++, weights += p.n * p.k) {
        for (size_t first = 0; first < p.columns; first += LOW_PANEL / LOW_COLUMN) {
            const size_t columns = low_columns(&p, first), at = first * LOW_COLUMN;
            const size_t width = columns * LOW_COLUMN, n = p.n - at < width ? p.n - at : width;
#if LOW_HEAD > 0
            panel_head((int8_t *)packed, weights + at * p.k, n, width, p.k);
            packed += LOW_HEAD * width;
#endif
            packed = low_pack_panel(&p, weights + at * p.k, n, columns, bits, packed);
        }
    }
}

/* One column: `steps` vectors, `apart` bytes apart in `to`, from stored vectors `pitch` bytes
 * apart. */
PK_INLINE void low_expand_column(const uint8_t *from, size_t pitch, size_t steps, int8_t *to,
                                 size_t apart, const int bits)
{
    const size_t share = (size_t)(8 / bits), whole = steps / share;
    for (size_t t = 0; t < whole; t++, from += pitch) {
        PK_UNROLL
        for (size_t f = 0; f < share; f++, to += apart) {
            LOW_EXPAND(to, from, f, bits);
        }
    }
    for (size_t f = 0; f < steps % share; f++, to += apart) {
        LOW_EXPAND(to, from, f, bits);
    }
}

/* Expands panel by panel. tiles: in the layout of the AMX kernel, K rounded up to 64, column by
 * column; else that of the vector kernels, K rounded up to LOW_LINE, panel by panel. Returns the end. */
PK_INLINE int8_t *low_expand(const struct low_plan *p, const uint8_t *from, size_t first,
                             size_t last, int8_t *to, const bool tiles, const int bits)
{
    const size_t steps = (p->k + LOW_LINE - 1) / LOW_LINE, all = tiles ? (steps + 15) / 16 * 16 : steps;
    from += low_bytes(p, first);
    while (first < last) {
        const size_t columns = low_columns(p, first), head = LOW_HEAD * columns * LOW_COLUMN;
        memcpy(to, from, head);
        to += head;
        for (size_t j = 0; j < columns; j++) {
            const size_t before = tiles ? j : j / p->target * p->target; /* columns of the panels before this one */
            const size_t wide = tiles ? 1 : columns - before < p->target ? columns - before : p->target;
            int8_t *column = to + (before * all + (j - before)) * LOW_BYTES;
            low_expand_column(from + head + j * LOW_BYTES, columns * LOW_BYTES, steps, column, wide * LOW_BYTES, bits);
            if (tiles) {
                memset(column + steps * LOW_BYTES, 0, (all - steps) * LOW_BYTES);
            }
        }
        from += low_bytes(p, columns);
        to += columns * all * LOW_BYTES;
        first += columns;
    }
    return to;
}

/* Output channels that are expanded at once: a multiple of a panel; all with groups. */
PK_INLINE int low_slice(const struct pk_conv *c, const struct pk_layer_kernel *base)
{
    const size_t all = base->packed_size(c), panels = ((size_t)c->out_c + LOW_PANEL - 1) / LOW_PANEL;
    const size_t most = c->out_h == 1 && c->out_w == 1 ? LOW_ROW_SLICE : LOW_SLICE;
    if (c->groups > 1 || all <= most) {
        return c->out_c;
    }
    const size_t fit = most / (all / panels);
    const size_t take = (fit < 1 ? 1 : fit) * LOW_PANEL;
    return take < (size_t)c->out_c ? (int)take : c->out_c;
}

PK_INLINE size_t low_scratch_size(const struct pk_conv *c, const struct pk_layer_kernel *base)
{
    struct pk_conv part = *c;
    part.out_c = low_slice(c, base);
    const size_t own = pk_round_up(base->packed_size(&part), 64), whole = base->scratch_size(&part);
    part.out_c = c->out_c % part.out_c;
    const size_t rest = part.out_c > 0 ? base->scratch_size(&part) : 0;
    return own + (whole > rest ? whole : rest);
}

/* An epilogue whose channel 0 is another's channel `at`. */
struct low_epilogue {
    struct pk_epilogue e;
    struct pk_step steps[PK_MAX_STEPS];
    struct pk_out outs[PK_MAX_OUTS];
};

PK_INLINE void *low_shift(const void *data, enum pk_type type, int at)
{
    const size_t size = type == PK_U8 ? 1 : type == PK_F16 ? 2 : 4;
    return (void *)((uintptr_t)data + (size_t)at * size);
}

PK_SELDOM static void low_epilogue_from(const struct pk_epilogue *e, int at, struct low_epilogue *to)
{
    to->e = *e;
    to->e.bias_i32 = e->bias_i32 != NULL ? e->bias_i32 + at : NULL;
    to->e.weight_zero = e->weight_zero != NULL ? e->weight_zero + at : NULL;
    to->e.m = e->m != NULL ? e->m + at : NULL;
    to->e.b = e->b != NULL ? e->b + at : NULL;
    to->e.steps = to->steps;
    to->e.outs = to->outs;
    for (int i = 0; i < e->n_steps; i++) {
        struct pk_step *s = &to->steps[i];
        *s = e->steps[i];
        s->vec = s->vec != NULL ? s->vec + at : NULL;
        s->operand = s->operand != NULL ? low_shift(s->operand, s->type, at) : NULL;
    }
    for (int i = 0; i < e->n_outs; i++) {
        struct pk_out *o = &to->outs[i];
        *o = e->outs[i];
        o->data = low_shift(o->data, o->type, at);
        o->m = o->m != NULL ? o->m + at : NULL;
        o->b = o->b != NULL ? o->b + at : NULL;
    }
}

/* What every dense run has. */
struct low_work {
    const struct pk_conv *c;
    const void *x;
    int pad_code;
    const uint8_t *packed;
    const struct pk_epilogue *e;
    char *scratch;
};

PK_INLINE void low_run(const struct low_work *w, const struct pk_layer_kernel *base,
                       const bool tiles, const int bits)
{
    const struct pk_conv *c = w->c;
    const struct low_plan p = low_plan_of(c, (size_t)(8 / bits));
    struct pk_conv part = *c;
    part.out_c = low_slice(c, base);
    int8_t *expanded = (int8_t *)w->scratch;
    void *scratch = w->scratch + pk_round_up(base->packed_size(&part), 64);
    if (part.out_c == c->out_c) {
        int8_t *to = expanded;
        for (size_t g = 0; g < (size_t)c->groups; g++) {
            to = low_expand(&p, w->packed + g * low_bytes(&p, p.columns), 0, p.columns, to, tiles,
                            bits);
        }
        base->run(c, w->x, w->pad_code, expanded, w->e, scratch);
        return;
    }
    const int slice = part.out_c;
    for (int first = 0; first < c->out_c; first += slice) {
        struct low_epilogue e;
        part.out_c = c->out_c - first < slice ? c->out_c - first : slice;
        low_epilogue_from(w->e, first, &e);
        low_expand(&p, w->packed, (size_t)first / LOW_COLUMN,
                   pk_round_up((size_t)first + (size_t)part.out_c, LOW_ROUND) / LOW_COLUMN, expanded,
                   tiles, bits);
        base->run(&part, w->x, w->pad_code, expanded, &e.e, scratch);
    }
}

/* ---- depthwise ---- */

/* One vector of 16 channels as a layer of its own. */
PK_INLINE struct pk_conv low_vector(const struct pk_conv *c)
{
    struct pk_conv one = *c;
    one.in_c = one.out_c = one.groups = LOW_COLUMN;
    return one;
}

/* Bytes of a vector of channels as the u8s8 kernel packs it, without ones; 0: declined. */
PK_INLINE size_t low_vector_bytes(const struct pk_conv *c, const struct pk_layer_kernel *base)
{
    const struct pk_conv one = low_vector(c);
    const size_t bytes = base->packed_size(&one) / 2;
    const size_t taps = (size_t)c->kernel_h * (size_t)c->kernel_w * LOW_COLUMN;
    return bytes > LOW_VECTOR_BYTES || taps > LOW_VECTOR_BYTES ? 0 : bytes;
}

PK_INLINE size_t low_depthwise_size(const struct pk_conv *c, const struct pk_layer_kernel *base,
                                    const int bits)
{
    const size_t bytes = low_vector_bytes(c, base), vectors = ((size_t)c->out_c + 15) / LOW_COLUMN;
    return vectors * pk_round_up(bytes, 64 * (size_t)(8 / bits)) / (size_t)(8 / bits);
}

/* Weights of 16 channels from `first` on, packed with their ones. */
PK_SELDOM static void low_vector_pack(const struct pk_conv *c, const struct pk_layer_kernel *base,
                            const int8_t *weights, int first, int8_t *packed)
{
    const struct pk_conv one = low_vector(c);
    int8_t own[LOW_VECTOR_BYTES];
    const int taps = c->kernel_h * c->kernel_w;
    for (int t = 0; t < taps; t++) {
        for (int i = 0; i < LOW_COLUMN; i++) {
            const bool exists = weights != NULL && first + i < c->out_c;
            own[t * LOW_COLUMN + i] = exists ? weights[t * c->out_c + first + i] : 0;
        }
    }
    base->pack(&one, own, packed);
}

PK_SELDOM static void low_depthwise_pack(const struct pk_conv *c, const struct pk_layer_kernel *base,
                               const int8_t *weights, int bits, uint8_t *packed)
{
    _Alignas(64) int8_t bytes[2 * LOW_VECTOR_BYTES];
    const size_t n = low_vector_bytes(c, base), share = (size_t)(8 / bits), block = 64 * share;
    for (int first = 0; first < c->out_c; first += LOW_COLUMN) {
        low_vector_pack(c, base, weights, first, bytes);
        for (size_t at = 0; at < n; at += block) {
            for (size_t i = 0; i < 64; i++) {
                uint8_t byte = 0;
                for (size_t f = 0; f < share && at + f * 64 + i < n; f++) {
                    byte = pk_low_set(byte, bits, f, bytes[at + f * 64 + i]);
                }
                *packed++ = byte;
            }
        }
    }
}

PK_INLINE size_t low_depthwise_scratch(const struct pk_conv *c, const struct pk_layer_kernel *base)
{
    return pk_round_up(base->packed_size(c), 64) + base->scratch_size(c);
}

PK_INLINE void low_depthwise_run(const struct low_work *w, const struct pk_layer_kernel *base,
                                 const int bits)
{
    const size_t n = low_vector_bytes(w->c, base), share = (size_t)(8 / bits), block = 64 * share;
    const size_t stored = pk_round_up(n, block) / share;
    const size_t vectors = ((size_t)w->c->out_c + 15) / LOW_COLUMN;
    int8_t *to = (int8_t *)w->scratch;
    for (size_t v = 0; v < vectors; v++, to += n) {
        low_expand_column(w->packed + v * stored, 64, n / 64, to, 64, bits);
    }
    if (w->e->weight_zero != NULL) { /* the ones of every vector are alike */
        _Alignas(64) int8_t bytes[2 * LOW_VECTOR_BYTES];
        low_vector_pack(w->c, base, NULL, 0, bytes);
        for (size_t v = 0; v < vectors; v++, to += n) {
            memcpy(to, bytes + n, n);
        }
    }
    base->run(w->c, w->x, w->pad_code, w->scratch,
              w->e, w->scratch + pk_round_up(base->packed_size(w->c), 64));
}

/* ---- tables ---- */

#define LOW_TABLE(name, bytes, pack_call, scratch_bytes, run_call)                                 \
    static size_t size_##name(const struct pk_conv *c)                                             \
    {                                                                                              \
        return bytes;                                                                              \
    }                                                                                              \
    static void pack_##name(const struct pk_conv *c, const void *weights, void *packed)            \
    {                                                                                              \
        pack_call;                                                                                 \
    }                                                                                              \
    static size_t scratch_##name(const struct pk_conv *c)                                          \
    {                                                                                              \
        return scratch_bytes;                                                                      \
    }                                                                                              \
    static void run_##name(const struct pk_conv *c, const void *x, int pad_code,                   \
                             const void *packed, const struct pk_epilogue *e, void *scratch)       \
    {                                                                                              \
        const struct low_work w = {c, x, pad_code, packed, e, scratch};                            \
        run_call;                                                                                  \
    }                                                                                              \
    const struct pk_layer_kernel pk_##name = {#name, size_##name, pack_##name,                     \
                                                scratch_##name, run_##name};

#define LOW_DENSE(name, bits, base, tiles)                                                         \
    LOW_TABLE(name, base.packed_size(c) == 0 ? 0 : low_packed_size(c, 8 / (bits)),  \
                       low_pack(c, weights, bits, packed), low_scratch_size(c, &base),             \
                       low_run(&w, &base, tiles, bits))
#define LOW_DEPTHWISE(name, bits, base)                                                            \
    LOW_TABLE(                                                                                     \
        name, base.packed_size(c) == 0 ? 0 : low_depthwise_size(c, &base, bits),             \
        low_depthwise_pack(c, &base, weights, bits, packed), low_depthwise_scratch(c, &base),      \
        low_depthwise_run(&w, &base, bits))

#endif
