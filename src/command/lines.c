/*
 * lines.c: commands as text. Words are separated by blanks; '...' and "..." keep blanks.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/front.h"
#include "command/linear.h"
#include "command/solver_file.h"
#include "export/export.h"

#define MAX_WORDS 32

struct words {
    int n;
    char *word[MAX_WORDS];
    char text[2048];
};

static enum pare_status split_words(const char *line, struct words *w, struct pare_error *err)
{
    size_t o = 0;
    w->n = 0;
    for (const char *p = line; *p != '\0';) {
        while (*p == ' ' || *p == '\t') {
            p++;
        }
        if (*p == '\0') {
            break;
        }
        if (w->n == MAX_WORDS || strlen(p) + o + 2 > sizeof w->text) {
            return pare_error(err, PARE_ERR_USAGE, "command", "too many words");
        }
        w->word[w->n++] = w->text + o;
        for (char quote = '\0'; *p != '\0' && (quote != '\0' || (*p != ' ' && *p != '\t')); p++) {
            if (quote != '\0' ? *p == quote : *p == '\'' || *p == '"') {
                quote = quote != '\0' ? '\0' : *p;
            } else {
                w->text[o++] = *p;
            }
        }
        w->text[o++] = '\0';
    }
    return PARE_OK;
}

static const char *rules_in_force(const struct pare_front *f)
{
    return f->options.quantize != NULL ? f->options.quantize
                                       : pare_json_get_string(f->description, "quantize", "min-max ranges, weights to the nearest code");
}

/* ---- pins ---- */

static int find_level(const struct pare_front *f, const char *text, struct pare_error *err)
{
    struct pare_level level;
    if (pare_level_parse(text, &level, err) != PARE_OK) {
        return -1;
    }
    for (int l = 0; l < f->n_levels; l++) {
        if (pare_level_equal(level, f->levels[l])) {
            return l;
        }
    }
    pare_error(err, PARE_ERR_USAGE, text, "not among the candidate levels (use --levels)");
    return -1;
}

/* "GLOB=LEVEL", "GLOB=LEVEL..LEVEL" or "GLOB=free". */
static enum pare_status apply_pin(struct pare_front *f, const char *text, bool dry, int *matched, struct pare_error *err)
{
    char glob[512], first[64];
    const char *equals = strrchr(text, '=');
    int lo = -1, hi = -1;
    *matched = 0;
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof glob) {
        return pare_error(err, PARE_ERR_USAGE, text, "expected GLOB=LEVEL or GLOB=LEVEL..LEVEL");
    }
    memcpy(glob, text, (size_t)(equals - text));
    glob[equals - text] = '\0';
    if (strcmp(equals + 1, "free") != 0) {
        const char *dots = strstr(equals + 1, "..");
        snprintf(first, sizeof first, "%.*s", dots != NULL ? (int)(dots - equals - 1) : 60, equals + 1);
        lo = find_level(f, first, err);
        hi = lo >= 0 && dots != NULL ? find_level(f, dots + 2, err) : lo;
        if (lo < 0 || hi < 0) {
            return PARE_ERR_USAGE;
        }
    }
    return front_pin(f, glob, lo < hi ? lo : hi, lo < hi ? hi : lo, dry, matched, err);
}

/* The words of one tie or untie. */
static enum pare_status apply_ties(struct pare_front *f, const struct words *w, bool dry, struct pare_error *err)
{
    const bool ties = strcmp(w->word[0], "tie") == 0;
    enum pare_status status = PARE_OK;
    int tied = 0;
    for (int i = 1; i < w->n && status == PARE_OK; i++) {
        status = ties ? front_tie(f, w->word[i], dry, &tied, err) : front_untie(f, w->word[i], dry, err);
    }
    if (status == PARE_OK && !dry && !f->replaying) {
        front_say(f, false, ties ? "tie %s: %d %s" : "untied: %s", w->word[1], tied,
                  strchr(w->word[1], '+') != NULL || strpbrk(w->word[1], "*/") != NULL ? "layers take one level"
                  : tied == 1                                                          ? "pair of layers that meet"
                                                                                       : "pairs of layers that meet");
    }
    return status;
}

