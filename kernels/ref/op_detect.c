/* op_detect.c: ONNX NonMaxSuppression and TFLite_Detection_PostProcess. */
#include <string.h>

#include "op_math.h"
#include "op_types.h"

struct box {
    float y0, x0, y1, x1; /* y0 <= y1, x0 <= x1 where the operator sorts corners */
};

static float area(const struct box *b)
{
    return (b->y1 - b->y0) * (b->x1 - b->x0);
}

static float overlap(const struct box *a, const struct box *b)
{
    float area_a = area(a), area_b = area(b);
    if (area_a <= 0.0f || area_b <= 0.0f) {
        return 0.0f;
    }
    float y0 = a->y0 > b->y0 ? a->y0 : b->y0, x0 = a->x0 > b->x0 ? a->x0 : b->x0;
    float y1 = a->y1 < b->y1 ? a->y1 : b->y1, x1 = a->x1 < b->x1 ? a->x1 : b->x1;
    float h = y1 - y0 > 0.0f ? y1 - y0 : 0.0f, w = x1 - x0 > 0.0f ? x1 - x0 : 0.0f;
    return h * w / (area_a + area_b - h * w);
}

/* ---- sorting: indices by descending score, equal ones by ascending index (heap sort, in place)
 * ---- */

static bool goes_after(const float *score, int64_t step, int32_t a, int32_t b)
{
    float sa = score[a * step], sb = score[b * step];
    return sa < sb || (sa == sb && a > b);
}

static void sift_down(const float *score, int64_t step, int32_t *index, int64_t root, int64_t n)
{
    for (;;) {
        int64_t child = 2 * root + 1;
        if (child >= n) {
            return;
        }
        if (child + 1 < n && goes_after(score, step, index[child + 1], index[child])) {
            child++;
        }
        if (!goes_after(score, step, index[child], index[root])) {
            return;
        }
        int32_t t = index[root];
        index[root] = index[child];
        index[child] = t;
        root = child;
    }
}

static void sort_by_score(const float *score, int64_t step, int32_t *index, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--) {
        sift_down(score, step, index, i, n);
    }
    for (int64_t end = n - 1; end > 0; end--) {
        int32_t t = index[0];
        index[0] = index[end];
        index[end] = t;
        sift_down(score, step, index, 0, end);
    }
}

/* ---- ONNX ---- */

static struct box onnx_box(const float *b, bool center_point)
{
    if (center_point) { /* x centre, y centre, width, height */
        return (struct box){b[1] - b[3] / 2.0f, b[0] - b[2] / 2.0f, b[1] + b[3] / 2.0f,
                            b[0] + b[2] / 2.0f};
    }
    return (struct box){b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3],
                        b[0] < b[2] ? b[2] : b[0], b[1] < b[3] ? b[3] : b[1]};
}

/* One class: candidates in index[0..n) sorted; keeps at most `most`, moves them to the front,
 * returns how many. */
static int64_t keep_boxes(const struct pk_nms *p, const float *boxes, int32_t *index, int64_t n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n && kept < p->most; i++) {
        struct box candidate = onnx_box(boxes + 4 * (int64_t)index[i], p->center_point);
        bool good = true;
        for (int64_t k = 0; k < kept && good; k++) {
            struct box winner = onnx_box(boxes + 4 * (int64_t)index[k], p->center_point);
            good = !(overlap(&candidate, &winner) > p->iou);
        }
        if (good) {
            index[kept++] = index[i];
        }
    }
    return kept;
}

int64_t pk_nms(const struct pk_nms *p, const float *boxes, const float *scores, int64_t *rows,
               int32_t *scratch)
{
    int64_t n_rows = 0;
    for (int64_t b = 0; b < p->batches; b++) {
        for (int64_t c = 0; c < p->classes; c++) {
            const float *score = scores + (b * p->classes + c) * p->n;
            int64_t n = 0;
            for (int64_t i = 0; i < p->n; i++) {
                if (!p->by_score || score[i] > p->score) {
                    scratch[n++] = (int32_t)i;
                }
            }
            sort_by_score(score, 1, scratch, n);
            int64_t kept = keep_boxes(p, boxes + b * p->n * 4, scratch, n);
            for (int64_t i = 0; i < kept; i++, n_rows++) {
                rows[3 * n_rows] = b;
                rows[3 * n_rows + 1] = c;
                rows[3 * n_rows + 2] = scratch[i];
            }
        }
    }
    return n_rows;
}

