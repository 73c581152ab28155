/*
 * conv_body.h: dense convolution as tiles of rows (output pixels) times columns (output channels).
 * The including file defines first:
 *   T_X, T_A, T_W, T_P, T_ACC   element types of: x, a row of the activation panel, weights as
 *                               given, packed weights, sums
 *   K_GROUP                     elements of K that one multiply-add joins (1, 2, 4)
 *   VL, NV                      lanes of a vector of sums; vectors in the widest tile
 *   vacc, V_ZERO(), V_BROADCAST(p), V_WEIGHTS(p), V_MADD(acc, a, w), V_SUM(a, b), V_PUT(p, acc)
 *   copy_row(T_A *, const T_X *, size_t), weight_of(T_W)
 *   PK_EPILOGUE                 the epilogue function
 *   CONV_NAME, FC_NAME          tables pk_<name>, if there are any
 * Or, where sums do not come lane by lane from broadcasts, instead of the vacc line:
 *   OWN_TILES                   a header that defines all_tiles from functions of type tile_fn, or
 *   CONV_TILES()                the same as a macro
 * Where they are not 0:
 *   A_OFFSET                    a panel holds code - A_OFFSET; then it is always a copy
 *   HEAD                        elements per channel before each panel of packed weights, filled by
 *                               panel_head(to, w, n, width, k): w [n][k] as given
 *
 * Where tiles can finish their sums in registers:
 *   struct finish               what follows the sums of one tile (a NULL pointer: they go to acc)
 *   V_FINISH(f, s, mr, nv)      does that; f is set by finish_of(&finish, e) (can it at all?), then for every panel by
 *                               finish_panel(&finish, channel, n), for every tile by finish_rows(&finish, pixel)
 *   V_START(f, j)               what the sums of vector j begin with when f is not NULL, 0 if not defined
 *
 * Where panels of NV * VL channels and long sums do not fit the first cache:
 *   PANEL(k, pixels)            channels of a full panel: NV * VL, or 2 * VL for sums whose panel should be half as large
 *   V_FINISH_ROW(f, s, nv)      the same for a single pixel, s: [nv]; row_finish_panel is its finish_panel
 *   V_NEAR(p), V_FAR(p)         ask for the line at p into the first, the second cache; then tiles of such panels ask for the
 *                               rows of the next one and, by the fields ahead, ahead_step of struct finish, for weights
 *
 * Packed weights: per group, panels of NV * VL channels (or PANEL), the last one narrower (a multiple of VL);
 * a panel is [K / K_GROUP][width][K_GROUP], zero beyond the last channel and beyond K.
 * Activations: 1x1 layers of stride 1 are read where they are; else rows of K are copied to
 * scratch, a block of them at a time, which all panels then use.
 */
#include <string.h>

#ifndef A_OFFSET
#define A_OFFSET 0
#endif
#ifndef HEAD
#define HEAD 0
#endif

enum {
    WIDE = NV * VL, /* channels of a full panel */
    STRIP = 24,     /* rows that go to the epilogue at once; a multiple of every tile's rows */
    /* Bytes of activations over which all panels run before the next ones: as many as the weights
     * have, so that both are read equally often; from a third of an L1 to half of a 2 MiB L2
     * (weights of 2.3 MiB: 26.7 MAC/cycle, with a quarter and an uneven rest 20.5; 2026-11-21). */
    MIN_BLOCK = 16 << 10,
    MAX_BLOCK = 1056 << 10, /* 1024 rows of 1 KiB in whole strips */
    DIRECT = sizeof(T_X) == sizeof(T_A) && A_OFFSET == 0
};

#ifndef V_START
#define V_START(f, j) V_ZERO()
#endif
#ifdef V_FINISH
#define FINISH_PARAMETER , const struct finish *f
#define FINISH_NULL , NULL
#define FINISH_UNUSED (void)f;
#define TILE_END(mr, nv)                                                                           \
    if (f != NULL) {                                                                               \
        V_FINISH(f, s, mr, nv);                                                                    \
        return;                                                                                    \
    }
