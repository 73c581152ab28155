/*
 * vec_neon.h: four lanes of float or int32 for the bodies. A vm says how many lanes exist: lanes
 * beyond are neither read from nor written to memory.
 */
#ifndef PARE_PK_VEC_NEON_H
#define PARE_PK_VEC_NEON_H

#include "arm.h"

#include <arm_neon.h>
#include <string.h>

enum { VL = 4 };
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef struct {
    int n; /* lanes, at most 4 */
} vm;

/* The first n lanes; n >= 4: all. */
PK_INLINE vm v_lanes(int n)
{
    const vm m = {n < VL ? n : VL};
    return m;
}

PK_INLINE vf v_set(float x)
{
    return vdupq_n_f32(x);
}

PK_INLINE vf v_load_all(const float *p)
{
    return vld1q_f32(p);
}

PK_INLINE vf v_load(const float *p, vm m)
{
    if (m.n == VL) {
        return vld1q_f32(p);
    }
    float part[VL] = {0};
    for (int i = 0; i < m.n; i++) {
        part[i] = p[i];
    }
    return vld1q_f32(part);
}

PK_INLINE void v_store_all(float *p, vf v)
{
    vst1q_f32(p, v);
}

PK_INLINE void v_store(float *p, vf v, vm m)
{
    if (m.n == VL) {
        vst1q_f32(p, v);
        return;
    }
    float part[VL];
    vst1q_f32(part, v);
    for (int i = 0; i < m.n; i++) {
        p[i] = part[i];
    }
}

PK_INLINE vf v_load_f16(const uint16_t *p, vm m)
{
    if (m.n == VL) {
        return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
    }
    uint16_t part[VL] = {0};
    for (int i = 0; i < m.n; i++) {
        part[i] = p[i];
    }
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(part)));
}

PK_INLINE void v_store_f16(uint16_t *p, vf v, vm m)
{
    const uint16x4_t h = vreinterpret_u16_f16(vcvt_f16_f32(v));
    if (m.n == VL) {
        vst1_u16(p, h);
        return;
    }
    uint16_t part[VL];
    vst1_u16(part, h);
    for (int i = 0; i < m.n; i++) {
        p[i] = part[i];
    }
}

PK_INLINE vi v_load_u8(const uint8_t *p, vm m)
{
    uint32_t bytes = 0;
    if (m.n == VL) {
        memcpy(&bytes, p, 4);
    } else {
        for (int i = 0; i < m.n; i++) {
            bytes |= (uint32_t)p[i] << 8 * i;
        }
    }
    const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
}

/* Lanes are 0..255. */
PK_INLINE void v_store_u8(uint8_t *p, vi v, vm m)
{
    const int16x4_t half = vmovn_s32(v);
    const uint32_t bytes =
        vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(half, half))), 0);
    if (m.n == VL) {
        memcpy(p, &bytes, 4);
        return;
    }
    for (int i = 0; i < m.n; i++) {
        p[i] = (uint8_t)(bytes >> 8 * i);
    }
}

PK_INLINE vi v_set_i(int x)
{
    return vdupq_n_s32(x);
}

PK_INLINE vi v_load_i(const int32_t *p, vm m)
{
    if (m.n == VL) {
        return vld1q_s32(p);
    }
    int32_t part[VL] = {0};
    for (int i = 0; i < m.n; i++) {
        part[i] = p[i];
    }
    return vld1q_s32(part);
}

PK_INLINE vi v_load_all_i(const int32_t *p)
{
    return vld1q_s32(p);
}

PK_INLINE void v_store_all_i(int32_t *p, vi v)
{
    vst1q_s32(p, v);
}

PK_INLINE vi v_add_i(vi a, vi b)
{
    return vaddq_s32(a, b);
}

PK_INLINE vi v_sub_i(vi a, vi b)
{
    return vsubq_s32(a, b);
}

PK_INLINE vi v_mul_i(vi a, vi b)
{
    return vmulq_s32(a, b);
}

PK_INLINE vf v_to_float(vi a)
{
    return vcvtq_f32_s32(a);
}

/* Round half to even. */
PK_INLINE vi v_to_int(vf a)
{
    return vcvtnq_s32_f32(a);
}

PK_INLINE vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

PK_INLINE vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

PK_INLINE vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

PK_INLINE vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

/* v = u > lo ? u : lo, then v < hi ? v : hi (FMAXNM and FMINNM order zeros by their sign). */
PK_INLINE vf v_clamp(vf u, vf lo, vf hi)
{
    const vf v = vbslq_f32(vcgtq_f32(u, lo), u, lo);
    return vbslq_f32(vcltq_f32(v, hi), v, hi);
}

/* t > 0 ? t : other */
PK_INLINE vf v_positive_or(vf t, vf other)
{
    return vbslq_f32(vcgtzq_f32(t), t, other);
}

/* ---- doubles ---- */

enum { DL = 2 };
typedef float64x2_t vd;

PK_INLINE vd d_set(double x)
{
    return vdupq_n_f64(x);
}

/* The next DL floats. */
PK_INLINE vd d_load_f32(const float *p)
{
    return vcvt_f64_f32(vld1_f32(p));
}

PK_INLINE void d_store(double *p, vd v)
{
    vst1q_f64(p, v);
}

PK_INLINE vd d_add(vd a, vd b)
{
    return vaddq_f64(a, b);
}

PK_INLINE vd d_sub(vd a, vd b)
{
    return vsubq_f64(a, b);
}

PK_INLINE vd d_mul(vd a, vd b)
{
    return vmulq_f64(a, b);
}

/* a < b ? a : b */
PK_INLINE vd d_min(vd a, vd b)
{
    return vbslq_f64(vcltq_f64(a, b), a, b);
}

/* a > b ? a : b */
PK_INLINE vd d_max(vd a, vd b)
{
    return vbslq_f64(vcgtq_f64(a, b), a, b);
}

#endif