/* ---- TFLite ---- */

struct work {
    struct box *boxes;    /* [n] */
    float *best;          /* [n] best score of a box, or its score in one class */
    int32_t *order;       /* [n] candidates by score */
    unsigned char *alive; /* [n] */
    int32_t *chosen;      /* [n] result of one suppression */
    int32_t *found_box, *found_class, *merged_box,
        *merged_class; /* [most + per_class] regular: all classes so far */
    float *found_score, *merged_score;
    int32_t *ranking; /* [classes] */
};

/* The next `bytes` of memory (NULL: only counts). */
static void *take(char *memory, size_t *used, size_t bytes)
{
    void *part = memory != NULL ? memory + *used : NULL;
    *used += (bytes + 15) / 16 * 16;
    return part;
}

/* Lays the arrays out behind memory; returns their size. */
static size_t lay_out(const struct pk_detection *p, struct work *w, char *memory)
{
    size_t n = (size_t)p->n, found = (size_t)p->most + (size_t)p->per_class, used = 0;
    w->boxes = take(memory, &used, n * sizeof *w->boxes);
    w->best = take(memory, &used, n * sizeof *w->best);
    w->order = take(memory, &used, n * sizeof *w->order);
    w->alive = take(memory, &used, n);
    w->chosen = take(memory, &used, n * sizeof *w->chosen);
    w->found_box = take(memory, &used, found * sizeof *w->found_box);
    w->found_class = take(memory, &used, found * sizeof *w->found_class);
    w->merged_box = take(memory, &used, found * sizeof *w->merged_box);
    w->merged_class = take(memory, &used, found * sizeof *w->merged_class);
    w->found_score = take(memory, &used, found * sizeof *w->found_score);
    w->merged_score = take(memory, &used, found * sizeof *w->merged_score);
    w->ranking = take(memory, &used, (size_t)p->classes * sizeof *w->ranking);
    return used;
}

size_t pk_detection_scratch(const struct pk_detection *p)
{
    struct work w;
    return lay_out(p, &w, NULL);
}

static void decode(const struct pk_detection *p, const float *boxes, const float *anchors,
                   struct box *out)
{
    for (int64_t i = 0; i < p->n; i++) {
        const float *b = boxes + i * p->box_pitch,
                    *a = anchors + i * p->anchor_pitch; /* y, x, h, w */
        float y = b[0] / p->y_scale * a[2] + a[0], x = b[1] / p->x_scale * a[3] + a[1];
        float h = 0.5f * op_exp(b[2] / p->h_scale) * a[2],
              w = 0.5f * op_exp(b[3] / p->w_scale) * a[3];
        out[i] = (struct box){y - h, x - w, y + h, x + w};
    }
}

/* Suppression by w->best; the survivors (at most `most`) go to w->chosen in order. */
static int suppress(const struct pk_detection *p, struct work *w, int most)
{
    int64_t n = 0;
    int kept = 0;
    if (p->n <= 0) {
        return 0;
    }
    for (int64_t i = 0; i < p->n; i++) {
        if (w->best[i] >= p->score) {
            w->order[n++] = (int32_t)i;
        }
    }
    sort_by_score(w->best, 1, w->order, n);
    memset(w->alive, 1, (size_t)p->n);
    for (int64_t i = 0; i < n && kept < most; i++) {
        if (w->alive[i] == 0) {
            continue;
        }
        w->chosen[kept++] = w->order[i];
        for (int64_t j = i + 1; j < n; j++) {
            if (w->alive[j] != 0 &&
                overlap(&w->boxes[w->order[i]], &w->boxes[w->order[j]]) > p->iou) {
                w->alive[j] = 0;
            }
        }
    }
    return kept;
}

