/* bits_threshold_avx512.h: one-bit outputs of bits_body.h by comparing sums with a border per channel. */
#include <math.h>

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
                       uint32_t *flip)
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
    *flip = t.falls;
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
