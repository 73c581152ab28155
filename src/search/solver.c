#include "search/solver.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pare_solver solvers[] = {
    {"greedy", "AIMET's list: the gentlest change first, as far as the budget goes", true, pare_step_greedy, NULL,
     "reverse:yes points:count"},
    {"bisect", "one side of the network wide, the other narrow: how deep?", true, pare_step_bisect, NULL,
     "wide:level narrow:level"},
    {"nsga2", "a population that is measured, sorted by dominance and crowding", true, pare_step_nsga2, NULL,
     "population:count generations:count mutation:share crossover:share"},
    {"random", "random configurations, halved again and again", true, pare_step_random, NULL,
     "n:count samples:count keep:share"},
    {"paper", "one level for each model, by the gesture paper's two thresholds", false, pare_step_paper, NULL,
     "A:numbers L:numbers"},
    {"hawq", "traces times perturbations, between the int4 and the int8 model", false, pare_step_hawq, NULL,
     "traces:table lambda:share resource:figure wide:level narrow:level trace:table delta:table"},
    {"exhaustive", "tries everything (small problems)", false, pare_step_exhaustive, NULL,
     ""},
};
#define N_SOLVERS ((int)(sizeof solvers / sizeof *solvers))

const struct pare_solver *pare_solver_at(int i)
{
    return i >= 0 && i < N_SOLVERS ? &solvers[i] : NULL;
}

const struct pare_solver *pare_solver_find(const char *name)
{
    for (int i = 0; i < N_SOLVERS; i++) {
        if (strcmp(solvers[i].name, name) == 0) {
            return &solvers[i];
        }
    }
    return NULL;
}

/* ---- settings ---- */

static bool is_finite(const json_t *value)
{
    return json_is_number(value) && isfinite(json_number_value(value));
}

/* NULL, or what a value of this kind is expected to be. */
static const char *bad_setting(const char *kind, const json_t *value)
{
    const double x = json_is_number(value) ? json_number_value(value) : NAN;
    const char *text = json_string_value(value);
    if (strcmp(kind, "count") == 0) {
        return json_is_integer(value) && x >= 1 && x <= 1e9 ? NULL : "a whole number from 1 on";
    }
    if (strcmp(kind, "share") == 0) {
        return x >= 0 && x <= 1 ? NULL : "a number from 0 to 1";
    }
    if (strcmp(kind, "yes") == 0) {
        return json_is_boolean(value) ? NULL : "true or false";
    }
    if (strcmp(kind, "level") == 0) {
        return text != NULL || json_is_integer(value) ? NULL : "a level";
    }
    if (strcmp(kind, "figure") == 0) {
        return text != NULL && (strcmp(text, "bytes") == 0 || strcmp(text, "latency") == 0) ? NULL : "bytes or latency";
    }
    if (strcmp(kind, "table") == 0) {
        return json_is_object(value) || json_is_array(value) ? NULL : "a table";
    }
    bool ok = is_finite(value) || (strcmp(kind, "numbers") == 0 && json_array_size(value) > 0);
    for (size_t i = 0; i < json_array_size(value); i++) {
        ok = ok && is_finite(json_array_get(value, i));
    }
    return ok ? NULL : "a number";
}

/* The kind of a setting into kind; false when the solver has none of this name. */
static bool kind_of(const char *known, const char *name, char kind[16])
{
    const size_t n = strlen(name);
    for (const char *at = known; at != NULL && *at != '\0'; at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL) {
        if (strncmp(at, name, n) == 0 && at[n] == ':') {
            snprintf(kind, 16, "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
            return true;
        }
    }
    return false;
}

enum pare_status pare_solver_check_settings(const struct pare_solver *solver, const json_t *settings, struct pare_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)settings, name, value) {
        char kind[16] = "count", *shown;
        if (strcmp(name, "eval_samples") != 0 && !kind_of(solver->settings, name, kind)) {
            return pare_error(err, PARE_ERR_USAGE, solver->name, "has no setting '%s'; it has %s%seval_samples:count", name, solver->settings,
                              solver->settings[0] != '\0' ? " " : "");
        }
        const char *expected = bad_setting(kind, value);
        if (expected != NULL) {
            shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            pare_error(err, PARE_ERR_USAGE, solver->name, "%s: expected %s, found %.60s", name, expected, shown != NULL ? shown : "?");
            free(shown);
            return PARE_ERR_USAGE;
        }
    }
    return PARE_OK;
}

