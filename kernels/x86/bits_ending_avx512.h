/*
 * bits_ending_avx512.h: tiles of bits_body.h that write codes: of one bit by comparing sums with a border per
 * channel, of eight by a factor and an offset per channel (finish_codes_avx512.h).
 */
#include <math.h>

#include "finish_codes_avx512.h"

/* A block of channels. */
struct ending {
    _Alignas(64) int32_t start[CHANNELS];
    __m512i high, low; /* codes where a sum has reached the border, where not */
    enum { SUMS, ONE_BIT, CODES, FEW_CODES } way;
    int vectors; /* of channels */
    __mmask64 lanes;
    uint8_t *to; /* of pixel 0 */
    ptrdiff_t pitch;
    struct finish finish;
};

enum { FEW = 16 }; /* pixels: too few to look for borders and to lay out factors first */

/* One output whose codes are two, without steps and weight zero points? */
static bool is_one_bit(const struct pk_epilogue *e)
{
    const struct pk_out *o = e->outs;
    return e->n_steps == 0 && e->n_outs == 1 && o->type == PK_U8 && e->weight_zero == NULL &&
           o->hi - o->lo == 1.0f && o->lo == rintf(o->lo);
}

/* Sixteen channels: their codes as a function of the sum. */
struct border {
    vf m, b, lo, hi;
    vi bias, high; /* the higher code, from zero on */
    vm falls;      /* m < 0: of minus the sum */
};

PK_INLINE vm reaches(const struct border *t, vi at)
{
    const vi sum = _mm512_mask_sub_epi32(at, t->falls, v_set_i(0), at);
    const vf u = v_fma(v_to_float(v_add_i(sum, t->bias)), t->m, t->b);
    return _mm512_cmpeq_epi32_mask(v_to_int(v_clamp(u, t->lo, t->hi)), t->high);
}

/* The least sum of -k..k that reaches the higher code, else k + 1, by bisection. */
static vi bisect(const struct border *t, int k)
{
    vi below = v_set_i(-k - 1), from = v_set_i(k + 1);
    for (int span = 2 * k + 2; span > 1; span = (span + 1) / 2) {
        const vi middle = _mm512_srai_epi32(v_add_i(below, from), 1);
        const vm high = reaches(t, middle);
        from = _mm512_mask_mov_epi32(from, high, middle);
        below = _mm512_mask_mov_epi32(below, (vm)~high, middle);
    }
    return from;
}

/* The same from where the border is but for rounding. */
static vi find_border(const struct border *t, int k)
{
    const vi one = v_set_i(1), first = v_set_i(-k), never = v_set_i(k + 1);
    const vf u = _mm512_div_ps(v_sub(v_add(t->lo, v_set(0.5f)), t->b), t->m);
    const vf sum = v_sub(u, v_to_float(t->bias)), at = _mm512_mask_sub_ps(sum, t->falls, v_set(0), sum);
    vi from = v_to_int(_mm512_roundscale_ps(v_clamp(at, v_to_float(first), v_to_float(never)), _MM_FROUND_TO_POS_INF));
    from = _mm512_min_epi32(from, never); /* k of more than 24 bits */
    for (int tries = 0; tries < 3; tries++) {
        const vi before = _mm512_sub_epi32(from, one);
        const vm more = _mm512_mask_cmplt_epi32_mask((vm)~reaches(t, from), from, never),
                 less = _mm512_mask_cmpge_epi32_mask(reaches(t, before), before, first);
        if ((more | less) == 0) {
            return from;
        }
        from = _mm512_mask_add_epi32(_mm512_mask_mov_epi32(from, less, before), more, from, one);
    }
    return bisect(t, k);
}

/*
 * Codes of sixteen channels from `at` on never fall (m >= 0) or never rise (m < 0) with the sum:
 * the border between them, with the epilogue's own operations. NaN: the lower code,
 * and as m and b are finite or not for every sum alike but at 0 * infinity, that is refused.
 */
static bool find_least(const struct pk_epilogue *e, size_t at, size_t n, int k, int32_t *least,
                       vm *falls)
{
    const struct pk_out *o = e->outs;
    const vm lanes = v_lanes((int)n);
    const vf m = v_load(o->m + at, lanes), b = v_load(o->b + at, lanes);
    const vm odd = _mm512_fpclass_ps_mask(m, 0x99) | _mm512_fpclass_ps_mask(b, 0x99);
    const struct border t = {.m = m,
                             .b = b,
                             .lo = v_set(o->lo),
                             .hi = v_set(o->hi),
                             .bias = e->bias_i32 != NULL ? v_load_i(e->bias_i32 + at, lanes) : v_set_i(0),
                             .high = v_to_int(v_set(o->hi)),
                             .falls = _mm512_cmp_ps_mask(m, v_set(0), _CMP_LT_OQ)};
    const vi from = find_border(&t, k);
    /* falling: high where -sum >= from, that is not where sum >= 1 - from */
    _mm512_storeu_si512(least, _mm512_mask_sub_epi32(from, t.falls, v_set_i(1), from));
    *falls = t.falls;
    return odd == 0;
}

