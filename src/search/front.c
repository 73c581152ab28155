/*
 * front.c: the complete front of two figures by dynamic programming over x in whole steps:
 *   least[k][s][w] = least y of groups 0..k-1 that end in state s with w steps of x.
 * Every sum is off by at most half a step for each group; the points get their true sums at the end.
 */
#include "search/front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "search/chain.h"

#define MEMORY_BYTES (96u << 20) /* of the choices */

/* ---- points ---- */

struct point {
    double x, y;
    int i;
};

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->x != q->x) {
        return p->x < q->x ? -1 : 1;
    }
    return p->y != q->y ? (p->y < q->y ? -1 : 1) : (p->i > q->i) - (p->i < q->i);
}

/* The finite points in order; NULL when memory is out. */
static struct point *sorted(int n, const double *x, const double *y, int *count)
{
    struct point *points = malloc((size_t)(n > 0 ? n : 1) * sizeof *points);
    *count = 0;
    for (int i = 0; points != NULL && i < n; i++) {
        if (!isnan(x[i]) && !isnan(y[i])) {
            points[(*count)++] = (struct point){x[i], y[i], i};
        }
    }
    if (points != NULL) {
        qsort(points, (size_t)*count, sizeof *points, by_x);
    }
    return points;
}

enum pare_status pare_front_of(int n, const double *x, const double *y, bool *kept, struct pare_error *err)
{
    int count;
    struct point *points = sorted(n, x, y, &count);
    double least = INFINITY;
    if (points == NULL) {
        return pare_error_nomem(err);
    }
    memset(kept, 0, (size_t)(n > 0 ? n : 0) * sizeof *kept);
    for (int i = 0; i < count; i++) {
        kept[points[i].i] = i == 0 || points[i].y < least;
        least = points[i].y < least ? points[i].y : least;
    }
    free(points);
    return PARE_OK;
}

double pare_hypervolume(int n, const double *x, const double *y, double x_reference, double y_reference)
{
    int count;
    struct point *points = sorted(n, x, y, &count);
    double area = 0, under = y_reference;
    if (points == NULL) {
        return NAN;
    }
    for (int i = 0; i < count && points[i].x < x_reference; i++) {
        if (points[i].y < under) {
            area += (x_reference - points[i].x) * (under - points[i].y);
            under = points[i].y;
        }
    }
    free(points);
    return area;
}

/* ---- the table ---- */

struct table {
    const struct pare_problem *p;
    struct pare_chain *c;
    const double *x, *y;      /* costs */
    bool pay_x, pay_y;        /* borders count */
    double scale;             /* steps for one unit of x */
    double *least_x;          /* [n_groups] least allowed cost: steps count from there */
    int width;                /* steps + 1 */
    int states;               /* the most of any group */
    double *now, *then;       /* [states * width] */
    unsigned short *choice;   /* [n_groups][states * width]: state before * n_levels + level */
    int *reach;               /* [n_groups + 1] steps that can be reached at most */
};

static int steps_of(const struct table *t, int k, int s, int l)
{
    const double pay = t->pay_x ? pare_chain_pay(t->c, k, s, l) : 0;
    return (int)lround((t->x[k * t->p->n_levels + l] - t->least_x[k] + pay) * t->scale);
}

static double spread(struct table *t)
{
    const struct pare_problem *p = t->p;
    double sum = 0;
    for (int g = 0; g < p->n_groups; g++) {
        double lo = INFINITY, hi = -INFINITY;
        for (int l = 0; l < p->n_levels; l++) {
            if (p->allowed[g * p->n_levels + l]) {
                lo = fmin(lo, t->x[g * p->n_levels + l]);
                hi = fmax(hi, t->x[g * p->n_levels + l]);
            }
        }
        t->least_x[g] = lo;
        sum += hi - lo;
    }
    for (int b = 0; t->pay_x && b < p->n_borders; b++) {
        sum += p->borders[b].ms;
    }
    return sum;
}

