/*
 * depthwise_u8s8.h: depthwise convolution on byte codes, any window but dilated columns. The including file defines
 * first:
 *   VL, GROUP            lanes of a vector of sums; neighbouring pixels that one multiply-add joins (2 or 4)
 *   T_C, T_P             element of the copied picture, of packed weights: bytes, or int16 for GROUP 2
 *   vacc, V_ZERO(), V_LOAD(p), V_MADD(acc, a, w), V_PUT(p, acc)
 *   interleave(to, pixels, n)   to[channel][GROUP] = pixels[0..GROUP-1][channel] for n channels; whole vectors are
 *                               written, x is not read beyond n
 *   PK_EPILOGUE, DEPTHWISE_NAME
 *
 * Rows of the picture are copied with their padding, GROUP neighbouring pixels side by side in each lane:
 * [vector of channels][group of pixels][VL][GROUP]. Only the rows of the window are kept, in a ring. The taps of an
 * output pixel then are whole groups; where its first tap lies within a group (its phase) selects one of GROUP / gcd
 * versions of the weights, zero outside the window. So no shuffle is left in the inner loop, and neighbouring
 * outputs share the copying.
 *
 * Packed weights: [vector of channels][phase][kernel row][group of taps][VL][GROUP], then the same with ones, for
 * weight zero points.
 */
#include <string.h>

enum {
    CHANNELS = 64,
    RUN = 32,          /* pixels that go to the epilogue at once; a multiple of every number of phases */
    VECTOR = VL * GROUP, /* elements */
    MAX_ROWS = 32      /* higher windows are left to the reference */
};

struct plan {
    size_t vectors, groups; /* vectors of channels; groups of pixels in a copied row */
    int phases, ring;       /* ring: copied rows that are kept */
    int taps[GROUP];        /* groups of taps of each phase */
    size_t steps;           /* vectors of weights of one vector of channels */
};

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p = {0};
    p.phases = c->stride_w % GROUP == 0 ? 1 : c->stride_w % 2 == 0 ? GROUP / 2 : GROUP;
    p.vectors = ((size_t)c->out_c + VL - 1) / VL;
    p.groups = ((size_t)c->stride_w * (size_t)(c->out_w - 1) + (size_t)c->kernel_w + GROUP - 1) / GROUP;
    p.ring = (c->kernel_h - 1) * c->dilation_h + 1;
    for (int phase = 0; phase < p.phases; phase++) {
        p.taps[phase] = (c->stride_w * phase % GROUP + c->kernel_w + GROUP - 1) / GROUP;
        p.steps += (size_t)(c->kernel_h * p.taps[phase]);
    }
    return p;
}

static size_t packed_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    if ((c->dilation_w != 1 && c->kernel_w != 1) || c->kernel_h > MAX_ROWS) {
        return 0;
    }
    return 2 * p.vectors * p.steps * VECTOR * sizeof(T_P);
}

/* One vector of weights: channels from `first` on, taps from column kx on (outside the window: 0). */
static void pack_vector(const struct pk_conv *c, const int8_t *row, size_t first, int kx, T_P *to)
{
    for (size_t i = 0; i < VECTOR; i++) {
        const size_t channel = first + i / GROUP;
        const int tap = kx + (int)(i % GROUP);
        const bool inside = tap >= 0 && tap < c->kernel_w && channel < (size_t)c->out_c;
        to[i] = !inside ? (T_P)0 : row == NULL ? (T_P)1 : row[(size_t)tap * (size_t)c->out_c + channel];
    }
}

static T_P *pack_all(const struct pk_conv *c, const int8_t *weights, T_P *to)
{
    const struct plan p = plan_of(c);
    for (size_t v = 0; v < p.vectors; v++) {
        for (int phase = 0; phase < p.phases; phase++) {
            for (int ky = 0; ky < c->kernel_h; ky++) {
                const int8_t *row = weights == NULL ? NULL : weights + (ptrdiff_t)ky * c->kernel_w * c->out_c;
                for (int t = 0; t < p.taps[phase]; t++, to += VECTOR) {
                    pack_vector(c, row, v * VL, t * GROUP - c->stride_w * phase % GROUP, to);
                }
            }
        }
    }
    return to;
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    T_P *ones = pack_all(c, weights, packed);
    pack_all(c, NULL, ones);
}

