/* depthwise_flat_rows.h: four padded rows, interleaved, for depthwise_flat.h. */
#ifndef PARE_PK_DEPTHWISE_FLAT_ROWS_H
#define PARE_PK_DEPTHWISE_FLAT_ROWS_H

#include "depthwise_flat_weights.h"
#include "epilogue_quads.h"

/* A block of four rows to the four planes. */
PK_INLINE void flat_interleave(uint8_t *to, size_t plane, const __m512i *p)
{
    const __m512i low01 = _mm512_unpacklo_epi8(p[0], p[1]), high01 = _mm512_unpackhi_epi8(p[0], p[1]);
    const __m512i low23 = _mm512_unpacklo_epi8(p[2], p[3]), high23 = _mm512_unpackhi_epi8(p[2], p[3]);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low01, low23));
    _mm512_storeu_si512(to + plane, _mm512_unpackhi_epi16(low01, low23));
    _mm512_storeu_si512(to + 2 * plane, _mm512_unpacklo_epi16(high01, high23));
    _mm512_storeu_si512(to + 3 * plane, _mm512_unpackhi_epi16(high01, high23));
}

/* The columns' elements of four rows, the first of which is element `first` of n; the others are pad codes. */
static void flat_dense(const struct flat_work *w, const uint8_t *const *rows, ptrdiff_t first, ptrdiff_t n, uint8_t *to)
{
    const __m512i pad = _mm512_loadu_si512(w->outside);
    const ptrdiff_t end = first + (ptrdiff_t)w->p.columns * w->p.n;
    for (ptrdiff_t at = first; at < end; at += FLAT, to += FLAT) {
        __m512i p[4];
        if (at >= 0 && at + FLAT <= n) {
            PK_UNROLL
            for (int i = 0; i < 4; i++)
                p[i] = _mm512_loadu_si512(rows[i] + at);
        } else {
            const ptrdiff_t left = n - at;
            const __mmask64 below = left >= FLAT ? ~(__mmask64)0 : left <= 0 ? 0 : ((__mmask64)1 << left) - 1;
            const __mmask64 lanes = at >= 0 ? below : at <= -FLAT ? 0 : below >> -at << -at;
            PK_UNROLL
            for (int i = 0; i < 4; i++)
                p[i] = _mm512_mask_loadu_epi8(pad, lanes, rows[i] + at);
        }
        flat_interleave(to, w->p.plane, p);
    }
}

/* Where columns of a wide chunk go: with stride 2 by turns to the planes of even and of odd pixels. */
struct flat_turn {
    uint8_t *at, *other;
    ptrdiff_t n; /* elements of a pixel */
};

PK_INLINE void flat_next(struct flat_turn *t, const int stride)
{
    uint8_t *const next = t->at + t->n;
    t->at = stride == 1 ? next : t->other;
    t->other = next;
}

/* `count` columns of pad codes. */
static void flat_wide_pads(const struct flat_work *w, struct flat_turn *t, int count, __m512i pad)
{
    const __m512i p[4] = {pad, pad, pad, pad};
    for (; count > 0; count--, flat_next(t, w->p.stride)) {
        for (ptrdiff_t i = 0; i < t->n; i += FLAT) {
            flat_interleave(t->at + i, w->p.plane, p);
        }
    }
}

/* `count` columns of four rows, whose pixels are step apart. */
PK_INLINE void flat_wide_pixels(const struct flat_work *w, struct flat_turn *turn, int count, const uint8_t *const *rows,
                                const ptrdiff_t *step, const int stride)
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    const ptrdiff_t step_a = step[0], step_b = step[1], step_c = step[2], step_d = step[3];
    const size_t plane = w->p.plane;
    struct flat_turn t = *turn;
    for (; count > 0; count--, a += step_a, b += step_b, c += step_c, d += step_d, flat_next(&t, stride)) {
        for (ptrdiff_t i = 0; i < t.n; i += FLAT) {
            const __m512i p[4] = {_mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i), _mm512_loadu_si512(c + i),
                                  _mm512_loadu_si512(d + i)};
            flat_interleave(t.at + i, plane, p);
        }
    }
    *turn = t;
}

/* The chunk's channels, a multiple of 64, of all pixels of the stripe. step: between pixels of each row. padded: what lies
 * beside the picture is there already (stride 1). */
