#include "pipeline/ops.h"

#include <math.h>

/* Height, width and channels of a picture value. */
static enum pare_status picture(const struct pare_value *v, int64_t *h, int64_t *w, int64_t *c,
                                struct pare_error *err)
{
    const int skip = v->rank == 4 ? 1 : 0;
    if ((v->rank != 4 && v->rank != 3) || (v->rank == 4 && v->dims[0] != 1)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected a picture [1,height,width,channels], got %d dimensions",
                          v->rank);
    }
    *h = v->dims[skip];
    *w = v->dims[skip + 1];
    *c = v->dims[skip + 2];
    if (*h < 1 || *w < 1 || *c < 1) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "the picture is empty");
    }
    return PARE_OK;
}

static enum pare_status new_picture(int64_t h, int64_t w, int64_t c, struct pare_arena *arena,
                                    struct pare_value **out, struct pare_error *err)
{
    if (h < 1 || w < 1 || h > PARE_OP_MAX_SIDE || w > PARE_OP_MAX_SIDE) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "a picture of %lldx%lld: sides must be 1 to %d", (long long)w,
                          (long long)h, PARE_OP_MAX_SIDE);
    }
    const int64_t dims[4] = {1, h, w, c};
    *out = pare_value_new(arena, 4, dims);
    return *out == NULL ? pare_error_nomem(err) : PARE_OK;
}

/* Adds weight * pixel (y, x) to out[c]; a pixel outside is 0. */
static void add_pixel(const float *pixels, int64_t h, int64_t w, int64_t c, int64_t y, int64_t x,
                      float weight, float *out)
{
    if (y < 0 || x < 0 || y >= h || x >= w) {
        return;
    }
    const float *p = pixels + (y * w + x) * c;
    for (int64_t k = 0; k < c; k++) {
        out[k] += weight * p[k];
    }
}

/* The largest whole number not above x; |x| is small. */
static int64_t whole(double x)
{
    const int64_t t = (int64_t)x;
    return t - ((double)t > x);
}

/* out[c], all 0, becomes the picture at (y, x). */
static void sample_zero(const float *pixels, int64_t h, int64_t w, int64_t c, double y, double x,
                        float *out)
{
    if (!(x > -1 && y > -1 && x < (double)w && y < (double)h)) {
        return; /* also NaN */
    }
    const int64_t y0 = whole(y), x0 = whole(x);
    const float ty = (float)(y - (double)y0), tx = (float)(x - (double)x0);
    const float w00 = (1 - ty) * (1 - tx), w01 = (1 - ty) * tx, w10 = ty * (1 - tx), w11 = ty * tx;
    if (y0 >= 0 && x0 >= 0 && y0 + 1 < h && x0 + 1 < w) {
        const float *p = pixels + (y0 * w + x0) * c, *q = p + w * c;
        for (int64_t k = 0; k < c; k++) { /* from 0 on, as add_pixel adds */
            out[k] = 0.0f + w00 * p[k] + w01 * p[c + k] + w10 * q[k] + w11 * q[c + k];
        }
        return;
    }
    add_pixel(pixels, h, w, c, y0, x0, w00, out);
    add_pixel(pixels, h, w, c, y0, x0 + 1, w01, out);
    add_pixel(pixels, h, w, c, y0 + 1, x0, w10, out);
    add_pixel(pixels, h, w, c, y0 + 1, x0 + 1, w11, out);
}

