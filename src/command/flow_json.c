#include <math.h>
#include <string.h>

#include "command/flow.h"
#include "command/linear.h"
#include "measure/slower.h"
#include "measure/stats.h"

/* Own error's other figures; `step` and `accumulated` are kinds of their own. */
static void add_own(const struct front_cell *c, json_t *item)
{
    json_object_set_new(item, "clipped", pare_json_real(front_own(c, PARE_OWN_CLIPPED)));
    json_object_set_new(item, "cosine", pare_json_real(front_own(c, PARE_OWN_COSINE)));
    json_object_set_new(item, "max_error", pare_json_real(c->own_n > 0 ? c->most : NAN));
    json_object_set_new(item, "max_error_mean", pare_json_real(front_own(c, PARE_OWN_MAX)));
    json_object_set_new(item, "mean_error", pare_json_real(front_own(c, PARE_OWN_MEAN)));
    json_object_set_new(item, "stddev", pare_json_real(front_own(c, PARE_OWN_SD)));
    json_object_set_new(item, "elements", pare_json_real(front_own(c, PARE_OWN_ELEMENTS)));
    json_object_set_new(item, "scale", pare_json_real(c->scale > 0 ? c->scale : NAN));
    json_object_set_new(item, "zero_point", json_integer(c->zero));
    json_object_set_new(item, "own_samples", json_integer(c->own_n));
    json_object_set_new(item, "weight_rmse", pare_json_real(front_own_rmse(c, PARE_OWN_WEIGHTS)));
    json_object_set_new(item, "activation_rmse", pare_json_real(front_own_rmse(c, PARE_OWN_ACTIVATIONS)));
    json_object_set_new(item, "step_rmse", pare_json_real(front_own_rmse(c, PARE_OWN_STEP)));
    json_object_set_new(item, "accumulated_rmse", pare_json_real(front_own_rmse(c, PARE_OWN_ACCUMULATED)));
}

void flow_add_kept(const struct pare_front *f, int layer, int level, json_t *item)
{
    char range[40];
    const char *by = level >= 0 ? front_kept(f, layer, level, range) : NULL;
    for (int l = f->n_levels - 1; level < 0 && by == NULL && l >= 0; l--) {
        by = front_kept(f, layer, l, range);
        by = by != NULL && (strcmp(by, "pin") == 0 || strcmp(by, "keep") == 0) ? by : NULL;
    }
    json_object_set_new(item, "kept", by != NULL ? json_string(range) : json_null());
    json_object_set_new(item, "kept_by", by != NULL ? json_string(by) : json_null());
}

