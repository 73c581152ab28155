#include "ui/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/json.h"

void cli_print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text != NULL) {
        puts(text);
    }
    free(text);
}

const char *cli_number(char buf[32], double value, int digits)
{
    if (isfinite(value)) {
        snprintf(buf, 32, "%.*f", digits, value);
    } else {
        snprintf(buf, 32, "-");
    }
    return buf;
}

static const char *bytes_text(char buf[32], double bytes)
{
    if (!isfinite(bytes)) {
        snprintf(buf, 32, "-");
    } else if (bytes >= 1e6) {
        snprintf(buf, 32, "%.2f MB", bytes / 1e6);
    } else {
        snprintf(buf, 32, "%.1f kB", bytes / 1e3);
    }
    return buf;
}

static const char *count_text(char buf[32], double n)
{
    const char *unit = n >= 1e9 ? "G" : n >= 1e6 ? "M" : n >= 1e3 ? "k" : "";
    double scaled = n >= 1e9 ? n / 1e9 : n >= 1e6 ? n / 1e6 : n >= 1e3 ? n / 1e3 : n;
    snprintf(buf, 32, *unit != '\0' ? "%.2f %s" : "%.0f%s", scaled, unit);
    return buf;
}

int cli_widest_name(const json_t *layers)
{
    size_t i;
    json_t *layer;
    int width = 12;
    json_array_foreach((json_t *)(uintptr_t)layers, i, layer) {
        int n = (int)strlen(pare_json_get_string(layer, "name", ""));
        width = n > width ? n : width;
    }
    return width > 56 ? 56 : width;
}

/* A target's times of every layer, by level. */
static void print_target_times(const json_t *json)
{
    const json_t *target = json_object_get(json, "target"), *layers = json_object_get(json, "layers");
    json_t *layer, *time;
    const char *level;
    size_t i;
    char a[32];
    const int width = cli_widest_name(layers);
    if (target == NULL) {
        return;
    }
    printf("\nms on %s (%s); ~ predicted from its table, ! the same beyond its rows' sizes, = derived from limits\n%-*s", pare_json_get_string(target, "name", ""),
           pare_json_get_string(target, "machine", ""), width, "layer");
    json_object_foreach(json_object_get(json_array_get(layers, 0), "target_ms"), level, time) {
        printf("  %10s", level);
    }
    json_array_foreach((json_t *)(uintptr_t)layers, i, layer) {
        printf("\n%-*s", width, pare_json_get_string(layer, "name", ""));
        json_object_foreach(json_object_get(layer, "target_ms"), level, time) {
            const char *basis = pare_json_get_string(time, "basis", "");
            const double ms = pare_json_get_real(time, "ms");
            printf("  %9s%s", cli_number(a, ms, 4), !isfinite(ms) ? " " : pare_json_get_bool(time, "extrapolated", false) ? "!" : strcmp(basis, "predicted") == 0 ? "~" : strcmp(basis, "derived") == 0 ? "=" : " ");
        }
    }
    printf("\n");
}

/* The letter of the tie that holds a layer, ' ' = none. */
static char tie_of(const json_t *tied, const char *layer)
{
    size_t i, k;
    json_t *names, *name;
    json_array_foreach((json_t *)(uintptr_t)tied, i, names) {
        json_array_foreach(names, k, name) {
            if (strcmp(json_string_value(name), layer) == 0) {
                return i < 26 ? (char)('a' + i) : '+';
            }
        }
    }
    return ' ';
}

/* Which layers a tie could hold, and which are held. */
static void print_ties(const json_t *json)
{
    const size_t shared = json_array_size(json_object_get(json_object_get(json, "meet"), "shared-inputs"));
    const size_t added = json_array_size(json_object_get(json_object_get(json, "meet"), "residual"));
    if (json_array_size(json_object_get(json, "tied")) > 0) {
        printf("=a, =b ...: layers tied to one level (pipeline.lua, pare pin --tie)\n");
    }
    if (shared + added > 0) {
        printf("layers that meet: %zu pair%s read the same tensor, %zu pair%s are added (--tie auto holds each at one level)\n", shared,
               shared == 1 ? "" : "s", added, added == 1 ? "" : "s");
    }
}

