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
 * to a panel of rows of K rounded up to 64 (what rounds up meets weights of zero).
 *
 * A full tile takes 16 pixels: shapes of fewer (and a handful more) are left to other kernels by
 * measurement, see pk_kernel_for.
 */
#include "panel_u8_avx512.h"

#include "../pk_tables.h"

#include <string.h>

enum {
    ROWS = 32,             /* pixels of a block of sums */
    COLUMNS = 64,          /* channels of a block of sums */
    TILE = 1024,           /* bytes of a full tile */
    PANEL_BYTES = 24 << 10 /* of activations over which all weights run: half of an L1 cache */
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
#define TILE_STORE(t, p, step)                                                                     \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(p), "r"(step) : "memory")
#define TILE_MADD(sum, a, w) __asm__ volatile("tdpbusd %%tmm" #w ", %%tmm" #a ", %%tmm" #sum ::)

struct plan {
    size_t depth, k, k_all, lda; /* channels of a tap; products per sum; rounded to tiles; panel */
    size_t n, tiles;             /* channels of a group; tiles of 16 of them */
    size_t pixels, block;        /* output pixels; rows of the panel at a time */
    bool direct;
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

static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return pk_round_up(p.block * p.lda, 64) + 2 * ROWS * COLUMNS * sizeof(int32_t) +
           p.block * sizeof(int32_t);
}

struct work {
    const struct pk_epilogue *e;
    const struct plan *p;
    int32_t *acc[2]; /* [ROWS][COLUMNS]: the block at work, the block before it */
    struct pk_tile before;
    int left; /* rows of the block before that still wait for their epilogue */
    const int32_t *sums;
    size_t pixel; /* first of the panel */
    int group;
};

/* The epilogue of up to `rows` rows of the block before. */
static void drain(struct work *w, int rows)
{
    struct pk_tile t = w->before;
    t.rows = w->left < rows ? w->left : rows;
    if (t.rows == 0) {
        return;
    }
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

/* `tall`: 32 rows, else 16. `wide`: two tiles of channels, else one. Both constants. */
PK_INLINE void tiles_run(struct work *w, const struct rows *r, const int8_t *weights, int32_t *acc,
                         int slice, const bool tall, const bool wide)
{
    const size_t chunks = w->p->k_all / 64, ld = COLUMNS * sizeof(int32_t), line = 64;
    const uint8_t *a = r->a, *below = r->a + 16 * r->lda;
    const int8_t *b = weights, *beside = weights + chunks * TILE;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t i = 0; i < chunks; i++, a += 64, below += 64, b += TILE, beside += TILE) {
        TILE_LOAD(6, b, line);
        TILE_LOAD(4, a, r->lda);
        TILE_MADD(0, 4, 6);
        if (wide) {
            TILE_LOAD(7, beside, line);
            TILE_MADD(1, 4, 7);
        }
        if (tall) {
            TILE_LOAD(5, below, r->lda);
            TILE_MADD(2, 5, 6);
        }
        if (tall && wide) {
            TILE_MADD(3, 5, 7);
        }
        if (w->left > 0) {
            drain(w, slice);
        }
    }
    TILE_STORE(0, acc, ld);
    if (wide) {
        TILE_STORE(1, acc + 16, ld);
    }
    if (tall) {
        TILE_STORE(2, acc + 16 * COLUMNS, ld);
    }
    if (tall && wide) {
        TILE_STORE(3, acc + 16 * COLUMNS + 16, ld);
    }
}

/* Sums of one block: up to 32 rows times the channels from `first` on. */
static void block(struct work *w, const struct rows *r, const int8_t *weights, size_t first,
                  size_t row)
{
    const struct plan *p = w->p;
    const size_t n = p->n - first < COLUMNS ? p->n - first : COLUMNS;
    const size_t tiles = (n + 15) / 16, chunks = p->k_all / 64;
    const int steps = (int)((tiles + 1) / 2 * chunks);
    const int slice = (w->left / 4 + steps - 1) / steps * 4 + 4;
    const bool tall = r->n > 16;
    for (size_t t = 0; t < tiles; t += 2) {
        int32_t *acc = w->acc[0] + 16 * t;
        const int8_t *b = weights + (first / 16 + t) * chunks * TILE;
        const bool wide = t + 1 < tiles;
        if (tall && wide) {
            tiles_run(w, r, b, acc, slice, true, true);
        } else if (tall) {
            tiles_run(w, r, b, acc, slice, true, false);
        } else if (wide) {
            tiles_run(w, r, b, acc, slice, false, true);
        } else {
            tiles_run(w, r, b, acc, slice, false, false);
        }
    }
    drain(w, ROWS);
    w->before = (struct pk_tile){.acc = w->acc[0],
                                 .ld = COLUMNS,
                                 .pixel = w->pixel + row,
                                 .rows = (int)r->n,
                                 .channel = w->group * (int)p->n + (int)first,
                                 .n = (int)n,
                                 .sums = w->e->weight_zero != NULL ? w->sums + row : NULL};
    w->left = (int)r->n;
    int32_t *other = w->acc[1];
    w->acc[1] = w->acc[0];
    w->acc[0] = other;
}

/* All channels of a group over `rows` pixels whose codes begin at a, lda apart. */
static void panel(struct work *w, const uint8_t *a, size_t lda, size_t rows, const int8_t *weights)
{
    for (size_t first = 0; first < w->p->n; first += COLUMNS) {
        for (size_t row = 0; row < rows; row += ROWS) {
            const struct rows r = {a + row * lda, lda, rows - row < ROWS ? rows - row : ROWS};
            block(w, &r, weights, first, row);
        }
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    uint8_t *copy = scratch;
    int32_t *acc = (int32_t *)(void *)(copy + pk_round_up(p.block * p.lda, 64));
    int32_t *sums = acc + 2 * ROWS * COLUMNS;
    struct work w = {.e = e, .p = &p, .acc = {acc, acc + ROWS * COLUMNS}, .sums = sums};
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
