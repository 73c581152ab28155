/*
 * quantize.c: how layers are quantized, as a choice of the session (`:quantize RULES`), and what follows from another one:
 * every figure belongs to one method (it is part of every row's key), so all that is in memory is forgotten, the rows of the
 * new method that the session has come back, and sizes are described anew. Layers, pins, runs and points stay.
 *
 * --quantize says what a process begins with; choices of earlier processes then do not hold.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/flow.h"
#include "quant/method.h"

static bool is_rules(const char *line)
{
    return strncmp(line, "quantize", 8) == 0 && (line[8] == ' ' || line[8] == '\t');
}

/* A layer or an activation by its name in the description. */
static bool glob_hits(void *self, const char *glob)
{
    const struct pare_front *f = self;
    const json_t *stages = json_object_get(f->description, "stages");
    for (int i = 0; i < f->n_layers; i++) {
        if (pare_method_glob_hits(glob, f->layers[i].name)) {
            return true;
        }
    }
    for (size_t s = 0; s < json_array_size(stages); s++) {
        const json_t *stage = json_array_get(stages, s), *tensors = json_object_get(stage, "tensors");
        for (size_t t = 0; t < json_array_size(tensors); t++) {
            char name[1400];
            snprintf(name, sizeof name, "%s/%s", pare_json_get_string(stage, "name", ""), json_string_value(json_array_get(tensors, t)));
            if (pare_method_glob_hits(glob, name)) {
                return true;
            }
        }
    }
    return false;
}

/* The rules after a choice of `text` where `now` held; malloc'ed, "" = none. "+RULES" adds, "none" ends all. */
static char *rules_after(const char *now, const char *text)
{
    struct pare_strbuf b;
    pare_strbuf_init(&b);
    if (text[0] == '+') {
        text += 1 + strspn(text + 1, " ");
        pare_strbuf_printf(&b, "%s%s%s", now != NULL ? now : "", now != NULL && now[0] != '\0' ? "; " : "", text);
    } else {
        pare_strbuf_append(&b, strcmp(text, "none") == 0 ? "" : text);
    }
    char *rules = b.failed ? NULL : b.text != NULL ? pare_strbuf_take(&b) : strdup("");
    pare_strbuf_clear(&b);
    return rules;
}

enum pare_status front_quantize(struct pare_front *f, const char *text, bool dry, struct pare_error *err)
{
    struct pare_method method;
    char *rules = rules_after(f->quantize_said, text);
    enum pare_status status = rules != NULL ? pare_method_parse(rules, NULL, &method, err) : pare_error_nomem(err);
    if (status == PARE_OK && f->described) {
        status = pare_method_check_globs(rules, f, glob_hits, err);
    }
    if (status == PARE_OK && !dry) {
        free(f->quantize_said);
        f->quantize_said = rules;
        rules = NULL;
    }
    free(rules);
    return status;
}

double front_price_rules(struct pare_front *f, const char *asked, char *text, size_t size)
{
    const char *kept = f->options.quantize;
    char *rules = rules_after(f->quantize_said, asked), key[sizeof f->calibration_key], what[100];
    struct pare_method method;
    double seconds = NAN;
    bool there = false;
    if (rules != NULL && strcmp(rules, kept != NULL ? kept : "") != 0 && pare_method_parse(rules, NULL, &method, NULL) == PARE_OK &&
        pare_method_check_globs(rules, f, glob_hits, NULL) == PARE_OK) {
        json_t *calibration = f->calibration;
        memcpy(key, f->calibration_key, sizeof key);
        f->options.quantize = rules[0] != '\0' ? rules : NULL;
        f->calibration = NULL;
        seconds = front_price_with(f, front_price_sense, &there, what, sizeof what);
        json_decref(f->calibration);
        f->calibration = calibration;
        f->options.quantize = kept;
        memcpy(f->calibration_key, key, sizeof key);
        snprintf(text, size, there ? "the table by these rules is known, at least in part" : "the table by these rules: %s", what);
    }
    free(rules);
    return seconds;
}

bool front_quantize_skips(struct pare_front *f, const char *line)
{
    return is_rules(line) && f->quantize_seen++ < f->quantize_skip;
}

void front_quantize_reset(struct pare_front *f)
{
    free(f->quantize_said);
    f->quantize_said = f->quantize_given != NULL ? strdup(f->quantize_given) : NULL;
    f->quantize_seen = 0;
}

static void count_action(void *self, const char *line, bool undone)
{
    struct pare_front *f = self;
    f->quantize_skip += is_rules(line) && !undone;
}

static void take_action(void *self, const char *line, bool undone)
{
    struct pare_front *f = self;
    if (is_rules(line) && !undone && !front_quantize_skips(f, line)) {
        char text[2048];
        size_t n = 0;
        for (const char *p = line + 8 + strspn(line + 8, " \t"); *p != '\0' && n + 1 < sizeof text; p++) {
            if (*p != '\'' && *p != '"') { /* quoted as for a shell */
                text[n++] = *p;
            }
        }
        text[n] = '\0';
        (void)front_quantize(f, text, false, NULL); /* what is no rule any more is said when the choices are made again */
    }
}

