/*
 * depthwise_direct.h: float depthwise convolution of the usual windows (width 3 or 5, stride 1 or
 * 2, one output per input channel), read where the picture is: no copy, no ring. The including file
 * defines first, besides what depthwise_body.h asks for:
 *   DIRECT_LANES         channels of one vector
 *   DIRECT_SIZES(X)      X(n) for every number of neighbouring outputs that one block computes at
 *                        once, ascending: as many as registers hold beside a row of weights
 *   DIRECT_MOST          the largest of them
 *   DIRECT_LOAD(p), DIRECT_LOAD_PART(p, mask)   a vector of x; only the channels of the mask
 *   DIRECT_MASK, DIRECT_MASK_OF(n)   type of a mask; the first n lanes (vm, v_lanes if not defined)
 *   DIRECT_PUT(to, sum)        fp32 sums to memory, DIRECT_LANES of them
 *   DIRECT_PLAIN(d, channel, sum, n)   finishes the n (a constant) sums of a block by plain.h
 *
 * A block is n neighbouring outputs of one row times one vector of channels; its sums stay in
 * registers and, where no more than a bias, a clamp and one float output follow, are finished there
 * (else by the epilogue, from memory). Rows outside the picture are left out; the first and last two
 * columns of a block are read under a mask. 64 channels of
 * a strip of columns pass over all rows before the next ones do, so that the rows of a window stay in the L1 cache.
 */
#include "plain.h"

#ifndef DIRECT_MASK
#define DIRECT_MASK vm
#define DIRECT_MASK_OF(lanes) v_lanes(lanes)
#endif

/* A block's input and output. */
struct direct {
    const T_X *rows;      /* first tap of the block's first output, first row inside the picture */
    ptrdiff_t row, pitch; /* elements between rows of the window, between pixels */
    const T_P *weights;   /* of that row */
    int vectors, vector;  /* vectors of channels, one after another; elements of their weights */
    int n_rows;
    unsigned lo, span; /* columns from `rows` on that are inside the picture: [lo, lo + span) */
    DIRECT_MASK all, edge[4]; /* lanes that exist: inside; in the first two and last two columns */
    int lanes, skip, count;   /* channels of a vector; outputs already written; outputs, with those */
    bool plain;        /* finished in registers */
    const struct pk_epilogue *e;
    size_t pixel;
    int channel;
    float *acc; /* [DIRECT_MOST][DIRECT_LANES] */
};

#ifndef DIRECT_PLAIN
/* Vectors of sums that are vectors of fp32. */
#define DIRECT_PLAIN(d, channel, sum, n) direct_plain(d, channel, sum, n)
PK_INLINE void direct_plain(const struct direct *d, int channel, const vacc *sum, const int n)
{
    const struct plain_f32 p = plain_f32_of(d->e->outs, d->pixel, channel, d->lanes);
    if (d->count == n && plain_f32_is_bare(&p)) {
        PK_UNROLL
        for (int i = 0; i < n; i++)
            plain_f32_put_bare(&p, sum[i], i);
        return;
    }
    PK_UNROLL
    for (int i = 0; i < n; i++) {
        if (i < d->count) {
            plain_f32_put(&p, sum[i], i);
        }
    }
}
#endif

PK_INLINE void direct_finish(const struct direct *d, int channel, const vacc *sum, const int n)
{
    if (d->plain) {
        DIRECT_PLAIN(d, channel, sum, n);
        return;
    }
    PK_UNROLL
    for (int i = 0; i < n; i++)
        DIRECT_PUT(d->acc + i * DIRECT_LANES, sum[i]);
    const struct pk_tile tile = {d->acc + d->skip * DIRECT_LANES,
                                 DIRECT_LANES,
                                 d->pixel + (size_t)d->skip,
                                 d->count - d->skip,
                                 channel,
                                 d->lanes,
                                 NULL};
    PK_EPILOGUE(d->e, &tile);
}

/* Column g of `columns` of a row, zero outside the picture; at: column g & ~3. */
PK_INLINE vacc direct_column(const struct direct *d, const T_X *at, const int g, const int columns,
                             const bool careful)
{
    const T_X *from = at + (g & 3) * d->pitch;
    const int edge = g < 2 ? g : g >= columns - 2 ? g - columns + 4 : -1;
    vacc x = V_ZERO();
    if (careful) {
        if ((unsigned)g - d->lo < d->span) {
            x = DIRECT_LOAD_PART(from, d->all);
        }
    } else if (edge >= 0) {
        x = DIRECT_LOAD_PART(from, d->edge[edge]);
    } else {
        x = DIRECT_LOAD(from);
    }
    PK_KEEP(x);
    return x;
}

/* The next column; `at` moves by fours, out of the compiler's sight: it would keep the addresses of
 * all columns, in memory where registers end. */
#define DIRECT_NEXT(at, g, stride)                                                                 \
    if ((g) >> 2 != ((g) + (stride)) >> 2) {                                                       \
        (at) += pitch4;                                                                            \
        __asm__("" : "+r"(at));                                                                    \
    }                                                                                              \
    (g) += (stride)

