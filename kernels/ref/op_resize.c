/*
 * op_resize.c: nearest, linear and cubic resize of any axes. For every resized axis a table says
 * which input places an output place reads and with which weights; an output element is the sum
 * over the product of its axes' taps. Places outside the input read its border.
 */
#include <math.h>
#include <string.h>

#include "op_resize_rows.h"

static double narrowing(const struct pk_resize *r, int axis)
{
    return r->antialias && r->mode != PK_RESIZE_NEAREST && r->scale[axis] < 1.0 ? r->scale[axis]
                                                                                : 1.0;
}

/* First tap relative to the place left of the coordinate; there are 2 - 2 * first of them. */
static int first_tap(const struct pk_resize *r, int axis)
{
    double reach = r->mode == PK_RESIZE_LINEAR ? 1.0 : 2.0;
    return (int)floor(-reach / narrowing(r, axis)) + 1;
}

static int tap_count(const struct pk_resize *r, int axis)
{
    return r->mode == PK_RESIZE_NEAREST ? 1 : 2 - 2 * first_tap(r, axis);
}

/* Where output place i of an axis lies in the input. */
static double coordinate(const struct pk_resize *r, int axis, int64_t i)
{
    double in = (double)r->in[axis], out = (double)r->out[axis], scale = r->scale[axis],
           x = (double)i;
    double width = scale == out / in ? out : scale * in; /* not whole when a scale was given */
    bool centre = r->coord == PK_COORD_HALF_PIXEL || r->coord == PK_COORD_HALF_PIXEL_SYMMETRIC ||
                  r->coord == PK_COORD_PYTORCH_HALF_PIXEL;
    double shifted = centre ? x + 0.5 : x;
    double plain =
        scale == out / in ? shifted * in / out : shifted / scale; /* exact where it can be */
    switch (r->coord) {
    case PK_COORD_ALIGN_CORNERS:
        return width == 1.0 ? 0.0 : x * (in - 1.0) / (width - 1.0);
    case PK_COORD_ASYMMETRIC:
        return plain;
    case PK_COORD_PYTORCH_HALF_PIXEL:
        return width == 1.0 ? -0.5 : plain - 0.5;
    case PK_COORD_HALF_PIXEL_SYMMETRIC:
        return in / 2.0 * (1.0 - out / width) + plain - 0.5;
    case PK_COORD_TF_CROP_AND_RESIZE: {
        double part = r->roi_end[axis] - r->roi_begin[axis];
        double at = width == 1.0 ? part * (in - 1.0) / 2.0 : x * part * (in - 1.0) / (width - 1.0);
        return at + r->roi_begin[axis] * (in - 1.0);
    }
    case PK_COORD_HALF_PIXEL:
        break;
    }
    return plain - 0.5;
}

static int32_t clamp_place(double place, int64_t size)
{
    double last = (double)(size - 1);
    return (int32_t)(place < 0.0 ? 0.0 : place > last ? last : place);
}

static int32_t nearest_place(const struct pk_resize *r, int axis, double x)
{
    double low = floor(x), part = x - low;
    bool up = false;
    switch (r->nearest) {
    case PK_NEAREST_ROUND_PREFER_FLOOR:
        up = part > 0.5;
        break;
    case PK_NEAREST_ROUND_PREFER_CEIL:
        up = part >= 0.5;
        break;
    case PK_NEAREST_FLOOR:
        break;
    case PK_NEAREST_CEIL:
        up = part > 0.0;
        break;
    }
    return clamp_place(up ? low + 1.0 : low, r->in[axis]);
}

static double kernel_at(const struct pk_resize *r, double x)
{
    double d = fabs(x), a = r->cubic_a;
    if (r->mode == PK_RESIZE_LINEAR) {
        return d < 1.0 ? 1.0 - d : 0.0;
    }
    if (d <= 1.0) {
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    }
    return d < 2.0 ? ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a : 0.0;
}

