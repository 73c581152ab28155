/*
 * codes_neon.h: byte codes for signed multiplications: the panel holds code - 128, and a panel of
 * weights begins with what that takes from every sum, 128 * (the channel's sum of weights).
 */
#ifndef PARE_PK_CODES_NEON_H
#define PARE_PK_CODES_NEON_H

#define T_X uint8_t
#define T_A int8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define A_OFFSET 128
#define PK_EPILOGUE pk_epilogue_i32_neon
#define PK_PAD(code) ((int8_t)((code)-128))

PK_INLINE void copy_row(int8_t *to, const uint8_t *from, size_t n)
{
    const uint8x16_t sign = vdupq_n_u8(0x80);
    for (; n >= 16; n -= 16, to += 16, from += 16) {
        vst1q_s8(to, vreinterpretq_s8_u8(veorq_u8(vld1q_u8(from), sign)));
    }
    if (n >= 8) {
        vst1_s8(to, vreinterpret_s8_u8(veor_u8(vld1_u8(from), vget_low_u8(sign))));
        n -= 8, to += 8, from += 8;
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = (int8_t)(from[i] - 128);
    }
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

/* 128 * (the sum of n weights), modulo 2^32 */
PK_INLINE int32_t offset_of(const int8_t *w, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += w[i];
    }
    return (int32_t)(uint32_t)(uint64_t)(sum * 128);
}

/* The head of a panel, 4 bytes a channel: its offset. w: [n][k]. */
PK_INLINE void offsets_head(int8_t *to, const int8_t *w, size_t n, size_t width, size_t k)
{
    for (size_t i = 0; i < width; i++, to += sizeof(int32_t)) {
        const int32_t offset = i < n ? offset_of(w + i * k, k) : 0;
        memcpy(to, &offset, sizeof offset);
    }
}

#endif
