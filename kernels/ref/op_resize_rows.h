/* op_resize_rows.h: one output position of a resize, a row of elements side by side; included by op_resize.c alone. */
#ifndef PARE_PK_OP_RESIZE_ROWS_H
#define PARE_PK_OP_RESIZE_ROWS_H

#include "op_math.h"
#include "op_types.h"
#include "op_wide.h"

#include <string.h>

/* One resized axis. */
struct axis_table {
    int axis, n_taps;
    int32_t *place;  /* [out][n_taps]; place[0] = -1: outside (extrapolated) */
    float *weight;   /* [out][n_taps] */
    int64_t in_step; /* elements */
};

/* One output position: where its row of `inner` elements goes and what it reads. */
struct position {
    const struct axis_table *tables;
    int n_tables;
    const int32_t *place[PK_OPS_MAX_RANK];
    const float *weight[PK_OPS_MAX_RANK];
    int64_t base; /* input offset of the axes that are not resized */
    int64_t inner;
};

/* Next combination of taps: false at the end. *weight and *at are those of the combination. */
static bool next_taps(const struct position *p, int *tap, float *weight, int64_t *at, bool begin)
{
    if (!begin) {
        int i = p->n_tables - 1;
        for (; i >= 0 && ++tap[i] == p->tables[i].n_taps; i--) {
            tap[i] = 0;
        }
        if (i < 0) {
            return false;
        }
    }
    *weight = 1.0f;
    *at = p->base;
    for (int i = 0; i < p->n_tables; i++) {
        *weight *= p->weight[i][tap[i]];
        *at += p->place[i][tap[i]] * p->tables[i].in_step;
    }
    return true;
}

/* Four rows in one pass. */
OP_INLINE void blend_f32_body(const float *const *row, const float *w, float *restrict y, int64_t n)
{
    const float *r0 = row[0], *r1 = row[1], *r2 = row[2], *r3 = row[3];
    const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    for (int64_t c = 0; c < n; c++) {
        y[c] = w0 * r0[c] + w1 * r1[c] + (w2 * r2[c] + w3 * r3[c]);
    }
}
OP_WIDE_LOOP(blend_f32, (const float *const *row, const float *w, float *restrict y, int64_t n), (row, w, y, n))

static bool is_bilinear(const struct position *p)
{
    return p->n_tables == 2 && p->tables[0].n_taps == 2 && p->tables[1].n_taps == 2;
}

/* The weight of tap k of 4 and where it reads. */
static float bilinear_tap(const struct position *p, int k, int64_t *at)
{
    *at = p->base + p->place[0][k >> 1] * p->tables[0].in_step + p->place[1][k & 1] * p->tables[1].in_step;
    return p->weight[0][k >> 1] * p->weight[1][k & 1];
}

static void row_f32(const struct position *p, const float *x, float *restrict y)
{
    int tap[PK_OPS_MAX_RANK] = {0}, total = 1;
    float weight = 0.0f, w[4];
    const float *four[4];
    int64_t at = 0;
    for (int i = 0; i < p->n_tables; i++) {
        total = total <= 4 ? total * p->tables[i].n_taps : total;
    }
    if (total == 4) {
        for (int k = 0; k < 4; k++) {
            if (is_bilinear(p)) {
                w[k] = bilinear_tap(p, k, &at);
            } else {
                (void)next_taps(p, tap, &w[k], &at, k == 0);
            }
            four[k] = x + at;
        }
        blend_f32(four, w, y, p->inner);
        return;
    }
    for (bool begin = true; next_taps(p, tap, &weight, &at, begin); begin = false) {
        const float *row = x + at;
        for (int64_t c = 0; c < p->inner; c++) {
            y[c] = begin ? weight * row[c] : y[c] + weight * row[c];
        }
    }
}

