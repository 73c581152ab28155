/* sense.c: the sensitivity table: its rows, what they add up to, which cells go on, in which order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/front.h"

static void add_cell(struct front_cell *cell, const json_t *item, const char *reference_right)
{
    const json_t *loss = json_object_get(item, "loss");
    const char *right = pare_json_get_string(item, "right", "");
    size_t n = json_array_size(loss);
    int own = (int)pare_json_get_int(item, "n", 0);
    for (size_t i = 0; i < n && right[i] != '\0' && reference_right[i] != '\0'; i++) {
        double value = pare_json_at_real(loss, i);
        cell->loss = front_add_on_grid(cell->loss, value, 1e6);
        cell->loss_squares = front_add_on_grid(cell->loss_squares, value * value, 1e12);
        cell->lost += reference_right[i] == '1' && right[i] == '0';
        cell->won += reference_right[i] == '0' && right[i] == '1';
        cell->samples++;
    }
    if (own > 0) {
        cell->own_n += own;
        for (int k = 0; k < PARE_OWN_FIELDS; k++) {
            cell->own[k] += own * pare_json_get_real(item, pare_own_field_name((enum pare_own_field)k));
        }
        const double most = pare_json_get_real(item, "most");
        cell->most = most > cell->most ? most : cell->most;
        cell->scale = pare_json_get_real(item, "scale");
        cell->zero = (int)pare_json_get_int(item, "zero", 0);
    }
    cell->sigma = pare_json_get_real(item, "sigma");
    cell->problem = json_string_value(json_object_get(item, "problem")); /* the row stays in memory */
}

double front_own(const struct front_cell *c, enum pare_own_field field)
{
    return c->own_n > 0 ? c->own[field] / c->own_n : (double)NAN;
}

double front_own_rmse(const struct front_cell *c, enum pare_own_field field)
{
    return sqrt(front_own(c, field));
}

/*
 * Early stop. The first quarter of the samples (a chunk at least) is measured for every cell. Then the cells of a level are
 * put in the order of their predicted effect, the mean loss so far and 3 standard errors, and left alone are
 *   - the smallest, as long as they changed no sample's outcome and all of them together stay below SENSE_NOTHING: a
 *     configuration may take every one of them, and none matters;
 *   - those whose mean loss is above SENSE_HOPELESS with 3 standard errors: nobody takes them.
 * What is left are the cells that matter; levels where they matter most go on first. Rows depend on the list of layers that
 * were left (params.layers), so they are found again by the same decision. A level's chunks are taken in their order, so
 * that no figure and no decision depends on which worker was faster, or on where a run was cut and resumed.
 */
#define SENSE_NOTHING 5e-3
#define SENSE_HOPELESS 1.0

bool front_cell_done(const struct pare_front *f, const struct front_cell *c)
{
    return c->samples >= f->sense_samples || (c->stopped && c->samples > 0);
}

static int first_chunks(const struct pare_front *f)
{
    const int quarter = (f->sense_samples / 4 + FRONT_CHUNK - 1) / FRONT_CHUNK;
    return quarter < 1 ? 1 : quarter < f->n_chunks ? quarter : f->n_chunks;
}

/* A cell's mean loss and three standard errors of it; infinite from one sample. */
static double mean_loss(const struct front_cell *c, double *error)
{
    const double n = c->samples, mean = n > 0 ? c->loss / n : 0, variance = n > 1 ? (c->loss_squares - n * mean * mean) / (n - 1) : 0;
    *error = n > 1 ? 3 * sqrt((variance > 0 ? variance : 0) / n) : INFINITY;
    return mean;
}

struct prediction {
    double most; /* of its effect */
    int layer;
};

static int by_effect(const void *a, const void *b)
{
    const struct prediction *x = a, *y = b;
    return x->most != y->most ? (x->most < y->most ? -1 : 1) : x->layer - y->layer;
}

/* Stops cells of the level; what those that go on lose together, none counted above 1. */
static double stop_cells(struct pare_front *f, int level, int *left)
{
    struct prediction *order = malloc(((size_t)f->n_layers + 1) * sizeof *order);
    double together = 0, effect = 0, error;
    int n = 0;
    *left = 0;
    for (int l = 0; l < f->n_layers; l++) {
        struct front_cell *c = &f->cells[l * f->n_levels + level];
        const double mean = mean_loss(c, &error);
        c->stopped = mean - error > SENSE_HOPELESS;
        if (order != NULL && !c->stopped && c->lost == 0 && c->won == 0) {
            order[n++] = (struct prediction){mean + error, l};
        }
    }
    if (order != NULL) { /* else nothing more is stopped */
        qsort(order, (size_t)n, sizeof *order, by_effect);
    }
    for (int i = 0; i < n && (together += order[i].most) < SENSE_NOTHING; i++) {
        f->cells[order[i].layer * f->n_levels + level].stopped = true;
    }
    for (int l = 0; l < f->n_layers; l++) {
        const struct front_cell *c = &f->cells[l * f->n_levels + level];
        const double mean = mean_loss(c, &error);
        *left += !c->stopped;
        effect += c->stopped ? 0 : mean < 1 ? mean : 1;
    }
    free(order);
    return effect;
}

static void mark_done(struct pare_front *f, int level)
{
    for (int c = first_chunks(f); c < f->n_chunks; c++) {
        f->sense_chunk[level * f->n_chunks + c] = true;
    }
}