#else
#define FINISH_PARAMETER
#define FINISH_NULL
#define FINISH_UNUSED
#define TILE_END(mr, nv)
#endif
#ifdef V_FINISH_ROW
#define ROW_END(nv)                                                                                \
    if (f != NULL) {                                                                               \
        V_FINISH_ROW(f, s[0], nv);                                                                 \
        return;                                                                                    \
    }
#else
#define ROW_END(nv)
#endif

typedef void tile_fn(size_t groups, const char *a, size_t lda, const T_P *w, T_ACC *acc FINISH_PARAMETER);

struct tiles {
    int rows, few;              /* rows of the two tiles */
    tile_fn *many, *some, *one; /* rows, few, 1 */
};

#if defined CONV_TILES
CONV_TILES()
#elif defined OWN_TILES
#include OWN_TILES
#else
/* Steps of K per turn of a tile's loop, 1 if not defined: its counters take ports of the multiply-adds (fp32,
 * 256x256x256: four take 0.95x the time of one; 2026-11-21). A multiply-add of two instructions must then be one piece to
 * the compiler: it adds the products of two steps first otherwise, and spills. */
#ifndef STEPS
#define STEPS 1
#endif
#define TILE_STEP(u, mr, nv)                                                                       \
    {                                                                                              \
        __asm__ volatile("" : : : "memory"); /* loads of a later step would take registers */      \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            b[j] = V_WEIGHTS(w + ((u) * (nv) + j) * VL * K_GROUP);                                 \
        const char *q = a + (u) * (int)(K_GROUP * sizeof(T_A));                                    \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            const vacc x = V_BROADCAST(q + ((r & 3) == 3 ? lda3 : (size_t)(r & 3) * lda));         \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_MADD(s[r][j], x, b[j]);                                                \
            q += (r & 3) == 3 ? 4 * lda : 0;                                                       \
        }                                                                                          \
    }

/* mr rows of lda bytes each times nv vectors: acc[mr][WIDE] = a * w over `groups` steps of
 * K_GROUP. before, each: statements before the loop and in each turn. */
#define TILE(name, mr, nv) TILE_WITH(name, mr, nv, , )
#define TILE_WITH(name, mr, nv, before, each)                                                      \
    static void name(size_t groups, const char *a, size_t lda, const T_P *w,                       \
                     T_ACC *acc FINISH_PARAMETER)                                                  \
    {                                                                                              \
        vacc s[mr][nv], b[nv];                                                                     \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_START(f, j);                                                           \
        }                                                                                          \
        const size_t lda3 = 3 * lda;                                                               \
        before                                                                                     \
        for (; groups >= STEPS; groups -= STEPS) {                                                 \
            PK_UNROLL                                                                              \
            for (int u = 0; u < STEPS; u++)                                                        \
                TILE_STEP(u, mr, nv)                                                               \
            each                                                                                   \
            a += STEPS * K_GROUP * sizeof(T_A), w += STEPS * (nv)*VL * K_GROUP;                    \
        }                                                                                          \
        for (; groups > 0; groups--, a += K_GROUP * sizeof(T_A), w += (nv)*VL * K_GROUP)           \
            TILE_STEP(0, mr, nv)                                                                   \
        TILE_END(mr, nv)                                                                           \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                V_PUT(acc + r * WIDE + j * VL, s[r][j]);                                           \
        }                                                                                          \
    }

