/* column.c: the figures of a layer. */
#include "ui/column.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ui/format.h"

static const struct pare_column_info figures[PARE_COLUMN_COUNT] = {
    [PARE_COLUMN_SCALE] = {"scale", "RMSE/s", "own RMSE over the step of its output's grid", NULL, 6, 1, false},
    [PARE_COLUMN_DROP] = {"drop", "drop %", "drop in points when this layer alone is lowered", NULL, 6, 3, false},
    [PARE_COLUMN_LOSS] = {"loss", "loss", "mean smooth loss when this layer alone is lowered", NULL, 6, 8, false},
    [PARE_COLUMN_MS] = {"ms", "ms", "latency of one call, in place", NULL, 6, 2, false},
    [PARE_COLUMN_KB] = {"kb", "kB", "weights, packed", NULL, 6, 6, false},
    [PARE_COLUMN_MACS] = {"macs", "MACs", "multiplications of one call", NULL, 7, 7, false},
    [PARE_COLUMN_KIND] = {"kind", "kind", "operator", NULL, 5, 9, false},
    [PARE_COLUMN_OWN] = {"rmse", "own", "both paths read the same quantized input", "quantized input", 7, 10, true},
    [PARE_COLUMN_STEP] = {"step", "step", "float input, quantized here", "float input", 7, 10, true},
    [PARE_COLUMN_ACCUMULATED] = {"accumulated", "accum.", "all layers of its stage lowered", "whole stage lowered", 7, 10, true},
    [PARE_COLUMN_WEIGHTS] = {"weights", "weights", "its weights alone lowered", "lowered alone", 7, 10, true},
    [PARE_COLUMN_ACTIVATIONS] = {"activations", "activ.", "what it reads alone lowered", "lowered alone", 7, 10, true},
    [PARE_COLUMN_MSE] = {"mse", "MSE", "own error, squared", NULL, 7, 10, false},
    [PARE_COLUMN_SIGMA] = {"sigma", "RMSE/sig", "own RMSE over the output's sigma", NULL, 8, 10, false},
    [PARE_COLUMN_SQNR] = {"sqnr", "SQNR dB", "own, signal to quantization noise", NULL, 7, 10, false},
    [PARE_COLUMN_COSINE] = {"cosine", "cosine", "own, of the two outputs", NULL, 7, 10, false},
    [PARE_COLUMN_MAX] = {"max", "max err", "own, the largest of all samples", NULL, 7, 10, false},
    [PARE_COLUMN_CLIP] = {"clip", "clip %", "of the output beyond its range", NULL, 6, 10, false}};

const struct pare_column_info *pare_column_info(enum pare_layer_column figure)
{
    return &figures[figure];
}

int pare_column_find(const char *word)
{
    for (int i = 0; i < PARE_COLUMN_COUNT; i++) {
        if (strcmp(figures[i].word, word) == 0) {
            return i;
        }
    }
    return -1;
}

double pare_column_of(const struct pare_cell *cell, enum pare_layer_column figure)
{
    const double values[PARE_COLUMN_COUNT] = {[PARE_COLUMN_SCALE] = cell->rmse_over_scale,
                                              [PARE_COLUMN_DROP] = cell->drop,
                                              [PARE_COLUMN_LOSS] = cell->loss,
                                              [PARE_COLUMN_MS] = cell->ms,
                                              [PARE_COLUMN_KB] = cell->bytes / 1000,
                                              [PARE_COLUMN_MACS] = NAN,
                                              [PARE_COLUMN_KIND] = NAN,
                                              [PARE_COLUMN_OWN] = cell->rmse,
                                              [PARE_COLUMN_STEP] = cell->step_rmse,
                                              [PARE_COLUMN_ACCUMULATED] = cell->accumulated_rmse,
                                              [PARE_COLUMN_WEIGHTS] = cell->weight_rmse,
                                              [PARE_COLUMN_ACTIVATIONS] = cell->activation_rmse,
                                              [PARE_COLUMN_MSE] = cell->rmse * cell->rmse,
                                              [PARE_COLUMN_SIGMA] = cell->rmse_over_sigma,
                                              [PARE_COLUMN_SQNR] = cell->sqnr_db,
                                              [PARE_COLUMN_COSINE] = cell->cosine,
                                              [PARE_COLUMN_MAX] = cell->max_error,
                                              [PARE_COLUMN_CLIP] = cell->clipped};
    return values[figure];
}

/* Three digits that count, at most seven cells: errors of neighbours differ by orders of magnitude. */
static const char *error_text(char *out, size_t size, double value, const struct pare_glyphs *g)
{
    const double a = fabs(value);
    if (!isfinite(value) || a == 0 || a >= 1e5) {
        return pare_format_number(out, size, value, 0, g);
    }
    if (a < 1e-4) {
        snprintf(out, size, "%.1e", value);
        return out;
    }
    return pare_format_number(out, size, value, a < 0.00995 ? 5 : a < 0.0995 ? 4 : a < 0.995 ? 3 : a < 9.95 ? 2 : a < 99.5 ? 1 : 0, g);
}

const char *pare_column_text(char *out, size_t size, double value, enum pare_layer_column figure, const struct pare_glyphs *g)
{
    switch (figure) {
    case PARE_COLUMN_MS: /* layers take microseconds */
        return fabs(value) < 0.0995 ? pare_format_number(out, size, value, 4, g) : pare_format_ms(out, size, value, g);
    case PARE_COLUMN_DROP:
        return pare_format_percent(out, size, value, g);
    case PARE_COLUMN_CLIP:
        return pare_format_number(out, size, 100 * value, 2, g);
    case PARE_COLUMN_KB:
    case PARE_COLUMN_SQNR:
        return pare_format_number(out, size, value, 1, g);
    case PARE_COLUMN_SCALE:
        return pare_format_number(out, size, value, 2, g);
    case PARE_COLUMN_LOSS:
    case PARE_COLUMN_SIGMA:
        return pare_format_number(out, size, value, 3, g);
    case PARE_COLUMN_COSINE:
        return pare_format_number(out, size, value, 5, g);
    default:
        return error_text(out, size, value, g);
    }
}

int pare_column_choose(const char *text, unsigned char chosen[PARE_COLUMN_COUNT], char bad[32])
{
    static const char *const sets[][2] = {
        {"usual", "scale,drop,loss,ms,kb,macs,kind"},
        {"errors", "rmse,step,accumulated,sigma,sqnr,drop"},
        {"parts", "weights,activations,step,clip,max,drop"},
        {"all", "rmse,step,accumulated,weights,activations,scale,sigma,mse,sqnr,cosine,max,clip,loss,drop,ms,kb,macs,kind"}};
    bool seen[PARE_COLUMN_COUNT] = {false};
    int n = 0;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        text = strcmp(text, sets[i][0]) == 0 ? sets[i][1] : text;
    }
    for (const char *p = text; *p != '\0'; p += p[0] == ',' || p[0] == ' ') {
        const int length = (int)strcspn(p, ", ");
        snprintf(bad, 32, "%.*s", length, p);
        const int figure = length > 0 ? pare_column_find(bad) : -1;
        if (length > 0 && figure < 0) {
            return 0;
        }
        if (length > 0 && !seen[figure]) {
            seen[figure] = true;
            chosen[n++] = (unsigned char)figure;
        }
        p += length;
        if (*p == '\0') {
            break;
        }
    }
    return n;
}
