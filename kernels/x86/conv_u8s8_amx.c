/*
 * conv_u8s8_amx.c: dense convolution on byte codes with AMX tiles: 32 output pixels times 32
 * channels in four tiles of sums, two tiles of 16 pixels times 64 codes, two of 64 weights times 16
 * channels.
 *
 * The tile unit works beside the vector units, so the epilogue of one block of sums runs in slices
 * between the tile products of the next one: two blocks of sums alternate in scratch. (The shorter the slices the more of
 * them runs beside tiles: residual and PReLU of 32 channels or of multiples of 64 are inline, 0.74-0.92x the time of calls.
 * For 64 sums an epilogue alone takes 13 cycles, with residual and PReLU 21; whole layers of K = 64 take 18 and 28.) Where few products are followed by
 * steps or several outputs, of the next one but one, because loads wait for the stores of tiles: 32>32 on 96x96 pixels with
 * residual and PReLU 65 us, so 57; of larger layers three blocks and the weights would leave the L1 (2026-11-21).
 *
 * Packed weights: per group, per 16 channels, per 64 of K a tile [16][16 channels][4 of K], zero
 * beyond the last channel and beyond K. Activations: a layer that reads its picture in order reads
 * it where it is, but for the last rows, whose tiles would reach past its end; all else is copied
 * to a panel of rows of K rounded up to 64 (what rounds up meets weights of zero). 32 rows of them stay
 * in the L1 cache while all weights stream past it from the second.
 *
 * A full tile takes 16 pixels: shapes of fewer (and a handful more) are left to other kernels by
 * measurement, see pk_kernel_for.
 */
#include <string.h>

#include "finish_slices_avx512.h"
#include "panel_ring.h"
#include "panel_u8_avx512.h"

#include "../pk_tables.h"

enum {
    ROWS = 32,             /* pixels of a block of sums */
    COLUMNS = 64,          /* channels of a block of sums */
    TILE = 1024,           /* bytes of a full tile */
    MOST_PANELS = 8,        /* of channels whose constants are kept for the whole layer */
    MOST_CHUNKS = 20,       /* of K at a time: 32 rows of them stay in the L1 cache */
    PANEL_BYTES = 24 << 10, /* of activations over which all weights run: half of an L1 cache */
    /* Weights of a group from which on their tiles are loaded past the L1 cache, where they would displace the
     * activations before their next use (784x128x1152: 0.81x the time; 10 KiB of weights 1.03x; 2026-11-21). */
    FAR_BYTES = 12 << 10
};

/* Palette 1, eight tiles of 16 rows of 64 bytes. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static void tiles_begin(void)
{
    struct tile_config t = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        t.row_bytes[i] = 64;
        t.rows[i] = 16;
    }
    /* the whole structure is the operand: compilers otherwise drop stores to it */
    __asm__ volatile("ldtilecfg %0" : : "m"(t));
}

static void tiles_end(void)
{
    __asm__ volatile("tilerelease" : : : "memory");
}

/* Tiles 0..3: sums, 4 and 5: pixels, 6 and 7: weights. */
#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::)
#define TILE_LOAD(t, p, step)                                                                      \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(p), "r"(step) : "memory")
/* The same without a place in the L1 cache. */
#define TILE_LOAD_FAR(t, p, step)                                                                  \
    __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #t : : "r"(p), "r"(step) : "memory")
#define TILE_LOAD_WEIGHTS(t, p, step, far)                                                         \
    do {                                                                                           \
        if (far) {                                                                                 \
            TILE_LOAD_FAR(t, p, step);                                                             \
        } else {                                                                                   \
            TILE_LOAD(t, p, step);                                                                 \
        }                                                                                          \
    } while (0)
#define TILE_STORE(t, p, step)                                                                     \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(p), "r"(step) : "memory")
#define TILE_MADD(sum, a, w) __asm__ volatile("tdpbusd %%tmm" #w ", %%tmm" #a ", %%tmm" #sum ::)

