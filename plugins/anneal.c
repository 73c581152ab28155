/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anneal.c: simulated annealing (Kirkpatrick, Gelatt, Vecchi 1983) as a plugin for Pare: an example to start from.
 *
 *     cc -O2 -shared -fPIC -I plugins -o anneal.so plugins/anneal.c -lm
 *     PARE_PLUGINS=$PWD pare solve PIPELINE --method plugin:anneal --predicted
 * The energy of a configuration is its objective, as a share of what the widest levels have, and 10 times what it is over each limit
 * and outside its rows, relatively. A move gives one group another level; a worse one is taken with probability exp(-difference / T).
 *   --predicted   all in one step, on the costs: five times --set moves=N (200000, at least 1000 for each group), T from 0.1 to 1e-5
 *   measured      the uniform configurations, then --set rounds=N (12) of --set batch=N (8) neighbours of where it stands,
 *                 three groups changed in each at first, one in the end; T from 0.05 to 0.005
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pare_plugin.h"
#define MAX_FIGURES 16

struct search {
    const struct pare_plugin_host *host;
    const struct pare_plugin_problem *p;
    const struct pare_plugin_step *s;
    size_t n; /* groups */
    double scale[MAX_FIGURES], limit[MAX_FIGURES];
    uint64_t rng;
};

/* What a run keeps between its steps; then come 2 + asked configurations: where it stands, the best, those asked for. */
struct kept {
    uint64_t rng;
    double energy, best; /* of the first two; infinite = none yet */
    int32_t round, asked;
};

