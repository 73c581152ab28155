/*
 * depthwise_body.h: depthwise convolution, any window. The including file defines first:
 *   VL, GROUP            lanes of a vector of sums; pixels that one multiply-add joins (1, 2, 4)
 *   T_X, T_W, T_ACC      element types of x, of weights as given, of sums
 *   T_C, T_P             element of the copied picture, of packed weights
 *   INTEGER              0 or 1
 *   vin (vacc if not defined): what V_LOAD gives
 *   vacc, V_ZERO(), V_LOAD(p), V_MADD(acc, a, w), V_PUT(p, acc), weight_of(T_W)
 *   interleave(to, pixels, n, stride)
 *       n channels of GROUP pixels: to[c / VL * stride + c % VL * GROUP + i] = pixels[i][c];
 *       whole vectors are written, x is not read beyond n
 *   interleave_run(to, from, pitch, groups, n, stride)
 *       the same for groups of neighbouring pixels, pitch elements apart
 *   PK_EPILOGUE, PK_PAD(code)
 *   DEPTHWISE_NAME  of the table; without it the including file makes one of packed_size, pack, scratch_size and run
 * Floats may bring DIRECT_LANES (= VL) and the rest of depthwise_direct.h, which then serves the
 * windows that it can.
 *
 * At most 64 channels pass over the whole picture before the next ones do. The rows that the
 * window covers are copied, with their padding, to a ring: [row][vector of
 * channels][group][VL][GROUP], GROUP neighbouring pixels side by side in each lane. The taps of an
 * output pixel then are whole groups; where its first tap lies within a group (its phase) selects
 * one of GROUP / gcd(GROUP, stride) versions of the weights, zero outside the window. So the inner
 * loop has no border, no shuffle and no mask, and its data stay in the L1 cache.
 *
 * Packed weights: [vector of channels][kernel row][phase][group of taps][VL][GROUP]; integers:
 * then the same with ones, for weight zero points.
 */
#include <string.h>

#ifndef vin
#define vin vacc
#endif

enum {
    CHANNELS = 64,
    RUN = 64, /* pixels that go to the epilogue at once; a multiple of every number of phases */
    SUMS = (RUN + 8) * CHANNELS, /* blocks compute up to 3 pixels too many */
    VECTOR = VL * GROUP, /* elements */
    MAX_ROWS = 32        /* higher windows are left to the reference */
};

struct plan {
    int width, spread;      /* taps of a row (groups: zeros between dilated taps); pixels apart */
    int phases, ring;       /* ring: rows that are kept */
    int taps[GROUP];        /* groups of taps of each phase */
    size_t row_vectors;     /* vectors of weights of one kernel row */
    size_t vectors, groups; /* vectors of channels; groups of pixels in a copied row */
};

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p = {0};
    const size_t columns =
        pk_round_up((size_t)c->out_w, 4); /* blocks compute four columns at once */
    p.width = GROUP == 1 ? c->kernel_w : (c->kernel_w - 1) * c->dilation_w + 1;
    p.spread = GROUP == 1 ? c->dilation_w : 1;
    p.phases = c->stride_w % GROUP == 0 ? 1 : c->stride_w % 2 == 0 ? GROUP / 2 : GROUP;
    p.ring = (c->kernel_h - 1) * c->dilation_h + 1;
    p.vectors = ((size_t)c->out_c + VL - 1) / VL;
    p.groups =
        ((size_t)c->stride_w * (columns - 1) + (size_t)((p.width - 1) * p.spread) + GROUP) / GROUP;
    for (int phase = 0; phase < p.phases; phase++) {
        p.taps[phase] = (c->stride_w * phase % GROUP + p.width + GROUP - 1) / GROUP;
        p.row_vectors += (size_t)p.taps[phase];
    }
    return p;
}

static size_t weights_vectors(const struct pk_conv *c, const struct plan *p)
{
    return p->vectors * (size_t)c->kernel_h * p->row_vectors;
}

static size_t packed_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    return c->kernel_h > MAX_ROWS ? 0
                                  : (1 + INTEGER) * weights_vectors(c, &p) * VECTOR * sizeof(T_P);
}

