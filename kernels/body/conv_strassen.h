/*
 * conv_strassen.h: dense convolution with seven products of half tiles where the plain way has eight (V. Strassen, Gaussian
 * elimination is not optimal, 1969; with the sums of S. Winograd). For operands that are wider than the codes they hold, so
 * that sums of four codes fit: then every step is exact in int32, and the results are the same bytes. Included after
 * conv_body.h, whose macros and gather() it uses, with T_ACC int32_t; beside these it needs
 *   V_GET(p), V_LESS(a, b)                     load of a vector of sums; their difference
 *   seven_mix(r1, r2, s12, s34, half)          of one row of each half: the sums below
 *   seven_mix_codes(x1, x2, r1, r2, s12, s34, half)   the same of codes x1, x2 [2 * half] where they are; r1, r2 are copies,
 *                                              but for A21, which no product reads
 *   seven_mix_windows(x1, x2, at, r1, r2, s12, s34, half)   the same of windows (conv_picture.h, included before), whose
 *                                              SEVEN_ROUND codes each lie at[] bytes from x1, x2 on
 *
 * A tile has rows 1, 2 (mr output pixels each), channels 1, 2 (NV * VL each; VL in a thin panel) and the halves 1, 2 of K:
 *   C11 = P1 + A12*B21                          P1 = A11*B11
 *   C21 = U3 - A22*T4                           U2 = P1 + S2*T2    U3 = U2 + S3*T3
 *   C22 = U3 + P5     C12 = U2 + P5 + S4*B22    P5 = S1*T1
 *   S1 = A21 + A22    S2 = S1 - A11    S3 = A11 - A21    S4 = A12 - S2
 *   T1 = B12 - B11    T2 = B22 - T1    T3 = B22 - B12    T4 = T2 - B21
 * The weights' sums are made once, when they are packed (7/4 of their plain size); the codes' once for all channels. Sums
 * stay in registers over two or three products and go through memory four times.
 *
 * Packed weights: panels of 2 * NV * VL channels, each [B11 B21 T2 T3 -T4 T1 B22][half / K_GROUP][NV * VL][K_GROUP], zero
 * beyond the last channel and beyond K. The last one is thin, with VL in place of NV * VL, where that is enough.
 * Panel of activations: tile after tile, 4 * mr rows of two halves: rows 1, rows 2, [S1 S2] of each pair of rows, [S3 S4].
 */
enum {
    SEVEN_WIDE = 2 * WIDE,    /* channels of a panel */
    SEVEN_MOST = 12,          /* rows of the largest tile */
    /* Bytes of activations over which all panels run before the next ones; where the second cache holds the weights, one
     * tile, which then may stay in the first. */
    SEVEN_BLOCK = 768 << 10,
    SEVEN_HELD = 1 << 20,
#ifdef __SANITIZE_ADDRESS__ /* half a minute to compile otherwise */
    SEVEN_STEPS = 1,
#else
    SEVEN_STEPS = 8, /* of K per turn of a loop (four: 1.01x the time; 2026-11-21) */
#endif
    SEVEN_ROUND = 16, /* elements that a half of K is a multiple of: of 8 steps, of a vector of codes */
    SEVEN_PICTURE = 1 << 20,  /* bytes of a picture's copy, at most */
    SEVEN_LEAST_K = 128,      /* below, what is saved does not pay for the sums */
    SEVEN_LEAST_PIXELS = 32 /* few pixels do not pay for reading larger weights, which may come from memory */
};

struct seven {
    struct plan p; /* lda: of a row of two halves; block: rows; for gather() */
    size_t half;   /* elements of a half of K */
    size_t panels, width; /* panels of channels; the channels that they have */
    bool thin;            /* is the last panel? */
};

/* Channels of half a panel. */
static size_t seven_wide(const struct seven *s, size_t panel)
{
    return s->thin && panel + 1 == s->panels ? VL : WIDE;
}

