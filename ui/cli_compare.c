/* `pare compare` as text, CSV, Markdown and a picture, from the JSON of the verb. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/strbuf.h"
#include "src/export/plot.h"
#include "ui/cli.h"

static const char *text_of(char buf[32], double x, int digits)
{
    snprintf(buf, 32, isfinite(x) ? "%.*f" : "-", digits, x);
    return buf;
}

static double of(const json_t *json, const char *key)
{
    return pare_json_get_real(json, key);
}

/* What stands behind a row: is it tied with the first, what does the tool claim that it was imported from? */
static const char *note_of(char note[64], const json_t *best, bool tied)
{
    const double claimed = of(json_object_get(best, "claimed"), "accuracy");
    note[0] = '\0';
    if (tied) {
        snprintf(note, 64, "tied with the first");
    } else if (isfinite(claimed)) {
        snprintf(note, 64, "accuracy %.2f %% claimed", 100 * claimed);
    }
    return note;
}

static void add_table(struct pare_strbuf *b, const json_t *json, const char *head, const char *row, const char *cells)
{
    size_t i;
    json_t *run;
    pare_strbuf_append(b, head);
    json_array_foreach(json_object_get(json, "runs"), i, run) {
        const json_t *best = json_object_get(run, "best"), *change = json_array_get(json_object_get(json, "changes"), i);
        const json_t *tied = json_object_get(change, "tied");
        char t[10][32], latency[40];
        pare_strbuf_printf(b, row, pare_json_get_string(run, "name", "?"), pare_json_get_string(run, "method", "?"),
                           pare_json_get_string(run, "budget", ""));
        char drop[40], note[64];
        snprintf(drop, sizeof drop, "%s%s", pare_json_get_bool(best, "drop_measured", false) || !isfinite(of(best, "drop")) ? "" : "~",
                 text_of(t[0], 100 * of(best, "drop"), 2));
        const char *const ms = text_of(t[1], of(best, "latency_ms"), 3);
        snprintf(latency, sizeof latency, "%s%s", pare_json_get_bool(best, "latency_measured", false) || !isfinite(of(best, "latency_ms")) ? "" : "~", ms);
        pare_strbuf_printf(b, cells, text_of(t[2], 100 * of(best, "accuracy"), 2), drop, latency, text_of(t[3], of(best, "bytes") / 1000, 1), text_of(t[9], of(best, "energy_predicted_uj"), 2),
                           text_of(t[4], of(run, "hypervolume"), 4), text_of(t[5], of(run, "from_exact_ms"), 4),
                           text_of(t[6], of(run, "seconds"), 2), (int)pare_json_get_int(run, "evaluations", 0),
                           note_of(note, best, i > 0 && json_is_true(tied)));
    }
}

static void add_levels(struct pare_strbuf *b, const json_t *json, const char *begin, const char *cell, const char *changed, const char *end)
{
    size_t i, k;
    json_t *item, *level;
    json_array_foreach(json_object_get(json, "differences"), i, item) {
        const json_t *levels = json_object_get(item, "levels");
        const char *first = json_string_value(json_array_get(levels, 0));
        pare_strbuf_printf(b, begin, pare_json_get_string(item, "layer", ""));
        json_array_foreach((json_t *)(uintptr_t)levels, k, level) {
            pare_strbuf_printf(b, strcmp(json_string_value(level), first) == 0 ? cell : changed, json_string_value(level));
        }
        pare_strbuf_append(b, end);
    }
}

/* What turning the first into each of the others would change: predicted, but for layers and kB. row: name, layers, ms, kB,
 * uJ, loss, is the difference of their drops within chance? */
static void add_changes(struct pare_strbuf *b, const json_t *json, const char *row)
{
    const json_t *changes = json_object_get(json, "changes");
    for (size_t i = 1; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i), *run = json_array_get(json_object_get(json, "runs"), i);
        const json_t *tied = json_object_get(change, "tied");
        char t[4][32];
        snprintf(t[0], sizeof t[0], isfinite(of(change, "latency_ms")) ? "%+.4f" : "-", of(change, "latency_ms"));
        snprintf(t[1], sizeof t[1], "%+.1f", of(change, "bytes") / 1000);
        snprintf(t[2], sizeof t[2], "%+.2f", of(change, "energy_uj"));
        snprintf(t[3], sizeof t[3], isfinite(of(change, "loss")) ? "%+.5f" : "-", of(change, "loss"));
        pare_strbuf_printf(b, row, pare_json_get_string(run, "name", "?"), (int)pare_json_get_int(change, "layers", 0), t[0], t[1], t[2], t[3],
                           json_is_true(tied) ? "tied" : json_is_false(tied) ? "differs" : "-");
    }
}