static void row_any(const struct position *p, enum pk_dtype t, const void *x, void *y, int64_t to)
{
    double sum[OP_CHUNK];
    for (int64_t first = 0; first < p->inner; first += OP_CHUNK) {
        int64_t n = p->inner - first < OP_CHUNK ? p->inner - first : OP_CHUNK, at = 0;
        int tap[PK_OPS_MAX_RANK] = {0};
        float weight = 0.0f;
        memset(sum, 0, sizeof sum);
        for (bool begin = true; next_taps(p, tap, &weight, &at, begin); begin = false) {
            for (int64_t c = 0; c < n; c++) {
                sum[c] += (double)weight * pk_load(t, x, (size_t)(at + first + c));
            }
        }
        for (int64_t c = 0; c < n; c++) {
            pk_store(t, y, (size_t)(to + first + c), sum[c]);
        }
    }
}

/* Four weights that are sixteenths and make 1 (twice the size): the sums in float32 then are exact, so are integers. */
struct sixteenths {
    int64_t at[4];
    uint16_t part[4];
};

static bool sixteenths_of(const struct position *p, struct sixteenths *s)
{
    int sum = 0;
    if (!is_bilinear(p)) {
        return false;
    }
    for (int k = 0; k < 4; k++) {
        const float part = bilinear_tap(p, k, &s->at[k]) * 16.0f;
        if (!(part >= 0.0f && part <= 16.0f) || (float)(int)part != part) {
            return false;
        }
        s->part[k] = (uint16_t)part;
        sum += s->part[k];
    }
    return sum == 16;
}

OP_INLINE void row_sixteenths_body(const struct sixteenths *s, const uint8_t *x, uint8_t *restrict y, int64_t n)
{
    const uint8_t *a = x + s->at[0], *b = x + s->at[1], *c = x + s->at[2], *d = x + s->at[3];
    const uint16_t ka = s->part[0], kb = s->part[1], kc = s->part[2], kd = s->part[3];
    for (int64_t i = 0; i < n; i++) {
        const uint16_t left = (uint16_t)((uint16_t)(ka * a[i]) + (uint16_t)(kb * b[i]));
        const uint16_t right = (uint16_t)((uint16_t)(kc * c[i]) + (uint16_t)(kd * d[i]));
        const uint16_t sum = (uint16_t)(left + right), odd = (sum >> 4) & 1;
        y[i] = (uint8_t)((uint16_t)(sum + 7 + odd) >> 4); /* half to even */
    }
}
OP_WIDE_LOOP(row_sixteenths, (const struct sixteenths *s, const uint8_t *x, uint8_t *restrict y, int64_t n), (s, x, y, n))

/* ---- twice the size ---- */

enum { DOUBLE_RUN = 64 };

/* The four outputs between inputs a b above c d: 9, 3, 3 and 1 sixteenths of them, rounded half to even. */
OP_INLINE void double_run_body(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, int n,
                               uint8_t (*restrict y)[DOUBLE_RUN])
{
    for (int i = 0; i < n; i++) {
        const uint16_t above0 = (uint16_t)(3 * a[i] + b[i]), above1 = (uint16_t)(a[i] + 3 * b[i]);
        const uint16_t below0 = (uint16_t)(3 * c[i] + d[i]), below1 = (uint16_t)(c[i] + 3 * d[i]);
        const uint16_t sum0 = (uint16_t)(3 * above0 + below0), sum1 = (uint16_t)(3 * above1 + below1);
        const uint16_t sum2 = (uint16_t)(above0 + 3 * below0), sum3 = (uint16_t)(above1 + 3 * below1);
        y[0][i] = (uint8_t)((uint16_t)(sum0 + 7 + ((sum0 >> 4) & 1)) >> 4);
        y[1][i] = (uint8_t)((uint16_t)(sum1 + 7 + ((sum1 >> 4) & 1)) >> 4);
        y[2][i] = (uint8_t)((uint16_t)(sum2 + 7 + ((sum2 >> 4) & 1)) >> 4);
        y[3][i] = (uint8_t)((uint16_t)(sum3 + 7 + ((sum3 >> 4) & 1)) >> 4);
    }
}
OP_WIDE_LOOP(double_run,
             (const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, int n, uint8_t (*restrict y)[DOUBLE_RUN]),
             (a, b, c, d, n, y))

