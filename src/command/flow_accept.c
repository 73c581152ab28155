/*
 * flow_accept.c: predictions choose an answer, measurements accept it. An answer counts only when what was measured on
 * `search` holds its budgets: the paired drop (or, when asked to be sure, its 95 % upper bound) and the latency. Bytes and
 * BitOps are exact before. An answer over budget tightens the problem so that it and all that are predicted to be no
 * better are cut off, and the fit has learned from it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command/flow.h"
#include "command/linear.h"

/* What has to be within max_drop. */
static double judged_drop(const struct front_budget *b, const struct front_point *p)
{
    return b->sure ? p->search.figures.drop_upper : p->search.figures.drop;
}

static double ratio(double value, double limit)
{
    if (!isfinite(limit) || !isfinite(value)) {
        return 0;
    }
    return value <= limit ? (limit > 0 && value > 0 ? value / limit : 0) : limit > 0 ? value / limit : INFINITY;
}

/* The three that are exact before anything is measured, with a hair's breadth for sums in another order. */
enum { EXACT_FIGURES = 3 };
static const enum pare_figure_id exact_figures[EXACT_FIGURES] = {PARE_COST_BYTES, PARE_COST_BITOPS, PARE_COST_ENERGY};

static double exact_value(const struct pare_front *f, enum pare_figure_id figure, const unsigned char *levels)
{
    return figure == PARE_COST_BYTES ? front_bytes(f, levels) : figure == PARE_COST_BITOPS ? front_bitops(f, levels) : front_energy(f, levels);
}

static double exact_limit(const struct front_budget *b, enum pare_figure_id figure)
{
    return figure == PARE_COST_BYTES ? b->max_bytes : figure == PARE_COST_BITOPS ? b->max_bitops : b->max_energy;
}

double flow_over(const struct pare_front *f, const struct front_budget *b, const struct front_point *p)
{
    const double drop = ratio(judged_drop(b, p), b->max_drop), latency = ratio(p->latency[1], b->max_latency);
    double over = drop > latency ? drop : latency;
    for (int i = 0; i < EXACT_FIGURES; i++) {
        const double limit = exact_limit(b, exact_figures[i]), its = ratio(exact_value(f, exact_figures[i], p->levels), limit * (1 + 1e-9));
        over = its > over ? its : over;
    }
    return over;
}

static json_t *tried_json(const struct pare_front *f, const struct front_budget *b, const struct front_point *p)
{
    const struct pare_figures *g = &p->search.figures;
    return json_pack("{s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "point", p->number, "within",
                     (int)(flow_over(f, b, p) <= 1), "drop_predicted", pare_json_real(p->drop_predicted), "drop",
                     pare_json_real(g->drop), "drop_low", pare_json_real(g->drop_low), "drop_high",
                     pare_json_real(g->drop_high), "drop_upper", pare_json_real(g->drop_upper), "latency_predicted_ms",
                     pare_json_real(p->latency_predicted), "latency_ms", pare_json_real(p->latency[1]));
}

bool flow_try_again(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, int point)
{
    const struct front_point *p = &f->points[point];
    double over = flow_over(f, b, p), best = flow->best >= 0 ? flow_over(f, b, &f->points[flow->best]) : INFINITY;
    flow->tried = flow->tried != NULL ? flow->tried : json_array();
    json_array_append_new(flow->tried, tried_json(f, b, p));
    if (flow->best < 0 || over <= 1 || over < best) {
        flow->best = point;
    }
    const bool drops = ratio(judged_drop(b, p), b->max_drop) > 1;
    if (over <= 1 || flow->round >= FRONT_MAX_ROUNDS || (drops && !(p->loss_sum > 0))) { /* nothing is less than no loss */
        return false;
    }
    if (drops) {
        /* never past its own loss: the answer is cut off even where the fit says otherwise */
        double factor = b->max_drop / judged_drop(b, p);
        flow->max_loss = p->loss_sum * (factor < 0.5 ? 0.5 : factor > 0.95 ? 0.95 : factor);
    }
    if (ratio(p->latency[1], b->max_latency) > 1) {
        double said = p->latency_predicted < b->max_latency ? p->latency_predicted : b->max_latency;
        flow->max_latency = said * b->max_latency / p->latency[1];
    }
    return true;
}

