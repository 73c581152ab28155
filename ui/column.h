/*
 * column.h: what is known of a layer at a level, once for the columns of the layers' table, the figures of the matrix and
 * `:columns`. The words are those of `pare sense --columns`, and ms, kb, macs, kind.
 */
#ifndef PARE_COLUMN_H
#define PARE_COLUMN_H

#include "pare.h"
#include "ui/glyph.h"

enum pare_layer_column {
    PARE_COLUMN_SCALE,
    PARE_COLUMN_DROP,
    PARE_COLUMN_LOSS,
    PARE_COLUMN_MS,
    PARE_COLUMN_KB,
    PARE_COLUMN_MACS,
    PARE_COLUMN_KIND,
    PARE_COLUMN_OWN,
    PARE_COLUMN_STEP,
    PARE_COLUMN_ACCUMULATED,
    PARE_COLUMN_WEIGHTS,
    PARE_COLUMN_ACTIVATIONS,
    PARE_COLUMN_MSE,
    PARE_COLUMN_SIGMA,
    PARE_COLUMN_SQNR,
    PARE_COLUMN_COSINE,
    PARE_COLUMN_MAX,
    PARE_COLUMN_CLIP,
    PARE_COLUMN_COUNT
};

struct pare_column_info {
    const char *word, *title; /* of `:columns`; head of its column, with its unit */
    const char *means, *brief; /* after the figure's name, for headings; where there is little room, NULL = the same */
    short width, priority;    /* cells; which columns of the usual ones leave first when there is no room */
    bool is_rmse;             /* of the layer's output, in its units */
};

const struct pare_column_info *pare_column_info(enum pare_layer_column figure);
/* -1 when it is no word. */
int pare_column_find(const char *word);
/* Of a cell of the sensitivity table; NaN where it is not known, and for those of the layer itself. */
double pare_column_of(const struct pare_cell *cell, enum pare_layer_column figure);
/* The value as its column shows it. */
const char *pare_column_text(char *out, size_t size, double value, enum pare_layer_column figure, const struct pare_glyphs *g);
/* "usual", "errors", "parts", "all" or words separated by commas: which figures, in which order; how many, 0 = bad holds the word
 * that is none. */
int pare_column_choose(const char *text, unsigned char figures[PARE_COLUMN_COUNT], char bad[32]);

#endif