enum pare_status pare_op_crop(const struct pare_value *image, const struct pare_box *box, int out_w,
                              int out_h, double scale, struct pare_arena *arena,
                              struct pare_value **out, struct pare_error *err)
{
    int64_t h, w, c;
    enum pare_status status = picture(image, &h, &w, &c, err);
    if (status != PARE_OK || (status = new_picture(out_h, out_w, c, arena, out, err)) != PARE_OK) {
        return status;
    }
    const double side = scale * fmax(box->w * (double)w, box->h * (double)h);
    const double x0 = box->cx * (double)w - 0.5, y0 = box->cy * (double)h - 0.5;
    const double cosine = cos(box->angle), sine = sin(box->angle);
    const bool good = isfinite(side) && isfinite(x0) && isfinite(y0) && isfinite(cosine) &&
                      isfinite(box->w) && isfinite(box->h);
    double *column = pare_arena_array(arena, (size_t)out_w, 2 * sizeof *column); /* y, x of each in the middle row */
    if (column == NULL) {
        return pare_error_nomem(err);
    }
    for (int j = 0; j < out_w; j++) {
        const double dx = ((j + 0.5) / out_w - 0.5) * side;
        column[2 * j] = y0 + dx * sine;
        column[2 * j + 1] = x0 + dx * cosine;
    }
    float *to = (*out)->data;
    for (int i = 0; i < out_h && good; i++) {
        const double dy = ((i + 0.5) / out_h - 0.5) * side, down = dy * cosine, left = dy * sine;
        for (int j = 0; j < out_w; j++, to += c) {
            sample_zero(image->data, h, w, c, column[2 * j] + down, column[2 * j + 1] - left, to);
        }
    }
    return PARE_OK;
}

enum pare_status pare_op_crop_frame(const struct pare_value *image, const struct pare_box *box,
                                    double scale, struct pare_box *frame, struct pare_error *err)
{
    int64_t h, w, c;
    const enum pare_status status = picture(image, &h, &w, &c, err);
    if (status == PARE_OK) {
        const double side = scale * fmax(box->w * (double)w, box->h * (double)h);
        *frame = (struct pare_box){.cx = box->cx,
                                   .cy = box->cy,
                                   .w = side / (double)w,
                                   .h = side / (double)h,
                                   .angle = box->angle,
                                   .score = box->score};
    }
    return status;
}

/* Bilinear, half-pixel centres, edges repeated: source rows/columns and weight of one output index.
 */
static void tap(int i, int n_out, int64_t n_in, int64_t *a, int64_t *b, float *t)
{
    double x = (i + 0.5) * (double)n_in / n_out - 0.5;
    x = fmin(fmax(x, 0), (double)(n_in - 1));
    *a = (int64_t)x;
    *b = *a + 1 < n_in ? *a + 1 : *a;
    *t = (float)(x - (double)*a);
}

struct tap {
    int64_t a, b;
    float t;
};

/* Scales the whole picture into the rectangle (left, top, rw, rh) of out. false = memory. */
static bool paint(const struct pare_value *image, int64_t h, int64_t w, int64_t c,
                  struct pare_value *out, int left, int top, int rw, int rh, struct pare_arena *arena)
{
    const int64_t out_w = out->dims[2];
    struct tap *x = pare_arena_array(arena, (size_t)rw, sizeof *x), y;
    for (int j = 0; x != NULL && j < rw; j++) {
        tap(j, rw, w, &x[j].a, &x[j].b, &x[j].t);
    }
    for (int i = 0; x != NULL && i < rh; i++) {
        tap(i, rh, h, &y.a, &y.b, &y.t);
        const float *p = image->data + y.a * w * c, *q = image->data + y.b * w * c;
        float *o = out->data + ((top + i) * out_w + left) * c;
        for (int j = 0; j < rw; j++, o += c) {
            const float tx = x[j].t;
            for (int64_t k = 0; k < c; k++) {
                const float u = p[x[j].a * c + k] * (1 - tx) + p[x[j].b * c + k] * tx;
                const float v = q[x[j].a * c + k] * (1 - tx) + q[x[j].b * c + k] * tx;
                o[k] = u * (1 - y.t) + v * y.t;
            }
        }
    }
    return x != NULL;
}