static void write_row(const struct work *w, int row, int32_t box, int32_t class, float score,
                      float *boxes, float *classes, float *scores)
{
    memcpy(boxes + 4 * (size_t)row, &w->boxes[box], sizeof w->boxes[box]);
    classes[row] = (float)class;
    scores[row] = score;
}

/* One suppression over every box's best classes. */
static int fast(const struct pk_detection *p, struct work *w, const float *scores, float *out_boxes,
                float *out_classes, float *out_scores)
{
    int64_t background = p->score_pitch - p->classes;
    int each = p->classes_per_detection < p->classes ? p->classes_per_detection : (int)p->classes;
    for (int64_t i = 0; i < p->n; i++) {
        const float *s = scores + i * p->score_pitch + background;
        w->best[i] = s[0];
        for (int64_t c = 1; c < p->classes; c++) {
            w->best[i] = s[c] > w->best[i] ? s[c] : w->best[i];
        }
    }
    int kept = suppress(p, w, p->most);
    for (int row = 0; row < kept; row++) {
        const float *s = scores + w->chosen[row] * p->score_pitch + background;
        for (int32_t c = 0; c < p->classes; c++) {
            w->ranking[c] = c;
        }
        sort_by_score(s, 1, w->ranking, p->classes);
        for (int k = 0; k < each; k++) {
            write_row(w, row * each + k, w->chosen[row], w->ranking[k], s[w->ranking[k]], out_boxes,
                      out_classes, out_scores);
        }
    }
    return kept;
}

/* One suppression per class; the best of all classes are kept. */
static int regular(const struct pk_detection *p, struct work *w, const float *scores,
                   float *out_boxes, float *out_classes, float *out_scores)
{
    int64_t background = p->score_pitch - p->classes;
    int n_found = 0;
    for (int32_t c = 0; c < p->classes; c++) {
        for (int64_t i = 0; i < p->n; i++) {
            w->best[i] = scores[i * p->score_pitch + background + c];
        }
        int kept = suppress(p, w, p->per_class), a = 0, b = 0, n = 0;
        while (n < p->most && (a < n_found || b < kept)) {
            bool older = b == kept || (a < n_found && w->found_score[a] >= w->best[w->chosen[b]]);
            w->merged_box[n] = older ? w->found_box[a] : w->chosen[b];
            w->merged_class[n] = older ? w->found_class[a] : c;
            w->merged_score[n++] = older ? w->found_score[a] : w->best[w->chosen[b]];
            a += older;
            b += !older;
        }
        n_found = n;
        memcpy(w->found_box, w->merged_box, (size_t)n * sizeof *w->found_box);
        memcpy(w->found_class, w->merged_class, (size_t)n * sizeof *w->found_class);
        memcpy(w->found_score, w->merged_score, (size_t)n * sizeof *w->found_score);
    }
    for (int row = 0; row < n_found; row++) {
        write_row(w, row, w->found_box[row], w->found_class[row], w->found_score[row], out_boxes,
                  out_classes, out_scores);
    }
    return n_found;
}

void pk_detection(const struct pk_detection *p, const float *boxes, const float *scores,
                  const float *anchors, float *out_boxes, float *out_classes, float *out_scores,
                  float *out_count, void *scratch)
{
    struct work w;
    size_t rows = (size_t)p->most * (size_t)p->classes_per_detection;
    lay_out(p, &w, scratch);
    memset(out_boxes, 0, rows * 4 * sizeof *out_boxes);
    memset(out_classes, 0, rows * sizeof *out_classes);
    memset(out_scores, 0, rows * sizeof *out_scores);
    decode(p, boxes, anchors, w.boxes);
    *out_count = (float)(p->regular ? regular(p, &w, scores, out_boxes, out_classes, out_scores)
                                    : fast(p, &w, scores, out_boxes, out_classes, out_scores));
}
