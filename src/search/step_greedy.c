/*
 * step_greedy.c: lists and depths.
 *
 * greedy, as AIMET's automatic mixed precision: every (group, level) below the widest is a candidate, sorted by what
 * it costs alone (the sensitivity table), the gentlest first; of equals the one that saves most. Point i of the curve
 * has the first i candidates applied; applying the list from the widest down or taking it back from the narrowest up
 * passes the same points. Assuming the quality only worsens along the curve, the last point within the limit is found
 * by bisection; "reverse": true looks at the narrowest end first. "points": k asks for k points spread over the whole
 * curve instead, at once, and assumes nothing. A change that would lead further out of the extra rows is passed over.
 *
 * bisect, as circle-mpqsolver: two levels, settings "wide" and "narrow" (default: widest and narrowest that all
 * groups share); layers up to a depth have one, the rest the other. Both halves are asked for first: the side that
 * hurts more when narrow is kept wide. Then the depth is bisected.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/solver.h"

struct change {
    double loss, saved;
    int group, level;
};

static int gentlest_first(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->loss != y->loss) {
        return x->loss < y->loss ? -1 : 1;
    }
    if (x->saved != y->saved) {
        return x->saved > y->saved ? -1 : 1;
    }
    return x->group != y->group ? x->group - y->group : x->level - y->level;
}

/* The allowed level of a group that loses least (widest) or saves most (narrowest). */
static int end_level(const struct pare_problem *p, int g, int saving, bool narrow)
{
    int best = -1;
    for (int l = 0; l < p->n_levels; l++) {
        const double *cost = p->cost[narrow ? saving : PARE_COST_LOSS];
        if (p->allowed[g * p->n_levels + l] && (best < 0 || cost[g * p->n_levels + l] < cost[g * p->n_levels + best])) {
            best = l;
        }
    }
    return best;
}

/* What is to be saved: the objective, or the first budget when quality is the objective. */
static int saved_figure(const struct pare_problem *p)
{
    if (p->objective != PARE_COST_LOSS) {
        return (int)p->objective;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (c != PARE_COST_LOSS && isfinite(p->limit[c])) {
            return c;
        }
    }
    return PARE_COST_LATENCY;
}

/* The list; changes that save nothing beside the widest are not in it. NULL when memory is out. */
static struct change *list_of(const struct pare_problem *p, int saving, int *n)
{
    struct change *list = malloc(((size_t)p->n_groups * (size_t)p->n_levels + 1) * sizeof *list);
    *n = 0;
    for (int g = 0; list != NULL && g < p->n_groups; g++) {
        const int from = g * p->n_levels + end_level(p, g, saving, false);
        for (int l = 0; l < p->n_levels; l++) {
            const int i = g * p->n_levels + l;
            const double saved = p->cost[saving][from] - p->cost[saving][i];
            if (p->allowed[i] && saved > 0) {
                list[(*n)++] = (struct change){p->cost[PARE_COST_LOSS][i] - p->cost[PARE_COST_LOSS][from], saved, g, l};
            }
        }
    }
    if (list != NULL) {
        qsort(list, (size_t)*n, sizeof *list, gentlest_first);
    }
    return list;
}

/* Point i of the curve. A later change of a group counts only if it saves more than what the group has. */
static void point_of(const struct pare_problem *p, const struct change *list, int i, int saving, int *levels)
{
    for (int g = 0; g < p->n_groups; g++) {
        levels[g] = end_level(p, g, saving, false);
    }
    double over = pare_rows_over(p, levels);
    for (int k = 0; k < i; k++) {
        const double *cost = p->cost[saving] + list[k].group * p->n_levels;
        const int before = levels[list[k].group];
        if (cost[list[k].level] < cost[before]) {
            levels[list[k].group] = list[k].level;
            const double then = p->n_rows > 0 ? pare_rows_over(p, levels) : 0;
            if (then > over) {
                levels[list[k].group] = before;
            } else {
                over = then;
            }
        }
    }
}

static enum pare_status nomem_unless(bool ok, struct pare_error *err)
{
    return ok ? PARE_OK : pare_error_nomem(err);
}