/* row JSON, unrow NAME. */
static enum pare_status apply_row(struct pare_front *f, const struct words *w, bool dry, struct pare_error *err)
{
    const bool adds = strcmp(w->word[0], "row") == 0;
    json_error_t why;
    json_t *row = adds ? json_loads(w->word[1], 0, &why) : NULL;
    enum pare_status status;
    if (adds && !json_is_object(row)) {
        status = pare_error(err, PARE_ERR_USAGE, "row", "expected a row as JSON in '...' such as '{\"at\": \"int4\", \"at_most\": 3}'%s%s",
                            row == NULL ? ": " : "", row == NULL ? why.text : "");
    } else {
        status = adds ? front_row_take(f, row, true, dry, err) : front_row_drop(f, w->word[1], dry, err);
    }
    if (status == PARE_OK && !dry && !f->replaying) {
        char words[300] = "";
        if (adds) {
            front_row_words(row, words, sizeof words);
        }
        front_say(f, false, "%s %s", w->word[0], adds ? words : w->word[1]);
    }
    json_decref(row);
    return status;
}

static double parse_amount(const char *text, bool fraction)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text) {
        return NAN;
    }
    if (*end == '%' && fraction) {
        return value / 100;
    }
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"us", 1e-3}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"KiB", 1024}, {"MB", 1e6}, {"MiB", 1048576},
                 {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"J", 1}, {"mJ", 1e-3}, {"uJ", 1e-6}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return value * units[i].factor;
        }
    }
    return NAN;
}

static enum pare_status apply_budget(struct pare_front *f, const struct words *w, struct pare_error *err)
{
    double value = NAN;
    if (w->n < 3) {
        return pare_error(err, PARE_ERR_USAGE, "budget", "expected drop|latency|bytes|bitops|energy VALUE|none");
    }
    bool drop = strcmp(w->word[1], "drop") == 0;
    if (strcmp(w->word[2], "none") != 0) {
        value = parse_amount(w->word[2], drop);
        if (!isfinite(value) || value < 0) {
            return pare_error(err, PARE_ERR_USAGE, w->word[2], "expected a number such as %s, or none", drop ? "0.01 or 1%" : "1.5");
        }
    }
    if (drop) {
        f->max_drop = value;
    } else if (strcmp(w->word[1], "latency") == 0) {
        f->max_latency_ms = value;
    } else if (strcmp(w->word[1], "bytes") == 0) {
        f->max_bytes = value;
    } else if (strcmp(w->word[1], "bitops") == 0) {
        f->max_bitops = value;
    } else if (strcmp(w->word[1], "energy") == 0) {
        f->max_energy_uj = 1e6 * value; /* said in joules */
    } else {
        return pare_error(err, PARE_ERR_USAGE, w->word[1], "expected drop, latency, bytes, bitops or energy");
    }
    return PARE_OK;
}

/* "quantize RULES": its words joined again. */
static enum pare_status apply_rules(struct pare_front *f, const struct words *w, bool dry, struct pare_error *err)
{
    struct pare_strbuf b;
    pare_strbuf_init(&b);
    for (int i = 1; i < w->n; i++) {
        pare_strbuf_printf(&b, "%s%s", i > 1 ? " " : "", w->word[i]);
    }
    enum pare_status status = b.failed || b.text == NULL ? pare_error_nomem(err) : front_quantize(f, b.text, dry, err);
    pare_strbuf_clear(&b);
    if (status == PARE_OK && !dry && !f->replaying) {
        const char *now = f->quantize_said;
        front_say(f, false, now != NULL && now[0] != '\0' ? "quantize: %.300s; figures of other methods are kept apart" : "quantize: %snone but the pipeline's own", now != NULL ? now : "");
        front_quantize_settle(f);
    }
    return status;
}

