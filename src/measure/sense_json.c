/* sense_json.c: a sensitivity table as a row. */
#include <math.h>
#include <stdlib.h>

#include "measure/sense.h"

/* NULL when memory is out. */
static json_t *right_text(const signed char *right, int n)
{
    char *text = malloc((size_t)n + 1);
    if (text == NULL) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        text[i] = right[i] < 0 ? '-' : right[i] ? '1' : '0';
    }
    text[n] = '\0';
    json_t *json = json_string(text);
    free(text);
    return json;
}

json_t *pare_sense_to_json(const struct pare_engine *e, const struct pare_sense *s)
{
    json_t *cells = json_object();
    for (int l = 0; l < s->n_layers; l++) {
        const struct pare_sense_cell *cell = &s->cells[l];
        if (!cell->wanted) {
            continue;
        }
        json_t *loss = json_array(), *item = json_object();
        for (int i = 0; !cell->failed && i < s->n_samples; i++) {
            /* six digits: losses are compared at far coarser steps, and rows stay small */
            json_array_append_new(loss, pare_json_real(round(cell->loss[i] * 1e6) / 1e6));
        }
        json_object_set_new(item, "n", json_integer(cell->n));
        for (int k = 0; k < PARE_OWN_FIELDS && cell->n > 0; k++) {
            json_object_set_new(item, pare_own_field_name((enum pare_own_field)k), pare_json_real(cell->own[k]));
        }
        json_object_set_new(item, "most", pare_json_real(cell->most));
        json_object_set_new(item, "scale", pare_json_real(cell->scale));
        json_object_set_new(item, "zero", json_integer(cell->zero));
        json_object_set_new(item, "sigma", pare_json_real(cell->sigma));
        json_object_set_new(item, "loss", loss);
        if (cell->problem != NULL) {
            json_object_set_new(item, "problem", json_string(cell->problem));
        }
        if (json_object_set_new(item, "right", right_text(cell->right, s->n_samples)) != 0 ||
            (json_array_size(cell->items) > 0 && json_object_set(item, "item", cell->items) != 0)) {
            json_decref(item);
            json_decref(cells);
            return NULL;
        }
        json_object_set_new(cells, pare_engine_layer(e, l)->name, item);
    }
    json_t *root = json_pack("{s:o, s:o}", "right", right_text(s->reference_right, s->n_samples), "cells", cells);
    if (json_array_size(s->reference_items) > 0) {
        json_object_set(root, "item", s->reference_items);
    }
    return root;
}
