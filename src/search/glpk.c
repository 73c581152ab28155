/*
 * glpk.c: the one file that knows GLPK. Multiple choice as an integer program:
 *   z[g][l] in {0,1},  sum_l z[g][l] = 1,  one row for each budget,
 *   y[b] >= sum_{l in form f} z[from][l] + sum_{l not in form f} z[to][l] - 1  for each border b and form f,
 *   one row for each extra row (row.h), with d in [0,1] for each of its pairs: does the level of a differ from that of b?
 *   d >= 1 - sum_l y[l], y[l] <= z[a][l], y[l] <= z[b][l]: as tight as one pair can be (with d >= z[a][l] - z[b][l] alone 60
 *   layers take ten seconds and more), and d <= 2 - z[a][l] - z[b][l]; of the two sides only the one that is needed.
 *
 * GLPK prints to stdout, aborts the process on bad arguments and says "optimal" to NaN: the terminal hook
 * swallows, the error hook jumps back here (and the environment is freed), input is checked to be finite.
 */
#include <glpk.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "search/program.h"

#define ROW_SCALE 1e4

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

/* What one solve needs; everything GLPK allocates goes with glp_free_env after a jump. */
struct program {
    const struct pare_problem *p;
    glp_prob *lp;
    const struct pare_row *goal; /* made small (times sign) instead of the objective; NULL */
    double sign;
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

static int column_of(const struct program *m, int group, int level)
{
    return m->column[group * m->p->n_levels + level];
}

/* x + sign y (+ z) <= bound; z 0 = none. */
static void add_short_row(struct program *m, int x, int y, double sign, int z, double bound)
{
    const int index[4] = {0, x, y, z}, row = glp_add_rows(m->lp, 1);
    const double value[4] = {0, 1, sign, 1};
    glp_set_row_bnds(m->lp, row, GLP_UP, 0, bound);
    glp_set_mat_row(m->lp, row, z > 0 ? 3 : 2, index, value);
}

/* d >= 1 - how much of one level both have. */
static void add_lower(struct program *m, const struct pare_row_pair *q, int d)
{
    int n = 0;
    int same[PARE_MOST_LEVELS];
    for (int l = 0; l < m->p->n_levels; l++) {
        const int a = column_of(m, q->a, l), b = column_of(m, q->b, l);
        if (a > 0 && b > 0) {
            same[n] = glp_add_cols(m->lp, 1);
            glp_set_col_bnds(m->lp, same[n], GLP_DB, 0, 1);
            add_short_row(m, same[n], a, -1, 0, 0);
            add_short_row(m, same[n++], b, -1, 0, 0);
        }
    }
    for (int i = 0; i < n; i++) {
        m->index[i + 2] = same[i];
        m->value[i + 2] = 1;
    }
    m->index[1] = d;
    m->value[1] = 1;
    const int row = glp_add_rows(m->lp, 1);
    glp_set_row_bnds(m->lp, row, GLP_LO, 1, 0);
    glp_set_mat_row(m->lp, row, n + 1, m->index, m->value);
}

/* d <= 2 - z[a][l] - z[b][l] */
static void add_upper(struct program *m, const struct pare_row_pair *q, int d)
{
    for (int l = 0; l < m->p->n_levels; l++) {
        const int a = column_of(m, q->a, l), b = column_of(m, q->b, l);
        if (a > 0 && b > 0) {
            add_short_row(m, d, a, 1, b, 2);
        }
    }
}

/* Columns of a row's pairs; lower: they are pulled up, upper: they are pulled down. The first column, 0 = no pairs. */
static int add_pairs(struct program *m, const struct pare_row *r, bool at_most, bool at_least)
{
    const int first = r->n_pairs > 0 ? glp_add_cols(m->lp, r->n_pairs) : 0;
    for (int i = 0; i < r->n_pairs; i++) {
        const bool more = r->pairs[i].weight > 0;
        glp_set_col_bnds(m->lp, first + i, GLP_DB, 0, 1);
        if (more ? at_most : at_least) {
            add_lower(m, &r->pairs[i], first + i);
        }
        if (more ? at_least : at_most) {
            add_upper(m, &r->pairs[i], first + i);
        }
    }
    return first;
}

/* An extra row. The presolver takes rows as held, or as forcing, that are within 1e-3 + 1e-6 |bound| of it: coefficients of
 * 1e4 make that little. The bounds give way by half of what counts as held (row.h). */
static void add_row(struct program *m, const struct pare_row *r)
{
    const struct pare_problem *p = m->p;
    const bool below = isfinite(r->at_most), above = isfinite(r->at_least);
    const double scale = r->size > 0 ? ROW_SCALE / r->size : 1, slack = 5e-7 * ROW_SCALE;
    const int first = add_pairs(m, r, below, above);
    int n = 0;
    for (int i = 0; i < p->n_groups * p->n_levels; i++) {
        if (m->column[i] > 0 && r->cost[i] != 0) {
            m->index[++n] = m->column[i];
            m->value[n] = r->cost[i] * scale;
        }
    }
    for (int i = 0; i < r->n_pairs; i++) {
        if (r->pairs[i].weight != 0) {
            m->index[++n] = first + i;
            m->value[n] = r->pairs[i].weight * scale;
        }
    }
    const int row = glp_add_rows(m->lp, 1);
    glp_set_row_bnds(m->lp, row, below && above ? GLP_DB : below ? GLP_UP : above ? GLP_LO : GLP_FR,
                     above ? r->at_least * scale - slack : 0, below ? r->at_most * scale + slack : 0);
    glp_set_mat_row(m->lp, row, n, m->index, m->value);
}

static void set_goal(struct program *m)
{
    const struct pare_row *r = m->goal;
    const double scale = m->sign * (r->size > 0 ? 1 / r->size : 1);
    const int first = add_pairs(m, r, m->sign > 0, m->sign < 0);
    glp_set_obj_dir(m->lp, GLP_MIN);
    for (int i = 0; i < m->p->n_groups * m->p->n_levels; i++) {
        if (m->column[i] > 0) {
            glp_set_obj_coef(m->lp, m->column[i], r->cost[i] * scale);
        }
    }
    for (int i = 0; i < r->n_pairs; i++) {
        glp_set_obj_coef(m->lp, first + i, r->pairs[i].weight * scale);
    }
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

/* How far the best that was found may be from the optimum, while the tree is there. */
static void note_gap(glp_tree *tree, void *info)
{
    *(double *)info = glp_ios_mip_gap(tree);
}

/* What branching without the presolver begins with. */
static bool solve_relaxation(glp_prob *lp, int most_ms)
{
    glp_smcp options;
    glp_init_smcp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.tm_lim = most_ms;
    return glp_simplex(lp, &options) == 0 && glp_get_status(lp) == GLP_OPT;
}

static int solve_program(struct program *m, bool presolve, struct pare_answer *a)
{
    glp_iocp options;
    double gap = INFINITY;
    glp_init_iocp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.presolve = presolve ? GLP_ON : GLP_OFF;
    for (int r = 0; r < m->p->n_rows; r++) { /* their relaxation is weak: depth first, of 160 layers it finds one in time */
        options.bt_tech = m->p->rows[r].n_pairs > 0 ? GLP_BT_DFS : options.bt_tech;
    }
    options.cb_func = note_gap;
    options.cb_info = &gap;
    options.mip_gap = 1e-9;
    options.tm_lim = (int)(1000 * (m->p->time_limit_seconds > 0 ? m->p->time_limit_seconds : 10));
    if (!presolve && !solve_relaxation(m->lp, options.tm_lim)) {
        a->status = PARE_SOLVE_INFEASIBLE;
        return glp_get_status(m->lp) == GLP_NOFEAS ? 0 : -2;
    }
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
    a->gap = status == GLP_OPT ? 0 : gap < 1e300 ? gap : INFINITY;
    return 0;
}

/* Does an answer break a row or a budget, which the presolver's tolerances may let it? */
static bool is_outside(const struct program *m, const int *levels)
{
    double total[PARE_COST_COUNT];
    bool outside = pare_rows_over(m->p, levels) > 0;
    pare_problem_total(m->p, levels, total);
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        outside = outside || total[c] > m->p->limit[c] + 1e-6 / m->scale[c];
    }
    return outside;
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
    for (int r = 0; r < p->n_rows; r++) {
        add_row(m, &p->rows[r]);
    }
    if (m->goal != NULL) {
        set_goal(m);
    } else {
        set_objective(m, (int)p->objective);
    }
    int rc = solve_program(m, true, a);
    if (rc == 0 && a->status != PARE_SOLVE_INFEASIBLE && is_outside(m, a->levels)) {
        rc = solve_program(m, false, a);
    }
    return rc;
}

/* The most entries that one row of the program can have. */
static size_t widest_row(const struct pare_problem *p)
{
    size_t pairs = (size_t)p->n_borders;
    for (int r = 0; r < p->n_rows; r++) {
        pairs = (size_t)p->rows[r].n_pairs > pairs ? (size_t)p->rows[r].n_pairs : pairs;
    }
    return (size_t)p->n_groups * (size_t)p->n_levels + pairs + 3;
}

enum pare_status pare_program_solve(const struct pare_problem *p, const struct pare_row *goal, double sign, struct pare_answer *a,
                                    struct pare_error *err)
{
    static jmp_buf back;
    struct program m = {.p = p, .goal = goal, .sign = sign};
    double start = pare_seconds();
    memset(a, 0, sizeof *a);
    enum pare_status status = pare_problem_check(p, err);
    if (status != PARE_OK) {
        return status;
    }
    size_t cells = (size_t)p->n_groups * (size_t)p->n_levels;
    a->levels = calloc((size_t)p->n_groups, sizeof *a->levels);
    m.column = calloc(cells, sizeof *m.column);
    m.index = calloc(widest_row(p), sizeof *m.index);
    m.value = calloc(widest_row(p), sizeof *m.value);
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
    a->seconds = pare_seconds() - start;
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