/* A choice: pins, budgets, what is minimised. Choices are replayed from the session and can be undone. */
static enum pare_status apply_choice(struct pare_front *f, const struct words *w, bool dry, struct pare_error *err)
{
    int matched = 0;
    if (w->n < 2) {
        return pare_error(err, PARE_ERR_USAGE, w->word[0], "expected an argument");
    }
    if (strcmp(w->word[0], "pin") == 0 || strcmp(w->word[0], "keep") == 0 || strcmp(w->word[0], "free") == 0) {
        for (int i = 1; i < w->n; i++) {
            char text[600];
            bool frees = strcmp(w->word[0], "free") == 0;
            snprintf(text, sizeof text, "%s%s", w->word[i], frees ? "=free" : "");
            enum pare_status status = apply_pin(f, text, dry, &matched, err);
            if (status != PARE_OK) {
                return status;
            }
        }
        if (!dry && !f->replaying) {
            front_say(f, false, matched > 0 ? "%s %s: %d %s" : "%s %s: waits for the sensitivity table (pare sense)", w->word[0], w->word[1],
                      matched, matched == 1 ? "layer" : "layers");
        }
        return PARE_OK;
    }
    if (strcmp(w->word[0], "tie") == 0 || strcmp(w->word[0], "untie") == 0) {
        return apply_ties(f, w, dry, err);
    }
    if (strcmp(w->word[0], "quantize") == 0) {
        return apply_rules(f, w, dry, err);
    }
    if (strcmp(w->word[0], "row") == 0 || strcmp(w->word[0], "unrow") == 0) {
        return apply_row(f, w, dry, err);
    }
    if (strcmp(w->word[0], "budget") == 0) {
        double before[5] = {f->max_drop, f->max_latency_ms, f->max_bytes, f->max_bitops, f->max_energy_uj};
        enum pare_status status = apply_budget(f, w, err);
        if (status == PARE_OK && !dry && !f->replaying) {
            front_say(f, false, "budget: %s %s", w->word[1], w->word[2]);
        }
        if (dry || status != PARE_OK) {
            f->max_drop = before[0];
            f->max_latency_ms = before[1];
            f->max_bytes = before[2];
            f->max_bitops = before[3];
            f->max_energy_uj = before[4];
        }
        return status;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (strcmp(w->word[1], pare_cost_name((enum pare_figure_id)c)) == 0) {
            f->minimize = dry ? f->minimize : (enum pare_figure_id)c;
            if (!dry && !f->replaying) {
                front_say(f, false, "minimize: %s", w->word[1]);
            }
            return PARE_OK;
        }
    }
    return pare_error(err, PARE_ERR_USAGE, w->word[1], "expected latency, bytes, bitops, energy or drop");
}

static void replay_action(void *self, const char *line, bool undone)
{
    struct pare_front *f = self;
    struct words w;
    f->can_undo = f->can_undo || !undone;
    f->can_redo = f->can_redo || undone;
    if (!undone && !f->options.no_pins && !front_quantize_skips(f, line) && split_words(line, &w, NULL) == PARE_OK && w.n > 0) {
        struct pare_error err = {0};
        if (apply_choice(f, &w, false, &err) != PARE_OK) { /* as a pattern that matches nothing any more: kept, and shown */
            char text[sizeof f->unmet[0]];
            const int last = (int)(sizeof f->unmet / sizeof f->unmet[0]) - 1;
            snprintf(text, sizeof text, "%.120s cannot hold now: %.100s", line, err.message);
            front_log(f, "%s", text);
            memcpy(f->unmet[f->n_unmet < last ? f->n_unmet : last], text, sizeof text);
            f->n_unmet += f->n_unmet <= last;
        }
    }
}

void front_apply_actions(struct pare_front *f)
{
    front_quantize_reset(f);
    (void)front_choices_clear(f, NULL); /* checked when the pipeline was opened */
    f->max_drop = pare_json_get_bool(f->description, "bare", false) ? NAN : 0.01;
    f->max_latency_ms = f->max_bytes = f->max_bitops = f->max_energy_uj = NAN;
    f->minimize = PARE_COST_LATENCY;
    f->can_undo = f->can_redo = false;
    f->replaying = true;
    pare_session_each_action(f->session, f, replay_action);
    f->replaying = false;
    f->message[0] = '\0';
    front_quantize_settle(f);
    front_changed(f);
}

/* "Pinning re-solves at once from cached costs": only when nothing has to be measured for it. */
void front_solve_again(struct pare_front *f)
{
    bool sensed = f->n_chunks > 0 && f->profiled && f->calibration != NULL;
    for (int i = 0; sensed && i < f->n_levels * f->n_chunks; i++) {
        sensed = f->sense_chunk[i] || i < f->n_chunks;
    }
    if (sensed && (pare_json_get_bool(f->description, "bare", false) || front_probes_known(f))) {
        json_t *args = json_pack("{s:b}", "measure", 0);
        front_drop_flow(f, f->resolve); /* of the pins before: nobody waits for it any more */
        f->resolve = pare_front_start(f, "solve", args, NULL);
        json_decref(args);
    }
}