/* Rows of one half of the next tile, where `left` rows are left. */
static size_t seven_rows(size_t left)
{
    return left > 8 ? SEVEN_MOST / 2 : left > 4 ? 4 : 2;
}

static struct seven seven_of(const struct pk_conv *c)
{
    struct seven s = {.p = plan_of(c)};
    s.half = pk_round_up((s.p.k + 1) / 2, SEVEN_ROUND);
    s.p.lda = 2 * s.half;
    if (s.p.lda * sizeof(T_A) % 1024 == 0) {
        s.p.lda += 64 / sizeof(T_A); /* rows a power of two apart would share cache sets */
    }
    s.panels = (s.p.n + SEVEN_WIDE - 1) / SEVEN_WIDE;
    s.thin = NV > 1 && (s.p.n - 1) % SEVEN_WIDE < 2 * VL;
    s.width = s.panels * SEVEN_WIDE - (s.thin ? SEVEN_WIDE - 2 * VL : 0);
    const bool held = 7 * s.half * s.width / 2 * sizeof(T_P) <= SEVEN_HELD;
    size_t rows = held ? 0 : SEVEN_BLOCK / (2 * s.p.lda * sizeof(T_A)) / SEVEN_MOST * SEVEN_MOST;
    rows = rows < SEVEN_MOST ? SEVEN_MOST : rows;
    const size_t blocks = (s.p.pixels + rows - 1) / rows; /* of like size: no small rest */
    s.p.block = pk_round_up((s.p.pixels + blocks - 1) / blocks, SEVEN_MOST);
    return s;
}

/* Does seven products of rounded halves beat one of the layer? Sums and stores cost a twentieth, thin tiles a quarter. */
static bool seven_does(const struct pk_conv *c)
{
    const struct seven s = seven_of(c);
    if (c->groups != 1 || s.p.pixels < SEVEN_LEAST_PIXELS || s.p.k < SEVEN_LEAST_K) {
        return false;
    }
    const size_t rows = pk_round_up(s.p.pixels, 4), width = s.width + (s.thin ? VL / 2 : 0);
    return 7 * 21 * rows * width * 2 * s.half < 8 * 20 * s.p.pixels * s.p.width * s.p.k;
}

static size_t seven_packed_size(const struct pk_conv *c)
{
    const struct seven s = seven_of(c);
    return 7 * s.half * s.width / 2 * sizeof(T_P);
}

/* Weight k of channel n; 0 beyond both. */
PK_INLINE int seven_weight(const T_W *w, const struct plan *p, size_t n, size_t k)
{
    return n < p->n && k < p->k ? (int)weight_of(w[n * p->k + k]) : 0;
}

static void seven_pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct seven s = seven_of(c);
    T_P *to = packed;
    for (size_t panel = 0; panel < s.panels; panel++) {
        const size_t wide = seven_wide(&s, panel), block = s.half * wide;
        for (size_t i = 0; i < block; i++) {
            const size_t k = i / (wide * K_GROUP) * K_GROUP + i % K_GROUP, n = panel * SEVEN_WIDE + i / K_GROUP % wide;
            const int b11 = seven_weight(weights, &s.p, n, k), b12 = seven_weight(weights, &s.p, n + wide, k);
            const int b21 = seven_weight(weights, &s.p, n, s.half + k);
            const int b22 = seven_weight(weights, &s.p, n + wide, s.half + k);
            const int t1 = b12 - b11, t2 = b22 - t1, t3 = b22 - b12, t4 = t2 - b21;
            const int all[7] = {b11, b21, t2, t3, -t4, t1, b22};
            for (size_t j = 0; j < 7; j++) {
                to[j * block + i] = (T_P)all[j];
            }
        }
        to += 7 * block;
    }
}

/* Scratch: what finishes the halves of each panel's channels, the panel of a block, sums kept between products, those of a
 * tile, the sums of the codes of each row. */
struct seven_scratch {
    struct finish *finish; /* [panels][2] */
    T_A *panel;
    T_ACC *keep; /* [3][SEVEN_MOST / 2][WIDE] */
    T_ACC *acc;  /* [SEVEN_MOST][SEVEN_WIDE] */
    int32_t *sums;
};

