/*
 * `pare sense` as text, CSV, Markdown and as TFLite's QuantizationDebugger writes it. One table of columns serves all: their
 * words (--columns), heads and keys in the verb's JSON.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/strbuf.h"
#include "ui/cli.h"

struct column {
    const char *word, *head, *key;
    int width, digits; /* digits < 0: four significant ones */
    double factor;
    bool usual;
};
static const struct column columns[] = {
    {"rmse", "RMSE", "rmse", 10, 5, 1, true},
    {"mse", "MSE", "mse", 10, -1, 1, false},
    {"scale", "RMSE/s", "rmse_over_scale", 8, 2, 1, true},
    {"sigma", "RMSE/sig", "rmse_over_sigma", 8, 3, 1, true},
    {"sqnr", "SQNR dB", "sqnr_db", 8, 1, 1, true},
    {"cosine", "cosine", "cosine", 9, 6, 1, false},
    {"max", "max err", "max_error", 10, -1, 1, false},
    {"clip", "clip %", "clipped", 8, 2, 100, true},
    {"weights", "weights", "weight_rmse", 10, -1, 1, false},
    {"activations", "activ.", "activation_rmse", 10, -1, 1, false},
    {"step", "step", "step_rmse", 10, -1, 1, false},
    {"accumulated", "accum.", "accumulated_rmse", 10, -1, 1, false},
    {"loss", "loss", "loss", 10, 6, 1, true},
    {"drop", "drop %", "drop", 7, 1, 100, true},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* Words of --columns, "all" or NULL (the usual ones). False names the word that is none. */
static bool choose(const char *text, bool chosen[N_COLUMNS], char word[32])
{
    for (int i = 0; i < N_COLUMNS; i++) {
        chosen[i] = text == NULL ? columns[i].usual : strcmp(text, "all") == 0;
    }
    for (const char *at = text; at != NULL && strcmp(text, "all") != 0; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        bool found = false;
        snprintf(word, 32, "%.*s", (int)strcspn(at, ","), at);
        for (int i = 0; i < N_COLUMNS; i++) {
            const bool same = strcmp(word, columns[i].word) == 0;
            chosen[i] = chosen[i] || same;
            found = found || same;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

bool cli_sense_columns(const char *text)
{
    bool chosen[N_COLUMNS];
    char word[32];
    return choose(text, chosen, word);
}

static const char *number(char buf[40], double value, int digits)
{
    if (!isfinite(value)) {
        snprintf(buf, 40, "-");
    } else if (digits < 0) {
        snprintf(buf, 40, "%.4g", value);
    } else {
        snprintf(buf, 40, "%.*f", digits, value);
    }
    return buf;
}

/* --explain LAYER: the rows of the layers that match only. */
static int keep_layers(const struct cli_options *o, json_t *json)
{
    json_t *layers = json_object_get(json, "layers");
    for (size_t i = json_array_size(layers); i-- > 0;) {
        const char *name = pare_json_get_string(json_array_get(layers, i), "name", "");
        if (!pare_glob_match(o->explain, name)) {
            json_array_remove(layers, i);
        }
    }
    if (json_array_size(layers) > 0) {
        return 0;
    }
    struct pare_error err = {0};
    pare_error(&err, PARE_ERR_USAGE, o->explain, "the pattern matches no layer");
    return cli_fail(o, &err);
}

static const char *simulated_mark(const json_t *item)
{
    return pare_json_get_bool(item, "simulated", false) ? "-sim" : "";
}

static const char *kept(const json_t *item)
{
    return pare_json_get_string(item, "kept", "");
}

static void add_head(struct pare_strbuf *b, const bool *chosen, int width)
{
    pare_strbuf_printf(b, "%-*s  %-10s", width, "layer", "level");
    for (int i = 0; i < N_COLUMNS; i++) {
        if (chosen[i]) {
            pare_strbuf_printf(b, " %*s", columns[i].width, columns[i].head);
        }
    }
    pare_strbuf_append(b, chosen[N_COLUMNS - 1] ? "  95 %\n" : "\n");
}

static void add_row(struct pare_strbuf *b, const json_t *item, const bool *chosen, int width, const char *name)
{
    char buf[48];
    pare_strbuf_printf(b, "%-*s %c%s%-*s", width, name, kept(item)[0] != '\0' ? '*' : ' ', pare_json_get_string(item, "level", ""),
                       10 - (int)strlen(pare_json_get_string(item, "level", "")), simulated_mark(item));
    for (int i = 0; i < N_COLUMNS; i++) {
        const struct column *c = &columns[i];
        if (chosen[i]) {
            number(buf, c->factor * pare_json_get_real(item, c->key), c->digits);
            if (strcmp(c->word, "scale") == 0 && pare_json_get_bool(item, "suspected", false)) {
                strcat(buf, "!");
            }
            pare_strbuf_printf(b, " %*s", c->width, buf);
        }
    }
    const double low = 100 * pare_json_get_real(item, "drop_low");
    if (chosen[N_COLUMNS - 1] && isfinite(low)) {
        pare_strbuf_printf(b, "  [%.1f, %.1f]", low, 100 * pare_json_get_real(item, "drop_high"));
    }
    pare_strbuf_append(b, "\n");
}

static void add_problems(struct pare_strbuf *b, const json_t *layers)
{
    const char *last = "";
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        const char *name = pare_json_get_string(item, "name", ""), *problem = pare_json_get_string(item, "problem", NULL);
        if (problem != NULL && strcmp(name, last) != 0) {
            pare_strbuf_printf(b, "! %s: %s\n", name, problem);
            last = name;
        }
    }
}

/* Rows that no solver takes, one line for a layer and reason. */
static void add_kept(struct pare_strbuf *b, const json_t *layers)
{
    const json_t *last = NULL;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        static const char *const keys[] = {"name", "kept", "kept_by"};
        bool same = last != NULL;
        for (int k = 0; k < 3; k++) {
            same = same && strcmp(pare_json_get_string(item, keys[k], ""), pare_json_get_string(last, keys[k], "")) == 0;
        }
        if (kept(item)[0] != '\0' && !same) {
            pare_strbuf_printf(b, "* %s: kept at %s (%s)\n", pare_json_get_string(item, "name", ""), kept(item),
                               pare_json_get_string(item, "kept_by", ""));
        }
        last = kept(item)[0] != '\0' ? item : last;
    }
}

static void add_text(struct pare_strbuf *b, const json_t *json, const bool *chosen)
{
    const json_t *layers = json_object_get(json, "layers");
    const char *last = "", *baseline = pare_json_get_string(json, "baseline", "fp32");
    int width = 12;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        const int n = (int)strlen(pare_json_get_string(item, "name", ""));
        width = n > width ? n : width;
    }
    width = width > 56 ? 56 : width;
    pare_strbuf_printf(b, "own errors, loss and drop of each layer alone at a level, the others at %s; %lld samples of search\n", baseline,
                       (long long)pare_json_get_int(json, "samples", 0));
    if (json_object_get(json, "quantize") != NULL) {
        pare_strbuf_printf(b, "quantized by %s\n", pare_json_get_string(json, "quantize", ""));
    }
    add_head(b, chosen, width);
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        const char *name = pare_json_get_string(item, "name", "");
        add_row(b, item, chosen, width, strcmp(name, last) == 0 ? "" : name);
        last = name;
    }
    add_problems(b, layers);
    add_kept(b, layers);
    if (strcmp(baseline, "fp32") != 0) {
        pare_strbuf_append(b, "loss and drop are against all layers at int8, not against fp32\n");
    }
    pare_strbuf_append(b, "! suspected: RMSE/s above 0.7 (0.29 is an unclipped, dense tensor of many levels)\n");
}