struct plan {
    size_t depth, k, k_all, lda; /* channels of a tap; products per sum; rounded to tiles; panel */
    size_t n, tiles;             /* channels of a group; tiles of 16 of them */
    size_t pixels, block;        /* output pixels; rows of the panel at a time */
    size_t part;                 /* of K at a time, in 64 */
    bool direct, far;            /* activations where they are; weights past the L1 cache */
    size_t panels; /* of 64 channels whose epilogues run in slices, if they are not plain; 0: in calls */
    bool lags;     /* slices are two blocks behind */
    /* first layers (panel_ring.h): bytes of a slot, of a place, of the ring; 0 = a panel of copied windows */
    size_t slot, place, ring;
};

/* rings: a first layer may read its windows from a ring. */
static struct plan plan_of(const struct pk_conv *c, bool rings)
{
    struct plan p;
    p.depth = (size_t)(c->in_c / c->groups);
    p.k = (size_t)c->kernel_h * (size_t)c->kernel_w * p.depth;
    p.slot = rings ? ring_slot(c) : 0;
    p.place = p.slot * (size_t)c->kernel_h;
    p.ring = p.slot > 0 ? ring_bytes(c, p.slot) : 0;
    p.k_all = pk_round_up(p.slot > 0 ? ring_k(c, p.slot) : p.k, 64);
    p.n = (size_t)(c->out_c / c->groups);
    p.tiles = (p.n + 15) / 16;
    p.pixels = (size_t)c->out_h * (size_t)c->out_w;
    p.direct = panel_is_picture(c);
    /* rows a multiple of 1 KiB apart would share cache sets */
    p.lda = p.k_all % 1024 == 0 ? p.k_all + 64 : p.k_all;
    const size_t rows = PANEL_BYTES / p.k_all / ROWS * ROWS;
    p.block = rows < ROWS ? ROWS : rows;
    const size_t chunks = p.k_all / 64, parts = (chunks + MOST_CHUNKS - 1) / MOST_CHUNKS;
    p.part = (chunks + parts - 1) / parts;
    p.far = p.tiles * chunks * TILE > FAR_BYTES;
    p.panels = c->groups == 1 && p.n <= MOST_PANELS * COLUMNS ? (p.n + COLUMNS - 1) / COLUMNS : 0;
    p.lags = p.panels == 1 && p.k_all * p.tiles * 16 <= 64 * COLUMNS;
    return p;
}

static size_t group_bytes(const struct plan *p)
{
    return p->tiles * (p->k_all / 64) * TILE;
}

static size_t packed_of(const struct pk_conv *c, bool rings)
{
    const struct plan p = plan_of(c, rings);
    return (size_t)(p.slot > 0 ? c->kernel_h : c->groups) * group_bytes(&p);
}

static size_t packed_size(const struct pk_conv *c)
{
    return packed_of(c, true);
}

/* [turns of a ring, or groups][tile of channels][tile of K] */
static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c, true);
    int8_t *to = packed;
    for (int g = 0; g < (p.slot > 0 ? c->kernel_h : c->groups); g++) {
        const int8_t *w = (const int8_t *)weights + (p.slot > 0 ? 0 : (size_t)g * p.n * p.k); /* [n][k] */
        for (size_t tile = 0; tile < p.tiles; tile++) {
            for (size_t k = 0; k < p.k_all; k += 4) {
                for (size_t i = 0; i < 64; i++) {
                    const size_t n = tile * 16 + i / 4, at = k + i % 4;
                    const ptrdiff_t tap = p.slot > 0 ? ring_tap(c, p.slot, g, at) : at < p.k ? (ptrdiff_t)at : -1;
                    *to++ = n < p.n && tap >= 0 ? w[n * p.k + (size_t)tap] : 0;
                }
            }
        }
    }
}

static size_t parts_bytes(const struct plan *p)
{
    return p->part * 64 < p->k_all ? pk_round_up(p->n, COLUMNS) * ROWS * sizeof(int32_t) : 0;
}

static size_t copy_bytes(const struct plan *p)
{
    return pk_round_up(p->slot > 0 ? p->ring : p->block * p->lda, 64);
}

static size_t acc_bytes(const struct plan *p)
{
    return (size_t)(p->lags ? 3 : 2) * ROWS * COLUMNS * sizeof(int32_t);
}