void cli_print_info(const json_t *json)
{
    const json_t *stages = json_object_get(json, "stages"), *layers = json_object_get(json, "layers");
    double all_macs = 0, all_weights = 0;
    char a[32], b[32];
    size_t i, k;
    json_t *stage, *item;
    printf("%s: %zu model%s, %zu layers\n\n", pare_json_get_string(json, "name", ""), json_array_size(stages),
           json_array_size(stages) == 1 ? "" : "s", json_array_size(layers));
    json_array_foreach((json_t *)(uintptr_t)stages, i, stage) {
        printf("%s  %s, %s", pare_json_get_string(stage, "name", ""), pare_json_get_string(stage, "file", ""),
               pare_json_get_string(stage, "format", ""));
        if (strcmp(pare_json_get_string(stage, "format", ""), "onnx") == 0) {
            printf(" opset %lld", (long long)pare_json_get_int(stage, "opset", 0));
        }
        printf(", %lld nodes\n", (long long)pare_json_get_int(stage, "nodes", 0));
        static const char *const ends[2] = {"inputs", "outputs"};
        for (int e = 0; e < 2; e++) {
            printf("  %-7s", ends[e]);
            json_array_foreach(json_object_get(stage, ends[e]), k, item) {
                printf(" %s %s", pare_json_get_string(item, "name", ""), pare_json_get_string(item, "shape", ""));
            }
            printf("\n");
        }
        json_array_foreach(json_object_get(stage, "unknown"), k, item) {
            printf("  unknown operator %s at node %s: the model can be listed, not run\n",
                   pare_json_get_string(item, "operator", ""), pare_json_get_string(item, "node", ""));
        }
        json_array_foreach(json_object_get(stage, "warnings"), k, item) {
            printf("  warning: %s\n", json_string_value(item));
        }
    }
    int width = cli_widest_name(layers);
    printf("\n%-*s  %-5s  %-18s  %10s  %10s\n", width, "layer", "kind", "shape", "MACs", "weights");
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        double macs = (double)pare_json_get_int(item, "macs", 0), weights = (double)pare_json_get_int(item, "weights", 0);
        all_macs += macs;
        all_weights += weights;
        const char tie = tie_of(json_object_get(json, "tied"), pare_json_get_string(item, "name", ""));
        printf("%-*s  %-5s  %-18s  %10s  %10s", width, pare_json_get_string(item, "name", ""),
               pare_json_get_string(item, "kind", ""), pare_json_get_string(item, "shape", ""), count_text(a, macs),
               count_text(b, weights));
        if (tie != ' ') {
            printf("  =%c", tie);
        }
        if (pare_json_get_string(item, "kept", NULL) != NULL) {
            printf("  kept at %s (%s)", pare_json_get_string(item, "kept", ""), pare_json_get_string(item, "kept_by", ""));
        }
        printf("\n");
    }
    printf("%-*s  %-5s  %-18s  %10s  %10s\n", width, "all", "", "", count_text(a, all_macs), count_text(b, all_weights));
    const char *split;
    json_object_foreach(json_object_get(json, "splits"), split, item) {
        const char *missing = pare_json_get_string(item, "missing", NULL);
        if (missing != NULL) {
            printf("%s%s: '%s' is not there", i == 0 ? "" : "\n", split, missing);
        } else {
            printf("%s%s: %lld samples", i == 0 ? "" : "\n", split, (long long)pare_json_get_int(item, "n", 0));
        }
    }
    printf("\n");
    print_ties(json);
    print_target_times(json);
}