/*
 * n, width, stride and careful are constants; careful: other columns than the
 * first and last two, or channels in memory, may not exist.
 * Tap after tap goes over all n sums, so that a sum is touched again only when the addition before
 * has finished (column after column took twice the time: 4 cycles of latency, 2 additions each).
 * Columns stay in registers; with stride 2 the even ones go first.
 */
PK_INLINE void direct_vector(const struct direct *d, int v, const int n, const int width,
                             const int stride, const bool careful)
{
    vacc sum[DIRECT_MOST], x[DIRECT_MOST + 4];
    const int columns = (n - 1) * stride + width;
    const ptrdiff_t pitch4 = 4 * d->pitch;
    const T_X *row = d->rows + v * DIRECT_LANES;
    const T_P *w = d->weights + v * d->vector;
    PK_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = V_ZERO();
    for (int r = 0; r < d->n_rows; r++, row += d->row, w += width * DIRECT_LANES) {
        PK_UNROLL
        for (int p = 0; p < stride; p++) {
            const T_X *at = row;
            int g = p;
            PK_UNROLL
            for (int i = 0; i < n - 1; i++) {
                x[i] = direct_column(d, at, g, columns, careful);
                DIRECT_NEXT(at, g, stride);
            }
            PK_UNROLL
            for (int t = p; t < width; t += stride) {
                const int first = t / stride;
                const vacc b = V_LOAD(w + t * DIRECT_LANES);
                x[n - 1 + first] = direct_column(d, at, g, columns, careful);
                DIRECT_NEXT(at, g, stride);
                PK_UNROLL
                for (int i = 0; i < n; i++)
                    sum[i] = V_MADD(sum[i], x[i + first], b);
            }
        }
    }
    direct_finish(d, d->channel + v * DIRECT_LANES, sum, n);
}

PK_INLINE void direct_block(const struct direct *d, const int n, const int width, const int stride,
                            const bool careful)
{
    for (int v = 0; v < d->vectors; v++) {
        direct_vector(d, v, n, width, stride, careful);
    }
}

typedef void direct_fn(const struct direct *d);

#define DIRECT_BLOCKS(n)                                                                           \
    static void direct_##n##_3_1(const struct direct *d) { direct_block(d, n, 3, 1, false); }      \
    static void direct_##n##_3_2(const struct direct *d) { direct_block(d, n, 3, 2, false); }      \
    static void direct_##n##_5_1(const struct direct *d) { direct_block(d, n, 5, 1, false); }      \
    static void direct_##n##_5_2(const struct direct *d) { direct_block(d, n, 5, 2, false); }      \
    static void careful_##n##_3_1(const struct direct *d) { direct_block(d, n, 3, 1, true); }      \
    static void careful_##n##_3_2(const struct direct *d) { direct_block(d, n, 3, 2, true); }      \
    static void careful_##n##_5_1(const struct direct *d) { direct_block(d, n, 5, 1, true); }      \
    static void careful_##n##_5_2(const struct direct *d) { direct_block(d, n, 5, 2, true); }
DIRECT_SIZES(DIRECT_BLOCKS)

struct direct_blocks {
    int n;
    direct_fn *fn[2][2][2]; /* [width is 5][stride is 2][careful] */
};