json_t *flow_sense_json(struct pare_front *f)
{
    json_t *layers = json_array();
    for (int i = 0; i < f->n_layers; i++) {
        for (int l = 1; l < f->n_levels; l++) {
            struct front_cell *c = &f->cells[i * f->n_levels + l];
            const struct pare_figures *figures = front_cell_figures(f, c);
            const double mse = front_own(c, PARE_OWN_MSE), power = front_own(c, PARE_OWN_POWER);
            bool labels = f->split_samples[1] > 0 && !pare_json_get_bool(f->description, "bare", false);
            double rmse = sqrt(mse), over_scale = c->scale > 0 ? rmse / c->scale : NAN;
            json_t *item = json_object();
            json_object_set_new(item, "name", json_string(f->layers[i].name));
            json_object_set_new(item, "level", json_string(f->level_names[l]));
            json_object_set_new(item, "kind", json_string(f->layers[i].kind));
            json_object_set_new(item, "tensor", json_string(f->layers[i].tensor));
            json_object_set_new(item, "tensor_index", json_integer(f->layers[i].tensor_index));
            json_object_set_new(item, "mse", pare_json_real(mse));
            json_object_set_new(item, "rmse", pare_json_real(rmse));
            json_object_set_new(item, "rmse_over_scale", pare_json_real(over_scale));
            json_object_set_new(item, "rmse_over_sigma", pare_json_real(c->sigma > 0 ? rmse / c->sigma : NAN));
            json_object_set_new(item, "sqnr_db", pare_json_real(mse > 0 ? 10 * log10(power / mse) : NAN));
            add_own(c, item);
            json_object_set_new(item, "loss", pare_json_real(c->samples > 0 ? c->loss / c->samples : NAN));
            json_object_set_new(item, "drop", pare_json_real(labels ? figures->drop : NAN));
            json_object_set_new(item, "drop_low", pare_json_real(labels ? figures->drop_low : NAN));
            json_object_set_new(item, "drop_high", pare_json_real(labels ? figures->drop_high : NAN));
            json_object_set_new(item, "samples", json_integer(c->samples));
            json_object_set_new(item, "stopped", json_boolean(c->stopped && c->samples < f->sense_samples));
            json_object_set_new(item, "simulated", json_boolean(front_layer_simulated(&f->layers[i], f->levels[l])));
            json_object_set_new(item, "suspected", json_boolean(over_scale > 0.7));
            flow_add_kept(f, i, l, item);
            if (c->problem != NULL) {
                json_object_set_new(item, "problem", json_string(c->problem));
            }
            json_array_append_new(layers, item);
        }
    }
    json_t *root = json_pack("{s:i, s:s, s:s, s:i, s:o}", "schema", 1, "kind", "own", "baseline",
                     f->options.baseline != NULL ? "int8" : "fp32", "samples", f->sense_samples, "layers", layers);
    if (f->options.quantize != NULL) {
        json_object_set_new(root, "quantize", json_string(f->options.quantize));
    }
    return root;
}

/* The layers' times and the other operators' of a stage at a uniform level, over the time of the whole stage. */
static double sum_over_total(const struct pare_front *f, int stage, int level)
{
    const struct front_stage *s = &f->stages[stage];
    double sum = s->other_ms[level];
    for (int i = s->first_layer; i < s->first_layer + s->n_layers; i++) {
        sum += f->cells[i * f->n_levels + (level < f->layers[i].keep ? level : f->layers[i].keep)].ms;
    }
    return sum / s->total_ms[level];
}

/* One layer: its time in place in this config, and the floor of its work. */
static json_t *bench_layer(const struct pare_front *f, int layer, int level, const json_t *watch)
{
    static const char *const copied[] = {"ms",     "p10",     "p90",         "cycles",   "cold_ms", "macs",           "bytes",
                                         "mac_ms", "byte_ms", "epilogue_ms", "floor_ms", "binds",   "share_of_limit", "weight_bytes"};
    const json_t *row = json_object_get(json_object_get(watch, "layers"), f->layers[layer].name);
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    json_t *item = json_pack("{s:s, s:s, s:s, s:o}", "name", f->layers[layer].name, "level", f->level_names[level], "kernel",
                             pare_json_get_string(row, "kernel", c->kernel != NULL ? c->kernel : ""), "profile_ms",
                             pare_json_real(c->ms));
    if (pare_fp16_is_widened(pare_json_get_string(item, "kernel", ""))) {
        json_object_set_new(item, "widened", json_true());
    }
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        json_t *value = json_object_get(row, copied[i]);
        json_object_set_new(item, copied[i], value != NULL ? json_incref(value) : json_null());
    }
    return item;
}

static double time_at(const json_t *times, size_t i, bool noisy)
{
    return noisy ? NAN : pare_json_at_real(times, i);
}

/* Are its weights and activations at least as wide, and some wider? */
static bool is_wider(struct pare_level a, struct pare_level than)
{
    return a.w_bits >= than.w_bits && a.a_bits >= than.a_bits && (a.w_bits > than.w_bits || a.a_bits > than.a_bits);
}