void cli_print_eval(const json_t *json)
{
    char b[32];
    double accuracy = pare_json_get_real(json, "accuracy"), drop = pare_json_get_real(json, "drop");
    const char *metric = pare_json_get_string(json, "metric", "top1"), *name;
    json_t *item;
    printf("split %s, %lld samples (measured, integer arithmetic at integer levels)\n", pare_json_get_string(json, "split", ""),
           (long long)pare_json_get_int(json, "samples", 0));
    printf("decided    %6lld     of them (fp32 %lld); %lld have a label\n",
           (long long)(pare_json_get_int(json, "samples", 0) - pare_json_get_int(json, "without_decision", 0)),
           (long long)(pare_json_get_int(json, "samples", 0) - pare_json_get_int(json, "fp32_without_decision", 0)),
           (long long)pare_json_get_int(json, "labelled", 0));
    printf("accuracy   %6.2f %%   [%.2f, %.2f]%s%s\n", 100 * accuracy, 100 * pare_json_get_real(json, "accuracy_low"),
           100 * pare_json_get_real(json, "accuracy_high"), strcmp(metric, "top1") == 0 ? "" : "  ",
           strcmp(metric, "top1") == 0 ? "" : metric);
    printf("fp32       %6.2f %%   on the same samples\n", 100 * pare_json_get_real(json, "fp32_accuracy"));
    printf("drop       %6.2f     [%.2f, %.2f] points, paired; below %.2f with 95 %%\n", 100 * drop,
           100 * pare_json_get_real(json, "drop_low"), 100 * pare_json_get_real(json, "drop_high"),
           100 * pare_json_get_real(json, "drop_upper"));
    if (isfinite(pare_json_get_real(json, "agreement"))) {
        printf("agreement  %6.2f %%   [%.2f, %.2f] with fp32\n", 100 * pare_json_get_real(json, "agreement"),
               100 * pare_json_get_real(json, "agreement_low"), 100 * pare_json_get_real(json, "agreement_high"));
    }
    json_object_foreach(json_object_get(json, "metrics"), name, item) {
        printf("%-10s %6.2f %%   [%.2f, %.2f]  %s; drop %.2f [%.2f, %.2f]\n", name, 100 * pare_json_get_real(item, "value"),
               100 * pare_json_get_real(item, "low"), 100 * pare_json_get_real(item, "high"),
               pare_json_get_string(item, "metric", ""), 100 * pare_json_get_real(item, "drop"),
               100 * pare_json_get_real(item, "drop_low"), 100 * pare_json_get_real(item, "drop_high"));
    }
    if (json_object_get(json, "quantize") != NULL) {
        printf("quantized  %s\n", pare_json_get_string(json, "quantize", ""));
    }
    if (pare_json_get_bool(json, "simulated", false)) {
        printf("simulated  no kernel runs 16-bit levels or powers of two: accuracy and bytes hold, there is no latency of them\n");
    }
    for (size_t i = 0; i < json_array_size(json_object_get(json, "notes")); i++) {
        printf("           %s\n", json_string_value(json_array_get(json_object_get(json, "notes"), i)));
    }
    printf("bytes      %s\n", bytes_text(b, pare_json_get_real(json, "bytes")));
    printf("BitOps     %s\n", count_text(b, pare_json_get_real(json, "bitops")));
    printf("energy     ~%s uJ, by Horowitz' table\n", cli_number(b, pare_json_get_real(json, "energy_predicted_uj"), 2));
}

/* "-0.11 to 1.55", "" when unknown; points of a percent. */
static const char *interval_text(char buf[48], const json_t *json)
{
    double low = 100 * pare_json_get_real(json, "drop_low"), high = 100 * pare_json_get_real(json, "drop_high");
    snprintf(buf, 48, isfinite(low) && isfinite(high) ? "[%.2f, %.2f]" : "", low, high);
    return buf;
}

/* Answers that did not hold when measured, and what came after. */
static void print_tried(const json_t *tried)
{
    size_t i;
    json_t *t;
    json_array_foreach((json_t *)(uintptr_t)tried, i, t) {
        char a[48], b[32], c[32];
        if (json_array_size(tried) > 1) {
            printf("answer %zu: drop predicted %s, measured %s %s, latency %.3f ms: %s\n", i + 1,
                   cli_number(b, 100 * pare_json_get_real(t, "drop_predicted"), 2), cli_number(c, 100 * pare_json_get_real(t, "drop"), 2),
                   interval_text(a, t), pare_json_get_real(t, "latency_ms"),
                   pare_json_get_bool(t, "within", false) ? "holds" : "over budget, tightened");
        }
    }
}

/* --verify: what every round measured, and which proxy ranks best. */
static void print_rounds(const json_t *rounds, const json_t *proxies)
{
    size_t r, i;
    json_t *round, *t;
    char a[32], b[32];
    json_array_foreach((json_t *)(uintptr_t)rounds, r, round) {
        json_array_foreach(json_object_get(round, "answers"), i, t) {
            printf("%s %-2zu point %-3lld drop predicted %6s, measured %6s  %s%s\n", i == 0 ? "round" : "     ", r + 1,
                   (long long)pare_json_get_int(t, "point", 0), cli_number(a, 100 * pare_json_get_real(t, "drop_predicted"), 2),
                   cli_number(b, 100 * pare_json_get_real(t, "drop"), 2), pare_json_get_bool(t, "within", false) ? "within" : "over",
                   pare_json_get_int(t, "point", 0) == pare_json_get_int(round, "best", -1) ? ", best so far" : "");
        }
    }
    if (json_array_size(proxies) > 0) {
        printf("rank correlation with the measured drop (Spearman, %lld configurations):\n",
               (long long)pare_json_get_int(json_array_get(proxies, 0), "points", 0));
    }
    json_array_foreach((json_t *)(uintptr_t)proxies, i, t) {
        const bool best = i == 0 && isfinite(pare_json_get_real(t, "spearman"));
        printf("%s %-10s %6s  %s%s\n", best ? "*" : " ", pare_json_get_string(t, "proxy", "?"),
               cli_number(a, pare_json_get_real(t, "spearman"), 3), pare_json_get_string(t, "what", ""),
               best                                          ? "; trust this here"
               : pare_json_get_bool(t, "fitted", false)      ? " (knows these points)"
                                                             : "");
    }
}

