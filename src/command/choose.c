#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/linear.h"
#include "measure/energy.h"
#include "search/tie.h"

json_t *front_config_json(const struct pare_front *f, const unsigned char *levels)
{
    json_t *config = json_object();
    for (int i = 0; i < f->n_layers; i++) {
        json_object_set_new(config, f->layers[i].name, json_string(f->level_names[levels[i]]));
    }
    return config;
}

bool front_layer_simulated(const struct front_layer *l, struct pare_level level)
{
    return pare_level_simulated(level) || (level.w_bits <= 8 && (l->simulated >> level.w_bits & 1u) != 0);
}

bool front_config_simulated(const struct pare_front *f, const json_t *config)
{
    for (int i = 0; i < f->n_layers; i++) {
        struct pare_level level;
        const char *text = json_string_value(json_object_get(config, f->layers[i].name));
        if (text != NULL && pare_level_parse(text, &level, NULL) == PARE_OK && front_layer_simulated(&f->layers[i], level)) {
            return true;
        }
    }
    return false;
}

bool front_simulated(const struct pare_front *f, const unsigned char *levels)
{
    for (int i = 0; i < f->n_layers; i++) {
        if (front_layer_simulated(&f->layers[i], f->levels[levels[i]])) {
            return true;
        }
    }
    return false;
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
        levels[i] = front_suspected(f, i, levels[i]) ? 0 : levels[i];
    }
}

double front_cell_loss(const struct pare_front *f, int layer, int level)
{
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    return level == 0 ? 0 : c->samples > 0 ? c->loss / c->samples : NAN;
}

/* Layers under the first/last rule have no time of their own below it: their widest allowed level stands in. */
static double cell_ms(const struct pare_front *f, int layer, int level)
{
    int l = level > f->layers[layer].keep ? f->layers[layer].keep : level;
    return f->pace * f->cells[layer * f->n_levels + l].ms * f->stages[f->layers[layer].stage].calls;
}

