/*
 * finish_codes_avx2.h: what usually follows an integer layer's sums, done while these are in registers (conv_body.h,
 * V_FINISH): a factor and an offset per channel, one output of codes, four vectors at a time, which two saturating packs
 * and one permutation join to 32 codes. bias_i32 is where the sums begin. The operations of ref/epilogue.c, less clamps
 * that cannot change a code (epilogue_quads.h says why).
 */
#ifndef PARE_PK_FINISH_CODES_AVX2_H
#define PARE_PK_FINISH_CODES_AVX2_H

#include "vec_avx2.h"

#include <string.h>

struct finish {
    const struct pk_epilogue *e;
    vf lo, hi;
    vi zero;             /* 16-bit lanes */
    bool floor, ceiling; /* the lower clamp, the upper one change something */
    /* of a panel of channels, then of a tile */
    vf m[2], b[2];
    vi bias[2];
    int channel, n;
    uint8_t *out;
    ptrdiff_t pitch;
};

/* Code of a bound before it is saturated. */
PK_INLINE int finish_bound(const struct pk_out *o, float bound)
{
    return _mm_cvtss_si32(_mm_set_ss(bound)) + o->zero;
}

/* Can tiles finish this epilogue? */
static bool finish_of(struct finish *f, const struct pk_epilogue *e)
{
    const struct pk_out *o = e->outs;
    if (e->n_steps != 0 || e->n_outs != 1 || o->type != PK_U8 || e->weight_zero != NULL) {
        return false;
    }
    f->e = e;
    f->lo = v_set(o->lo);
    f->hi = v_set(o->hi);
    f->zero = _mm256_set1_epi16((short)o->zero);
    f->floor = finish_bound(o, o->lo) != 0;
    f->pitch = o->pitch;
    return true;
}

/* Stays fmaf(sum, m, b) of every int32 within int32? 2^31 * 0.5 + 2^29 < 2^31; a NaN says no. */
PK_INLINE bool finish_fits(vf m, vf b)
{
    const vf sign = v_set(-0.0f);
    const vf fits = _mm256_and_ps(_mm256_cmp_ps(_mm256_andnot_ps(sign, m), v_set(0.5f), _CMP_LE_OQ),
                                  _mm256_cmp_ps(_mm256_andnot_ps(sign, b), v_set(0x1p29f), _CMP_LE_OQ));
    return _mm256_movemask_ps(fits) == 0xff;
}

/* n channels from `channel` on. */
static void finish_panel(struct finish *f, int channel, int n)
{
    const struct pk_out *o = f->e->outs;
    f->channel = channel;
    f->n = n;
    f->ceiling = finish_bound(o, o->hi) != 255;
    for (int j = 0; j < 2; j++) {
        const int left = n - j * VL;
        const vm lanes = v_lanes(left);
        const size_t at = (size_t)(channel + (left > 0 ? j * VL : 0));
        f->m[j] = left > 0 ? v_load(o->m + at, lanes) : v_set(0);
        f->b[j] = left > 0 ? v_load(o->b + at, lanes) : v_set(0);
        f->bias[j] = left > 0 && f->e->bias_i32 != NULL ? v_load_i(f->e->bias_i32 + at, lanes) : v_set_i(0);
        f->ceiling = f->ceiling || !finish_fits(f->m[j], f->b[j]);
    }
}

/* A tile whose first row is output pixel `pixel`. */
static void finish_rows(struct finish *f, size_t pixel)
{
    f->out = (uint8_t *)f->e->outs->data + (ptrdiff_t)pixel * f->pitch + f->channel;
}

/* 32 codes of 32 / (8 * nv) pixels. */
PK_INLINE void finish_store(const struct finish *f, uint8_t *out, __m256i codes, const int nv)
{
    const __m128i low = _mm256_castsi256_si128(codes), high = _mm256_extracti128_si256(codes, 1);
    if (f->n < nv * VL) {
        uint8_t all[32];
        _mm256_storeu_si256((__m256i *)(void *)all, codes);
        for (int r = 0; r < 4 / nv; r++) {
            memcpy(out + r * f->pitch, all + r * nv * VL, (size_t)f->n);
        }
    } else if (nv == 2) {
        _mm_storeu_si128((__m128i *)(void *)out, low);
        _mm_storeu_si128((__m128i *)(void *)(out + f->pitch), high);
    } else {
        _mm_storel_epi64((__m128i *)(void *)out, low);
        _mm_storeh_pi((__m64 *)(void *)(out + f->pitch), _mm_castsi128_ps(low)); /* pi: pd wants its address aligned */
        _mm_storel_epi64((__m128i *)(void *)(out + 2 * f->pitch), high);
        _mm_storeh_pi((__m64 *)(void *)(out + 3 * f->pitch), _mm_castsi128_ps(high));
    }
}

/* mr, nv are constants; s: [mr][nv]. */
PK_INLINE void finish_tile(const struct finish *f, const __m256i *s, const int mr, const int nv)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7), zero = f->zero;
    const bool floor = f->floor, ceiling = f->ceiling;
    const ptrdiff_t step = 4 / nv * f->pitch;
    uint8_t *out = f->out;
    PK_UNROLL
    for (int i = 0; i < mr * nv; i += 4, out += step) {
        vf u[4];
        vi code[4];
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            u[j] = v_fma(v_to_float(s[i + j]), f->m[j % nv], f->b[j % nv]);
            u[j] = floor ? _mm256_max_ps(u[j], f->lo) : u[j];
            u[j] = ceiling ? _mm256_min_ps(f->hi, u[j]) : u[j]; /* in this order a NaN stays */
            code[j] = v_to_int(u[j]);
        }
        const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(code[0], code[1]), zero);
        const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(code[2], code[3]), zero);
        finish_store(f, out, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order), nv);
    }
}

/* Two pixels of one vector each, the last ones of a tile of mr. */
PK_INLINE void finish_two(const struct finish *f, const __m256i *s, const int mr)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    uint8_t *out = f->out + (mr - 2) * f->pitch;
    vi code[2];
    PK_UNROLL
    for (int j = 0; j < 2; j++) {
        vf u = v_fma(v_to_float(s[mr - 2 + j]), f->m[0], f->b[0]);
        u = f->floor ? _mm256_max_ps(u, f->lo) : u;
        u = f->ceiling ? _mm256_min_ps(f->hi, u) : u;
        code[j] = v_to_int(u);
    }
    const __m256i half = _mm256_adds_epi16(_mm256_packs_epi32(code[0], code[1]), f->zero);
    const __m128i codes = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(_mm256_packus_epi16(half, half), order));
    if (f->n < VL) {
        uint8_t all[16];
        _mm_storeu_si128((__m128i *)(void *)all, codes);
        memcpy(out, all, (size_t)f->n);
        memcpy(out + f->pitch, all + VL, (size_t)f->n);
    } else {
        _mm_storel_epi64((__m128i *)(void *)out, codes);
        _mm_storeh_pi((__m64 *)(void *)(out + f->pitch), _mm_castsi128_ps(codes));
    }
}

/* Any tile of an even number of vectors. */
PK_INLINE void finish_even(const struct finish *f, const __m256i *s, const int mr, const int nv)
{
    finish_tile(f, s, mr - mr % (4 / nv), nv);
    if (mr % (4 / nv) != 0) {
        finish_two(f, s, mr);
    }
}
#define V_FINISH(f, s, mr, nv) finish_even(f, &(s)[0][0], mr, nv)
#define V_START(f, j) ((f) != NULL ? (f)->bias[j] : V_ZERO())

#endif