/* The curve that was seen: [{"at", "levels", "quality"}]. */
static bool remember(json_t *curve, const struct pare_problem *p, int at, const int *levels, double quality)
{
    json_t *its = pare_levels_json(p, levels);
    return its != NULL && json_array_append_new(curve, json_pack("{s:i, s:o, s:o}", "at", at, "levels", its, "quality",
                                                                 pare_json_real(isfinite(quality) ? quality : NAN))) == 0;
}

/* Of all points seen the best by worth; in s->answers. */
static enum pare_status answer_best(struct pare_step *s, const json_t *curve, int *levels, struct pare_error *err)
{
    const double limit = pare_json_get_real(s->settings, "quality_limit");
    struct pare_worth best = {INFINITY, INFINITY};
    const json_t *its = NULL;
    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *item = json_array_get(curve, i);
        const double quality = pare_json_get_real(item, "quality");
        if (!isfinite(quality) || !pare_levels_read(s->p, json_object_get(item, "levels"), levels)) {
            continue;
        }
        const struct pare_worth w = pare_worth_of(s->p, levels, quality, limit);
        if (its == NULL || pare_worth_less(w, best)) {
            best = w;
            its = json_object_get(item, "levels");
        }
    }
    s->done = true;
    s->answers = json_array();
    return nomem_unless(its == NULL || json_array_append(s->answers, (json_t *)(uintptr_t)its) == 0, err);
}

/* One step of a bisection over 0..n: state {"lo", "hi", "at", "curve"}: lo is within the limits, hi is not. Without a
 * limit of quality the other budgets decide: the least i that holds them. */
struct bisection {
    int lo, hi, at;
    json_t *curve;
};

static void read_bisection(const struct pare_step *s, struct bisection *b)
{
    b->lo = (int)pare_json_get_int(s->state, "lo", -1);
    b->hi = (int)pare_json_get_int(s->state, "hi", -1);
    b->at = (int)pare_json_get_int(s->state, "at", -1);
    b->curve = json_deep_copy(json_object_get(s->state, "curve"));
    b->curve = b->curve != NULL ? b->curve : json_array();
}

static bool write_bisection(struct pare_step *s, const struct bisection *b)
{
    s->new_state = json_pack("{s:i, s:i, s:i, s:O}", "lo", b->lo, "hi", b->hi, "at", b->at, "curve", b->curve);
    s->curve = json_incref(b->curve);
    return s->new_state != NULL;
}

/* Takes what was told of point b->at; more of i is worse for quality and better for the rest. */
static void narrow_down(const struct pare_step *s, struct bisection *b, const int *levels, double quality)
{
    const double limit = pare_json_get_real(s->settings, "quality_limit");
    if (isfinite(limit) ? quality <= limit : pare_worth_of(s->p, levels, quality, NAN).over > 0) {
        b->lo = b->at;
    } else {
        b->hi = b->at;
    }
}

/* Point number k of `points` spread over 0..n. */
static int spread(int n, int points, int k)
{
    return points > 1 ? (int)((double)n * k / (points - 1) + 0.5) : n;
}

enum pare_status pare_step_greedy(struct pare_step *s, struct pare_error *err)
{
    const struct pare_problem *p = s->p;
    const int saving = saved_figure(p);
    struct bisection b;
    int n, *levels = calloc((size_t)p->n_groups, sizeof *levels);
    int points = (int)pare_json_get_int(s->settings, "points", 0);
    struct change *list = list_of(p, saving, &n);
    enum pare_status status = nomem_unless(levels != NULL && list != NULL, err);
    read_bisection(s, &b);
    points = points > n + 1 ? n + 1 : points;
    if (status == PARE_OK && s->state == NULL) {
        b.lo = -1;
        b.hi = n + 1;
        b.at = pare_json_get_bool(s->settings, "reverse", false) ? n : n / 2;
        bool ok = true;
        for (int k = 0; k < points && ok; k++) {
            point_of(p, list, spread(n, points, k), saving, levels);
            ok = pare_step_ask(s, levels, 0);
        }
        point_of(p, list, b.at, saving, levels);
        status = nomem_unless(ok && (points > 0 || pare_step_ask(s, levels, 0)), err);
    } else if (status == PARE_OK) {
        for (int k = 0; k < (points > 0 ? points : 1) && status == PARE_OK; k++) {
            const double quality = pare_step_told(s, (size_t)k);
            b.at = points > 0 ? spread(n, points, k) : b.at;
            point_of(p, list, b.at, saving, levels);
            status = nomem_unless(remember(b.curve, p, b.at, levels, quality), err);
            narrow_down(s, &b, levels, quality);
        }
        if (status == PARE_OK && (points > 0 || b.hi - b.lo <= 1)) {
            status = answer_best(s, b.curve, levels, err);
        } else if (status == PARE_OK) {
            b.at = b.lo + (b.hi - b.lo) / 2;
            point_of(p, list, b.at, saving, levels);
            status = nomem_unless(pare_step_ask(s, levels, 0), err);
        }
    }
    if (status == PARE_OK) {
        status = nomem_unless(write_bisection(s, &b), err);
    }
    json_decref(b.curve);
    free(levels);
    free(list);
    return status;
}