static enum pare_status prepare(struct table *t, int resolution, struct pare_error *err)
{
    const struct pare_problem *p = t->p;
    const size_t n = (size_t)p->n_groups;
    t->least_x = malloc(n * sizeof *t->least_x);
    t->reach = calloc(n + 1, sizeof *t->reach);
    if (t->least_x == NULL || t->reach == NULL) {
        return pare_error_nomem(err);
    }
    t->states = 1;
    for (int k = 0; k <= p->n_groups; k++) {
        t->states = t->c->n_states[k] > t->states ? t->c->n_states[k] : t->states;
    }
    const double range = spread(t);
    const size_t most = MEMORY_BYTES / (n * (size_t)t->states * sizeof *t->choice);
    int steps = resolution > 0 ? resolution : 65536;
    steps = (size_t)steps > most ? (int)most : steps;
    steps = steps < 16 ? 16 : steps;
    t->scale = range > 0 ? steps / range : 0; /* 0: all have the same x */
    t->width = steps + p->n_groups + p->n_borders + 2; /* rounding may lead a little further */
    const size_t cells = (size_t)t->states * (size_t)t->width;
    t->now = malloc(cells * sizeof *t->now);
    t->then = malloc(cells * sizeof *t->then);
    t->choice = malloc(n * cells * sizeof *t->choice);
    return t->now != NULL && t->then != NULL && t->choice != NULL ? PARE_OK : pare_error_nomem(err);
}

static void add_level(struct table *t, int k, int s, int l)
{
    const int steps = steps_of(t, k, s, l), to = pare_chain_next(t->c, k, s, l);
    const double y = t->y[k * t->p->n_levels + l] + (t->pay_y ? pare_chain_pay(t->c, k, s, l) : 0);
    const double *from = t->now + (size_t)s * (size_t)t->width;
    double *out = t->then + (size_t)to * (size_t)t->width + steps;
    unsigned short *choice = t->choice + ((size_t)k * (size_t)t->states + (size_t)to) * (size_t)t->width + steps;
    const unsigned short me = (unsigned short)(s * t->p->n_levels + l);
    for (int w = 0; w <= t->reach[k]; w++) {
        const double v = from[w] + y;
        if (v < out[w]) {
            out[w] = v;
            choice[w] = me;
        }
    }
    t->reach[k + 1] = t->reach[k] + steps > t->reach[k + 1] ? t->reach[k] + steps : t->reach[k + 1];
}

static void fill(struct table *t)
{
    const struct pare_problem *p = t->p;
    const size_t cells = (size_t)t->states * (size_t)t->width;
    for (size_t i = 0; i < cells; i++) {
        t->now[i] = INFINITY;
    }
    t->now[0] = 0;
    for (int k = 0; k < p->n_groups; k++) {
        for (size_t i = 0; i < cells; i++) {
            t->then[i] = INFINITY;
        }
        for (int s = 0; s < t->c->n_states[k]; s++) {
            for (int l = 0; l < p->n_levels; l++) {
                if (p->allowed[k * p->n_levels + l]) {
                    add_level(t, k, s, l);
                }
            }
        }
        double *swap = t->now;
        t->now = t->then;
        t->then = swap;
    }
}

/* The levels of the point at w steps. */
static void walk_back(const struct table *t, int w, unsigned char *levels)
{
    int s = 0;
    for (int k = t->p->n_groups - 1; k >= 0; k--) {
        const int me = t->choice[((size_t)k * (size_t)t->states + (size_t)s) * (size_t)t->width + (size_t)w];
        const int l = me % t->p->n_levels;
        s = me / t->p->n_levels;
        levels[k] = (unsigned char)l;
        w -= steps_of(t, k, s, l);
    }
}

