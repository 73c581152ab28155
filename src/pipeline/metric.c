/* metric.c: one sample's item, from its outcome and label. metric_set.c adds them up. */
#include "pipeline/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline.h"

#define MAX_BOXES 10000

static const char *const names[PARE_METRIC_COUNT] = {"top1", "auc", "pck", "map", "map50", "iou", "function"};

const char *pare_metric_name(enum pare_metric_kind kind)
{
    return (unsigned)kind < PARE_METRIC_COUNT ? names[kind] : "?";
}

enum pare_metric_kind pare_metric_parse(const char *name)
{
    for (int k = 0; k < PARE_METRIC_COUNT; k++) {
        if (strcmp(name, names[k]) == 0) {
            return (enum pare_metric_kind)k;
        }
    }
    return PARE_METRIC_COUNT;
}

bool pare_metric_is_mean(enum pare_metric_kind kind)
{
    return kind == PARE_METRIC_TOP1 || kind == PARE_METRIC_PCK || kind == PARE_METRIC_IOU;
}

static enum pare_status wrong_kind(const struct pare_metric *m, const struct pare_outcome *o, const char *where,
                                   struct pare_error *err)
{
    static const char *const wanted[PARE_METRIC_COUNT] = {"a class (op.argmax, op.class)", "a score (op.score)",
                                                          "points (op.points)",            "boxes (op.boxes)",
                                                          "boxes (op.boxes)",              "boxes (op.boxes)"};
    static const char *const got[] = {"nothing", "a class", "points", "a score", "boxes"};
    return pare_error(err, PARE_ERR_CONFIG, where, "metric %s needs %s, the outcome is %s", names[m->kind],
                      wanted[m->kind], got[o->kind]);
}

/* ---- auc ---- */

static enum pare_status auc_item(const struct pare_sample *s, const struct pare_outcome *o, const char *where,
                                 json_t **item, struct pare_error *err)
{
    if (s->label > 1) {
        return pare_error(err, PARE_ERR_CONFIG, where, "metric auc needs labels 0 and 1, sample %d has %d", s->index,
                          s->label);
    }
    const double score = o->n_answer > 0 ? (double)o->answer[0] : NAN;
    *item = s->label < 0 ? json_null() : json_pack("[i, o]", s->label, pare_json_real(score));
    return PARE_OK;
}

/* ---- pck ---- */

static bool point_of(const struct pare_value *v, int i, int numbers, double *x, double *y)
{
    *x = (double)v->data[i * numbers];
    *y = (double)v->data[i * numbers + 1];
    /* a third number is the visibility: 0 = not labelled */
    return isfinite(*x) && isfinite(*y) && (numbers < 3 || !(v->data[i * numbers + 2] <= 0));
}

/* The longer side of the rectangle around all labelled points. */
static double box_side(const struct pare_value *v, int n, int numbers)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY}, at[2];
    for (int i = 0; i < n; i++) {
        for (int a = 0; a < 2 && point_of(v, i, numbers, &at[0], &at[1]); a++) {
            low[a] = at[a] < low[a] ? at[a] : low[a];
            high[a] = at[a] > high[a] ? at[a] : high[a];
        }
    }
    const double w = high[0] - low[0], h = high[1] - low[1];
    return w > h ? w : h;
}

static enum pare_status pck_item(const struct pare_metric *m, const struct pare_sample *s, const struct pare_outcome *o,
                                 const char *where, json_t **item, struct pare_error *err)
{
    const struct pare_value *t = s->target;
    int hits = 0, labelled = 0;
    if (t == NULL) {
        *item = json_null();
        return PARE_OK;
    }
    const int numbers = t->rank >= 2 ? (int)t->dims[t->rank - 1] : 0;
    const int n = numbers >= 2 ? (int)(pare_value_elements(t) / numbers) : 0;
    if (numbers < 2 || numbers > 3 || n == 0) {
        return pare_error(err, PARE_ERR_CONFIG, where, "metric pck needs targets of K points of x, y (and visibility): (N, K, 2) or (N, K, 3)");
    }
    const int own = o->kind == PARE_OUTCOME_NONE ? 0 : o->n_answer / n;
    if (o->kind != PARE_OUTCOME_NONE && (o->n_answer != own * n || own < 2)) {
        return pare_error(err, PARE_ERR_CONFIG, where, "the target has %d points, the outcome %d numbers", n, o->n_answer);
    }
    const double reach = (m->threshold > 0 ? m->threshold : 0.2) * (m->unit ? 1 : box_side(t, n, numbers));
    for (int i = 0; i < n; i++) {
        double x, y;
        if (!point_of(t, i, numbers, &x, &y)) {
            continue;
        }
        labelled++;
        if (own > 0) {
            const double dx = (double)o->answer[i * own] - x, dy = (double)o->answer[i * own + 1] - y;
            hits += dx * dx + dy * dy <= reach * reach; /* NaN is no hit */
        }
    }
    *item = labelled > 0 ? json_pack("[i, i]", hits, labelled) : json_null();
    return PARE_OK;
}