static size_t scratch_of(const struct pk_conv *c, bool rings)
{
    const struct plan p = plan_of(c, rings);
    return copy_bytes(&p) + acc_bytes(&p) + p.panels * sizeof(struct slices) + parts_bytes(&p) +
           (p.slot > 0 ? (size_t)c->out_w : p.block) * sizeof(int32_t);
}

static size_t scratch_size(const struct pk_conv *c)
{
    return scratch_of(c, true);
}

struct work {
    const struct pk_epilogue *e;
    const struct plan *p;
    int32_t *acc[3]; /* [ROWS][COLUMNS]: the block at work and the one before it, or two */
    int32_t *parts;  /* [blocks of channels][ROWS][COLUMNS]: sums of the first parts of K */
    bool plain;      /* one output of codes without steps */
    const struct slices *slices; /* else, where these do the epilogue: of each panel of 64 channels */
    bool lags, adds; /* adds: only residual and PReLU, of 64 channels or of 32 */
    struct pk_tile before, waiting; /* the block whose epilogue runs; when it lags the one after it */
    int left, waits;                /* rows of them without their epilogue */
    const int32_t *sums;
    size_t pixel; /* first of the panel */
    int group;
};

/* The epilogue of up to `rows` rows of the block before. */
static void drain(struct work *w, int rows)
{
    const int n = w->left < rows ? w->left : rows;
    if (n == 0) { /* before the tile is read: its fields wait for the stores of tiles in front of them */
        return;
    }
    struct pk_tile t = w->before;
    t.rows = n;
    pk_epilogue_i32_avx512(w->e, &t);
    w->before.acc = (int32_t *)t.acc + (size_t)t.rows * t.ld;
    w->before.pixel += (size_t)t.rows;
    w->before.sums = t.sums != NULL ? t.sums + t.rows : NULL;
    w->left -= t.rows;
}

/* Now the block that waits: the one before is done. */
static void next_block(struct work *w)
{
    w->before = w->waiting;
    w->left = w->waits;
    w->waits = 0;
}

/* All that is left. */
static void flush(struct work *w)
{
    drain(w, ROWS);
    next_block(w);
    drain(w, ROWS);
}

/* Rows of activations that a block of sums reads. */
struct rows {
    const uint8_t *a;
    size_t lda, n;
};

/*
 * What runs between two products of tiles: rows of the epilogue of the block before. `vectors`, a
 * constant: of each row of a plain epilogue (4, 2, 1), which then is inline; SLICED: by `slices`; -2, -4: the slice of a residual
 * and PReLU inline; ANY: any epilogue.
 */
enum { ANY = 0, SLICED = -1 };
struct between {
    struct work *w;
    struct plain plain;  /* when vectors > 0 */
    const struct slices *slices;
    size_t pixel;
    const int32_t *sums; /* next row */
    int row, rows, slice;
};

PK_INLINE void between_run(struct between *t, const int vectors, const bool whole)
{
    if (vectors == ANY) {
        if (t->w->left > 0) {
            drain(t->w, t->slice);
        }
        return;
    }
    if (vectors == SLICED) {
        const int n = t->rows - t->row < t->slice ? t->rows - t->row : t->slice;
        if (n > 0) {
            t->slices->run(t->slices, t->sums, COLUMNS, (ptrdiff_t)t->w->before.pixel + t->row, n);
            t->row += n;
            t->sums += n * COLUMNS;
        }
        return;
    }
    if (vectors < SLICED) {
        const int wide = -vectors, pixels = 4 / wide;
        for (int i = 0; i < t->slice && t->row < t->rows; i += pixels, t->row += pixels) {
            slice(t->slices, t->sums, COLUMNS, (ptrdiff_t)t->pixel + t->row, pixels, wide, true, true, ADD_PRELU);
            t->sums += pixels * COLUMNS;
        }
        return;
    }
    const int step = vectors > 0 ? 4 / vectors : 1;
    for (int i = 0; i < t->slice && t->row < t->rows; i += step, t->row += step) {
        plain_put(&t->plain, t->sums, COLUMNS, t->row, vectors, whole);
        t->sums += step * COLUMNS;
    }
}