/* A code as pk_quantize_u8 gives it. lo and hi are at most 255 from 0: adding 1.5 * 2^23 rounds half to even, and the sum's
 * low bits are the integer. */
OP_INLINE uint8_t double_code(const struct pk_resize_grids *g, float t)
{
    const float u = t * g->inv_scale, v = u > g->lo ? u : g->lo, w = v < g->hi ? v : g->hi;
    return (uint8_t)(op_bits(w + 12582912.0f) - op_bits(12582912.0f) + (uint32_t)g->zero);
}

/* 9, 3 and 1 sixteenths of the real values of codes above and below: of a column of the picture. */
struct double_column {
    float above[3][DOUBLE_RUN], below[3][DOUBLE_RUN];
};

OP_INLINE void double_sixteenths_body(const struct pk_resize_grids *grids, const uint8_t *restrict above,
                                      const uint8_t *restrict below, int n, struct double_column *restrict to)
{
    const struct pk_resize_grids g = *grids;
    for (int i = 0; i < n; i++) {
        const float a = (float)(above[i] - g.from_zero) * g.from_scale, b = (float)(below[i] - g.from_zero) * g.from_scale;
        to->above[0][i] = 0.5625f * a;
        to->above[1][i] = 0.1875f * a;
        to->above[2][i] = 0.0625f * a;
        to->below[0][i] = 0.5625f * b;
        to->below[1][i] = 0.1875f * b;
        to->below[2][i] = 0.0625f * b;
    }
}
OP_WIDEST_LOOP(double_sixteenths,
               (const struct pk_resize_grids *grids, const uint8_t *above, const uint8_t *below, int n, struct double_column *to),
               (grids, above, below, n, to))

/* The same from codes to codes of another grid, with the operations of row_f32 (blend_f32). */
OP_INLINE void double_codes_body(const struct pk_resize_grids *grids, const struct double_column *restrict left,
                                 const struct double_column *restrict right, int n, uint8_t (*restrict y)[DOUBLE_RUN])
{
    const struct pk_resize_grids g = *grids;
    for (int i = 0; i < n; i++) {
        const float a9 = left->above[0][i], a3 = left->above[1][i], a1 = left->above[2][i];
        const float b9 = right->above[0][i], b3 = right->above[1][i], b1 = right->above[2][i];
        const float c9 = left->below[0][i], c3 = left->below[1][i], c1 = left->below[2][i];
        const float d9 = right->below[0][i], d3 = right->below[1][i], d1 = right->below[2][i];
        y[0][i] = double_code(&g, a9 + b3 + (c3 + d1));
        y[1][i] = double_code(&g, a3 + b9 + (c1 + d3));
        y[2][i] = double_code(&g, a3 + b1 + (c9 + d3));
        y[3][i] = double_code(&g, a1 + b3 + (c3 + d9));
    }
}
OP_WIDEST_LOOP(double_codes,
               (const struct pk_resize_grids *grids, const struct double_column *left, const struct double_column *right, int n,
                uint8_t (*restrict y)[DOUBLE_RUN]),
               (grids, left, right, n, y))

/* Does every output of this axis lie a quarter beside an input? */
static bool axis_doubles(const struct axis_table *t, int64_t in, int64_t out)
{
    bool doubles = t->n_taps == 2 && out == 2 * in;
    for (int64_t i = 0; doubles && i < out; i++) {
        const int64_t low = (i + 1) / 2 - 1, high = low + 1;
        doubles = t->place[2 * i] == (low < 0 ? 0 : low) && t->place[2 * i + 1] == (high < in ? high : in - 1) &&
                  t->weight[2 * i] == (i % 2 == 0 ? 0.25f : 0.75f) && t->weight[2 * i + 1] == (i % 2 == 0 ? 0.75f : 0.25f);
    }
    return doubles;
}

/* A picture [h][w][inner] that becomes [2 h][2 w][inner]. */
struct double_picture {
    const struct pk_resize_grids *grids; /* NULL: the same grid */
    int64_t h, w, inner;
    const uint8_t *x;
    uint8_t *y;
};

