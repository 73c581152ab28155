#include "export/export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "export/plot.h"

static const char *kind_name(enum pare_figure_kind kind)
{
    static const char *const names[] = {"", "predicted", "measured", "simulated"};
    return names[kind];
}

/* The point asked for; else the newest answer of a solve, else uniform int8, else the last point. */
static int choose_point(const struct pare_state *s, int point)
{
    int int8 = -1;
    if (point >= 0) {
        return point < s->n_points ? point : -1;
    }
    for (int i = s->n_points - 1; i >= 0; i--) {
        if (strcmp(s->runs[s->points[i].run].method, "solve") == 0) {
            return i;
        }
        int8 = strcmp(s->points[i].label, "int8") == 0 ? i : int8;
    }
    return int8 >= 0 ? int8 : s->n_points - 1;
}

static json_t *figure_json(const struct pare_figure *f)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "kind", kind_name(f->kind), "value", pare_json_real(f->value), "low",
                     pare_json_real(f->low), "high", pare_json_real(f->high));
}

char *pare_export_config(const struct pare_state *s, int point)
{
    char level[16];
    point = choose_point(s, point);
    if (point < 0) {
        return NULL;
    }
    const struct pare_point *p = &s->points[point];
    json_t *config = json_object();
    for (int i = 0; i < s->n_layers; i++) {
        json_object_set_new(config, s->layers[i].name, json_string(pare_level_name(s->levels[p->levels[i]], level)));
    }
    bool simulated = p->accuracy.kind == PARE_FIGURE_SIMULATED;
    for (int i = 0; i < s->n_layers; i++) {
        simulated = simulated || pare_level_simulated(s->levels[p->levels[i]]);
    }
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "pipeline", s->name, "point",
                             p->label, "target", s->target, "isa", s->cpu, "split", s->split, "simulated", (int)simulated, "accuracy", figure_json(&p->accuracy), "drop", figure_json(&p->drop), "latency_ms", figure_json(&p->latency),
                             "bytes", pare_json_real(p->bytes.value), "config", config);
    if (s->quantize != NULL) { /* levels alone do not say what deploys */
        json_object_set_new(root, "quantize", json_string(s->quantize));
    }
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(root);
    return text;
}

static void csv_figure(struct pare_strbuf *b, double value)
{
    if (isfinite(value)) {
        pare_strbuf_printf(b, ",%.9g", value);
    } else {
        pare_strbuf_append(b, ",");
    }
}

static void write_csv(const struct pare_state *s, struct pare_strbuf *b)
{
    pare_strbuf_append(b, "run,point,label,front,tied,accuracy,accuracy_low,accuracy_high,drop,drop_kind,latency_ms,latency_kind,"
                          "bytes,bitops,energy_predicted_uj,samples");
    for (int i = 0; i < s->n_layers; i++) {
        pare_strbuf_printf(b, ",%s", s->layers[i].name);
    }
    pare_strbuf_append(b, "\n");
    for (int k = 0; k < s->n_points; k++) {
        const struct pare_point *p = &s->points[k];
        pare_strbuf_printf(b, "%s,%d,%s,%d,%d", s->runs[p->run].name, p->number, p->label, (int)p->front, (int)p->tied);
        csv_figure(b, p->accuracy.value);
        csv_figure(b, p->accuracy.low);
        csv_figure(b, p->accuracy.high);
        csv_figure(b, p->drop.value);
        pare_strbuf_printf(b, ",%s", kind_name(p->drop.kind));
        csv_figure(b, p->latency.value);
        pare_strbuf_printf(b, ",%s", kind_name(p->latency.kind));
        csv_figure(b, p->bytes.value);
        csv_figure(b, p->bitops.value);
        csv_figure(b, p->energy.value);
        pare_strbuf_printf(b, ",%d", p->samples);
        for (int i = 0; i < s->n_layers; i++) {
            pare_strbuf_printf(b, ",%s", s->level_names[p->levels[i]]);
        }
        pare_strbuf_append(b, "\n");
    }
}

/* "~0.123", "-" where there is none. */
static const char *md_figure(char out[32], const struct pare_figure *f, double factor, int digits)
{
    snprintf(out, 32, f->kind == PARE_FIGURE_NONE || !isfinite(f->value) ? "-" : "%s%.*f", f->kind == PARE_FIGURE_PREDICTED ? "~" : "", digits,
             factor * f->value);
    return out;
}

static void write_md(const struct pare_state *s, int point, struct pare_strbuf *b)
{
    pare_strbuf_printf(b, "# %s\n\n%d model%s, %d layers; target %s (%s); figures on the %s split, `~` predicted.\n\n", s->name,
                       s->n_stages, s->n_stages == 1 ? "" : "s", s->n_layers, s->target, s->cpu, s->split);
    if (s->quantize != NULL) {
        pare_strbuf_printf(b, "Quantized by `%s`.\n\n", s->quantize);
    }
    pare_strbuf_append(b, "| point | accuracy % | drop | samples | latency ms | bytes | front |\n|---|---:|---:|---:|---:|---:|---|\n");
    for (int k = 0; k < s->n_points; k++) {
        const struct pare_point *p = &s->points[k];
        if (strcmp(s->runs[p->run].method, "mixed") == 0) {
            continue;
        }
        char accuracy[32], drop[32], latency[32];
        pare_strbuf_printf(b, "| %s | %s | %s | %d | %s | %.0f | %s |\n", p->label, md_figure(accuracy, &p->accuracy, 100, 2), md_figure(drop, &p->drop, 100, 2),
                           p->samples, md_figure(latency, &p->latency, 1, 3), p->bytes.value, p->front ? "yes" : p->tied ? "tied" : "");
    }
    point = choose_point(s, point);
    if (point >= 0) {
        pare_strbuf_printf(b, "\n## %s, layer by layer\n\n| layer | shape | level |\n|---|---|---|\n", s->points[point].label);
        for (int i = 0; i < s->n_layers; i++) {
            pare_strbuf_printf(b, "| %s | %s | %s |\n", s->layers[i].name, s->layers[i].shape,
                               s->level_names[s->points[point].levels[i]]);
        }
    }
}

enum pare_status pare_export_state(const struct pare_state *s, const char *format, int point, const char *path,
                                   struct pare_error *err)
{
    struct pare_strbuf b;
    if (s->n_points == 0) {
        return pare_error(err, PARE_ERR_NOINPUT, NULL, "nothing to export yet: solve or measure first");
    }
    if (strcmp(format, "png") == 0 || strcmp(format, "svg") == 0) {
        const int chosen = choose_point(s, point);
        return pare_plot_write(s, &chosen, 1, format, path, err);
    }
    pare_strbuf_init(&b);
    if (strcmp(format, "json") == 0) {
        char *text = pare_export_config(s, point);
        pare_strbuf_append(&b, text != NULL ? text : "");
        pare_strbuf_append(&b, "\n");
        free(text);
    } else if (strcmp(format, "csv") == 0) {
        write_csv(s, &b);
    } else if (strcmp(format, "md") == 0) {
        write_md(s, point, &b);
    } else {
        pare_strbuf_clear(&b);
        return pare_error(err, PARE_ERR_USAGE, format, "expected json, csv, md, png or svg");
    }
    enum pare_status status = b.failed ? pare_error_nomem(err) : pare_file_write(path, b.text, b.length, err);
    pare_strbuf_clear(&b);
    return status;
}