/* Every column, by its key; unknown numbers are empty. */
static void add_csv(struct pare_strbuf *b, const json_t *json, bool markdown)
{
    const char *const before = markdown ? "| " : "", *const between = markdown ? " | " : ",", *const after = markdown ? " |\n" : "\n";
    size_t k;
    json_t *item;
    pare_strbuf_printf(b, "%sname%slevel", before, between);
    for (int i = 0; i < N_COLUMNS; i++) {
        pare_strbuf_printf(b, "%s%s", between, columns[i].key);
    }
    pare_strbuf_printf(b, "%sdrop_low%sdrop_high%ssamples%skept%s", between, between, between, between, after);
    if (markdown) {
        pare_strbuf_append(b, "|---|---|");
        for (int i = 0; i < N_COLUMNS + 3; i++) {
            pare_strbuf_append(b, "--:|");
        }
        pare_strbuf_append(b, "---|\n");
    }
    json_array_foreach(json_object_get(json, "layers"), k, item) {
        static const char *const more[] = {"drop_low", "drop_high", "samples"};
        pare_strbuf_printf(b, "%s%s%s%s", before, pare_json_get_string(item, "name", ""), between, pare_json_get_string(item, "level", ""));
        pare_strbuf_append(b, simulated_mark(item));
        for (int i = 0; i < N_COLUMNS + 3; i++) {
            const double value = pare_json_get_real(item, i < N_COLUMNS ? columns[i].key : more[i - N_COLUMNS]);
            pare_strbuf_append(b, between);
            if (isfinite(value)) {
                pare_strbuf_printf(b, "%.9g", value);
            }
        }
        pare_strbuf_append(b, between);
        if (kept(item)[0] != '\0') {
            pare_strbuf_printf(b, "%s (%s)", kept(item), pare_json_get_string(item, "kept_by", ""));
        }
        pare_strbuf_append(b, after);
    }
}

