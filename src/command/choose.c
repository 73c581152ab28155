#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/front.h"
#include "measure/stats.h"

/* The weight of one sample without a drop that stands for zero loss in the fit. */
#define MIN_LOSS 1e-9

json_t *front_config_json(const struct pare_front *f, const unsigned char *levels)
{
    json_t *config = json_object();
    for (int i = 0; i < f->n_layers; i++) {
        json_object_set_new(config, f->layers[i].name, json_string(f->level_names[levels[i]]));
    }
    return config;
}

static int level_index(const struct pare_front *f, const char *name)
{
    struct pare_level level;
    if (name == NULL || pare_level_parse(name, &level, NULL) != PARE_OK) {
        return -1;
    }
    for (int l = 0; l < f->n_levels; l++) {
        if (pare_level_equal(f->levels[l], level)) {
            return l;
        }
    }
    return -1;
}

bool front_config_levels(const struct pare_front *f, const json_t *config, unsigned char *levels, struct pare_error *err)
{
    for (int i = 0; i < f->n_layers; i++) {
        const char *name = json_string_value(json_object_get(config, f->layers[i].name));
        int level = name != NULL ? level_index(f, name) : 0;
        if (level < 0) {
            pare_error(err, PARE_ERR_CONFIG, f->layers[i].name, "level %s is not among the candidates (--levels)", name);
            return false;
        }
        levels[i] = (unsigned char)level;
    }
    return true;
}

void front_uniform(const struct pare_front *f, int level, unsigned char *levels)
{
    for (int i = 0; i < f->n_layers; i++) {
        levels[i] = (unsigned char)(level > f->layers[i].keep ? f->layers[i].keep : level);
    }
}

/* Mean loss per sample of a cell; 0 at fp32; NaN when not measured. */
static double cell_loss(const struct pare_front *f, int layer, int level)
{
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    return level == 0 ? 0 : c->samples > 0 ? c->loss / c->samples : NAN;
}

/* Layers under the first/last rule have no time of their own below it: their widest allowed level stands in. */
static double cell_ms(const struct pare_front *f, int layer, int level)
{
    int l = level > f->layers[layer].keep ? f->layers[layer].keep : level;
    return f->cells[layer * f->n_levels + l].ms * f->stages[f->layers[layer].stage].calls;
}

double front_loss_sum(const struct pare_front *f, const unsigned char *levels)
{
    double sum = 0;
    for (int i = 0; i < f->n_layers; i++) {
        sum += cell_loss(f, i, levels[i]);
    }
    return sum;
}

/* Operators that are no layers: at the level that most layers of the stage have. */
static double others_ms(const struct pare_front *f, int stage, const unsigned char *levels)
{
    int count[PARE_MAX_LEVELS] = {0}, best = 0;
    for (int i = 0; i < f->stages[stage].n_layers; i++) {
        count[levels[f->stages[stage].first_layer + i]]++;
    }
    for (int l = 1; l < f->n_levels; l++) {
        best = count[l] > count[best] ? l : best;
    }
    double ms = f->stages[stage].other_ms[best];
    return isfinite(ms) ? ms * f->stages[stage].calls : 0;
}

int front_form(const struct pare_front *f, int level)
{
    return f->levels[level].kind == PARE_LEVEL_INT ? 2 : f->levels[level].kind == PARE_LEVEL_FP16 ? 1 : 0;
}

double front_border_ms(const struct pare_front *f, int layer)
{
    const struct front_layer *l = &f->layers[layer];
    return isfinite(l->elements) ? f->border_ms * l->elements * f->stages[l->stage].calls : 0;
}

