/*
 * bits_tiles_neon.h: tiles for bits_body.h by EOR and CNT: 4 pixels times 8 channels, two channels of 64
 * bits in a vector, counts added in bytes; a byte holds 31 times 8.
 */
enum {
    TALL = 4,       /* 16 vectors of sums */
    VECTORS = 4,    /* of a PART */
    MOST_WORDS = 31 /* whose counts a byte holds */
};

/* n codes to bits, whole words; bits beyond are 0. */
PK_INLINE void to_bits(const uint8_t *x, size_t n, uint64_t *to)
{
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t place = vld1q_u8(places);
    for (; n > 0; n -= n < 64 ? n : 64, x += 64) {
        uint8_t rest[64] = {0};
        const uint8_t *from = x;
        if (n < 64) {
            memcpy(rest, x, n);
            from = rest;
        }
        uint8x16_t t[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            const uint8x16_t v = vld1q_u8(from + 16 * i);
            t[i] = vandq_u8(vtstq_u8(v, v), place);
        }
        const uint8x16_t quarter = vpaddq_u8(vpaddq_u8(t[0], t[1]), vpaddq_u8(t[2], t[3]));
        *to++ = vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(quarter, quarter)), 0);
    }
}

/* sums[mr][2] += differing bits of at most MOST_WORDS words, four channels a vector */
PK_INLINE void count(const struct bits *x, const uint64_t *w, uint32x4_t *sums, const int mr)
{
    uint8x16_t s[TALL][VECTORS];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < VECTORS; j++)
            s[r][j] = vdupq_n_u8(0);
    }
    const uint64_t *part = x->a;
    const size_t pitch = x->pitch, length = x->length;
    for (size_t i = 0; i < x->parts; i++, part += x->apart) {
        const uint64_t *a = part;
        for (size_t k = 0; k < length; k++, a++, w += PART) {
            uint8x16_t b[VECTORS];
            PK_UNROLL
            for (int j = 0; j < VECTORS; j++)
                b[j] = vreinterpretq_u8_u64(vld1q_u64(w + 2 * j));
            PK_UNROLL
            for (int r = 0; r < mr; r++) {
                const uint8x16_t q = vreinterpretq_u8_u64(vld1q_dup_u64(a + (size_t)r * pitch));
                PK_UNROLL
                for (int j = 0; j < VECTORS; j++)
                    s[r][j] = vaddq_u8(s[r][j], vcntq_u8(veorq_u8(q, b[j])));
            }
        }
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < VECTORS; j += 2) {
            const uint16x8_t pairs = vpaddq_u16(vpaddlq_u8(s[r][j]), vpaddlq_u8(s[r][j + 1]));
            sums[r * 2 + j / 2] = vpadalq_u16(sums[r * 2 + j / 2], pairs);
        }
    }
}

/* Pieces of at most MOST_WORDS words: of several runs, or of a part of one. */
PK_INLINE void tile(const struct bits *x, const uint64_t *w, const int32_t *start, const int32_t *mask,
                    int32_t *acc, const int mr)
{
    uint32x4_t sums[TALL * 2];
    for (int i = 0; i < 2 * mr; i++) {
        sums[i] = vdupq_n_u32(0);
    }
    struct bits b = *x;
    const size_t together = x->length < MOST_WORDS ? MOST_WORDS / x->length : 1;
    for (size_t i = 0; i < x->parts; i += together) {
        b.parts = x->parts - i < together ? x->parts - i : together;
        for (size_t k = 0; k < x->length; k += MOST_WORDS) {
            b.a = x->a + i * x->apart + k;
            b.length = x->length - k < MOST_WORDS ? x->length - k : MOST_WORDS;
            count(&b, w, sums, mr);
            w += b.parts * b.length * PART;
        }
    }
    for (int r = 0; r < mr; r++) {
        for (int j = 0; j < 2; j++) {
            const int32x4_t all = vaddq_s32(vld1q_s32(start + 4 * j), vreinterpretq_s32_u32(sums[2 * r + j]));
            vst1q_s32(acc + r * CHANNELS + 4 * j, vandq_s32(all, vld1q_s32(mask + 4 * j)));
        }
    }
}

#define TILE(rows)                                                                                 \
    static void tile_##rows(const struct bits *x, const uint64_t *w, const int32_t *start,          \
                            const int32_t *mask, int32_t *acc)                                     \
    {                                                                                              \
        tile(x, w, start, mask, acc, rows);                                                         \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)

static tile_fn *tile_for(size_t rows, size_t n)
{
    static tile_fn *const tiles[TALL + 1] = {NULL, tile_1, tile_2, tile_3, tile_4};
    (void)n;
    return tiles[rows];
}