/* The head of the table of layers: whose levels stand in which column. */
static void add_names(struct pare_strbuf *b, const json_t *json, const char *name, const char *end)
{
    size_t i;
    json_t *run;
    json_array_foreach(json_object_get(json, "runs"), i, run) {
        pare_strbuf_printf(b, name, pare_json_get_string(run, "name", "?"));
    }
    pare_strbuf_append(b, end);
}

/* Cells of the longest text under `key` among the runs, at least that of its head, at most `most`. */
static int column_width(const json_t *json, const char *key, const char *head, int most)
{
    size_t i, w = strlen(head);
    json_t *run;
    json_array_foreach(json_object_get(json, "runs"), i, run) {
        const size_t n = strlen(pare_json_get_string(run, key, ""));
        w = n > w ? n : w;
    }
    return w > (size_t)most ? most : (int)w;
}

/* Without the blanks at the ends of lines. */
static void print_trimmed(const char *text)
{
    for (const char *p = text; *p != '\0';) {
        const size_t n = strcspn(p, "\n");
        size_t used = n;
        for (; used > 0 && p[used - 1] == ' '; used--) {
        }
        printf("%.*s%s", (int)used, p, p[n] == '\n' ? "\n" : "");
        p += n + (p[n] == '\n');
    }
}

void cli_print_compare(const json_t *json)
{
    struct pare_strbuf b;
    const json_t *reference = json_object_get(json, "reference");
    const int name = column_width(json, "name", "run", 20), method = column_width(json, "method", "method", 14),
              budget = column_width(json, "budget", "budget", 24), each = name < 10 ? 10 : name;
    const size_t n_differ = json_array_size(json_object_get(json, "differences"));
    char head[256], row[64], title[64], cells[3][32];
    pare_strbuf_init(&b);
    snprintf(head, sizeof head, "%-*s %-*s %-*s accuracy %%  drop %%  latency ms       kB     uJ ~  hypervol.   exact+ms  solved s  measured\n", name, "run",
             method, "method", budget, "budget");
    snprintf(row, sizeof row, "%%-%d.%ds %%-%d.%ds %%-%d.%ds", name, name, method, method, budget, budget);
    add_table(&b, json, head, row, " %10s %7s %11s %8s %8s %10s %10s %9s %9d  %s\n");
    pare_strbuf_printf(&b, "(~ predicted; hypervolume up to fp32's %.3f ms and a drop of %.2f points, as a share; exact+ms: latency above the\n"
                           " exact front of the predicted costs, without pins, ties and rows, at the same predicted loss; tied: the paired difference\n"
                           " is within chance; measured: configurations)\n\n",
                       of(reference, "latency_ms"), 100 * of(reference, "drop"));
    pare_strbuf_append(&b, "the first into         layers        ms ~         kB       uJ ~      loss ~  drop\n");
    add_changes(&b, json, "%-20.20s %8d %11s %10s %10s %11s  %s\n");
    pare_strbuf_append(&b, "\n");
    snprintf(title, sizeof title, "%zu layer%s", n_differ, n_differ == 1 ? " differs" : "s differ");
    pare_strbuf_printf(&b, "%-42s", title);
    snprintf(cells[0], sizeof cells[0], " %%-%d.%ds ", each, each);
    snprintf(cells[1], sizeof cells[1], " %%-%ds ", each);
    snprintf(cells[2], sizeof cells[2], " %%-%ds*", each);
    add_names(&b, json, cells[0], "\n");
    add_levels(&b, json, "  %-40s", cells[1], cells[2], "\n");
    print_trimmed(b.failed ? "" : b.text);
    pare_strbuf_clear(&b);
}