/* What is in force: as long as the process lives it is in its arena. */
static void put_in_force(struct pare_front *f)
{
    const char *said = f->quantize_said;
    f->options.quantize = said != NULL && said[0] != '\0' ? pare_arena_strdup(&f->arena, said) : NULL;
}

void front_quantize_open(struct pare_front *f)
{
    f->quantize_given = f->options.quantize;
    if (f->quantize_given != NULL && f->session != NULL) {
        pare_session_each_action(f->session, f, count_action);
    }
    front_quantize_reset(f);
    if (f->session != NULL && !f->options.no_pins) {
        pare_session_each_action(f->session, f, take_action);
    }
    put_in_force(f);
}

bool front_quantize_fall_back(struct pare_front *f, const struct pare_error *err)
{
    const char *now = f->options.quantize, *given = f->quantize_given;
    if (f->described || now == NULL || (given != NULL && strcmp(now, given) == 0) || strcmp(err->where, "quantize") != 0) {
        return false;
    }
    front_log(f, "not applied: quantize %s (%s)", now, err->message);
    front_quantize_reset(f);
    put_in_force(f);
    return true;
}

/* ---- another method ---- */

static void forget_cells(struct pare_front *f)
{
    for (int i = 0; i < f->n_layers * f->n_levels; i++) {
        pare_metric_set_free(f->cells[i].set);
        f->cells[i] = (struct front_cell){.ms = NAN, .ms_p10 = NAN, .ms_p90 = NAN};
    }
    memset(f->sense_chunk, 0, (size_t)(f->n_levels * f->n_chunks) * sizeof *f->sense_chunk);
    memset(f->sense_decided, 0, sizeof f->sense_decided);
    for (int s = 0; s < f->n_stages; s++) {
        f->stages[s].calls = 1;
        for (int l = 0; l < PARE_MAX_LEVELS; l++) {
            f->stages[s].other_ms[l] = f->stages[s].total_ms[l] = NAN;
        }
    }
    f->profiled = false;
    f->glue_ms = NAN;
    f->pace = 1;
    f->border_ms = 0;
    f->costs++;
    front_choices_again(f); /* of suspected layers: there is no table any more */
}

/* Verbs that want figures of the method before end; jobs that run are finished, their rows are true. */
static void end_verbs(struct pare_front *f)
{
    int n = 0;
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (flow->verb == FLOW_EXPLAIN) {
            json_object_set_new(flow->args, "screen", json_false()); /* asked again when somebody looks */
        }
        if (!flow->ended && flow->verb != FLOW_DESCRIBE) {
            flow_end(f, flow, pare_error(&flow->err, PARE_ERR_FAIL, NULL, "stopped"), NULL);
            n += flow->verb != FLOW_EXPLAIN;
        }
    }
    for (int i = pare_sched_count(f->sched) - 1; i >= 0; i--) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        if (t->state == PARE_TASK_QUEUED && strcmp(t->kind, "describe") != 0) {
            (void)pare_sched_cancel(f->sched, t->id);
        }
    }
    if (n > 0) {
        front_log(f, "layers are quantized otherwise now: %d %s stopped, finished results are kept", n, n == 1 ? "verb was" : "verbs were");
    }
}

void front_quantize_settle(struct pare_front *f)
{
    const char *said = f->quantize_said != NULL ? f->quantize_said : "", *now = f->options.quantize != NULL ? f->options.quantize : "";
    struct pare_error err = {0};
    if (strcmp(said, now) == 0 || !f->described) {
        return;
    }
    put_in_force(f);
    end_verbs(f);
    forget_cells(f);
    json_decref(f->calibration);
    json_decref(f->perturbation);
    f->calibration = f->perturbation = NULL;
    f->calibration_key[0] = f->solver[0] = '\0';
    f->resolve = 0;
    memset(f->probe_done, 0, sizeof f->probe_done);
    for (int i = 0; i < f->n_layers; i++) { /* until they are described */
        for (int bits = 0; bits <= 32; bits++) {
            f->layers[i].bytes[bits] = NAN;
        }
    }
    for (int i = 0; i < f->n_points; i++) {
        free(f->points[i].keys);
        f->points[i].keys = NULL;
        f->points[i].n_right = 0;
    }
    front_quantize_reload(f);
    f->redescribing = front_describe(f, &err) == PARE_OK;
    if (!f->redescribing) {
        front_say(f, true, "%s", err.message);
    }
}

void front_quantize_reload(struct pare_front *f)
{
    front_load_rows(f);
    for (int i = 0; i < f->n_points; i++) {
        front_load_point(f, &f->points[i]);
        f->points[i].latency_predicted = front_latency_sum(f, f->points[i].levels);
    }
    front_fit(f);
    front_changed(f);
}

