#include "pipeline/ops.h"

#include <math.h>
#include <stdlib.h>

#define MAX_CANDIDATES 1024

/* How to read element (channel, y, x) of a grid value: offset = channel * sc + cell * sp. */
struct layout {
    int64_t h, w, channel_step, cell_step;
};

static bool grid_layout(const struct pare_value *v, int channels, struct layout *l)
{
    if (v->rank != 4 || v->dims[0] != 1) {
        return false;
    }
    if (v->dims[1] == channels) {
        *l = (struct layout){v->dims[2], v->dims[3], v->dims[2] * v->dims[3], 1};
    } else if (v->dims[3] == channels) {
        *l = (struct layout){v->dims[1], v->dims[2], 1, channels};
    } else {
        return false;
    }
    return l->h > 0 && l->w > 0;
}

enum pare_status pare_op_best_box(const struct pare_value *grid, const struct pare_value *boxes,
                                  double threshold, bool *found, struct pare_box *box,
                                  struct pare_error *err)
{
    struct layout s, b;
    *found = false;
    if (!grid_layout(grid, boxes == NULL ? 5 : 1, &s)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected a grid of %s, [1,rows,columns,n] or [1,n,rows,columns]",
                          boxes == NULL ? "5 numbers" : "scores");
    }
    if (boxes != NULL && (!grid_layout(boxes, 4, &b) || b.h != s.h || b.w != s.w)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected boxes of 4 numbers for each of the %lldx%lld scores",
                          (long long)s.h, (long long)s.w);
    }
    int64_t best = -1;
    for (int64_t i = 0; i < s.h * s.w; i++) {
        const float x = grid->data[i * s.cell_step];
        if (!isnan(x) && (best < 0 || x > grid->data[best * s.cell_step])) {
            best = i;
        }
    }
    if (best < 0) {
        return PARE_OK;
    }
    const double score = pare_sigmoid((double)grid->data[best * s.cell_step]);
    if (!(score >= threshold)) {
        return PARE_OK;
    }
    const struct layout *l = boxes == NULL ? &s : &b;
    const float *p = boxes == NULL ? grid->data + s.channel_step : boxes->data;
    double v[4];
    for (int k = 0; k < 4; k++) {
        v[k] = pare_sigmoid((double)p[k * l->channel_step + best * l->cell_step]);
    }
    *box = (struct pare_box){.cx = ((double)(best % s.w) + v[0]) / (double)s.w,
                             .cy = ((double)(best / s.w) + v[1]) / (double)s.h,
                             .w = v[2],
                             .h = v[3],
                             .score = score};
    *found = true;
    return PARE_OK;
}

/* The anchor's centre: layer, then cell, then anchor of the cell. */
static void anchor_centre(const struct pare_ssd *ssd, int64_t i, double *x, double *y)
{
    for (int l = 0; l < ssd->n_layers; l++) {
        const int64_t g = ssd->grid[l], n = g * g * ssd->per_cell[l];
        if (i < n) {
            const int64_t cell = i / ssd->per_cell[l];
            *x = ((double)(cell % g) + 0.5) / (double)g;
            *y = ((double)(cell / g) + 0.5) / (double)g;
            return;
        }
        i -= n;
    }
    *x = *y = 0;
}

static double iou(const struct pare_box *a, const struct pare_box *b)
{
    const double left = fmax(a->cx - a->w / 2, b->cx - b->w / 2);
    const double right = fmin(a->cx + a->w / 2, b->cx + b->w / 2);
    const double top = fmax(a->cy - a->h / 2, b->cy - b->h / 2);
    const double bottom = fmin(a->cy + a->h / 2, b->cy + b->h / 2);
    if (!(right > left) || !(bottom > top)) {
        return 0;
    }
    const double both = (right - left) * (bottom - top);
    const double all = a->w * a->h + b->w * b->h - both;
    return all > 0 ? both / all : 0;
}

static int by_score(const void *a, const void *b)
{
    const struct pare_box *const *x = a, *const *y = b;
    if ((*x)->score != (*y)->score) {
        return (*x)->score < (*y)->score ? 1 : -1;
    }
    return *x < *y ? -1 : *x > *y; /* candidates lie in anchor order: sorting is deterministic */
}

/* Averages of all candidates that overlap the best one, weighted by score. Marks them used (score <
 * 0). */