void flow_say_infeasible(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    const json_t *several = json_object_get(flow->answer, "answers");
    const json_t *answer = several != NULL ? json_array_get(several, 0) : flow->answer, *conflict = json_object_get(answer, "conflict");
    const char *which = pare_json_get_string(answer, "violated", "?");
    double least = pare_json_get_real(answer, "least");
    if (conflict != NULL) {
        char words[700];
        json_t *rows = front_rows_of(f, b->rows);
        front_conflict_words(f, rows, conflict, words, sizeof words);
        json_decref(rows);
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL, "%s", words);
    } else if (strcmp(which, "drop") == 0) {
        double drop = front_drop_of_loss(f, least), over = drop - b->max_drop;
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL,
                   "infeasible: the drop cannot be held at %.2f points; the least is about %.2f (over by %.2f)",
                   100 * b->max_drop, 100 * drop, over > 0 ? 100 * over : 0.0);
    } else if (strcmp(which, "latency") == 0) {
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL,
                   "infeasible: latency cannot be held at %.4g ms; the least is %.4g (over by %.4g)", b->max_latency, least,
                   least - b->max_latency);
    } else {
        const bool energy = strcmp(which, "energy") == 0;
        const double limit = strcmp(which, "bytes") == 0 ? b->max_bytes : energy ? b->max_energy : b->max_bitops;
        const char *unit = energy ? " uJ" : "";
        const int digits = energy ? 3 : 0;
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL, "infeasible: %s cannot be held at %.*f%s; the least is %.*f%s (over by %.*f)",
                   which, digits, limit, unit, digits, least, unit, digits, least - limit);
    }
    snprintf(f->solver, sizeof f->solver, "%s", flow->err.message);
}

enum pare_status flow_check_budgets(struct pare_front *f, struct front_flow *flow, const struct front_budget *b,
                                    const struct pare_problem *p)
{
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        double least = p->fixed[c];
        for (int g = 0; g < p->n_groups; g++) {
            double mine = INFINITY;
            for (int i = g * p->n_levels; i < (g + 1) * p->n_levels; i++) {
                mine = p->allowed[i] ? fmin(mine, p->cost[c][i]) : mine;
            }
            least += mine;
        }
        if (isfinite(p->limit[c]) && isfinite(least) && least > p->limit[c] * (1 + 1e-9)) {
            json_decref(flow->answer);
            flow->answer = json_pack("{s:s, s:f}", "violated", pare_cost_name((enum pare_figure_id)c), "least", least);
            flow_say_infeasible(f, flow, b);
            return PARE_ERR_INFEASIBLE;
        }
    }
    return PARE_OK;
}

void flow_say_over(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, enum pare_status status)
{
    const struct front_point *p = &f->points[flow->best];
    const struct pare_figures *g = &p->search.figures;
    const char *why = status == PARE_ERR_INFEASIBLE ? "nothing tighter is feasible" : "more may help, or a larger budget";
    if (ratio(judged_drop(b, p), b->max_drop) > 1) {
        pare_error(&flow->err, status, NULL,
                   "measured, the budget does not hold: after %d answers the nearest, %s:%d, drops %.2f points [%.2f, %.2f] on "
                   "search%s, over %.2f by %.2f; %s",
                   flow->evaluations, f->runs[flow->run].name, p->number, 100 * g->drop, 100 * g->drop_low,
                   100 * g->drop_high, b->sure ? ", its upper bound" : "", 100 * b->max_drop,
                   100 * (judged_drop(b, p) - b->max_drop), why);
    } else if (ratio(p->latency[1], b->max_latency) > 1) {
        pare_error(&flow->err, status, NULL,
                   "measured, the budget does not hold: after %d answers the nearest, %s:%d, takes %.4g ms, over %.4g by %.4g; %s",
                   flow->evaluations, f->runs[flow->run].name, p->number, p->latency[1], b->max_latency,
                   p->latency[1] - b->max_latency, why);
    } else {
        for (int i = 0; i < EXACT_FIGURES; i++) {
            const double limit = exact_limit(b, exact_figures[i]), its = exact_value(f, exact_figures[i], p->levels);
            if (ratio(its, limit) > 1) {
                pare_error(&flow->err, status, NULL, "the budget does not hold: the nearest answer, %s:%d, has %s %.10g%s, over %.10g by %.10g; %s",
                           f->runs[flow->run].name, p->number, pare_cost_name(exact_figures[i]), its,
                           exact_figures[i] == PARE_COST_ENERGY ? " uJ" : "", limit, its - limit,
                           "--method exact finds one that holds, or says what is out of reach");
                break;
            }
        }
    }
    snprintf(f->solver, sizeof f->solver, "%s", flow->err.message);
}