/* Sums begin so that the sign says whether they reach the border. */
static bool find_borders(const struct pk_epilogue *e, size_t first, size_t n, int k, const int32_t *start,
                         const int32_t *mask, struct ending *to)
{
    const __m512i low = _mm512_set1_epi8((char)(e->outs->zero + (int)e->outs->lo));
    bool plain = true;
    __mmask64 flip = 0;
    for (size_t at = 0; at < n; at += VL) {
        int32_t least[VL];
        vm falls;
        plain = find_least(e, first + at, n - at, k, least, &falls) && plain;
        const vi border = _mm512_loadu_si512(least), exist = _mm512_load_si512(mask + at);
        const vi from = _mm512_sub_epi32(_mm512_load_si512(start + at), border);
        /* the sum 0 of a channel of zeros, whatever is counted */
        const vi fixed = _mm512_maskz_mov_epi32(_mm512_cmpgt_epi32_mask(border, v_set_i(0)), v_set_i(INT32_MIN / 2));
        _mm512_store_si512(to->start + at, _mm512_mask_mov_epi32(from, _mm512_testn_epi32_mask(exist, exist), fixed));
        flip |= (__mmask64)falls << at;
    }
    const __m512i above = _mm512_add_epi8(low, _mm512_set1_epi8(1));
    to->high = _mm512_mask_mov_epi8(above, flip, low);
    to->low = _mm512_mask_mov_epi8(low, flip, above);
    to->lanes = n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
    to->to = (uint8_t *)e->outs->data + first;
    to->pitch = e->outs->pitch;
    return plain;
}

/* 49 to 64 channels without one of zeros: their sums begin with bias_i32. */
static bool find_factors(const struct pk_epilogue *e, size_t first, size_t n, const int32_t *start,
                         const int32_t *mask, struct ending *to)
{
    if (n <= 48 || !finish_of(&to->finish, e)) {
        return false;
    }
    __mmask64 exist = 0;
    finish_panel(&to->finish, (int)first, (int)n);
    PK_UNROLL
    for (int j = 0; j < 4; j++) {
        const vi m = _mm512_load_si512(mask + VL * j);
        exist |= (__mmask64)_mm512_test_epi32_mask(m, m) << VL * j;
        _mm512_store_si512(to->start + VL * j,
                           _mm512_add_epi32(_mm512_load_si512(start + VL * j), to->finish.plain.bias[j]));
    }
    return (~exist & to->finish.plain.q.bytes) == 0;
}

static void find_ending(const struct plan *p, const struct pk_epilogue *e, size_t first, size_t n,
                        const int32_t *start, const int32_t *mask, struct ending *to)
{
    to->vectors = (int)((n + VL - 1) / VL);
    to->way = SUMS;
    if (p->pixels < FEW) {
        to->finish.plain.q = (struct quad){e, (int)first, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
        to->way = n > 48 && finish_of(&to->finish, e) ? FEW_CODES : SUMS;
        return;
    }
    if (is_one_bit(e)) {
        to->way = find_borders(e, first, n, (int)p->k, start, mask, to) ? ONE_BIT : SUMS;
    }
    if (to->way == SUMS) {
        to->way = find_factors(e, first, n, start, mask, to) ? CODES : SUMS;
    }
}

/* n = 16 * nv channels of a pixel: which sums are below the border. */
PK_INLINE __mmask64 below(const __m512i *s, const int nv)
{
    const __mmask32 first = nv == 1 ? _mm512_movepi32_mask(s[0])
                                    : _mm512_kunpackw(_mm512_movepi32_mask(s[1]), _mm512_movepi32_mask(s[0]));
    if (nv <= 2) {
        return first;
    }
    const __mmask32 second = nv == 3 ? _mm512_movepi32_mask(s[2])
                                     : _mm512_kunpackw(_mm512_movepi32_mask(s[3]), _mm512_movepi32_mask(s[2]));
    return _mm512_kunpackd(second, first);
}

/* A pixel's codes: a wide store would cross cache lines even where its lanes are off. */
PK_INLINE void put_codes(uint8_t *to, __mmask64 lanes, __m512i codes, const int nv)
{
    if (nv == 1) {
        _mm_mask_storeu_epi8(to, (__mmask16)lanes, _mm512_castsi512_si128(codes));
    } else if (nv == 2) {
        _mm256_mask_storeu_epi8(to, (__mmask32)lanes, _mm512_castsi512_si256(codes));
    } else if (nv == 4 && lanes == ~(__mmask64)0) {
        _mm512_storeu_si512(to, codes);
    } else {
        _mm512_mask_storeu_epi8(to, lanes, codes);
    }
}

typedef void ending_fn(struct ending *e, const struct bits *x, const word *w, size_t pixel);

#define ONE(mr, nv)                                                                                \
    static void one_##mr##x##nv(struct ending *e, const struct bits *x, const word *w,             \
                                size_t pixel)                                                      \
    {                                                                                              \
        __m512i s[(mr) * (nv)];                                                                    \
        uint8_t *to = e->to + (ptrdiff_t)pixel * e->pitch;                                         \
        count_tile(x, w, e->start, s, mr, nv);                                                     \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++)                                                             \
            put_codes(to + r * e->pitch, e->lanes,                                                 \
                      _mm512_mask_mov_epi8(e->high, below(s + r * (nv), nv), e->low), nv);         \
    }
