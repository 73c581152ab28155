/*
 * bits_tiles_avx512.h: tiles for bits_body.h by vpxord and vpopcntd: a vector holds 32 products of 16
 * channels, so sums need no change of lanes. Three operations for 512 products on two ports: at most
 * 341 products per cycle.
 */
enum {
    TALL = 5, /* 20 vectors of sums */
    TURN = 3  /* lines of codes that a turn of a tile of 5 times 64 makes bits of */
};

typedef uint64_t __attribute__((may_alias, aligned(4))) line; /* bits of 64 codes */

/* n codes to bits, whole words; bits beyond are 0. */
PK_INLINE void to_bits(const uint8_t *x, size_t n, word *to)
{
    for (; n >= 64; n -= 64, x += 64, to += 2) {
        const __m512i v = _mm512_loadu_si512(x);
        *(line *)(void *)to = _mm512_test_epi8_mask(v, v);
    }
    if (n > 0) {
        const __m512i v = _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, x);
        const uint64_t bits = _mm512_test_epi8_mask(v, v);
        to[0] = (word)bits;
        if (n > 32) {
            to[1] = (word)(bits >> 32);
        }
    }
}

/* In its place: GCC 12 else copies the sums of small tiles every turn. */
#define ADD_COUNTS(s, a) __asm__("vpaddd %1, %0, %0" : "+v"(s) : "v"(a))

/* Are there lines for a tile of so many turns? */
PK_INLINE bool has_ahead(const struct bits *x)
{
    return x->ahead->lines >= x->ahead->done + TURN;
}

/*
 * s[mr][nv] = differing bits + start of 16 * nv channels. ahead: each turn makes bits of TURN lines of codes too (the last
 * ones again and again when there are no more): where nothing waits for them, and p0 has time.
 */
PK_INLINE void count(const struct bits *x, const word *w, const int32_t *start, __m512i *s, const int mr,
                     const int nv, const bool ahead)
{
    __m512i b[4];
    PK_UNROLL
    for (int i = 0; i < mr * nv; i++)
        s[i] = _mm512_load_si512(start + 16 * (i % nv));
    const word *part = x->a;
    const size_t pitch = x->pitch, length = x->length;
    const uint8_t *codes = ahead ? x->ahead->from : NULL;
    char *bits = ahead ? (char *)x->ahead->to : NULL;
    size_t at = ahead ? 8 * x->ahead->done : 0;
    const size_t last = ahead ? 8 * (x->ahead->lines - TURN) : 0;
    for (size_t n = 0; n < x->parts; n++, part += x->apart) {
        const word *a = part;
        for (size_t k = 0; k < length; k++, a++, w += 16 * nv) {
            PK_UNROLL
            for (int j = 0; j < nv; j++)
                b[j] = _mm512_load_si512(w + 16 * j);
            PK_UNROLL
            for (int r = 0; r < mr; r++) {
                const __m512i q = _mm512_set1_epi32((int)a[(size_t)r * pitch]);
                PK_UNROLL
                for (int j = 0; j < nv; j++)
                    ADD_COUNTS(s[r * nv + j], _mm512_popcnt_epi32(_mm512_xor_si512(q, b[j])));
            }
            if (ahead) {
                PK_UNROLL
                for (size_t i = 0; i < TURN; i++) {
                    const __m512i v = _mm512_loadu_si512(codes + 8 * (at + 8 * i));
                    *(line *)(void *)(bits + at + 8 * i) = _mm512_test_epi8_mask(v, v);
                }
                at = at + 8 * TURN < last ? at + 8 * TURN : last;
            }
        }
    }
    if (ahead) {
        x->ahead->done = at / 8;
    }
}

/* One word of one pixel. */
PK_INLINE void add_word(const word *a, const word *w, __m512i *s, const int nv)
{
    const __m512i q = _mm512_set1_epi32((int)*a);
    PK_UNROLL
    for (int j = 0; j < nv; j++)
        ADD_COUNTS(s[j], _mm512_popcnt_epi32(_mm512_xor_si512(q, _mm512_load_si512(w + 16 * j))));
}

/* One pixel, four words a turn: else the loop's own steps, which may take p0 and p5 too, weigh more than with five. */
PK_INLINE void count_pixel(const struct bits *x, const word *w, const int32_t *start, __m512i *s, const int nv)
{
    PK_UNROLL
    for (int j = 0; j < nv; j++)
        s[j] = _mm512_load_si512(start + 16 * j);
    const word *part = x->a;
    const size_t length = x->length;
    for (size_t n = 0; n < x->parts; n++, part += x->apart) {
        size_t k = 0;
        for (; k + 4 <= length; k += 4, w += 64 * nv) {
            PK_UNROLL
            for (int i = 0; i < 4; i++)
                add_word(part + k + i, w + 16 * i * nv, s, nv);
        }
        for (; k < length; k++, w += 16 * nv) {
            add_word(part + k, w, s, nv);
        }
    }
}

/* Only the tallest and widest tile looks ahead: narrow ones have as much to do for fewer products. */
PK_INLINE void count_tile(const struct bits *x, const word *w, const int32_t *start, __m512i *s, const int mr,
                          const int nv)
{
    if (mr == 1) {
        count_pixel(x, w, start, s, nv);
    } else if (mr == TALL && nv == 4 && has_ahead(x)) {
        count(x, w, start, s, mr, nv, true);
    } else {
        count(x, w, start, s, mr, nv, false);
    }
}

/* acc[mr][CHANNELS] of 16 * nv channels = (differing bits + start) & mask */
#define TILE(mr, nv)                                                                               \
    static void tile_##mr##x##nv(const struct bits *x, const word *w, const int32_t *start,        \
                                 const int32_t *mask, int32_t *acc)                                \
    {                                                                                              \
        __m512i s[(mr) * (nv)];                                                                    \
        count_tile(x, w, start, s, mr, nv);                                                        \
        PK_UNROLL                                                                                  \
        for (int i = 0; i < (mr) * (nv); i++)                                                      \
            _mm512_store_si512(acc + i / (nv)*CHANNELS + i % (nv)*16,                              \
                               _mm512_and_si512(s[i], _mm512_load_si512(mask + i % (nv)*16)));     \
    }
#define TILES(nv) TILE(1, nv) TILE(2, nv) TILE(3, nv) TILE(4, nv) TILE(5, nv)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
#undef TILES

static tile_fn *tile_for(size_t rows, size_t n)
{
    static tile_fn *const tiles[4][TALL] = {{tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1},
                                            {tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2},
                                            {tile_1x3, tile_2x3, tile_3x3, tile_4x3, tile_5x3},
                                            {tile_1x4, tile_2x4, tile_3x4, tile_4x4, tile_5x4}};
    return tiles[(n - 1) / 16][rows - 1];
}
