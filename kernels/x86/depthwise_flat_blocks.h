/*
 * depthwise_flat_blocks.h: the sums of depthwise_flat.h and what becomes of them: codes (one output without steps,
 * in registers) or sums in memory for the epilogue.
 */
#ifndef PARE_PK_DEPTHWISE_FLAT_BLOCKS_H
#define PARE_PK_DEPTHWISE_FLAT_BLOCKS_H

#include "vec_avx512.h"

/* Channels, picture elements, of a block. */
enum { FLAT = 64 };

/* What there is for every channel: what sums begin with, weight zero points; factors and offsets (float). */
enum { FLAT_START, FLAT_ZERO, FLAT_FACTOR, FLAT_OFFSET, FLAT_VECTOR_KINDS };

/* What a pass over `rows` output rows of a chunk reads and writes. */
struct flat_pass {
    const uint8_t *v[2];           /* groups of four rows */
    size_t plane, shift, odd;      /* bytes: of a plane; between pixels; to the planes of odd pixels */
    const int8_t *weights;         /* of phase 0 */
    const int8_t *ones;            /* of any phase, NULL without weight zero points */
    const int32_t *vectors;        /* [phases][FLAT_VECTOR_KINDS][4][VL] */
    size_t phases;
    size_t total;                  /* elements of an output row of the stripe */
    uint8_t *codes;                /* the first output row; bytes to each row (0: it does not exist), between blocks of a phase */
    ptrdiff_t row[4], step;
    int32_t *sums;                 /* [rows][sums_row] */
    size_t sums_row;
    vf lo, hi;
    __m512i code_zero;             /* 16 bits */
    __m512i least, most;           /* codes, where they are bounded within 0..255 */
    bool clamps, bounded;          /* of floats, of codes */
};

/* Does output row r (of those at work together) read group g? */
#define FLAT_READS(g, r) ((r) * stride <= 4 * (g) + 3 && (r) * stride + kernel - 1 >= 4 * (g))
#define FLAT_GROUPS (kernel == 3 && stride == 1 ? 1 : 2)
#define FLAT_ROWS (kernel == 5 && stride == 1 ? 4 : 2)
/* Vectors of weights of a block: 4 for every kernel column of every row of every group that it reads. */
#define FLAT_VECTORS ((size_t)(4 * kernel * (kernel == 5 && stride == 1 ? 8 : kernel == 5 ? 4 : stride == 2 ? 3 : 2)))

/* Of output rows 0..r-1, how many read group g: only row 0 of 3x3 with stride 2 does not read its second group. */
#define FLAT_BEFORE(g, r) ((r) - ((r) > 0 && !FLAT_READS(g, 0)))
/* Out of the compiler's sight: it would keep the addresses of all vectors, in memory where registers end. */
#define FLAT_OPAQUE(p) __asm__("" : "+r"(p))

#define FLAT_PIXEL(x, i)                                                                                              \
    ((i) == 0 ? (x) : (i) == 1 ? (x) + one : (i) == 2 ? (x) + 2 * one : (i) == 3 ? (x) + three                       \
     : (i) == 4 ? (x) + 4 * one : (i) == 5 ? (x) + five : (x) + 2 * three)

/* Sums at work in registers: two vectors of `blocks` blocks of `rows` output rows: [row][block][2]. */
#define FLAT_SUM(r, block, i) (((r) * blocks + (block)) * 2 + (i))
enum { FLAT_SUMS = 24 };

/* How blocks follow each other. FLAT_ODD: pixels are an odd number of 8 elements apart; FLAT_SLIDES: blocks are neighbouring
 * pixels, FLAT_SLIDES_2: every other one, both with stride 1. */
enum flat_way { FLAT_EVEN, FLAT_ODD, FLAT_SLIDES, FLAT_SLIDES_2, FLAT_WAYS };

/* Neighbouring blocks of a phase. */
struct flat_block {
    const uint8_t *v[2];    /* of the first block, plane 0 of each group */
    size_t apart;           /* bytes between blocks in a plane */
    const int8_t *weights;
    const int32_t *vectors; /* of the phase */
};

/*
 * Sums of vectors 2 * half and 2 * half + 1 of the blocks for the first `rows` of FLAT_ROWS output rows. odd: pixels are an
 * odd number of 8 elements apart, so that odd distances change the plane.
 */