static enum pare_status run_choice(struct pare_front *f, const char *line, const struct words *w, struct pare_error *err)
{
    enum pare_status status = apply_choice(f, w, true, err);
    if (status == PARE_OK) {
        status = pare_session_add_action(f->session, line, err);
    }
    if (status == PARE_OK) {
        (void)apply_choice(f, w, false, err);
        f->can_undo = true;
        f->can_redo = false;
        front_changed(f);
        front_solve_again(f);
    }
    return status;
}

static enum pare_status run_undo(struct pare_front *f, bool undo, struct pare_error *err)
{
    char *line = NULL;
    enum pare_status status = pare_session_undo(f->session, undo, &line, err);
    if (status == PARE_OK && line != NULL) {
        front_apply_actions(f);
        front_say(f, false, "%s: %s", undo ? "undone" : "done again", line);
        front_solve_again(f);
    } else if (status == PARE_OK) {
        front_say(f, false, "nothing to %s", undo ? "undo" : "redo");
    }
    free(line);
    return status;
}

/* ---- verbs as commands ---- */

static enum pare_status start_verb(struct pare_front *f, const char *verb, json_t *args_take, struct pare_error *err)
{
    uint64_t id = pare_front_start(f, verb, args_take, err);
    json_decref(args_take);
    return id != 0 ? PARE_OK : PARE_ERR_FAIL;
}

/* NAME=VALUE, a number or a word. */
static void add_setting(json_t *args, const char *word)
{
    const char *value = strchr(word, '=');
    json_t *settings = json_object_get(args, "settings");
    if (settings == NULL) {
        settings = json_object();
        json_object_set_new(args, "settings", settings);
    }
    if (value != NULL && value > word) {
        char name[64], *end;
        snprintf(name, sizeof name, "%.*s", (int)(value - word), word);
        const double number = strtod(value + 1, &end);
        const bool whole = number == floor(number) && fabs(number) < 1e15;
        json_object_set_new(settings, name, end == value + 1 || *end != '\0' || !isfinite(number) ? json_string(value + 1)
                                            : whole ? json_integer((json_int_t)number) : json_real(number));
    }
}

/* NULL with err for what is no option of a verb, or not a value that it takes. */
static json_t *verb_args(const struct pare_front *f, const struct words *w, int point, struct pare_error *err)
{
    const bool solves = strcmp(w->word[0], "solve") == 0 || strcmp(w->word[0], "front") == 0;
    static const char *const options[][2] = {{"--per", "per"}, {"--name", "name"}, {"--minimize", "minimize"},
                                              {"--method", "method"}};
    json_t *args = json_object();
    for (int i = 1; i < w->n; i++) {
        bool used = false;
        for (size_t k = 0; i + 1 < w->n && k < sizeof options / sizeof options[0]; k++) {
            if (strcmp(w->word[i], options[k][0]) == 0) {
                json_object_set_new(args, options[k][1], json_string(w->word[i + 1]));
                used = true;
            }
        }
        if (!used && i + 1 < w->n && strcmp(w->word[i], "--verify") == 0) {
            used = true;
            json_object_set_new(args, "verify", json_integer(atoi(w->word[i + 1])));
        }
        if (!used && i + 1 < w->n && strcmp(w->word[i], "--set") == 0) {
            used = true;
            add_setting(args, w->word[i + 1]);
        }
        if (used) {
            i++;
        } else if (strcmp(w->word[i], "--sure") == 0) {
            json_object_set_new(args, "sure", json_true());
        } else if (strcmp(w->word[i], "--predicted") == 0) {
            json_object_set_new(args, "predicted", json_true());
        } else if (w->word[i][0] != '-' && !solves) {
            json_object_set_new(args, "run", json_string(w->word[i]));
        } else {
            pare_error(err, PARE_ERR_USAGE, w->word[i], "says nothing to %s (:help %s)", w->word[0], w->word[0]);
            json_decref(args);
            return NULL;
        }
    }
    const char *per = pare_json_get_string(args, "per", "layer"), *minimize = pare_json_get_string(args, "minimize", NULL);
    bool known = minimize == NULL;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        known = known || strcmp(minimize, pare_cost_name((enum pare_figure_id)c)) == 0;
    }
    if (!known || (strcmp(per, "layer") != 0 && strcmp(per, "model") != 0)) {
        pare_error(err, PARE_ERR_USAGE, known ? per : minimize, known ? "expected --per layer or model" : "expected latency, bytes, bitops, energy or drop");
        json_decref(args);
        return NULL;
    }
    if (json_object_get(args, "run") == NULL && point >= 0 && point < f->n_points) {
        json_object_set(args, "config", f->points[point].config);
    }
    return args;
}