enum pare_status pare_op_resize(const struct pare_value *image, int out_w, int out_h,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err)
{
    int64_t h, w, c;
    enum pare_status status = picture(image, &h, &w, &c, err);
    if (status != PARE_OK || (status = new_picture(out_h, out_w, c, arena, out, err)) != PARE_OK) {
        return status;
    }
    return paint(image, h, w, c, *out, 0, 0, out_w, out_h, arena) ? PARE_OK : pare_error_nomem(err);
}

static void fill_with(struct pare_value *v, double fill)
{
    const int64_t n = pare_value_elements(v);
    for (int64_t i = 0; i < n; i++) {
        v->data[i] = (float)fill;
    }
}

/* Where the scaled picture lies in the output. */
static void inner_rectangle(int64_t w, int64_t h, int out_w, int out_h, int *left, int *top,
                            int *rw, int *rh)
{
    const double scale = fmin((double)out_w / (double)w, (double)out_h / (double)h);
    *rw = (int)((double)w * scale + 0.5);
    *rh = (int)((double)h * scale + 0.5);
    *rw = *rw < 1 ? 1 : *rw > out_w ? out_w : *rw;
    *rh = *rh < 1 ? 1 : *rh > out_h ? out_h : *rh;
    *left = (out_w - *rw) / 2;
    *top = (out_h - *rh) / 2;
}

enum pare_status pare_op_letterbox(const struct pare_value *image, int out_w, int out_h,
                                   double fill, struct pare_arena *arena, struct pare_value **out,
                                   struct pare_error *err)
{
    int64_t h, w, c;
    int left, top, rw, rh;
    enum pare_status status = picture(image, &h, &w, &c, err);
    if (status != PARE_OK || (status = new_picture(out_h, out_w, c, arena, out, err)) != PARE_OK) {
        return status;
    }
    fill_with(*out, fill);
    inner_rectangle(w, h, out_w, out_h, &left, &top, &rw, &rh);
    return paint(image, h, w, c, *out, left, top, rw, rh, arena) ? PARE_OK : pare_error_nomem(err);
}

enum pare_status pare_op_letterbox_frame(const struct pare_value *image, int out_w, int out_h,
                                         struct pare_box *frame, struct pare_error *err)
{
    int64_t h, w, c;
    int left, top, rw, rh;
    const enum pare_status status = picture(image, &h, &w, &c, err);
    if (status != PARE_OK) {
        return status;
    }
    if (out_w < 1 || out_h < 1 || out_w > PARE_OP_MAX_SIDE || out_h > PARE_OP_MAX_SIDE) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "sides must be 1 to %d", PARE_OP_MAX_SIDE);
    }
    inner_rectangle(w, h, out_w, out_h, &left, &top, &rw, &rh);
    *frame = (struct pare_box){.cx = (out_w * 0.5 - left) / rw,
                               .cy = (out_h * 0.5 - top) / rh,
                               .w = (double)out_w / rw,
                               .h = (double)out_h / rh,
                               .score = 1};
    return PARE_OK;
}

enum pare_status pare_op_border(const struct pare_value *image, int pixels, double fill,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err)
{
    int64_t h, w, c;
    enum pare_status status = picture(image, &h, &w, &c, err);
    if (status != PARE_OK) {
        return status;
    }
    if (pixels < 0 || pixels > PARE_OP_MAX_SIDE) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "a border of %d pixels: expected 0 to %d",
                          pixels, PARE_OP_MAX_SIDE);
    }
    status = new_picture(h + 2 * pixels, w + 2 * pixels, c, arena, out, err);
    if (status != PARE_OK) {
        return status;
    }
    fill_with(*out, fill);
    const int64_t out_w = w + 2 * pixels;
    for (int64_t y = 0; y < h; y++) {
        const float *from = image->data + y * w * c;
        float *to = (*out)->data + ((y + pixels) * out_w + pixels) * c;
        for (int64_t k = 0; k < w * c; k++) {
            to[k] = from[k];
        }
    }
    return PARE_OK;
}