#define DIRECT_ROW(n)                                                                              \
    {n,                                                                                            \
     {{{direct_##n##_3_1, careful_##n##_3_1}, {direct_##n##_3_2, careful_##n##_3_2}},              \
      {{direct_##n##_5_1, careful_##n##_5_1}, {direct_##n##_5_2, careful_##n##_5_2}}}},
static const struct direct_blocks direct_table[] = {DIRECT_SIZES(DIRECT_ROW)};

static bool direct_does(const struct pk_conv *c)
{
    return c->out_c == c->in_c && c->dilation_w == 1 && c->stride_w <= 2 &&
           (c->kernel_w == 3 || c->kernel_w == 5);
}

/* The blocks into which a row of outputs is cut: as few as possible, of like size. */
static const struct direct_blocks *direct_blocks_of(int out_w)
{
    const int most = (out_w + DIRECT_MOST - 1) / DIRECT_MOST, n = (out_w + most - 1) / most;
    const struct direct_blocks *b = direct_table;
    while (b->n < n) {
        b++;
    }
    return b;
}

/* Part of a row of outputs, from a multiple of a block's outputs on. */
struct direct_part {
    int y, begin, end;
};

/* Part of a row of outputs of some vectors of channels. x: the picture; weights: of the first row of the window; d: channel,
 * lanes and what follows from the layer are set. (A copy of d for every row waits for the stores of its fields.) */
static void direct_row(const struct pk_conv *c, const struct direct_blocks *blocks, const T_X *x,
                       struct direct *d, const T_P *weights, const struct direct_part *part)
{
    const int oy = part->y;
    const int top = oy * c->stride_h - c->pad_top;
    int ky = 0, end = c->kernel_h;
    for (; ky < end && top + ky * c->dilation_h < 0; ky++) {
    }
    for (; end > ky && top + (end - 1) * c->dilation_h >= c->in_h; end--) {
    }
    d->n_rows = end - ky;
    d->all = DIRECT_MASK_OF(d->lanes);
    d->weights = weights + ky * c->kernel_w * DIRECT_LANES;
    const T_X *row =
        x + ((ptrdiff_t)(d->n_rows > 0 ? top + ky * c->dilation_h : 0) * c->in_w) * c->in_c +
        d->channel;
    const int columns = (blocks->n - 1) * c->stride_w + c->kernel_w;
    /* elements from the last row's first pixel of these channels on to the end of the picture */
    const ptrdiff_t room =
        (ptrdiff_t)(c->in_h - (top + (end - 1) * c->dilation_h)) * c->in_w * c->in_c - d->channel;
    for (int ox = part->begin; ox < part->end; ox += blocks->n) {
        /* the last block starts earlier rather than computing what does not exist */
        const int over = ox + blocks->n - c->out_w;
        d->skip = over <= 0 ? 0 : over < ox ? over : ox;
        const int first = ox - d->skip, ix = first * c->stride_w - c->pad_left;
        const int lo = ix < 0 ? -ix : 0, hi = c->in_w - ix < columns ? c->in_w - ix : columns;
        const bool at_end = (ptrdiff_t)(ix + hi - 1) * c->in_c + d->vectors * DIRECT_LANES > room;
        d->lo = (unsigned)lo;
        d->span = hi > lo ? (unsigned)(hi - lo) : 0;
        for (int i = 0; i < 4; i++) {
            const unsigned g = (unsigned)(i < 2 ? i : columns - 4 + i);
            d->edge[i] = DIRECT_MASK_OF(g - d->lo < d->span ? d->lanes : 0);
        }
        d->rows = row + (ptrdiff_t)ix * d->pitch;
        d->count = c->out_w - first < blocks->n ? c->out_w - first : blocks->n;
        d->pixel = (size_t)oy * (size_t)c->out_w + (size_t)first;
        const bool careful = lo > 2 || hi < columns - 2 || at_end;
        blocks->fn[c->kernel_w == 5][c->stride_w == 2][careful](d);
    }
}

/* Columns of outputs of a strip: a window's rows of `channels` channels take half of an L1 of 48 KiB (96x96x32 with 5x5 by
 * whole rows, 60 KiB, is bound by L2; 48x48x64: 59 us, in strips 54; 2026-11-21). Whole blocks. */
static int direct_strip(const struct pk_conv *c, const struct direct_blocks *blocks, int channels)
{
    enum { WINDOW = 24 << 10 };
    const size_t column = (size_t)(c->kernel_h * channels) * sizeof(T_X);
    const int fit = (int)(WINDOW / column) / c->stride_w / blocks->n * blocks->n;
    const int n = (c->out_w + blocks->n - 1) / blocks->n, strips = fit > 0 ? (n * blocks->n + fit - 1) / fit : n;
    return (n + strips - 1) / strips * blocks->n; /* of like size */
}

/* All vectors of up to TOGETHER channels of one strip. */
PK_INLINE void direct_rows(const struct pk_conv *c, const struct direct_blocks *blocks, const T_X *x, struct direct d, int n,
                        struct direct_part part)
{
    const int whole = n / DIRECT_LANES, rest = n % DIRECT_LANES;
    struct direct last = d;
    d.vectors = whole;
    d.lanes = DIRECT_LANES;
    last.channel += whole * DIRECT_LANES;
    const T_P *d_weights = d.weights, *last_weights = d.weights + (ptrdiff_t)whole * d.vector;
    last.vectors = 1;
    last.lanes = rest;
    for (part.y = 0; part.y < c->out_h; part.y++) {
        if (whole > 0) {
            direct_row(c, blocks, x, &d, d_weights, &part);
        }
        if (rest > 0) {
            direct_row(c, blocks, x, &last, last_weights, &part);
        }
    }
}

/* weights: [vector of channels][kernel row][kernel column][DIRECT_LANES]; acc: room for
 * DIRECT_MOST * DIRECT_LANES sums. */
static void direct_run(const struct pk_conv *c, const T_X *x, const T_P *weights,
                       const struct pk_epilogue *e, float *acc)
{
    const struct direct_blocks *blocks = direct_blocks_of(c->out_w);
    enum { TOGETHER = 64 };
    struct direct d = {.row = (ptrdiff_t)c->dilation_h * c->in_w * c->in_c,
                       .pitch = c->in_c,
                       .vector = c->kernel_h * c->kernel_w * DIRECT_LANES,
                       .e = e,
                       .plain = plain_f32_is(e),
                       .acc = acc};
    for (d.channel = 0; d.channel < c->out_c; d.channel += TOGETHER) {
        const int n = c->out_c - d.channel < TOGETHER ? c->out_c - d.channel : TOGETHER;
        const int strip = direct_strip(c, blocks, n);
        d.weights = weights + (ptrdiff_t)(d.channel / DIRECT_LANES) * d.vector;
        for (int at = 0; at < c->out_w; at += strip) {
            const struct direct_part part = {0, at, c->out_w - at < strip ? c->out_w : at + strip};
            direct_rows(c, blocks, x, d, n, part);
        }
    }
}
