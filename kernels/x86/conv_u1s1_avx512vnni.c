/*
 * conv_u1s1_avx512vnni.c: dense layers on one bit: activations 0 or 1, weights -1 or +1, by vpxorq
 * and vpopcntq. With b = 1 for a weight of +1, a sum of x * w over K products is
 *   (number of b) - popcount(x xor b),
 * so what counts is the number of differing bits; a channel whose weights are all 0 has the sum 0.
 *
 * Packed: for 64 output channels at a time the number of b and a mask (0 for a channel of zeros),
 * int32 each [64]; then per 32 channels [words of K][32] 64-bit words. A tap's channels begin at a
 * word of their own where that wastes little ("in place": the picture is packed to bits once, with
 * its padding, and read where it is); else the bits of all taps follow each other.
 *
 * Machines without VPOPCNTDQ: every shape is declined.
 */
#include "panel_u8_avx512.h"

#include "../pk_tables.h"

#include <math.h>
#include <string.h>

enum {
    CHANNELS = 64,     /* of a block of sums */
    HALF = CHANNELS / 2,
    STRIP = 30,        /* pixels of a block of sums */
    TALL = 5,          /* pixels of a tile: 20 vectors of sums */
    HEADER = 2 * CHANNELS * 4 /* bytes */
};

struct plan {
    size_t depth, k, n;
    size_t tap_words, words;  /* 64-bit words of one tap (in place), of a sum */
    size_t rows, columns;     /* of the picture of bits, with its padding */
    size_t out_h, out_w;
    bool in_place;
};

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p;
    const size_t taps = (size_t)c->kernel_h * (size_t)c->kernel_w;
    p.depth = (size_t)c->in_c;
    p.k = taps * p.depth;
    p.n = (size_t)c->out_c;
    p.tap_words = (p.depth + 63) / 64;
    p.words = (p.k + 63) / 64;
    p.in_place = c->dilation_w == 1 && taps * p.tap_words * 8 <= p.words * 9;
    p.words = p.in_place ? taps * p.tap_words : p.words;
    p.rows = (size_t)((c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
    p.columns = (size_t)((c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1);
    p.out_h = (size_t)c->out_h;
    p.out_w = (size_t)c->out_w;
    if (p.in_place && panel_is_picture(c)) { /* one long row */
        p.out_w *= p.out_h;
        p.columns = p.out_w;
        p.rows = p.out_h = 1;
    }
    return p;
}

static size_t block_bytes(const struct plan *p)
{
    return HEADER + p->words * CHANNELS * sizeof(uint64_t);
}

static size_t packed_size(const struct pk_conv *c)
{
    if (c->groups != 1 || !__builtin_cpu_supports("avx512vpopcntdq")) {
        return 0;
    }
    const struct plan p = plan_of(c);
    return (p.n + CHANNELS - 1) / CHANNELS * block_bytes(&p);
}

/* Where product k lies: the bit of a row of words. */
static size_t bit_of(const struct plan *p, size_t k)
{
    return p->in_place ? k / p->depth * p->tap_words * 64 + k % p->depth : k;
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    const int8_t *w = weights; /* [n][k] */
    memset(packed, 0, packed_size(c));
    for (size_t n = 0; n < p.n; n++) {
        char *block = (char *)packed + n / CHANNELS * block_bytes(&p);
        int32_t *count = (int32_t *)(void *)block, *mask = count + CHANNELS;
        uint64_t *bits = (uint64_t *)(void *)(block + HEADER) + n / HALF % 2 * p.words * HALF;
        for (size_t k = 0; k < p.k; k++) {
            const size_t at = bit_of(&p, k);
            if (w[n * p.k + k] > 0) {
                bits[at / 64 * HALF + n % HALF] |= (uint64_t)1 << at % 64;
                count[n % CHANNELS]++;
            }
        }
        mask[n % CHANNELS] = p.k > 0 && w[n * p.k] != 0 ? -1 : 0;
    }
}

/* ---- bits of activations ---- */

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

/* Pixels of padding: `n` times the words of one. */
static void pad_bits(const struct plan *p, size_t n, int pad_code, uint64_t *to)
{
    const size_t rest = p->depth % 64;
    for (size_t i = 0; i < n * p->tap_words; i++) {
        const bool last = rest != 0 && i % p->tap_words == p->tap_words - 1;
        to[i] = pad_code == 0 ? 0 : last ? ((uint64_t)1 << rest) - 1 : ~(uint64_t)0;
    }
}

static void picture_to_bits(const struct pk_conv *c, const struct plan *p, const uint8_t *x,
                            int pad_code, uint64_t *to)
{
    if (panel_is_picture(c)) {
        for (size_t i = 0; i < p->out_w; i++) {
            to_bits(x + i * p->depth, p->depth, to + i * p->tap_words);
        }
        return;
    }
    const ptrdiff_t columns = (ptrdiff_t)p->columns;
    for (ptrdiff_t y = 0; y < (ptrdiff_t)p->rows; y++, to += p->columns * p->tap_words) {
        const ptrdiff_t iy = y - c->pad_top;
        ptrdiff_t from = c->pad_left, end = c->pad_left + c->in_w;
        end = end < columns ? end : columns;
        from = from < columns ? from : columns;
        if (iy < 0 || iy >= c->in_h) {
            from = end = columns;
        }
        pad_bits(p, (size_t)from, pad_code, to);
        const uint8_t *row = x + iy * c->in_w * c->in_c;
        for (ptrdiff_t i = from; i < end; i++) {
            to_bits(row + (i - c->pad_left) * c->in_c, p->depth, to + (size_t)i * p->tap_words);
        }
        pad_bits(p, (size_t)(columns - end), pad_code, to + (size_t)end * p->tap_words);
    }
}

/* ---- sums ---- */

/* Pixels' bits: `parts` runs of `length` words, `apart` words apart; the next pixel is `pitch`
 * words further. */
struct bits {
    const uint64_t *a;
    size_t pitch, parts, length, apart;
};

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
            for (size_t k = 0; k < length; k++, a++, w += HALF) {                                  \
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

typedef void tile_fn(const struct bits *x, const uint64_t *w, const int32_t *count,
                     const int32_t *mask, int32_t *acc);
static tile_fn *const wide_tiles[TALL + 1] = {NULL,     tile_1x4, tile_2x4,
                                              tile_3x4, tile_4x4, tile_5x4};
static tile_fn *const thin_tiles[TALL + 1] = {NULL,     tile_1x2, tile_2x2,
                                              tile_3x2, tile_4x2, tile_5x2};

/* Number of ones of each of `rows` pixels' taps, for weight zero points. */
static void count_ones(const struct bits *x, size_t rows, int32_t *sums)
{
    for (size_t r = 0; r < rows; r++) {
        const uint64_t *a = x->a + r * x->pitch;
        long long sum = 0;
        for (size_t i = 0; i < x->parts; i++, a += x->apart) {
            for (size_t k = 0; k < x->length; k++) {
                sum += __builtin_popcountll(a[k]);
            }
        }
        sums[r] = (int32_t)sum;
    }
}

/* Sums of `rows` pixels (at most STRIP) times n channels of a block. */
static void strip(const struct plan *p, const struct bits *x, const char *block, size_t rows,
                  size_t n, const int32_t *count, const int32_t *mask, int32_t *acc)
{
    const uint64_t *w = (const uint64_t *)(const void *)(block + HEADER);
    for (size_t half = 0; half * HALF < n; half++, w += p->words * HALF) {
        const size_t at = half * HALF;
        tile_fn *const *tiles = n - at <= HALF / 2 ? thin_tiles : wide_tiles;
        struct bits tile = *x;
        for (size_t r = 0, tall; r < rows; r += tall) {
            const size_t left = rows - r, tiles_left = (left + TALL - 1) / TALL;
            tall = (left + tiles_left - 1) / tiles_left;
            tile.a = x->a + r * x->pitch;
            tiles[tall](&tile, w, count + at, mask + at, acc + r * CHANNELS + at);
        }
    }
}

/* ---- one-bit outputs ---- */

/* The codes of a block of channels: low + 1 where (sum >= least) is not `flip`, else low. */
struct threshold {
    int32_t least[CHANNELS];
    uint64_t flip;
    __m512i low;
};

/* One output whose codes are two, without steps and weight zero points? */
static bool is_one_bit(const struct pk_epilogue *e)
{
    const struct pk_out *o = e->outs;
    return e->n_steps == 0 && e->n_outs == 1 && o->type == PK_U8 && e->weight_zero == NULL &&
           o->hi - o->lo == 1.0f && o->lo == rintf(o->lo);
}

/*
 * Codes of sixteen channels from `at` on never fall (m >= 0) or never rise (m < 0) with the sum:
 * the border between them, by bisection with the epilogue's own operations. NaN: the lower code,
 * and as m and b are finite or not for every sum alike but at 0 * infinity, that is refused.
 */
static bool find_least(const struct pk_epilogue *e, size_t at, size_t n, int k, int32_t *least,
                       uint32_t *flip)
{
    const struct pk_out *o = e->outs;
    const vm lanes = v_lanes((int)n);
    const vf m = v_load(o->m + at, lanes), b = v_load(o->b + at, lanes);
    const vi bias = e->bias_i32 != NULL ? v_load_i(e->bias_i32 + at, lanes) : v_set_i(0);
    const __mmask16 odd = _mm512_fpclass_ps_mask(m, 0x99) | _mm512_fpclass_ps_mask(b, 0x99);
    const __mmask16 falls = _mm512_cmp_ps_mask(m, v_set(0), _CMP_LT_OQ);
    const vi high_code = v_to_int(v_set(o->hi));
    vi below = v_set_i(-k - 1), from = v_set_i(k + 1);
    for (int span = 2 * k + 2; span > 1; span = (span + 1) / 2) {
        const vi middle = _mm512_srai_epi32(v_add_i(below, from), 1);
        const vi sum = _mm512_mask_sub_epi32(middle, falls, v_set_i(0), middle);
        const vf u = v_fma(v_to_float(v_add_i(sum, bias)), m, b);
        const vi code = v_to_int(v_clamp(u, v_set(o->lo), v_set(o->hi)));
        const __mmask16 high = _mm512_cmpeq_epi32_mask(code, high_code);
        from = _mm512_mask_mov_epi32(from, high, middle);
        below = _mm512_mask_mov_epi32(below, (__mmask16)~high, middle);
    }
    /* falling: high where -sum >= from, that is not where sum >= 1 - from */
    const vi border = _mm512_mask_sub_epi32(from, falls, v_set_i(1), from);
    _mm512_storeu_si512(least, border);
    *flip = falls;
    return odd == 0;
}

static bool find_threshold(const struct pk_epilogue *e, size_t first, size_t n, int k,
                           struct threshold *t)
{
    bool plain = true;
    t->flip = 0;
    t->low = _mm512_set1_epi8((char)(e->outs->zero + (int)e->outs->lo));
    for (size_t at = 0; at < n; at += VL) {
        uint32_t flip;
        plain = find_least(e, first + at, n - at, k, t->least + at, &flip) && plain;
        t->flip |= (uint64_t)flip << at;
    }
    return plain;
}

static void put_bits(const struct threshold *t, const struct pk_out *o, size_t pixel, size_t rows,
                     size_t first, size_t n, const int32_t *acc)
{
    const __mmask64 lanes = n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
    uint8_t *to = (uint8_t *)o->data + (ptrdiff_t)pixel * o->pitch + first;
    const __m512i high = _mm512_add_epi8(t->low, _mm512_set1_epi8(1));
    for (size_t r = 0; r < rows; r++, to += o->pitch, acc += CHANNELS) {
        uint64_t reached = 0;
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            reached |= (uint64_t)_mm512_cmpge_epi32_mask(_mm512_load_si512(acc + 16 * i),
                                                         _mm512_load_si512(t->least + 16 * i))
                       << 16 * i;
        }
        const __m512i codes = _mm512_mask_mov_epi8(t->low, reached ^ t->flip, high);
        _mm512_mask_storeu_epi8(to, lanes, codes);
    }
}

/* ---- the layer ---- */

struct scratch {
    uint64_t *bits;
    int32_t *acc;              /* [STRIP][CHANNELS] */
    struct threshold *one_bit; /* [blocks of channels] */
    uint8_t *rows;             /* [STRIP][lda], when not in place */
    size_t lda;
};

/* Bytes of the four parts of scratch, one after the other. */
static size_t parts_of(const struct plan *p, size_t part[4])
{
    const size_t words = p->in_place ? p->rows * p->columns * p->tap_words : STRIP * p->words;
    part[0] = STRIP * CHANNELS * sizeof(int32_t);
    part[1] = pk_round_up((p->n + CHANNELS - 1) / CHANNELS * sizeof(struct threshold), 64);
    part[2] = pk_round_up(words * sizeof(uint64_t), 64);
    part[3] = p->in_place ? 0 : STRIP * pk_round_up(p->k, 64);
    return part[0] + part[1] + part[2] + part[3];
}

static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    size_t part[4];
    return parts_of(&p, part);
}

static struct scratch place(const struct plan *p, char *memory)
{
    size_t part[4];
    parts_of(p, part);
    struct scratch s;
    s.acc = (int32_t *)(void *)memory;
    s.one_bit = (struct threshold *)(void *)(memory + part[0]);
    s.bits = (uint64_t *)(void *)(memory + part[0] + part[1]);
    s.rows = (uint8_t *)memory + part[0] + part[1] + part[2];
    s.lda = pk_round_up(p->k, 64);
    return s;
}

struct work {
    const struct plan *p;
    const struct pk_epilogue *e;
    const char *packed;
    struct scratch s;
    bool one_bit;
};

/* All channels of `rows` pixels (at most STRIP). */
static void channels(const struct work *w, const struct bits *x, size_t pixel, size_t rows)
{
    const char *block = w->packed;
    int32_t sums[STRIP];
    if (w->e->weight_zero != NULL) {
        count_ones(x, rows, sums);
    }
    for (size_t first = 0; first < w->p->n; first += CHANNELS, block += block_bytes(w->p)) {
        const size_t n = w->p->n - first < CHANNELS ? w->p->n - first : CHANNELS;
        const int32_t *count = (const int32_t *)(const void *)block;
        strip(w->p, x, block, rows, n, count, count + CHANNELS, w->s.acc);
        if (w->one_bit) {
            put_bits(&w->s.one_bit[first / CHANNELS], w->e->outs, pixel, rows, first, n, w->s.acc);
            continue;
        }
        const struct pk_tile tile = {.acc = w->s.acc,       .ld = CHANNELS, .pixel = pixel,
                                     .rows = (int)rows,     .channel = (int)first,
                                     .n = (int)n,           .sums = sums};
        pk_epilogue_i32_avx512(w->e, &tile);
    }
}

static void run_in_place(const struct pk_conv *c, const struct work *w, const uint8_t *x,
                         int pad_code)
{
    const struct plan *p = w->p;
    picture_to_bits(c, p, x, pad_code, w->s.bits);
    struct bits b = {.pitch = (size_t)c->stride_w * p->tap_words,
                     .parts = (size_t)c->kernel_h,
                     .length = (size_t)c->kernel_w * p->tap_words,
                     .apart = (size_t)c->dilation_h * p->columns * p->tap_words};
    for (size_t y = 0; y < p->out_h; y++) {
        for (size_t ox = 0; ox < p->out_w; ox += STRIP) {
            const size_t rows = p->out_w - ox < STRIP ? p->out_w - ox : STRIP;
            b.a = w->s.bits + y * (size_t)c->stride_h * p->columns * p->tap_words + ox * b.pitch;
            channels(w, &b, y * p->out_w + ox, rows);
        }
    }
}

static void run_gathered(const struct pk_conv *c, const struct work *w, const uint8_t *x,
                         int pad_code)
{
    const struct plan *p = w->p;
    const struct bits b = {w->s.bits, p->words, 1, p->words, 0};
    const size_t pixels = p->out_h * p->out_w;
    for (size_t pixel = 0; pixel < pixels; pixel += STRIP) {
        const size_t rows = pixels - pixel < STRIP ? pixels - pixel : STRIP;
        panel_gather(c, x, pixel, rows, (uint8_t)pad_code, w->s.rows, w->s.lda);
        for (size_t r = 0; r < rows; r++) {
            to_bits(w->s.rows + r * w->s.lda, p->k, w->s.bits + r * p->words);
        }
        channels(w, &b, pixel, rows);
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    struct work w = {.p = &p, .e = e, .packed = packed, .s = place(&p, scratch)};
    w.one_bit = is_one_bit(e);
    for (size_t first = 0; w.one_bit && first < p.n; first += CHANNELS) {
        const size_t n = p.n - first < CHANNELS ? p.n - first : CHANNELS;
        w.one_bit = find_threshold(e, first, n, (int)p.k, &w.s.one_bit[first / CHANNELS]);
    }
    (p.in_place ? run_in_place : run_gathered)(c, &w, x, pad_code);
}

const struct pk_layer_kernel pk_conv_u1s1_avx512vnni = {"conv_u1s1_avx512vnni", packed_size, pack,
                                                        scratch_size, run};
const struct pk_layer_kernel pk_fc_u1s1_avx512vnni = {"fc_u1s1_avx512vnni", packed_size, pack,
                                                      scratch_size, run};
