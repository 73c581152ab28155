/* How long solvers take on problems without kernels: exact and GLPK on the same programs in turn, and complete fronts.
 * Prints one line each; run by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/front.h"
#include "support.h"

/* kind 0: every figure by itself; 1: as networks are: narrower levels cost less and lose more, layers differ */
static struct pare_problem *problem(uint32_t seed, int groups, int levels, int kind, double at, bool borders)
{
    struct pare_problem *p = NULL;
    double least = 0, most = 0;
    if (pare_problem_new(groups, levels, &p, NULL) != PARE_OK) {
        exit(1);
    }
    for (int g = 0; g < groups; g++) {
        const double size = exp(3.0 * (double)(test_random(&seed) % 1000) / 1000);
        const double harm = exp(5.0 * (double)(test_random(&seed) % 1000) / 1000);
        double lo = INFINITY, hi = -INFINITY;
        p->group_names[g] = strdup("g");
        for (int l = 0; l < levels; l++) {
            const double r = (double)(test_random(&seed) % 100000) / 100000, s = (double)(test_random(&seed) % 100000) / 100000;
            const int i = g * levels + l;
            p->allowed[i] = true;
            p->cost[PARE_COST_LATENCY][i] = kind == 0 ? r : size * (1 + 0.1 * r) / (l + 1);
            p->cost[PARE_COST_LOSS][i] = kind == 0 ? s : harm * l * l * (0.5 + s);
            lo = fmin(lo, p->cost[PARE_COST_LOSS][i]);
            hi = fmax(hi, p->cost[PARE_COST_LOSS][i]);
        }
        least += lo;
        most += hi;
    }
    for (int l = 0; l < levels; l++) {
        p->level_names[l] = strdup("l");
        p->form[l] = l < 2 ? l : 2;
    }
    if (borders) {
        p->borders = calloc((size_t)groups, sizeof *p->borders);
        p->n_borders = groups - 1;
        for (int b = 0; b + 1 < groups; b++) {
            p->borders[b] = (struct pare_border){b, b + 1, 0.05 + (double)(test_random(&seed) % 100) / 1000};
        }
    }
    p->objective = PARE_COST_LATENCY;
    p->limit[PARE_COST_LOSS] = least + at * (most - least);
    p->time_limit_seconds = 10;
    return p;
}

int main(int argc, char **argv)
{
    const bool glpk = argc > 1 && strcmp(argv[1], "glpk") == 0;
    static const double budgets[] = {0.001, 0.02, 0.2, 0.5};
    for (int kind = 0; kind < 2; kind++) {
        for (int borders = 0; borders < 2; borders++) {
            for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
                struct pare_problem *p = problem(7 + (uint32_t)i, 1000, 6, kind, budgets[i], borders == 1);
                struct pare_answer a, b = {.seconds = NAN};
                struct pare_error err = {0};
                if (pare_solve_exact(p, &a, &err) != PARE_OK) {
                    printf("%s: %s\n", err.where, err.message);
                }
                if (glpk && pare_solve_glpk(p, &b, &err) != PARE_OK) {
                    printf("%s: %s\n", err.where, err.message);
                }
                printf("1000 x 6, kind %d, borders %d, budget %g: exact %.2f ms %.9g status %d gap %.2g; glpk %.0f ms %.9g\n", kind,
                       borders, budgets[i], 1e3 * a.seconds, a.total[p->objective], a.status, a.gap, 1e3 * b.seconds,
                       b.total[p->objective]);
                pare_answer_clear(&a);
                pare_answer_clear(&b);
                pare_problem_free(p);
            }
        }
    }
    for (int kind = 0; kind < 2; kind++) {
        for (int borders = 0; borders < 2; borders++) {
            struct pare_problem *p = problem(5, 200, 6, kind, 1, borders == 1);
            struct pare_front_set front;
            if (pare_solve_front(p, PARE_COST_LATENCY, PARE_COST_LOSS, 0, &front, NULL) == PARE_OK) {
                printf("front of 200 x 6, kind %d, borders %d: %d points in %.0f ms, rounding %.3g of %.3g\n", kind, borders,
                       front.n, 1e3 * front.seconds, front.rounding, front.x[front.n - 1] - front.x[0]);
            }
            pare_front_set_clear(&front);
            pare_problem_free(p);
        }
    }
    return 0;
}