/* One vector of weights: channels from `first` on, columns from kx on. row NULL: ones. */
static void pack_vector(const struct pk_conv *c, const struct plan *p, const T_W *row, size_t first,
                        int kx, T_P *to)
{
    const int dilation = GROUP == 1 ? 1 : c->dilation_w;
    for (size_t i = 0; i < VECTOR; i++) {
        const size_t channel = first + i / GROUP;
        const int at = kx + (int)(i % GROUP);
        const bool inside =
            at >= 0 && at < p->width && at % dilation == 0 && channel < (size_t)c->out_c;
        to[i] = !inside       ? (T_P)0
                : row == NULL ? (T_P)1
                              : weight_of(row[(size_t)(at / dilation * c->out_c) + channel]);
    }
}

static void pack_all(const struct pk_conv *c, const struct plan *p, const T_W *weights, T_P *to)
{
    for (size_t v = 0; v < p->vectors; v++) {
        for (int ky = 0; ky < c->kernel_h; ky++) {
            const T_W *row =
                weights == NULL ? NULL : weights + (ptrdiff_t)ky * c->kernel_w * c->out_c;
            for (int phase = 0; phase < p->phases; phase++) {
                for (int t = 0; t < p->taps[phase]; t++, to += VECTOR) {
                    pack_vector(c, p, row, v * VL, t * GROUP - c->stride_w * phase % GROUP, to);
                }
            }
        }
    }
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    pack_all(c, &p, weights, packed);
    if (INTEGER) {
        pack_all(c, &p, NULL, (T_P *)packed + weights_vectors(c, &p) * VECTOR);
    }
}

/* Elements of a copied row of 64 channels. */
static size_t row_elements(const struct plan *p)
{
    return (p->vectors < CHANNELS / VL ? p->vectors : CHANNELS / VL) * p->groups * VECTOR;
}

/* Scratch: sums, (integers) sums with weights of one, a bias, a pixel of padding, the ring, a row with
 * repeated channels. */
static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    const size_t wide = c->out_c == c->in_c ? 0 : (size_t)c->in_w * CHANNELS * sizeof(T_X);
    return ((1 + INTEGER) * SUMS + 2 * CHANNELS) * sizeof(T_ACC) + CHANNELS * sizeof(T_X) +
           (size_t)p.ring * row_elements(&p) * sizeof(T_C) + wide;
}

struct work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct plan p;
    const T_X *x;
    const T_P *packed, *packed_ones; /* of the channels below */
    int first, n;                    /* channels now at work */
    T_ACC *acc, *ones;               /* [RUN][CHANNELS], and room */
    T_ACC *bias;                     /* [CHANNELS] with which sums begin */
    size_t pixel;                    /* the first whose sums acc holds */
    int held;                        /* pixels there */
    T_X *pad, *wide;                 /* [CHANNELS]; [in_w][n] */
    T_C *ring;
};

/* Repeats channels: channel i of the copy is what output channel first + i reads. */
static const T_X *widen_row(const struct work *w, const T_X *row)
{
    const int multiplier = w->c->out_c / w->c->in_c;
    T_X *to = w->wide;
    for (int x = 0; x < w->c->in_w; x++, row += w->c->in_c) {
        for (int i = 0; i < w->n; i++) {
            *to++ = row[(w->first + i) / multiplier];
        }
    }
    return w->wide;
}

/* Copies row `y` of the padded picture to its place in the ring. */
static void copy_row(const struct work *w, int y)
{
    const struct pk_conv *c = w->c;
    const int iy = y - c->pad_top;
    const bool inside = iy >= 0 && iy < c->in_h, repeat = c->out_c != c->in_c;
    const T_X *row = inside ? w->x + (ptrdiff_t)iy * c->in_w * c->in_c : w->pad;
    row = !inside ? row : repeat ? widen_row(w, row) : row + w->first;
    const ptrdiff_t pixel = repeat ? w->n : c->in_c;
    const size_t stride = w->p.groups * VECTOR, n = (size_t)w->n;
    T_C *to = w->ring + (size_t)(y % w->p.ring) * row_elements(&w->p);
    /* groups that lie wholly inside the picture's width: [begin, end) */
    const size_t left = ((size_t)c->pad_left + GROUP - 1) / GROUP,
                 right = (size_t)(c->pad_left + c->in_w) / GROUP;
    const size_t begin = left < w->p.groups ? left : w->p.groups;
    const size_t end = right < begin ? begin : right < w->p.groups ? right : w->p.groups;
    for (size_t g = 0; g < w->p.groups; g++, to += VECTOR) {
        const int ix = (int)g * GROUP - c->pad_left;
        const T_X *pixels[GROUP];
        if (inside && g == begin && end > begin) {
            interleave_run(to, row + ix * pixel, pixel, end - begin, n, stride);
            to += (end - begin - 1) * VECTOR;
            g = end - 1;
            continue;
        }
        for (int i = 0; i < GROUP; i++) {
            pixels[i] = inside && ix + i >= 0 && ix + i < c->in_w ? row + (ix + i) * pixel : w->pad;
        }
        interleave(to, pixels, n, stride);
    }
}

