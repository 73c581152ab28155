/* conv_u8s8_avxvnni.c: byte codes with the 256-bit vpdpbusd of machines without AVX-512. */
#include "finish_codes_avx2.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A uint8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define K_GROUP 4
#define NV 2
#define STEPS 4
#define vacc __m256i
#define V_ZERO() _mm256_setzero_si256()
#define V_BROADCAST(p) _mm256_set1_epi32(four_codes(p))
#define V_WEIGHTS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_MADD(acc, a, w) _mm256_dpbusd_avx_epi32(acc, a, w)
#define V_SUM(a, b) _mm256_add_epi32(a, b)
#define V_PUT(p, acc) _mm256_storeu_si256((__m256i *)(void *)(p), acc)
#define PK_EPILOGUE pk_epilogue_i32_avx2
#define PK_PAD(code) ((uint8_t)(code))
#define CONV_NAME conv_u8s8_avxvnni
#define FC_NAME fc_u8s8_avxvnni

PK_INLINE int four_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 32; n -= 32, to += 32, from += 32) {
        V_PUT(to, V_WEIGHTS(from));
    }
    for (; n >= 8; n -= 8, to += 8, from += 8) {
        memcpy(to, from, 8);
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"
