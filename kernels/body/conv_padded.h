/*
 * conv_padded.h: dense convolution whose tiles read windows where they lie (conv_picture.h); conv_body.h copies every window,
 * kernel_h * kernel_w times as many bytes. Included after conv_body.h, whose macros, plan and packed weights it uses, with
 * NV 4; T_A must be T_X. A tile has a pointer for one, two or four pixels side by side (its side: there are registers for
 * eight), wherever they lie. A table has where each step of K_GROUP taps lies from there.
 */
#include "conv_picture.h"

enum {
    PADDED_TILES = 3,  /* sizes of tiles for a number of vectors */
    PADDED_MOST = 8,   /* pointers of a tile, at most */
    PADDED_LEAST = 24, /* output pixels */
    /* Bytes of copied rows that all panels read before the next ones. */
    PADDED_BAND = 256 << 10
};

static size_t padded_scratch_size(const struct pk_conv *c)
{
    const struct padded p = padded_of(c, PADDED_BAND);
    return padded_bytes(c, &p) + STRIP * WIDE * sizeof(T_ACC) + pk_round_up(p.p.k / K_GROUP * sizeof(uint32_t), 64);
}

/* What a tile reads: at every step of K_GROUP the bytes so far from its pointers; bytes between pixels. */
struct padded_source {
    size_t groups, step;
    const uint32_t *at; /* [groups] */
};

typedef void padded_fn(const struct padded_source *x, const char *const *at, const T_P *w, T_ACC *acc,
                       const struct finish *f);

#define PADDED_STEP(u, mr, nv, side)                                                               \
    {                                                                                              \
        __asm__ volatile("" : : : "memory"); /* loads of a later step would take registers */      \
        size_t off[side];                                                                          \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (side); j++)                                                           \
            off[j] = j == 0 ? k[u] : off[j - 1] + step;                                            \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            b[j] = V_WEIGHTS(w + ((u) * (nv) + j) * VL * K_GROUP);                                 \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            const vacc v = V_BROADCAST(q[r / (side)] + off[r % (side)]);                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_MADD(s[r][j], v, b[j]);                                                \
        }                                                                                          \
    }

/* mr pixels times nv vectors; finished by f, or to acc[mr][WIDE] where that is NULL. */
#define PADDED_TILE(name, mr, nv, side)                                                            \
    static void name(const struct padded_source *x, const char *const *at, const T_P *w, T_ACC *acc, \
                     const struct finish *f)                                                       \
    {                                                                                              \
        vacc s[mr][nv], b[nv];                                                                     \
        const char *q[(mr) / (side)];                                                              \
        const uint32_t *k = x->at;                                                                 \
        size_t step = x->step, groups = x->groups;                                                 \
        (void)step;                                                                                \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_START(f, j);                                                           \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr) / (side); r++)                                                    \
            q[r] = at[r];                                                                          \
        for (; groups >= STEPS; groups -= STEPS) {                                                 \
            PK_UNROLL                                                                              \
            for (int u = 0; u < STEPS; u++)                                                        \
                PADDED_STEP(u, mr, nv, side)                                                       \
            k += STEPS, w += STEPS * (nv)*VL * K_GROUP;                                            \
        }                                                                                          \
        for (; groups > 0; groups--, k++, w += (nv)*VL * K_GROUP)                                  \
            PADDED_STEP(0, mr, nv, side)                                                           \
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
    if (!padded_fits(c) || c->kernel_w * c->in_c % K_GROUP != 0 || c->out_h * c->out_w < PADDED_LEAST) {
        return false;
    }
    const struct plan p = plan_of(c);
    const size_t full = p.width < p.wide ? p.width : p.wide, last = p.width % p.wide == 0 ? full : p.width % p.wide;
    return c->out_w % padded_tiles_of(c, full / VL)->side == 0 && c->out_w % padded_tiles_of(c, last / VL)->side == 0;
}

struct padded_work {
    struct picture y;
    const struct pk_epilogue *e;
    struct padded_source x;
    T_ACC *acc;
};

/* Sums of the codes of the next n pixels' windows, for weight zero points. */
static void padded_sums(struct padded_work *w, struct picture_walk k, int n, int32_t *sums)
{
    for (int i = 0; i < n; i++) {
        const char *at;
        picture_next(&w->y, &k, 1, 1, &at);
        sums[i] = 0;
        for (size_t j = 0; j < w->x.groups * K_GROUP; j++) {
            sums[i] += ((const T_X *)(const void *)(at + w->x.at[j / K_GROUP]))[j % K_GROUP];
        }
    }
}

/* n (at most STRIP) pixels of a panel of nv vectors through acc. */
static void padded_strip(struct padded_work *w, struct picture_walk *k, int n, size_t nv, const T_P *weights, struct pk_tile t)
{
    const struct padded_tiles *tiles = padded_tiles_of(w->y.c, nv);
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
        picture_next(&w->y, k, tiles->rows[size], tiles->side, at);
        tiles->run[size](&w->x, at, weights, w->acc + row * WIDE, NULL);
    }
    t.rows = n;
    PK_EPILOGUE(w->e, &t);
}

/* A panel of n channels from `channel` on, over the band's pixels, the first of which is `pixel`. */
static void padded_panel(struct padded_work *w, const T_P *weights, size_t nv, int channel, int n, size_t pixel, int pixels)
{
    const struct padded_tiles *tiles = padded_tiles_of(w->y.c, nv);
    struct picture_walk k = {w->y.rows, w->y.rows, 0, 0, pixels};
    const char *at[PADDED_MOST];
    struct finish f;
    if (finish_of(&f, w->e)) {
        finish_panel(&f, channel, n);
        for (int size = 0; size < PADDED_TILES; size++) {
            while (k.left >= tiles->rows[size]) {
                finish_rows(&f, pixel + (size_t)(pixels - k.left));
                picture_next(&w->y, &k, tiles->rows[size], tiles->side, at);
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
    const struct padded plan = padded_of(c, PADDED_BAND);
    const struct plan *p = &plan.p;
    struct padded_work w = {.y = picture_of(c, &plan, x, PK_PAD(pad_code), scratch), .e = e};
    w.acc = (T_ACC *)(void *)((char *)scratch + padded_bytes(c, &plan));
    uint32_t *at = (uint32_t *)(void *)(w.acc + STRIP * WIDE);
    padded_table(c, &plan, K_GROUP, at);
    w.x = (struct padded_source){p->k / K_GROUP, w.y.step, at};
    for (int oy = 0; oy < c->out_h; oy += plan.band) {
        const int rows = c->out_h - oy < plan.band ? c->out_h - oy : plan.band;
        const T_P *weights = packed;
        picture_band(&w.y, oy);
        for (size_t first = 0; first < p->width; first += p->wide, weights += p->wide * p->k) {
            const size_t width = p->width - first < p->wide ? p->width - first : p->wide;
            const size_t n = p->n - first < p->wide ? p->n - first : p->wide;
            padded_panel(&w, weights, width / VL, (int)first, (int)n, (size_t)oy * (size_t)c->out_w, rows * c->out_w);
        }
    }
}