PK_INLINE void flat_sums(const struct flat_pass *f, const struct flat_block *at, const int8_t *w, vi *sum, const int half,
                         const int kernel, const int stride, const int rows, const int blocks, const bool odd)
{
    const int groups = FLAT_GROUPS, all_rows = FLAT_ROWS;
    const size_t plane[4] = {0, f->plane, 2 * f->plane, 3 * f->plane};
    int n = 0;
    PK_UNROLL
    for (int g = 0; g < groups; g++) {
        const uint8_t *x[4];
        PK_UNROLL
        for (int block = 0; block < blocks; block++)
            x[block] = at->v[g] + (size_t)block * at->apart;
        PK_UNROLL
        for (int kx = 0; kx < kernel; kx++) {
            const bool across = odd && (stride == 1 ? kx : kx / 2) % 2 == 1;
            PK_UNROLL
            for (int block = 0; block < blocks; block++) {
                x[block] += kx == 0          ? 0
                            : stride == 1    ? f->shift
                            : kx % 2 == 1    ? f->odd
                                             : f->shift - f->odd;
                FLAT_OPAQUE(x[block]);
            }
            PK_UNROLL
            for (int j = 0; j < 4; j++) {
                if (j / 2 == half) {
                    vi a[4];
                    PK_UNROLL
                    for (int block = 0; block < blocks; block++) {
                        a[block] = _mm512_loadu_si512(across ? x[block] + plane[(j + 2) % 4] + (j < 2 ? -8 : 8)
                                                             : x[block] + plane[j]);
                        PK_KEEP(a[block]);
                    }
                    PK_UNROLL
                    for (int r = 0; r < rows; r++) {
                        if (FLAT_READS(g, r)) {
                            vi b = _mm512_load_si512(w + (n + FLAT_BEFORE(g, r)) * 64);
                            PK_KEEP(b);
                            PK_UNROLL
                            for (int block = 0; block < blocks; block++) {
                                vi *to = &sum[FLAT_SUM(r, block, j % 2)];
                                *to = _mm512_dpbusd_epi32(*to, a[block], b);
                            }
                        }
                    }
                }
                n += FLAT_BEFORE(g, all_rows);
            }
        }
    }
}

/*
 * The same for stride 1 where blocks of a phase are `apart` pixels apart: what a block reads at a kernel column is what the
 * block before it reads `apart` columns later, and stays in its register.
 */
PK_INLINE void flat_sums_slide(const struct flat_pass *f, const struct flat_block *at, const int8_t *w, vi *sum, const int half,
                               const int kernel, const int rows, const int blocks, const int apart)
{
    const int stride = 1, groups = FLAT_GROUPS, all_rows = FLAT_ROWS, more = apart * (blocks - 1);
    /* pixel 0..6 by an index and its scale: an addition for each would take ports of the products */
    size_t one = f->shift, three = 3 * one, five = 5 * one;
    FLAT_OPAQUE(one);
    FLAT_OPAQUE(three);
    FLAT_OPAQUE(five);
    int n = 0;
    PK_UNROLL
    for (int g = 0; g < groups; g++) {
        const uint8_t *x[2] = {at->v[g] + (size_t)(2 * half) * f->plane, at->v[g] + (size_t)(2 * half + 1) * f->plane};
        FLAT_OPAQUE(x[0]);
        FLAT_OPAQUE(x[1]);
        vi a[2][7];
        PK_UNROLL
        for (int i = 0; i < kernel + more; i++) {
            const int kx = i - more;
            PK_UNROLL
            for (int j = 0; j < 2; j++) {
                a[j][i] = _mm512_loadu_si512(FLAT_PIXEL(x[j], i));
                PK_KEEP(a[j][i]);
                PK_UNROLL
                for (int r = 0; r < rows; r++) {
                    if (kx >= 0 && FLAT_READS(g, r)) {
                        const int place = n + (kx * 4 + 2 * half + j) * FLAT_BEFORE(g, all_rows) + FLAT_BEFORE(g, r);
                        vi b = _mm512_load_si512(w + place * 64);
                        PK_KEEP(b);
                        PK_UNROLL
                        for (int block = 0; block < blocks; block++) {
                            vi *to = &sum[FLAT_SUM(r, block, j)];
                            *to = _mm512_dpbusd_epi32(*to, a[j][kx + apart * block], b);
                        }
                    }
                }
            }
        }
        n += kernel * 4 * FLAT_BEFORE(g, all_rows);
    }
}