int front_slower_than(const struct pare_front *f, int layer, int level)
{
    const struct front_cell *cells = &f->cells[layer * f->n_levels], *narrow = &cells[level];
    int wider = level - 1;
    while (wider >= 0 && !(is_wider(f->levels[wider], f->levels[level]) && isfinite(cells[wider].ms))) { /* simulated: no time */
        wider--;
    }
    return wider >= 0 && f->target == NULL && pare_is_slower(narrow->ms, narrow->ms_p10, cells[wider].ms, cells[wider].ms_p90) ? wider : -1;
}

json_t *flow_slower_json(const struct pare_front *f, int layer, int level)
{
    const int wider = front_slower_than(f, layer, level);
    if (wider < 0) {
        return NULL;
    }
    const struct front_cell *narrow = &f->cells[layer * f->n_levels + level], *wide = &f->cells[layer * f->n_levels + wider];
    char why[200];
    pare_slower_why((struct pare_ran){narrow->kernel, narrow->out_bytes}, (struct pare_ran){wide->kernel, wide->out_bytes},
                    &f->layers[layer].conv, why);
    return json_pack("{s:s, s:s, s:s, s:f, s:s}", "name", f->layers[layer].name, "level", f->level_names[level], "than",
                     f->level_names[wider], "times", narrow->ms / wide->ms, "why", why);
}

json_t *flow_bench_json(const struct pare_front *f, const unsigned char *levels, const json_t *whole, const json_t *watch)
{
    const json_t *configs = json_object_get(whole, "configs"), *ours = json_array_get(configs, 1);
    const bool noisy = pare_json_get_bool(whole, "noisy", false);
    const double latency[6] = {time_at(ours, 0, noisy), time_at(ours, 1, noisy), time_at(ours, 2, noisy),
                               time_at(ours, 3, noisy), time_at(ours, 4, noisy), time_at(ours, 5, false)};
    const double fp32_ms = time_at(json_array_get(configs, 0), 1, noisy);
    json_t *layers = json_array(), *stages = json_array(), *slower = json_array(), *one;
    for (int i = 0; i < f->n_layers; i++) {
        json_array_append_new(layers, bench_layer(f, i, levels[i], watch));
        if ((one = flow_slower_json(f, i, levels[i])) != NULL) {
            json_array_append_new(slower, one);
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        json_t *total = json_object(), *over = json_object();
        for (int l = 0; l < f->n_levels; l++) {
            json_object_set_new(total, f->level_names[l], pare_json_real(f->stages[s].total_ms[l]));
            json_object_set_new(over, f->level_names[l], pare_json_real(sum_over_total(f, s, l)));
        }
        json_t *timed = json_object_get(json_object_get(watch, "stages"), f->stages[s].name);
        json_array_append_new(stages, json_pack("{s:s, s:f, s:o, s:o, s:O?}", "name", f->stages[s].name, "calls", f->stages[s].calls,
                                                "uniform_ms", total, "sum_over_total", over, "in_place", timed));
    }
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "target", "host",
                     "cpu", f->cpu, "isa", f->isa, "latency_ms", "min", pare_json_real(latency[0]), "median",
                     pare_json_real(latency[1]), "p90", pare_json_real(latency[3]), "p99", pare_json_real(latency[4]),
                     "samples", pare_json_real(latency[5]), "fp32_ms", pare_json_real(fp32_ms), "glue_ms",
                     pare_json_real(f->glue_ms), "border_ns_per_element", pare_json_real(1e6 * f->border_ms), "sum_over_total", pare_json_real(front_latency_sum(f, levels) / latency[1]), "stages", stages, "layers", layers);
    json_object_set_new(root, "slower", slower);
    static const char *const said[] = {"rounds", "repeated", "warm_rounds", "disturbed", "noisy"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        json_t *value = json_object_get(whole, said[i]);
        json_object_set_new(root, said[i], value != NULL ? json_incref(value) : json_null());
    }
    json_object_set_new(root, "cycles", pare_json_real(noisy ? NAN : pare_json_at_real(json_object_get(whole, "cycles"), 1)));
    json_object_set_new(root, "whole_ghz", pare_json_real(pare_json_get_real(whole, "ghz")));
    json_object_set_new(root, "kernels_by", json_string(f->table[0] != '\0' ? "table" : "rule"));
    static const char *const copied[] = {"ghz", "width", "tiles"};
    for (int i = 0; i < 3; i++) {
        json_t *value = json_object_get(watch, copied[i]);
        json_object_set_new(root, copied[i], value != NULL ? json_incref(value) : json_null());
    }
    return root;
}