double front_latency_sum(const struct pare_front *f, const unsigned char *levels)
{
    double sum = isfinite(f->glue_ms) ? f->glue_ms : 0;
    if (!f->profiled) {
        return NAN;
    }
    for (int i = 0; i < f->n_layers; i++) {
        const struct front_layer *l = &f->layers[i];
        sum += cell_ms(f, i, levels[i]);
        for (int k = 0; k < l->n_from; k++) {
            sum += front_form(f, levels[l->from[k]]) != front_form(f, levels[i]) ? front_border_ms(f, i) : 0;
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        sum += others_ms(f, s, levels);
    }
    return sum;
}

static double layer_bytes(const struct pare_front *f, int layer, int level)
{
    int bits = f->levels[level].w_bits;
    return bits <= 32 ? f->layers[layer].bytes[bits] : NAN;
}

double front_bytes(const struct pare_front *f, const unsigned char *levels)
{
    double sum = 0;
    for (int i = 0; i < f->n_layers; i++) {
        sum += layer_bytes(f, i, levels[i]);
    }
    for (int s = 0; s < f->n_stages; s++) {
        sum += f->stages[s].other_bytes;
    }
    return sum;
}

static double layer_bitops(const struct pare_front *f, int layer, int level)
{
    double calls = f->profiled ? f->stages[f->layers[layer].stage].calls : 1;
    return calls * (double)f->layers[layer].macs * pare_level_bitops(f->levels[level]);
}

double front_bitops(const struct pare_front *f, const unsigned char *levels)
{
    double sum = 0;
    for (int i = 0; i < f->n_layers; i++) {
        sum += layer_bitops(f, i, levels[i]);
    }
    return sum;
}

/* ---- from smooth loss to drop ---- */

static int by_loss(const void *a, const void *b)
{
    const struct front_fitted *x = a, *y = b;
    return (x->loss > y->loss) - (x->loss < y->loss);
}

/* What fp32 takes end to end beyond the sum of its parts (glue, feeding stages, cold caches) is taken as the same
 * for every configuration: so the prediction of fp32 is its own measured time. */
static void front_anchor_latency(struct pare_front *f)
{
    unsigned char fp32[4096] = {0};
    double times[64];
    size_t n = 0;
    for (int i = 0; i < f->n_points && n < 64; i++) {
        if (isfinite(f->points[i].fp32_ms)) {
            times[n++] = f->points[i].fp32_ms;
        }
    }
    if (n == 0 || !f->profiled || f->n_layers > (int)sizeof fp32) {
        return;
    }
    pare_sort(times, n);
    double glue = isfinite(f->glue_ms) ? f->glue_ms : 0;
    double rest = pare_quantile_sorted(times, n, 0.5) - (front_latency_sum(f, fp32) - glue);
    f->glue_ms = rest > 0 ? rest : 0;
    for (int i = 0; i < f->n_points; i++) {
        double said = pare_json_get_real(f->points[i].facts, "latency_predicted");
        f->points[i].latency_predicted = isfinite(said) && isfinite(f->points[i].latency[1])
                                             ? said
                                             : front_latency_sum(f, f->points[i].levels);
    }
}

/* Every measured configuration as one pair of summed loss and drop, weighted by its samples; n of them, or 0. */
static int fit_pairs(struct pare_front *f, struct front_fitted *pairs)
{
    int n = 0;
    for (int i = 0; i < f->n_points; i++) {
        struct front_point *p = &f->points[i];
        p->loss_sum = front_loss_sum(f, p->levels);
        if (isfinite(p->search.figures.drop) && isfinite(p->loss_sum)) {
            pairs[n++] = (struct front_fitted){p->loss_sum, p->search.figures.drop, 0, p->search.samples};
        }
    }
    if (n > 0) {
        pairs[n++] = (struct front_fitted){0, 0, 0, FRONT_MIXED_SAMPLES}; /* nothing lost, nothing dropped */
    }
    qsort(pairs, (size_t)n, sizeof *pairs, by_loss);
    return n;
}

void front_fit(struct pare_front *f)
{
    size_t room = (size_t)f->n_points + 1;
    struct front_fitted *pairs = calloc(room, sizeof *pairs);
    double *numbers = calloc(4 * room, sizeof *numbers);
    if (pairs == NULL || numbers == NULL) {
        free(pairs);
        free(numbers);
        return; /* the fit before stands */
    }
    double *x = numbers, *y = numbers + room, *weights = numbers + 2 * room, *fitted = numbers + 3 * room;
    int n = fit_pairs(f, pairs);
    for (int i = 0; i < n; i++) {
        x[i] = pairs[i].loss;
        y[i] = pairs[i].drop > 0 ? pairs[i].drop : 0;
        weights[i] = pairs[i].weight;
    }
    pare_isotonic(x, y, weights, n, fitted);
    for (int i = 0; i < n; i++) {
        pairs[i].fitted = fitted[i];
    }
    free(numbers);
    free(f->fit);
    f->fit = pairs;
    f->n_fit = n;
    front_anchor_latency(f);
    /* A prediction is what was said before the point was measured: the fit that knows its own answer is none. */
    for (int i = 0; i < f->n_points; i++) {
        struct front_point *p = &f->points[i];
        double said = pare_json_get_real(p->facts, "drop_predicted");
        p->drop_predicted = isfinite(said) ? said : p->search.samples > 0 ? NAN : front_drop_of_loss(f, p->loss_sum);
    }
}

double front_drop_of_loss(const struct pare_front *f, double loss)
{
    if (f->n_fit < 2 || !isfinite(loss)) {
        return NAN;
    }
    for (int i = 1; i < f->n_fit; i++) {
        const struct front_fitted *a = &f->fit[i - 1], *b = &f->fit[i];
        if (loss <= b->loss) {
            double width = b->loss - a->loss, t = width > 0 ? (loss - a->loss) / width : 1;
            return a->fitted + t * (b->fitted - a->fitted);
        }
    }
    return f->fit[f->n_fit - 1].fitted;
}

double front_spread_of_loss(const struct pare_front *f, double loss)
{
    double squares = 0, weights = 0;
    int n = 0;
    for (int i = 0; i < f->n_fit; i++) {
        const struct front_fitted *p = &f->fit[i];
        if (p->loss >= loss / 4 && p->loss <= loss * 4 && p->loss > 0) {
            squares += p->weight * (p->drop - p->fitted) * (p->drop - p->fitted);
            weights += p->weight;
            n++;
        }
    }
    return n >= 5 ? sqrt(squares / weights * n / (n - 1)) : NAN;
}

double front_loss_of_drop(const struct pare_front *f, double drop)
{
    if (f->n_fit < 2) {
        return NAN;
    }
    for (int i = f->n_fit - 1; i > 0; i--) {
        const struct front_fitted *a = &f->fit[i - 1], *b = &f->fit[i];
        if (b->fitted <= drop) {
            return i == f->n_fit - 1 ? INFINITY : b->loss;
        }
        if (a->fitted <= drop) {
            return a->loss + (drop - a->fitted) / (b->fitted - a->fitted) * (b->loss - a->loss);
        }
    }
    return 0;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* From all layers at int8, random layers are lowered until the summed loss reaches a target; the targets are
 * spread evenly in the logarithm between the losses of the int8 and of the narrowest uniform config. Every second one
 * takes small steps only: solvers find many cheap cells, and many that are cheap alone lose more together than few. */
void front_mixed(const struct pare_front *f, int i, unsigned char *levels)
{
    unsigned char *low = malloc((size_t)f->n_layers + 1);
    uint32_t state = 0x9e3779b9u + 7919u * (uint32_t)(i + 1);
    if (low == NULL) {
        memset(levels, 0, (size_t)f->n_layers);
        return;
    }
    front_uniform(f, f->int8_level, levels);
    front_uniform(f, f->n_levels - 1, low);
    double from = front_loss_sum(f, levels), to = front_loss_sum(f, low);
    from = from > MIN_LOSS ? from : MIN_LOSS;
    to = to > 2 * from ? to : 2 * from;
    double target = from * pow(to / from, (i + 0.5) / FRONT_MIXED), largest = i % 2 != 0 ? target / 10 : target;
    int moves = (i % 2 != 0 ? 40 : 4) * f->n_layers;
    for (int move = 0; move < moves && front_loss_sum(f, levels) < target; move++) {
        int layer = (int)(next_random(&state) % (uint32_t)f->n_layers);
        int keep = f->layers[layer].keep, level = levels[layer];
        if (level >= keep) {
            continue;
        }
        levels[layer] = (unsigned char)(level + 1 + (int)(next_random(&state) % (uint32_t)(keep - level)));
        if (cell_loss(f, layer, levels[layer]) - cell_loss(f, layer, level) > largest || front_loss_sum(f, levels) > 2 * target) {
            levels[layer] = (unsigned char)level; /* too far: another one */
        }
    }
    free(low);
}

/* ---- the problem ---- */

static bool level_allowed(const struct pare_front *f, int layer, int level, bool use_pins)
{
    const struct front_layer *l = &f->layers[layer];
    if (use_pins && l->pin_lo >= 0) {
        return level >= l->pin_lo && level <= l->pin_hi;
    }
    return level <= l->keep;
}

static void fill_group(struct pare_problem *p, const struct pare_front *f, int group, int layer, const struct front_budget *b)
{
    for (int l = 0; l < f->n_levels; l++) {
        int cell = group * p->n_levels + l;
        double loss = b->no_loss ? 0 : cell_loss(f, layer, l), ms = f->profiled ? cell_ms(f, layer, l) : 0;
        double bytes = layer_bytes(f, layer, l);
        bool allowed = level_allowed(f, layer, l, b->use_pins) && isfinite(loss) && isfinite(ms) && isfinite(bytes);
        p->allowed[cell] = p->allowed[cell] && allowed;
        p->cost[PARE_COST_LOSS][cell] += allowed ? loss : 0;
        p->cost[PARE_COST_LATENCY][cell] += allowed ? ms : 0;
        p->cost[PARE_COST_BYTES][cell] += allowed ? bytes : 0;
        p->cost[PARE_COST_BITOPS][cell] += allowed ? layer_bitops(f, layer, l) : 0;
    }
}

/* With one group for a model, a layer's own pin or first/last rule holds beside the model's level. */
static void fill_model(struct pare_problem *p, const struct pare_front *f, int stage, const struct front_budget *b)
{
    for (int k = 0; k < f->stages[stage].n_layers; k++) {
        int layer = f->stages[stage].first_layer + k;
        for (int l = 0; l < f->n_levels; l++) {
            int own = l, cell = stage * p->n_levels + l;
            const struct front_layer *fl = &f->layers[layer];
            if (b->use_pins && fl->pin_lo >= 0) {
                own = own < fl->pin_lo ? fl->pin_lo : own > fl->pin_hi ? fl->pin_hi : own;
            } else if (own > fl->keep) {
                own = fl->keep;
            }
            double loss = b->no_loss ? 0 : cell_loss(f, layer, own), ms = f->profiled ? cell_ms(f, layer, own) : 0;
            bool ok = isfinite(loss) && isfinite(ms);
            p->allowed[cell] = p->allowed[cell] && ok;
            p->cost[PARE_COST_LOSS][cell] += ok ? loss : 0;
            p->cost[PARE_COST_LATENCY][cell] += ok ? ms : 0;
            p->cost[PARE_COST_BYTES][cell] += layer_bytes(f, layer, own);
            p->cost[PARE_COST_BITOPS][cell] += layer_bitops(f, layer, own);
        }
    }
}

/* Borders that can change an answer: below a part in a thousand of all layers' time they only make the program large. */
static bool add_borders(const struct pare_front *f, struct pare_problem *p)
{
    int room = 0;
    double total = 0;
    for (int i = 0; i < f->n_layers; i++) {
        room += f->layers[i].n_from;
        total += cell_ms(f, i, f->int8_level);
    }
    p->borders = f->profiled && f->border_ms > 0 ? calloc((size_t)room + 1, sizeof *p->borders) : NULL;
    if (p->borders == NULL) {
        return !(f->profiled && f->border_ms > 0);
    }
    for (int i = 0; i < f->n_layers; i++) {
        double ms = front_border_ms(f, i);
        for (int k = 0; k < f->layers[i].n_from && ms > 1e-3 * total; k++) {
            if (f->layers[i].from[k] != i) {
                p->borders[p->n_borders++] = (struct pare_border){f->layers[i].from[k], i, ms};
            }
        }
    }
    return true;
}

enum pare_status front_problem(struct pare_front *f, const struct front_budget *budget, struct pare_problem **out,
                               struct pare_error *err)
{
    int n_groups = budget->per_model ? f->n_stages : f->n_layers;
    struct pare_problem *p;
    enum pare_status status = pare_problem_new(n_groups, f->n_levels, &p, err);
    *out = NULL;
    if (status != PARE_OK) {
        return status;
    }
    for (int l = 0; l < f->n_levels; l++) {
        p->level_names[l] = strdup(f->level_names[l]);
        p->form[l] = front_form(f, l);
    }
    memset(p->allowed, 1, (size_t)(n_groups * f->n_levels) * sizeof *p->allowed);
    for (int g = 0; g < n_groups; g++) {
        p->group_names[g] = strdup(budget->per_model ? f->stages[g].name : f->layers[g].name);
        if (budget->per_model) {
            fill_model(p, f, g, budget);
        } else {
            fill_group(p, f, g, g, budget);
        }
    }
    if (!budget->per_model && !add_borders(f, p)) {
        pare_problem_free(p);
        return pare_error_nomem(err);
    }
    for (int s = 0; s < f->n_stages; s++) {
        double other = f->stages[s].other_ms[f->int8_level];
        p->fixed[PARE_COST_BYTES] += f->stages[s].other_bytes;
        p->fixed[PARE_COST_LATENCY] += isfinite(other) ? other * f->stages[s].calls : 0;
    }
    p->fixed[PARE_COST_LATENCY] += isfinite(f->glue_ms) ? f->glue_ms : 0;
    p->objective = budget->minimize;
    p->limit[PARE_COST_LATENCY] = budget->max_latency;
    p->limit[PARE_COST_BYTES] = budget->max_bytes;
    p->limit[PARE_COST_BITOPS] = budget->max_bitops;
    double loss = isfinite(budget->max_drop) ? front_loss_of_drop(f, budget->max_drop) : NAN;
    if (isfinite(budget->max_loss) && !(loss < budget->max_loss)) {
        loss = budget->max_loss;
    }
    p->limit[PARE_COST_LOSS] = isfinite(loss) ? loss : NAN;
    *out = p;
    return PARE_OK;
}

void front_answer_levels(const struct pare_front *f, const json_t *answer, bool per_model, unsigned char *levels)
{
    const json_t *config = json_object_get(answer, "config");
    for (int i = 0; i < f->n_layers; i++) {
        const struct front_layer *l = &f->layers[i];
        const char *group = per_model ? f->stages[l->stage].name : l->name;
        int level = level_index(f, json_string_value(json_object_get(config, group)));
        level = level < 0 ? 0 : level;
        if (per_model && l->pin_lo >= 0) {
            level = level < l->pin_lo ? l->pin_lo : level > l->pin_hi ? l->pin_hi : level;
        } else if (per_model && level > l->keep) {
            level = l->keep;
        }
        levels[i] = (unsigned char)level;
    }
}
