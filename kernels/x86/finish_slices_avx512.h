/*
 * finish_slices_avx512.h: the epilogue of a block of integer sums in slices of a few pixels, so small that they fit between
 * two products of tiles: whatever does not change from block to block is found once per layer. For outputs of codes behind
 * no steps or the usual ones (epilogue_shortcuts.h).
 */
#ifndef PARE_PK_FINISH_SLICES_AVX512_H
#define PARE_PK_FINISH_SLICES_AVX512_H

#include "epilogue_shortcuts.h"

/* Finishes `rows` pixels from `pixel` of the layer on, a multiple of 4 / vectors; p: their sums, ld apart. */
struct slices;
typedef void slice_fn(const struct slices *f, const int32_t *p, size_t ld, ptrdiff_t pixel, int rows);

/* Of one panel of at most 64 channels. */
struct slices {
    slice_fn *run;
    struct quad q;
    int n_outs;
    vi bias[4];
    vf m[2][4], b[2][4]; /* of each output, or of the steps */
    vf slope[4], least, most;
    struct residual add;
    struct target to[2];
};

PK_INLINE bool way_adds(const enum shortcut way)
{
    return way == ADD_ONLY || way == ADD_PRELU || way == ADD_CLAMP || way == PRELU_ADD;
}

PK_INLINE bool way_prelu(const enum shortcut way)
{
    return way == ADD_PRELU || way == PRELU_ONLY || way == PRELU_ADD;
}

/* All but f, p, ld, pixel and rows are constants. way: NO_SHORTCUT is no steps. whole: all channels exist, no clamp of floats changes
 * anything, nor of the first output's codes. unit: the factor of the first output is 1. */
PK_INLINE void slice(const struct slices *f, const int32_t *p, const size_t ld, ptrdiff_t pixel, int rows, const int wide,
                     const bool whole, const bool unit, const enum shortcut way)
{
    /* copies: a store of codes may alias what f points to */
    const struct quad q = f->q;
    struct target to = f->to[0], other;
    const struct residual add = f->add;
    const int n_outs = f->n_outs;
    const vf least = f->least, most = f->most;
    vf m[4], b[4], slope[4], v[4], u[4];
    vi bias[4];
    to.shifts = true; /* seldom not, and a question for every pixel */
    PK_UNROLL
    for (int j = 0; j < wide; j++)
        m[j] = f->m[0][j], b[j] = f->b[0][j], slope[j] = f->slope[j], bias[j] = f->bias[j];
    for (; rows > 0; rows -= 4 / wide, pixel += 4 / wide, p += (size_t)(4 / wide) * ld) {
        quad_sums(p, ld, bias, v, wide);
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            if (way == NO_SHORTCUT) {
                u[j] = v_fma(v[j], m[j % wide], b[j % wide]);
                continue;
            }
            vf t = v_fma(v[j], m[j % wide], b[j % wide]);
            t = way != PRELU_ADD ? t : quad_prelu(t, slope[j % wide]);
            if (way_adds(way)) {
                const ptrdiff_t at = (pixel + j / wide) * add.pitch + QUAD_CHANNEL(j, wide);
                t = residual_add(&add, t, at, quad_lanes(&q, j, wide), whole);
            }
            if (way == ADD_PRELU || way == PRELU_ONLY) {
                t = quad_prelu(t, slope[j % wide]);
            } else if (way == ADD_CLAMP) {
                t = v_clamp(t, least, most);
            }
            v[j] = t;
            u[j] = unit ? t : in_grid(&to, t);
        }
        quad_put(&q, &to, pixel, u, wide, whole, !whole);
        if (n_outs == 2) { /* seldom: the registers are for the first */
            other = f->to[1];
            PK_UNROLL
            for (int j = 0; j < 4; j++)
                u[j] = way == NO_SHORTCUT ? v_fma(v[j], f->m[1][j], f->b[1][j]) : in_grid(&other, v[j]);
            quad_put(&q, &other, pixel, u, wide, whole, true);
        }
    }
}

#define SLICE_FN(name, wide, whole, unit, way)                                                     \
    static void name##_##wide##_##way(const struct slices *f, const int32_t *p, size_t ld, ptrdiff_t pixel, int rows) \
    {                                                                                              \
        slice(f, p, ld, pixel, rows, wide, whole, unit, way);                                      \
    }
#define SLICES(wide, way)                                                                          \
    SLICE_FN(part, wide, false, false, way)                                                        \
    SLICE_FN(slice, wide, true, false, way)
#define SLICES_OF(way) SLICES(1, way) SLICES(2, way) SLICES(4, way)
#define UNITS_OF(way)                                                                              \
    SLICE_FN(unit, 1, true, true, way)                                                             \
    SLICE_FN(unit, 2, true, true, way)                                                             \
    SLICE_FN(unit, 4, true, true, way)