/* Value and drop with their intervals, as eval and solve print them. */
static void set_figures(json_t *object, const struct pare_figures *figures)
{
    json_object_set_new(object, "accuracy", pare_json_real(figures->value));
    json_object_set_new(object, "accuracy_low", pare_json_real(figures->low));
    json_object_set_new(object, "accuracy_high", pare_json_real(figures->high));
    json_object_set_new(object, "fp32_accuracy", pare_json_real(figures->reference));
    json_object_set_new(object, "drop", pare_json_real(figures->drop));
    json_object_set_new(object, "drop_low", pare_json_real(figures->drop_low));
    json_object_set_new(object, "drop_high", pare_json_real(figures->drop_high));
    json_object_set_new(object, "drop_upper", pare_json_real(figures->drop_upper));
}

json_t *flow_eval_json(const struct pare_front *f, const unsigned char *levels, const char *split,
                       const struct front_eval *eval)
{
    double agree_low, agree_high, n = eval->samples;
    bool classes = f->metric == PARE_METRIC_TOP1; /* other outcomes have no class to agree on */
    pare_interval_proportion(eval->agree, eval->samples, &agree_low, &agree_high);
    json_t *root = json_pack("{s:i, s:s, s:i, s:i, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "split", split,
                             "samples", eval->samples, "labelled", eval->labelled, "without_decision", eval->none,
                             "fp32_without_decision", eval->reference_none, "metric", pare_metric_name(f->metric),
                             "agreement", pare_json_real(classes ? eval->agree / n : NAN), "agreement_low",
                             pare_json_real(classes ? agree_low : NAN), "agreement_high",
                             pare_json_real(classes ? agree_high : NAN), "loss", pare_json_real(eval->loss / n), "bytes",
                             pare_json_real(front_bytes(f, levels)), "bitops", pare_json_real(front_bitops(f, levels)));
    json_object_set_new(root, "energy_predicted_uj", pare_json_real(front_energy(f, levels)));
    set_figures(root, &eval->figures);
    if (f->options.quantize != NULL) {
        json_object_set_new(root, "quantize", json_string(f->options.quantize));
    }
    json_object_set_new(root, "simulated", json_boolean(front_simulated(f, levels)));
    if (json_object_get(f->calibration, "notes") != NULL) {
        json_object_set(root, "notes", json_object_get(f->calibration, "notes"));
    }
    return root;
}

static json_t *point_measured(const struct pare_front *f, const struct front_point *p)
{
    json_t *measured = json_object();
    if (p->search.samples > 0) {
        json_object_set_new(measured, "split", json_string("search"));
        json_object_set_new(measured, "samples", json_integer(p->search.samples));
        set_figures(measured, &p->search.figures);
    }
    json_object_set_new(measured, "latency_ms", pare_json_real(p->latency[1]));
    json_object_set_new(measured, "latency_p99_ms", pare_json_real(p->latency[4]));
    json_object_set_new(measured, "fp32_latency_ms", pare_json_real(p->fp32_ms));
    json_object_set_new(measured, "bytes", pare_json_real(front_bytes(f, p->levels)));
    json_object_set_new(measured, "bitops", pare_json_real(front_bitops(f, p->levels)));
    return measured;
}

