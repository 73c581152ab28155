/*
 * step_nsga2.c: NSGA-II (Deb, Pratap, Agarwal, Meyarivan 2002): a gene per group, two figures to make small: the
 * quality that is told, and the objective (or the first budgeted figure when quality is the objective). Limits are
 * constraints: within beats over, less over beats more (their constrained dominance). Children outside a row are repaired
 * before they are asked for.
 *
 * settings: "population" 32, "generations" 20, "mutation" per gene (without it: one gene of a child on average and at
 * most 0.1, since more of them in a long network undo what the parents had found), "crossover" 0.9 (half of them gene by
 * gene, half a stretch of the network), "seed" 1. The first population is every uniform configuration, and random ones.
 * No configuration is asked for twice. The state holds the population, its generator of random numbers and the
 * generation, whole: a run that is killed goes on as if it had not been. answers: the front by the worth of its points.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/solver.h"

#define MAX_POPULATION 1000
#define MAX_TRIES 50 /* to find a child that is new */
#define MUTATION 0.1
#define MOST_MUTATED 1.0 /* genes of a child, on average, unless the settings say otherwise */

struct individual {
    int *levels;
    double quality, resource, over;
    int rank;
    double crowding;
    int number; /* order of birth: ties */
};

struct population {
    const struct pare_step *s;
    const struct pare_problem *p;
    int figure;          /* the second figure */
    double limit;
    int n, cap, born;
    struct individual *at;
    int *genes;          /* [cap * n_groups] */
    struct pare_rng rng;
    json_t *seen;        /* {"levels as text": true} */
};

static int second_figure(const struct pare_problem *p)
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

static int setting(const struct pare_step *s, const char *key, int otherwise, int most)
{
    const int64_t v = pare_json_get_int(s->settings, key, otherwise);
    return v < 1 ? 1 : v > most ? most : (int)v;
}

static double chance(const struct pare_step *s, const char *key, double otherwise)
{
    const double v = pare_json_get_real(s->settings, key);
    return v >= 0 && v <= 1 ? v : otherwise;
}

static bool new_population(struct population *q, const struct pare_step *s, int cap)
{
    memset(q, 0, sizeof *q);
    q->s = s;
    q->p = s->p;
    q->figure = second_figure(s->p);
    q->limit = pare_json_get_real(s->settings, "quality_limit");
    q->cap = cap;
    q->at = calloc((size_t)cap, sizeof *q->at);
    q->genes = calloc((size_t)cap * (size_t)s->p->n_groups, sizeof *q->genes);
    q->seen = json_object();
    return q->at != NULL && q->genes != NULL && q->seen != NULL;
}

static void free_population(struct population *q)
{
    free(q->at);
    free(q->genes);
    json_decref(q->seen);
}

static void add(struct population *q, const int *levels, double quality, int number)
{
    double total[PARE_COST_COUNT];
    struct individual *i = &q->at[q->n];
    i->levels = q->genes + (size_t)q->n * (size_t)q->p->n_groups;
    memcpy(i->levels, levels, (size_t)q->p->n_groups * sizeof *levels);
    pare_problem_total(q->p, levels, total);
    i->quality = quality;
    i->resource = total[q->figure];
    i->over = pare_worth_of(q->p, levels, quality, q->limit).over;
    i->number = number;
    q->n++;
}

/* ---- sorting ---- */

static bool dominates(const struct individual *a, const struct individual *b)
{
    if (a->over != b->over) {
        return a->over < b->over;
    }
    return a->quality <= b->quality && a->resource <= b->resource &&
           (a->quality < b->quality || a->resource < b->resource);
}