void pare_step_clear(struct pare_step *s)
{
    json_decref(s->new_state);
    json_decref(s->ask);
    json_decref(s->answers);
    json_decref(s->curve);
    s->new_state = s->ask = s->answers = s->curve = NULL;
}

/* ---- predicted ---- */

static json_t *tell_losses(const struct pare_problem *p, const json_t *ask, int *levels)
{
    json_t *told = json_array();
    for (size_t i = 0; i < json_array_size(ask); i++) {
        double total[PARE_COST_COUNT];
        if (!pare_levels_read(p, json_object_get(json_array_get(ask, i), "levels"), levels)) {
            json_array_append_new(told, json_null());
            continue;
        }
        pare_problem_total(p, levels, total);
        json_array_append_new(told, json_real(total[PARE_COST_LOSS]));
    }
    return told;
}

enum pare_status pare_solver_predict(const struct pare_solver *solver, const struct pare_problem *p, json_t *settings,
                                     int max_asked, struct pare_step *last, int *asked, struct pare_error *err)
{
    int *levels = calloc((size_t)p->n_groups, sizeof *levels);
    json_t *state = NULL, *told = NULL;
    enum pare_status status = levels != NULL ? pare_problem_check(p, err) : pare_error_nomem(err);
    memset(last, 0, sizeof *last);
    *asked = 0;
    json_object_set_new(settings, "quality_limit", pare_json_real(p->limit[PARE_COST_LOSS]));
    while (status == PARE_OK) {
        struct pare_step s = {.p = p, .settings = settings, .state = state, .told = told, .user = solver->user};
        status = solver->step(&s, err);
        json_decref(told);
        json_decref(state);
        told = NULL;
        state = json_incref(s.new_state);
        pare_step_clear(last);
        *last = s;
        if (status != PARE_OK || s.done) {
            break;
        }
        *asked += (int)json_array_size(s.ask);
        if (*asked > max_asked || json_array_size(s.ask) == 0) {
            status = pare_error(err, PARE_ERR_PARTIAL, solver->name, "stopped after %d configurations", *asked);
        } else {
            told = tell_losses(p, s.ask, levels);
        }
    }
    json_decref(told);
    json_decref(state);
    free(levels);
    last->settings = last->state = last->told = NULL; /* gone, or the caller's */
    return status;
}

/* ---- for solvers ---- */

