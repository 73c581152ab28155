/* metric_set.c: metrics over the items of many samples, each counted as often as asked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/metric.h"

/* auc: label and the two scores; means: hits of the two sides and what they are out of. */
struct pair {
    double value[2], total;
    int label;
};

struct truth {
    int sample, class, n;
};

struct detection {
    int sample, class, mask, order;
    double score;
};

struct pare_metric_set {
    enum pare_metric_kind kind;
    int n, cap;
    struct pair *pairs;
    int n_truths, cap_truths;
    struct truth *truths;
    int n_found[2], cap_found[2];
    struct detection *found[2];
    /* made when first asked for, dropped when a sample is added */
    int *rank[2];    /* auc: samples by score */
    bool sorted;     /* map */
    double *scratch; /* [2 * n_found] */
    bool differs;
};

struct pare_metric_set *pare_metric_set_new(enum pare_metric_kind kind)
{
    struct pare_metric_set *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->kind = kind;
    }
    return s;
}

static void drop_order(struct pare_metric_set *s)
{
    for (int side = 0; side < 2; side++) {
        free(s->rank[side]);
        s->rank[side] = NULL;
    }
    free(s->scratch);
    s->scratch = NULL;
    s->sorted = false;
}

void pare_metric_set_free(struct pare_metric_set *s)
{
    if (s == NULL) {
        return;
    }
    drop_order(s);
    free(s->pairs);
    free(s->truths);
    free(s->found[0]);
    free(s->found[1]);
    free(s);
}

int pare_metric_set_count(const struct pare_metric_set *s)
{
    return s->n;
}

bool pare_metric_set_equal(const struct pare_metric_set *s)
{
    return !s->differs;
}

/* One more element of *list (n used, *cap there). */
static bool grow(void **list, int n, int *cap, size_t size)
{
    if (n < *cap) {
        return true;
    }
    const int wanted = *cap > 0 ? 2 * *cap : 64;
    void *p = realloc(*list, (size_t)wanted * size);
    if (p == NULL) {
        return false;
    }
    *list = p;
    *cap = wanted;
    return true;
}

static bool add_boxes(struct pare_metric_set *s, int side, const json_t *item)
{
    const json_t *truths = json_array_get(item, 0), *found = json_array_get(item, 1);
    for (size_t i = 0; side == 0 && i < json_array_size(truths); i++) {
        const json_t *t = json_array_get(truths, i);
        if (!grow((void **)&s->truths, s->n_truths, &s->cap_truths, sizeof *s->truths)) {
            return false;
        }
        s->truths[s->n_truths++] = (struct truth){s->n, (int)json_integer_value(json_array_get(t, 0)),
                                                  (int)json_integer_value(json_array_get(t, 1))};
    }
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *d = json_array_get(found, i);
        if (!grow((void **)&s->found[side], s->n_found[side], &s->cap_found[side], sizeof *s->found[side])) {
            return false;
        }
        s->found[side][s->n_found[side]] = (struct detection){s->n, (int)json_integer_value(json_array_get(d, 0)),
                                                              (int)json_integer_value(json_array_get(d, 2)),
                                                              s->n_found[side], pare_json_at_real(d, 1)};
        s->n_found[side]++;
    }
    return true;
}

bool pare_metric_set_add(struct pare_metric_set *s, const json_t *reference, const json_t *candidate)
{
    const json_t *sides[2] = {reference, candidate};
    struct pair p = {.label = -1};
    if (!json_is_array(reference) || !json_is_array(candidate)) {
        return (reference == NULL || json_is_null(reference) || json_is_array(reference)) &&
               (candidate == NULL || json_is_null(candidate) || json_is_array(candidate));
    }
    if (!grow((void **)&s->pairs, s->n, &s->cap, sizeof *s->pairs)) {
        return false;
    }
    drop_order(s);
    const bool boxes = s->kind == PARE_METRIC_MAP || s->kind == PARE_METRIC_MAP50;
    for (int side = 0; side < 2; side++) {
        if (boxes) {
            if (!add_boxes(s, side, sides[side])) {
                return false;
            }
        } else if (s->kind == PARE_METRIC_AUC) {
            p.label = (int)json_integer_value(json_array_get(sides[side], 0));
            p.value[side] = pare_json_at_real(sides[side], 1);
            if (isnan(p.value[side])) { /* no score: wrong beside every sample of the other class */
                p.value[side] = p.label == 1 ? -INFINITY : INFINITY;
            }
        } else {
            p.value[side] = pare_json_at_real(sides[side], 0);
            p.total = pare_json_at_real(sides[side], 1);
            if (!isfinite(p.value[side]) || !isfinite(p.total)) {
                return false;
            }
        }
    }
    s->differs = s->differs || !json_equal(reference, candidate);
    s->pairs[s->n++] = p;
    return true;
}

/* ---- means ---- */

static double mean_value(const struct pare_metric_set *s, int side, const int *count)
{
    double hits = 0, total = 0;
    for (int i = 0; i < s->n; i++) {
        const int k = count != NULL ? count[i] : 1;
        hits += k * s->pairs[i].value[side];
        total += k * s->pairs[i].total;
    }
    return total > 0 ? hits / total : NAN;
}

/* ---- auc ---- */

struct scored {
    double value;
    int at;
};