/* The longer ones also between stores of tiles. */
PK_INLINE void between_stores(struct between *t, const int vectors, const bool whole)
{
    if (vectors < ANY) {
        between_run(t, vectors, whole);
    }
}

/* The operands of one run of tile products. */
struct operands {
    const uint8_t *a;
    size_t lda;
    const int8_t *b;      /* tiles of weights */
    size_t beside;        /* bytes to those of the next 16 channels */
    size_t chunks;        /* products of a pair of tiles */
    bool far;             /* weights past the L1 cache */
    const int32_t *start; /* sums so far, NULL: 0 */
    int32_t *acc;
};

/* `tall`: 32 rows, else 16. `wide`: two tiles of channels, else one. Constants, as vectors and whole. */
PK_INLINE void tiles_run(struct between *t, const struct operands *o, const bool tall,
                         const bool wide, const int vectors, const bool whole)
{
    const size_t ld = COLUMNS * sizeof(int32_t), line = 64;
    const uint8_t *a = o->a, *below = o->a + 16 * o->lda;
    const int8_t *b = o->b;
    const bool far = o->far;
    if (o->start == NULL) {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    } else {
        TILE_LOAD(0, o->start, ld);
        TILE_LOAD(1, o->start + 16, ld);
        TILE_LOAD(2, o->start + 16 * COLUMNS, ld);
        TILE_LOAD(3, o->start + 16 * COLUMNS + 16, ld);
    }
    for (size_t i = 0; i < o->chunks; i++, a += 64, below += 64, b += TILE) {
        TILE_LOAD_WEIGHTS(6, b, line, far);
        TILE_LOAD(4, a, o->lda);
        TILE_MADD(0, 4, 6);
        between_run(t, vectors, whole);
        if (wide) {
            TILE_LOAD_WEIGHTS(7, b + o->beside, line, far);
            TILE_MADD(1, 4, 7);
            between_run(t, vectors, whole);
        }
        if (tall) {
            TILE_LOAD(5, below, o->lda);
            TILE_MADD(2, 5, 6);
            between_run(t, vectors, whole);
        }
        if (tall && wide) {
            TILE_MADD(3, 5, 7);
            between_run(t, vectors, whole);
        }
    }
    TILE_STORE(0, o->acc, ld);
    between_stores(t, vectors, whole);
    if (wide) {
        TILE_STORE(1, o->acc + 16, ld);
        between_stores(t, vectors, whole);
    }
    if (tall) {
        TILE_STORE(2, o->acc + 16 * COLUMNS, ld);
        between_stores(t, vectors, whole);
    }
    if (tall && wide) {
        TILE_STORE(3, o->acc + 16 * COLUMNS + 16, ld);
    }
}

/* One block of sums: up to 32 rows times 64 channels. */
struct job {
    struct rows r;
    const int8_t *weights;
    size_t first, row;   /* channel, row of the panel */
    size_t from, chunks; /* of K */
    int32_t *part;       /* sums so far when from > 0, where they go when more follows */
};

static void products_slices(struct work *w, const struct job *j, struct operands *o, size_t tiles)
{
    const int steps = (int)((tiles + 1) / 2 * j->chunks);
    struct between t = {.w = w, .slice = (w->left / 4 + steps - 1) / steps * 4};
    /* a call fetches the constants of its channels first: not for fewer than 1024 sums */
    const int least = tiles > 2 ? 16 : ROWS;
    t.slice = t.slice < least ? least : t.slice;
    for (size_t i = 0; i < tiles; i += 2, o->b += 2 * o->beside, o->acc += 32) {
        const bool tall = j->r.n > 16, wide = i + 1 < tiles;
        if (tall && wide) {
            tiles_run(&t, o, true, true, ANY, false);
        } else if (tall) {
            tiles_run(&t, o, true, false, ANY, false);
        } else if (wide) {
            tiles_run(&t, o, false, true, ANY, false);
        } else {
            tiles_run(&t, o, false, false, ANY, false);
        }
        o->start += o->start != NULL ? 32 : 0;
    }
    drain(w, ROWS);
}