/* ---- boxes ---- */

/* Boxes are (class, score, cx, cy, w, h) in answers, (class, cx, cy, w, h) in targets. */

double pare_box_iou(const float *a, const float *b)
{
    double inside = 1;
    for (int k = 0; k < 2; k++) {
        const double a0 = (double)a[k] - (double)a[k + 2] / 2, a1 = (double)a[k] + (double)a[k + 2] / 2;
        const double b0 = (double)b[k] - (double)b[k + 2] / 2, b1 = (double)b[k] + (double)b[k + 2] / 2;
        const double side = (a1 < b1 ? a1 : b1) - (a0 > b0 ? a0 : b0);
        inside *= side > 0 ? side : 0;
    }
    const double area = (double)a[2] * (double)a[3] + (double)b[2] * (double)b[3] - inside;
    return area > 0 && isfinite(area) ? inside / area : 0;
}

struct ranked {
    float score;
    int at;
};

static int by_score(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : a->at - b->at;
}

static enum pare_status check_boxes(const struct pare_sample *s, const struct pare_outcome *o, const char *name,
                                    const char *where, int *n_truth, struct pare_error *err)
{
    const struct pare_value *t = s->target;
    if (t->rank < 2 || t->dims[t->rank - 1] != 5) {
        return pare_error(err, PARE_ERR_CONFIG, where, "metric %s needs targets of boxes (class, cx, cy, w, h): (N, M, 5)", name);
    }
    *n_truth = (int)(pare_value_elements(t) / 5);
    if (*n_truth > MAX_BOXES || o->n_answer / 6 > MAX_BOXES) {
        return pare_error(err, PARE_ERR_CONFIG, where, "more than %d boxes in a picture", MAX_BOXES);
    }
    return PARE_OK;
}

/* A row of padding has a class below 0 or numbers that are not finite. */
static bool is_box(const float *t)
{
    return t[0] >= 0 && isfinite(t[1] + t[2] + t[3] + t[4]);
}

static json_t *count_truths(const float *truth, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        int same = 0;
        bool first = is_box(truth + 5 * i);
        for (int k = 0; k < n && first; k++) {
            const bool equal = is_box(truth + 5 * k) && truth[5 * k] == truth[5 * i];
            first = !(equal && k < i);
            same += equal;
        }
        if (first) {
            json_array_append_new(list, json_pack("[i, i]", (int)truth[5 * i], same));
        }
    }
    return list;
}

/* Greedy matching at one IoU; taken[n] is scratch. hits[k] is set for the k-th ranked answer. */
static void match(const float *answers, const struct ranked *order, int n, const float *truth, int n_truth,
                  double least, bool *taken, int *mask, int bit)
{
    memset(taken, 0, (size_t)n_truth * sizeof *taken);
    for (int k = 0; k < n; k++) {
        const float *a = answers + 6 * order[k].at;
        double best = least - 1e-10;
        int found = -1;
        for (int t = 0; t < n_truth; t++) {
            if (taken[t] || !is_box(truth + 5 * t) || truth[5 * t] != a[0]) {
                continue;
            }
            const double x = pare_box_iou(a + 2, truth + 5 * t + 1);
            if (x >= best && (found < 0 || x > best)) {
                best = x;
                found = t;
            }
        }
        if (found >= 0) {
            taken[found] = true;
            mask[k] |= 1 << bit;
        }
    }
}

static enum pare_status map_item(const struct pare_metric *m, const struct pare_sample *s, const struct pare_outcome *o,
                                 const char *where, json_t **item, struct pare_error *err)
{
    int n_truth, n = 0;
    if (s->target == NULL) {
        *item = json_null();
        return PARE_OK;
    }
    enum pare_status status = check_boxes(s, o, names[m->kind], where, &n_truth, err);
    if (status != PARE_OK) {
        return status;
    }
    const int all = o->n_answer / 6;
    struct ranked *order = calloc((size_t)all + 1, sizeof *order);
    int *mask = calloc((size_t)all + 1, sizeof *mask);
    bool *taken = calloc((size_t)n_truth + 1, sizeof *taken);
    json_t *found = json_array();
    for (int i = 0; order != NULL && i < all; i++) {
        if (isfinite(o->answer[6 * i + 1])) {
            order[n++] = (struct ranked){o->answer[6 * i + 1], i};
        }
    }
    if (order == NULL || mask == NULL || taken == NULL || found == NULL) {
        status = pare_error_nomem(err);
    } else {
        qsort(order, (size_t)n, sizeof *order, by_score);
        int kept = 0; /* the best answers of every class */
        for (int k = 0; k < n; k++) {
            int before = 0;
            for (int j = 0; j < kept; j++) {
                before += o->answer[6 * order[j].at] == o->answer[6 * order[k].at];
            }
            order[kept] = order[k];
            kept += before < PARE_MAP_DETECTIONS;
        }
        for (int i = 0; i < PARE_IOU_STEPS; i++) {
            match(o->answer, order, kept, s->target->data, n_truth, 0.5 + 0.05 * i, taken, mask, i);
        }
        for (int k = 0; k < kept; k++) {
            json_array_append_new(found, json_pack("[i, f, i]", (int)o->answer[6 * order[k].at], (double)order[k].score, mask[k]));
        }
        *item = json_pack("[o, O]", count_truths(s->target->data, n_truth), found);
    }
    json_decref(found);
    free(order);
    free(mask);
    free(taken);
    return status;
}