/* What one vector of channels of a run reads. */
struct source {
    const T_C *rows[MAX_ROWS]; /* [kernel row]: the group of the run's first pixel */
    int n_rows;
    const T_ACC *start; /* what sums begin with, where V_START is defined */
};

#ifndef V_START
#define V_START(p) V_ZERO()
#define STARTS 0
#else
#define STARTS 1
#endif

/*
 * Sums of p outputs from a column on that is a multiple of the number of phases; p, width and
 * stride are constants.
 * Each group of x is loaded once and goes to every output that it belongs to. from: groups from
 * rows[] on.
 */
PK_INLINE void slide_block(const struct source *s, size_t from, const T_P *w, T_ACC *acc,
                           const int p, const int width, const int stride)
{
    const int phases = stride % GROUP == 0 ? 1 : stride % 2 == 0 ? GROUP / 2 : GROUP;
    vacc sum[8];
    vin b[8], x;
    PK_UNROLL
    for (int i = 0; i < p; i++)
        sum[i] = V_START(s->start);
    for (int ky = 0; ky < s->n_rows; ky++) {
        const T_C *at = s->rows[ky] + from * VECTOR;
        int n = 0;
        PK_UNROLL
        for (int i = 0; i < phases; i++)
            n += (stride * i % GROUP + width + GROUP - 1) / GROUP;
        PK_UNROLL
        for (int i = 0; i < n; i++)
            b[i] = V_LOAD(w + i * VECTOR);
        w += n * VECTOR;
        PK_UNROLL
        for (int g = 0; g <= ((p - 1) * stride + width - 1) / GROUP; g++) {
            x = V_LOAD(at + g * VECTOR);
            PK_KEEP(x);
            PK_UNROLL
            for (int i = 0; i < p; i++) {
                /* which group of taps of output i this is, and where its phase's weights begin */
                const int t = g - stride * i / GROUP, phase = i % phases;
                const int n_taps = (stride * phase % GROUP + width + GROUP - 1) / GROUP;
                int begin = 0;
                PK_UNROLL
                for (int j = 0; j < phase; j++)
                    begin += (stride * j % GROUP + width + GROUP - 1) / GROUP;
                if (t >= 0 && t < n_taps) {
                    sum[i] = V_MADD(sum[i], x, b[begin + t]);
                }
            }
        }
    }
    PK_UNROLL
    for (int i = 0; i < p; i++)
        V_PUT(acc + i * CHANNELS, sum[i]);
}

#define SLIDE(name, width, stride)                                                                 \
    static void name(const struct source *s, int pixels, const T_P *w, T_ACC *acc)                 \
    {                                                                                              \
        int at = 0;                                                                                \
        for (; at + 4 < pixels; at += 8) {                                                         \
            slide_block(s, (size_t)(at * (stride) / GROUP), w, acc + at * CHANNELS, 8, width,      \
                        stride);                                                                   \
        }                                                                                          \
        if (at < pixels) {                                                                         \
            slide_block(s, (size_t)(at * (stride) / GROUP), w, acc + at * CHANNELS, 4, width,      \
                        stride);                                                                   \
        }                                                                                          \
    }
SLIDE(slide_3_1, 3, 1)
SLIDE(slide_3_2, 3, 2)
SLIDE(slide_5_1, 5, 1)
SLIDE(slide_5_2, 5, 2)

typedef void slide_fn(const struct source *s, int pixels, const T_P *w, T_ACC *acc);

/* The version for this window, NULL when it has none. */
static slide_fn *slide_of(const struct pk_conv *c)
{
    if (c->dilation_w != 1 || c->stride_w > 2 || (c->kernel_w != 3 && c->kernel_w != 5)) {
        return NULL;
    }
    if (c->kernel_w == 3) {
        return c->stride_w == 1 ? slide_3_1 : slide_3_2;
    }
    return c->stride_w == 1 ? slide_5_1 : slide_5_2;
}

