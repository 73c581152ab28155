/*
 * epilogue_quads.h: sums to codes four vectors at a time (64 channels of one pixel, 32 of two or 16
 * of four), which two saturating packs and one permutation join to 64 codes. The operations of
 * ref/epilogue.c, less those that cannot change a code: no subtraction of an offset of 0, and where the factors are too
 * small for any sum to leave the range of int32 no clamps of floats: the packs saturate at codes 0 and 255, and other bounds
 * (4-bit codes, relu6 of a grid that begins below 0) are clamps of 64 codes at once. (Rounding keeps the order: what lies
 * beyond hi is rounded to no less than hi is. A NaN converts to INT32_MIN and so becomes the least code, as it does by the
 * clamps of floats.)
 */
#ifndef PARE_PK_EPILOGUE_QUADS_H
#define PARE_PK_EPILOGUE_QUADS_H

#include "vec_avx512.h"

/* Four vectors: `wide` of each pixel. */
struct quad {
    const struct pk_epilogue *e;
    int channel;     /* first channel of the layer */
    __mmask64 bytes; /* which of a pixel's `wide` * 16 channels exist */
};

/* The first lane of vector j holds this channel (from q->channel on) of pixel j / wide. */
#define QUAD_CHANNEL(j, wide) ((j) % (wide)*VL)

PK_INLINE vm quad_lanes(const struct quad *q, int j, const int wide)
{
    return (vm)(q->bytes >> QUAD_CHANNEL(j, wide));
}

/* Vectors of a per-channel array; whole: all lanes exist. */
PK_INLINE void quad_vec(const struct quad *q, const float *vec, vf *to, const int wide,
                        const bool whole)
{
    PK_UNROLL
    for (int j = 0; j < wide; j++) {
        const float *p = vec + q->channel + QUAD_CHANNEL(j, wide);
        to[j] = whole ? v_load_all(p) : v_load(p, quad_lanes(q, j, wide));
    }
}

/* An output in registers: codes may alias anything, so that a compiler reads structures again after
 * every store. */
struct target {
    uint8_t *to; /* the tile's first pixel and channel */
    ptrdiff_t pitch;
    vf lo, hi, offset, factor;
    __m512i zero, order, least, most;
    bool floor, ceiling, moved, shifts; /* the lower clamp, the upper one, the offset, the zero point change something */
    bool bounded;                       /* the clamps of codes do; then those of floats do not */
};

/* Code of a bound before it is saturated. */
PK_INLINE int bound_code(const struct pk_out *o, float bound)
{
    return _mm_cvtss_si32(_mm_set_ss(bound)) + o->zero;
}

/* The code that a bound becomes. */
PK_INLINE int bound_byte(const struct pk_out *o, float bound)
{
    const int code = bound >= 0x1p20f ? 255 : bound > -0x1p20f ? bound_code(o, bound) : 0;
    return code < 0 ? 0 : code > 255 ? 255 : code;
}

/* Field by field: GCC 12 fills and copies whole structures by string operations, which a panel waits for. */
PK_INLINE void target_set(struct target *t, const struct quad *q, const struct pk_out *o, size_t pixel)
{
    t->to = (uint8_t *)o->data + (ptrdiff_t)pixel * o->pitch + q->channel;
    t->pitch = o->pitch;
    t->lo = v_set(o->lo);
    t->hi = v_set(o->hi);
    t->offset = v_set(o->offset);
    t->factor = v_set(o->inv_scale);
    t->zero = _mm512_set1_epi16((short)o->zero);
    t->order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    t->least = t->most = _mm512_setzero_si512();
    t->floor = bound_code(o, o->lo) != 0;
    t->ceiling = true;
    t->moved = o->offset != 0.0f;
    t->shifts = o->zero != 0;
    t->bounded = false;
}

PK_INLINE struct target target_of(const struct quad *q, const struct pk_out *o, size_t pixel)
{
    struct target t;
    target_set(&t, q, o, pixel);
    return t;
}

/* fits: no value before the output's rounding leaves the range of int32. */
PK_INLINE void target_bounds(struct target *t, const struct pk_out *o, bool fits)
{
    const int least = bound_byte(o, o->lo), most = bound_byte(o, o->hi);
    t->least = _mm512_set1_epi8((char)least);
    t->most = _mm512_set1_epi8((char)most);
    t->bounded = fits && least <= most && (least > 0 || most < 255);
    if (fits && least <= most) {
        t->floor = t->ceiling = false;
    }
}