/* Rows of the block before that are finished: the others are drained. */
static void rows_done(struct work *w, int rows)
{
    w->before.acc = (int32_t *)w->before.acc + rows * COLUMNS;
    w->before.pixel += (size_t)rows;
    w->left -= rows;
    drain(w, ROWS);
}

static void products_sliced(struct work *w, const struct job *j, struct operands *o, size_t tiles)
{
    const int step = 4 / slices_wide(w->before.n), rows = w->left / step * step;
    const int steps = (int)(tiles * (j->chunks + 1)) * (j->r.n > 16 ? 2 : 1), least = 2 * step; /* a call fetches constants: not for less */
    struct between t = {.w = w, .slices = w->slices + w->before.channel / COLUMNS, .sums = w->before.acc, .rows = rows};
    t.slice = (rows / step + steps - 1) / steps * step;
    t.slice = t.slice < least ? least : t.slice;
    for (size_t i = 0; i < tiles; i += 2, o->b += 2 * o->beside, o->acc += 32) {
        const bool tall = j->r.n > 16, wide = i + 1 < tiles;
        if (tall && wide) {
            tiles_run(&t, o, true, true, SLICED, false);
        } else if (tall) {
            tiles_run(&t, o, true, false, SLICED, false);
        } else if (wide) {
            tiles_run(&t, o, false, true, SLICED, false);
        } else {
            tiles_run(&t, o, false, false, SLICED, false);
        }
        o->start += o->start != NULL ? 32 : 0;
    }
    t.slice = ROWS;
    between_run(&t, SLICED, false);
    rows_done(w, rows);
}

/* Residual and PReLU of 32 rows of 16 * `vectors` channels, all of which exist: constants stay in registers. */
PK_INLINE void products_adds(struct work *w, const struct job *j, struct operands *o, const int vectors)
{
    struct slices own = w->slices[w->before.channel / COLUMNS];
    const int step = 4 / vectors, rows = w->left / step * step, steps = vectors * 2 * ((int)j->chunks + 1);
    struct between t = {.w = w, .slices = &own, .pixel = w->before.pixel, .sums = w->before.acc, .rows = rows};
    t.slice = (rows / step + steps - 1) / steps * step;
    for (int i = 0; i < vectors; i += 2, o->b += 2 * o->beside, o->acc += 32) {
        tiles_run(&t, o, true, true, -vectors, true);
        o->start += o->start != NULL ? 32 : 0;
    }
    t.slice = ROWS;
    between_run(&t, -vectors, true);
    rows_done(w, rows);
}

