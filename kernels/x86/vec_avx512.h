/*
 * vec_avx512.h: sixteen lanes of float or int32 for the bodies. A vm says which lanes exist: lanes
 * beyond are neither read from nor written to memory.
 */
#ifndef PARE_PK_VEC_AVX512_H
#define PARE_PK_VEC_AVX512_H

#include "x86.h"

#include <immintrin.h>

enum { VL = 16 };
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

/* The first n lanes; n >= 16: all. */
PK_INLINE vm v_lanes(int n)
{
    return (vm)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

PK_INLINE vf v_set(float x)
{
    return _mm512_set1_ps(x);
}

PK_INLINE vf v_load(const float *p, vm m)
{
    return _mm512_maskz_loadu_ps(m, p);
}

PK_INLINE vf v_load_all(const float *p)
{
    return _mm512_loadu_ps(p);
}

PK_INLINE void v_store(float *p, vf v, vm m)
{
    _mm512_mask_storeu_ps(p, m, v);
}

PK_INLINE void v_store_all(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

PK_INLINE vf v_load_f16(const uint16_t *p, vm m)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p));
}

PK_INLINE void v_store_f16(uint16_t *p, vf v, vm m)
{
    _mm256_mask_storeu_epi16(p, m,
                             _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

PK_INLINE vi v_load_u8(const uint8_t *p, vm m)
{
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(m, p));
}

PK_INLINE void v_store_u8(uint8_t *p, vi v, vm m)
{
    _mm_mask_storeu_epi8(p, m, _mm512_cvtepi32_epi8(v));
}

PK_INLINE vi v_set_i(int x)
{
    return _mm512_set1_epi32(x);
}

PK_INLINE vi v_load_i(const int32_t *p, vm m)
{
    return _mm512_maskz_loadu_epi32(m, p);
}

PK_INLINE vi v_load_all_i(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}

PK_INLINE void v_store_all_i(int32_t *p, vi v)
{
    _mm512_storeu_si512(p, v);
}

PK_INLINE vi v_add_i(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}

PK_INLINE vi v_sub_i(vi a, vi b)
{
    return _mm512_sub_epi32(a, b);
}

PK_INLINE vi v_mul_i(vi a, vi b)
{
    return _mm512_mullo_epi32(a, b);
}

PK_INLINE vf v_to_float(vi a)
{
    return _mm512_cvtepi32_ps(a);
}

/* Round half to even. */
PK_INLINE vi v_to_int(vf a)
{
    return _mm512_cvtps_epi32(a);
}

PK_INLINE vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

PK_INLINE vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

PK_INLINE vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

PK_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* v = u > lo ? u : lo, then v < hi ? v : hi. */
PK_INLINE vf v_clamp(vf u, vf lo, vf hi)
{
    return _mm512_min_ps(_mm512_max_ps(u, lo), hi);
}

/* t > 0 ? t : other */
PK_INLINE vf v_positive_or(vf t, vf other)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_GT_OQ), other, t);
}

/* ---- doubles ---- */

enum { DL = 8 };
typedef __m512d vd;

PK_INLINE vd d_set(double x)
{
    return _mm512_set1_pd(x);
}

/* The next DL floats. */
PK_INLINE vd d_load_f32(const float *p)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
}

PK_INLINE void d_store(double *p, vd v)
{
    _mm512_storeu_pd(p, v);
}

PK_INLINE vd d_add(vd a, vd b)
{
    return _mm512_add_pd(a, b);
}

PK_INLINE vd d_sub(vd a, vd b)
{
    return _mm512_sub_pd(a, b);
}

PK_INLINE vd d_mul(vd a, vd b)
{
    return _mm512_mul_pd(a, b);
}

/* a < b ? a : b */
PK_INLINE vd d_min(vd a, vd b)
{
    return _mm512_min_pd(a, b);
}

/* a > b ? a : b */
PK_INLINE vd d_max(vd a, vd b)
{
    return _mm512_max_pd(a, b);
}

#endif