/* One row: four sets of sums, each over every fourth step, hide the latency. */
#define TILE_ROW(name, nv)                                                                         \
    static void name(size_t groups, const char *a, size_t lda, const T_P *w,                       \
                     T_ACC *acc FINISH_PARAMETER)                                                  \
    {                                                                                              \
        (void)lda;                                                                                 \
        FINISH_UNUSED                                                                              \
        vacc s[4][nv];                                                                             \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < 4; r++) {                                                              \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_ZERO();                                                                \
        }                                                                                          \
        for (; groups >= 4; groups -= 4) {                                                         \
            PK_UNROLL                                                                              \
            for (int r = 0; r < 4; r++) {                                                          \
                const vacc x = V_BROADCAST(a);                                                     \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++) {                                                   \
                    s[r][j] = V_MADD(s[r][j], x, V_WEIGHTS(w + j * VL * K_GROUP));                 \
                }                                                                                  \
                a += K_GROUP * sizeof(T_A), w += (nv)*VL * K_GROUP;                                \
            }                                                                                      \
        }                                                                                          \
        for (; groups > 0; groups--, a += K_GROUP * sizeof(T_A), w += (nv)*VL * K_GROUP) {         \
            const vacc x = V_BROADCAST(a);                                                         \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++) {                                                       \
                s[0][j] = V_MADD(s[0][j], x, V_WEIGHTS(w + j * VL * K_GROUP));                     \
            }                                                                                      \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            s[0][j] = V_SUM(V_SUM(s[0][j], s[1][j]), V_SUM(s[2][j], s[3][j]));                     \
        ROW_END(nv)                                                                                \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            V_PUT(acc + j * VL, s[0][j]);                                                          \
    }

#if NV == 4
TILE(tile_6x4, 6, 4)
TILE(tile_4x4, 4, 4)
TILE(tile_2x4, 2, 4)
TILE(tile_8x3, 8, 3)
TILE(tile_4x3, 4, 3)
TILE(tile_12x2, 12, 2)
TILE(tile_4x2, 4, 2)
TILE(tile_24x1, 24, 1)
TILE(tile_8x1, 8, 1)
TILE_ROW(tile_1x4, 4)
TILE_ROW(tile_1x3, 3)
TILE_ROW(tile_1x2, 2)
TILE_ROW(tile_1x1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {24, 8, tile_24x1, tile_8x1, tile_1x1},
    {12, 4, tile_12x2, tile_4x2, tile_1x2},
    {8, 4, tile_8x3, tile_4x3, tile_1x3},
    {6, 2, tile_6x4, tile_2x4, tile_1x4},
};
#define TILE_TWICE(nv) ((nv) == 4 ? tile_4x4 : NULL)
#else
TILE(tile_6x2, 6, 2)
TILE(tile_4x2, 4, 2)
TILE(tile_2x2, 2, 2)
TILE(tile_12x1, 12, 1)
TILE(tile_4x1, 4, 1)
TILE_ROW(tile_1x2, 2)
TILE_ROW(tile_1x1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {12, 4, tile_12x1, tile_4x1, tile_1x1},
    {6, 2, tile_6x2, tile_2x2, tile_1x2},
};
#define TILE_TWICE(nv) ((nv) == 2 ? tile_4x2 : NULL)
#endif
#endif
#ifdef PANEL
/* The next tile's rows follow in memory; the weights that come after this panel are read by the whole block, a share of
 * them by each tile: one line of both a turn at most, for more would hold up what the tile itself reads. */
#define FAR_BEFORE(mr)                                                                             \
    const char *next = a + (mr)*lda, *ahead = f != NULL ? f->ahead : next;                         \
    const size_t ahead_step = f != NULL ? f->ahead_step : 0;
#define FAR_EACH(mr)                                                                               \
    V_NEAR(next);                                                                                  \
    V_FAR(ahead);                                                                                  \
    next += (mr)*STEPS * K_GROUP * (int)sizeof(T_A);                                               \
    ahead += ahead_step;
TILE_WITH(tile_12x2_far, 12, 2, FAR_BEFORE(12), FAR_EACH(12))
#else
#define PANEL(k, pixels) WIDE
#endif
/* A tile of 2 * few rows, fewer than `rows`; NULL: there is none. (What squares leave is often four rows, and tiles of two
 * hide less latency.) */
