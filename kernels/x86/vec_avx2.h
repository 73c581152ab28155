/*
 * vec_avx2.h: eight lanes of float or int32 for the bodies. A vm says which lanes exist: lanes
 * beyond are neither read from nor written to memory.
 */
#ifndef PARE_PK_VEC_AVX2_H
#define PARE_PK_VEC_AVX2_H

#include "x86.h"

#include <immintrin.h>
#include <string.h>

enum { VL = 8 };
typedef __m256 vf;
typedef __m256i vi;
typedef struct {
    __m256i bits;
    int n; /* lanes, at most 8 */
} vm;

/* The first n lanes; n >= 8: all. */
PK_INLINE vm v_lanes(int n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const vm m = {_mm256_cmpgt_epi32(_mm256_set1_epi32(n), index), n < 8 ? n : 8};
    return m;
}

PK_INLINE vf v_set(float x)
{
    return _mm256_set1_ps(x);
}

PK_INLINE vf v_load_all(const float *p)
{
    return _mm256_loadu_ps(p);
}

PK_INLINE vf v_load(const float *p, vm m)
{
    return m.n == 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, m.bits);
}

PK_INLINE void v_store_all(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}

PK_INLINE void v_store(float *p, vf v, vm m)
{
    if (m.n == 8) {
        _mm256_storeu_ps(p, v);
    } else {
        _mm256_maskstore_ps(p, m.bits, v);
    }
}

PK_INLINE vf v_load_f16(const uint16_t *p, vm m)
{
    if (m.n == 8) {
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
    }
    uint16_t part[8] = {0};
    for (int i = 0; i < m.n; i++) {
        part[i] = p[i];
    }
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)part));
}

PK_INLINE void v_store_f16(uint16_t *p, vf v, vm m)
{
    const __m128i h = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    if (m.n == 8) {
        _mm_storeu_si128((__m128i *)(void *)p, h);
        return;
    }
    uint16_t part[8];
    _mm_storeu_si128((__m128i *)(void *)part, h);
    for (int i = 0; i < m.n; i++) {
        p[i] = part[i];
    }
}

PK_INLINE vi v_load_u8(const uint8_t *p, vm m)
{
    if (m.n == 8) {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
    }
    uint8_t part[8] = {0};
    for (int i = 0; i < m.n; i++) {
        part[i] = p[i];
    }
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)part));
}

PK_INLINE void v_store_u8(uint8_t *p, vi v, vm m)
{
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i bytes = _mm_packus_epi16(words, words);
    if (m.n == 8) {
        _mm_storel_epi64((__m128i *)(void *)p, bytes);
        return;
    }
    uint8_t part[8];
    _mm_storel_epi64((__m128i *)(void *)part, bytes);
    for (int i = 0; i < m.n; i++) {
        p[i] = part[i];
    }
}

PK_INLINE vi v_set_i(int x)
{
    return _mm256_set1_epi32(x);
}

PK_INLINE vi v_load_i(const int32_t *p, vm m)
{
    return m.n == 8 ? _mm256_loadu_si256((const __m256i *)(const void *)p)
                    : _mm256_maskload_epi32(p, m.bits);
}

PK_INLINE vi v_load_all_i(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

PK_INLINE void v_store_all_i(int32_t *p, vi v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

PK_INLINE vi v_add_i(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}

PK_INLINE vi v_sub_i(vi a, vi b)
{
    return _mm256_sub_epi32(a, b);
}

PK_INLINE vi v_mul_i(vi a, vi b)
{
    return _mm256_mullo_epi32(a, b);
}

PK_INLINE vf v_to_float(vi a)
{
    return _mm256_cvtepi32_ps(a);
}

/* Round half to even. */
PK_INLINE vi v_to_int(vf a)
{
    return _mm256_cvtps_epi32(a);
}

PK_INLINE vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

PK_INLINE vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

PK_INLINE vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

PK_INLINE vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* v = u > lo ? u : lo, then v < hi ? v : hi. */
PK_INLINE vf v_clamp(vf u, vf lo, vf hi)
{
    return _mm256_min_ps(_mm256_max_ps(u, lo), hi);
}

/* t > 0 ? t : other */
PK_INLINE vf v_positive_or(vf t, vf other)
{
    return _mm256_blendv_ps(other, t, _mm256_cmp_ps(t, _mm256_setzero_ps(), _CMP_GT_OQ));
}

/* ---- doubles ---- */

enum { DL = 4 };
typedef __m256d vd;

PK_INLINE vd d_set(double x)
{
    return _mm256_set1_pd(x);
}

/* The next DL floats. */
PK_INLINE vd d_load_f32(const float *p)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
}

PK_INLINE void d_store(double *p, vd v)
{
    _mm256_storeu_pd(p, v);
}

PK_INLINE vd d_add(vd a, vd b)
{
    return _mm256_add_pd(a, b);
}

PK_INLINE vd d_sub(vd a, vd b)
{
    return _mm256_sub_pd(a, b);
}

PK_INLINE vd d_mul(vd a, vd b)
{
    return _mm256_mul_pd(a, b);
}

/* a < b ? a : b */
PK_INLINE vd d_min(vd a, vd b)
{
    return _mm256_min_pd(a, b);
}

/* a > b ? a : b */
PK_INLINE vd d_max(vd a, vd b)
{
    return _mm256_max_pd(a, b);
}

#endif
