/*
 * depthwise_float.h: sums of a depthwise window in fp32, on the lanes of a vec_<isa>.h included before. A block of
 * pixels times one or two vectors of channels stays in registers while the taps go by: one load of x for every
 * multiply-add, weights loaded once per block. Packed weights: [tap][CHANNELS].
 */
enum { CHANNELS = 64 };

struct tap {
    const float *at;
    size_t shift; /* elements to the next pixel; 0: padding */
};

/* p pixels times v vectors, both constants. masked: only `lanes` of the (one) vector exist in x. */
PK_INLINE void sums_block(const struct tap *taps, int n_taps, size_t pixel, const float *w, float *acc, const int p,
                          const int v, const bool masked, vm lanes)
{
    vf s[8][2];
    PK_UNROLL for (int i = 0; i < p; i++) {
        PK_UNROLL for (int j = 0; j < v; j++) s[i][j] = v_set(0.0f);
    }
    for (int t = 0; t < n_taps; t++, w += CHANNELS) {
        const size_t shift = taps[t].shift;
        const float *x = taps[t].at + pixel * shift;
        vf b[2];
        PK_UNROLL for (int j = 0; j < v; j++) b[j] = v_load_all(w + j * VL);
        PK_UNROLL for (int i = 0; i < p; i++, x += shift) {
            PK_UNROLL for (int j = 0; j < v; j++) {
                const vf a = masked ? v_load(x + j * VL, lanes) : v_load_all(x + j * VL);
                s[i][j] = v_fma(a, b[j], s[i][j]);
            }
        }
    }
    PK_UNROLL for (int i = 0; i < p; i++) {
        PK_UNROLL for (int j = 0; j < v; j++) v_store_all(acc + i * CHANNELS + j * VL, s[i][j]);
    }
}

/* All pixels of a run for v vectors: blocks of p, the last one moved back to end with the run. */
PK_INLINE void sums_columns(const struct tap *taps, int n_taps, int pixels, const float *w, float *acc, const int p,
                            const int v, const bool masked, vm lanes)
{
    for (int i = 0; i < pixels; i += p) {
        const int at = i + p <= pixels ? i : pixels - p;
        sums_block(taps, n_taps, (size_t)at, w, acc + at * CHANNELS, p, v, masked, lanes);
    }
}

#define SUMS_COLUMNS(name, v, masked)                                                              \
    static void name(const struct tap *taps, int n_taps, int pixels, const float *w, float *acc,   \
                     vm lanes)                                                                     \
    {                                                                                              \
        if (pixels >= PIXELS) {                                                                    \
            sums_columns(taps, n_taps, pixels, w, acc, PIXELS, v, masked, lanes);                  \
        } else if (pixels >= 4) {                                                                  \
            sums_columns(taps, n_taps, pixels, w, acc, 4, v, masked, lanes);                       \
        } else {                                                                                   \
            sums_columns(taps, n_taps, pixels, w, acc, 1, v, masked, lanes);                       \
        }                                                                                          \
    }
SUMS_COLUMNS(sums_two, 2, false)
SUMS_COLUMNS(sums_one, 1, false)
SUMS_COLUMNS(sums_part, 1, true)

static void sums_of(const struct tap *taps, int n_taps, int pixels, int channels, const float *w, float *acc)
{
    struct tap at[256];
    const struct tap *from = taps;
    for (int first = 0; first < channels;) {
        const int left = channels - first;
        const int step = left >= 2 * VL ? 2 * VL : VL;
        if (first > 0) {
            for (int t = 0; t < n_taps; t++) {
                at[t].at = taps[t].at + first;
                at[t].shift = taps[t].shift;
            }
            from = at;
        }
        if (left >= 2 * VL) {
            sums_two(from, n_taps, pixels, w + first, acc + first, v_lanes(VL));
        } else if (left >= VL) {
            sums_one(from, n_taps, pixels, w + first, acc + first, v_lanes(VL));
        } else {
            sums_part(from, n_taps, pixels, w + first, acc + first, v_lanes(left));
        }
        first += step;
    }
}

static size_t packed_stride(const struct pk_conv *c)
{
    return (size_t)c->kernel_h * (size_t)c->kernel_w * CHANNELS;
}

static void pack_channels(const struct pk_conv *c, int first, int n, const void *weights, float *packed)
{
    const T_W *w = (const T_W *)weights + first; /* [tap][out_c] */
    for (int t = 0; t < c->kernel_h * c->kernel_w; t++, w += c->out_c) {
        for (int i = 0; i < CHANNELS; i++) {
            *packed++ = i < n ? weight_of(w[i]) : 0.0f;
        }
    }
}