/* What each extra row came to, and whether it binds. */
static void print_rows(const json_t *rows)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        const char *name = pare_json_get_string(row, "name", ""), *says = pare_json_get_string(row, "says", "");
        const double gain = pare_json_get_real(row, "gain_without");
        printf("row %s%s%s: %.10g%s%s", name, strcmp(name, says) != 0 ? ": " : "", strcmp(name, says) != 0 ? says : "",
               pare_json_get_real(row, "value"), pare_json_get_bool(row, "holds", true) ? "" : ", does not hold",
               pare_json_get_bool(row, "binds", false) ? ", binds" : "");
        if (isfinite(gain)) {
            printf(" (without it the answer gains %.4g)", gain);
        }
        printf("\n");
    }
}

/* The first line: how good is the answer, as far as that is known? */
static void print_proof(const json_t *json)
{
    const double gap = pare_json_get_real(json, "gap"), rounding = pare_json_get_real(json, "rounding");
    const char *figure = pare_json_get_string(json_object_get(json, "budget"), "minimize", "");
    const char *unit = strcmp(figure, "latency") == 0 ? " ms" : strcmp(figure, "energy") == 0 ? " uJ" : "";
    printf("run %s: %s", pare_json_get_string(json, "run", ""), pare_json_get_string(json, "status", ""));
    if (strcmp(pare_json_get_string(json, "status", ""), "found") == 0 && isfinite(gap)) {
        printf(", %.2f %% above the exact optimum (predicted)", 100 * gap);
    } else if (isfinite(gap)) {
        printf(", gap %.2g", gap);
    }
    if (rounding > 0) {
        printf(" (costs rounded: to within %.1g%s%s)", rounding, strcmp(figure, "drop") == 0 ? " of loss" : "", unit);
    }
    printf(", solver %.1f ms, %lld configuration%s measured\n", 1e3 * pare_json_get_real(json, "seconds"),
           (long long)pare_json_get_int(json, "evaluations", 0), pare_json_get_int(json, "evaluations", 0) == 1 ? "" : "s");
}

void cli_print_solve(const json_t *json)
{
    const json_t *config = json_object_get(json, "config"), *p = json_object_get(json, "predicted");
    const json_t *m = json_object_get(json, "measured");
    char a[48], b[48], c[48], d[48];
    const char *key;
    json_t *value;
    print_proof(json);
    if (isfinite(pare_json_get_real(json, "hypervolume_of_exact"))) {
        printf("front: %.2f %% of the exact front's hypervolume, on predicted costs\n", 100 * pare_json_get_real(json, "hypervolume_of_exact"));
    }
    if (pare_json_get_string(json, "note", "")[0] != '\0') {
        printf("by %s: %s\n", pare_json_get_string(json, "method", ""), pare_json_get_string(json, "note", ""));
    }
    print_rows(json_object_get(json, "rows"));
    print_tried(json_object_get(json, "tried"));
    if (pare_json_get_string(json, "gain", "")[0] != '\0') {
        printf("beside earlier answers: %s\n", pare_json_get_string(json, "gain", ""));
    }
    print_rounds(json_object_get(json, "rounds"), json_object_get(json, "proxies"));
    printf("%-10s %10s %-15s %10s\n", "", "predicted", "", "measured");
    const double drop = pare_json_get_real(m, "drop"), fp32_ms = pare_json_get_real(m, "fp32_latency_ms");
    if (isfinite(drop)) {
        printf("%-10s %10s %-15s %10s %s; below %.2f with 95 %%; %s, %lld samples\n", "drop %", cli_number(a, 100 * pare_json_get_real(p, "drop"), 2),
               interval_text(c, p), cli_number(b, 100 * drop, 2), interval_text(d, m), 100 * pare_json_get_real(m, "drop_upper"),
               pare_json_get_string(m, "split", "search"), (long long)pare_json_get_int(m, "samples", 0));
    } else if (isfinite(pare_json_get_real(p, "drop"))) { /* a bare model has none */
        printf("%-10s %10s %-15s %10s\n", "drop %", cli_number(a, 100 * pare_json_get_real(p, "drop"), 2), interval_text(c, p), "-");
    }
    printf("%-10s %10s %-15s %10s", "latency ms", cli_number(a, pare_json_get_real(p, "latency_ms"), 3), "", cli_number(b, pare_json_get_real(m, "latency_ms"), 3));
    if (isfinite(fp32_ms)) {
        printf("; fp32 %.3f ms, %.2fx", fp32_ms, fp32_ms / pare_json_get_real(m, "latency_ms"));
    }
    printf("\n");
    printf("%-10s %10s\n", "bytes", bytes_text(a, pare_json_get_real(p, "bytes")));
    printf("%-10s %10s\n", "BitOps", count_text(a, pare_json_get_real(p, "bitops")));
    printf("%-10s %10s uJ a sample, by Horowitz' table\n", "energy", cli_number(a, pare_json_get_real(p, "energy_uj"), 2));
    printf("\n");
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        printf("  %-40s %s\n", key, json_string_value(value));
    }
}