bool front_quantize_described(struct pare_front *f, const json_t *params, const json_t *result, struct pare_error *err)
{
    const json_t *layers = json_object_get(result, "layers");
    const char *of = pare_json_get_string(params, "quantize", ""), *now = f->options.quantize != NULL ? f->options.quantize : "";
    if (strcmp(of, now) != 0) {
        return true; /* of a choice that was changed meanwhile */
    }
    if (strcmp(pare_json_get_string(result, "content", ""), f->content) != 0 || (int)json_array_size(layers) != f->n_layers) {
        pare_error(err, PARE_ERR_USAGE, f->path, "its files have changed: leave and open it again");
        return false;
    }
    json_decref(f->description);
    f->description = json_incref((json_t *)(uintptr_t)result);
    for (int i = 0; i < f->n_layers; i++) {
        front_take_method(&f->layers[i], json_array_get(layers, (size_t)i));
    }
    for (int s = 0; s < f->n_stages; s++) {
        const double other = pare_json_get_real(json_array_get(json_object_get(result, "stages"), (size_t)s), "other_bytes");
        f->stages[s].other_bytes = isfinite(other) ? other : 0;
    }
    f->redescribing = false;
    f->costs++; /* of bytes */
    front_quantize_reload(f);
    front_solve_again(f);
    return true;
}

/* ---- completion ---- */

static int add(const char **words, int n, int max, const char *word)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0) {
            return n;
        }
    }
    if (n < max) {
        words[n++] = word;
    }
    return n;
}

/* Names hold ':' and ';' at times, which end a glob: '?' stands for them. */
static const char *as_glob(struct pare_front *f, const char *before, const char *stage, const char *name)
{
    char glob[300];
    snprintf(glob, sizeof glob, "%.120s%s%.160s", stage, stage[0] != '\0' ? "/" : "", name);
    for (char *p = glob; *p != '\0'; p++) {
        *p = strchr(":;=, '\"", *p) != NULL ? '?' : *p;
    }
    return front_state_text(f, "%s%s:", before, glob);
}

static int complete_names(struct pare_front *f, const char *before, const char *stem, const char **words, int n, int max)
{
    const json_t *stages = json_object_get(f->description, "stages");
    for (int s = 0; s < f->n_stages; s++) {
        if (strncmp(f->stages[s].name, stem, strlen(stem)) == 0) {
            n = add(words, n, max, as_glob(f, before, "", f->stages[s].name));
        }
    }
    for (int i = 0; stem[0] != '\0' && i < f->n_layers; i++) {
        if (strncmp(f->layers[i].name, stem, strlen(stem)) == 0) {
            n = add(words, n, max, as_glob(f, before, "", f->layers[i].name));
        }
    }
    for (size_t s = 0; strchr(stem, '/') != NULL && s < json_array_size(stages); s++) {
        const json_t *tensors = json_object_get(json_array_get(stages, s), "tensors");
        const char *stage = pare_json_get_string(json_array_get(stages, s), "name", "");
        for (size_t t = 0; t < json_array_size(tensors) && n < max; t++) {
            const char *name = json_string_value(json_array_get(tensors, t));
            const size_t length = strlen(stage);
            if (strncmp(stem, stage, length) == 0 && stem[length] == '/' && strncmp(name, stem + length + 1, strlen(stem) - length - 1) == 0) {
                n = add(words, n, max, as_glob(f, before, stage, name));
            }
        }
    }
    return n;
}

int front_quantize_complete(struct pare_front *f, const char *line, const char **words, int max)
{
    const char *last = strrchr(line, ' ') + 1, *rule = strrchr(line, ';'), *stem = last;
    char before[200];
    int n = 0;
    rule = rule != NULL ? rule + 1 : line + 8;
    for (const char *p = last; *p != '\0'; p++) { /* the last word: behind the glob, a comma, the sign that adds */
        const bool value = strchr(stem, '=') != NULL && strchr(stem, '=') < p;
        stem = strchr(";,+", *p) != NULL || (*p == ':' && !value) ? p + 1 : stem;
    }
    snprintf(before, sizeof before, "%.*s", (int)(stem - last < 190 ? stem - last : 190), last);
    for (int i = 0; pare_method_word(i) != NULL; i++) {
        const char *word = pare_method_word(i), *equals = strchr(word, '=');
        if (strncmp(word, stem, strlen(stem)) == 0) { /* first the keys, then the values of one */
            const int length = equals != NULL && strchr(stem, '=') == NULL ? (int)(equals - word) + 1 : (int)strlen(word);
            n = add(words, n, max, front_state_text(f, "%s%.*s", before, length, word));
        }
    }
    const bool begins = strcspn(rule, ":=") == strlen(rule); /* no glob yet, no word */
    return begins ? complete_names(f, before, stem, words, n, max) : n;
}