#ifndef TILE_TWICE
#define TILE_TWICE(nv) ((tile_fn *)NULL)
#endif

/* Sizes of a layer, in elements. */
struct plan {
    size_t depth, k,
        lda; /* channels of one tap; products per sum; row of the panel, a multiple of K_GROUP */
    size_t n, width;      /* output channels of a group; the same in whole vectors */
    size_t wide;          /* channels of a full panel */
    size_t pixels, block; /* output pixels; rows of the panel */
    bool direct;
};

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p;
    p.depth = (size_t)(c->in_c / c->groups);
    p.k = (size_t)c->kernel_h * (size_t)c->kernel_w * p.depth;
    p.n = (size_t)(c->out_c / c->groups);
    p.width = pk_round_up(p.n, VL);
    p.pixels = (size_t)c->out_h * (size_t)c->out_w;
    p.wide = PANEL(p.k, p.pixels);
    p.direct = DIRECT && c->kernel_h == 1 && c->kernel_w == 1 && c->stride_h == 1 &&
               c->stride_w == 1 && c->pad_top == 0 && c->pad_left == 0 && c->groups == 1 &&
               c->out_w == c->in_w && c->out_h <= c->in_h && p.depth % K_GROUP == 0 &&
               (p.pixels >= STRIP || p.pixels == 1);
    p.lda = pk_round_up(p.k, K_GROUP);
    if (p.pixels == 1) { /* no divisions: a row of 128 channels by 128 is done in 400 cycles */
        p.block = 1;
        return p;
    }
    const size_t weights = p.width * p.lda * sizeof(T_P);
    const size_t bytes = weights < MIN_BLOCK   ? MIN_BLOCK
                         : weights < MAX_BLOCK ? weights
                                               : MAX_BLOCK;
    size_t rows = bytes / (p.lda * sizeof(T_A)) / STRIP * STRIP;
    rows = rows < STRIP ? STRIP : rows;
    if (!p.direct && p.lda * sizeof(T_A) % 1024 == 0) {
        p.lda += 64 / sizeof(T_A); /* rows a power of two apart would share cache sets */
    }
    const size_t blocks = (p.pixels + rows - 1) / rows; /* of like size: no small rest */
    rows = pk_round_up((p.pixels + blocks - 1) / blocks, STRIP);
    p.block = p.pixels < rows ? p.pixels : rows;
    return p;
}

static size_t packed_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return (size_t)c->groups * p.width * (HEAD + pk_round_up(p.k, K_GROUP)) * sizeof(T_P);
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    const size_t k_all = pk_round_up(p.k, K_GROUP);
    T_P *out = packed;
    for (size_t g = 0; g < (size_t)c->groups; g++) {
        const T_W *w = (const T_W *)weights + g * p.n * p.k; /* [n][k] */
        for (size_t first = 0; first < p.width; first += p.wide) {
            const size_t width = p.width - first < p.wide ? p.width - first : p.wide;
#if HEAD > 0
            const size_t n_here = p.n - first < width ? p.n - first : width;
            panel_head(out, w + first * p.k, n_here, width, p.k);
            out += HEAD * width;
#endif
            for (size_t k = 0; k < k_all; k += K_GROUP) {
                for (size_t i = 0; i < width * K_GROUP; i++) {
                    const size_t n = first + i / K_GROUP, at = k + i % K_GROUP;
                    *out++ = n < p.n && at < p.k ? weight_of(w[n * p.k + at]) : (T_P)0;
                }
            }
        }
    }
}

/* Rows that the panel holds: tiles may read past the last pixel. */
static size_t panel_rows(const struct plan *p)
{
    return p->direct ? 0 : p->pixels == 1 ? 1 : pk_round_up(p->block, STRIP);
}

