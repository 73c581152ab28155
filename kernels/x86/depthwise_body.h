/*
 * depthwise_body.h: depthwise convolution, any window. The including file defines first:
 *   T_X, T_C, T_W, T_P, T_ACC  element types of: x, what sums_of reads, weights as given, packed weights, sums
 *   CHANNELS                   channels that one call of sums_of computes at most; a multiple of VL
 *   copy_row(T_C *, const T_X *, size_t)
 *   sums_of(taps, n_taps, pixels, channels, weights, acc)
 *       acc[pixel][CHANNELS] = sum over taps of taps[t].at[pixel * taps[t].shift + channel] * weight
 *   pack_channels(c, first, n, weights, packed)  the channels from `first` on, n <= CHANNELS; weights NULL: ones
 *   packed_stride(c)           elements of T_P that CHANNELS channels take
 *   struct tap is declared by DEPTHWISE_TAP before sums_of; PK_EPILOGUE, PK_PAD(code), INTEGER, DEPTHWISE_NAME
 *
 * Two ways over the picture. Narrow pictures, other element types and multipliers: it is copied to scratch with its
 * padding around it, and every output row is one run. Wide pictures: read in place; the pixels whose taps reach over
 * the left or right edge are done one by one; taps above and below point at a row of padding and do not move.
 */
#include <string.h>

enum {
    RUN = 32,      /* pixels that go to the epilogue at once */
    MAX_TAPS = 256 /* larger windows are left to the reference */
};

/* Extents of the picture with all padding that taps read. */
struct extent {
    size_t h, w;
    int begin, end; /* output columns whose taps are all within the picture's width */
    bool copy;
};

