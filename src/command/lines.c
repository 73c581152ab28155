/*
 * lines.c: commands as text: which command a line is, and its words as arguments. Choices are in line_choice.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/line.h"
#include "command/linear.h"
#include "command/solver_file.h"
#include "export/export.h"

enum pare_status line_split(const char *line, struct line_words *w, struct pare_error *err)
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
        if (w->n == LINE_MAX_WORDS || strlen(p) + o + 2 > sizeof w->text) {
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

const char *line_rules_in_force(const struct pare_front *f)
{
    return f->options.quantize != NULL ? f->options.quantize
                                       : pare_json_get_string(f->description, "quantize", "min-max ranges, weights to the nearest code");
}

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
        json_object_set_new(settings, name, strcmp(value + 1, "true") == 0 ? json_true() : strcmp(value + 1, "false") == 0 ? json_false()
                                            : end == value + 1 || *end != '\0' || !isfinite(number) ? json_string(value + 1)
                                            : whole ? json_integer((json_int_t)number) : json_real(number));
    }
}

/* NULL with err for what is no option of a verb, or not a value that it takes. */
static json_t *verb_args(const struct pare_front *f, const struct line_words *w, int point, struct pare_error *err)
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
            pare_error(err, PARE_ERR_USAGE, w->word[i], "no option of %s (:help %s)", w->word[0], w->word[0]);
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

static double price_rules(struct pare_front *f, const struct line_words *w, char *text, size_t size)
{
    struct pare_strbuf b;
    pare_strbuf_init(&b);
    for (int i = 1; i < w->n; i++) {
        pare_strbuf_printf(&b, "%s%s", i > 1 ? " " : "", w->word[i]);
    }
    const double seconds = b.failed || b.text == NULL ? NAN : front_price_rules(f, b.text, text, size);
    pare_strbuf_clear(&b);
    return seconds;
}

double pare_front_price_line(struct pare_front *f, const char *line, int point, char *text, size_t size)
{
    static const char *const names[] = {"sense", "bench", "solve", "front", "measure", "test"};
    struct line_words w;
    double seconds = NAN;
    if (line_split(line, &w, NULL) != PARE_OK || w.n == 0) {
        return NAN;
    }
    if (strcmp(w.word[0], "quantize") == 0) {
        return w.n > 1 && f->described ? price_rules(f, &w, text, size) : NAN;
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

static enum pare_status run_cancel(struct pare_front *f, const struct line_words *w, struct pare_error *err)
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

static enum pare_status run_export(struct pare_front *f, const struct line_words *w, int point, struct pare_error *err)
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

static enum pare_status run_words(struct pare_front *f, const char *line, const struct line_words *w, int point,
                                  struct pare_error *err)
{
    const char *name = w->word[0];
    static const char *const choices[] = {"pin", "keep", "free", "tie", "untie", "row", "unrow", "budget", "minimize", "quantize"};
    if (strcmp(name, "quantize") == 0 && w->n == 1) {
        front_say(f, false, "quantize: %.400s", line_rules_in_force(f));
        return PARE_OK;
    }
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(name, choices[i]) == 0) {
            return line_choice(f, line, w, err);
        }
    }
    if (strcmp(name, "undo") == 0 || strcmp(name, "redo") == 0) {
        return line_undo(f, name[0] == 'u', err);
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
    struct line_words w;
    struct pare_error own = {0};
    struct pare_error *e = err != NULL ? err : &own;
    enum pare_status status = line_split(line, &w, e);
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