static double chance(struct search *a) /* [0, 1): splitmix64 */
{
    uint64_t z = a->rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static int is_allowed(const struct search *a, size_t g, int l)
{
    return a->p->allowed[g * (size_t)a->p->n_levels + (size_t)l];
}

static double energy_of(const struct search *a, const int32_t *levels, const double *total, int *within)
{
    double energy = total[a->p->objective] / a->scale[a->p->objective], by = 0;
    if (a->p->n_rows > 0) {
        a->host->outside(a->host, levels, a->n, &by);
    }
    energy += 10 * by;
    *within = by <= 0;
    for (int f = 0; f < a->p->n_figures; f++) {
        if (total[f] > a->limit[f] + 1e-9 * fabs(a->limit[f])) { /* never for NaN */
            energy += 10 * fmin((total[f] - a->limit[f]) / fmax(fabs(a->limit[f]), 1e-9), 1e9) + 1e-3;
            *within = 0;
        }
    }
    return energy;
}

/* Every group at level l, or at the next wider one that it may have, or at its widest. */
static void uniform(const struct search *a, int l, int32_t *levels)
{
    for (size_t g = 0; g < a->n; g++) {
        int k = l;
        for (; k > 0 && !is_allowed(a, g, k); k--) {
        }
        for (; !is_allowed(a, g, k); k++) {
        }
        levels[g] = k;
    }
}

/* Gives a random group another level that it may have; its old one in *before. The group, or n when it has no other. */
static size_t move(struct search *a, int32_t *levels, int32_t *before)
{
    const size_t g = (size_t)(chance(a) * (double)a->n);
    const int first = (int)(chance(a) * a->p->n_levels);
    *before = levels[g];
    for (int k = 0; k < a->p->n_levels; k++) {
        const int l = (first + k) % a->p->n_levels;
        if (l != *before && is_allowed(a, g, l)) {
            levels[g] = l;
            return g;
        }
    }
    return a->n;
}

/* What a move changes: the group's own costs, and the borders that it stands at. */
static void change(const struct search *a, size_t g, int32_t before, const int32_t *levels, double *total)
{
    const struct pare_plugin_problem *p = a->p;
    const size_t row = g * (size_t)p->n_levels;
    for (int f = 0; f < p->n_figures; f++) {
        total[f] += p->cost[f][row + (size_t)levels[g]] - p->cost[f][row + (size_t)before];
    }
    for (int32_t i = 0; i < p->n_borders; i++) {
        const struct pare_plugin_border *b = &p->borders[i];
        if ((size_t)b->from == g || (size_t)b->to == g) {
            const int32_t other = p->form[levels[(size_t)b->from == g ? b->to : b->from]];
            total[PARE_PLUGIN_LATENCY] += b->ms * ((p->form[levels[g]] != other) - (p->form[before] != other));
        }
    }
}

/* On the costs: best gets the best configuration within the limits; 0 when none was seen. */
static int anneal(struct search *a, int32_t *levels, int32_t *best)
{
    double total[MAX_FIGURES], next[MAX_FIGURES], least = INFINITY;
    const double moves = fmax(a->host->number(a->host, "moves", 200000), 1000.0 * (double)a->n);
    uniform(a, 0, levels);
    a->host->total(a->host, levels, a->n, total);
    int within;
    double energy = energy_of(a, levels, total, &within);
    for (double i = 0; i < moves; i++) {
        int32_t before;
        const size_t g = i > 0 ? move(a, levels, &before) : a->n; /* the first turn only looks at the start */
        memcpy(next, total, sizeof next);
        if (g < a->n) {
            change(a, g, before, levels, next);
        }
        const double e = energy_of(a, levels, next, &within), t = 0.1 * pow(1e-4, i / moves);
        if (e > energy && chance(a) >= exp((energy - e) / t)) {
            levels[g] = before;
            continue;
        }
        energy = e;
        memcpy(total, next, sizeof total);
        if (e < least && within) {
            least = e;
            memcpy(best, levels, a->n * sizeof *best);
        }
        if (fmod(i, 4096) == 0 && a->host->stopping(a->host)) {
            break;
        }
    }
    return isfinite(least);
}

/* Costs are no measurements: behind the best come answers that lose less, for when it is over its budget in truth. */
static int predicted(struct search *a)
{
    const double limit = a->limit[PARE_PLUGIN_LOSS], shares[] = {1, 0.7, 0.5, 0.35, 0.2};
    int32_t *block = calloc(2 * a->n, sizeof *block);
    int found = 0;
    for (int k = 0; block != NULL && k < (isnan(limit) ? 1 : 5); k++) {
        a->limit[PARE_PLUGIN_LOSS] = shares[k] * limit;
        if (anneal(a, block, block + a->n)) {
            found = 1;
            a->host->answer(a->host, block + a->n, a->n);
        }
    }
    a->host->complain(a->host, block == NULL ? "out of memory" : "no configuration within the limits was met");
    free(block);
    return block == NULL ? PARE_PLUGIN_FAILED : found ? PARE_PLUGIN_DONE : PARE_PLUGIN_INFEASIBLE;
}

/* Goes from where it stands over what was told. configs: as in struct kept. */
static void take_told(struct search *a, struct kept *k, int32_t *configs, double t)
{
    double total[MAX_FIGURES];
    for (int32_t i = 0; i < k->asked && (size_t)i < a->s->n_told; i++) {
        const int32_t *levels = configs + (size_t)(2 + i) * a->n;
        a->host->total(a->host, levels, a->n, total);
        total[PARE_PLUGIN_LOSS] = a->s->told[i];
        int within = 0;
        const double e = isnan(a->s->told[i]) ? INFINITY : energy_of(a, levels, total, &within);
        if (e < k->best && within) {
            k->best = e;
            memcpy(configs + a->n, levels, a->n * sizeof *configs);
        }
        if (e < k->energy || chance(a) < exp((k->energy - e) / t)) {
            k->energy = e;
            memcpy(configs, levels, a->n * sizeof *configs);
        }
    }
}

/* A batch a step. */
static int measured(struct search *a)
{
    const int rounds = (int)fmax(1, a->host->number(a->host, "rounds", 12)), levels = a->p->n_levels;
    const int batch = (int)fmin(1000, fmax(1, a->host->number(a->host, "batch", 8)));
    const size_t most = 2 + (size_t)(batch > levels ? batch : levels), size = sizeof(struct kept) + most * a->n * sizeof(int32_t);
    unsigned char *block = calloc(1, size);
    if (block == NULL || a->s->n_state > size) {
        free(block);
        return PARE_PLUGIN_FAILED;
    }
    struct kept k = {a->rng, INFINITY, INFINITY, 0, 0};
    int32_t *configs = (int32_t *)(void *)(block + sizeof k);
    if (a->s->n_state > 0) {
        memcpy(block, a->s->state, a->s->n_state);
        memcpy(&k, block, sizeof k);
        a->rng = k.rng;
        take_told(a, &k, configs, 0.05 * pow(0.1, (double)k.round / rounds));
        k.round++;
    }
    const int over = k.round > rounds || a->host->stopping(a->host);
    k.asked = over ? 0 : k.round == 0 ? levels : batch;
    for (int32_t i = 0; i < k.asked; i++) {
        int32_t *its = configs + (size_t)(2 + i) * a->n, before;
        if (k.round == 0) {
            uniform(a, i, its);
        } else {
            memcpy(its, configs, a->n * sizeof *its);
            for (int m = 3 - 2 * k.round / rounds; m > 0; m--) {
                move(a, its, &before);
            }
        }
        a->host->ask(a->host, its, a->n, 0);
    }
    if (over && isfinite(k.best)) {
        a->host->answer(a->host, configs + a->n, a->n);
    }
    k.rng = a->rng;
    memcpy(block, &k, sizeof k);
    a->host->keep(a->host, block, sizeof k + (size_t)(2 + k.asked) * a->n * sizeof *configs);
    free(block);
    return !over ? PARE_PLUGIN_ASKED : isfinite(k.best) ? PARE_PLUGIN_DONE : PARE_PLUGIN_INFEASIBLE;
}

static int step(const struct pare_plugin_host *host, const struct pare_plugin_problem *p, const struct pare_plugin_step *s)
{
    struct search a = {.host = host, .p = p, .s = s, .n = (size_t)p->n_groups, .rng = s->seed};
    int32_t *widest = calloc(a.n, sizeof *widest);
    if (p->n_figures > MAX_FIGURES || widest == NULL) {
        host->complain(host, "more figures than it knows, or out of memory");
        free(widest);
        return PARE_PLUGIN_REFUSED;
    }
    uniform(&a, 0, widest);
    host->total(host, widest, a.n, a.scale);
    free(widest);
    for (int f = 0; f < p->n_figures; f++) {
        a.limit[f] = f == PARE_PLUGIN_LOSS ? s->quality_limit : p->limit[f];
        a.scale[f] = a.scale[f] > 1e-9 ? a.scale[f] : isfinite(a.limit[f]) && a.limit[f] > 1e-9 ? a.limit[f] : 1;
    }
    return s->measured ? measured(&a) : predicted(&a);
}

static const struct pare_plugin_solver solver = {.size = sizeof solver, .step = step};
PARE_PLUGIN_EXPORT const struct pare_plugin pare_plugin_entry = {
    PARE_PLUGIN_MAGIC, PARE_PLUGIN_ABI, sizeof pare_plugin_entry, "anneal", "1.0", "simulated annealing, on costs or on measurements", &solver};
