/*
 * conv_padded.h: dense convolution whose tiles read windows where they lie, in a copy of the picture with its padding (or
 * in the picture, where no window leaves it): conv_body.h copies every window, kernel_h * kernel_w times as many bytes.
 * Included after conv_body.h, whose macros, plan and packed weights it uses, with NV 4; T_A must be T_X. A tile has a
 * pointer for one, two or four pixels side by side (its side: there are registers for eight), wherever they lie. The taps
 * of one kernel row lie side by side, and at its end all pointers go on by one offset.
 */
enum {
    PADDED_TILES = 3,  /* sizes of tiles for a number of vectors */
    PADDED_MOST = 8,   /* pointers of a tile, at most */
    PADDED_LEAST = 24, /* output pixels */
    /* Bytes of copied rows that all panels read before the next ones. */
    PADDED_BAND = 256 << 10
};


/* How a layer is cut. */
struct padded {
    struct plan p;
    size_t row;    /* bytes of a row that tiles read */
    size_t run;    /* bytes of a kernel row: a multiple of K_GROUP */
    int band;      /* output rows of a band */
    bool in_place; /* no copy */
};

/* Rows of the padded picture that n output rows read. */
static size_t padded_rows(const struct pk_conv *c, int n)
{
    return (size_t)((n - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
}

static struct padded padded_of(const struct pk_conv *c)
{
    struct padded p = {.p = plan_of(c), .run = (size_t)(c->kernel_w * c->in_c)};
    const int reach_w = (c->out_w - 1) * c->stride_w + c->kernel_w;
    p.in_place = c->pad_left == 0 && c->pad_top == 0 && reach_w <= c->in_w && padded_rows(c, c->out_h) <= (size_t)c->in_h;
    p.band = c->out_h;
    p.row = (size_t)(p.in_place ? c->in_w : reach_w) * (size_t)c->in_c;
    if (!p.in_place) {
        p.row = pk_round_up(p.row, 64);
        p.row += p.row % 1024 == 0 ? 64 : 0; /* rows a power of two apart would share cache sets */
        while (p.band > 1 && padded_rows(c, p.band) * p.row > PADDED_BAND) {
            p.band = (p.band + 1) / 2;
        }
    }
    return p;
}

static size_t padded_bytes(const struct pk_conv *c, const struct padded *p)
{
    return p->in_place ? 0 : pk_round_up(padded_rows(c, p->band) * p->row, 64);
}

static size_t padded_scratch_size(const struct pk_conv *c)
{
    const struct padded p = padded_of(c);
    return padded_bytes(c, &p) + STRIP * WIDE * sizeof(T_ACC);
}

/* What a tile reads: kernel rows of so many groups; bytes between pixels, from a kernel row's end to the next one. */
struct padded_source {
    int rows;
    size_t groups, step, skip;
};

typedef void padded_fn(const struct padded_source *x, const char *const *at, const T_P *w, T_ACC *acc,
                       const struct finish *f);

#define PADDED_STEP(u, mr, nv, side)                                                               \
    {                                                                                              \
        __asm__ volatile("" : : : "memory"); /* loads of a later step would take registers */      \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            b[j] = V_WEIGHTS(w + ((u) * (nv) + j) * VL * K_GROUP);                                 \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            const vacc v = V_BROADCAST(q[r / (side)] + off[r % (side)] + (u)*K_GROUP);             \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_MADD(s[r][j], v, b[j]);                                                \
        }                                                                                          \
    }
#define PADDED_GO(n, side)                                                                         \
    PK_UNROLL                                                                                      \
    for (int j = 0; j < (side); j++)                                                               \
        off[j] += (n);

/* mr pixels times nv vectors; finished by f, or to acc[mr][WIDE] where that is NULL. */
#define PADDED_TILE(name, mr, nv, side)                                                            \
    static void name(const struct padded_source *x, const char *const *at, const T_P *w, T_ACC *acc,                \
                     const struct finish *f)                                                       \
    {                                                                                              \
        vacc s[mr][nv], b[nv];                                                                     \
        const char *q[(mr) / (side)];                                                              \
        size_t off[side];                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_START(f, j);                                                           \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr) / (side); r++)                                                    \
            q[r] = at[r];                                                                          \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (side); j++)                                                           \
            off[j] = (size_t)j * x->step;                                                          \
        for (int ky = x->rows; ky > 0; ky--) {                                                     \
            size_t groups = x->groups;                                                             \
            for (; groups >= STEPS; groups -= STEPS) {                                             \
                PK_UNROLL                                                                          \
                for (int u = 0; u < STEPS; u++)                                                    \
                    PADDED_STEP(u, mr, nv, side)                                                   \
                PADDED_GO(STEPS *K_GROUP, side)                                                    \
                w += STEPS * (nv)*VL * K_GROUP;                                                    \
            }                                                                                      \
            for (; groups > 0; groups--, w += (nv)*VL * K_GROUP) {                                 \
                PADDED_STEP(0, mr, nv, side)                                                       \
                PADDED_GO(K_GROUP, side)                                                           \
            }                                                                                      \
            PADDED_GO(x->skip, side)                                                               \
        }                                                                                          \
        TILE_END(mr, nv)                                                                           \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                V_PUT(acc + r * WIDE + j * VL, s[r][j]);                                           \
        }                                                                                          \
    }