static int by_value(const void *pa, const void *pb)
{
    const struct scored *a = pa, *b = pb;
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : a->at - b->at;
}

static bool rank_scores(struct pare_metric_set *s, int side)
{
    struct scored *all = malloc((size_t)(s->n + 1) * sizeof *all);
    s->rank[side] = malloc((size_t)(s->n + 1) * sizeof *s->rank[side]);
    if (all == NULL || s->rank[side] == NULL) {
        free(all);
        free(s->rank[side]);
        s->rank[side] = NULL;
        return false;
    }
    for (int i = 0; i < s->n; i++) {
        all[i] = (struct scored){s->pairs[i].value[side], i};
    }
    qsort(all, (size_t)s->n, sizeof *all, by_value);
    for (int i = 0; i < s->n; i++) {
        s->rank[side][i] = all[i].at;
    }
    free(all);
    return true;
}

static double auc_value(struct pare_metric_set *s, int side, const int *count)
{
    double below = 0, positives = 0, won = 0;
    if (s->rank[side] == NULL && !rank_scores(s, side)) {
        return NAN;
    }
    for (int i = 0; i < s->n;) {
        const double value = s->pairs[s->rank[side][i]].value[side];
        double here[2] = {0, 0};
        for (; i < s->n && s->pairs[s->rank[side][i]].value[side] == value; i++) {
            const int at = s->rank[side][i];
            here[s->pairs[at].label == 1] += count != NULL ? count[at] : 1;
        }
        /* two samples without a score are both wrong */
        won += here[1] * (below + (isfinite(value) ? here[0] / 2 : 0));
        below += here[0];
        positives += here[1];
    }
    return below > 0 && positives > 0 ? won / (below * positives) : NAN;
}

/* ---- map ---- */

static int by_class_and_score(const void *pa, const void *pb)
{
    const struct detection *a = pa, *b = pb;
    if (a->class != b->class) {
        return a->class - b->class;
    }
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : a->order - b->order;
}

static int by_class(const void *pa, const void *pb)
{
    const struct truth *a = pa, *b = pb;
    return a->class != b->class ? a->class - b->class : a->sample - b->sample;
}

static bool sort_boxes(struct pare_metric_set *s)
{
    int most = s->n_found[0] > s->n_found[1] ? s->n_found[0] : s->n_found[1];
    s->scratch = malloc((size_t)(2 * most + 1) * sizeof *s->scratch);
    if (s->scratch == NULL) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        if (s->n_found[side] > 0) {
            qsort(s->found[side], (size_t)s->n_found[side], sizeof *s->found[side], by_class_and_score);
        }
    }
    if (s->n_truths > 0) {
        qsort(s->truths, (size_t)s->n_truths, sizeof *s->truths, by_class);
    }
    s->sorted = true;
    return true;
}

/* Average precision of n answers, best first, at one IoU; `positives` boxes are labelled. */
static double average_precision(const struct detection *d, int n, int bit, double positives, const int *count,
                                double *hits, double *precision)
{
    double right = 0, wrong = 0, best = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        const int k = count != NULL ? count[d[i].sample] : 1;
        right += (d[i].mask >> bit & 1) != 0 ? k : 0;
        wrong += (d[i].mask >> bit & 1) != 0 ? 0 : k;
        hits[i] = right;
        precision[i] = right + wrong > 0 ? right / (right + wrong) : 0;
    }
    int r = 100;
    for (int i = n - 1; i >= 0; i--) { /* from the largest recall down: the best precision so far */
        while (r >= 0 && 100 * hits[i] < r * positives) {
            sum += best; /* recall r lies above this answer's */
            r--;
        }
        best = precision[i] > best ? precision[i] : best;
    }
    return (sum + (r + 1) * best) / 101;
}

static double map_value(struct pare_metric_set *s, int side, const int *count)
{
    const int bits = s->kind == PARE_METRIC_MAP50 ? 1 : PARE_IOU_STEPS;
    double sum = 0;
    int classes = 0, from = 0;
    if (!s->sorted && !sort_boxes(s)) {
        return NAN;
    }
    const struct detection *d = s->found[side];
    for (int t = 0; t < s->n_truths;) {
        const int class = s->truths[t].class;
        double positives = 0;
        for (; t < s->n_truths && s->truths[t].class == class; t++) {
            positives += (count != NULL ? count[s->truths[t].sample] : 1) * (double)s->truths[t].n;
        }
        while (from < s->n_found[side] && d[from].class < class) {
            from++;
        }
        int n = 0;
        while (from + n < s->n_found[side] && d[from + n].class == class) {
            n++;
        }
        if (positives > 0) {
            classes++;
            for (int bit = 0; bit < bits && n > 0; bit++) {
                sum += average_precision(d + from, n, bit, positives, count, s->scratch, s->scratch + n) / bits;
            }
        }
    }
    return classes > 0 ? sum / classes : NAN;
}

double pare_metric_set_value(struct pare_metric_set *s, int side, const int *count)
{
    switch (s->kind) {
    case PARE_METRIC_AUC:
        return auc_value(s, side, count);
    case PARE_METRIC_MAP:
    case PARE_METRIC_MAP50:
        return map_value(s, side, count);
    case PARE_METRIC_FUNCTION:
        return NAN;
    default:
        return mean_value(s, side, count);
    }
}