/* Ranks by peeling fronts; n is hundreds at most. */
static void set_ranks(struct population *q)
{
    int done = 0;
    for (int i = 0; i < q->n; i++) {
        q->at[i].rank = -1;
    }
    for (int rank = 0; done < q->n; rank++) {
        for (int i = 0; i < q->n; i++) {
            bool beaten = q->at[i].rank >= 0 && q->at[i].rank < rank;
            for (int k = 0; k < q->n && !beaten; k++) {
                beaten = (q->at[k].rank < 0 || q->at[k].rank == rank) && dominates(&q->at[k], &q->at[i]);
            }
            if (!beaten) {
                q->at[i].rank = rank;
                done++;
            }
        }
    }
}

static double figure_of(const struct individual *i, int which)
{
    return which == 0 ? i->quality : i->resource;
}

/* Crowding of one rank: the sum of the gaps to the neighbours in each figure over its range; the ends are infinite. */
static void set_crowding(struct population *q, int rank, int *order)
{
    int n = 0;
    for (int i = 0; i < q->n; i++) {
        if (q->at[i].rank == rank) {
            order[n++] = i;
            q->at[i].crowding = 0;
        }
    }
    for (int which = 0; which < 2; which++) {
        for (int i = 1; i < n; i++) { /* insertion: by figure, then by birth */
            const int me = order[i];
            int k = i;
            for (; k > 0; k--) {
                const double a = figure_of(&q->at[order[k - 1]], which), b = figure_of(&q->at[me], which);
                if (a < b || (a == b && q->at[order[k - 1]].number < q->at[me].number)) {
                    break;
                }
                order[k] = order[k - 1];
            }
            order[k] = me;
        }
        const double lo = n > 0 ? figure_of(&q->at[order[0]], which) : 0;
        const double range = n > 0 ? figure_of(&q->at[order[n - 1]], which) - lo : 0;
        for (int i = 0; i < n; i++) {
            if (i == 0 || i == n - 1) {
                q->at[order[i]].crowding = INFINITY;
            } else if (range > 0 && isfinite(range)) {
                q->at[order[i]].crowding +=
                    (figure_of(&q->at[order[i + 1]], which) - figure_of(&q->at[order[i - 1]], which)) / range;
            }
        }
    }
}

static int better_first(const void *a, const void *b)
{
    const struct individual *x = a, *y = b;
    if (x->rank != y->rank) {
        return x->rank - y->rank;
    }
    if (x->crowding != y->crowding) {
        return x->crowding > y->crowding ? -1 : 1;
    }
    return x->number - y->number;
}

/* Sorts by rank and crowding; the first `most` stay. */
static bool select_best(struct population *q, int most)
{
    int *order = malloc(((size_t)q->n + 1) * sizeof *order), last = 0;
    if (order == NULL) {
        return false;
    }
    set_ranks(q);
    for (int i = 0; i < q->n; i++) {
        last = q->at[i].rank > last ? q->at[i].rank : last;
    }
    for (int rank = 0; rank <= last; rank++) {
        set_crowding(q, rank, order);
    }
    qsort(q->at, (size_t)q->n, sizeof *q->at, better_first);
    q->n = q->n < most ? q->n : most;
    free(order);
    return true;
}

/* ---- children ---- */

static bool is_new(struct population *q, const int *levels)
{
    char text[2048];
    size_t used = 0;
    uint64_t hash = 14695981039346656037u;
    for (int g = 0; g < q->p->n_groups; g++) {
        hash = (hash ^ (uint64_t)levels[g]) * 1099511628211u;
        if (used + 2 < sizeof text) {
            text[used++] = (char)(' ' + levels[g]);
        }
    }
    text[used] = '\0';
    char key[sizeof text + 20];
    snprintf(key, sizeof key, "%s%016llx", used + 2 < sizeof text ? text : "", (unsigned long long)hash);
    if (json_object_get(q->seen, key) != NULL) {
        return false;
    }
    json_object_set_new(q->seen, key, json_true());
    return true;
}

static int random_level(struct population *q, int g)
{
    int n = 0, which;
    for (int l = 0; l < q->p->n_levels; l++) {
        n += q->p->allowed[g * q->p->n_levels + l];
    }
    which = (int)pare_rng_below(&q->rng, (uint32_t)n);
    for (int l = 0; l < q->p->n_levels; l++) {
        if (q->p->allowed[g * q->p->n_levels + l] && which-- == 0) {
            return l;
        }
    }
    return 0;
}

