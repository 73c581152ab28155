/* bits_tiles_avx512.h: tiles for bits_body.h by vpxorq and vpopcntq. */
enum { TALL = 5 }; /* 20 vectors of sums */

/* n codes to bits, whole words; bits beyond are 0. */
PK_INLINE void to_bits(const uint8_t *x, size_t n, uint64_t *to)
{
    for (; n >= 64; n -= 64, x += 64) {
        const __m512i v = _mm512_loadu_si512(x);
        *to++ = _mm512_test_epi8_mask(v, v);
    }
    if (n > 0) {
        const __m512i v = _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, x);
        *to = _mm512_test_epi8_mask(v, v);
    }
}

/* acc[mr][CHANNELS] of 8 * nv channels = (count - differing bits) & mask */
#define TILE(name, mr, nv)                                                                         \
    static void name(const struct bits *x, const uint64_t *w, const int32_t *count,                \
                     const int32_t *mask, int32_t *acc)                                            \
    {                                                                                              \
        __m512i s[mr][nv], b[nv];                                                                  \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = _mm512_setzero_si512();                                                  \
        }                                                                                          \
        const uint64_t *part = x->a;                                                               \
        const size_t pitch = x->pitch, length = x->length;                                         \
        for (size_t i = 0; i < x->parts; i++, part += x->apart) {                                  \
            const uint64_t *a = part;                                                              \
            for (size_t k = 0; k < length; k++, a++, w += PART) {                                  \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    b[j] = _mm512_load_si512(w + 8 * j);                                           \
                PK_UNROLL                                                                          \
                for (int r = 0; r < (mr); r++) {                                                   \
                    const __m512i q = _mm512_set1_epi64((long long)a[(size_t)r * pitch]);          \
                    PK_UNROLL                                                                      \
                    for (int j = 0; j < (nv); j++)                                                 \
                        s[r][j] = _mm512_add_epi64(                                                \
                            s[r][j], _mm512_popcnt_epi64(_mm512_xor_si512(q, b[j])));              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        const __m512i even =                                                                       \
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j += 2) {                                                    \
                const __m512i sum = _mm512_permutex2var_epi32(s[r][j], even, s[r][j + 1]);         \
                const __m512i all = _mm512_sub_epi32(_mm512_load_si512(count + 8 * j), sum);       \
                _mm512_store_si512(acc + r * CHANNELS + 8 * j,                                     \
                                   _mm512_and_si512(all, _mm512_load_si512(mask + 8 * j)));        \
            }                                                                                      \
        }                                                                                          \
    }

TILE(tile_1x4, 1, 4)
TILE(tile_2x4, 2, 4)
TILE(tile_3x4, 3, 4)
TILE(tile_4x4, 4, 4)
TILE(tile_5x4, 5, 4)
TILE(tile_1x2, 1, 2)
TILE(tile_2x2, 2, 2)
TILE(tile_3x2, 3, 2)
TILE(tile_4x2, 4, 2)
TILE(tile_5x2, 5, 2)

static tile_fn *const wide_tiles[TALL + 1] = {NULL,     tile_1x4, tile_2x4,
                                              tile_3x4, tile_4x4, tile_5x4};
static tile_fn *const thin_tiles[TALL + 1] = {NULL,     tile_1x2, tile_2x2,
                                              tile_3x2, tile_4x2, tile_5x2};

static tile_fn *tile_for(size_t rows, size_t n)
{
    return (n <= PART / 2 ? thin_tiles : wide_tiles)[rows];
}