enum { SEVEN_KEEP = SEVEN_MOST / 2 * WIDE };

static size_t seven_finish_bytes(const struct seven *s)
{
    return pk_round_up(s->panels * 2 * sizeof(struct finish), 64);
}

static size_t seven_panel_bytes(const struct seven *s)
{
    return pk_round_up(2 * pk_round_up(s->p.block, SEVEN_MOST) * s->p.lda * sizeof(T_A), 64);
}

/* Are windows mixed from where they lie? (Each is copied otherwise: 32>32 at 16 took 1.04 times as long; 2026-11-21.) */
static bool seven_padded(const struct pk_conv *c, const struct seven *s, struct padded *windows)
{
    *windows = padded_of(c, SEVEN_PICTURE);
    return padded_fits(c) && windows->run % SEVEN_ROUND == 0 && s->p.k == 2 * s->half && windows->band == c->out_h;
}

/* Bytes of the table and of the picture's copy. */
static size_t seven_windows_bytes(const struct pk_conv *c, const struct seven *s)
{
    struct padded windows;
    return seven_padded(c, s, &windows)
               ? pk_round_up(s->p.k / SEVEN_ROUND * sizeof(uint32_t), 64) + padded_bytes(c, &windows)
               : 0;
}

static size_t seven_scratch_size(const struct pk_conv *c)
{
    const struct seven s = seven_of(c);
    return seven_windows_bytes(c, &s) + seven_finish_bytes(&s) + seven_panel_bytes(&s) + (3 * SEVEN_KEEP + SEVEN_MOST * SEVEN_WIDE) * sizeof(T_ACC) +
           pk_round_up(s.p.block, SEVEN_MOST) * sizeof(int32_t);
}

/* What follows the sums of a tile: those of both halves of the channels in registers (NULL: to acc), from a pixel on. */
struct seven_end {
    struct finish *one, *two;
    T_ACC *acc;
    size_t pixel;
};

/* s += block `block` of weights w times the codes `place` elements from a tile's panel on; half: of SEVEN_STEPS groups. */
#define SEVEN_PRODUCT(mr, nv, place, block)                                                                  \
    {                                                                                                        \
        const char *a = (const char *)(panel + (place));                                                     \
        const T_P *w = weights + (block)*half * ((nv)*VL);                                                   \
        for (size_t g = half / (SEVEN_STEPS * K_GROUP); g > 0; g--) {                                        \
            PK_UNROLL                                                                                        \
            for (int u = 0; u < SEVEN_STEPS; u++)                                                            \
                TILE_STEP(u, mr, nv)                                                                         \
            a += SEVEN_STEPS * K_GROUP * sizeof(T_A), w += SEVEN_STEPS * (nv)*VL * K_GROUP;                  \
        }                                                                                                    \
    }
#define SEVEN_EACH(mr, nv, what)                                                                             \
    PK_UNROLL                                                                                                \
    for (int r = 0; r < (mr); r++) {                                                                         \
        PK_UNROLL                                                                                            \
        for (int j = 0; j < (nv); j++)                                                                       \
            what;                                                                                            \
    }
#define SEVEN_KEPT(i) (keep + (i)*SEVEN_KEEP + r * WIDE + j * VL)
/* Sums of rows from `row` on, channels from `channel` on of the panel. */
#define SEVEN_FINISH(mr, nv, f, row, channel)                                                                \
    if ((f) != NULL) {                                                                                       \
        finish_rows(f, end->pixel + (size_t)(row));                                                          \
        V_FINISH(f, s, mr, nv);                                                                              \
    } else {                                                                                                 \
        SEVEN_EACH(mr, nv, V_PUT(end->acc + (r + (row)) * SEVEN_WIDE + (channel) + j * VL, s[r][j]))         \
    }

/* A tile of 2 * mr rows; its biases are added where its sums begin: those of channels 2 are what P5 begins with, less what
 * U2 and U3 bring of channels 1. */
