/* op_types.c: loading and storing one element of any type, and casts. */
#include "op_types.h"

#include <math.h>
#include <string.h>

#include "op_math.h"
#include "ref.h"

size_t pk_dtype_size(enum pk_dtype t)
{
    static const size_t sizes[PK_DT_COUNT] = {
        [PK_DT_F32] = 4, [PK_DT_F16] = 2, [PK_DT_BF16] = 2, [PK_DT_F64] = 8, [PK_DT_I8] = 1,
        [PK_DT_U8] = 1,  [PK_DT_I16] = 2, [PK_DT_U16] = 2,  [PK_DT_I32] = 4, [PK_DT_U32] = 4,
        [PK_DT_I64] = 8, [PK_DT_U64] = 8, [PK_DT_BOOL] = 1,
    };
    return (unsigned)t < PK_DT_COUNT ? sizes[t] : 0;
}

bool pk_dtype_is_float(enum pk_dtype t)
{
    return t <= PK_DT_F64;
}

int op_packed_bits(enum pk_dtype t)
{
    return t == PK_DT_I4 || t == PK_DT_U4 ? 4 : t == PK_DT_I2 || t == PK_DT_U2 ? 2 : 0;
}

void op_integer_range(enum pk_dtype t, double *lo, double *hi)
{
    switch (t) {
    case PK_DT_I8:
        *lo = -128.0, *hi = 127.0;
        break;
    case PK_DT_U8:
        *lo = 0.0, *hi = 255.0;
        break;
    case PK_DT_I16:
        *lo = -32768.0, *hi = 32767.0;
        break;
    case PK_DT_U16:
        *lo = 0.0, *hi = 65535.0;
        break;
    case PK_DT_I32:
        *lo = -2147483648.0, *hi = 2147483647.0;
        break;
    case PK_DT_U32:
        *lo = 0.0, *hi = 4294967295.0;
        break;
    case PK_DT_U64:
        *lo = 0.0, *hi = 18446744073709549568.0;
        break; /* the largest doubles that fit */
    case PK_DT_BOOL:
        *lo = 0.0, *hi = 1.0;
        break;
    case PK_DT_I4:
        *lo = -8.0, *hi = 7.0;
        break;
    case PK_DT_U4:
        *lo = 0.0, *hi = 15.0;
        break;
    case PK_DT_I2:
        *lo = -2.0, *hi = 1.0;
        break;
    case PK_DT_U2:
        *lo = 0.0, *hi = 3.0;
        break;
    default:
        *lo = -9223372036854775808.0, *hi = 9223372036854774784.0;
        break;
    }
}

static uint64_t load_packed(int bits, const void *x, size_t i)
{
    size_t at = i * (size_t)bits;
    return (uint64_t)(((const uint8_t *)x)[at / 8] >> (at % 8)) & ((1u << bits) - 1u);
}

int64_t pk_load_int(enum pk_dtype t, const void *x, size_t i)
{
    switch (t) {
    case PK_DT_I8:
        return ((const int8_t *)x)[i];
    case PK_DT_BOOL:
    case PK_DT_U8:
        return ((const uint8_t *)x)[i];
    case PK_DT_I16:
        return ((const int16_t *)x)[i];
    case PK_DT_U16:
        return ((const uint16_t *)x)[i];
    case PK_DT_I32:
        return ((const int32_t *)x)[i];
    case PK_DT_U32:
        return ((const uint32_t *)x)[i];
    case PK_DT_I64:
        return ((const int64_t *)x)[i];
    case PK_DT_U64:
        return (int64_t)((const uint64_t *)x)[i];
    case PK_DT_U4:
    case PK_DT_U2:
        return (int64_t)load_packed(op_packed_bits(t), x, i);
    case PK_DT_I4:
        return (int64_t)(load_packed(4, x, i) ^ 8u) - 8;
    case PK_DT_I2:
        return (int64_t)(load_packed(2, x, i) ^ 2u) - 2;
    default:
        break;
    }
    double v = pk_dtype_is_float(t) ? pk_load(t, x, i) : 0.0;
    return v != v                        ? 0
           : v >= 9223372036854775807.0  ? INT64_MAX
           : v <= -9223372036854775808.0 ? INT64_MIN
                                         : (int64_t)v;
}