double front_loss_sum(const struct pare_front *f, const unsigned char *levels)
{
    double sum = 0;
    for (int i = 0; i < f->n_layers; i++) {
        sum += front_cell_loss(f, i, levels[i]);
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
    return isfinite(ms) ? f->pace * ms * f->stages[stage].calls : 0;
}

int front_form(const struct pare_front *f, int level)
{
    return f->levels[level].kind == PARE_LEVEL_INT ? 2 : f->levels[level].kind == PARE_LEVEL_FP16 ? 1 : 0;
}

double front_border_ms(const struct pare_front *f, int layer)
{
    const struct front_layer *l = &f->layers[layer];
    return isfinite(l->elements) ? f->pace * f->border_ms * l->elements * f->stages[l->stage].calls : 0;
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
    int bits = pare_level_simulated(f->levels[level]) && f->levels[level].w_bits == 16 ? 0 : f->levels[level].w_bits;
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

/* Of one sample: calls times one call's. */
static double layer_energy(const struct pare_front *f, int layer, int level)
{
    const struct front_layer *l = &f->layers[layer];
    const double calls = f->profiled ? f->stages[l->stage].calls : 1, elements = isfinite(l->elements) ? l->elements : 0;
    return calls * pare_energy_layer_uj(f->levels[level], (double)l->macs, layer_bytes(f, layer, level), elements);
}

double front_energy(const struct pare_front *f, const unsigned char *levels)
{
    double sum = 0;
    for (int i = 0; i < f->n_layers; i++) {
        sum += layer_energy(f, i, levels[i]);
    }
    return sum;
}

double front_layer_cost(const struct pare_front *f, int layer, int level, enum pare_figure_id figure)
{
    switch (figure) {
    case PARE_COST_LOSS: return front_cell_loss(f, layer, level);
    case PARE_COST_LATENCY: return f->profiled ? cell_ms(f, layer, level) : NAN;
    case PARE_COST_BYTES: return layer_bytes(f, layer, level);
    case PARE_COST_BITOPS: return layer_bitops(f, layer, level);
    default: return layer_energy(f, layer, level);
    }
}

int front_model_level(const struct pare_front *f, int layer, int level, bool use_pins)
{
    int lo, hi;
    front_range(f, layer, use_pins, &lo, &hi);
    const int held = level < lo ? lo : level > hi ? hi : level;
    return front_kept_out(f, layer, held, use_pins) ? 0 : held;
}

/* ---- the problem ---- */

static void fill_group(struct pare_problem *p, const struct pare_front *f, int group, int layer, const struct front_budget *b)
{
    int lo, hi;
    front_range(f, layer, b->use_pins, &lo, &hi);
    for (int l = 0; l < f->n_levels; l++) {
        int cell = group * p->n_levels + l;
        double loss = b->no_loss ? 0 : front_cell_loss(f, layer, l), ms = f->profiled ? cell_ms(f, layer, l) : 0;
        double bytes = layer_bytes(f, layer, l);
        bool allowed = l >= lo && l <= hi && !front_kept_out(f, layer, l, b->use_pins) && isfinite(loss) && isfinite(ms) && isfinite(bytes);
        p->allowed[cell] = p->allowed[cell] && allowed;
        p->cost[PARE_COST_LOSS][cell] += allowed ? loss : 0;
        p->cost[PARE_COST_LATENCY][cell] += allowed ? ms : 0;
        p->cost[PARE_COST_BYTES][cell] += allowed ? bytes : 0;
        p->cost[PARE_COST_BITOPS][cell] += allowed ? layer_bitops(f, layer, l) : 0;
        p->cost[PARE_COST_ENERGY][cell] += allowed ? layer_energy(f, layer, l) : 0;
    }
}

/* With one group for a model, a layer's own pin or first/last rule holds beside the model's level. */
static void fill_model(struct pare_problem *p, const struct pare_front *f, int stage, const struct front_budget *b)
{
    for (int k = 0; k < f->stages[stage].n_layers; k++) {
        int layer = f->stages[stage].first_layer + k;
        for (int l = 0; l < f->n_levels; l++) {
            const int cell = stage * p->n_levels + l, own = front_model_level(f, layer, l, b->use_pins);
            double loss = b->no_loss ? 0 : front_cell_loss(f, layer, own), ms = f->profiled ? cell_ms(f, layer, own) : 0;
            bool ok = isfinite(loss) && isfinite(ms);
            p->allowed[cell] = p->allowed[cell] && ok;
            p->cost[PARE_COST_LOSS][cell] += ok ? loss : 0;
            p->cost[PARE_COST_LATENCY][cell] += ok ? ms : 0;
            p->cost[PARE_COST_BYTES][cell] += layer_bytes(f, layer, own);
            p->cost[PARE_COST_BITOPS][cell] += layer_bitops(f, layer, own);
            p->cost[PARE_COST_ENERGY][cell] += layer_energy(f, layer, own);
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
        p->fixed[PARE_COST_LATENCY] += isfinite(other) ? f->pace * other * f->stages[s].calls : 0;
    }
    p->fixed[PARE_COST_LATENCY] += isfinite(f->glue_ms) ? f->glue_ms : 0;
    p->objective = budget->minimize;
    p->limit[PARE_COST_LATENCY] = budget->max_latency;
    p->limit[PARE_COST_BYTES] = budget->max_bytes;
    p->limit[PARE_COST_BITOPS] = budget->max_bitops;
    p->limit[PARE_COST_ENERGY] = budget->max_energy;
    double loss = isfinite(budget->max_drop) ? front_loss_of_drop(f, budget->max_drop) : NAN;
    if (isfinite(budget->max_loss) && !(loss < budget->max_loss)) {
        loss = budget->max_loss;
    }
    p->limit[PARE_COST_LOSS] = isfinite(loss) ? loss : NAN;
    *out = p;
    status = budget->no_rows ? PARE_OK : front_rows_add(f, budget, p, err);
    if (status == PARE_OK && !budget->untied) {
        status = front_problem_tie(f, budget, out, err);
        p = *out;
    }
    if (status != PARE_OK) {
        pare_problem_free(p);
        *out = NULL;
    }
    return status;
}

/* Stages that ties connect take one level with --per model: tie[s] is the first of them. */
static void tie_stages(const struct pare_front *f, int *tie)
{
    for (int s = 0; s < f->n_stages; s++) {
        tie[s] = s;
    }
    for (int l = 0; l < f->n_layers; l++) {
        const int x = tie[f->layers[l].stage], y = tie[f->layers[f->layers[l].tie].stage], first = x < y ? x : y;
        for (int s = 0; s < f->n_stages; s++) {
            tie[s] = tie[s] == x || tie[s] == y ? first : tie[s];
        }
    }
}

enum pare_status front_problem_tie(const struct pare_front *f, const struct front_budget *budget, struct pare_problem **p,
                                   struct pare_error *err)
{
    int *tie = malloc(((size_t)f->n_layers + (size_t)f->n_stages + 1) * sizeof *tie);
    if (tie == NULL) {
        return pare_error_nomem(err);
    }
    if (budget->per_model) {
        tie_stages(f, tie);
    }
    for (int l = 0; l < f->n_layers && !budget->per_model; l++) {
        tie[l] = f->layers[l].tie;
    }
    enum pare_status status = pare_problem_tie(p, tie, err);
    free(tie);
    return status;
}

void front_answer_levels(const struct pare_front *f, const json_t *answer, bool per_model, unsigned char *levels)
{
    const json_t *config = json_object_get(answer, "config");
    int *stage = calloc((size_t)f->n_stages + 1, sizeof *stage);
    if (stage != NULL) {
        tie_stages(f, stage);
    }
    for (int i = 0; i < f->n_layers && stage != NULL; i++) {
        const int s = f->layers[i].stage;
        const char *group = per_model ? f->stages[s].name : f->layers[i].name;
        const char *first = per_model ? f->stages[stage[s]].name : f->layers[f->layers[i].tie].name;
        int level = level_index(f, json_string_value(json_object_get(config, group)));
        level = level < 0 ? level_index(f, json_string_value(json_object_get(config, first))) : level;
        level = level < 0 ? 0 : level;
        level = per_model ? front_model_level(f, i, level, true) : level;
        levels[i] = (unsigned char)level;
    }
    free(stage);
}