/* After the first chunks of a level: which of its cells go on. */
static void decide(struct pare_front *f, int level)
{
    int left = 0;
    if (!f->sense_chunk[level * f->n_chunks + first_chunks(f) - 1] || f->sense_decided[level]) {
        return;
    }
    f->sense_decided[level] = true;
    f->sense_effect[level] = stop_cells(f, level, &left);
    if (left == 0) {
        mark_done(f, level);
    }
}

/* false: the level's chunks before it are not all there yet. */
static bool take_sense(struct pare_front *f, int level, int chunk, const json_t *row)
{
    const char *reference = pare_json_get_string(row, "right", "");
    bool *taken = &f->sense_chunk[level * f->n_chunks + chunk];
    if (*taken || (chunk > 0 && !taken[-1])) {
        return *taken;
    }
    *taken = true;
    for (int l = 0; l < f->n_layers; l++) {
        const json_t *item = json_object_get(json_object_get(row, "cells"), f->layers[l].name);
        if (item != NULL) {
            add_cell(&f->cells[l * f->n_levels + level], item, reference);
            front_cell_take(f, &f->cells[l * f->n_levels + level], row, item);
        }
    }
    decide(f, level);
    f->costs++;
    if (level == f->int8_level) {
        front_choices_again(f);
    }
    front_changed(f);
    return true;
}

/* The layers that go on after the first chunks (half of them where that is not known: for a price); NULL = all. */
static json_t *layers_left(const struct pare_front *f, int level)
{
    json_t *left = json_array();
    for (int l = 0; l < f->n_layers; l++) {
        const bool goes_on = f->sense_decided[level] ? !f->cells[l * f->n_levels + level].stopped : l % 2 == 0;
        if (goes_on) {
            json_array_append_new(left, json_integer(l));
        }
    }
    if ((int)json_array_size(left) == f->n_layers) {
        json_decref(left);
        return NULL;
    }
    return left;
}

static json_t *sense_params(const struct pare_front *f, int level, int chunk)
{
    int first = chunk * FRONT_CHUNK, n = f->sense_samples - first < FRONT_CHUNK ? f->sense_samples - first : FRONT_CHUNK;
    json_t *params = json_pack("{s:s, s:i, s:i, s:s, s:i}", "level", f->level_names[level], "first", first, "n", n, "split",
                               "search", "own_every", 4);
    json_t *left = chunk >= first_chunks(f) ? layers_left(f, level) : NULL;
    if (f->options.baseline != NULL) {
        json_object_set_new(params, "baseline", json_string(f->options.baseline));
    }
    if (left != NULL) {
        json_object_set_new(params, "layers", left);
    }
    return params;
}

/* Is it known what this chunk has to measure? */
static bool sense_known(const struct pare_front *f, int level, int chunk)
{
    return chunk < first_chunks(f) || f->sense_decided[level];
}

/* The first chunks of all levels, then those that go on where it matters most. */
static int sense_priority(const struct pare_front *f, int level, int chunk)
{
    const double effect = f->sense_effect[level];
    return chunk < first_chunks(f) ? 50 : 45 + (effect > 0.1) + (effect > 1) + (effect > 4) + (effect > 16);
}

bool front_ensure_sense(struct pare_front *f, int samples, bool *failed, struct pare_error *err)
{
    bool all = true;
    if (!front_ensure_calibration(f, failed, err)) {
        all = false;
    }
    int chunks = (samples + FRONT_CHUNK - 1) / FRONT_CHUNK;
    for (int c = 0; c < chunks && c < f->n_chunks && !*failed; c++) {
        for (int l = 1; l < f->n_levels && !*failed; l++) {
            char title[96];
            if (f->sense_chunk[l * f->n_chunks + c]) {
                continue;
            }
            if (!sense_known(f, l, c) && f->pricing == NULL) { /* priced as if half of the cells went on */
                all = false;
                continue;
            }
            snprintf(title, sizeof title, "sense %s, samples %d to %d", f->level_alias[l], c * FRONT_CHUNK + 1,
                     (c + 1) * FRONT_CHUNK < f->sense_samples ? (c + 1) * FRONT_CHUNK : f->sense_samples);
            struct front_job job = {.kind = "sense",
                                    .title = title,
                                    .params = sense_params(f, l, c),
                                    .needs_calibration = true,
                                    .priority = sense_priority(f, l, c),
                                    .total = FRONT_CHUNK};
            const json_t *row = front_row(f, &job, failed, err);
            all = row != NULL && take_sense(f, l, c, row) && all;
        }
    }
    return all && !*failed;
}

bool front_price_sense(struct pare_front *f)
{
    bool failed = false, there = false, decided[PARE_MAX_LEVELS];
    memcpy(decided, f->sense_decided, sizeof decided);
    memset(f->sense_decided, 0, sizeof f->sense_decided); /* by other rules: which cells go on is not known */
    (void)front_ensure_calibration(f, &failed, NULL);
    for (int c = 0; c < f->n_chunks; c++) {
        for (int l = 1; l < f->n_levels; l++) {
            struct front_job job = {.kind = "sense", .title = "", .params = sense_params(f, l, c), .needs_calibration = true};
            there = front_row(f, &job, &failed, NULL) != NULL || there;
        }
    }
    memcpy(f->sense_decided, decided, sizeof decided);
    return there;
}

void front_load_sense(struct pare_front *f)
{
    for (int c = 0; c < f->n_chunks; c++) {
        for (int l = 1; l < f->n_levels; l++) {
            const bool wanted = !f->sense_chunk[l * f->n_chunks + c] && sense_known(f, l, c);
            const json_t *row = wanted ? front_known_row(f, "sense", sense_params(f, l, c)) : NULL;
            if (row != NULL) {
                (void)take_sense(f, l, c, row);
            }
        }
    }
}