double pare_front_price_line(struct pare_front *f, const char *line, int point, char *text, size_t size)
{
    static const char *const names[] = {"sense", "bench", "solve", "front", "measure", "test"};
    struct words w;
    double seconds = NAN;
    if (split_words(line, &w, NULL) != PARE_OK || w.n == 0) {
        return NAN;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(w.word[0], names[i]) == 0) {
            json_t *args = verb_args(f, &w, i == 2 || i == 3 ? -1 : point, NULL);
            seconds = args != NULL ? pare_front_price(f, names[i], args, text, size) : NAN;
            json_decref(args);
        }
    }
    return seconds;
}

static enum pare_status run_cancel(struct pare_front *f, const struct words *w, struct pare_error *err)
{
    if (w->n > 1 && strcmp(w->word[1], "all") != 0) {
        return pare_sched_cancel(f->sched, strtoull(w->word[1], NULL, 10))
                   ? PARE_OK
                   : pare_error(err, PARE_ERR_USAGE, w->word[1], "no such job in progress");
    }
    int n = pare_sched_pending(f->sched);
    pare_sched_cancel_all(f->sched);
    front_say(f, false, "cancelled %d %s; finished results are kept", n, n == 1 ? "job" : "jobs");
    return PARE_OK;
}

static enum pare_status run_export(struct pare_front *f, const struct words *w, int point, struct pare_error *err)
{
    if (w->n < 3) {
        return pare_error(err, PARE_ERR_USAGE, "export", "expected a format (json|csv|md|png|svg) and a path");
    }
    enum pare_status status = pare_export_state(pare_front_state(f), w->word[1], point, w->word[2], err);
    if (status == PARE_OK) {
        front_say(f, false, "wrote %s", w->word[2]);
    }
    return status;
}

/* "2 of 27 layers are pinned: a/b=int8 a/c=fp16..int8"; what does not fit is left out. */
static void say_pins(struct pare_front *f)
{
    char text[400] = "";
    size_t used = 0;
    int n = 0;
    for (int i = 0; i < f->n_layers; i++) {
        const struct front_layer *l = &f->layers[i];
        if (l->pin_lo < 0) {
            continue;
        }
        n++;
        if (used + strlen(l->name) + 40 < sizeof text) {
            used += (size_t)snprintf(text + used, sizeof text - used, " %s=%s%s%s", l->name, f->level_alias[l->pin_lo],
                                     l->pin_hi != l->pin_lo ? ".." : "", l->pin_hi != l->pin_lo ? f->level_alias[l->pin_hi] : "");
        } else if (used + 5 < sizeof text) {
            used += (size_t)snprintf(text + used, sizeof text - used, " ...");
            used = sizeof text;
        }
    }
    for (size_t i = 0; i < json_array_size(f->ties) && used + 80 < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.60s", i == 0 ? "; ties: " : ", ",
                                 json_string_value(json_array_get(f->ties, i)));
    }
    for (size_t i = 0; i < json_array_size(f->rows) && used + 80 < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.60s", i == 0 ? "; rows: " : ", ",
                                 pare_json_get_string(json_array_get(f->rows, i), "name", ""));
    }
    const struct pare_state *state = pare_front_state(f);
    for (int i = 0; i < state->n_waiting && used + 40 < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "; %.*s", (int)(sizeof text - used - 4), state->waiting[i]);
    }
    front_say(f, false, "%d of %d layers are pinned%s%s", n, f->n_layers, n > 0 ? ":" : "", text);
}

/* A line for each plugin into the log, and how many there are. */
static void say_plugins(struct pare_front *f)
{
    json_t *json = pare_plugin_list(f->real_path, f->exe), *item, *plugins = json_object_get(json, "plugins");
    size_t i;
    json_array_foreach(plugins, i, item) {
        const json_t *error = json_object_get(item, "error");
        front_say(f, false, "%s %s: %s", pare_json_get_string(item, "name", "?"), pare_json_get_string(item, "version", "-"),
                  pare_json_get_string(json_is_object(error) ? error : item, json_is_object(error) ? "message" : "path", "?"));
    }
    front_say(f, false, "%zu plugin%s in %zu folders", json_array_size(plugins), json_array_size(plugins) == 1 ? "" : "s",
              json_array_size(json_object_get(json, "folders")));
    json_decref(json);
}