static void add_quoted(struct pare_strbuf *b, const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        pare_strbuf_append(b, text);
        return;
    }
    pare_strbuf_append(b, "\"");
    for (; *text != '\0'; text++) {
        pare_strbuf_printf(b, *text == '"' ? "\"\"" : "%c", *text);
    }
    pare_strbuf_append(b, "\"");
}

/* TFLite's QuantizationDebugger.layer_statistics_dump: means over samples of each sample's own figures, scale and zero point
 * of the output's grid (signed codes). */
/* Only the rows of one level: others (first and last layers', int8's beside it) are in the table too. */
static void add_debugger(struct pare_strbuf *b, const json_t *json, const char *level)
{
    struct pare_level wanted, its;
    const bool known = pare_level_parse(level, &wanted, NULL) == PARE_OK;
    static const char *const keys[] = {"elements", "stddev", "mean_error", "max_error_mean", "mse", "scale"};
    size_t k;
    json_t *item;
    pare_strbuf_append(b, "op_name,tensor_idx,num_elements,stddev,mean_error,max_abs_error,mean_squared_error,scale,zero_point,tensor_name\n");
    json_array_foreach(json_object_get(json, "layers"), k, item) {
        if (known && (pare_level_parse(pare_json_get_string(item, "level", ""), &its, NULL) != PARE_OK || its.kind != wanted.kind ||
                      its.w_bits != wanted.w_bits || its.a_bits != wanted.a_bits)) {
            continue;
        }
        const char *kind = pare_json_get_string(item, "kind", "conv");
        const char *op = strcmp(kind, "dw") == 0      ? "DEPTHWISE_CONV_2D"
                         : strcmp(kind, "fc") == 0    ? "FULLY_CONNECTED"
                         : strcmp(kind, "tconv") == 0 ? "TRANSPOSE_CONV"
                                                      : "CONV_2D";
        pare_strbuf_printf(b, "%s,%lld", op, (long long)pare_json_get_int(item, "tensor_index", -1));
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            const double value = pare_json_get_real(item, keys[i]);
            pare_strbuf_append(b, ",");
            if (isfinite(value)) {
                pare_strbuf_printf(b, i == 0 ? "%.1f" : "%.9g", value);
            }
        }
        pare_strbuf_printf(b, ",%lld,", (long long)pare_json_get_int(item, "zero_point", 0));
        add_quoted(b, pare_json_get_string(item, "tensor", ""));
        pare_strbuf_append(b, "\n");
    }
}