static size_t row_elements(const struct plan *p)
{
    return p->vectors * p->groups * VECTOR;
}

/* Scratch: two tiles of sums, a pixel of padding, the ring, one row with repeated channels. Bytes. */
static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    const size_t wide = c->out_c == c->in_c ? 0 : (size_t)c->in_w * (size_t)c->out_c;
    return 2 * RUN * CHANNELS * sizeof(int32_t) + pk_round_up((size_t)c->out_c, 64) +
           (size_t)p.ring * row_elements(&p) * sizeof(T_C) + wide;
}

struct work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct plan p;
    const uint8_t *x;
    const T_P *packed, *packed_ones;
    int32_t *acc, *ones; /* [RUN][CHANNELS] */
    uint8_t *pad, *wide; /* [out_c]; [in_w][out_c] */
    T_C *ring;
    int next;            /* first row (in padded counting) that the ring does not hold */
};

/* Copies row `y` of the padded picture to its place in the ring. */
static void copy_row(const struct work *w, int y)
{
    const struct pk_conv *c = w->c;
    const int iy = y - c->pad_top;
    const bool inside = iy >= 0 && iy < c->in_h;
    const uint8_t *row = inside ? w->x + (ptrdiff_t)iy * c->in_w * c->in_c : NULL;
    if (inside && c->out_c != c->in_c) {
        const int multiplier = c->out_c / c->in_c;
        for (int i = 0; i < c->in_w * c->out_c; i++) {
            w->wide[i] = row[i / multiplier];
        }
        row = w->wide;
    }
    T_C *to = w->ring + (size_t)(y % w->p.ring) * row_elements(&w->p);
    for (size_t g = 0; g < w->p.groups; g++) {
        const uint8_t *pixels[GROUP];
        for (int i = 0; i < GROUP; i++) {
            const int ix = (int)g * GROUP + i - c->pad_left;
            pixels[i] = inside && ix >= 0 && ix < c->in_w ? row + (ptrdiff_t)ix * c->out_c : w->pad;
        }
        interleave(to + g * VECTOR, pixels, (size_t)c->out_c, w->p.groups * VECTOR);
    }
}

/* What one vector of channels of a run reads. */
struct source {
    const T_C *rows[MAX_ROWS]; /* [kernel row]: group 0 of this vector */
    int n_rows, n_taps;        /* groups of taps of this phase */
    size_t first, shift;       /* elements to the first group; between outputs of the same phase */
};

/* p (a constant) outputs of one phase. */
PK_INLINE void sums_block(const struct source *s, const T_P *w, int32_t *acc, size_t step, const int p)
{
    vacc sum[8];
    PK_UNROLL for (int i = 0; i < p; i++) sum[i] = V_ZERO();
    for (int ky = 0; ky < s->n_rows; ky++) {
        const T_C *x = s->rows[ky] + s->first;
        for (int t = 0; t < s->n_taps; t++, x += VECTOR, w += VECTOR) {
            const vacc weights = V_LOAD(w);
            const T_C *at = x;
            PK_UNROLL for (int i = 0; i < p; i++, at += s->shift) sum[i] = V_MADD(sum[i], V_LOAD(at), weights);
        }
    }
    PK_UNROLL for (int i = 0; i < p; i++) V_PUT(acc + (size_t)i * step, sum[i]);
}

/* n outputs of one phase, `step` elements of acc apart. */
static void sums_phase(struct source *s, const T_P *w, int n, int32_t *acc, size_t step)
{
    while (n > 0) {
        const int p = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? n : 1;
        switch (p) {
        case 8:
            sums_block(s, w, acc, step, 8);
            break;
        case 4:
            sums_block(s, w, acc, step, 4);
            break;
        case 3:
            sums_block(s, w, acc, step, 3);
            break;
        case 2:
            sums_block(s, w, acc, step, 2);
            break;
        default:
            sums_block(s, w, acc, step, 1);
            break;
        }
        n -= p;
        acc += (size_t)p * step;
        s->first += (size_t)p * s->shift;
    }
}