static void fill_place(const struct pk_resize *r, const struct axis_table *t, int64_t i)
{
    int axis = t->axis, first = t->n_taps > 1 ? first_tap(r, axis) : 0;
    int32_t *place = t->place + i * t->n_taps;
    float *weight = t->weight + i * t->n_taps;
    double x = coordinate(r, axis, i), sum = 0.0, narrow = narrowing(r, axis);
    if (r->coord == PK_COORD_TF_CROP_AND_RESIZE && !(x >= 0.0 && x <= (double)(r->in[axis] - 1))) {
        place[0] = -1;
        return;
    }
    if (r->mode == PK_RESIZE_NEAREST) {
        place[0] = nearest_place(r, axis, x);
        weight[0] = 1.0f;
        return;
    }
    /* The place left of x, so that 0 < x - left <= 1. */
    double left = ceil(x) - 1.0, part = x - left;
    for (int pass = 0; pass < 2; pass++) { /* sum the weights, then write them */
        for (int k = 0; k < t->n_taps; k++) {
            double at = left + first + k, w = kernel_at(r, ((double)(first + k) - part) * narrow);
            bool outside = at < 0.0 || at > (double)(r->in[axis] - 1);
            w = r->exclude_outside && outside ? 0.0 : w;
            if (pass == 0) {
                sum += w;
            } else {
                place[k] = clamp_place(at, r->in[axis]);
                weight[k] = (float)(sum != 0.0 ? w / sum : 0.0);
            }
        }
    }
}

size_t pk_resize_scratch(const struct pk_resize *r)
{
    size_t total = 0;
    for (int i = 0; i < r->rank; i++) {
        size_t bytes;
        double taps = r->mode == PK_RESIZE_NEAREST ? 1.0 : 2.0 + 4.0 / narrowing(r, i);
        if (!r->resized[i]) {
            continue;
        }
        if (!(taps < 1e6) ||
            __builtin_mul_overflow((size_t)r->out[i] * (sizeof(int32_t) + sizeof(float)),
                                   (size_t)tap_count(r, i), &bytes) ||
            __builtin_add_overflow(total, bytes + 16, &total)) {
            return SIZE_MAX;
        }
    }
    return total;
}

/* Fills the tables; returns their number. */
static int make_tables(const struct pk_resize *r, struct axis_table *t, void *scratch)
{
    int64_t step[PK_OPS_MAX_RANK];
    char *memory = scratch;
    int n = 0;
    op_dense_steps(r->rank, r->in, step);
    for (int i = 0; i < r->rank; i++) {
        if (!r->resized[i]) {
            continue;
        }
        int taps = tap_count(r, i);
        size_t count = (size_t)r->out[i] * (size_t)taps;
        t[n] = (struct axis_table){i, taps, (int32_t *)(void *)memory,
                                   (float *)(void *)(memory + count * sizeof(int32_t)), step[i]};
        memory += (count * (sizeof(int32_t) + sizeof(float)) + 15) / 16 * 16;
        for (int64_t k = 0; k < r->out[i]; k++) {
            fill_place(r, &t[n], k);
        }
        n++;
    }
    return n;
}

static void write_position(const struct pk_resize *r, const struct position *p, enum pk_dtype t,
                           size_t elem, const void *x, void *y, int64_t to)
{
    int64_t at = p->base;
    struct sixteenths s;
    for (int i = 0; i < p->n_tables; i++) {
        if (p->place[i][0] < 0) { /* beside the region */
            for (int64_t c = 0; c < p->inner; c++) {
                pk_store(t, y, (size_t)(to + c), r->extrapolation);
            }
            return;
        }
        at += p->place[i][0] * p->tables[i].in_step;
    }
    if (r->mode == PK_RESIZE_NEAREST) {
        memcpy((char *)y + (size_t)to * elem, (const char *)x + (size_t)at * elem,
               (size_t)p->inner * elem);
    } else if (t == PK_DT_U8 && sixteenths_of(p, &s)) {
        row_sixteenths(&s, x, (uint8_t *)y + to, p->inner);
    } else if (t == PK_DT_F32) {
        row_f32(p, x, (float *)y + to);
    } else {
        t == PK_DT_U8   ? row_u8(p, x, (uint8_t *)y + to)
        : t == PK_DT_I8 ? row_i8(p, x, (int8_t *)y + to)
                        : row_any(p, t, x, y, to);
    }
}