/* Tiles for a number of vectors, most rows first; the last one takes what is left. */
struct padded_tiles {
    int side;
    int rows[PADDED_TILES];
    padded_fn *run[PADDED_TILES];
};

PADDED_TILE(padded_6x4, 6, 4, 1)
PADDED_TILE(padded_4x4, 4, 4, 1)
PADDED_TILE(padded_2x4, 2, 4, 1)
PADDED_TILE(padded_8x3, 8, 3, 1)
PADDED_TILE(padded_4x3, 4, 3, 1)
PADDED_TILE(padded_12x2, 12, 2, 2)
PADDED_TILE(padded_4x2, 4, 2, 2)
PADDED_TILE(padded_12x1, 12, 1, 2)
PADDED_TILE(padded_4x1, 4, 1, 2)
PADDED_TILE(padded_24x1, 24, 1, 4)
PADDED_TILE(padded_8x1, 8, 1, 4)
static const struct padded_tiles padded_tiles[NV + 1] = {
    {4, {24, 8, 8}, {padded_24x1, padded_8x1, padded_8x1}}, /* one vector, rows of whole quads */
    {2, {12, 4, 4}, {padded_12x1, padded_4x1, padded_4x1}},
    {2, {12, 4, 4}, {padded_12x2, padded_4x2, padded_4x2}},
    {1, {8, 4, 4}, {padded_8x3, padded_4x3, padded_4x3}},
    {1, {6, 4, 2}, {padded_6x4, padded_4x4, padded_2x4}},
};

static const struct padded_tiles *padded_tiles_of(const struct pk_conv *c, size_t nv)
{
    return &padded_tiles[nv == 1 && c->out_w % 4 == 0 ? 0 : nv];
}

/* Can tiles read this layer's windows where they lie? */
static bool padded_does(const struct pk_conv *c)
{
    const bool one = c->kernel_h * c->kernel_w == 1;
    if (c->groups != 1 || c->dilation_w != 1 || c->kernel_w * c->in_c % K_GROUP != 0 || c->out_h * c->out_w < PADDED_LEAST) {
        return false;
    }
    if (c->pad_top < 0 || c->pad_left < 0 || (one && (c->stride_h * c->stride_w == 1 || c->pad_top + c->pad_left > 0))) {
        return false;
    }
    const struct plan p = plan_of(c);
    const size_t full = p.width < p.wide ? p.width : p.wide, last = p.width % p.wide == 0 ? full : p.width % p.wide;
    return c->out_w % padded_tiles_of(c, full / VL)->side == 0 && c->out_w % padded_tiles_of(c, last / VL)->side == 0;
}

struct padded_work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct padded plan;
    struct padded_source x;
    const T_X *picture;
    T_X pad;
    int top;      /* the input row of the band's first row; may be outside */
    char *rows;   /* the band */
    size_t there; /* rows of it that are copied */
    T_ACC *acc;
};

/* Copies rows of the band until n are there. */
static void padded_copy(struct padded_work *w, size_t n)
{
    const struct pk_conv *c = w->c;
    const size_t row = w->plan.row, line = (size_t)(c->in_w * c->in_c), before = (size_t)(c->pad_left * c->in_c);
    const size_t left = before < row ? before : row, inside = line < row - left ? line : row - left;
    for (; w->there < n; w->there++) {
        T_X *to = (T_X *)(void *)(w->rows + w->there * row);
        const int iy = w->top + (int)w->there;
        if (iy < 0 || iy >= c->in_h) {
            memset(to, w->pad, row);
            continue;
        }
        memset(to, w->pad, left);
        memcpy(to + left, w->picture + (size_t)iy * line, inside);
        memset(to + left + inside, w->pad, row - left - inside);
    }
}

/* Goes over the output pixels of a band, `side` at a time. */
struct padded_walk {
    const char *line, *at; /* the window of the row's first pixel, of this one */
    int x, row, left;      /* column and row of this pixel; pixels left */
};

