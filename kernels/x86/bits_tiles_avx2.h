/*
 * bits_tiles_avx2.h: tiles for bits_body.h: bits are counted nibble by nibble in a table (vpshufb) and
 * added in bytes; a byte holds 31 times 8.
 */
enum {
    TALL = 4,       /* 8 vectors of sums */
    MOST_WORDS = 31 /* whose counts a byte holds */
};

/* n codes to bits, whole words; bits beyond are 0. */
PK_INLINE void to_bits(const uint8_t *x, size_t n, uint64_t *to)
{
    const __m256i zero = _mm256_setzero_si256();
    for (; n > 0; n -= n < 64 ? n : 64, x += 64) {
        uint8_t rest[64] = {0};
        const uint8_t *from = x;
        if (n < 64) {
            memcpy(rest, x, n);
            from = rest;
        }
        const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)from),
                      high = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
        const uint32_t off = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, zero)),
                       off_high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, zero));
        *to++ = ~((uint64_t)off_high << 32 | off);
    }
}

/* The number of ones of each byte. */
PK_INLINE __m256i count_bytes(__m256i v)
{
    const __m256i ones = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(
        _mm256_shuffle_epi8(ones, _mm256_and_si256(v, low)),
        _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

/* In its place: GCC 12 else copies every sum. */
#define ADD_BYTES(s, a) __asm__("vpaddb %1, %0, %0" : "+x"(s) : "x"(a))

/* s[mr][2]: differing bits of at most MOST_WORDS words per channel, 64 bits each */
#define COUNT(mr)                                                                                  \
    __m256i s[mr][2];                                                                              \
    PK_UNROLL                                                                                      \
    for (int r = 0; r < (mr); r++)                                                                 \
        s[r][0] = s[r][1] = _mm256_setzero_si256();                                                \
    const uint64_t *part = x->a;                                                                   \
    const size_t pitch = x->pitch, length = x->length;                                             \
    for (size_t i = 0; i < x->parts; i++, part += x->apart) {                                      \
        const uint64_t *a = part;                                                                  \
        for (size_t k = 0; k < length; k++, a++, w += PART) {                                      \
            const __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)w),               \
                          b1 = _mm256_loadu_si256((const __m256i *)(const void *)(w + 4));         \
            PK_UNROLL                                                                              \
            for (int r = 0; r < (mr); r++) {                                                       \
                const __m256i q = _mm256_set1_epi64x((long long)a[(size_t)r * pitch]);             \
                ADD_BYTES(s[r][0], count_bytes(_mm256_xor_si256(q, b0)));                          \
                ADD_BYTES(s[r][1], count_bytes(_mm256_xor_si256(q, b1)));                          \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    PK_UNROLL                                                                                      \
    for (int r = 0; r < (mr); r++) {                                                               \
        s[r][0] = _mm256_sad_epu8(s[r][0], _mm256_setzero_si256());                                \
        s[r][1] = _mm256_sad_epu8(s[r][1], _mm256_setzero_si256());                                \
    }

/* Two vectors of 64-bit counts of differing bits to a PART of sums. */
PK_INLINE void put_sums(__m256i low, __m256i high, const int32_t *start, const int32_t *mask, int32_t *acc)
{
    const __m256i from = _mm256_loadu_si256((const __m256i *)(const void *)start),
                  exist = _mm256_loadu_si256((const __m256i *)(const void *)mask);
    const __m256 pairs = _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88);
    const __m256i sum = _mm256_permute4x64_epi64(_mm256_castps_si256(pairs), 0xd8);
    _mm256_storeu_si256((__m256i *)(void *)acc, _mm256_and_si256(_mm256_add_epi32(from, sum), exist));
}

#define SMALL(mr)                                                                                  \
    static void small_##mr(const struct bits *x, const uint64_t *w, const int32_t *start,         \
                           const int32_t *mask, int32_t *acc)                                      \
    {                                                                                              \
        COUNT(mr)                                                                                  \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++)                                                             \
            put_sums(s[r][0], s[r][1], start, mask, acc + r * CHANNELS);                           \
    }                                                                                              \
    static __attribute__((noinline)) void piece_##mr(const struct bits *x, const uint64_t *w,      \
                                                     __m256i *sums)                                \
    {                                                                                              \
        COUNT(mr)                                                                                  \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < 2 * (mr); r++)                                                         \
            sums[r] = _mm256_add_epi64(sums[r], s[r / 2][r % 2]);                                  \
    }
SMALL(1)
SMALL(2)
SMALL(3)
SMALL(4)

typedef void piece_fn(const struct bits *x, const uint64_t *w, __m256i *sums);

/* Pieces of at most MOST_WORDS words: of several runs, or of a part of one. */
PK_INLINE void large(const struct bits *x, const uint64_t *w, const int32_t *start,
                     const int32_t *mask, int32_t *acc, const int rows, piece_fn *piece)
{
    __m256i sums[2 * TALL];
    for (int i = 0; i < 2 * rows; i++) {
        sums[i] = _mm256_setzero_si256();
    }
    struct bits b = *x;
    const size_t together = x->length < MOST_WORDS ? MOST_WORDS / x->length : 1;
    for (size_t i = 0; i < x->parts; i += together) {
        b.parts = x->parts - i < together ? x->parts - i : together;
        for (size_t k = 0; k < x->length; k += MOST_WORDS) {
            b.a = x->a + i * x->apart + k;
            b.length = x->length - k < MOST_WORDS ? x->length - k : MOST_WORDS;
            piece(&b, w, sums);
            w += b.parts * b.length * PART;
        }
    }
    for (int r = 0; r < rows; r++) {
        put_sums(sums[2 * r], sums[2 * r + 1], start, mask, acc + r * CHANNELS);
    }
}

#define TILE(rows)                                                                                 \
    static void tile_##rows(const struct bits *x, const uint64_t *w, const int32_t *start,        \
                            const int32_t *mask, int32_t *acc)                                     \
    {                                                                                              \
        if (x->parts * x->length <= MOST_WORDS) {                                                  \
            small_##rows(x, w, start, mask, acc);                                                  \
        } else {                                                                                   \
            large(x, w, start, mask, acc, rows, piece_##rows);                                     \
        }                                                                                          \
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