static enum pare_status run_words(struct pare_front *f, const char *line, const struct words *w, int point,
                                  struct pare_error *err)
{
    const char *name = w->word[0];
    static const char *const choices[] = {"pin", "keep", "free", "tie", "untie", "row", "unrow", "budget", "minimize", "quantize"};
    if (strcmp(name, "quantize") == 0 && w->n == 1) {
        front_say(f, false, "quantize: %.400s", rules_in_force(f));
        return PARE_OK;
    }
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(name, choices[i]) == 0) {
            return run_choice(f, line, w, err);
        }
    }
    if (strcmp(name, "undo") == 0 || strcmp(name, "redo") == 0) {
        return run_undo(f, name[0] == 'u', err);
    }
    if (strcmp(name, "solve") == 0 || strcmp(name, "front") == 0) {
        json_t *args = verb_args(f, w, -1, err);
        return args != NULL ? start_verb(f, name, args, err) : PARE_ERR_USAGE;
    }
    if (strcmp(name, "sense") == 0) {
        return start_verb(f, name, NULL, err);
    }
    if (strcmp(name, "bench") == 0 || strcmp(name, "measure") == 0 || strcmp(name, "test") == 0) {
        json_t *args = verb_args(f, w, point, err);
        if (args == NULL) {
            return PARE_ERR_USAGE;
        }
        if (name[0] == 'm' && json_object_size(args) == 0) {
            json_decref(args);
            return pare_error(err, PARE_ERR_USAGE, name, "move to a point first, or name RUN:POINT");
        }
        return start_verb(f, name, args, err);
    }
    if (strcmp(name, "retry") == 0) {
        return front_resume(f, err);
    }
    if (strcmp(name, "cancel") == 0) {
        return run_cancel(f, w, err);
    }
    if (strcmp(name, "export") == 0) {
        return run_export(f, w, point, err);
    }
    if (strcmp(name, "note") == 0 && w->n > 1) {
        const char *text = line + strspn(line, " \t") + 4;
        enum pare_status status = pare_session_add_note(f->session, text + strspn(text, " \t"), err);
        if (status == PARE_OK) {
            front_say(f, false, "noted; `pare session show` lists notes");
        }
        return status;
    }
    if (strcmp(name, "script") == 0 && w->n > 1) {
        return front_run_script(f, w->word[1], w->n - 2, (char *const *)w->word + 2, err);
    }
    if (strcmp(name, "import") == 0 && w->n == 2) {
        return front_import(f, w->word[1], err);
    }
    if (strcmp(name, "rename") == 0 && w->n == 3) {
        int p = front_find_point(f, w->word[1]);
        if (p < 0) {
            return pare_error(err, PARE_ERR_USAGE, w->word[1], "no such run");
        }
        struct front_run *run = &f->runs[f->points[p].run];
        char *copy = strdup(w->word[2]);
        enum pare_status status = copy != NULL ? pare_session_set_run(f->session, run->id, copy, NULL, err) : PARE_ERR_NOMEM;
        if (status == PARE_OK) {
            free(run->name);
            run->name = copy;
            front_changed(f);
        } else {
            free(copy);
        }
        return status;
    }
    if (strcmp(name, "pins") == 0) {
        say_pins(f);
        return PARE_OK;
    }
    if (strcmp(name, "plugins") == 0) {
        say_plugins(f);
        return PARE_OK;
    }
    int command = pare_command_find(name);
    return command < 0 ? pare_error(err, PARE_ERR_USAGE, name, "unknown command")
                       : pare_error(err, PARE_ERR_USAGE, name, "expected :%s %s", name, pare_command_info(command)->arguments);
}

enum pare_status pare_front_command(struct pare_front *f, const char *line, int point, struct pare_error *err)
{
    struct words w;
    struct pare_error own = {0};
    struct pare_error *e = err != NULL ? err : &own;
    enum pare_status status = split_words(line, &w, e);
    if (status == PARE_OK && w.n == 0) {
        return PARE_OK;
    }
    if (status == PARE_OK && !f->described) {
        status = pare_error(e, PARE_ERR_BUSY, NULL, f->failed ? "the pipeline could not be opened" : "the pipeline is still being opened");
    } else if (status == PARE_OK && f->follower && strcmp(w.word[0], "export") != 0 &&
               strcmp(w.word[0], "pins") != 0 && strcmp(w.word[0], "plugins") != 0) {
        status = front_tell_holder(f, line, point, e);
    } else if (status == PARE_OK) {
        f->message[0] = '\0';
        status = run_words(f, line, &w, point, e);
    }
    if (status != PARE_OK) {
        front_say(f, true, "%s%s%s", e->where, e->where[0] != '\0' ? ": " : "", e->message);
    }
    return status;
}