/* ---- the gain ---- */

/* The figure that is minimised, measured; NaN when it is not. */
static double measured_objective(const struct pare_front *f, const struct front_budget *b, const struct front_point *p)
{
    switch (b->minimize) {
    case PARE_COST_LOSS: return p->search.figures.drop;
    case PARE_COST_LATENCY: return p->latency[1];
    case PARE_COST_BYTES: return front_bytes(f, p->levels);
    case PARE_COST_ENERGY: return front_energy(f, p->levels);
    default: return front_bitops(f, p->levels);
    }
}

/* Would the solver be allowed to answer with this point, as far as was measured? rows: n_rows, of the budget. */
static bool holds(const struct pare_front *f, const struct front_budget *b, const struct pare_row *rows, int n_rows,
                  const struct front_point *p)
{
    for (int i = 0; i < f->n_layers; i++) {
        int lo, hi;
        front_range(f, i, b->use_pins, &lo, &hi);
        if (p->levels[i] < lo || p->levels[i] > hi || p->levels[i] != p->levels[f->layers[i].tie]) {
            return false;
        }
    }
    return !(isfinite(b->max_drop) && !isfinite(p->search.figures.drop)) &&
           !(isfinite(b->max_latency) && !isfinite(p->latency[1])) && flow_over(f, b, p) <= 1 &&
           !(front_bytes(f, p->levels) > b->max_bytes) && !(front_bitops(f, p->levels) > b->max_bitops) &&
           !(front_energy(f, p->levels) > b->max_energy) && front_rows_hold(f, rows, n_rows, p->levels);
}

void flow_say_gain(const struct pare_front *f, const struct front_flow *flow, char *text, size_t size)
{
    const struct front_budget b = flow_budget(f, flow->args);
    const struct front_point *best = NULL, *answer = flow->best >= 0 ? &f->points[flow->best] : NULL;
    struct pare_row *rows = NULL;
    int n_rows = 0;
    json_t *list = front_rows_of(f, b.rows);
    text[0] = '\0';
    answer = front_rows_read(f, list, false, &rows, &n_rows, NULL) == PARE_OK ? answer : NULL;
    json_decref(list);
    for (int i = 0; answer != NULL && i < f->n_points; i++) {
        const struct front_point *p = &f->points[i];
        const double mine = measured_objective(f, &b, p);
        if (p->run < answer->run && p->search.samples >= answer->search.samples && isfinite(mine) && holds(f, &b, rows, n_rows, p) &&
            (best == NULL || mine < measured_objective(f, &b, best))) {
            best = p;
        }
    }
    front_rows_free(rows, n_rows);
    const double now = answer != NULL ? measured_objective(f, &b, answer) : NAN;
    const double before = best != NULL ? measured_objective(f, &b, best) : NAN;
    if (!isfinite(now) || !isfinite(before)) {
        return;
    }
    char name[96];
    const struct front_run *run = &f->runs[best->run];
    if (strcmp(run->method, "uniform") == 0 && best->number <= f->n_levels) {
        snprintf(name, sizeof name, "%s", f->level_alias[best->number - 1]);
    } else {
        snprintf(name, sizeof name, "%s:%d", run->name, best->number);
    }
    if (memcmp(best->levels, answer->levels, (size_t)f->n_layers) == 0) {
        snprintf(text, size, "the same configuration as %s", name);
    } else if (b.minimize == PARE_COST_LOSS) {
        snprintf(text, size, "drops %.2f points %s than %s", 100 * fabs(before - now), now <= before ? "less" : "more", name);
    } else if (before > 0) {
        snprintf(text, size, "%.1f %% %s %s than %s", 100 * fabs(1 - now / before), now <= before ? "less" : "more",
                 pare_cost_name(b.minimize), name);
    }
}
