/*
 * finish_codes_avx512.h: what usually follows an integer layer's sums, done while these are in registers (conv_body.h,
 * V_FINISH): a factor and an offset per channel, one output of codes. The operations of epilogue_quads.h; bias_i32 is
 * where the sums begin.
 */
#ifndef PARE_PK_FINISH_CODES_AVX512_H
#define PARE_PK_FINISH_CODES_AVX512_H

#include "epilogue_quads.h"

struct finish {
    const struct pk_epilogue *e;
    struct plain plain; /* of a panel of channels: its pixel 0 */
    bool whole;         /* all lanes of its vectors exist, and no clamp changes anything */
    ptrdiff_t pixel;    /* of a tile's first row */
    const char *ahead;  /* weights to ask for during a tile, from here on, so many bytes further each turn (conv_body.h) */
    size_t ahead_step;
};

/* Can tiles finish this epilogue? */
static bool finish_of(struct finish *f, const struct pk_epilogue *e)
{
    f->e = e;
    return e->n_steps == 0 && e->n_outs == 1 && e->outs->type == PK_U8 && e->weight_zero == NULL;
}

/* n channels from `channel` on. */
static void finish_panel(struct finish *f, int channel, int n)
{
    const struct quad q = {f->e, channel, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
    plain_set(&f->plain, &q, f->e->outs, 0, 4, false);
    f->whole = n % VL == 0 && !f->plain.to.bounded && !f->plain.to.floor && !f->plain.to.ceiling;
}

/* A tile whose first row is output pixel `pixel`. */
static void finish_rows(struct finish *f, size_t pixel)
{
    f->pixel = (ptrdiff_t)pixel;
}

/* mr, nv, whole are constants; s: [mr][nv]. A quad of vectors is of one pixel (nv 4), two or four; nv 3: of one, or of 4 / 3
 * where whole, then pixels lie side by side. */
PK_INLINE void finish_kind(const struct finish *f, const __m512i *s, const int mr, const int nv, const bool whole)
{
    struct target to = f->plain.to;
    const int step = nv == 3 && !whole ? 3 : 4; /* vectors of a quad */
#ifndef __SANITIZE_ADDRESS__ /* which turns a single turn into no loop, and GCC 12 warns of what it cannot unroll */
    PK_UNROLL
#endif
    for (int i = 0; i < mr * nv / step; i++) {
        vf u[4];
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            const int at = i * step + (j < step ? j : 0);
            u[j] = v_fma(v_to_float(s[at]), f->plain.m[at % nv], f->plain.b[at % nv]);
        }
        if (nv == 3 && whole) {
            quad_put(&f->plain.q, &to, f->pixel, u, 4, true, false);
            to.to += 4 * VL;
        } else {
            quad_put(&f->plain.q, &to, f->pixel + i * step / nv, u, nv == 3 ? 4 : nv, whole, !whole);
        }
    }
}

PK_INLINE void finish_tile(const struct finish *f, const __m512i *s, const int mr, const int nv)
{
    if (f->whole && (nv != 3 || f->plain.to.pitch == 3 * VL)) {
        finish_kind(f, s, mr, nv, true);
    } else {
        finish_kind(f, s, mr, nv, false);
    }
}
/* A single pixel has one use of what a panel sets: it comes from where it is. */
PK_INLINE void row_finish_panel(struct finish *f, int channel, int n)
{
    f->plain.q = (struct quad){f->e, channel, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
}

PK_INLINE void finish_row(const struct finish *f, const __m512i *s, const int nv)
{
    const struct quad q = f->plain.q;
    struct target to;
    vf m[4], b[4], u[4];
    vi bias[4];
    target_set(&to, &q, q.e->outs, 0);
    to.floor = true; /* asking costs more than it does */
    quad_vec(&q, q.e->outs->m, m, 4, false);
    quad_vec(&q, q.e->outs->b, b, 4, false);
    quad_bias(&q, bias, 4, false);
    PK_UNROLL
    for (int j = 0; j < 4; j++)
        u[j] = v_fma(v_to_float(v_add_i(s[j < nv ? j : 0], bias[j])), m[j], b[j]);
    quad_put(&q, &to, 0, u, 4, false, true);
}
#define V_FINISH_ROW(f, s, nv) finish_row(f, s, nv)

#define V_FINISH(f, s, mr, nv) finish_tile(f, &(s)[0][0], mr, nv)
#define V_START(f, j) ((f) != NULL ? (f)->plain.bias[j] : V_ZERO())

#endif