/* Pointers of the next n pixels, the last ones again where there are no more. Copies the rows that they read. */
PK_INLINE void padded_next(struct padded_work *w, struct padded_walk *k, int n, int side, const char **at)
{
    const struct pk_conv *c = w->c;
    const char *last = k->at;
    int row = k->row;
    for (int i = 0; i < n; i += side) {
        if (k->left > 0) {
            last = k->at;
            row = k->row;
            k->left -= side;
            k->x += side;
            k->at += (size_t)side * w->x.step;
            if (k->x == c->out_w) {
                k->x = 0;
                k->row++;
                k->line += (size_t)c->stride_h * w->plan.row;
                k->at = k->line;
            }
        }
        *at++ = last;
    }
    if (!w->plan.in_place) {
        padded_copy(w, padded_rows(c, row + 1));
    }
}

/* Sums of the codes of the next n pixels' windows, for weight zero points. */
static void padded_sums(struct padded_work *w, struct padded_walk k, int n, int32_t *sums)
{
    for (int i = 0; i < n; i++) {
        const char *at;
        padded_next(w, &k, 1, 1, &at);
        sums[i] = 0;
        for (int ky = 0; ky < w->x.rows; ky++, at += w->plan.run + w->x.skip) {
            for (size_t j = 0; j < w->plan.run; j++) {
                sums[i] += ((const T_X *)(const void *)at)[j];
            }
        }
    }
}

/* n (at most STRIP) pixels of a panel of nv vectors through acc. */
static void padded_strip(struct padded_work *w, struct padded_walk *k, int n, size_t nv, const T_P *weights, struct pk_tile t)
{
    const struct padded_tiles *tiles = padded_tiles_of(w->c, nv);
    const char *at[PADDED_MOST];
    int32_t sums[STRIP];
    if (w->e->weight_zero != NULL) {
        padded_sums(w, *k, n, sums);
        t.sums = sums;
    }
    for (int row = 0, size = 0; row < n; row += tiles->rows[size]) {
        while (size < PADDED_TILES - 1 && tiles->rows[size] > n - row) {
            size++;
        }
        padded_next(w, k, tiles->rows[size], tiles->side, at);
        tiles->run[size](&w->x, at, weights, w->acc + row * WIDE, NULL);
    }
    t.rows = n;
    PK_EPILOGUE(w->e, &t);
}

/* A panel of n channels from `channel` on, over the band's pixels, the first of which is `pixel`. */
static void padded_panel(struct padded_work *w, const T_P *weights, size_t nv, int channel, int n, size_t pixel, int pixels)
{
    const struct padded_tiles *tiles = padded_tiles_of(w->c, nv);
    struct padded_walk k = {w->rows, w->rows, 0, 0, pixels};
    const char *at[PADDED_MOST];
    struct finish f;
    if (finish_of(&f, w->e)) {
        finish_panel(&f, channel, n);
        for (int size = 0; size < PADDED_TILES; size++) {
            while (k.left >= tiles->rows[size]) {
                finish_rows(&f, pixel + (size_t)(pixels - k.left));
                padded_next(w, &k, tiles->rows[size], tiles->side, at);
                tiles->run[size](&w->x, at, weights, w->acc, &f);
            }
        }
    }
    while (k.left > 0) {
        const struct pk_tile t = {w->acc, WIDE, pixel + (size_t)(pixels - k.left), 0, channel, n, NULL};
        padded_strip(w, &k, k.left < STRIP ? k.left : STRIP, nv, weights, t);
    }
}

static void padded_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                       void *scratch)
{
    struct padded_work w = {.c = c, .e = e, .plan = padded_of(c), .picture = x, .pad = PK_PAD(pad_code), .rows = scratch};
    const struct plan *p = &w.plan.p;
    w.acc = (T_ACC *)(void *)((char *)scratch + padded_bytes(c, &w.plan));
    w.x = (struct padded_source){c->kernel_h, w.plan.run / K_GROUP, (size_t)(c->stride_w * c->in_c),
                                 (size_t)c->dilation_h * w.plan.row - w.plan.run};
    for (int oy = 0; oy < c->out_h; oy += w.plan.band) {
        const int rows = c->out_h - oy < w.plan.band ? c->out_h - oy : w.plan.band;
        const T_P *weights = packed;
        w.top = oy * c->stride_h - c->pad_top;
        w.there = 0;
        if (w.plan.in_place) {
            w.rows = (char *)(uintptr_t)x;
        }
        for (size_t first = 0; first < p->width; first += p->wide, weights += p->wide * p->k) {
            const size_t width = p->width - first < p->wide ? p->width - first : p->wide;
            const size_t n = p->n - first < p->wide ? p->n - first : p->wide;
            padded_panel(&w, weights, width / VL, (int)first, (int)n, (size_t)oy * (size_t)c->out_w, rows * c->out_w);
        }
    }
}