static void flat_wide(const struct flat_work *w, const uint8_t *const *rows, const ptrdiff_t *step, uint8_t *to, bool padded)
{
    const struct pk_conv *c = w->c;
    const __m512i pad = _mm512_loadu_si512(w->outside);
    const int stride = w->p.stride, columns = (int)w->p.columns * stride;
    const int first = w->column * stride - c->pad_left;
    const int before = first >= 0 ? 0 : -first < columns ? -first : columns;
    const int end = c->in_w - first < before ? before : c->in_w - first < columns ? c->in_w - first : columns;
    const uint8_t *from[4];
    struct flat_turn t = {to, to + 4 * w->p.plane, w->p.n};
    for (int i = 0; i < 4; i++) {
        from[i] = rows[i] + (first > 0 ? first * step[i] : 0);
    }
    if (padded) {
        t.at += before * w->p.n;
    } else {
        flat_wide_pads(w, &t, before, pad);
    }
    if (stride == 1) {
        flat_wide_pixels(w, &t, end - before, from, step, 1);
    } else {
        flat_wide_pixels(w, &t, end - before, from, step, 2);
    }
    if (!padded) {
        flat_wide_pads(w, &t, columns - end, pad);
    }
}

/* Where the stripe's even, then its odd pixels begin within a row: offsets of 8 elements each, -1: pad codes. */
static void flat_find_pieces(const struct flat_work *w)
{
    const struct pk_conv *c = w->c;
    const size_t n = (size_t)w->p.n, all = pk_round_up(w->p.columns * n, FLAT);
    for (int parity = 0; parity < 2; parity++) {
        int64_t *to = w->pieces + (size_t)parity * (all / 8);
        for (size_t at = 0; at < all; at += 8, to++) {
            const int x = (w->column + (int)(at / n)) * 2 + parity - c->pad_left;
            *to = x >= 0 && x < c->in_w && at < w->p.columns * n ? x * c->in_c + (int64_t)(at % n) : -1;
        }
    }
}

/* A block whose pieces of `size` elements (8, 16, 32: a constant) lie apart. from: its offsets. */
PK_INLINE __m512i flat_piece(const uint8_t *row, const int64_t *from, const int size)
{
    if (size == 32) {
        return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const void *)(row + from[0]))),
                                  _mm256_loadu_si256((const void *)(row + from[4])), 1);
    }
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(row + from[0])));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const void *)(row + from[2])), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const void *)(row + from[4])), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const void *)(row + from[6])), 3);
}

/* All blocks of pieces of one parity. */
PK_INLINE void flat_pieces(const struct flat_work *w, const uint8_t *const *rows, const int64_t *from, uint8_t *to,
                           const int size)
{
    const __m512i pad = _mm512_loadu_si512(w->outside);
    const size_t n = w->p.columns * (size_t)w->p.n;
    for (size_t at = 0; at < n; at += FLAT, from += 8, to += FLAT) {
        const __m512i offsets = _mm512_loadu_si512(from);
        const __mmask8 inside = _mm512_cmp_epi64_mask(offsets, _mm512_setzero_si512(), _MM_CMPINT_NLT);
        __m512i p[4];
        if (size > 8 && inside == 0xff) {
            PK_UNROLL
            for (int i = 0; i < 4; i++)
                p[i] = flat_piece(rows[i], from, size);
        } else {
            PK_UNROLL
            for (int i = 0; i < 4; i++)
                p[i] = _mm512_mask_i64gather_epi64(pad, inside, offsets, rows[i], 1);
        }
        flat_interleave(to, w->p.plane, p);
    }
}