static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return pk_round_up(panel_rows(&p) * p.lda * sizeof(T_A), 64) +
           2 * STRIP * WIDE * sizeof(T_ACC) + pk_round_up(p.block, STRIP) * sizeof(int32_t);
}

PK_INLINE void fill_row(T_A *to, T_A value, size_t n)
{
    for (; n >= 8; n -= 8, to += 8) { /* a loop that compilers make whole vectors of */
        for (int i = 0; i < 8; i++) {
            to[i] = value;
        }
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

/* One kernel row of one pixel: kernel_w taps of depth elements, at input row `row`, from input
 * column ix on. */
PK_INLINE void gather_taps(const struct pk_conv *c, const struct plan *p, const T_X *row, int ix,
                           T_A pad, T_A *to)
{
    if (c->dilation_w == 1 && c->groups == 1) { /* the taps lie side by side */
        const int left = ix < 0 ? (-ix < c->kernel_w ? -ix : c->kernel_w) : 0;
        const int end = c->in_w - ix < c->kernel_w ? c->in_w - ix : c->kernel_w;
        const size_t first = (size_t)left * p->depth,
                     last = end > left ? (size_t)end * p->depth : first;
        fill_row(to, pad, first);
        if (last > first) {
            copy_row(to + first, row + (ptrdiff_t)(ix + left) * c->in_c, last - first);
        }
        fill_row(to + last, pad, (size_t)c->kernel_w * p->depth - last);
        return;
    }
    for (int kx = 0; kx < c->kernel_w; kx++, ix += c->dilation_w, to += p->depth) {
        if (ix >= 0 && ix < c->in_w) {
            copy_row(to, row + (ptrdiff_t)ix * c->in_c, p->depth);
        } else {
            fill_row(to, pad, p->depth);
        }
    }
}

/* One kernel row of `n` pixels of one output row from column ox on; iy: the input row, maybe
 * outside. */
PK_INLINE void gather_segment(const struct pk_conv *c, const struct plan *p, const T_X *x, int iy,
                              int ox, size_t n, T_A pad, T_A *to)
{
    const size_t run = (size_t)c->kernel_w * p->depth;
    const int reach = (c->kernel_w - 1) * c->dilation_w;
    const bool together = c->dilation_w == 1 && c->groups == 1; /* the taps lie side by side */
    if (iy < 0 || iy >= c->in_h) {
        for (size_t i = 0; i < n; i++) {
            fill_row(to + i * p->lda, pad, run);
        }
        return;
    }
    const T_X *row = x + (ptrdiff_t)iy * c->in_w * c->in_c;
    int ix = ox * c->stride_w - c->pad_left;
    for (size_t i = 0; i < n; i++, ix += c->stride_w, to += p->lda) {
        if (together && ix >= 0 && ix + reach < c->in_w) {
            copy_row(to, row + (ptrdiff_t)ix * c->in_c, run);
        } else {
            gather_taps(c, p, row, ix, pad, to);
        }
    }
}

/* Copies the taps of `rows` pixels from `pixel` on to the panel. What rounds K up is not written.
 * */
static void gather(const struct pk_conv *c, const struct plan *p, const T_X *x, size_t pixel,
                   size_t rows, T_A pad, T_A *panel)
{
    const size_t run = (size_t)c->kernel_w * p->depth, out_w = (size_t)c->out_w;
    for (size_t done = 0; done < rows;) {
        const size_t ox = (pixel + done) % out_w, left = rows - done;
        const size_t n = out_w - ox < left ? out_w - ox : left;
        const int oy = (int)((pixel + done) / out_w);
        T_A *to = panel + done * p->lda;
        for (int ky = 0; ky < c->kernel_h; ky++) {
            const int iy = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
            gather_segment(c, p, x, iy, (int)ox, n, pad, to + (size_t)ky * run);
        }
        done += n;
    }
}

/* Activations of one block and where its sums go. */
struct work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    const struct plan *p;
    const char *a; /* first row */
    size_t lda;    /* bytes */
    size_t pixel, rows;
    int32_t *sums;
    T_ACC *acc; /* [STRIP][WIDE], with STRIP rows of room before it */
};

/* The tile to take for the next of `left` rows: of so many or a few more. */
struct next_tile {
    tile_fn *run;
    size_t rows;
};

PK_INLINE struct next_tile next_tile(size_t nv, size_t left)
{
    const struct tiles *t = &all_tiles[nv];
    const size_t rows = (size_t)t->rows, few = (size_t)t->few;
    if (left > rows - few) {
        return (struct next_tile){t->many, rows};
    }
    return left > few && TILE_TWICE(nv) != NULL ? (struct next_tile){TILE_TWICE(nv), 2 * few}
                                                : (struct next_tile){t->some, few};
}

/*
 * Sums of `rows` (at most STRIP) rows from row `first` of the block. A tile that would read past
 * the last pixel of x starts earlier instead and computes some rows twice.
 */
static void strip(const struct work *w, size_t first, size_t rows, size_t nv, const T_P *weights)
{
    const size_t groups = pk_round_up(w->p->k, K_GROUP) / K_GROUP;
    if (w->p->pixels == 1) {
        all_tiles[nv].one(groups, w->a, w->lda, weights, w->acc FINISH_NULL);
        return;
    }
    size_t r = 0;
    while (r < rows) {
        const struct next_tile t = next_tile(nv, rows - r);
        ptrdiff_t from = (ptrdiff_t)r;
        if (w->p->direct && w->pixel + first + r + t.rows > w->p->pixels) {
            from -= (ptrdiff_t)(w->pixel + first + r + t.rows - w->p->pixels);
        }
        t.run(groups, w->a + ((ptrdiff_t)first + from) * (ptrdiff_t)w->lda, w->lda, weights,
              w->acc + from * WIDE FINISH_NULL);
        r += t.rows;
    }
}

#ifdef V_FINISH
/* The rows of a block that whole tiles finish in registers; returns how many. Others go through acc: so no output is
 * written twice, which an operand in its memory would not stand. */
static size_t finish_tiles(const struct work *w, struct finish *f, size_t nv, const T_P *weights)
{
    const size_t groups = pk_round_up(w->p->k, K_GROUP) / K_GROUP;
    size_t row = 0;
#ifdef V_FAR
    const size_t turns = groups / STEPS + 1, panel = nv * VL * groups * K_GROUP * sizeof(T_P);
    f->ahead = (const char *)weights + panel;
    f->ahead_step = 0;
#endif
    while (row < w->rows) {
        struct next_tile t = next_tile(nv, w->rows - row);
        if (t.rows > w->rows - row) {
            break;
        }
        finish_rows(f, w->pixel + row);
#ifdef V_FAR
        if (w->p->wide < WIDE && t.run == tile_12x2) {
            t.run = tile_12x2_far;
            f->ahead += turns * f->ahead_step;
            f->ahead_step = panel / turns * t.rows / w->rows + 1; /* rounded up: the panel after this one, as large */
        }
#endif
        t.run(groups, w->a + row * w->lda, w->lda, weights, w->acc, f);
        row += t.rows;
    }
    return row;
}
#endif

/* All panels of a group over one block. */
static void block(const struct work *w, size_t group, const T_P *weights)
{
    const struct plan *p = w->p;
#ifdef V_FINISH_ROW
    struct finish row_finish;
    const bool row_finishes = p->pixels == 1 && finish_of(&row_finish, w->e);
#endif
#ifdef V_FINISH
    struct finish finish;
    const bool finishes = p->pixels > 1 && finish_of(&finish, w->e);
#endif
    for (size_t first = 0; first < p->width; first += p->wide) {
        const size_t width = p->width - first < p->wide ? p->width - first : p->wide;
        const size_t n = p->n - first < p->wide ? p->n - first : p->wide;
        size_t row = 0;
#ifdef V_FINISH_ROW
        if (row_finishes) {
            row_finish_panel(&row_finish, (int)(group * p->n + first), (int)n);
            all_tiles[width / VL].one(pk_round_up(p->k, K_GROUP) / K_GROUP, w->a, w->lda, weights, w->acc, &row_finish);
            row = w->rows;
        }
#endif
#ifdef V_FINISH
        if (finishes) {
            finish_panel(&finish, (int)(group * p->n + first), (int)n);
            row = finish_tiles(w, &finish, width / VL, weights);
        }
#endif
        for (; row < w->rows; row += STRIP) {
            const size_t rows = w->rows - row < STRIP ? w->rows - row : STRIP;
            strip(w, row, rows, width / VL, weights);
            const struct pk_tile tile = {
                w->acc, WIDE,         w->pixel + row, (int)rows, (int)(group * p->n + first),
                (int)n, w->sums + row};
            PK_EPILOGUE(w->e, &tile);
        }
        weights += width * (HEAD + pk_round_up(p->k, K_GROUP));
    }
}

/* Sum of the codes of every row, for weight zero points. */
static void sum_rows(const struct work *w)
{
    for (size_t r = 0; r < w->rows; r++) {
        const T_A *row = (const T_A *)(const void *)(w->a + r * w->lda);
        int32_t sum = 0;
        for (size_t i = 0; i < w->p->k; i++) {
            sum += (int32_t)row[i];
        }
        w->sums[r] = sum + (int32_t)w->p->k * A_OFFSET;
    }
}

/* What tiles read of the panel and no copy writes: rows after the last pixel, what rounds K up. */
static void clear_rest(const struct plan *p, T_A *panel)
{
    const size_t rows = panel_rows(p), more = pk_round_up(p->k, K_GROUP) - p->k;
    if (rows == 0) {
        return;
    }
    for (size_t r = 0; more > 0 && r < p->block; r++) {
        memset(panel + r * p->lda + p->k, 0, more * sizeof(T_A));
    }
    memset(panel + p->block * p->lda, 0, (rows - p->block) * p->lda * sizeof(T_A));
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    const size_t panel_bytes = pk_round_up(panel_rows(&p) * p.lda * sizeof(T_A), 64);
    T_ACC *acc = (T_ACC *)(void *)((char *)scratch + panel_bytes);
    struct work w = {c,
                     e,
                     &p,
                     NULL,
                     p.lda * sizeof(T_A),
                     0,
                     0,
                     (int32_t *)(void *)(acc + 2 * STRIP * WIDE),
                     acc + STRIP * WIDE};
    clear_rest(&p, scratch);
    const size_t group_weights = p.width * (HEAD + pk_round_up(p.k, K_GROUP));
    for (size_t g = 0; g < (size_t)c->groups; g++) {
        for (w.pixel = 0; w.pixel < p.pixels; w.pixel += p.block) {
            w.rows = p.pixels - w.pixel < p.block ? p.pixels - w.pixel : p.block;
            if (p.direct) {
                w.a = (const char *)x + w.pixel * w.lda;
            } else {
                gather(c, &p, (const T_X *)x + g * p.depth, w.pixel, w.rows, PK_PAD(pad_code),
                       scratch);
                w.a = scratch;
            }
            if (e->weight_zero != NULL) {
                sum_rows(&w);
            }
            block(&w, g, (const T_P *)packed + g * group_weights);
        }
    }
}

#define PK_TABLE_2(name)                                                                           \
    const struct pk_layer_kernel pk_##name = {#name, packed_size, pack, scratch_size, run}
#define PK_TABLE(name) PK_TABLE_2(name)
#ifdef CONV_NAME
PK_TABLE(CONV_NAME);
#endif
#ifdef FC_NAME
PK_TABLE(FC_NAME);
#endif