/* Clamps, rounds and writes the codes of four vectors from pixel `row` of the tile on. clamps: the target may have some. */
PK_INLINE void quad_put(const struct quad *q, const struct target *o, ptrdiff_t row, vf *u,
                        const int wide, const bool whole, const bool clamps)
{
    vi code[4];
    if (clamps && o->floor) {
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            u[j] = _mm512_max_ps(u[j], o->lo);
    }
    if (clamps && o->ceiling) {
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            u[j] = _mm512_min_ps(o->hi, u[j]); /* in this order a NaN stays */
    }
    PK_UNROLL
    for (int j = 0; j < 4; j++)
        code[j] = v_to_int(u[j]);
    __m512i low = _mm512_packs_epi32(code[0], code[1]), high = _mm512_packs_epi32(code[2], code[3]);
    if (o->shifts) {
        low = _mm512_adds_epi16(low, o->zero);
        high = _mm512_adds_epi16(high, o->zero);
    }
    __m512i bytes = _mm512_permutexvar_epi32(o->order, _mm512_packus_epi16(low, high));
    if (clamps && o->bounded) {
        bytes = _mm512_min_epu8(_mm512_max_epu8(bytes, o->least), o->most);
    }
    uint8_t *out = o->to + row * o->pitch;
    if (wide == 4) {
        _mm512_mask_storeu_epi8(out, whole ? ~(__mmask64)0 : q->bytes, bytes);
    } else if (wide == 2) {
        const __mmask32 m = whole ? ~(__mmask32)0 : (__mmask32)q->bytes;
        _mm256_mask_storeu_epi8(out, m, _mm512_castsi512_si256(bytes));
        _mm256_mask_storeu_epi8(out + o->pitch, m, _mm512_extracti64x4_epi64(bytes, 1));
    } else {
        const __mmask16 m = whole ? (__mmask16)0xffff : (__mmask16)q->bytes;
        _mm_mask_storeu_epi8(out, m, _mm512_castsi512_si128(bytes));
        _mm_mask_storeu_epi8(out + o->pitch, m, _mm512_extracti32x4_epi32(bytes, 1));
        _mm_mask_storeu_epi8(out + 2 * o->pitch, m, _mm512_extracti32x4_epi32(bytes, 2));
        _mm_mask_storeu_epi8(out + 3 * o->pitch, m, _mm512_extracti32x4_epi32(bytes, 3));
    }
}

/* Sums of four vectors after bias_i32 (NULL: none), as floats. p: the sums of the first channel. */
PK_INLINE void quad_sums(const int32_t *p, size_t ld, const vi *bias, vf *acc, const int wide)
{
    if (bias == NULL) {
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            acc[j] = v_to_float(v_load_all_i(p + (size_t)(j / wide) * ld + QUAD_CHANNEL(j, wide)));
        return;
    }
    PK_UNROLL
    for (int j = 0; j < 4; j++) {
        const vi sum = v_load_all_i(p + (size_t)(j / wide) * ld + QUAD_CHANNEL(j, wide));
        acc[j] = v_to_float(v_add_i(sum, bias[j % wide]));
    }
}

/* One output without steps: the factors of the channels stay in registers. */
struct plain {
    struct quad q;
    struct target to;
    vf m[4], b[4];
    vi bias[4];
    bool biased;
};

PK_INLINE void quad_bias(const struct quad *q, vi *bias, const int wide, const bool whole)
{
    PK_UNROLL
    for (int j = 0; j < wide; j++) {
        const vm lanes = whole ? v_lanes(VL) : quad_lanes(q, j, wide);
        bias[j] = q->e->bias_i32 == NULL
                      ? v_set_i(0)
                      : v_load_i(q->e->bias_i32 + q->channel + QUAD_CHANNEL(j, wide), lanes);
    }
}

/* The largest sum there can be. */
PK_INLINE vf sums_most(const struct pk_epilogue *e)
{
    return v_set(e->sum_most > 0.0f ? e->sum_most : 0x1p31f);
}

/* Stays fmaf(sum, m, b) of every sum within int32? A NaN says no. */
PK_INLINE bool sums_fit(const struct pk_epilogue *e, const vf *m, const vf *b, const int wide)
{
    const vf sum = sums_most(e);
    __mmask16 fits = 0xffff;
    PK_UNROLL
    for (int j = 0; j < wide; j++) {
        const vf most = v_fma(_mm512_abs_ps(m[j]), sum, _mm512_abs_ps(b[j]));
        fits &= _mm512_cmp_ps_mask(most, v_set(0x1p30f), _CMP_LE_OQ);
    }
    return fits == 0xffff;
}

PK_INLINE void plain_set(struct plain *f, const struct quad *q, const struct pk_out *o, size_t pixel,
                         const int wide, const bool whole)
{
    f->q = *q;
    target_set(&f->to, q, o, pixel);
    quad_vec(q, o->m, f->m, wide, whole);
    quad_vec(q, o->b, f->b, wide, whole);
    f->biased = q->e->bias_i32 != NULL;
    quad_bias(q, f->bias, wide, whole);
    target_bounds(&f->to, o, sums_fit(q->e, f->m, f->b, wide));
}

PK_INLINE struct plain plain_of(const struct quad *q, const struct pk_out *o, size_t pixel,
                                const int wide, const bool whole)
{
    struct plain f;
    plain_set(&f, q, o, pixel, wide, whole);
    return f;
}

/* Four vectors of sums from p on, for pixel `row` of the tile. */
PK_INLINE void plain_put(const struct plain *f, const int32_t *p, size_t ld, int row,
                         const int wide, const bool whole)
{
    vf u[4];
    if (f->biased) {
        quad_sums(p, ld, f->bias, u, wide);
    } else {
        quad_sums(p, ld, NULL, u, wide);
    }
    PK_UNROLL
    for (int j = 0; j < 4; j++)
        u[j] = v_fma(u[j], f->m[j % wide], f->b[j % wide]);
    quad_put(&f->q, &f->to, row, u, wide, whole, true);
}

#endif