/* Interleaves group `g` of the channels from `first` on. */
static void flat_fill(const struct flat_work *w, int g, int first)
{
    const struct pk_conv *c = w->c;
    const ptrdiff_t n = w->p.n;
    uint8_t *to = w->ring + (size_t)(g % w->p.groups) * w->p.group;
    const uint8_t *rows[4];
    ptrdiff_t step[4];
    for (int i = 0; i < 4; i++) {
        const int y = g * w->p.apart + i - c->pad_top;
        const bool inside = y >= 0 && y < c->in_h;
        rows[i] = inside ? w->x + (ptrdiff_t)y * c->in_w * c->in_c + first : w->outside;
        step[i] = inside ? c->in_c : 0;
    }
    if (n % FLAT == 0) {
        const bool again = w->p.stride == 1 && w->p.width == c->out_w && (first > 0 || g >= w->p.groups);
        flat_wide(w, rows, step, to, again);
    } else if (w->p.stride == 1) {
        flat_dense(w, rows, ((ptrdiff_t)w->column - c->pad_left) * n, (ptrdiff_t)c->in_w * n, to);
    } else {
        const int64_t *from = w->pieces;
        for (int parity = 0; parity < 2; parity++, to += 4 * w->p.plane) {
            if (n % 32 == 0) {
                flat_pieces(w, rows, from, to, 32);
            } else if (n % 16 == 0) {
                flat_pieces(w, rows, from, to, 16);
            } else {
                flat_pieces(w, rows, from, to, 8);
            }
            from += pk_round_up(w->p.columns * (size_t)n, FLAT) / 8;
        }
    }
}

/* ---- the layer ---- */

/* One output without steps, in codes whose rows follow each other? */
static bool flat_is_plain(const struct flat_work *w)
{
    const struct pk_epilogue *e = w->e;
    return e->n_steps == 0 && e->n_outs == 1 && e->outs[0].type == PK_U8 && e->weight_zero == NULL &&
           (w->p.n % FLAT == 0 || e->outs[0].pitch == w->c->out_c);
}

/* Could fmaf(sum, m, b) of some sum leave int32? A sum is at most K * 255 * 128 from its start (or wraps); a NaN says yes. */
static bool flat_overflows(const struct flat_work *w)
{
    const vf far = v_set((float)(w->p.kernel * w->p.kernel) * 255.0f * 128.0f);
    const int32_t *block = w->vectors;
    __mmask16 fits = 0xffff;
    for (int i = flat_all_phases(w->c) * 4; i > 0; i--) {
        const vf start = _mm512_abs_ps(v_to_float(v_load_all_i(block + FLAT_START * FLAT)));
        const vf m = v_load_all((const float *)(const void *)(block + FLAT_FACTOR * FLAT));
        const vf b = v_load_all((const float *)(const void *)(block + FLAT_OFFSET * FLAT));
        const vf sum = _mm512_min_ps(v_add(start, far), v_set(0x1p31f));
        const vf most = v_fma(sum, _mm512_abs_ps(m), _mm512_abs_ps(b));
        fits &= _mm512_cmp_ps_mask(most, v_set(0x1p30f), _CMP_LE_OQ);
        block += i % 4 == 1 ? (FLAT_VECTOR_KINDS - 1) * FLAT + VL : VL;
    }
    return fits != 0xffff;
}

/* What all passes share. */
static struct flat_pass flat_pass_of(const struct flat_work *w, bool plain)
{
    const struct pk_out *o = w->e->outs;
    struct flat_pass f = {.plane = w->p.plane,
                          .shift = (size_t)w->p.n,
                          .odd = 4 * w->p.plane,
                          .phases = (size_t)w->p.phases,
                          .weights = w->weights,
                          .ones = w->e->weight_zero != NULL ? w->ones : NULL,
                          .sums = w->sums,
                          .sums_row = flat_sums_row(w)};
    if (plain) {
        f.step = w->p.n % FLAT == 0 ? o->pitch : (ptrdiff_t)w->p.phases * FLAT;
        f.lo = v_set(o->lo);
        f.hi = v_set(o->hi);
        f.code_zero = _mm512_set1_epi16((short)o->zero);
        f.least = _mm512_set1_epi8((char)bound_byte(o, o->lo));
        f.most = _mm512_set1_epi8((char)bound_byte(o, o->hi));
        f.clamps = flat_overflows(w) || bound_byte(o, o->lo) > bound_byte(o, o->hi);
        f.bounded = !f.clamps && (bound_byte(o, o->lo) > 0 || bound_byte(o, o->hi) < 255);
    }
    return f;
}

/* The epilogue of the rows whose sums are in memory; n: their pixels. first: as given to flat_stripe. Steps may read what they
 * overwrite: channels that were done before are left out. */
