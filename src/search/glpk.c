/*
 * glpk.c: the one file that knows GLPK. Multiple choice as an integer program:
 *   z[g][l] in {0,1},  sum_l z[g][l] = 1,  one row for each budget,
 *   y[b] >= sum_{l in form f} z[from][l] + sum_{l not in form f} z[to][l] - 1  for each border b and form f.
 *
 * GLPK prints to stdout, aborts the process on bad arguments and says "optimal" to NaN: the terminal hook
 * swallows, the error hook jumps back here (and the environment is freed), input is checked to be finite.
 */
#include <glpk.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/problem.h"

static int swallow(void *info, const char *text)
{
    (void)info;
    (void)text;
    return 1;
}

static void jump_back(void *info)
{
    longjmp(*(jmp_buf *)info, 1);
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What one solve needs; everything GLPK allocates goes with glp_free_env after a jump. */
struct program {
    const struct pare_problem *p;
    glp_prob *lp;
    int *column;    /* [groups * levels], 0 = not allowed */
    int first_border;
    double scale[PARE_COST_COUNT];
    int *index;     /* row buffers, 1-based as GLPK wants */
    double *value;
};

static void add_columns(struct program *m)
{
    const struct pare_problem *p = m->p;
    for (int g = 0; g < p->n_groups; g++) {
        int row = glp_add_rows(m->lp, 1), n = 0;
        for (int l = 0; l < p->n_levels; l++) {
            int cell = g * p->n_levels + l;
            if (!p->allowed[cell]) {
                continue;
            }
            int column = glp_add_cols(m->lp, 1);
            glp_set_col_kind(m->lp, column, GLP_BV);
            m->column[cell] = column;
            m->index[++n] = column;
            m->value[n] = 1;
        }
        glp_set_row_bnds(m->lp, row, GLP_FX, 1, 1);
        glp_set_mat_row(m->lp, row, n, m->index, m->value);
    }
    m->first_border = p->n_borders > 0 ? glp_add_cols(m->lp, p->n_borders) : 0;
    for (int b = 0; b < p->n_borders; b++) {
        glp_set_col_bnds(m->lp, m->first_border + b, GLP_LO, 0, 0);
    }
}

/* Rows of one border: for every form f, y >= [from in f] + [to not in f] - 1. */
static void add_border(struct program *m, int b)
{
    const struct pare_problem *p = m->p;
    const struct pare_border *border = &p->borders[b];
    for (int l = 0; l < p->n_levels; l++) {
        bool first = true;
        for (int k = 0; k < l; k++) {
            first = first && p->form[k] != p->form[l];
        }
        if (!first) {
            continue;
        }
        int n = 0;
        m->index[++n] = m->first_border + b;
        m->value[n] = -1;
        for (int k = 0; k < p->n_levels; k++) {
            int from = m->column[border->from * p->n_levels + k], to = m->column[border->to * p->n_levels + k];
            if (p->form[k] == p->form[l] && from > 0) {
                m->index[++n] = from;
                m->value[n] = 1;
            } else if (p->form[k] != p->form[l] && to > 0) {
                m->index[++n] = to;
                m->value[n] = 1;
            }
        }
        int row = glp_add_rows(m->lp, 1);
        glp_set_row_bnds(m->lp, row, GLP_UP, 0, 1);
        glp_set_mat_row(m->lp, row, n, m->index, m->value);
    }
}

/* Costs are scaled so that the largest coefficient of a figure is 1: GLPK's tolerances are absolute. */
static void set_scales(struct program *m)
{
    const struct pare_problem *p = m->p;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        double largest = 0;
        for (int i = 0; i < p->n_groups * p->n_levels; i++) {
            if (p->allowed[i] && fabs(p->cost[c][i]) > largest) {
                largest = fabs(p->cost[c][i]);
            }
        }
        m->scale[c] = largest > 0 ? 1 / largest : 1;
    }
}

static void add_budget(struct program *m, int c, double limit)
{
    const struct pare_problem *p = m->p;
    int n = 0;
    for (int i = 0; i < p->n_groups * p->n_levels; i++) {
        if (m->column[i] > 0 && p->cost[c][i] != 0) {
            m->index[++n] = m->column[i];
            m->value[n] = p->cost[c][i] * m->scale[c];
        }
    }
    for (int b = 0; c == PARE_COST_LATENCY && b < p->n_borders; b++) {
        m->index[++n] = m->first_border + b;
        m->value[n] = p->borders[b].ms * m->scale[c];
    }
    int row = glp_add_rows(m->lp, 1);
    glp_set_row_bnds(m->lp, row, GLP_UP, 0, (limit - p->fixed[c]) * m->scale[c] * (1 + 1e-12));
    glp_set_mat_row(m->lp, row, n, m->index, m->value);
}

static void set_objective(struct program *m, int c)
{
    const struct pare_problem *p = m->p;
    glp_set_obj_dir(m->lp, GLP_MIN);
    for (int i = 0; i < p->n_groups * p->n_levels; i++) {
        if (m->column[i] > 0) {
            /* a trace of the other figures breaks ties towards the better configuration */
            double tie = 0;
            for (int k = 0; k < PARE_COST_COUNT; k++) {
                tie += k != c ? 1e-6 * p->cost[k][i] * m->scale[k] : 0;
            }
            glp_set_obj_coef(m->lp, m->column[i], p->cost[c][i] * m->scale[c] + tie);
        }
    }
    for (int b = 0; b < p->n_borders; b++) {
        glp_set_obj_coef(m->lp, m->first_border + b,
                         p->borders[b].ms * m->scale[PARE_COST_LATENCY] * (c == PARE_COST_LATENCY ? 1 : 1e-6));
    }
}