json_t *flow_solve_json(const struct pare_front *f, const struct front_flow *flow)
{
    unsigned char uniform[4096];
    const char *status = pare_json_get_string(flow->answer, "status", "?");
    json_t *root = json_pack("{s:i, s:s, s:s, s:o, s:o, s:i}", "schema", 1, "status", status, "method",
                             pare_json_get_string(flow->answer, "method", "exact"), "gap",
                             pare_json_real(pare_json_get_real(flow->answer, "gap")), "seconds",
                             pare_json_real(flow->solve_seconds), "evaluations", flow->evaluations);
    if (flow->run >= 0) {
        json_object_set_new(root, "run", json_string(f->runs[flow->run].name));
    }
    const double share = pare_json_get_real(flow->step, "share");
    if (isfinite(share)) {
        json_object_set_new(root, "hypervolume_of_exact", json_real(share));
    }
    if (json_object_get(flow->answer, "rounding") != NULL) {
        json_object_set(root, "rounding", json_object_get(flow->answer, "rounding"));
    }
    if (json_object_get(flow->answer, "note") != NULL) {
        json_object_set(root, "note", json_object_get(flow->answer, "note"));
    }
    if (flow->best < 0) {
        json_object_set_new(root, "config", json_null());
        json_object_set_new(root, "predicted", json_null());
        json_object_set_new(root, "measured", json_null());
        return root;
    }
    const struct front_point *p = &f->points[flow->best];
    json_object_set(root, "config", p->config);
    json_object_set_new(root, "simulated", json_boolean(front_simulated(f, p->levels)));
    json_object_set_new(root, "point", json_integer(p->number));
    json_object_set_new(
        root, "predicted",
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "loss", pare_json_real(p->loss_sum), "drop",
                  pare_json_real(p->drop_predicted), "drop_low", pare_json_real(pare_json_get_real(p->facts, "drop_predicted_low")),
                  "drop_high", pare_json_real(pare_json_get_real(p->facts, "drop_predicted_high")), "latency_ms",
                  pare_json_real(p->latency_predicted), "bytes", pare_json_real(front_bytes(f, p->levels)), "bitops",
                  pare_json_real(front_bitops(f, p->levels)), "energy_uj", pare_json_real(front_energy(f, p->levels))));
    json_object_set_new(root, "measured", point_measured(f, p));
    struct front_budget b = flow_budget(f, flow->args);
    json_t *rows = front_rows_of(f, b.rows), *report = front_rows_json(f, rows, p->levels, json_object_get(flow->answer, "rows"));
    if (report != NULL) {
        json_object_set_new(root, "rows", report);
    }
    json_decref(rows);
    json_object_set_new(root, "budget",
                        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "minimize", pare_cost_name(b.minimize), "max_drop",
                                  pare_json_real(b.max_drop), "max_latency_ms", pare_json_real(b.max_latency), "max_bytes",
                                  pare_json_real(b.max_bytes), "max_bitops", pare_json_real(b.max_bitops), "max_energy_uj",
                                  pare_json_real(b.max_energy), "sure", (int)b.sure));
    json_object_set_new(root, "within", flow->evaluations > 0 ? json_boolean(flow_over(f, &b, p) <= 1) : json_null());
    if (flow->rounds != NULL) {
        json_object_set(root, "rounds", flow->rounds);
        json_object_set(root, "proxies", json_object_get(flow->answer, "proxies"));
    }
    char gain[160];
    flow_say_gain(f, flow, gain, sizeof gain);
    if (flow->evaluations > 0 && gain[0] != '\0') {
        json_object_set_new(root, "gain", json_string(gain));
    }
    if (flow->tried != NULL) {
        json_object_set(root, "tried", flow->tried);
    }
    if (f->n_layers <= (int)sizeof uniform) {
        front_uniform(f, f->int8_level, uniform);
        json_object_set_new(root, "int8_bytes", pare_json_real(front_bytes(f, uniform)));
    }
    return root;
}