/* ---- bisect ---- */

/* Groups before `depth` at one level, the others at the other; where a level is not allowed, the nearest that is. */
static void depth_levels(const struct pare_problem *p, int depth, bool front_wide, int wide, int narrow, int *levels)
{
    for (int g = 0; g < p->n_groups; g++) {
        const int want = (g < depth) == front_wide ? wide : narrow;
        int best = -1;
        for (int l = 0; l < p->n_levels; l++) {
            if (p->allowed[g * p->n_levels + l] && (best < 0 || abs(l - want) < abs(best - want))) {
                best = l;
            }
        }
        levels[g] = best;
    }
}

enum pare_status pare_step_bisect(struct pare_step *s, struct pare_error *err)
{
    const struct pare_problem *p = s->p;
    const int n = p->n_groups, wide = (int)pare_json_get_int(s->settings, "wide", 0);
    const int narrow = (int)pare_json_get_int(s->settings, "narrow", p->n_levels - 1);
    struct bisection b;
    int *levels = calloc((size_t)n, sizeof *levels);
    enum pare_status status = nomem_unless(levels != NULL, err);
    bool front_wide = pare_json_get_bool(s->state, "front_wide", true);
    read_bisection(s, &b);
    if (status == PARE_OK && (wide < 0 || narrow < 0 || wide >= p->n_levels || narrow >= p->n_levels)) {
        status = pare_error(err, PARE_ERR_USAGE, "bisect", "wide and narrow are levels of the problem");
    }
    if (status == PARE_OK && s->state == NULL) {
        depth_levels(p, n / 2, true, wide, narrow, levels);
        bool ok = pare_step_ask(s, levels, 0);
        depth_levels(p, n / 2, false, wide, narrow, levels);
        status = nomem_unless(ok && pare_step_ask(s, levels, 0), err);
        b.at = -1;
    } else if (status == PARE_OK) {
        if (b.at < 0) { /* which side to keep: `at` counts the narrow groups */
            front_wide = pare_step_told(s, 0) <= pare_step_told(s, 1);
            b.lo = -1;
            b.hi = n + 1;
            b.at = front_wide ? n - n / 2 : n / 2;
        }
        depth_levels(p, front_wide ? n - b.at : b.at, front_wide, wide, narrow, levels);
        const double quality = pare_step_told(s, json_array_size(s->told) > 1 && !front_wide ? 1 : 0);
        status = nomem_unless(remember(b.curve, p, b.at, levels, quality), err);
        narrow_down(s, &b, levels, quality);
        if (status == PARE_OK && b.hi - b.lo <= 1) {
            status = answer_best(s, b.curve, levels, err);
        } else if (status == PARE_OK) {
            b.at = b.lo + (b.hi - b.lo) / 2;
            depth_levels(p, front_wide ? n - b.at : b.at, front_wide, wide, narrow, levels);
            status = nomem_unless(pare_step_ask(s, levels, 0), err);
        }
    }
    if (status == PARE_OK) {
        status = nomem_unless(write_bisection(s, &b), err);
        json_object_set_new(s->new_state, "front_wide", json_boolean(front_wide));
    }
    json_decref(b.curve);
    free(levels);
    return status;
}