void cli_print_front(const json_t *json)
{
    char a[32], b[32], c[32], d[32], e[32];
    size_t i;
    const json_t *p;
    const size_t n = json_array_size(json_object_get(json, "points"));
    printf("run %s: %zu point%s\n%5s %10s %10s %14s %12s %12s\n", pare_json_get_string(json, "run", ""),
           n, n == 1 ? "" : "s", "point", "drop %", "predicted", "latency ms ~", "bytes", "energy uJ ~");
    json_array_foreach(json_object_get(json, "points"), i, p) {
        printf("%5lld %10s %10s %14s %12s %12s\n", (long long)pare_json_get_int(p, "point", 0), cli_number(a, 100 * pare_json_get_real(p, "drop"), 2),
               cli_number(b, 100 * pare_json_get_real(p, "drop_predicted"), 2), cli_number(c, pare_json_get_real(p, "latency_predicted_ms"), 3),
               bytes_text(d, pare_json_get_real(p, "bytes")), cli_number(e, pare_json_get_real(p, "energy_predicted_uj"), 2));
    }
}

const char *cli_figure(char buf[32], const struct pare_figure *f, double factor, int digits)
{
    if (f->kind == PARE_FIGURE_NONE || !isfinite(f->value)) {
        snprintf(buf, 32, "-");
    } else {
        snprintf(buf, 32, "%s%.*f", f->kind == PARE_FIGURE_PREDICTED ? "~" : "", digits, factor * f->value);
    }
    return buf;
}

void cli_print_summary(const struct pare_state *s)
{
    char a[32], b[32], c[32];
    int width = 14;
    printf("%s: %d model%s, %d layers, target %s (%s), %d samples in %s\n", s->name, s->n_stages, s->n_stages == 1 ? "" : "s", s->n_layers, s->target,
           s->cpu, s->n_samples, s->split);
    printf("fp32: accuracy %s %%, latency %s ms, %s\n\n", cli_figure(a, &s->fp32_accuracy, 100, 2), cli_figure(b, &s->fp32_latency, 1, 3),
           bytes_text(c, s->fp32_bytes));
    for (int i = 0; i < s->n_stages; i++) {
        printf("%-16s %3d layers  %10s MACs", s->stages[i].name, s->stages[i].n_layers, count_text(a, (double)s->stages[i].macs));
        printf("  %10s weights  fp32 %s ms\n", count_text(b, (double)s->stages[i].weights), cli_number(c, s->stages[i].ms_fp32, 3));
    }
    if (s->n_points > 0) {
        printf("\n%-*s %12s %9s %12s %11s   (~ predicted)\n", width, "point", "accuracy %", "drop %", "latency ms", "bytes");
    }
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        if (strcmp(s->runs[p->run].method, "mixed") == 0) {
            continue;
        }
        printf("%-*s %12s %9s", width, p->label, cli_figure(a, &p->accuracy, 100, 2), cli_figure(b, &p->drop, 100, 2));
        printf(" %12s %11s%s\n", cli_figure(a, &p->latency, 1, 3), bytes_text(b, p->bytes.value), p->front ? "  front" : p->tied ? "  tied" : "");
    }
    printf("\nopen it in a terminal for the workbench: pare %s\n", s->path);
}
