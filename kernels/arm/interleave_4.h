/*
 * interleave_4.h: four pixels of byte codes side by side in each lane, for depthwise kernels with
 * dot products: to[c / 4 * stride + c % 4 * 4 + i] = pixels[i][c] ^ FLIP. FLIP is defined before.
 */
#ifndef PARE_PK_INTERLEAVE_4_H
#define PARE_PK_INTERLEAVE_4_H

PK_INLINE uint8x16_t part_of(const uint8_t *p, size_t n)
{
    uint8_t part[16] = {0};
    if (n >= 16) {
        return vld1q_u8(p);
    }
    for (size_t i = 0; i < n; i++) {
        part[i] = p[i];
    }
    return vld1q_u8(part);
}

/* Sixteen channels at a time; `stride`: elements between vectors of four channels. */
PK_INLINE void interleave(uint8_t *to, const uint8_t *const *pixels, size_t n, size_t stride)
{
    for (size_t first = 0; first < n; first += 16, to += 4 * stride) {
        const size_t left = n - first;
        uint8x16_t p[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            p[i] = veorq_u8(part_of(pixels[i] + first, left), vdupq_n_u8(FLIP));
        }
        const uint16x8_t low01 = vreinterpretq_u16_u8(vzip1q_u8(p[0], p[1])),
                         high01 = vreinterpretq_u16_u8(vzip2q_u8(p[0], p[1])),
                         low23 = vreinterpretq_u16_u8(vzip1q_u8(p[2], p[3])),
                         high23 = vreinterpretq_u16_u8(vzip2q_u8(p[2], p[3]));
        vst1q_u8(to, vreinterpretq_u8_u16(vzip1q_u16(low01, low23)));
        if (left > 4) {
            vst1q_u8(to + stride, vreinterpretq_u8_u16(vzip2q_u16(low01, low23)));
        }
        if (left > 8) {
            vst1q_u8(to + 2 * stride, vreinterpretq_u8_u16(vzip1q_u16(high01, high23)));
        }
        if (left > 12) {
            vst1q_u8(to + 3 * stride, vreinterpretq_u8_u16(vzip2q_u16(high01, high23)));
        }
    }
}

PK_INLINE void interleave_run(uint8_t *to, const uint8_t *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    for (size_t g = 0; g < groups; g++, to += VL * GROUP, from += GROUP * pitch) {
        const uint8_t *const pixels[GROUP] = {from, from + pitch, from + 2 * pitch,
                                              from + 3 * pitch};
        interleave(to, pixels, n, stride);
    }
}

#endif