/* A tournament of two: dominance, then crowding (the population is sorted by both). */
static const struct individual *parent(struct population *q)
{
    const uint32_t a = pare_rng_below(&q->rng, (uint32_t)q->n), b = pare_rng_below(&q->rng, (uint32_t)q->n);
    return &q->at[a < b ? a : b];
}

/* The allowed level of a group that is nearest to l. */
static int nearest_level(const struct population *q, int g, int l)
{
    int best = -1;
    for (int k = 0; k < q->p->n_levels; k++) {
        if (q->p->allowed[g * q->p->n_levels + k] && (best < 0 || abs(k - l) < abs(best - l))) {
            best = k;
        }
    }
    return best;
}

/* Neighbours share borders, so half of the crossovers exchange a stretch of the network and half of the children have
 * a stretch at one level; the others mix gene by gene. */
static void breed(struct population *q, int *child)
{
    const struct individual *a = parent(q), *b = parent(q);
    const uint32_t n = (uint32_t)q->p->n_groups;
    const bool cross = pare_rng_unit(&q->rng) < chance(q->s, "crossover", 0.9), stretch = pare_rng_below(&q->rng, 2) == 1;
    const double mutation = chance(q->s, "mutation", fmin(MUTATION, MOST_MUTATED / q->p->n_groups));
    const uint32_t from = pare_rng_below(&q->rng, n), length = 1 + pare_rng_below(&q->rng, n);
    for (uint32_t g = 0; g < n; g++) {
        const bool other = stretch ? (g + n - from) % n < length : pare_rng_below(&q->rng, 2) == 1;
        child[g] = cross && other ? b->levels[g] : a->levels[g];
        if (pare_rng_unit(&q->rng) < mutation) {
            child[g] = random_level(q, (int)g);
        }
    }
    if (mutation > 0 && pare_rng_below(&q->rng, 2) == 1) {
        const uint32_t first = pare_rng_below(&q->rng, n), most = n / 8 + 1, many = 1 + pare_rng_below(&q->rng, most);
        const int level = (int)pare_rng_below(&q->rng, (uint32_t)q->p->n_levels);
        for (uint32_t g = first; g < n && g < first + many; g++) {
            child[g] = nearest_level(q, (int)g, level);
        }
    }
}

/* Asks for up to n new configurations; `first`: uniform ones, then random ones. */
static bool ask_children(struct population *q, struct pare_step *s, int n, bool first)
{
    int *child = calloc((size_t)q->p->n_groups, sizeof *child), asked = 0;
    bool ok = child != NULL;
    for (int l = 0; ok && first && l < q->p->n_levels && asked < n; l++) {
        for (int g = 0; g < q->p->n_groups; g++) { /* where a pin or a rule forbids it: the nearest level that is allowed */
            child[g] = nearest_level(q, g, l);
        }
        (void)pare_levels_repair(q->p, &q->rng, child);
        if (is_new(q, child)) {
            ok = pare_step_ask(s, child, 0);
            asked++;
        }
    }
    for (int tries = 0; ok && asked < n && tries < MAX_TRIES * n; tries++) {
        if (first) {
            for (int g = 0; g < q->p->n_groups; g++) {
                child[g] = random_level(q, g);
            }
        } else {
            breed(q, child);
        }
        (void)pare_levels_repair(q->p, &q->rng, child);
        if (is_new(q, child)) {
            ok = pare_step_ask(s, child, 0);
            asked++;
        }
    }
    free(child);
    return ok;
}

/* ---- state ---- */