/* The least a figure can be when nothing else is asked; exact up to borders (which only add). */
static double least_of(const struct pare_problem *p, int c)
{
    double sum = p->fixed[c];
    for (int g = 0; g < p->n_groups; g++) {
        double least = INFINITY;
        for (int l = 0; l < p->n_levels; l++) {
            int cell = g * p->n_levels + l;
            if (p->allowed[cell] && p->cost[c][cell] < least) {
                least = p->cost[c][cell];
            }
        }
        sum += least;
    }
    return sum;
}

static int solve_program(struct program *m, struct pare_answer *a)
{
    glp_iocp options;
    glp_init_iocp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.presolve = GLP_ON;
    options.mip_gap = 1e-9;
    options.tm_lim = (int)(1000 * (m->p->time_limit_seconds > 0 ? m->p->time_limit_seconds : 10));
    int rc = glp_intopt(m->lp, &options);
    int status = rc == 0 || rc == GLP_ETMLIM || rc == GLP_EMIPGAP ? glp_mip_status(m->lp) : GLP_NOFEAS;
    if (rc != 0 && rc != GLP_ENOPFS && rc != GLP_ENODFS && rc != GLP_ETMLIM && rc != GLP_EMIPGAP) {
        return -1;
    }
    if (status != GLP_OPT && status != GLP_FEAS) {
        a->status = PARE_SOLVE_INFEASIBLE;
        return rc == GLP_ETMLIM ? -2 : 0;
    }
    for (int g = 0; g < m->p->n_groups; g++) {
        for (int l = 0; l < m->p->n_levels; l++) {
            int column = m->column[g * m->p->n_levels + l];
            if (column > 0 && glp_mip_col_val(m->lp, column) > 0.5) {
                a->levels[g] = l;
            }
        }
    }
    a->status = status == GLP_OPT ? PARE_SOLVE_OPTIMAL : PARE_SOLVE_FEASIBLE;
    return 0;
}

/* Which budget cannot be held, alone or beside the others: the first whose least, given those before it, is over. */
static int explain(struct program *m, struct pare_answer *a)
{
    const struct pare_problem *p = m->p;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        double least = least_of(p, c);
        if (isfinite(p->limit[c]) && least > p->limit[c] * (1 + 1e-12)) {
            a->violated = (enum pare_figure_id)c;
            a->least = least;
            return 0;
        }
    }
    /* each alone can be held: drop the last budget row and ask for the least of its figure */
    for (int c = PARE_COST_COUNT - 1; c >= 0; c--) {
        if (!isfinite(p->limit[c])) {
            continue;
        }
        glp_erase_prob(m->lp);
        memset(m->column, 0, (size_t)(p->n_groups * p->n_levels) * sizeof *m->column);
        add_columns(m);
        for (int b = 0; b < p->n_borders; b++) {
            add_border(m, b);
        }
        for (int k = 0; k < PARE_COST_COUNT; k++) {
            if (k != c && isfinite(p->limit[k])) {
                add_budget(m, k, p->limit[k]);
            }
        }
        set_objective(m, c);
        struct pare_answer other = {.levels = a->levels};
        if (solve_program(m, &other) == 0 && other.status != PARE_SOLVE_INFEASIBLE) {
            double total[PARE_COST_COUNT];
            pare_problem_total(p, a->levels, total);
            a->violated = (enum pare_figure_id)c;
            a->least = total[c];
            return 0;
        }
    }
    return 0;
}

static int build_and_solve(struct program *m, struct pare_answer *a)
{
    const struct pare_problem *p = m->p;
    m->lp = glp_create_prob();
    set_scales(m);
    add_columns(m);
    for (int b = 0; b < p->n_borders; b++) {
        add_border(m, b);
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (isfinite(p->limit[c])) {
            add_budget(m, c, p->limit[c]);
        }
    }
    set_objective(m, (int)p->objective);
    int rc = solve_program(m, a);
    if (rc == 0 && a->status == PARE_SOLVE_INFEASIBLE) {
        rc = explain(m, a);
    }
    return rc;
}

enum pare_status pare_solve_glpk(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    static jmp_buf back;
    struct program m = {.p = p};
    double start = now_seconds();
    memset(a, 0, sizeof *a);
    enum pare_status status = pare_problem_check(p, err);
    if (status != PARE_OK) {
        return status;
    }
    size_t cells = (size_t)p->n_groups * (size_t)p->n_levels;
    a->levels = calloc((size_t)p->n_groups, sizeof *a->levels);
    m.column = calloc(cells, sizeof *m.column);
    m.index = calloc(cells + (size_t)p->n_borders + 2, sizeof *m.index);
    m.value = calloc(cells + (size_t)p->n_borders + 2, sizeof *m.value);
    volatile int rc = -3;
    if (a->levels != NULL && m.column != NULL && m.index != NULL && m.value != NULL) {
        if (setjmp(back) == 0) {
            glp_term_hook(swallow, NULL);
            glp_error_hook(jump_back, &back);
            rc = build_and_solve(&m, a);
            glp_delete_prob(m.lp);
            glp_error_hook(NULL, NULL);
        } else {
            glp_free_env();
            rc = -4;
        }
    }
    free(m.column);
    free(m.index);
    free(m.value);
    a->seconds = now_seconds() - start;
    if (rc == -2) {
        return pare_error(err, PARE_ERR_PARTIAL, "glpk", "no configuration found within the time limit");
    }
    if (rc != 0) {
        return rc == -3 ? pare_error_nomem(err)
                        : pare_error(err, PARE_ERR_INTERNAL, "glpk", "the solver gave up (%d)", rc);
    }
    if (a->status != PARE_SOLVE_INFEASIBLE) {
        pare_problem_total(p, a->levels, a->total);
    } else {
        free(a->levels);
        a->levels = NULL;
    }
    return PARE_OK;
}