static struct pare_box merge(struct pare_box **c, int n, int first, double limit)
{
    struct pare_box sum = *c[first];
    const struct pare_box best = *c[first];
    double total = 0;
    sum.cx = sum.cy = sum.w = sum.h = 0;
    for (int p = 0; p < best.n_points; p++) {
        sum.points[p][0] = sum.points[p][1] = 0;
    }
    for (int i = first; i < n; i++) {
        if (c[i]->score < 0 || (i != first && !(iou(c[i], &best) > limit))) {
            continue;
        }
        const double s = c[i]->score;
        total += s;
        sum.cx += s * c[i]->cx;
        sum.cy += s * c[i]->cy;
        sum.w += s * c[i]->w;
        sum.h += s * c[i]->h;
        for (int p = 0; p < best.n_points; p++) {
            sum.points[p][0] += s * c[i]->points[p][0];
            sum.points[p][1] += s * c[i]->points[p][1];
        }
        c[i]->score = -1;
    }
    if (!(total > 0)) {
        return best;
    }
    sum.cx /= total;
    sum.cy /= total;
    sum.w /= total;
    sum.h /= total;
    for (int p = 0; p < best.n_points; p++) {
        sum.points[p][0] /= total;
        sum.points[p][1] /= total;
    }
    return sum;
}

static bool read_candidate(const struct pare_ssd *ssd, const float *raw, int64_t width,
                           int64_t anchor, double score, struct pare_box *box)
{
    double x, y;
    anchor_centre(ssd, anchor, &x, &y);
    *box = (struct pare_box){.cx = raw[0] / ssd->size + x,
                             .cy = raw[1] / ssd->size + y,
                             .w = raw[2] / ssd->size,
                             .h = raw[3] / ssd->size,
                             .score = score,
                             .n_points = (int)((width - 4) / 2)};
    bool good = isfinite(box->cx) && isfinite(box->cy) && isfinite(box->w) && isfinite(box->h);
    for (int p = 0; p < box->n_points; p++) {
        box->points[p][0] = raw[4 + 2 * p] / ssd->size + x;
        box->points[p][1] = raw[5 + 2 * p] / ssd->size + y;
        good = good && isfinite(box->points[p][0]) && isfinite(box->points[p][1]);
    }
    return good;
}

static enum pare_status check_ssd(const struct pare_value *raw, const struct pare_value *scores,
                                  const struct pare_ssd *ssd, int64_t *count, int64_t *width,
                                  struct pare_error *err)
{
    int64_t n = 0;
    if (ssd->n_layers < 1 || ssd->n_layers > 8 || !(ssd->size > 0)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected 1 to 8 layers of anchors and a size");
    }
    for (int l = 0; l < ssd->n_layers; l++) {
        if (ssd->grid[l] < 1 || ssd->grid[l] > 512 || ssd->per_cell[l] < 1 ||
            ssd->per_cell[l] > 64) {
            return pare_error(err, PARE_ERR_USAGE, NULL,
                              "layer %d: expected {grid, anchors per cell}", l + 1);
        }
        n += (int64_t)ssd->grid[l] * ssd->grid[l] * ssd->per_cell[l];
    }
    if (n > PARE_OP_MAX_ANCHORS) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld anchors, at most %d", (long long)n,
                          PARE_OP_MAX_ANCHORS);
    }
    if (raw->rank < 2 || pare_value_elements(scores) != n || raw->dims[raw->rank - 2] != n ||
        raw->dims[raw->rank - 1] < 4 || raw->dims[raw->rank - 1] % 2 != 0 ||
        raw->dims[raw->rank - 1] > 4 + 2 * PARE_OP_MAX_POINTS ||
        pare_value_elements(raw) != n * raw->dims[raw->rank - 1]) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected boxes [1,%lld,4+2k] and %lld scores, one for each anchor",
                          (long long)n, (long long)n);
    }
    *count = n;
    *width = raw->dims[raw->rank - 1];
    return PARE_OK;
}

enum pare_status pare_op_ssd_boxes(const struct pare_value *raw, const struct pare_value *scores,
                                   const struct pare_ssd *ssd, struct pare_arena *arena,
                                   struct pare_box *boxes, int max, int *n, struct pare_error *err)
{
    int64_t count, width;
    *n = 0;
    enum pare_status status = check_ssd(raw, scores, ssd, &count, &width, err);
    if (status != PARE_OK) {
        return status;
    }
    int wanted = 0;
    for (int64_t i = 0; i < count; i++) {
        wanted += pare_sigmoid((double)scores->data[i]) >= ssd->threshold;
    }
    if (wanted > MAX_CANDIDATES) {
        wanted =
            MAX_CANDIDATES; /* a detector that fires everywhere: the first ones in anchor order */
    }
    if (wanted == 0) {
        return PARE_OK;
    }
    struct pare_box *all = pare_arena_array(arena, (size_t)wanted, sizeof *all);
    struct pare_box **sorted = pare_arena_array(arena, (size_t)wanted, sizeof *sorted);
    if (all == NULL || sorted == NULL) {
        return pare_error_nomem(err);
    }
    int used = 0;
    for (int64_t i = 0; i < count && used < wanted; i++) {
        const double score = pare_sigmoid((double)scores->data[i]);
        if (score >= ssd->threshold &&
            read_candidate(ssd, raw->data + i * width, width, i, score, &all[used])) {
            sorted[used] = &all[used];
            used++;
        }
    }
    if (used > 1) {
        qsort(sorted, (size_t)used, sizeof *sorted, by_score);
    }
    for (int i = 0; i < used && *n < max; i++) {
        if (sorted[i]->score >= 0) {
            boxes[(*n)++] = merge(sorted, used, i, ssd->iou);
        }
    }
    return PARE_OK;
}