/* Writes to a file; 0 or an exit code. */
static int write_text(const struct cli_options *o, const char *path, struct pare_strbuf *b)
{
    struct pare_error err = {0};
    const bool ok = !b->failed && pare_file_write(path, b->text, b->length, &err) == PARE_OK;
    pare_strbuf_clear(b);
    return ok ? 0 : cli_fail(o, &err);
}

static int write_out(const struct cli_options *o, json_t *json)
{
    struct pare_strbuf b;
    struct pare_error err = {0};
    const char *dot = strrchr(o->out, '.');
    const char *format = o->format != NULL ? o->format : dot != NULL ? dot + 1 : "json";
    pare_strbuf_init(&b);
    if (strcmp(format, "csv") == 0 || strcmp(format, "md") == 0) {
        add_csv(&b, json, format[0] == 'm');
    } else if (strcmp(format, "json") == 0) {
        char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        pare_strbuf_append(&b, text != NULL ? text : "");
        free(text);
    } else {
        (void)pare_error(&err, PARE_ERR_USAGE, format, "expected json, csv or md");
        return cli_fail(o, &err);
    }
    return write_text(o, o->out, &b);
}

static int print(const struct cli_options *o, json_t *json)
{
    bool chosen[N_COLUMNS];
    char word[32];
    struct pare_strbuf b;
    int rc = 0;
    pare_strbuf_init(&b);
    if (o->csv_debugger != NULL) {
        add_debugger(&b, json, o->levels != NULL ? o->levels : "w8a8");
        rc = write_text(o, o->csv_debugger, &b);
    }
    rc = rc == 0 && o->out != NULL ? write_out(o, json) : rc;
    if (rc == 0 && o->json) {
        cli_print_json(json);
    } else if (rc == 0 && o->out == NULL && o->csv_debugger == NULL) {
        (void)choose(o->columns, chosen, word);
        add_text(&b, json, chosen);
        fputs(b.text != NULL ? b.text : "", stdout);
        pare_strbuf_clear(&b);
    }
    return rc;
}

/* Why: when the pattern matches one layer; with one level of --levels at that one, else at the widest that hurts. */
static int explain(struct cli_session *s, const struct cli_options *o, json_t *json, json_t **why)
{
    const json_t *layers = json_object_get(json, "layers");
    const char *name = pare_json_get_string(json_array_get(layers, 0), "name", "");
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        if (strcmp(pare_json_get_string(item, "name", ""), name) != 0) {
            return 0; /* several layers: rows only */
        }
    }
    if (o->explain == NULL || name[0] == '\0') {
        return 0;
    }
    json_t *args = json_pack("{s:s}", "layer", name);
    if (json_array_size(layers) == 1) {
        json_object_set(args, "level", json_object_get(json_array_get(layers, 0), "level"));
    }
    const int rc = cli_run(s, "explain", args, why);
    if (rc == 0) {
        json_object_set(json, "explanation", *why);
    }
    return rc;
}

int cli_sense(const struct cli_options *given)
{
    struct cli_session s;
    struct cli_options o = *given;
    json_t *json = NULL, *own = NULL, *why = NULL;
    if (o.csv_debugger != NULL && o.levels == NULL) {
        o.levels = "int8"; /* the debugger's table has one level, and no column for it */
    } else if (o.csv_debugger != NULL && strpbrk(o.levels, ",") != NULL) {
        struct pare_error err = {0};
        (void)pare_error(&err, PARE_ERR_USAGE, "--csv-debugger", "the table has one level: --levels int8");
        return cli_fail(&o, &err);
    }
    int rc = cli_open(&s, &o, o.n_args > 0 ? o.args[0] : NULL, false, false);
    if (rc != 0) {
        return rc;
    }
    rc = cli_run(&s, "sense", json_object(), &json);
    if (rc == 0) {
        own = json_deep_copy(json);
        rc = o.explain != NULL ? keep_layers(&o, own) : 0;
    }
    rc = rc == 0 ? explain(&s, &o, own, &why) : rc;
    rc = rc == 0 ? print(&o, own) : rc;
    if (rc == 0 && why != NULL && !o.json) {
        cli_print_explain(why);
    }
    json_decref(why);
    json_decref(own);
    json_decref(json);
    cli_close(&s);
    return rc;
}