/* Two vectors of sums to 32 codes in 16 bits, not yet clamped to 8. m, b: their factors and offsets. */
PK_INLINE __m512i flat_words(const struct flat_pass *f, const vi *sum, const vf *m, const vf *b, const bool clamps)
{
    vf u[2];
    PK_UNROLL
    for (int j = 0; j < 2; j++)
        u[j] = v_fma(v_to_float(sum[j]), m[j], b[j]);
    PK_UNROLL
    for (int j = 0; j < 2; j++)
        u[j] = clamps && f->clamps ? v_clamp(u[j], f->lo, f->hi) : u[j];
    return _mm512_adds_epi16(_mm512_packs_epi32(v_to_int(u[0]), v_to_int(u[1])), f->code_zero);
}

/* Four vectors of sums to memory in order: a transposed 4x4 matrix of 128 bits. */
PK_INLINE void flat_put_sums(int32_t *to, const vi *sum)
{
    const vi low01 = _mm512_shuffle_i32x4(sum[0], sum[1], 0x44), low23 = _mm512_shuffle_i32x4(sum[2], sum[3], 0x44);
    const vi high01 = _mm512_shuffle_i32x4(sum[0], sum[1], 0xee), high23 = _mm512_shuffle_i32x4(sum[2], sum[3], 0xee);
    v_store_all_i(to, _mm512_shuffle_i32x4(low01, low23, 0x88));
    v_store_all_i(to + VL, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    v_store_all_i(to + 2 * VL, _mm512_shuffle_i32x4(high01, high23, 0x88));
    v_store_all_i(to + 3 * VL, _mm512_shuffle_i32x4(high01, high23, 0xdd));
}

PK_INLINE void flat_start(const int32_t *start, vi *sum, const int rows, const int blocks)
{
    PK_UNROLL
    for (int i = 0; i < 2 * rows * blocks; i++)
        sum[i] = start != NULL ? v_load_all_i(start + i % 2 * VL) : v_set_i(0);
}

/* Half of a block as sums, less weight zero points: all[row][4]. */
PK_INLINE void flat_half_sums(const struct flat_pass *f, const struct flat_block *at, vi *all, const int half,
                              const int kernel, const int stride, const int rows, const bool odd)
{
    const int32_t *vectors = at->vectors + half * 2 * VL;
    vi sum[FLAT_SUMS], one[FLAT_SUMS];
    flat_start(vectors, sum, rows, 1);
    flat_sums(f, at, at->weights, sum, half, kernel, stride, rows, 1, odd);
    if (f->ones != NULL) {
        flat_start(NULL, one, rows, 1);
        flat_sums(f, at, f->ones, one, half, kernel, stride, rows, 1, odd);
        PK_UNROLL
        for (int i = 0; i < 2 * rows; i++)
            sum[i] = v_sub_i(sum[i], v_mul_i(one[i], v_load_all_i(vectors + FLAT_ZERO * FLAT + i % 2 * VL)));
    }
    PK_UNROLL
    for (int i = 0; i < 2 * rows; i++)
        all[i / 2 * 4 + 2 * half + i % 2] = sum[i];
}

/* A block as sums in memory. */
PK_INLINE void flat_block_sums(const struct flat_pass *f, const struct flat_block *at, int32_t *to, const int kernel,
                               const int stride, const int rows, const bool odd)
{
    vi sum[4 * 4];
    flat_half_sums(f, at, sum, 0, kernel, stride, rows, odd);
    flat_half_sums(f, at, sum, 1, kernel, stride, rows, odd);
    PK_UNROLL
    for (int r = 0; r < rows; r++)
        flat_put_sums(to + (size_t)r * f->sums_row, sum + 4 * r);
}

/* Blocks as codes; lanes: of one block, which exist. */
PK_INLINE void flat_block_codes(const struct flat_pass *f, const struct flat_block *at, uint8_t *to, __mmask64 lanes,
                                const int kernel, const int stride, const int rows, const int blocks, const enum flat_way way,
                                const bool clamps)
{
    __m512i words[2][FLAT_SUMS / 2];
    PK_UNROLL
    for (int half = 0; half < 2; half++) {
        const int32_t *vectors = at->vectors + half * 2 * VL;
        const float *factor = (const float *)(const void *)(vectors + FLAT_FACTOR * FLAT);
        const float *offset = (const float *)(const void *)(vectors + FLAT_OFFSET * FLAT);
        vi sum[FLAT_SUMS];
        flat_start(vectors, sum, rows, blocks);
        if (way == FLAT_SLIDES || (way == FLAT_SLIDES_2 && blocks < 3)) {
            flat_sums_slide(f, at, at->weights, sum, half, kernel, rows, blocks, way == FLAT_SLIDES ? 1 : 2);
        } else {
            flat_sums(f, at, at->weights, sum, half, kernel, stride, rows, blocks, way == FLAT_ODD);
        }
        const vf m[2] = {v_load_all(factor), v_load_all(factor + VL)};
        const vf b[2] = {v_load_all(offset), v_load_all(offset + VL)};
        PK_UNROLL
        for (int i = 0; i < rows * blocks; i++) {
            words[half][i] = flat_words(f, sum + 2 * i, m, b, clamps);
            PK_KEEP(words[half][i]);
        }
    }
    /* the last row first: a row that does not exist goes to where the first one will be */
    PK_UNROLL
    for (int i = rows * blocks - 1; i >= 0; i--) {
        __m512i codes = _mm512_packus_epi16(words[0][i], words[1][i]); /* undoes the order of the planes */
        if (clamps && f->bounded) {
            codes = _mm512_min_epu8(_mm512_max_epu8(codes, f->least), f->most);
        }
        uint8_t *p = to + (i / blocks > 0 ? f->row[i / blocks] : 0) + i % blocks * f->step;
        if (blocks > 1) {
            _mm512_storeu_si512(p, codes);
        } else {
            _mm512_mask_storeu_epi8(p, lanes, codes);
        }
    }
}

/* What becomes of sums: memory, codes, codes whose clamps the packs do not do (bounded: codes are clamped, else floats). */
enum flat_to { FLAT_TO_SUMS, FLAT_TO_CODES, FLAT_TO_CLAMPED };

/* The blocks of a phase, `whole` and perhaps one of which only `lanes` exist, to codes. */
PK_INLINE void flat_phase_codes(const struct flat_pass *f, struct flat_block at, uint8_t *to, size_t whole, __mmask64 lanes,
                                const int kernel, const int stride, const int rows, const enum flat_way way, const bool clamps)
{
    size_t left = whole;
    while (left > 1 || (left == 1 && whole > 1)) {
        if (kernel == 5 && stride == 1 && left == 3) {
            flat_block_codes(f, &at, to, 0, kernel, stride, rows, 3, way, clamps); /* as many sums as registers allow */
            at.v[0] += 3 * at.apart;
            at.v[1] += 3 * at.apart;
            to += 3 * f->step;
            left -= 3;
            continue;
        }
        /* an odd number: the last but one again rather than a single one, which takes as long */
        const size_t back = left == 1;
        at.v[0] -= back * at.apart;
        at.v[1] -= back * at.apart;
        to -= back ? f->step : 0;
        flat_block_codes(f, &at, to, 0, kernel, stride, rows, 2, way, clamps);
        at.v[0] += 2 * at.apart;
        at.v[1] += 2 * at.apart;
        to += 2 * f->step;
        left -= 2 - back;
    }
    for (; left > 0 || lanes != 0; left = 0, to += f->step, at.v[0] += at.apart, at.v[1] += at.apart) {
        const __mmask64 these = left > 0 ? ~(__mmask64)0 : lanes;
        flat_block_codes(f, &at, to, these, kernel, stride, rows, 1, way, clamps);
        lanes = left > 0 ? lanes : 0;
    }
}

/* Blocks of one phase after another, so that its weights stay in the L1 cache. */
PK_INLINE void flat_pass(const struct flat_pass *pass, const int kernel, const int stride, const int rows,
                         const enum flat_way way, const enum flat_to to)
{
    const struct flat_pass f = *pass; /* codes may alias anything, but not this */
    const size_t blocks = f.total / FLAT, each = blocks / f.phases, more = blocks % f.phases, rest = f.total % FLAT;
    struct flat_block at = {.apart = f.phases * FLAT, .weights = f.weights, .vectors = f.vectors};
    for (size_t phase = 0; phase < f.phases; phase++) {
        const size_t whole = each + (phase < more);
        const bool part = rest > 0 && phase == more;
        at.v[0] = f.v[0] + phase * FLAT;
        at.v[1] = f.v[1] + phase * FLAT;
        if (to == FLAT_TO_SUMS) {
            for (size_t x = 0; x < whole + part; x++, at.v[0] += at.apart, at.v[1] += at.apart) {
                flat_block_sums(&f, &at, f.sums + (x * f.phases + phase) * FLAT, kernel, stride, rows, way == FLAT_ODD);
            }
        } else {
            flat_phase_codes(&f, at, f.codes + phase * FLAT, whole, part ? ((__mmask64)1 << rest) - 1 : 0, kernel, stride,
                             rows, way, to == FLAT_TO_CLAMPED);
        }
        at.weights += FLAT_VECTORS * 64;
        at.vectors += FLAT_VECTOR_KINDS * FLAT;
    }
}

typedef void flat_fn(const struct flat_pass *f);

#define FLAT_PASS_2(name, kernel, stride, rows, way, to)                                                              \
    static __attribute__((noinline)) void name(const struct flat_pass *f)                                            \
    {                                                                                                                \
        flat_pass(f, kernel, stride, rows, way, to);                                                                 \
    }
#define FLAT_PASS(window, kernel, stride, rows)                                                                       \
    FLAT_PASS_2(flat_sums_##window, kernel, stride, rows, FLAT_EVEN, FLAT_TO_SUMS)                                   \
    FLAT_PASS_2(flat_sums_odd_##window, kernel, stride, rows, FLAT_ODD, FLAT_TO_SUMS)                                \
    FLAT_PASS_2(flat_codes_##window, kernel, stride, rows, FLAT_EVEN, FLAT_TO_CODES)                                 \
    FLAT_PASS_2(flat_codes_odd_##window, kernel, stride, rows, FLAT_ODD, FLAT_TO_CODES)                              \
    FLAT_PASS_2(flat_clamped_##window, kernel, stride, rows, FLAT_EVEN, FLAT_TO_CLAMPED)                             \
    FLAT_PASS_2(flat_clamped_odd_##window, kernel, stride, rows, FLAT_ODD, FLAT_TO_CLAMPED)
#define FLAT_SLIDE(window, kernel, rows)                                                                              \
    FLAT_PASS_2(flat_codes_slide_##window, kernel, 1, rows, FLAT_SLIDES, FLAT_TO_CODES)                              \
    FLAT_PASS_2(flat_clamped_slide_##window, kernel, 1, rows, FLAT_SLIDES, FLAT_TO_CLAMPED)                          \
    FLAT_PASS_2(flat_codes_slide_2_##window, kernel, 1, rows, FLAT_SLIDES_2, FLAT_TO_CODES)
FLAT_PASS(3_1, 3, 1, 2)
FLAT_PASS(3_2, 3, 2, 2)
FLAT_PASS(5_1, 5, 1, 4)
FLAT_PASS(5_1_three, 5, 1, 3)
FLAT_PASS(5_1_two, 5, 1, 2)
FLAT_PASS(5_2, 5, 2, 2)
FLAT_SLIDE(3_1, 3, 2)
FLAT_SLIDE(5_1, 5, 4)
FLAT_SLIDE(5_1_three, 5, 3)
FLAT_SLIDE(5_1_two, 5, 2)

/* [way][to]; those of one neighbour or two: */
#define FLAT_ROW(window, one, two)                                                                                    \
    {                                                                                                                \
        {flat_sums_##window, flat_codes_##window, flat_clamped_##window},                                            \
        {flat_sums_odd_##window, flat_codes_odd_##window, flat_clamped_odd_##window},                                \
        {flat_sums_##window, flat_codes_##one##window, flat_clamped_##one##window},                                  \
        {                                                                                                            \
            flat_sums_##window, flat_codes_##two##window, flat_clamped_##window                                      \
        }                                                                                                            \
    }
#define FLAT_SLIDE_ROW(window) FLAT_ROW(window, slide_, slide_2_)
#define FLAT_STEP_ROW(window) FLAT_ROW(window, , )

/* The pass over n_rows rows of a window. */
static flat_fn *flat_fn_of(int kernel, int stride, int n_rows, enum flat_way way, enum flat_to to)
{
    static flat_fn *const table[6][FLAT_WAYS][3] = {FLAT_SLIDE_ROW(3_1),     FLAT_STEP_ROW(3_2),        FLAT_STEP_ROW(5_2),
                                            FLAT_SLIDE_ROW(5_1_two), FLAT_SLIDE_ROW(5_1_three), FLAT_SLIDE_ROW(5_1)};
    const int window = kernel == 3 ? stride - 1 : stride == 2 ? 2 : n_rows <= 2 ? 3 : n_rows + 1;
    return table[window][way][to];
}

#endif