double pk_load(enum pk_dtype t, const void *x, size_t i)
{
    switch (t) {
    case PK_DT_F32:
        return (double)((const float *)x)[i];
    case PK_DT_F16:
        return (double)pk_ref_widen(((const uint16_t *)x)[i]);
    case PK_DT_BF16:
        return (double)op_from_bits((uint32_t)((const uint16_t *)x)[i] << 16);
    case PK_DT_F64:
        return ((const double *)x)[i];
    case PK_DT_U64:
        return (double)((const uint64_t *)x)[i];
    case PK_DT_STRING:
    case PK_DT_COUNT:
        return 0.0;
    default:
        return (double)pk_load_int(t, x, i);
    }
}

uint16_t op_to_bf16(float x)
{
    uint32_t bits = op_bits(x);
    if (x != x) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void pk_store_int(enum pk_dtype t, void *x, size_t i, int64_t value)
{
    int bits = op_packed_bits(t);
    if (bits > 0) {
        size_t at = i * (size_t)bits;
        unsigned mask = ((1u << bits) - 1u) << (at % 8), old = ((uint8_t *)x)[at / 8];
        ((uint8_t *)x)[at / 8] =
            (uint8_t)((old & ~mask) | ((unsigned)((uint64_t)value << (at % 8)) & mask));
        return;
    }
    switch (t) {
    case PK_DT_I8:
    case PK_DT_U8:
        ((uint8_t *)x)[i] = (uint8_t)value;
        break;
    case PK_DT_BOOL:
        ((uint8_t *)x)[i] = value != 0;
        break;
    case PK_DT_I16:
    case PK_DT_U16:
        ((uint16_t *)x)[i] = (uint16_t)value;
        break;
    case PK_DT_I32:
    case PK_DT_U32:
        ((uint32_t *)x)[i] = (uint32_t)value;
        break;
    case PK_DT_I64:
    case PK_DT_U64:
        ((uint64_t *)x)[i] = (uint64_t)value;
        break;
    default:
        pk_store(t, x, i, (double)value);
        break;
    }
}

void pk_store(enum pk_dtype t, void *x, size_t i, double value)
{
    double lo, hi;
    switch (t) {
    case PK_DT_F32:
        ((float *)x)[i] = (float)value;
        return;
    case PK_DT_F16:
        ((uint16_t *)x)[i] = pk_ref_narrow((float)value);
        return;
    case PK_DT_BF16:
        ((uint16_t *)x)[i] = op_to_bf16((float)value);
        return;
    case PK_DT_F64:
        ((double *)x)[i] = value;
        return;
    case PK_DT_STRING:
    case PK_DT_COUNT:
        return;
    default:
        break;
    }
    op_integer_range(t, &lo, &hi);
    double whole = fabs(value) < 4503599627370496.0
                       ? (value + 6755399441055744.0) - 6755399441055744.0
                       : value;
    whole = value != value ? 0.0 : whole < lo ? lo : whole > hi ? hi : whole;
    if (t == PK_DT_U64) {
        ((uint64_t *)x)[i] = (uint64_t)whole;
    } else {
        pk_store_int(t, x, i, (int64_t)whole);
    }
}

void op_to_f32(enum pk_dtype t, const void *x, size_t first, size_t n, float *y)
{
    const uint16_t *h = (const uint16_t *)x + first;
    for (size_t i = 0; i < n; i++) {
        y[i] = t == PK_DT_F16 ? pk_ref_widen(h[i]) : op_from_bits((uint32_t)h[i] << 16);
    }
}

void op_from_f32(enum pk_dtype t, const float *x, size_t n, void *y, size_t first)
{
    uint16_t *h = (uint16_t *)y + first;
    for (size_t i = 0; i < n; i++) {
        h[i] = t == PK_DT_F16 ? pk_ref_narrow(x[i]) : op_to_bf16(x[i]);
    }
}

void pk_cast(enum pk_dtype from, const void *src, enum pk_dtype to, void *dst, size_t n)
{
    double lo, hi;
    op_integer_range(to, &lo, &hi);
    for (size_t i = 0; i < n; i++) {
        if (to == PK_DT_BOOL) {
            ((uint8_t *)dst)[i] = pk_dtype_is_float(from) ? pk_load(from, src, i) != 0.0
                                                          : pk_load_int(from, src, i) != 0;
        } else if (pk_dtype_is_float(to)) {
            pk_store(to, dst, i, pk_load(from, src, i));
        } else if (pk_dtype_is_float(from)) {
            double v = pk_load(from, src, i);
            v = v != v ? 0.0 : v < lo ? lo : v > hi ? hi : v;
            if (to == PK_DT_U64) {
                ((uint64_t *)dst)[i] = (uint64_t)v;
            } else {
                pk_store_int(to, dst, i, (int64_t)v);
            }
        } else {
            pk_store_int(to, dst, i, pk_load_int(from, src, i));
        }
    }
}