/* Any window: the outputs of one phase, four at a time; from the first output of the run on. */
static void sums_phase(const struct work *w, const struct source *s, int phase, int n,
                       const T_P *weights, T_ACC *acc)
{
    const struct plan *p = &w->p;
    const size_t shift =
        (size_t)(w->c->stride_w * p->phases / GROUP) * VECTOR; /* between outputs of one phase */
    const size_t step = (size_t)p->phases * CHANNELS, row = p->row_vectors * VECTOR;
    for (int i = 0; i < n; i += 4, acc += 4 * step) {
        const int count = n - i < 4 ? n - i : 4;
        vacc sum[4] = {V_START(s->start), V_START(s->start), V_START(s->start),
                       V_START(s->start)};
        for (int ky = 0; ky < s->n_rows; ky++) {
            const T_C *x =
                s->rows[ky] + (size_t)(w->c->stride_w * phase / GROUP) * VECTOR + (size_t)i * shift;
            for (int t = 0; t < p->taps[phase]; t++, x += p->spread * VECTOR) {
                const vin b = V_LOAD(weights + (size_t)ky * row + (size_t)t * VECTOR);
                for (int j = 0; j < count; j++) {
                    sum[j] = V_MADD(sum[j], V_LOAD(x + (size_t)j * shift), b);
                }
            }
        }
        for (int j = 0; j < count; j++) {
            V_PUT(acc + (size_t)j * step, sum[j]);
        }
    }
}

/* One vector of channels over a run: acc[pixel][CHANNELS]. */
static void sums_vector(const struct work *w, slide_fn *slide, const struct source *s, int pixels,
                        const T_P *weights, T_ACC *acc)
{
    if (slide != NULL) {
        slide(s, pixels, weights, acc);
        return;
    }
    for (int phase = 0; phase < w->p.phases && phase < pixels; phase++) {
        sums_phase(w, s, phase, (pixels - phase + w->p.phases - 1) / w->p.phases, weights,
                   acc + phase * CHANNELS);
        weights += w->p.taps[phase] * VECTOR;
    }
}

#if INTEGER
/* A constant number of channels, which compilers vectorise. */
static __attribute__((noinline)) void subtract_row(uint32_t *restrict acc,
                                                   const uint32_t *restrict ones,
                                                   const uint32_t *restrict zero)
{
    for (int i = 0; i < CHANNELS; i++) {
        acc[i] -= zero[i] * ones[i];
    }
}

/* acc -= weight_zero * (the sum with weights of one) */
static void subtract(const struct work *w, const struct pk_tile *t)
{
    uint32_t zero[CHANNELS] = {0};
    memcpy(zero, w->e->weight_zero + t->channel, (size_t)t->n * sizeof zero[0]);
    for (int r = 0; r < t->rows; r++) {
        subtract_row((uint32_t *)(void *)(w->acc + r * CHANNELS),
                     (const uint32_t *)(const void *)(w->ones + r * CHANNELS), zero);
    }
}
#endif

/* Sums of `pixels` pixels of an output row behind those that are held. */
static void row_sums(const struct work *w, slide_fn *slide, int oy, int ox, int pixels)
{
    const struct pk_conv *c = w->c;
    const size_t vector =
        (size_t)c->kernel_h * w->p.row_vectors * VECTOR; /* weights of one vector of channels */
    T_ACC *acc = w->acc + w->held * CHANNELS;
    struct source s;
    s.n_rows = c->kernel_h;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        const int y = oy * c->stride_h + ky * c->dilation_h;
        s.rows[ky] = w->ring + (size_t)(y % w->p.ring) * row_elements(&w->p) +
                     (size_t)(ox * c->stride_w / GROUP) * VECTOR;
    }
    for (int at = 0; at < w->n; at += VL) {
        const size_t skip = (size_t)(at / VL) * vector;
        s.start = w->bias + at;
        sums_vector(w, slide, &s, pixels, w->packed + skip, acc + at);
#if INTEGER
        if (w->e->weight_zero != NULL) {
            s.start = w->bias + CHANNELS;
            sums_vector(w, slide, &s, pixels, w->packed_ones + skip,
                        w->ones + w->held * CHANNELS + at);
        }
#endif
        for (int ky = 0; ky < c->kernel_h; ky++) {
            s.rows[ky] += w->p.groups * VECTOR;
        }
    }
}