static void flat_finish(const struct flat_work *w, int oy, int rows, int n, int first)
{
    const int again = first % FLAT == 0 ? 0 : FLAT - w->c->out_c % FLAT;
    struct pk_epilogue rest = *w->e;
    rest.bias_i32 = rest.weight_zero = NULL;
    for (int r = 0; r < rows; r++) {
        const struct pk_tile tile = {w->sums + (size_t)r * flat_sums_row(w) + again,
                                     (size_t)w->p.n,
                                     (size_t)(oy + r) * (size_t)w->c->out_w + (size_t)w->column,
                                     n,
                                     first + again,
                                     w->p.n - again,
                                     NULL};
        pk_epilogue_i32_avx512(&rest, &tile);
    }
}

static enum flat_way flat_way_of(int n)
{
    return n % FLAT == 0 ? FLAT_SLIDES : n == FLAT / 2 ? FLAT_SLIDES_2 : n % 16 == 0 ? FLAT_EVEN : FLAT_ODD;
}

/* A stripe of the channels from `first` on. */
static void flat_stripe(const struct flat_work *w, struct flat_pass *f, int first, enum flat_to to)
{
    const struct pk_conv *c = w->c;
    const struct flat_plan *p = &w->p;
    const int width = c->out_w - w->column < p->width ? c->out_w - w->column : p->width;
    int filled = 0; /* groups */
    if (flat_gathers(p)) {
        flat_find_pieces(w);
    }
    f->total = (size_t)width * (size_t)p->n;
    for (int oy = 0, g = 0; oy < c->out_h; oy += p->rows, g++) {
        for (; filled < g + p->groups; filled++) {
            flat_fill(w, filled, first);
        }
        for (int i = 0; i < p->groups; i++) {
            f->v[i] = w->ring + (size_t)((g + i) % p->groups) * p->group;
        }
        const int n_rows = c->out_h - oy < p->rows ? c->out_h - oy : p->rows;
        if (to != FLAT_TO_SUMS) {
            const ptrdiff_t pitch = w->e->outs[0].pitch, row = c->out_w * pitch;
            f->codes = (uint8_t *)w->e->outs[0].data + oy * row + w->column * pitch + first;
            for (int i = 0; i < p->rows; i++) {
                f->row[i] = i < n_rows ? i * row : 0;
            }
        }
        flat_fn_of(p->kernel, p->stride, n_rows, flat_way_of(p->n), to)(f);
        if (to == FLAT_TO_SUMS) {
            flat_finish(w, oy, n_rows, width, first);
        }
    }
}

static void flat_run(const struct pk_conv *c, const uint8_t *x, int pad_code, const struct pk_flat_weights *weights,
                     const struct pk_epilogue *e, void *scratch)
{
    struct flat_work w = flat_work_of(c, scratch);
    w.e = e;
    w.x = x;
    memset(w.outside, pad_code, w.pad_bytes);
    const bool plain = flat_is_plain(&w);
    flat_vectors(&w, FLAT_START, e->bias_i32);
    if (e->weight_zero != NULL) {
        flat_vectors(&w, FLAT_ZERO, e->weight_zero);
        _Alignas(64) int8_t ones[PK_FLAT_PHASE_BYTES];
        flat_pack_phase(c, NULL, 0, ones);
        flat_prepare(c, &(struct pk_flat_weights){ones, NULL}, 0, 1, w.ones);
    }
    if (plain) {
        flat_vectors(&w, FLAT_FACTOR, e->outs[0].m);
        flat_vectors(&w, FLAT_OFFSET, e->outs[0].b);
    }
    struct flat_pass f = flat_pass_of(&w, plain);
    const enum flat_to to = !plain ? FLAT_TO_SUMS : f.clamps || f.bounded ? FLAT_TO_CLAMPED : FLAT_TO_CODES;
    for (int done = 0; done < c->out_c; done += w.p.n) {
        const size_t phase = (size_t)(done / FLAT); /* 0, or chunks */
        const int first = w.p.n % FLAT == 0 ? flat_channel(c, (int)phase) : 0;
        flat_prepare(c, weights, phase, f.phases, w.weights);
        f.vectors = w.vectors + phase * FLAT_VECTOR_KINDS * FLAT;
        for (w.column = 0; w.column < c->out_w; w.column += w.p.width) {
            flat_stripe(&w, &f, first, to);
        }
    }
}

#endif