#define SEVEN_TILE(name, mr, nv)                                                                             \
    static void name(const T_A *panel, size_t row, size_t half, const T_P *weights, T_ACC *keep,             \
                     const struct seven_end *end)                                                            \
    {                                                                                                        \
        vacc s[mr][nv], b[nv];                                                                               \
        const size_t lda = row * sizeof(T_A), lda3 = 3 * lda, rows = (mr)*row;                               \
        struct finish *one = end->one, *two = end->two;                                                      \
        SEVEN_EACH(mr, nv, s[r][j] = V_START(one, j))                                                        \
        SEVEN_PRODUCT(mr, nv, 0, 0)                                                                          \
        SEVEN_EACH(mr, nv, V_PUT(SEVEN_KEPT(0), s[r][j]))                                                    \
        SEVEN_PRODUCT(mr, nv, half, 1)                                                                       \
        SEVEN_FINISH(mr, nv, one, 0, 0)                                                                      \
        SEVEN_EACH(mr, nv, s[r][j] = V_GET(SEVEN_KEPT(0)))                                                   \
        SEVEN_PRODUCT(mr, nv, 2 * rows + half, 2)                                                            \
        SEVEN_EACH(mr, nv, V_PUT(SEVEN_KEPT(0), s[r][j]))                                                    \
        SEVEN_PRODUCT(mr, nv, 3 * rows, 3)                                                                   \
        SEVEN_EACH(mr, nv, V_PUT(SEVEN_KEPT(1), s[r][j]))                                                    \
        SEVEN_PRODUCT(mr, nv, rows + half, 4)                                                                \
        SEVEN_FINISH(mr, nv, one, mr, 0)                                                                     \
        SEVEN_EACH(mr, nv, s[r][j] = V_LESS(V_START(two, j), V_START(one, j)))                               \
        SEVEN_PRODUCT(mr, nv, 2 * rows, 5)                                                                   \
        SEVEN_EACH(mr, nv, V_PUT(SEVEN_KEPT(2), s[r][j]))                                                    \
        SEVEN_EACH(mr, nv, s[r][j] = V_SUM(s[r][j], V_GET(SEVEN_KEPT(1))))                                   \
        SEVEN_FINISH(mr, nv, two, mr, (nv)*VL)                                                               \
        SEVEN_EACH(mr, nv, s[r][j] = V_SUM(V_GET(SEVEN_KEPT(2)), V_GET(SEVEN_KEPT(0))))                      \
        SEVEN_PRODUCT(mr, nv, 3 * rows + half, 6)                                                            \
        SEVEN_FINISH(mr, nv, two, 0, (nv)*VL)                                                                \
    }
SEVEN_TILE(seven_12, 6, NV)
SEVEN_TILE(seven_8, 4, NV)
SEVEN_TILE(seven_4, 2, NV)
SEVEN_TILE(seven_12_thin, 6, 1)
SEVEN_TILE(seven_8_thin, 4, 1)
SEVEN_TILE(seven_4_thin, 2, 1)

/* The tile of 2 * mr rows. */
PK_INLINE void seven_tile_run(size_t mr, bool thin, const T_A *panel, size_t row, size_t half, const T_P *weights, T_ACC *keep,
                              const struct seven_end *end)
{
    if (thin) {
        (mr == 6 ? seven_12_thin : mr == 4 ? seven_8_thin : seven_4_thin)(panel, row, half, weights, keep, end);
    } else {
        (mr == 6 ? seven_12 : mr == 4 ? seven_8 : seven_4)(panel, row, half, weights, keep, end);
    }
}

/* Are the rows of K those of the picture, without a rest? */
static bool seven_straight(const struct pk_conv *c, const struct seven *s)
{
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride_h == 1 && c->stride_w == 1 && c->pad_top == 0 && c->pad_left == 0 &&
           c->out_w == c->in_w && c->out_h <= c->in_h && s->p.k == 2 * s->half;
}