/* Blocks of n channels, at most 16 * `vectors`, now and before; whole: exactly so many. `tall` as for tiles_run. */
PK_INLINE void products_plain(struct work *w, const struct job *j, struct operands *o, size_t n,
                              const bool tall, const int vectors, const bool whole)
{
    const int step = 4 / vectors, rows = w->left / step * step, tiles = (int)(n + 15) / 16;
    const struct quad q = {w->e, w->before.channel, whole || n == 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
    const int steps = (tiles * (tall ? 2 : 1)) * (int)j->chunks;
    struct between t = {.w = w, .sums = w->before.acc, .rows = rows};
    t.plain = plain_of(&q, w->e->outs, w->before.pixel, vectors, whole);
    t.slice = (rows / step + steps - 1) / steps * step;
    for (int i = 0; i < vectors; i += 2, o->b += 2 * o->beside, o->acc += 32) {
        if (vectors > 1 && (whole || i + 1 < tiles)) {
            tiles_run(&t, o, tall, true, vectors, whole);
        } else {
            tiles_run(&t, o, tall, false, vectors, whole);
        }
        o->start += o->start != NULL ? 32 : 0;
    }
    t.slice = ROWS;
    between_run(&t, vectors, whole);
    rows_done(w, rows);
}

#define PLAIN(vectors, whole)                                                                      \
    (tall ? products_plain(w, j, o, n, true, vectors, whole)                                       \
          : products_plain(w, j, o, n, false, vectors, whole))

/* The products of one block beside the epilogue of the one before. */
static void products(struct work *w, const struct job *j, struct operands *o, size_t n)
{
    const bool tall = j->r.n > 16;
    if (w->adds && w->left > 0 && tall && w->before.n == (int)n) {
        if (n == 64) {
            products_adds(w, j, o, 4);
        } else {
            products_adds(w, j, o, 2);
        }
    } else if (w->slices != NULL && w->left > 0) {
        products_sliced(w, j, o, (n + 15) / 16);
    } else if (!w->plain || w->left == 0 || w->before.n != (int)n) {
        products_slices(w, j, o, (n + 15) / 16);
    } else if (n == 64) {
        PLAIN(4, true);
    } else if (n > 32) {
        PLAIN(4, false);
    } else if (n == 32) {
        PLAIN(2, true);
    } else if (n > 16) {
        PLAIN(2, false);
    } else if (n == 16) {
        PLAIN(1, true);
    } else {
        PLAIN(1, false);
    }
}

static void block(struct work *w, const struct job *j)
{
    const struct plan *p = w->p;
    const size_t n = p->n - j->first < COLUMNS ? p->n - j->first : COLUMNS;
    const size_t all = p->k_all / 64;
    const bool last = j->from + j->chunks == all;
    struct operands o = {.a = j->r.a + 64 * j->from,
                         .lda = j->r.lda,
                         .b = j->weights + (j->first / 16 * all + j->from) * TILE,
                         .beside = all * TILE,
                         .chunks = j->chunks,
                         .far = p->far,
                         .start = j->from > 0 ? j->part : NULL,
                         .acc = last ? w->acc[0] : j->part};
    products(w, j, &o, n);
    next_block(w);
    if (last) {
        const bool lags = w->lags;
        int32_t *done = w->acc[0];
        *(lags ? &w->waiting : &w->before) = (struct pk_tile){.acc = done,
                                                              .ld = COLUMNS,
                                                              .pixel = w->pixel + j->row,
                                                              .rows = (int)j->r.n,
                                                              .channel = w->group * (int)p->n + (int)j->first,
                                                              .n = (int)n,
                                                              .sums = w->e->weight_zero != NULL ? w->sums + j->row : NULL};
        *(lags ? &w->waits : &w->left) = (int)j->r.n;
        w->acc[0] = w->acc[lags ? 2 : 1];
        w->acc[2] = w->acc[1];
        w->acc[1] = done;
    }
}

/*
 * All channels of a group over `rows` pixels whose codes begin at a, lda apart. Where 32 rows of K
 * would fill the L1 cache, K is cut, and the sums of all channels wait in scratch between its parts.
 */
static void panel(struct work *w, const uint8_t *a, size_t lda, size_t rows, const int8_t *weights)
{
    const size_t all = w->p->k_all / 64;
    for (size_t from = 0; from < all; from += w->p->part) {
        struct job j = {.weights = weights, .from = from};
        j.chunks = all - from < w->p->part ? all - from : w->p->part;
        for (j.first = 0; j.first < w->p->n; j.first += COLUMNS) {
            j.part = w->parts + j.first * ROWS;
            for (j.row = 0; j.row < rows; j.row += ROWS) {
                const size_t left = rows - j.row;
                j.r = (struct rows){a + j.row * lda, lda, left < ROWS ? left : ROWS};
                block(w, &j);
            }
        }
    }
}

/* A first layer: a row of output pixels after another, from the ring. */
static void run_rows(struct work *w, const struct pk_conv *c, const uint8_t *x, uint8_t pad, const int8_t *weights,
                     uint8_t *ring, int32_t *sums)
{
    const struct plan *p = w->p;
    int next = 0; /* first row, counted with padding, that the ring does not hold */
    for (int oy = 0; oy < c->out_h; oy++, w->pixel += (size_t)c->out_w) {
        const int top = oy * c->stride_h;
        for (next = next > top ? next : top; next < top + c->kernel_h; next++) {
            ring_put(c, x, next - c->pad_top, pad, ring + (size_t)(next % c->kernel_h) * p->slot, p->slot);
        }
        if (w->e->weight_zero != NULL) {
            flush(w); /* it reads the sums of its rows */
            for (int ox = 0; ox < c->out_w; ox++) {
                sums[ox] = ring_sum(c, ring, p->slot, ox);
            }
        }
        panel(w, ring, p->place, (size_t)c->out_w, weights + (size_t)(top % c->kernel_h) * group_bytes(p));
    }
}

/* One group of channels, in panels of copied windows or where the picture is. */
static void run_group(struct work *w, const struct pk_conv *c, const uint8_t *codes, uint8_t pad, const int8_t *weights,
                      uint8_t *copy, int32_t *sums)
{
    const struct plan *p = w->p;
    for (size_t rows; w->pixel < p->pixels; w->pixel += rows) {
        const size_t left = p->pixels - w->pixel;
        rows = left < p->block ? left : p->block;
        const uint8_t *a = copy;
        size_t lda = p->lda;
        if (p->direct && rows % 16 == 0 && rows * p->k + p->k_all - p->k <= left * p->k) {
            a = codes + w->pixel * p->k;
            lda = p->k;
        } else {
            panel_gather(c, codes, w->pixel, rows, pad, copy, p->lda);
        }
        if (w->e->weight_zero != NULL) {
            flush(w); /* it reads the sums of its rows */
            panel_sums(a, lda, p->k, rows, sums);
        }
        panel(w, a, lda, rows, weights);
    }
}

static void run_plan(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                     const struct pk_epilogue *e, void *scratch, bool rings)
{
    const struct plan p = plan_of(c, rings);
    uint8_t *copy = scratch;
    int32_t *acc = (int32_t *)(void *)(copy + copy_bytes(&p));
    struct slices *slices = (struct slices *)(void *)((uint8_t *)acc + acc_bytes(&p));
    int32_t *parts = (int32_t *)(void *)(slices + p.panels), *sums = parts + parts_bytes(&p) / sizeof(int32_t);
    struct work w = {.e = e,
                     .p = &p,
                     .acc = {acc, acc + ROWS * COLUMNS, p.lags ? acc + 2 * ROWS * COLUMNS : NULL},
                     .parts = parts,
                     .sums = sums,
                     .plain = e->n_steps == 0 && e->n_outs == 1 && e->outs->type == PK_U8 &&
                              e->weight_zero == NULL};
    if (p.panels > 0 && !w.plain && slices_do(e)) {
        for (size_t i = 0; i < p.panels; i++) {
            const size_t first = i * COLUMNS, left = p.n - first;
            slices_panel(&slices[i], e, (int)first, (int)(left < COLUMNS ? left : COLUMNS));
        }
        w.slices = slices;
        w.lags = p.lags;
        w.adds = p.n % COLUMNS == 0 || p.n == 32;
        for (size_t i = 0; i < p.panels; i++) {
            w.adds = w.adds && slices_add(&slices[i]);
        }
    }
    tiles_begin();
    for (w.group = 0; w.group < c->groups; w.group++, w.pixel = 0) {
        const uint8_t *codes = (const uint8_t *)x + (size_t)w.group * p.depth;
        const int8_t *weights = (const int8_t *)packed + (size_t)w.group * group_bytes(&p);
        if (p.slot > 0) {
            memset(copy, 0, p.ring); /* weights of 0 meet what is never written */
            run_rows(&w, c, codes, (uint8_t)pad_code, weights, copy, sums);
        } else {
            run_group(&w, c, codes, (uint8_t)pad_code, weights, copy, sums);
        }
    }
    flush(&w);
    tiles_end();
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    run_plan(c, x, pad_code, packed, e, scratch, true);
}

const struct pk_layer_kernel pk_conv_u8s8_amx = {"conv_u8s8_amx", packed_size, pack, scratch_size,
                                                 run};

static size_t panels_packed_size(const struct pk_conv *c)
{
    return packed_of(c, false);
}

static size_t panels_scratch_size(const struct pk_conv *c)
{
    return scratch_of(c, false);
}

static void panels_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                       const struct pk_epilogue *e, void *scratch)
{
    run_plan(c, x, pad_code, packed, e, scratch, false);
}

const struct pk_layer_kernel pk_conv_u8s8_amx_panels = {"conv_u8s8_amx", panels_packed_size, NULL, panels_scratch_size,
                                                        panels_run};