/* One vector of channels over a run of `pixels` outputs from column ox on: acc[pixel][CHANNELS]. */
static void sums_vector(const struct work *w, const T_C *const *rows, const T_P *weights, size_t vector, int ox,
                        int pixels, int32_t *acc)
{
    const struct pk_conv *c = w->c;
    struct source s;
    s.n_rows = c->kernel_h;
    s.shift = (size_t)(c->stride_w * w->p.phases / GROUP) * VECTOR;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        s.rows[ky] = rows[ky] + vector * w->p.groups * VECTOR;
    }
    weights += vector * w->p.steps * VECTOR;
    for (int phase = 0; phase < w->p.phases && phase < pixels; phase++) {
        s.n_taps = w->p.taps[phase];
        s.first = (size_t)(c->stride_w * (ox + phase) / GROUP) * VECTOR;
        const int n = (pixels - phase + w->p.phases - 1) / w->p.phases;
        sums_phase(&s, weights, n, acc + phase * CHANNELS, (size_t)w->p.phases * CHANNELS);
        weights += (size_t)(c->kernel_h * s.n_taps) * VECTOR;
    }
}

/* acc -= weight_zero * (the sum with weights of one) */
static void subtract(const struct work *w, const struct pk_tile *t)
{
    for (int r = 0; r < t->rows; r++) {
        for (int i = 0; i < t->n; i++) {
            const uint32_t product = (uint32_t)w->e->weight_zero[t->channel + i] * (uint32_t)w->ones[r * CHANNELS + i];
            w->acc[r * CHANNELS + i] = (int32_t)((uint32_t)w->acc[r * CHANNELS + i] - product);
        }
    }
}

static void output_row(const struct work *w, int oy)
{
    const struct pk_conv *c = w->c;
    const T_C *rows[MAX_ROWS];
    for (int ky = 0; ky < c->kernel_h; ky++) {
        const int y = oy * c->stride_h + ky * c->dilation_h;
        rows[ky] = w->ring + (size_t)(y % w->p.ring) * row_elements(&w->p);
    }
    for (int ox = 0; ox < c->out_w; ox += RUN) {
        const int pixels = c->out_w - ox < RUN ? c->out_w - ox : RUN;
        for (int first = 0; first < c->out_c; first += CHANNELS) {
            const int n = c->out_c - first < CHANNELS ? c->out_c - first : CHANNELS;
            const struct pk_tile tile = {w->acc, CHANNELS, (size_t)oy * (size_t)c->out_w + (size_t)ox, pixels, first,
                                         n, NULL};
            for (int at = 0; at < n; at += VL) {
                const size_t vector = (size_t)(first + at) / VL;
                sums_vector(w, rows, w->packed, vector, ox, pixels, w->acc + at);
                if (w->e->weight_zero != NULL) {
                    sums_vector(w, rows, w->packed_ones, vector, ox, pixels, w->ones + at);
                }
            }
            if (w->e->weight_zero != NULL) {
                subtract(w, &tile);
            }
            PK_EPILOGUE(w->e, &tile);
        }
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    struct work w = {.c = c, .e = e, .p = plan_of(c), .x = x, .packed = packed};
    w.packed_ones = w.packed + w.p.vectors * w.p.steps * VECTOR;
    w.acc = scratch;
    w.ones = w.acc + RUN * CHANNELS;
    w.pad = (uint8_t *)(w.ones + RUN * CHANNELS);
    w.ring = (T_C *)(void *)(w.pad + pk_round_up((size_t)c->out_c, 64));
    w.wide = (uint8_t *)(w.ring + (size_t)w.p.ring * row_elements(&w.p));
    memset(w.pad, pad_code, (size_t)c->out_c);
    for (int oy = 0; oy < c->out_h; oy++) {
        const int top = oy * c->stride_h;
        for (int y = top > w.next ? top : w.next; y < top + w.p.ring; y++) {
            copy_row(&w, y);
            w.next = y + 1;
        }
        output_row(&w, oy);
    }
}

#define PK_TABLE_2(name) const struct pk_layer_kernel pk_##name = {#name, packed_size, pack, scratch_size, run}
#define PK_TABLE(name) PK_TABLE_2(name)
PK_TABLE(DEPTHWISE_NAME);