/* ---- preview, completion, provenance ---- */

bool pare_front_preview(struct pare_front *f, int layer, int level_lo, int level_hi, char *text, size_t size)
{
    unsigned char *levels = f->described && layer >= 0 && layer < f->n_layers && level_lo >= 0 && level_lo <= level_hi && level_hi < f->n_levels
                                ? malloc((size_t)f->n_layers + 1) : NULL;
    if (levels == NULL) {
        return false;
    }
    /* against the newest solved point, else uniform int8 */
    front_uniform(f, f->int8_level, levels);
    for (int i = f->n_points - 1; i >= 0; i--) {
        if (strcmp(f->runs[f->points[i].run].method, "solve") == 0) {
            memcpy(levels, f->points[i].levels, (size_t)f->n_layers);
            break;
        }
    }
    double loss = front_loss_sum(f, levels), ms = front_latency_sum(f, levels), bytes = front_bytes(f, levels);
    int before = levels[layer];
    if (before >= level_lo && before <= level_hi && level_lo < level_hi) {
        free(levels);
        snprintf(text, size, "%s is at %s, within the range: nothing changes by itself", f->layers[layer].name, f->level_alias[before]);
        return true;
    }
    int after = before < level_lo ? level_lo : before > level_hi ? level_hi : before; /* the nearest that is allowed */
    levels[layer] = (unsigned char)after;
    double loss2 = front_loss_sum(f, levels), ms2 = front_latency_sum(f, levels), bytes2 = front_bytes(f, levels);
    free(levels);
    if (!isfinite(loss) || !isfinite(loss2)) {
        return false;
    }
    double drop = front_drop_of_loss(f, loss), drop2 = front_drop_of_loss(f, loss2);
    size_t used = (size_t)snprintf(text, size, "%s %s > %s: ", f->layers[layer].name, f->level_alias[before], f->level_alias[after]);
    if (isfinite(drop) && isfinite(drop2) && used < size) {
        used += (size_t)snprintf(text + used, size - used, "drop %.2f > %.2f %% (predicted), ", 100 * drop, 100 * drop2);
    } else if (used < size) {
        used += (size_t)snprintf(text + used, size - used, "loss %.3g > %.3g, ", loss, loss2);
    }
    if (isfinite(ms) && isfinite(ms2) && used < size) {
        used += (size_t)snprintf(text + used, size - used, "latency %.3f > %.3f ms, ", ms, ms2);
    }
    if (used < size && isfinite(bytes) && isfinite(bytes2)) {
        snprintf(text + used, size - used, "%.0f > %.0f kB", bytes / 1e3, bytes2 / 1e3);
    }
    return true;
}