#define ONES(nv) ONE(1, nv) ONE(2, nv) ONE(3, nv) ONE(4, nv) ONE(5, nv)
ONES(1)
ONES(2)
ONES(3)
ONES(4)
#undef ONES

#define CODE(mr)                                                                                   \
    static void codes_##mr(struct ending *e, const struct bits *x, const word *w,                  \
                           size_t pixel)                                                           \
    {                                                                                              \
        __m512i s[(mr) * 4];                                                                       \
        finish_rows(&e->finish, pixel);                                                            \
        count_tile(x, w, e->start, s, mr, 4);                                                      \
        finish_tile(&e->finish, s, mr, 4);                                                        \
    }
CODE(1)
CODE(2)
CODE(3)
CODE(4)
CODE(5)

/* `mr` of few pixels: factors and bounds come from where they are. */
PK_INLINE void few_codes(const struct ending *e, const struct bits *x, const word *w, size_t pixel, const int mr)
{
    const struct quad q = e->finish.plain.q;
    const int32_t *mask = (const int32_t *)w - CHANNELS, *start = mask - CHANNELS;
    __m512i s[5 * 4], bias[4];
    struct target to;
    vf m[4], b[4], u[4];
    count_tile(x, w, start, s, mr, 4);
    target_set(&to, &q, q.e->outs, pixel);
    to.floor = true;
    quad_vec(&q, q.e->outs->m, m, 4, false);
    quad_vec(&q, q.e->outs->b, b, 4, false);
    quad_bias(&q, bias, 4, false);
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            const vi sum = _mm512_and_si512(s[4 * r + j], _mm512_load_si512(mask + VL * j));
            u[j] = v_fma(v_to_float(v_add_i(sum, bias[j])), m[j], b[j]);
        }
        quad_put(&q, &to, r, u, 4, false, true);
    }
}

#define FEWER(mr)                                                                                  \
    static void few_##mr(struct ending *e, const struct bits *x, const word *w, size_t pixel)      \
    {                                                                                              \
        few_codes(e, x, w, pixel, mr);                                                             \
    }
FEWER(1)
FEWER(2)
FEWER(3)
FEWER(4)
FEWER(5)

/* Writes the codes of `rows` pixels from `pixel` on, if the block has a way for that. w: its weights. */
static bool strip_ended(struct ending *e, const struct bits *x, const word *w, size_t rows, size_t pixel)
{
    static ending_fn *const codes[TALL] = {codes_1, codes_2, codes_3, codes_4, codes_5};
    static ending_fn *const few[TALL] = {few_1, few_2, few_3, few_4, few_5};
    static ending_fn *const ones[4][TALL] = {{one_1x1, one_2x1, one_3x1, one_4x1, one_5x1},
                                             {one_1x2, one_2x2, one_3x2, one_4x2, one_5x2},
                                             {one_1x3, one_2x3, one_3x3, one_4x3, one_5x3},
                                             {one_1x4, one_2x4, one_3x4, one_4x4, one_5x4}};
    if (e->way == SUMS) {
        return false;
    }
    ending_fn *const *tiles = e->way == CODES ? codes : e->way == FEW_CODES ? few : ones[e->vectors - 1];
    struct bits tile = *x;
    for (size_t r = 0, tall; r < rows; r += tall, tile.a += tall * x->pitch) {
        const size_t left = rows - r, tiles_left = (left + TALL - 1) / TALL;
        tall = (left + tiles_left - 1) / tiles_left;
        tiles[tall - 1](e, &tile, w, pixel + r);
    }
    return true;
}