#define SLICES_ROW(way, unit)                                                                      \
    [way] = {{part_1_##way, slice_1_##way, unit##_1_##way},                                        \
             {part_2_##way, slice_2_##way, unit##_2_##way},                                        \
             {part_4_##way, slice_4_##way, unit##_4_##way}}
SLICES_OF(NO_SHORTCUT)
SLICES_OF(ADD_ONLY)
SLICES_OF(ADD_PRELU)
SLICES_OF(ADD_CLAMP)
SLICES_OF(PRELU_ONLY)
SLICES_OF(PRELU_ADD)
UNITS_OF(ADD_ONLY)
UNITS_OF(ADD_PRELU)
UNITS_OF(PRELU_ONLY)
/* [way][wide / 2][part, whole, whole and of unit factor] */
static slice_fn *const slice_table[SHORTCUTS][3][3] = {SLICES_ROW(NO_SHORTCUT, slice), SLICES_ROW(ADD_ONLY, unit),
                                                       SLICES_ROW(ADD_PRELU, unit),    SLICES_ROW(ADD_CLAMP, slice),
                                                       SLICES_ROW(PRELU_ONLY, unit),   SLICES_ROW(PRELU_ADD, slice)};

/* Can slices do this epilogue? */
static bool slices_do(const struct pk_epilogue *e)
{
    for (int i = 0; i < e->n_outs; i++) {
        if (e->outs[i].type != PK_U8) {
            return false;
        }
    }
    return e->n_outs <= 2 && e->weight_zero == NULL && (e->n_steps == 0 || (e->m != NULL && shortcut_of(e) != NO_SHORTCUT));
}

/* Do they add a residual, then PReLU, for a (first) output of factor 1, of a panel without gaps? */
PK_INLINE bool slices_add(const struct slices *f)
{
    return f->run == unit_4_ADD_PRELU || f->run == unit_2_ADD_PRELU;
}

/* Vectors of a pixel of n channels. */
PK_INLINE int slices_wide(int n)
{
    return n > 32 ? 4 : n > 16 ? 2 : 1;
}

/* Channels [channel, channel + n) of the layer, n <= 64. */
static void slices_panel(struct slices *f, const struct pk_epilogue *e, int channel, int n)
{
    const bool steps = e->n_steps > 0;
    const enum shortcut way = steps ? shortcut_of(e) : NO_SHORTCUT;
    const int wide = slices_wide(n);
    const struct pk_step *add = way_adds(way) ? &e->steps[way == PRELU_ADD] : NULL;
    memset(f, 0, sizeof *f);
    f->q = (struct quad){e, channel, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
    f->n_outs = e->n_outs;
    for (int j = 0; j < 4; j++) { /* vectors beyond the channels repeat those before */
        const struct quad at = {e, channel + QUAD_CHANNEL(j, wide), f->q.bytes >> QUAD_CHANNEL(j, wide)};
        quad_bias(&at, &f->bias[j], 1, false);
        for (int i = 0; i < (steps ? 1 : e->n_outs); i++) {
            quad_vec(&at, steps ? e->m : e->outs[i].m, &f->m[i][j], 1, false);
            quad_vec(&at, steps ? e->b : e->outs[i].b, &f->b[i][j], 1, false);
        }
        if (way_prelu(way)) {
            quad_vec(&at, e->steps[way == ADD_PRELU].vec, &f->slope[j], 1, false);
        }
    }
    if (add != NULL) {
        f->add = residual_of(&f->q, add, 0);
    }
    if (way == ADD_CLAMP) {
        f->least = v_set(e->steps[1].a), f->most = v_set(e->steps[1].b);
    }
    const bool tame = way != ADD_CLAMP || (e->steps[1].a <= 0.0f && e->steps[1].b >= 0.0f); /* clamps to nothing larger */
    bool whole = n == wide * VL;
    for (int i = 0; i < e->n_outs; i++) {
        const struct pk_out *o = &e->outs[i];
        f->to[i] = target_of(&f->q, o, 0);
        target_bounds(&f->to[i], o, tame && (steps ? steps_fit(e, add, o, f->m[0], f->b[0], way_prelu(way) ? f->slope : NULL, 4)
                                                   : sums_fit(e, f->m[i], f->b[i], 4)));
        whole = whole && !f->to[i].floor && !f->to[i].ceiling && (i > 0 || !f->to[i].bounded);
    }
    f->run = slice_table[way][wide / 2][!whole ? 0 : e->outs[0].inv_scale == 1.0f && !f->to[0].moved ? 2 : 1];
}

#endif