/* Codes and sums of a tile of 2 * mr rows, of which `here` exist; the others are 0. */
static void seven_tile(const struct pk_conv *c, const struct seven *s, const T_X *x, size_t pixel, size_t mr, size_t here,
                       T_A pad, T_A *panel)
{
    const size_t lda = s->p.lda, rest = 2 * s->half - s->p.k;
    gather(c, &s->p, x, pixel, here, pad, panel);
    memset(panel + here * lda, 0, (2 * mr - here) * lda * sizeof(T_A));
    for (size_t r = 0; rest > 0 && r < here; r++) {
        memset(panel + r * lda + s->p.k, 0, rest * sizeof(T_A));
    }
    for (size_t r = 0; r < mr; r++) {
        T_A *row = panel + r * lda;
        seven_mix(row, row + mr * lda, row + 2 * mr * lda, row + 3 * mr * lda, s->half);
    }
}

/* Windows where they lie: the picture, the next one, the table. */
struct seven_windows {
    struct padded plan;
    struct picture y;
    struct picture_walk walk;
    const uint32_t *at;
};

/* Codes and sums of the next tile of 2 * mr windows; the last one again where there are no more. */
static void seven_tile_windows(struct seven_windows *win, const struct seven *s, size_t mr, T_A *panel)
{
    const char *x[SEVEN_MOST];
    const size_t lda = s->p.lda;
    picture_next(&win->y, &win->walk, (int)(2 * mr), 1, x);
    for (size_t r = 0; r < mr; r++) {
        T_A *row = panel + r * lda;
        seven_mix_windows((const T_X *)(const void *)x[r], (const T_X *)(const void *)x[r + mr], win->at, row, row + mr * lda,
                          row + 2 * mr * lda, row + 3 * mr * lda, s->half);
    }
}

/* scratch: seven_windows_bytes(); 0 of them: false. */
static bool seven_windows_of(struct seven_windows *win, const struct pk_conv *c, const struct seven *s, const void *x, int pad,
                             void *scratch)
{
    if (!seven_padded(c, s, &win->plan)) {
        return false;
    }
    const size_t table = pk_round_up(s->p.k / SEVEN_ROUND * sizeof(uint32_t), 64);
    padded_table(c, &win->plan, SEVEN_ROUND, scratch);
    win->at = scratch;
    win->y = picture_of(c, &win->plan, x, pad, (char *)scratch + table);
    picture_band(&win->y, 0);
    win->walk = (struct picture_walk){win->y.rows, win->y.rows, 0, 0, (int)s->p.pixels};
    return true;
}

/* The panel of a block; win: NULL where windows are copied. */
static void seven_gather(const struct pk_conv *c, const struct seven *s, struct seven_windows *win, const T_X *x, size_t pixel,
                         size_t rows, T_A pad, T_A *panel)
{
    const size_t lda = s->p.lda, depth = s->p.depth;
    const bool straight = seven_straight(c, s);
    for (size_t done = 0; done < rows;) {
        const size_t left = rows - done, mr = seven_rows(left), here = left < 2 * mr ? left : 2 * mr;
        if (win != NULL) {
            seven_tile_windows(win, s, mr, panel);
        } else if (straight && here == 2 * mr) {
            const T_X *codes = x + (pixel + done) * depth;
            for (size_t r = 0; r < mr; r++, codes += depth) {
                T_A *row = panel + r * lda;
                seven_mix_codes(codes, codes + mr * depth, row, row + mr * lda, row + 2 * mr * lda, row + 3 * mr * lda, s->half);
            }
        } else {
            seven_tile(c, s, x, pixel + done, mr, here, pad, panel);
        }
        panel += 4 * mr * lda;
        done += here;
    }
}

/* Sums of the codes of a tile's rows, for weight zero points: A11 + A12, and S1. */
static void seven_sums(const struct seven *s, const T_A *panel, size_t mr, size_t here, int32_t *sums)
{
    for (size_t r = 0; r < here; r++) {
        const T_A *row = panel + (r < mr ? r : r + mr) * s->p.lda;
        sums[r] = 0;
        for (size_t k = 0; k < (r < mr ? 2 : 1) * s->half; k++) {
            sums[r] += (int32_t)row[k];
        }
    }
}