/* The session's plot, the compared points standing out. */
static int draw_compare(const struct cli_options *o, const char *format, const struct pare_state *state, const json_t *json)
{
    int chosen[64], n = 0;
    size_t k;
    json_t *run;
    struct pare_error err = {0};
    json_array_foreach(json_object_get(json, "runs"), k, run) {
        for (int i = state->n_points - 1; i >= 0 && n < 64; i--) {
            if (state->points[i].number == pare_json_get_int(json_object_get(run, "best"), "point", 0) &&
                strcmp(state->runs[state->points[i].run].name, pare_json_get_string(run, "run", "")) == 0) {
                chosen[n++] = i;
                break;
            }
        }
    }
    return pare_plot_write(state, chosen, n, format, o->out, &err) == PARE_OK ? 0 : cli_fail(o, &err);
}

int cli_write_compare(const struct cli_options *o, const struct pare_state *state, const json_t *json)
{
    struct pare_strbuf b;
    struct pare_error err = {0};
    const char *dot = strrchr(o->out, '.');
    const char *format = o->format != NULL ? o->format : dot != NULL ? dot + 1 : "json";
    const json_t *reference = json_object_get(json, "reference");
    char t[2][32];
    int rc = 0;
    if (strcmp(format, "png") == 0 || strcmp(format, "svg") == 0) {
        return draw_compare(o, format, state, json);
    }
    pare_strbuf_init(&b);
    if (strcmp(format, "csv") == 0) {
        add_table(&b, json, "run,method,budget,accuracy_percent,drop_percent,latency_ms,kilobytes,energy_predicted_uj,hypervolume,from_exact_ms,seconds,evaluations,note\n",
                  "%s,%s,%s", ",%s,%s,%s,%s,%s,%s,%s,%s,%d,%s\n");
        pare_strbuf_printf(&b, "\nhypervolume_up_to_ms,hypervolume_up_to_drop_percent\n%s,%s\n", text_of(t[0], of(reference, "latency_ms"), 4),
                           text_of(t[1], 100 * of(reference, "drop"), 4));
        pare_strbuf_append(&b, "\nfirst_into,layers,latency_predicted_ms,kilobytes,energy_predicted_uj,loss_predicted,drop\n");
        add_changes(&b, json, "%s,%d,%s,%s,%s,%s,%s\n");
        pare_strbuf_append(&b, "\nlayer");
        add_names(&b, json, ",%s", "\n");
        add_levels(&b, json, "%s", ",%s", ",%s", "\n");
    } else if (strcmp(format, "md") == 0) {
        add_table(&b, json, "| run | method | budget | accuracy % | drop % | latency ms | kB | uJ ~ | hypervolume | from exact ms | seconds | measured | |\n"
                            "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
                  "| %s | %s | %s", " | %s | %s | %s | %s | %s | %s | %s | %s | %d | %s |\n");
        pare_strbuf_printf(&b, "\n~ predicted; hypervolume up to fp32's %s ms and a drop of %s points, as a share; from exact: latency above the exact\n"
                               "front of the predicted costs, without pins, ties and rows, at the same predicted loss; measured: configurations.\n",
                           text_of(t[0], of(reference, "latency_ms"), 3), text_of(t[1], 100 * of(reference, "drop"), 2));
        pare_strbuf_append(&b, "\n| the first into | layers | ms ~ | kB | uJ ~ | loss ~ | drop |\n|---|--:|--:|--:|--:|--:|---|\n");
        add_changes(&b, json, "| %s | %d | %s | %s | %s | %s | %s |\n");
        pare_strbuf_append(&b, "\n| layer |");
        add_names(&b, json, " %s |", "\n|---|");
        for (size_t i = 0; i < json_array_size(json_object_get(json, "runs")); i++) {
            pare_strbuf_append(&b, "---|");
        }
        pare_strbuf_append(&b, "\n");
        add_levels(&b, json, "| %s |", " %s |", " **%s** |", "\n");
    } else if (strcmp(format, "json") == 0) {
        char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        pare_strbuf_append(&b, text != NULL ? text : "");
        free(text);
    } else {
        (void)pare_error(&err, PARE_ERR_USAGE, format, "expected json, csv, md, png or svg");
        rc = cli_fail(o, &err);
    }
    if (rc == 0 && (b.failed || pare_file_write(o->out, b.text, b.length, &err) != PARE_OK)) {
        rc = cli_fail(o, &err);
    }
    pare_strbuf_clear(&b);
    return rc;
}
