/* op_pool.c: max and average pools, NHWC with three spatial axes (unused ones have size 1). */
#include <string.h>

#include "op_math.h"
#include "op_types.h"
#include "op_wide.h"

/* Taps of one output position along one axis that lie in [0, size): from, to, and the first one's
 * input place. */
struct taps {
    int64_t from, to, place;
};

static struct taps taps_of(const struct pk_window *w, int axis, int64_t out)
{
    int64_t start = out * w->stride[axis] - w->pad_before[axis], d = w->dilation[axis];
    int64_t from = start < 0 ? (-start + d - 1) / d : 0;
    int64_t room = w->in[axis] - start; /* taps k with k * d < room lie inside */
    int64_t to = room <= 0 ? 0 : (room + d - 1) / d;
    to = to > w->kernel[axis] ? w->kernel[axis] : to;
    from = from > to ? to : from;
    return (struct taps){from, to, start + from * d};
}

/* Number of taps inside the picture with its padding. */
static int64_t padded_count(const struct pk_window *w, int axis, int64_t out)
{
    int64_t start = out * w->stride[axis] - w->pad_before[axis], d = w->dilation[axis];
    int64_t room = w->in[axis] + w->pad_after[axis] - start, n = room <= 0 ? 0 : (room + d - 1) / d;
    return n > w->kernel[axis] ? w->kernel[axis] : n;
}

/* One output pixel's window. */
struct pixel {
    struct taps t[3];
    int64_t image; /* first input pixel of the image */
};

static void step_out(const struct pk_window *w, int64_t *at)
{
    for (int i = 2; i >= 0 && ++at[i] == w->out[i]; i--) {
        at[i] = 0;
    }
}

static int64_t out_pixels(const struct pk_window *w)
{
    return w->out[0] * w->out[1] * w->out[2];
}

/* For every tap inside: `body` with const type *row = the input pixel, and `first` on the first
 * one. */