struct seven_work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct seven s;
    struct seven_scratch m;
    bool finishes;
};

/* Rows [pixel, pixel + rows), whose panel is there, times panel `i` of channels. */
static void seven_panel(const struct seven_work *w, size_t pixel, size_t rows, size_t i, const T_P *weights)
{
    const T_A *panel = w->m.panel;
    const size_t first = i * SEVEN_WIDE, lda = w->s.p.lda, wide = seven_wide(&w->s, i);
    const size_t n = w->s.p.n - first < SEVEN_WIDE ? w->s.p.n - first : SEVEN_WIDE;
    struct finish *f = &w->m.finish[2 * i];
    for (size_t done = 0; done < rows;) {
        const size_t left = rows - done, mr = seven_rows(left), here = left < 2 * mr ? left : 2 * mr;
        const bool whole = w->finishes && here == 2 * mr && n > wide;
        const struct seven_end end = {whole ? f : NULL, whole ? f + 1 : NULL, w->m.acc, pixel + done};
        seven_tile_run(mr, wide < WIDE, panel, lda, w->s.half, weights, w->m.keep, &end);
        if (!whole) {
            const struct pk_tile tile = {w->m.acc, SEVEN_WIDE, pixel + done, (int)here, (int)first, (int)n, w->m.sums + done};
            PK_EPILOGUE(w->e, &tile);
        }
        panel += 4 * mr * lda;
        done += here;
    }
}

static void seven_finishes(struct seven_work *w)
{
    struct finish *f = w->m.finish;
    w->finishes = finish_of(f, w->e);
    for (size_t i = 0; w->finishes && i < 2 * w->s.panels; i++) {
        const size_t wide = seven_wide(&w->s, i / 2), first = i / 2 * SEVEN_WIDE + i % 2 * wide;
        const size_t left = w->s.p.n > first ? w->s.p.n - first : 0;
        f[i] = f[0];
        finish_panel(&f[i], (int)first, (int)(left < wide ? left : wide));
    }
}

static void seven_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                      void *scratch)
{
    struct seven_work w = {.c = c, .e = e, .s = seven_of(c)};
    const struct seven *s = &w.s;
    struct seven_windows windows, *win = seven_windows_of(&windows, c, s, x, PK_PAD(pad_code), scratch) ? &windows : NULL;
    scratch = (char *)scratch + seven_windows_bytes(c, s);
    w.m.finish = scratch;
    w.m.panel = (T_A *)(void *)((char *)scratch + seven_finish_bytes(s));
    w.m.keep = (T_ACC *)(void *)((char *)w.m.panel + seven_panel_bytes(s));
    w.m.acc = w.m.keep + 3 * SEVEN_KEEP;
    w.m.sums = (int32_t *)(void *)(w.m.acc + SEVEN_MOST * SEVEN_WIDE);
    seven_finishes(&w);
    for (size_t pixel = 0; pixel < s->p.pixels; pixel += s->p.block) {
        const size_t rows = s->p.pixels - pixel < s->p.block ? s->p.pixels - pixel : s->p.block;
        seven_gather(c, s, win, x, pixel, rows, PK_PAD(pad_code), w.m.panel);
        const T_A *panel = w.m.panel;
        for (size_t done = 0; e->weight_zero != NULL && done < rows;) {
            const size_t left = rows - done, mr = seven_rows(left), here = left < 2 * mr ? left : 2 * mr;
            seven_sums(s, panel, mr, here, w.m.sums + done);
            panel += 4 * mr * s->p.lda;
            done += here;
        }
        for (size_t i = 0; i < s->panels; i++) {
            seven_panel(&w, pixel, rows, i, (const T_P *)packed + i * 7 * s->half * WIDE);
        }
    }
}