int pare_front_complete(struct pare_front *f, const char *line, const char **words, int max)
{
    const char *last = strrchr(line, ' ');
    int n = 0;
    if (strncmp(line, "budget ", 7) == 0 || strncmp(line, "minimize ", 9) == 0) {
        for (int c = 0; last == strchr(line, ' ') && c < PARE_COST_COUNT && n < max; c++) {
            const char *name = pare_cost_name((enum pare_figure_id)c);
            if (strncmp(name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = name;
            }
        }
    } else if (strncmp(line, "quantize ", 9) == 0) {
        n = front_quantize_complete(f, line, words, max);
    } else if (last == NULL) {
        for (int i = 0; i < pare_command_count() && n < max; i++) {
            if (strncmp(pare_command_info(i)->name, line, strlen(line)) == 0) {
                words[n++] = pare_command_info(i)->name;
            }
        }
    } else {
        const char *equals = strchr(last, '=');
        for (int l = 0; equals != NULL && l < f->n_levels && n < max; l++) {
            if (strncmp(f->level_alias[l], equals + 1, strlen(equals + 1)) == 0) {
                words[n++] = front_state_text(f, "%.*s=%s", (int)(equals - last - 1), last + 1, f->level_alias[l]);
            }
        }
        for (int i = 0; equals == NULL && i < f->n_layers && n < max; i++) {
            if (strncmp(f->layers[i].name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = f->layers[i].name;
            }
        }
        for (int r = 0; equals == NULL && r < f->n_runs && n < max; r++) {
            if (strncmp(f->runs[r].name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = f->runs[r].name;
            }
        }
    }
    for (int i = 1; i < n; i++) {
        for (int k = i; k > 0 && strcmp(words[k - 1], words[k]) > 0; k--) {
            const char *swap = words[k];
            words[k] = words[k - 1];
            words[k - 1] = swap;
        }
    }
    return n;
}

void pare_front_explain_cell(struct pare_front *f, int layer, int level, char *text, size_t size)
{
    const struct front_cell *c;
    if (!f->described || layer < 0 || layer >= f->n_layers || level < 0 || level >= f->n_levels) {
        snprintf(text, size, "nothing here");
        return;
    }
    c = &f->cells[layer * f->n_levels + level];
    snprintf(text, size,
             "%s at %s\n"
             "drop and loss: measured on %d samples of the search split, this layer lowered, all others fp32;\n"
             "  loss = mean KL of the final decision against fp32 (where it is no class: its relative squared error);\n"
             "  drop paired with fp32 on the same samples, 95 %% interval\n"
             "RMSE: the layer's own error (both paths read the same quantized input), %d samples\n"
             "  own %.4g, weights alone %.4g, activations alone %.4g; step %.4g; accumulated %.4g; cosine %.6f\n"
             "  why, and what would cure it: w, or pare sense --explain %s --levels %s\n"
             "latency: median of one call in place, uniform profile, kernel %s, on this host (%s), pinned, 1 thread\n"
             "quantized by: %.200s; calibration over %d samples; row %s",
             f->layers[layer].name, f->level_alias[level], c->samples, c->own_n,
             front_own_rmse(c, PARE_OWN_MSE), front_own_rmse(c, PARE_OWN_WEIGHTS), front_own_rmse(c, PARE_OWN_ACTIVATIONS),
             front_own_rmse(c, PARE_OWN_STEP), front_own_rmse(c, PARE_OWN_ACCUMULATED), front_own(c, PARE_OWN_COSINE),
             f->layers[layer].name, f->level_names[level], c->kernel != NULL ? c->kernel : "not measured",
             f->cpu, rules_in_force(f), f->split_samples[0], f->calibration_key);
}

void pare_front_explain_point(struct pare_front *f, int point, char *text, size_t size)
{
    if (point < 0 || point >= f->n_points) {
        snprintf(text, size, "no point here");
        return;
    }
    const struct front_point *p = &f->points[point];
    const char *found = pare_json_get_string(f->runs[p->run].settings, "quantize", f->options.quantize != NULL ? "the pipeline's own rules" : "");
    found = f->options.quantize != NULL && strcmp(found, f->options.quantize) == 0 ? "" : found;
    found = strcmp(f->runs[p->run].method, "uniform") == 0 ? "" : found;
    const json_t *settings = f->runs[p->run].settings;
    const double claimed = pare_json_get_real(json_object_get(p->facts, "claimed"), "accuracy");
    char from[400] = "", claims[64] = "";
    if (isfinite(claimed)) {
        snprintf(claims, sizeof claims, ", which claims an accuracy of %.2f %%", 100 * claimed);
    }
    if (pare_json_get_string(settings, "hash", NULL) != NULL) {
        snprintf(from, sizeof from, "\nread from %.200s (%.60s)%s; nothing of a claim is taken over", pare_json_get_string(settings, "file", "?"),
                 pare_json_get_string(settings, "budget", "?"), claims);
    }
    snprintf(text, size,
             "point %d of run %s (%s)%s\n"
             "accuracy and drop: %s, %d samples of the search split, integer arithmetic at every integer level\n"
             "latency: %s on this host (%s), %s, 1 thread, glue included\n"
             "predicted drop: monotone fit from the summed loss %.4g over %d measured configurations\n"
             "bytes: packed weights at their bits, scales and biases; BitOps: MACs x weight bits x activation bits\n"
             "quantized by: %.200s%s%.200s",
             p->number, f->runs[p->run].name, f->runs[p->run].method, from, p->search.samples > 0 ? "measured" : "predicted",
             p->search.samples, isfinite(p->latency[1]) ? "measured end to end, interleaved with fp32" : "predicted: sum of the layers' times",
             f->isa, f->cpu, p->loss_sum, f->n_fit, rules_in_force(f), found[0] != '\0' ? "; it was found by: " : "", found);
}