/* The outputs between input rows `row` and the next, columns `column` and the next, from element `at` on: at the edges, where
 * two inputs are one, outputs beyond are left out. */
static void double_put(const struct double_picture *p, int64_t row, int64_t column, int64_t at, int n, uint8_t (*four)[DOUBLE_RUN])
{
    for (int k = 0; k < 4; k++) {
        const int64_t oy = 2 * row + 1 + k / 2, ox = 2 * column + 1 + k % 2;
        if (oy < 0 || oy >= 2 * p->h || ox < 0 || ox >= 2 * p->w) {
            continue;
        }
        uint8_t *const to = p->y + (oy * 2 * p->w + ox) * p->inner + at;
        if (n == DOUBLE_RUN) { /* no call for so few bytes */
            memcpy(to, four[k], DOUBLE_RUN);
        } else {
            memcpy(to, four[k], (size_t)n);
        }
    }
}

/* All columns of n elements from two rows of the picture, which begin at above and below. */
static void double_row(const struct double_picture *p, int64_t row, int64_t at, int n, const uint8_t *above, const uint8_t *below)
{
    uint8_t four[4][DOUBLE_RUN];
    struct double_column columns[2];
    if (p->grids != NULL) {
        double_sixteenths(p->grids, above, below, n, &columns[1]);
    }
    for (int64_t column = -1; column < p->w; column++) {
        const int64_t left = (column < 0 ? 0 : column) * p->inner, right = (column + 1 < p->w ? column + 1 : column) * p->inner;
        if (p->grids != NULL) {
            double_sixteenths(p->grids, above + right, below + right, n, &columns[(column + 1) % 2]);
            double_codes(p->grids, &columns[column & 1], &columns[(column + 1) % 2], n, four);
        } else {
            double_run(above + left, above + right, below + left, below + right, n, four);
        }
        double_put(p, row, column, at, n, four);
    }
}

static void double_picture(const struct double_picture *p)
{
    const int64_t pitch = p->w * p->inner;
    for (int64_t row = -1; row < p->h; row++) {
        const uint8_t *above = p->x + (row < 0 ? 0 : row) * pitch, *below = p->x + (row + 1 < p->h ? row + 1 : row) * pitch;
        for (int64_t at = 0; at < p->inner; at += DOUBLE_RUN) {
            double_row(p, row, at, (int)(p->inner - at < DOUBLE_RUN ? p->inner - at : DOUBLE_RUN), above + at, below + at);
        }
    }
}

/* Bytes: sums in float32, rounded half to even. */
#define ROW_BYTES(name, type, lo, hi)                                                              \
    static void name(const struct position *p, const type *x, type *y)                             \
    {                                                                                              \
        float sum[OP_CHUNK];                                                                       \
        for (int64_t first = 0; first < p->inner; first += OP_CHUNK) {                             \
            int64_t n = p->inner - first < OP_CHUNK ? p->inner - first : OP_CHUNK, at = 0;         \
            int tap[PK_OPS_MAX_RANK] = {0};                                                        \
            float weight = 0.0f;                                                                   \
            memset(sum, 0, sizeof sum);                                                            \
            for (bool begin = true; next_taps(p, tap, &weight, &at, begin); begin = false) {       \
                const type *row = x + at + first;                                                  \
                for (int64_t c = 0; c < n; c++) {                                                  \
                    sum[c] += weight * (float)row[c];                                              \
                }                                                                                  \
            }                                                                                      \
            for (int64_t c = 0; c < n; c++) {                                                      \
                float v = sum[c] > (lo) ? sum[c] : (lo);                                           \
                y[first + c] = (type)(int)op_rint(v < (hi) ? v : (hi));                            \
            }                                                                                      \
        }                                                                                          \
    }

ROW_BYTES(row_u8, uint8_t, 0.0f, 255.0f)
ROW_BYTES(row_i8, int8_t, -128.0f, 127.0f)

#endif