/* Do the tables double two neighbouring axes? */
static bool doubles(const struct pk_resize *r, const struct axis_table *t, int n)
{
    return n == 2 && t[1].axis == t[0].axis + 1 && axis_doubles(&t[0], r->in[t[0].axis], r->out[t[0].axis]) &&
           axis_doubles(&t[1], r->in[t[1].axis], r->out[t[1].axis]);
}

/* All pictures of two doubled axes, of which `last` is the second. */
static void double_pictures(const struct pk_resize *r, const struct pk_resize_grids *grids, int last, const uint8_t *x, uint8_t *y)
{
    struct double_picture p = {grids, r->in[last - 1], r->in[last], op_product(r->rank - last - 1, r->in + (last + 1)), x, y};
    for (int64_t i = op_product(last - 1, r->in); i > 0; i--, p.x += p.h * p.w * p.inner, p.y += 4 * p.h * p.w * p.inner) {
        double_picture(&p);
    }
}

bool pk_resize_codes(const struct pk_resize *r, const struct pk_resize_grids *g, const uint8_t *x, uint8_t *y, void *scratch)
{
    struct axis_table tables[PK_OPS_MAX_RANK];
    if (r->mode != PK_RESIZE_LINEAR || op_product(r->rank, r->out) == 0 || op_product(r->rank, r->in) == 0) {
        return false;
    }
    const int n = make_tables(r, tables, scratch);
    if (!doubles(r, tables, n)) {
        return false;
    }
    double_pictures(r, g, tables[1].axis, x, y);
    return true;
}

bool pk_resize(const struct pk_resize *r, enum pk_dtype t, const void *x, void *y, void *scratch)
{
    struct axis_table tables[PK_OPS_MAX_RANK];
    int64_t in_step[PK_OPS_MAX_RANK], at[PK_OPS_MAX_RANK] = {0};
    size_t elem = pk_dtype_size(t);
    bool blends = pk_dtype_is_float(t) || t == PK_DT_U8 || t == PK_DT_I8;
    if (elem == 0 || (r->mode != PK_RESIZE_NEAREST && !blends)) {
        return false;
    }
    if (op_product(r->rank, r->out) == 0 || op_product(r->rank, r->in) == 0) {
        return true;
    }
    op_dense_steps(r->rank, r->in, in_step);
    int n = make_tables(r, tables, scratch), last = n > 0 ? tables[n - 1].axis : -1;
    struct position p = {.tables = tables,
                         .n_tables = n,
                         .inner = op_product(r->rank - last - 1, r->in + (last + 1))};
    int64_t rows = op_product(last + 1, r->out);
    if (t == PK_DT_U8 && r->mode == PK_RESIZE_LINEAR && doubles(r, tables, n)) {
        double_pictures(r, NULL, last, x, y);
        return true;
    }
    for (int64_t row = 0; row < rows; row++) {
        p.base = 0;
        for (int i = 0, k = 0; i <= last; i++) {
            if (k < n && tables[k].axis == i) {
                p.place[k] = tables[k].place + at[i] * tables[k].n_taps;
                p.weight[k] = tables[k].weight + at[i] * tables[k].n_taps;
                k++;
            } else {
                p.base += at[i] * in_step[i];
            }
        }
        write_position(r, &p, t, elem, x, y, row * p.inner);
        for (int i = last; i >= 0 && ++at[i] == r->out[i]; i--) {
            at[i] = 0;
        }
    }
    return true;
}
