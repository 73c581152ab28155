/*
 * step_random.c: random configurations with successive halving (Jamieson and Talwalkar 2016), the baseline that a
 * solver has to beat. settings: "n" 64 configurations, "samples" 50 for the first round, "keep" 0.25 of each round,
 * which are asked for again on four times the samples, "all" the number of samples there are (the last round), "seed".
 * Figures but quality are held by drawing: a configuration over another budget is drawn again. What is outside a row is
 * repaired first.
 */
#include <math.h>
#include <stdlib.h>

#include "search/solver.h"

#define MAX_TRIES 10000
#define MAX_REPAIRS 200 /* in vain */

static bool draw(const struct pare_problem *p, struct pare_rng *rng, int *levels)
{
    struct pare_worth w = {INFINITY, INFINITY};
    for (int tries = 0; tries < MAX_TRIES && w.over > 0; tries++) {
        /* a common level and the share of layers that leave it, so that narrow ones, wide ones and nearly uniform ones
         * come up: with every layer drawn alone, a network of a hundred layers always holds one that ruins it */
        const double lean = pare_rng_unit(rng), mixed = pare_rng_unit(rng), share = mixed * mixed;
        for (int g = 0; g < p->n_groups; g++) {
            int n = 0, allowed[64];
            for (int l = 0; l < p->n_levels && n < 64; l++) {
                if (p->allowed[g * p->n_levels + l]) {
                    allowed[n++] = l;
                }
            }
            const double x = pare_rng_unit(rng) < share ? pare_rng_unit(rng) : lean;
            levels[g] = allowed[(int)(x * 0.999999 * n)];
        }
        w = (struct pare_worth){INFINITY, INFINITY};
        if (pare_levels_repair(p, rng, levels)) {
            w = pare_worth_of(p, levels, 0, NAN);
        } else if (tries >= MAX_REPAIRS) {
            break;
        }
    }
    return w.over <= 0;
}

struct entry {
    size_t i;
    struct pare_worth worth;
};

static int better_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (pare_worth_less(x->worth, y->worth)) {
        return -1;
    }
    return pare_worth_less(y->worth, x->worth) ? 1 : (x->i > y->i) - (x->i < y->i);
}

static enum pare_status first_round(struct pare_step *s, int n, int samples, int *levels, struct pare_error *err)
{
    struct pare_rng rng;
    pare_rng_seed(&rng, (uint64_t)pare_json_get_int(s->settings, "seed", 1));
    for (int i = 0; i < n; i++) {
        if (!draw(s->p, &rng, levels)) {
            return pare_error(err, PARE_ERR_INFEASIBLE, "random", "no configuration within the budgets%s in %d draws",
                              s->p->n_rows > 0 ? " and rows" : "", s->p->n_rows > 0 ? MAX_REPAIRS : MAX_TRIES);
        }
        if (!pare_step_ask(s, levels, samples)) {
            return pare_error_nomem(err);
        }
    }
    return PARE_OK;
}

enum pare_status pare_step_random(struct pare_step *s, struct pare_error *err)
{
    const json_t *asked = json_object_get(s->state, "asked");
    const double limit = pare_json_get_real(s->settings, "quality_limit");
    const int all = (int)pare_json_get_int(s->settings, "all", 0);
    double keep = pare_json_get_real(s->settings, "keep");
    int samples = (int)pare_json_get_int(s->state, "samples", pare_json_get_int(s->settings, "samples", 50));
    int n = (int)pare_json_get_int(s->settings, "n", 64), *levels = calloc((size_t)s->p->n_groups, sizeof *levels);
    struct entry *list = malloc((json_array_size(asked) + 1) * sizeof *list);
    enum pare_status status = levels != NULL && list != NULL ? PARE_OK : pare_error_nomem(err);
    n = n < 1 ? 1 : n > 100000 ? 100000 : n;
    keep = keep > 0 && keep < 1 ? keep : 0.25;
    samples = all > 0 && samples >= all ? 0 : samples;
    if (status == PARE_OK && s->state == NULL) {
        status = first_round(s, n, all > 0 ? samples : 0, levels, err);
    } else if (status == PARE_OK) {
        size_t count = json_array_size(asked);
        for (size_t i = 0; i < count; i++) {
            const bool is_config = pare_levels_read(s->p, json_object_get(json_array_get(asked, i), "levels"), levels);
            list[i].i = i;
            list[i].worth = is_config ? pare_worth_of(s->p, levels, pare_step_told(s, i), limit)
                                      : (struct pare_worth){INFINITY, INFINITY};
        }
        qsort(list, count, sizeof *list, better_first);
        s->done = samples == 0 || all <= 0;
        size_t stay = s->done ? count : (size_t)((double)count * keep + 0.999);
        samples = samples * 4 >= all ? 0 : samples * 4;
        s->answers = s->done ? json_array() : NULL;
        for (size_t i = 0; i < stay && i < count && status == PARE_OK; i++) {
            const json_t *its = json_object_get(json_array_get(asked, list[i].i), "levels");
            if (s->done ? json_array_append(s->answers, (json_t *)(uintptr_t)its) != 0
                        : !pare_levels_read(s->p, its, levels) || !pare_step_ask(s, levels, samples)) {
                status = pare_error_nomem(err);
            }
        }
    }
    if (status == PARE_OK) {
        s->new_state = json_pack("{s:i, s:O}", "samples", samples, "asked", s->ask != NULL ? s->ask : json_null());
    }
    free(levels);
    free(list);
    return status;
}