static struct extent extent_of(const struct pk_conv *c)
{
    struct extent p;
    const int reach = (c->kernel_w - 1) * c->dilation_w, last = c->in_w - 1 - reach + c->pad_left;
    p.h = (size_t)((c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
    p.w = (size_t)((c->out_w - 1) * c->stride_w + reach + 1);
    p.begin = (c->pad_left + c->stride_w - 1) / c->stride_w;
    p.end = last < 0 ? 0 : last / c->stride_w + 1;
    p.end = p.end < c->out_w ? p.end : c->out_w;
    const int inner = p.end > p.begin ? p.end - p.begin : 0;
    p.copy = sizeof(T_X) != sizeof(T_C) || c->out_c != c->in_c || (c->out_w - inner) * COPY_SHARE > c->out_w;
    return p;
}

/* Blocks of CHANNELS channels. */
static size_t n_blocks(const struct pk_conv *c)
{
    return ((size_t)c->out_c + CHANNELS - 1) / CHANNELS;
}

static size_t packed_size(const struct pk_conv *c)
{
    if (c->kernel_h * c->kernel_w > MAX_TAPS) {
        return 0;
    }
    /* integers: the same again with weights of one, for weight zero points */
    return (INTEGER ? 2 : 1) * n_blocks(c) * packed_stride(c) * sizeof(T_P);
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const int blocks = (int)n_blocks(c);
    for (int i = 0; i < blocks; i++) {
        const int n = c->out_c - i * CHANNELS < CHANNELS ? c->out_c - i * CHANNELS : CHANNELS;
        pack_channels(c, i * CHANNELS, n, weights, (T_P *)packed + (size_t)i * packed_stride(c));
        if (INTEGER) {
            pack_channels(c, i * CHANNELS, n, NULL, (T_P *)packed + (size_t)(blocks + i) * packed_stride(c));
        }
    }
}

/* Scratch: sums, sums with weights of one, a pixel of padding, the copy. Bytes. */
static size_t acc_bytes(void)
{
    return (INTEGER ? 2 : 1) * RUN * CHANNELS * sizeof(T_ACC);
}

static size_t pad_bytes(const struct pk_conv *c)
{
    return pk_round_up((size_t)c->out_c * sizeof(T_C), 64);
}

static size_t scratch_size(const struct pk_conv *c)
{
    const struct extent p = extent_of(c);
    return acc_bytes() + pad_bytes(c) + (p.copy ? p.h * p.w * (size_t)c->out_c * sizeof(T_C) : 0);
}

PK_INLINE void fill(T_C *to, T_C value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

/* n pixels, every channel repeated out_c / in_c times, so that channel i of the copy feeds output channel i. */
static void copy_pixels(const struct pk_conv *c, T_C *to, const T_X *from, size_t n)
{
    const int multiplier = c->out_c / c->in_c;
    n *= (size_t)c->in_c;
    if (multiplier == 1) {
        copy_row(to, from, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        T_C value;
        copy_row(&value, from + i, 1);
        for (int j = 0; j < multiplier; j++) {
            *to++ = value;
        }
    }
}

/* The picture with its padding: [p->h][p->w][out_c]. */
static void copy_picture(const struct pk_conv *c, const struct extent *p, const T_X *x, T_C pad, T_C *to)
{
    const size_t pixel = (size_t)c->out_c;
    const size_t left = (size_t)c->pad_left < p->w ? (size_t)c->pad_left : p->w;
    const size_t n = p->w - left < (size_t)c->in_w ? p->w - left : (size_t)c->in_w;
    for (size_t y = 0; y < p->h; y++, to += p->w * pixel) {
        const ptrdiff_t iy = (ptrdiff_t)y - c->pad_top;
        if (iy < 0 || iy >= c->in_h) {
            fill(to, pad, p->w * pixel);
            continue;
        }
        fill(to, pad, left * pixel);
        copy_pixels(c, to + left * pixel, x + iy * c->in_w * c->in_c, n);
        fill(to + (left + n) * pixel, pad, (p->w - left - n) * pixel);
    }
}

struct work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct extent extent;
    const T_C *x, *pad; /* the picture or its copy; [out_c] of padding */
    const T_P *packed;
    T_ACC *acc, *ones; /* [RUN][CHANNELS] */
};

#if INTEGER
/* acc -= weight_zero * (the sum with weights of one) */
static void subtract(const struct work *w, const struct pk_tile *t)
{
    for (int r = 0; r < t->rows; r++) {
        for (int i = 0; i < t->n; i++) {
            const uint32_t product = (uint32_t)w->e->weight_zero[t->channel + i] * (uint32_t)w->ones[r * CHANNELS + i];
            w->acc[r * CHANNELS + i] = (T_ACC)((uint32_t)w->acc[r * CHANNELS + i] - product);
        }
    }
}
#endif

/* All channels of `pixels` output pixels from index `pixel` on; moves the taps over the channels. */
static void emit(const struct work *w, struct tap *taps, size_t pixel, int pixels)
{
    const struct pk_conv *c = w->c;
    const int n_taps = c->kernel_h * c->kernel_w;
    const size_t blocks = n_blocks(c), stride = packed_stride(c);
    for (size_t i = 0; i < blocks; i++) {
        const int first = (int)i * CHANNELS;
        const int n = c->out_c - first < CHANNELS ? c->out_c - first : CHANNELS;
        const struct pk_tile tile = {w->acc, CHANNELS, pixel, pixels, first, n, NULL};
        sums_of(taps, n_taps, pixels, n, w->packed + i * stride, w->acc);
#if INTEGER
        if (w->e->weight_zero != NULL) {
            sums_of(taps, n_taps, pixels, n, w->packed + (blocks + i) * stride, w->ones);
            subtract(w, &tile);
        }
#endif
        PK_EPILOGUE(w->e, &tile);
        for (int t = 0; t < n_taps; t++) {
            taps[t].at += CHANNELS;
        }
    }
}

/* Taps of an output pixel in the padded copy. */
static void taps_in_copy(const struct work *w, int oy, int ox, struct tap *taps)
{
    const struct pk_conv *c = w->c;
    const size_t pixel = (size_t)c->out_c, row = w->extent.w * pixel;
    const T_C *x = w->x + (size_t)(oy * c->stride_h) * row + (size_t)(ox * c->stride_w) * pixel;
    for (int ky = 0; ky < c->kernel_h; ky++, x += (size_t)c->dilation_h * row) {
        for (int kx = 0; kx < c->kernel_w; kx++, taps++) {
            taps->at = x + (size_t)(kx * c->dilation_w) * pixel;
            taps->shift = (size_t)c->stride_w * pixel;
        }
    }
}

/* Taps of an output pixel in the picture itself. */
static void taps_in_place(const struct work *w, int oy, int ox, struct tap *taps)
{
    const struct pk_conv *c = w->c;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        const int iy = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
        for (int kx = 0; kx < c->kernel_w; kx++, taps++) {
            const int ix = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
            const bool inside = iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w;
            taps->at = inside ? w->x + ((ptrdiff_t)iy * c->in_w + ix) * c->out_c : w->pad;
            taps->shift = inside ? (size_t)c->stride_w * (size_t)c->out_c : 0;
        }
    }
}

static void output_row(const struct work *w, int oy)
{
    const int out_w = w->c->out_w;
    const size_t row = (size_t)oy * (size_t)out_w;
    const bool copy = w->extent.copy;
    const int begin = copy ? 0 : w->extent.begin, end = copy ? out_w : w->extent.end;
    struct tap taps[MAX_TAPS];
    for (int ox = 0; ox < out_w;) {
        const bool inner = ox >= begin && ox < end;
        const int pixels = !inner ? 1 : end - ox < RUN ? end - ox : RUN;
        if (copy) {
            taps_in_copy(w, oy, ox, taps);
        } else {
            taps_in_place(w, oy, ox, taps);
        }
        emit(w, taps, row + (size_t)ox, pixels);
        ox += pixels;
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    T_ACC *acc = scratch;
    T_C *pad = (T_C *)(void *)((char *)scratch + acc_bytes());
    T_C *copy = (T_C *)(void *)((char *)pad + pad_bytes(c));
    const struct work w = {c, e, extent_of(c), x, pad, packed, acc, acc + RUN * CHANNELS};
    fill(pad, PK_PAD(pad_code), (size_t)c->out_c);
    if (w.extent.copy) {
        copy_picture(c, &w.extent, x, PK_PAD(pad_code), copy);
    }
    struct work over = w;
    over.x = w.extent.copy ? copy : w.x;
    for (int oy = 0; oy < c->out_h; oy++) {
        output_row(&over, oy);
    }
}

#define PK_TABLE_2(name) const struct pk_layer_kernel pk_##name = {#name, packed_size, pack, scratch_size, run}
#define PK_TABLE(name) PK_TABLE_2(name)
PK_TABLE(DEPTHWISE_NAME);