static bool write_state(struct population *q, struct pare_step *s, int generation)
{
    json_t *members = json_array();
    for (int i = 0; i < q->n; i++) {
        json_t *levels = pare_levels_json(q->p, q->at[i].levels);
        if (levels == NULL || json_array_append_new(members, json_pack("{s:o, s:o, s:i}", "levels", levels, "quality",
                                                                       pare_json_real(q->at[i].quality), "number",
                                                                       q->at[i].number)) != 0) {
            json_decref(members);
            return false;
        }
    }
    s->new_state = json_pack("{s:i, s:i, s:o, s:o, s:O, s:O}", "generation", generation, "born", q->born, "rng",
                             pare_rng_json(&q->rng), "members", members, "seen", q->seen, "asked",
                             s->ask != NULL ? s->ask : json_null());
    return s->new_state != NULL;
}

static bool read_state(struct population *q, const struct pare_step *s)
{
    int *levels = calloc((size_t)q->p->n_groups, sizeof *levels);
    const json_t *members = json_object_get(s->state, "members"), *asked = json_object_get(s->state, "asked");
    bool ok = levels != NULL;
    q->born = (int)pare_json_get_int(s->state, "born", 0);
    pare_rng_read(&q->rng, json_object_get(s->state, "rng"));
    json_object_update(q->seen, json_object_get(s->state, "seen"));
    for (size_t i = 0; ok && i < json_array_size(members) && q->n < q->cap; i++) {
        const json_t *m = json_array_get(members, i);
        const double quality = pare_json_get_real(m, "quality");
        if (pare_levels_read(q->p, json_object_get(m, "levels"), levels)) {
            add(q, levels, isnan(quality) ? INFINITY : quality, (int)pare_json_get_int(m, "number", 0));
        }
    }
    for (size_t i = 0; ok && i < json_array_size(asked) && q->n < q->cap; i++) {
        if (pare_levels_read(q->p, json_object_get(json_array_get(asked, i), "levels"), levels)) {
            add(q, levels, pare_step_told(s, i), q->born++);
        }
    }
    free(levels);
    return ok;
}

/* The first front, by worth. */
static bool write_answers(struct population *q, struct pare_step *s)
{
    s->answers = json_array();
    s->curve = json_array();
    for (int n = 0; n < q->n; n++) {
        int best = -1;
        struct pare_worth its = {0, 0};
        for (int i = 0; i < q->n; i++) {
            const struct pare_worth w = pare_worth_of(q->p, q->at[i].levels, q->at[i].quality, q->limit);
            if (q->at[i].rank == 0 && (best < 0 || pare_worth_less(w, its))) {
                best = i;
                its = w;
            }
        }
        if (best < 0) {
            break;
        }
        json_t *levels = pare_levels_json(q->p, q->at[best].levels);
        if (levels == NULL || json_array_append(s->answers, levels) != 0 ||
            json_array_append_new(s->curve, json_pack("{s:o, s:o}", "levels", levels, "quality",
                                                      pare_json_real(q->at[best].quality))) != 0) {
            return false;
        }
        q->at[best].rank = 1; /* taken */
    }
    return true;
}

enum pare_status pare_step_nsga2(struct pare_step *s, struct pare_error *err)
{
    const int size = setting(s, "population", 32, MAX_POPULATION), generations = setting(s, "generations", 20, 100000);
    struct population q;
    int generation = (int)pare_json_get_int(s->state, "generation", 0);
    bool ok = new_population(&q, s, 2 * size);
    if (ok && s->state == NULL) {
        pare_rng_seed(&q.rng, (uint64_t)pare_json_get_int(s->settings, "seed", 1));
        ok = ask_children(&q, s, size, true);
    } else if (ok) {
        ok = read_state(&q, s) && select_best(&q, size);
        generation++;
        if (ok && generation < generations) {
            ok = ask_children(&q, s, size, false);
        }
        s->done = ok && s->ask == NULL;
        ok = ok && (!s->done || write_answers(&q, s));
    }
    ok = ok && write_state(&q, s, generation);
    free_population(&q);
    return ok ? PARE_OK : pare_error_nomem(err);
}