/* The epilogue of the sums that are held. */
static void finish_run(struct work *w)
{
    const struct pk_tile tile = {w->acc, CHANNELS, w->pixel, w->held, w->first, w->n, NULL};
    if (w->held == 0) {
        return;
    }
#if INTEGER
    if (w->e->weight_zero != NULL) {
        subtract(w, &tile);
    }
#endif
    PK_EPILOGUE(w->e, &tile);
    w->pixel += (size_t)w->held;
    w->held = 0;
}

/* Short rows share a run. Parts of a row begin at a multiple of the number of phases. */
static void output_row(struct work *w, slide_fn *slide, int oy)
{
    for (int ox = 0; ox < w->c->out_w;) {
        const int left = w->c->out_w - ox, room = RUN - w->held;
        const int pixels = left <= room ? left : room / 8 * 8;
        if (pixels == 0) {
            finish_run(w);
            continue;
        }
        row_sums(w, slide, oy, ox, pixels);
        w->held += pixels;
        ox += pixels;
    }
}

/* The bias of the channels at work, then zeros for the sums with weights of one. */
static void fill_bias(const struct work *w, const int32_t *bias)
{
    for (int i = 0; i < CHANNELS; i++) {
        w->bias[i] = bias != NULL && i < w->n ? (T_ACC)bias[w->first + i] : 0;
        w->bias[CHANNELS + i] = 0;
#ifdef CODE_OFFSET /* the ring holds code - CODE_OFFSET: the sums of weights, in their first phase */
        const struct plan *p = &w->p;
        const size_t first = (size_t)(i / VL) * (size_t)w->c->kernel_h * p->row_vectors;
        int32_t sum = 0;
        for (int j = 0; i < w->n && j < w->c->kernel_h * p->taps[0] * GROUP; j++) {
            const size_t row = (size_t)(j / (p->taps[0] * GROUP)), at = (size_t)(j % (p->taps[0] * GROUP));
            sum += (int8_t)w->packed[(first + row * p->row_vectors + at / GROUP) * VECTOR +
                                     (size_t)(i % VL) * GROUP + at % GROUP];
        }
        w->bias[i] = (T_ACC)((uint32_t)w->bias[i] + (uint32_t)sum * CODE_OFFSET);
        w->bias[CHANNELS + i] = w->c->kernel_h * w->c->kernel_w * CODE_OFFSET;
#endif
    }
}

#ifdef DIRECT_LANES
#include "depthwise_direct.h"
#endif

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
#ifdef DIRECT_LANES
    if (direct_does(c)) {
        direct_run(c, x, packed, e, scratch);
        return;
    }
#endif
    struct pk_epilogue rest = *e;
    rest.bias_i32 = STARTS ? NULL : e->bias_i32;
    struct work w = {.c = c, .e = &rest, .p = plan_of(c), .x = x, .packed = packed};
    const size_t block = CHANNELS / VL * (size_t)c->kernel_h * w.p.row_vectors * VECTOR;
    slide_fn *slide = slide_of(c);
    w.packed_ones = w.packed + weights_vectors(c, &w.p) * VECTOR;
    w.acc = scratch;
    w.ones = w.acc + SUMS;
    w.bias = w.acc + (1 + INTEGER) * SUMS;
    w.ring = (T_C *)(void *)(w.bias + 2 * CHANNELS);
    w.pad = (T_X *)(void *)(w.ring + (size_t)w.p.ring * row_elements(&w.p));
    w.wide = w.pad + CHANNELS;
    for (int i = 0; i < CHANNELS; i++) {
        w.pad[i] = PK_PAD(pad_code);
    }
    for (w.first = 0; w.first < c->out_c; w.first += CHANNELS) {
        w.n = c->out_c - w.first < CHANNELS ? c->out_c - w.first : CHANNELS;
        w.pixel = 0;
        fill_bias(&w, e->bias_i32);
        int next = 0; /* first row (counted with padding) that the ring does not hold */
        for (int oy = 0; oy < c->out_h; oy++) {
            const int top = oy * c->stride_h;
            for (next = top > next ? top : next; next < top + w.p.ring; next++) {
                copy_row(&w, next);
            }
            output_row(&w, slide, oy);
        }
        finish_run(&w);
        w.packed += block;
        w.packed_ones += block;
    }
}

#ifdef DEPTHWISE_NAME
#define PK_TABLE_2(name)                                                                           \
    const struct pk_layer_kernel pk_##name = {#name, packed_size, pack, scratch_size, run}
#define PK_TABLE(name) PK_TABLE_2(name)
PK_TABLE(DEPTHWISE_NAME);
#endif