static enum pare_status iou_item(const struct pare_sample *s, const struct pare_outcome *o, const char *where,
                                 json_t **item, struct pare_error *err)
{
    int n_truth, best = -1;
    *item = json_null();
    if (s->target == NULL) {
        return PARE_OK;
    }
    enum pare_status status = check_boxes(s, o, "iou", where, &n_truth, err);
    for (int i = 0; status == PARE_OK && i < o->n_answer / 6; i++) {
        best = best < 0 || o->answer[6 * i + 1] > o->answer[6 * best + 1] ? i : best;
    }
    for (int t = 0; status == PARE_OK && t < n_truth; t++) {
        if (is_box(s->target->data + 5 * t)) {
            const double x = best >= 0 ? pare_box_iou(o->answer + 6 * best + 2, s->target->data + 5 * t + 1) : 0;
            *item = json_pack("[f, i]", round(x * 1e6) / 1e6, 1);
            break;
        }
    }
    return status;
}

/* ---- function: outcome and label in full ---- */

static json_t *numbers_json(const float *x, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_array_append_new(list, pare_json_real((double)x[i]));
    }
    return list;
}

static json_t *function_item(const struct pare_sample *s, const struct pare_outcome *o)
{
    json_t *label = s->target != NULL ? numbers_json(s->target->data, pare_value_elements(s->target))
                    : s->label >= 0   ? json_integer(s->label)
                                      : json_false();
    json_t *outcome = json_false();
    if (o->kind == PARE_OUTCOME_CLASS && o->prediction >= 0) {
        outcome = json_integer(o->prediction);
    } else if (o->kind == PARE_OUTCOME_SCORE && o->n_answer > 0) {
        outcome = pare_json_real((double)o->answer[0]);
    } else if (o->kind == PARE_OUTCOME_POINTS) {
        outcome = numbers_json(o->answer, o->n_answer);
    } else if (o->kind == PARE_OUTCOME_BOXES) {
        outcome = json_array();
        for (int i = 0; i < o->n_answer / 6; i++) {
            json_t *box = numbers_json(o->answer + 6 * i, 6);
            json_array_set_new(box, 0, json_integer((json_int_t)o->answer[6 * i])); /* a class as any: from 1 in Lua */
            json_array_append_new(outcome, box);
        }
    }
    return json_pack("[o, o]", outcome, label);
}

enum pare_status pare_metric_item(const struct pare_metric *m, const struct pare_sample *s, const struct pare_outcome *o,
                                  const char *where, json_t **item, struct pare_error *err)
{
    static const enum pare_outcome_kind wanted[PARE_METRIC_FUNCTION] = {PARE_OUTCOME_CLASS, PARE_OUTCOME_SCORE,
                                                                        PARE_OUTCOME_POINTS, PARE_OUTCOME_BOXES,
                                                                        PARE_OUTCOME_BOXES, PARE_OUTCOME_BOXES};
    enum pare_status status = PARE_OK;
    *item = NULL;
    if (m->kind < PARE_METRIC_FUNCTION && o->kind != PARE_OUTCOME_NONE && o->kind != wanted[m->kind]) {
        return wrong_kind(m, o, where, err);
    }
    switch (m->kind) {
    case PARE_METRIC_TOP1:
        *item = s->label < 0 ? json_null()
                             : json_pack("[i, i]", o->kind == PARE_OUTCOME_CLASS && o->prediction == s->label, 1);
        break;
    case PARE_METRIC_AUC:
        status = auc_item(s, o, where, item, err);
        break;
    case PARE_METRIC_PCK:
        status = pck_item(m, s, o, where, item, err);
        break;
    case PARE_METRIC_MAP:
    case PARE_METRIC_MAP50:
        status = map_item(m, s, o, where, item, err);
        break;
    case PARE_METRIC_IOU:
        status = iou_item(s, o, where, item, err);
        break;
    default:
        *item = function_item(s, o);
        break;
    }
    return status == PARE_OK && *item == NULL ? pare_error_nomem(err) : status;
}