static bool image_size(const struct pare_value *image, double *w, double *h)
{
    if (image->rank != 3 && image->rank != 4) {
        return false;
    }
    *h = (double)image->dims[image->rank - 3];
    *w = (double)image->dims[image->rank - 2];
    return *w > 0 && *h > 0;
}

enum pare_status pare_op_turn_box(const struct pare_value *image, const struct pare_box *box,
                                  int from, int to, double shift_x, double shift_y, double scale,
                                  struct pare_box *out, struct pare_error *err)
{
    double width, height;
    if (!image_size(image, &width, &height)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected a picture [1,height,width,channels]");
    }
    if (from < 0 || to < 0 || from >= box->n_points || to >= box->n_points) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "the box has %d key points", box->n_points);
    }
    const double pi = 3.14159265358979323846;
    const double dx = (box->points[to][0] - box->points[from][0]) * width;
    const double dy = (box->points[to][1] - box->points[from][1]) * height;
    double angle = pi / 2 - atan2(-dy, dx);
    angle -= 2 * pi * floor((angle + pi) / (2 * pi));
    const double c = cos(angle), s = sin(angle);
    const double mx = box->w * width * shift_x, my = box->h * height * shift_y;
    const double side = fmax(box->w * width, box->h * height) * scale;
    *out = *box;
    out->angle = angle;
    out->cx += (mx * c - my * s) / width;
    out->cy += (mx * s + my * c) / height;
    out->w = side / width;
    out->h = side / height;
    return PARE_OK;
}

/* A point (u, v) of the frame, fractions of it, as fractions of the picture. */
static void place_point(const struct pare_box *frame, double width, double height, double u,
                        double v, double *x, double *y)
{
    const double dx = (u - 0.5) * frame->w * width, dy = (v - 0.5) * frame->h * height;
    const double c = cos(frame->angle), s = sin(frame->angle);
    *x = frame->cx + (dx * c - dy * s) / width;
    *y = frame->cy + (dx * s + dy * c) / height;
}

enum pare_status pare_op_place(const struct pare_value *points, int k, const struct pare_box *frame,
                               const struct pare_value *image, struct pare_arena *arena,
                               struct pare_value **out, struct pare_error *err)
{
    double width, height;
    const int64_t n = pare_value_elements(points);
    if (!image_size(image, &width, &height)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected a picture [1,height,width,channels]");
    }
    if (k < 2 || n % k != 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld numbers are no points of %d each",
                          (long long)n, k);
    }
    *out = pare_value_new(arena, points->rank, points->dims);
    if (*out == NULL) {
        return pare_error_nomem(err);
    }
    for (int64_t i = 0; i < n; i += k) {
        double x, y;
        place_point(frame, width, height, (double)points->data[i], (double)points->data[i + 1], &x,
                    &y);
        (*out)->data[i] = (float)x;
        (*out)->data[i + 1] = (float)y;
        for (int j = 2; j < k; j++) {
            const double v = (double)points->data[i + j];
            (*out)->data[i + j] = (float)(j == 2 ? v * frame->w : v);
        }
    }
    return PARE_OK;
}

enum pare_status pare_op_place_box(const struct pare_box *box, const struct pare_box *frame,
                                   const struct pare_value *image, struct pare_box *out,
                                   struct pare_error *err)
{
    double width, height;
    if (!image_size(image, &width, &height)) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "expected a picture [1,height,width,channels]");
    }
    *out = *box;
    place_point(frame, width, height, box->cx, box->cy, &out->cx, &out->cy);
    out->w = box->w * frame->w;
    out->h = box->h * frame->h;
    out->angle = box->angle + frame->angle;
    for (int p = 0; p < box->n_points; p++) {
        place_point(frame, width, height, box->points[p][0], box->points[p][1], &out->points[p][0],
                    &out->points[p][1]);
    }
    return PARE_OK;
}
