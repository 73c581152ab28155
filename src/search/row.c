#include "search/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/problem.h"

#define SLACK 1e-6 /* of the largest coefficient */

bool pare_row_init(struct pare_row *r, const char *name, int cells, int n_pairs)
{
    memset(r, 0, sizeof *r);
    r->at_least = -INFINITY;
    r->at_most = INFINITY;
    r->name = strdup(name);
    r->cost = calloc((size_t)cells, sizeof *r->cost);
    r->pairs = calloc((size_t)n_pairs + 1, sizeof *r->pairs);
    if (r->name == NULL || r->cost == NULL || r->pairs == NULL) {
        pare_row_clear(r);
        return false;
    }
    return true;
}

void pare_row_clear(struct pare_row *r)
{
    free(r->name);
    free(r->cost);
    free(r->pairs);
    memset(r, 0, sizeof *r);
}

static int by_groups(const void *a, const void *b)
{
    const struct pare_row_pair *x = a, *y = b;
    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

void pare_row_settle(struct pare_row *r, int cells)
{
    int n = 0, kept = 0;
    for (int i = 0; i < r->n_pairs; i++) { /* which of the two is first does not matter */
        const struct pare_row_pair q = r->pairs[i];
        if (q.a != q.b) {
            r->pairs[n++] = (struct pare_row_pair){q.a < q.b ? q.a : q.b, q.a < q.b ? q.b : q.a, q.weight};
        }
    }
    qsort(r->pairs, (size_t)n, sizeof *r->pairs, by_groups);
    for (int i = 0; i < n; i++) {
        if (kept > 0 && by_groups(&r->pairs[kept - 1], &r->pairs[i]) == 0) {
            r->pairs[kept - 1].weight += r->pairs[i].weight;
        } else {
            r->pairs[kept++] = r->pairs[i];
        }
    }
    r->n_pairs = kept;
    r->size = 0;
    for (int i = 0; i < cells; i++) {
        r->size = fabs(r->cost[i]) > r->size ? fabs(r->cost[i]) : r->size; /* NaN, where no level is, does not count */
    }
    for (int i = 0; i < kept; i++) {
        r->size = fmax(r->size, fabs(r->pairs[i].weight));
    }
}

double pare_row_value(const struct pare_row *r, int n_groups, int n_levels, const int *levels)
{
    double sum = 0;
    for (int g = 0; g < n_groups; g++) {
        sum += r->cost[g * n_levels + levels[g]];
    }
    for (int i = 0; i < r->n_pairs; i++) {
        sum += levels[r->pairs[i].a] != levels[r->pairs[i].b] ? r->pairs[i].weight : 0;
    }
    return sum;
}

double pare_row_over(const struct pare_row *r, double value)
{
    const double slack = SLACK * r->size;
    if (value > r->at_most + slack) {
        return (value - r->at_most) / fmax(fabs(r->at_most), r->size);
    }
    if (value < r->at_least - slack) {
        return (r->at_least - value) / fmax(fabs(r->at_least), r->size);
    }
    return isnan(value) ? INFINITY : 0;
}

double pare_rows_over(const struct pare_problem *p, const int *levels)
{
    double over = 0;
    for (int r = 0; r < p->n_rows; r++) {
        over += pare_row_over(&p->rows[r], pare_row_value(&p->rows[r], p->n_groups, p->n_levels, levels));
    }
    return over;
}

double pare_row_change(const struct pare_problem *p, const struct pare_row *r, const int *levels, int g, int l)
{
    double change = r->cost[g * p->n_levels + l] - r->cost[g * p->n_levels + levels[g]];
    for (int i = 0; i < r->n_pairs; i++) {
        const struct pare_row_pair *q = &r->pairs[i];
        if (q->a == g || q->b == g) {
            const int other = levels[q->a == g ? q->b : q->a];
            change += q->weight * ((other != l) - (other != levels[g]));
        }
    }
    return change;
}

bool pare_row_tight(const struct pare_problem *p, const struct pare_row *r, const int *levels)
{
    const double value = pare_row_value(r, p->n_groups, p->n_levels, levels), slack = SLACK * r->size;
    double up = INFINITY, down = INFINITY; /* the least steps */
    for (int g = 0; g < p->n_groups; g++) {
        for (int l = 0; l < p->n_levels; l++) {
            const double change = p->allowed[g * p->n_levels + l] ? pare_row_change(p, r, levels, g, l) : 0;
            up = change > slack && change < up ? change : up;
            down = change < -slack && -change < down ? -change : down;
        }
    }
    return (isfinite(up) && value + up > r->at_most + slack) || (isfinite(down) && value - down < r->at_least - slack);
}

json_t *pare_rows_report(const struct pare_problem *p, const int *levels, const double *gain)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n_rows; i++) {
        const struct pare_row *r = &p->rows[i];
        const double value = pare_row_value(r, p->n_groups, p->n_levels, levels);
        const bool known = gain != NULL && !isnan(gain[i]);
        json_t *item = json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "name", r->name, "value", pare_json_real(value), "at_least",
                                 pare_json_real(r->at_least), "at_most", pare_json_real(r->at_most), "holds",
                                 (int)(pare_row_over(r, value) <= 0), "binds", (int)(known ? gain[i] > 0 : pare_row_tight(p, r, levels)));
        if (known && gain[i] > 0) {
            json_object_set_new(item, "gain_without", json_real(gain[i]));
        }
        json_array_append_new(list, item);
    }
    return list;
}

json_t *pare_row_to_json(const struct pare_row *r, int cells)
{
    json_t *cost = json_array(), *pairs = json_array();
    for (int i = 0; i < cells; i++) {
        json_array_append_new(cost, pare_json_real(r->cost[i]));
    }
    for (int i = 0; i < r->n_pairs; i++) {
        json_array_append_new(pairs, json_pack("[i,i,f]", r->pairs[i].a, r->pairs[i].b, r->pairs[i].weight));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", r->name, "at_least", pare_json_real(r->at_least), "at_most",
                     pare_json_real(r->at_most), "cost", cost, "pairs", pairs);
}

enum pare_status pare_row_from_json(const json_t *json, int n_groups, int n_levels, struct pare_row *r, struct pare_error *err)
{
    const json_t *cost = json_object_get(json, "cost"), *pairs = json_object_get(json, "pairs");
    const char *name = pare_json_get_string(json, "name", "?");
    const int cells = n_groups * n_levels;
    if (json_array_size(cost) != (size_t)cells || json_array_size(pairs) > 1000000) {
        return pare_error(err, PARE_ERR_FORMAT, name, "expected %d coefficients of a row, found %zu", cells, json_array_size(cost));
    }
    if (!pare_row_init(r, name, cells, (int)json_array_size(pairs))) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < cells; i++) {
        r->cost[i] = pare_json_at_real(cost, (size_t)i);
    }
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *q = json_array_get(pairs, i);
        const json_int_t a = json_integer_value(json_array_get(q, 0)), b = json_integer_value(json_array_get(q, 1));
        if (a < 0 || b < 0 || a >= n_groups || b >= n_groups) {
            pare_row_clear(r);
            return pare_error(err, PARE_ERR_FORMAT, name, "pair %zu names a layer that is not there", i);
        }
        r->pairs[r->n_pairs++] = (struct pare_row_pair){(int)a, (int)b, pare_json_at_real(q, 2)};
    }
    const double least = pare_json_get_real(json, "at_least"), most = pare_json_get_real(json, "at_most");
    r->at_least = isfinite(least) ? least : -INFINITY;
    r->at_most = isfinite(most) ? most : INFINITY;
    pare_row_settle(r, cells);
    return PARE_OK;
}
