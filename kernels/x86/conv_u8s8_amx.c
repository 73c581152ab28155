/*
 * conv_u8s8_amx.c: dense convolution on byte codes with AMX tiles: 32 output pixels times 32
 * channels in four tiles of sums, two tiles of 16 pixels times 64 codes, two of 64 weights times 16
 * channels.
 *
 * The tile unit works beside the vector units, so the epilogue of one block of sums runs in slices
 * between the tile products of the next one: two blocks of sums alternate in scratch.
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
#include "epilogue_quads.h"
#include "panel_u8_avx512.h"

#include "../pk_tables.h"

#include <string.h>

enum {
    ROWS = 32,             /* pixels of a block of sums */
    COLUMNS = 64,          /* channels of a block of sums */
    TILE = 1024,           /* bytes of a full tile */
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
};

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p;
    p.depth = (size_t)(c->in_c / c->groups);
    p.k = (size_t)c->kernel_h * (size_t)c->kernel_w * p.depth;
    p.k_all = pk_round_up(p.k, 64);
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
    return p;
}

static size_t group_bytes(const struct plan *p)
{
    return p->tiles * (p->k_all / 64) * TILE;
}

static size_t packed_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return (size_t)c->groups * group_bytes(&p);
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    int8_t *to = packed;
    for (size_t g = 0; g < (size_t)c->groups; g++) {
        const int8_t *w = (const int8_t *)weights + g * p.n * p.k; /* [n][k] */
        for (size_t tile = 0; tile < p.tiles; tile++) {
            for (size_t k = 0; k < p.k_all; k += 4) {
                for (size_t i = 0; i < 64; i++) {
                    const size_t n = tile * 16 + i / 4, at = k + i % 4;
                    *to++ = n < p.n && at < p.k ? w[n * p.k + at] : 0;
                }
            }
        }
    }
}

static size_t parts_bytes(const struct plan *p)
{
    return p->part * 64 < p->k_all ? pk_round_up(p->n, COLUMNS) * ROWS * sizeof(int32_t) : 0;
}

static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return pk_round_up(p.block * p.lda, 64) + 2 * ROWS * COLUMNS * sizeof(int32_t) +
           parts_bytes(&p) + p.block * sizeof(int32_t);
}

struct work {
    const struct pk_epilogue *e;
    const struct plan *p;
    int32_t *acc[2]; /* [ROWS][COLUMNS]: the block at work, the block before it */
    int32_t *parts;  /* [blocks of channels][ROWS][COLUMNS]: sums of the first parts of K */
    bool plain;      /* one output of codes without steps */
    struct pk_tile before;
    int left; /* rows of the block before that still wait for their epilogue */
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

/* Rows of activations that a block of sums reads. */
struct rows {
    const uint8_t *a;
    size_t lda, n;
};

/*
 * What runs between two products of tiles: rows of the epilogue of the block before. `vectors`, a
 * constant: of each row of a plain epilogue (4, 2, 1), which then is inline; 0: any epilogue.
 */
struct between {
    struct work *w;
    struct plain plain;  /* when vectors > 0 */
    const int32_t *sums; /* next row */
    int row, rows, slice;
};

PK_INLINE void between_run(struct between *t, const int vectors, const bool whole)
{
    if (vectors == 0) {
        if (t->w->left > 0) {
            drain(t->w, t->slice);
        }
        return;
    }
    const int step = vectors > 0 ? 4 / vectors : 1;
    for (int i = 0; i < t->slice && t->row < t->rows; i += step, t->row += step) {
        plain_put(&t->plain, t->sums, COLUMNS, t->row, vectors, whole);
        t->sums += step * COLUMNS;
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
    if (wide) {
        TILE_STORE(1, o->acc + 16, ld);
    }
    if (tall) {
        TILE_STORE(2, o->acc + 16 * COLUMNS, ld);
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
            tiles_run(&t, o, true, true, 0, false);
        } else if (tall) {
            tiles_run(&t, o, true, false, 0, false);
        } else if (wide) {
            tiles_run(&t, o, false, true, 0, false);
        } else {
            tiles_run(&t, o, false, false, 0, false);
        }
        o->start += o->start != NULL ? 32 : 0;
    }
    drain(w, ROWS);
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
    w->before.acc = (int32_t *)w->before.acc + rows * COLUMNS;
    w->before.pixel += (size_t)rows;
    w->left -= rows;
    drain(w, ROWS);
}

#define PLAIN(vectors, whole)                                                                      \
    (tall ? products_plain(w, j, o, n, true, vectors, whole)                                       \
          : products_plain(w, j, o, n, false, vectors, whole))

/* The products of one block beside the epilogue of the one before. */
static void products(struct work *w, const struct job *j, struct operands *o, size_t n)
{
    const bool tall = j->r.n > 16;
    if (!w->plain || w->left == 0 || w->before.n != (int)n) {
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
    if (last) {
        w->before = (struct pk_tile){.acc = w->acc[0],
                                     .ld = COLUMNS,
                                     .pixel = w->pixel + j->row,
                                     .rows = (int)j->r.n,
                                     .channel = w->group * (int)p->n + (int)j->first,
                                     .n = (int)n,
                                     .sums = w->e->weight_zero != NULL ? w->sums + j->row : NULL};
        w->left = (int)j->r.n;
        int32_t *other = w->acc[1];
        w->acc[1] = w->acc[0];
        w->acc[0] = other;
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

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    uint8_t *copy = scratch;
    int32_t *acc = (int32_t *)(void *)(copy + pk_round_up(p.block * p.lda, 64));
    int32_t *parts = acc + 2 * ROWS * COLUMNS;
    int32_t *sums = parts + parts_bytes(&p) / sizeof(int32_t);
    struct work w = {.e = e,
                     .p = &p,
                     .acc = {acc, acc + ROWS * COLUMNS},
                     .parts = parts,
                     .sums = sums,
                     .plain = e->n_steps == 0 && e->n_outs == 1 && e->outs->type == PK_U8 &&
                              e->weight_zero == NULL};
    tiles_begin();
    for (w.group = 0; w.group < c->groups; w.group++) {
        const uint8_t *codes = (const uint8_t *)x + (size_t)w.group * p.depth;
        const int8_t *weights = (const int8_t *)packed + (size_t)w.group * group_bytes(&p);
        for (size_t rows; w.pixel < p.pixels; w.pixel += rows) {
            const size_t left = p.pixels - w.pixel;
            rows = left < p.block ? left : p.block;
            const uint8_t *a = copy;
            size_t lda = p.lda;
            if (p.direct && rows % 16 == 0 && rows * p.k + p.k_all - p.k <= left * p.k) {
                a = codes + w.pixel * p.k;
                lda = p.k;
            } else {
                panel_gather(c, codes, w.pixel, rows, (uint8_t)pad_code, copy, p.lda);
            }
            if (e->weight_zero != NULL) {
                drain(&w, ROWS); /* it reads the sums of its rows */
                panel_sums(a, lda, p.k, rows, sums);
            }
            panel(&w, a, lda, rows, weights);
        }
        w.pixel = 0;
    }
    drain(&w, ROWS);
    tiles_end();
}

const struct pk_layer_kernel pk_conv_u8s8_amx = {"conv_u8s8_amx", packed_size, pack, scratch_size,
                                                 run};