static enum pare_status collect(const struct table *t, enum pare_figure_id x, enum pare_figure_id y,
                                struct pare_front_set *front, struct pare_error *err)
{
    const struct pare_problem *p = t->p;
    const size_t groups = (size_t)p->n_groups;
    int n = 0, reach = t->reach[p->n_groups];
    double least = INFINITY, total[PARE_COST_COUNT];
    for (int w = 0; w <= reach; w++) {
        n += t->now[w] < least;
        least = fmin(least, t->now[w]);
    }
    front->levels = malloc((size_t)n * groups);
    front->x = malloc((size_t)n * sizeof *front->x);
    front->y = malloc((size_t)n * sizeof *front->y);
    int *levels = malloc(groups * sizeof *levels);
    bool *kept = malloc((size_t)n * sizeof *kept);
    enum pare_status status = PARE_OK;
    if (front->levels == NULL || front->x == NULL || front->y == NULL || levels == NULL || kept == NULL) {
        status = pare_error_nomem(err);
        goto out;
    }
    least = INFINITY;
    for (int w = 0, i = 0; w <= reach; w++) {
        if (!(t->now[w] < least)) {
            continue;
        }
        least = t->now[w];
        unsigned char *its = front->levels + (size_t)i * groups;
        walk_back(t, w, its);
        for (size_t g = 0; g < groups; g++) {
            levels[g] = its[g];
        }
        pare_problem_total(p, levels, total);
        front->x[i] = total[x];
        front->y[i++] = total[y];
    }
    status = pare_front_of(n, front->x, front->y, kept, err);
    for (int i = 0; status == PARE_OK && i < n; i++) {
        /* steps ascend and true sums nearly do: an insertion is a step or two */
        int j = front->n;
        if (!kept[i]) {
            continue;
        }
        const double its_x = front->x[i], its_y = front->y[i];
        unsigned char *copy = front->levels + (size_t)i * groups;
        if (j > 0 && front->x[j - 1] > its_x) {
            unsigned char *mine = malloc(groups);
            if (mine == NULL) {
                status = pare_error_nomem(err);
                break;
            }
            memcpy(mine, copy, groups);
            for (; j > 0 && front->x[j - 1] > its_x; j--) {
                front->x[j] = front->x[j - 1];
                front->y[j] = front->y[j - 1];
                memcpy(front->levels + (size_t)j * groups, front->levels + (size_t)(j - 1) * groups, groups);
            }
            memcpy(front->levels + (size_t)j * groups, mine, groups);
            free(mine);
        } else if (j != i) {
            memcpy(front->levels + (size_t)j * groups, copy, groups);
        }
        front->x[j] = its_x;
        front->y[j] = its_y;
        front->n++;
    }
out:
    free(levels);
    free(kept);
    return status;
}

enum pare_status pare_solve_front(const struct pare_problem *p, enum pare_figure_id x, enum pare_figure_id y,
                                  int resolution, struct pare_front_set *front, struct pare_error *err)
{
    struct table t = {.p = p, .x = p->cost[x], .y = p->cost[y], .pay_x = x == PARE_COST_LATENCY, .pay_y = y == PARE_COST_LATENCY};
    const double start = pare_seconds();
    memset(front, 0, sizeof *front);
    enum pare_status status = pare_problem_check(p, err);
    if (status == PARE_OK && p->n_rows > 0) {
        status = pare_error(err, PARE_ERR_USAGE, "front", "rows are for ilp");
    }
    if (status == PARE_OK) {
        status = pare_chain_new(p, t.pay_x || t.pay_y, &t.c, err);
    }
    if (status == PARE_OK) {
        status = prepare(&t, resolution, err);
    }
    if (status == PARE_OK) {
        fill(&t);
        front->n_groups = p->n_groups;
        front->rounding = t.scale > 0 ? p->n_groups / t.scale : 0; /* half a step each for the point and for what it stands for */
        status = collect(&t, x, y, front, err);
    }
    pare_chain_free(t.c);
    free(t.least_x);
    free(t.reach);
    free(t.now);
    free(t.then);
    free(t.choice);
    if (status != PARE_OK) {
        pare_front_set_clear(front);
    }
    front->seconds = pare_seconds() - start;
    return status;
}

void pare_front_set_clear(struct pare_front_set *front)
{
    free(front->x);
    free(front->y);
    free(front->levels);
    memset(front, 0, sizeof *front);
}

int pare_front_set_at(const struct pare_front_set *front, double x_limit)
{
    int lo = -1, hi = front->n;
    while (hi - lo > 1) {
        const int mid = lo + (hi - lo) / 2;
        if (front->x[mid] <= x_limit) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}