json_t *pare_levels_json(const struct pare_problem *p, const int *levels)
{
    json_t *json = json_array();
    for (int g = 0; g < p->n_groups; g++) {
        if (json_array_append_new(json, json_integer(levels[g])) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

bool pare_levels_read(const struct pare_problem *p, const json_t *json, int *levels)
{
    if (json_array_size(json) != (size_t)p->n_groups) {
        return false;
    }
    for (int g = 0; g < p->n_groups; g++) {
        const json_t *item = json_array_get(json, (size_t)g);
        const json_int_t l = json_integer_value(item);
        if (!json_is_integer(item) || l < 0 || l >= p->n_levels || !p->allowed[g * p->n_levels + (int)l]) {
            return false;
        }
        levels[g] = (int)l;
    }
    return true;
}

bool pare_step_ask(struct pare_step *s, const int *levels, int samples)
{
    if (s->ask == NULL) {
        s->ask = json_array();
    }
    json_t *its = pare_levels_json(s->p, levels);
    return its != NULL && json_array_append_new(s->ask, json_pack("{s:o, s:i}", "levels", its, "samples", samples)) == 0;
}

double pare_step_told(const struct pare_step *s, size_t i)
{
    const double x = pare_json_at_real(s->told, i);
    return isnan(x) ? INFINITY : x;
}

static double over_by(double value, double limit)
{
    if (!isfinite(limit) || value <= limit + 1e-12 * fabs(limit)) {
        return 0;
    }
    const double size = fabs(limit) > 1e-12 ? fabs(limit) : 1e-12;
    return isfinite(value) ? (value - limit) / size : 1e30;
}

struct pare_worth pare_worth_of(const struct pare_problem *p, const int *levels, double quality, double quality_limit)
{
    double total[PARE_COST_COUNT];
    struct pare_worth w = {0, 0};
    pare_problem_total(p, levels, total);
    total[PARE_COST_LOSS] = quality;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        w.over += over_by(total[c], c == PARE_COST_LOSS ? quality_limit : p->limit[c]);
    }
    w.over += pare_rows_over(p, levels);
    w.objective = total[p->objective];
    return w;
}

/* By how much the rows, whose values are given, are outside their bounds when group g goes to level l. */
static double over_after(const struct pare_problem *p, const double *value, const int *levels, int g, int l)
{
    double over = 0;
    for (int r = 0; r < p->n_rows; r++) {
        over += pare_row_over(&p->rows[r], value[r] + pare_row_change(p, &p->rows[r], levels, g, l));
    }
    return over;
}

/* The change that leaves the least over, below `over`: its group (-1: none), its level. Of equals one by chance. */
static int best_change(const struct pare_problem *p, struct pare_rng *rng, const double *value, const int *levels, double over, int *level)
{
    uint32_t equal = 0;
    double least = over * (1 - 1e-9);
    int group = -1;
    for (int g = 0; g < p->n_groups; g++) {
        for (int l = 0; l < p->n_levels; l++) {
            if (l == levels[g] || !p->allowed[g * p->n_levels + l]) {
                continue;
            }
            const double then = over_after(p, value, levels, g, l);
            const bool same = then == least && group >= 0;
            equal = same ? equal + 1 : then < least ? 1 : equal;
            if (then < least || (same && pare_rng_below(rng, equal) == 0)) {
                least = then;
                group = g;
                *level = l;
            }
        }
    }
    return group;
}

bool pare_levels_repair(const struct pare_problem *p, struct pare_rng *rng, int *levels)
{
    double value[PARE_MAX_ROWS], over = pare_rows_over(p, levels);
    for (int n = 0; over > 0 && n < 2 * p->n_groups; n++) {
        int level = 0;
        for (int r = 0; r < p->n_rows; r++) {
            value[r] = pare_row_value(&p->rows[r], p->n_groups, p->n_levels, levels);
        }
        const int group = best_change(p, rng, value, levels, over, &level);
        if (group < 0) {
            return false;
        }
        levels[group] = level;
        over = pare_rows_over(p, levels);
    }
    return over <= 0;
}

bool pare_worth_less(struct pare_worth a, struct pare_worth b)
{
    return a.over != b.over ? a.over < b.over : a.objective < b.objective;
}

void pare_rng_seed(struct pare_rng *r, uint64_t seed)
{
    r->state = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    r->state = r->state != 0 ? r->state : 1;
    for (int i = 0; i < 8; i++) {
        (void)pare_rng_below(r, 2);
    }
}

uint32_t pare_rng_below(struct pare_rng *r, uint32_t n)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    const uint32_t high = (uint32_t)((r->state * 0x2545f4914f6cdd1du) >> 32);
    return (uint32_t)(((uint64_t)high * n) >> 32);
}

double pare_rng_unit(struct pare_rng *r)
{
    return (double)pare_rng_below(r, UINT32_MAX) / 4294967295.0;
}

json_t *pare_rng_json(const struct pare_rng *r)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, r->state);
    return json_string(text);
}

void pare_rng_read(struct pare_rng *r, const json_t *json)
{
    const char *text = json_string_value(json);
    r->state = text != NULL ? strtoull(text, NULL, 16) : 1;
    r->state = r->state != 0 ? r->state : 1;
}