#define EACH_TAP(type, body)                                                                       \
    do {                                                                                           \
        bool first = true;                                                                         \
        for (int64_t i = 0; i < p->t[0].to - p->t[0].from; i++) {                                  \
            for (int64_t j = 0; j < p->t[1].to - p->t[1].from; j++) {                              \
                for (int64_t k = 0; k < p->t[2].to - p->t[2].from; k++) {                          \
                    int64_t at = (p->t[0].place + i * w->dilation[0]) * w->in[1];                  \
                    at = (at + p->t[1].place + j * w->dilation[1]) * w->in[2];                     \
                    at += p->image + p->t[2].place + k * w->dilation[2];                           \
                    const type *row = (const type *)x + at * channels;                             \
                    body;                                                                          \
                    first = false;                                                                 \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        if (first) {                                                                               \
            memset(y, 0, (size_t)channels * sizeof *y); /* a window of padding alone */            \
        }                                                                                          \
    } while (0)

#define MAX_PIXEL(name, type)                                                                      \
    static void name(const struct pk_window *w, const struct pixel *p, const void *x,              \
                     type *restrict y)                                                             \
    {                                                                                              \
        const int64_t channels = w->in_c;                                                          \
        EACH_TAP(type, {                                                                           \
            if (first) {                                                                           \
                memcpy(y, row, (size_t)channels * sizeof *y);                                      \
            } else {                                                                               \
                for (int64_t c = 0; c < channels; c++) {                                           \
                    y[c] = row[c] > y[c] ? row[c] : y[c];                                          \
                }                                                                                  \
            }                                                                                      \
        });                                                                                        \
    }

MAX_PIXEL(max_f32, float)
MAX_PIXEL(max_f64, double)
MAX_PIXEL(max_i8, int8_t)
MAX_PIXEL(max_u8, uint8_t)
MAX_PIXEL(max_i16, int16_t)
MAX_PIXEL(max_u16, uint16_t)
MAX_PIXEL(max_i32, int32_t)
MAX_PIXEL(max_i64, int64_t)

static void max_half(const struct pk_window *w, enum pk_dtype t, const struct pixel *p,
                     const void *x, uint16_t *y)
{
    const int64_t channels = w->in_c;
    EACH_TAP(uint16_t, {
        for (int64_t c = 0; c < channels; c++) {
            if (first || pk_load(t, row, (size_t)c) > pk_load(t, y, (size_t)c)) {
                y[c] = row[c];
            }
        }
    });
}

static bool max_pixel(const struct pk_window *w, enum pk_dtype t, const struct pixel *p,
                      const void *x, void *y)
{
    switch (t) {
    case PK_DT_F32:
        max_f32(w, p, x, y);
        return true;
    case PK_DT_F64:
        max_f64(w, p, x, y);
        return true;
    case PK_DT_F16:
    case PK_DT_BF16:
        max_half(w, t, p, x, y);
        return true;
    case PK_DT_I8:
        max_i8(w, p, x, y);
        return true;
    case PK_DT_U8:
        max_u8(w, p, x, y);
        return true;
    case PK_DT_I16:
        max_i16(w, p, x, y);
        return true;
    case PK_DT_U16:
        max_u16(w, p, x, y);
        return true;
    case PK_DT_I32:
        max_i32(w, p, x, y);
        return true;
    case PK_DT_I64:
        max_i64(w, p, x, y);
        return true;
    default:
        return false;
    }
}

/* Places of the maxima of one output pixel in the NCHW (column_major: NCWH) input. */
static void max_index(const struct pk_window *w, enum pk_dtype t, const struct pixel *p,
                      int64_t batch, const void *x, int64_t *index, bool column_major)
{
    int64_t area = w->in[0] * w->in[1] * w->in[2];
    for (int64_t c = 0; c < w->in_c; c++) {
        double best = 0.0;
        int64_t place = -1;
        for (int64_t i = p->t[0].from; i < p->t[0].to; i++) {
            for (int64_t j = p->t[1].from; j < p->t[1].to; j++) {
                for (int64_t k = p->t[2].from; k < p->t[2].to; k++) {
                    int64_t a = p->t[0].place + (i - p->t[0].from) * w->dilation[0];
                    int64_t b = p->t[1].place + (j - p->t[1].from) * w->dilation[1];
                    int64_t d = p->t[2].place + (k - p->t[2].from) * w->dilation[2];
                    int64_t at = p->image + (a * w->in[1] + b) * w->in[2] + d;
                    double v = pk_load(t, x, (size_t)(at * w->in_c + c));
                    if (place < 0 || v > best) {
                        best = v;
                        place = column_major ? a + w->in[0] * (b + w->in[1] * d)
                                             : (a * w->in[1] + b) * w->in[2] + d;
                    }
                }
            }
        }
        index[c] = (batch * w->in_c + c) * area + (place < 0 ? 0 : place);
    }
}

/* n output pixels of 2 x 2 taps: `channels` elements of each, `step` between windows, `row` to the taps below. */
#define MAX_FOUR(name, type)                                                                       \
    OP_INLINE void name##_body(const type *p, type *restrict y, int64_t n, int64_t channels, int64_t step, int64_t row) \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++, p += step, y += channels) {                                \
            const type *right = p + channels, *low = p + row, *last = low + channels;              \
            for (int64_t c = 0; c < channels; c++) {                                               \
                type most = p[c];                                                                  \
                most = right[c] > most ? right[c] : most;                                          \
                most = low[c] > most ? low[c] : most;                                              \
                y[c] = last[c] > most ? last[c] : most;                                            \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    OP_WIDE_LOOP(name, (const type *p, type *restrict y, int64_t n, int64_t channels, int64_t step, int64_t row), \
                 (p, y, n, channels, step, row))
MAX_FOUR(max_four_u8, uint8_t)
MAX_FOUR(max_four_f32, float)

/*
 * The window of most pools: 2 x 2 taps, none dilated, of codes or floats. Writes `n` output pixels of the row
 * `at` from its first whole window on and returns how many; 0: where the window is another one.
 */
static int64_t max_four(const struct pk_window *w, enum pk_dtype t, const int64_t *at,
                        int64_t image, const void *x, void *y)
{
    const int64_t top = at[1] * w->stride[1] - w->pad_before[1];
    const int64_t left = at[2] * w->stride[2] - w->pad_before[2];
    if ((t != PK_DT_U8 && t != PK_DT_F32) || w->in[0] != 1 || w->kernel[0] != 1 || w->pad_before[0] != 0 ||
        w->kernel[1] != 2 || w->kernel[2] != 2 || w->dilation[1] != 1 || w->dilation[2] != 1 ||
        top < 0 || top + 2 > w->in[1] || left < 0 || left + 2 > w->in[2]) {
        return 0;
    }
    const int64_t row = w->in[2] * w->in_c, step = w->stride[2] * w->in_c;
    const int64_t fit = (w->in[2] - 2 - left) / w->stride[2] + 1, rest = w->out[2] - at[2];
    const int64_t n = fit < rest ? fit : rest, first = (image + top * w->in[2] + left) * w->in_c;
    if (t == PK_DT_U8) {
        max_four_u8((const uint8_t *)x + first, y, n, w->in_c, step, row);
    } else {
        max_four_f32((const float *)x + first, y, n, w->in_c, step, row);
    }
    return n;
}

bool pk_max_pool(const struct pk_window *w, enum pk_dtype t, const void *x, void *y, int64_t *index,
                 bool column_major)
{
    size_t elem = pk_dtype_size(t), row = (size_t)w->in_c * elem;
    char *to = y;
    for (int64_t n = 0; n < w->batch; n++) {
        int64_t at[3] = {0};
        struct pixel p = {.image = n * w->in[0] * w->in[1] * w->in[2]};
        for (int64_t i = 0; i < out_pixels(w); i++, step_out(w, at)) {
            const int64_t run =
                index == NULL ? max_four(w, t, at, p.image, x, to) : 0;
            if (run > 0) {
                at[2] += run - 1;
                i += run - 1;
                to += row * (size_t)run;
                continue;
            }
            for (int k = 0; k < 3; k++) {
                p.t[k] = taps_of(w, k, at[k]);
            }
            if (!max_pixel(w, t, &p, x, to)) {
                return false;
            }
            if (index != NULL) {
                max_index(w, t, &p, n, x, index, column_major);
                index += w->in_c;
            }
            to += row;
        }
    }
    return true;
}

/* ---- average ---- */

static void avg_f32(const struct pk_window *w, const struct pixel *p, const void *x,
                    float *restrict y, int64_t count)
{
    const int64_t channels = w->in_c;
    const float inverse = 1.0f / (float)(count > 0 ? count : 1);
    EACH_TAP(float, {
        if (first) {
            memcpy(y, row, (size_t)channels * sizeof *y);
        } else {
            for (int64_t c = 0; c < channels; c++) {
                y[c] += row[c];
            }
        }
    });
    for (int64_t c = 0; c < channels; c++) {
        y[c] *= inverse;
    }
}

/* sum / count, half to even: exact while a float's quotient is nearer than any tie, count <= 4096.
 */
static inline int divide_even(int32_t sum, float count)
{
    return (int)op_rint((float)sum / count);
}

#define MOST_TAPS 4096

#define BYTE_LANES 256

#define AVG_BYTES(name, type)                                                                      \
    static void name(const struct pk_window *w, const struct pixel *p, const void *x, type *out,   \
                     int64_t count)                                                                \
    {                                                                                              \
        const float divisor = (float)(count > 0 ? count : 1);                                      \
        int32_t y[BYTE_LANES];                                                                     \
        for (int64_t begin = 0; begin < w->in_c; begin += BYTE_LANES) {                            \
            const int64_t here = w->in_c - begin < BYTE_LANES ? w->in_c - begin : BYTE_LANES;      \
            const int64_t channels = w->in_c;                                                      \
            memset(y, 0, sizeof y);                                                                \
            bool any = false;                                                                      \
            for (int64_t i = 0; i < p->t[0].to - p->t[0].from; i++) {                              \
                for (int64_t j = 0; j < p->t[1].to - p->t[1].from; j++) {                          \
                    for (int64_t k = 0; k < p->t[2].to - p->t[2].from; k++) {                      \
                        int64_t at = (p->t[0].place + i * w->dilation[0]) * w->in[1];              \
                        at = (at + p->t[1].place + j * w->dilation[1]) * w->in[2];                 \
                        at += p->image + p->t[2].place + k * w->dilation[2];                       \
                        const type *row = (const type *)x + at * channels + begin;                 \
                        for (int64_t c = 0; c < here; c++) {                                       \
                            y[c] += row[c];                                                        \
                        }                                                                          \
                        any = true;                                                                \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
            for (int64_t c = 0; c < here; c++) {                                                   \
                out[begin + c] = (type)(any ? divide_even(y[c], divisor) : 0);                     \
            }                                                                                      \
        }                                                                                          \
    }

AVG_BYTES(avg_u8, uint8_t)
AVG_BYTES(avg_i8, int8_t)

static void avg_any(const struct pk_window *w, enum pk_dtype t, const struct pixel *p,
                    const void *x, char *y, int64_t count)
{
    size_t elem = pk_dtype_size(t);
    const int64_t channels = w->in_c;
    for (int64_t one = 0; one < channels; one++) {
        double sum = 0.0;
        for (int64_t i = 0; i < p->t[0].to - p->t[0].from; i++) {
            for (int64_t j = 0; j < p->t[1].to - p->t[1].from; j++) {
                for (int64_t k = 0; k < p->t[2].to - p->t[2].from; k++) {
                    int64_t at = (p->t[0].place + i * w->dilation[0]) * w->in[1];
                    at = (at + p->t[1].place + j * w->dilation[1]) * w->in[2];
                    at += p->image + p->t[2].place + k * w->dilation[2];
                    sum += pk_load(t, x, (size_t)(at * channels + one));
                }
            }
        }
        pk_store(t, y + (size_t)one * elem, 0, count > 0 ? sum / (double)count : 0.0);
    }
}

bool pk_avg_pool(const struct pk_window *w, enum pk_dtype t, bool count_pad, const void *x, void *y)
{
    size_t elem = pk_dtype_size(t), row = (size_t)w->in_c * elem;
    char *to = y;
    if (elem == 0 || t == PK_DT_BOOL) {
        return false;
    }
    for (int64_t n = 0; n < w->batch; n++) {
        int64_t at[3] = {0};
        struct pixel p = {.image = n * w->in[0] * w->in[1] * w->in[2]};
        for (int64_t i = 0; i < out_pixels(w); i++, step_out(w, at), to += row) {
            int64_t count = 1;
            for (int k = 0; k < 3; k++) {
                p.t[k] = taps_of(w, k, at[k]);
                count *= count_pad ? padded_count(w, k, at[k]) : p.t[k].to - p.t[k].from;
            }
            if (t == PK_DT_F32) {
                avg_f32(w, &p, x, (float *)to, count);
            } else if (t == PK_DT_U8 && count <= MOST_TAPS) {
                avg_u8(w, &p, x, (uint8_t *)to, count);
            } else if (t == PK_DT_I8 && count <= MOST_TAPS) {
                avg_i8(w, &p, x, (int8_t *)to, count);
            } else {
                avg_any(w, t, &p, x, to, count);
            }
        }
    }
    return true;
}
