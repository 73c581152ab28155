#include "ui/cli.h"
#include "ui/cli_bench.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/strbuf.h"
#include "src/command/solver_file.h"
#include "src/export/export.h"
#include "pk.h"

static const char *pipeline_of(const struct cli_options *o)
{
    return o->n_args > 0 ? o->args[0] : NULL;
}

static int usage_error(const struct cli_options *o, const char *message)
{
    struct pare_error err = {.code = PARE_ERR_USAGE};
    snprintf(err.message, sizeof err.message, "%s", message);
    return cli_fail(o, &err);
}

/* Opens, runs one verb, prints, closes. */
static int simple_verb(const struct cli_options *o, const char *verb, bool temporary, json_t *args_take,
                       void (*print)(const json_t *json))
{
    struct cli_session s;
    json_t *json = NULL;
    int rc = cli_open(&s, o, pipeline_of(o), temporary, false);
    if (rc != 0) {
        json_decref(args_take);
        return rc;
    }
    rc = cli_run(&s, verb, args_take, &json);
    if (rc == 0 && o->json) {
        cli_print_json(json);
    } else if (rc == 0) {
        print(json);
    }
    json_decref(json);
    cli_close(&s);
    return rc;
}

int cli_info(const struct cli_options *o)
{
    return simple_verb(o, "describe", true, json_object(), cli_print_info);
}

/* The candidate levels: as asked; else the usual ones, and those that a config or --level in args names beside them. */
static const char *levels_of(const struct cli_options *o, const json_t *args, char *text, size_t size)
{
    struct pare_level known[PARE_MAX_LEVELS], level;
    json_t *names = json_object();
    const char *key;
    json_t *value;
    int n = 0;
    size_t used = (size_t)snprintf(text, size, "fp16,w8a8,w4a8,w4a4,w2a8,w1a1");
    bool more = false;
    json_object_foreach(json_object_get(args, "config"), key, value) {
        json_object_set_new(names, json_string_value(value) != NULL ? json_string_value(value) : "?", json_true());
    }
    if (pare_json_get_string(args, "level", NULL) != NULL) {
        json_object_set_new(names, pare_json_get_string(args, "level", NULL), json_true());
    }
    (void)pare_levels_parse("default", known, PARE_MAX_LEVELS - 2, &n, NULL);
    json_object_foreach(names, key, value) {
        bool usual = pare_level_parse(key, &level, NULL) != PARE_OK || level.kind == PARE_LEVEL_FP32;
        for (int i = 0; i < n; i++) {
            usual = usual || pare_level_equal(known[i], level);
        }
        if (!usual && used + strlen(key) + 2 < size) {
            used += (size_t)snprintf(text + used, size - used, ",%s", key);
            more = true;
        }
    }
    json_decref(names);
    return o->levels == NULL && more ? text : o->levels;
}

int cli_eval(const struct cli_options *o)
{
    json_t *args = json_object();
    int rc = cli_config_args(o, args);
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    struct cli_options own = *o;
    char levels[512];
    own.levels = levels_of(o, args, levels, sizeof levels);
    json_object_set_new(args, "split", json_string(o->split != NULL ? o->split : "search"));
    json_object_set_new(args, "samples", json_integer(o->samples));
    return simple_verb(&own, "eval", false, args, cli_print_eval);
}

int cli_bench(const struct cli_options *o)
{
    json_t *args = json_object();
    if (o->kernels) {
        json_decref(args);
        return cli_bench_kernels(o);
    }
    if (o->peers) {
        json_decref(args);
        return cli_bench_peers(o);
    }
    if (o->table) {
        json_decref(args);
        return cli_bench_table(o);
    }
    int rc = cli_config_args(o, args);
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    if (json_object_size(args) == 0) {
        json_object_set_new(args, "level", json_string("int8"));
    }
    json_object_set_new(args, "threads", json_integer(o->threads > 1 ? o->threads : 1));
    struct cli_options own = *o;
    char levels[512];
    own.levels = levels_of(o, args, levels, sizeof levels);
    return simple_verb(&own, "bench", false, args, cli_print_bench);
}

/* One pin ("GLOB=LEVEL...") or tie, as a command. 0 or an exit code. */
static int apply_choice(struct cli_session *s, const struct cli_options *o, const char *verb, const char *text)
{
    struct pare_error err = {0};
    char line[1100];
    if (strlen(text) > 1024 || strchr(text, '\'') != NULL) {
        pare_error(&err, PARE_ERR_USAGE, verb, "expected at most 1024 bytes without ' in a pin or tie");
        return cli_fail(o, &err);
    }
    snprintf(line, sizeof line, "%s '%s'", verb, text);
    return pare_front_command(s->front, line, -1, &err) == PARE_OK ? 0 : cli_fail(o, &err);
}

/* @FILE: a pin (it has a '=') or a tie a line; # begins a remark. */
static int apply_file(struct cli_session *s, const struct cli_options *o, const char *path)
{
    struct pare_error err = {0};
    struct pare_file file;
    if (pare_file_open(path, 1 << 20, &file, &err) != PARE_OK) {
        return cli_fail(o, &err);
    }
    char *text = strndup((const char *)file.data, file.size), *save = NULL;
    int rc = text != NULL ? 0 : cli_fail(o, (pare_error_nomem(&err), &err));
    pare_file_close(&file);
    for (char *line = text != NULL ? strtok_r(text, "\r\n", &save) : NULL; rc == 0 && line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        line[strcspn(line, "#")] = '\0';
        line += strspn(line, " \t");
        for (size_t n = strlen(line); n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--) {
            line[n - 1] = '\0';
        }
        rc = line[0] != '\0' ? apply_choice(s, o, strchr(line, '=') != NULL ? "pin" : "tie", line) : 0;
    }
    free(text);
    return rc;
}

/* Two pins of one command line for the same pattern: neither can be meant to take the other's place. */
static int check_twice(const struct cli_options *o, const char *const *pins, int n)
{
    for (int i = 0; i < n; i++) {
        const char *equals = strrchr(pins[i], '=');
        for (int k = 0; equals != NULL && k < i; k++) {
            const size_t same = (size_t)(equals - pins[i]) + 1;
            if (strncmp(pins[i], pins[k], same) == 0 && strrchr(pins[k], '=') == pins[k] + same - 1 && strcmp(pins[i], pins[k]) != 0) {
                struct pare_error err = {0};
                pare_error(&err, PARE_ERR_USAGE, pins[i], "contradicts the pin %s of the same command line", pins[k]);
                return cli_fail(o, &err);
            }
        }
    }
    return 0;
}

/* --tie, --row, and the pins of --pin or of `pare pin`. */
static int apply_pins(struct cli_session *s, const struct cli_options *o, const char *const *pins, int n)
{
    int rc = check_twice(o, pins, n);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = pins[i][0] == '@' ? apply_file(s, o, pins[i] + 1) : apply_choice(s, o, "pin", pins[i]);
    }
    for (int i = 0; rc == 0 && i < o->n_ties; i++) {
        rc = o->ties[i][0] == '@' ? apply_file(s, o, o->ties[i] + 1) : apply_choice(s, o, "tie", o->ties[i]);
    }
    return rc == 0 ? cli_apply_rows(s, o) : rc;
}

/* Waits until the pipeline is described. */
static int wait_open(struct cli_session *s)
{
    json_t *json = NULL;
    int rc = cli_run(s, "describe", json_object(), &json);
    json_decref(json);
    return rc;
}

static int write_json(const struct cli_options *o, const char *path, const json_t *json)
{
    struct pare_error err = {0};
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    int rc = 0;
    if (text == NULL || pare_file_write(path, text, strlen(text), &err) != PARE_OK) {
        rc = cli_fail(o, &err);
    }
    free(text);
    return rc;
}

static void add_real(json_t *args, const char *key, double value)
{
    if (isfinite(value)) {
        json_object_set_new(args, key, json_real(value));
    }
}

/* A word of --set: a number, true or false, or text; with commas a list of them. */
static json_t *set_value(const char *text)
{
    const char *comma = strchr(text, ',');
    if (comma != NULL) {
        json_t *list = json_array();
        for (const char *at = text; at != NULL; at = comma != NULL ? comma + 1 : NULL) {
            char word[128];
            comma = strchr(at, ',');
            snprintf(word, sizeof word, "%.*s", comma != NULL ? (int)(comma - at) : (int)strlen(at), at);
            json_array_append_new(list, set_value(word));
        }
        return list;
    }
    char *end;
    double number = strtod(text, &end);
    if (end != text && *end == '\0' && isfinite(number)) {
        return number == floor(number) && fabs(number) < 1e15 ? json_integer((json_int_t)number) : json_real(number);
    }
    return strcmp(text, "true") == 0 ? json_true() : strcmp(text, "false") == 0 ? json_false() : json_string(text);
}

/* --set NAME=VALUE ...: the solver's own settings; traces=FILE is read here. 0 or an exit code. */
static int add_settings(const struct cli_options *o, json_t *args)
{
    json_t *settings = json_object();
    struct pare_error err = {0};
    for (int i = 0; i < o->n_sets; i++) {
        char name[64];
        const char *value = strchr(o->sets[i], '=') + 1;
        snprintf(name, sizeof name, "%.*s", (int)(value - 1 - o->sets[i]), o->sets[i]);
        json_t *json = NULL;
        if (strcmp(name, "traces") != 0) {
            json = set_value(value);
        } else if (pare_json_load(value, &json, &err) != PARE_OK) {
            json_decref(settings);
            return cli_fail(o, &err);
        }
        json_object_set_new(settings, name, json);
    }
    if (json_object_size(settings) > 0) {
        json_object_set(args, "settings", settings);
    }
    json_decref(settings);
    if (o->predicted) {
        json_object_set_new(args, "predicted", json_true());
    }
    if (o->verify > 0) {
        json_object_set_new(args, "verify", json_integer(o->verify));
    }
    if (o->seed > 0) {
        json_object_set_new(args, "seed", json_integer(o->seed));
    }
    return 0;
}

/* --method lua:NAME or plugin:NAME: others could have written its file too. What is not found is told when the solve begins. */
static int trust_solver(const struct cli_options *o)
{
    char exe[PATH_MAX], file[PATH_MAX], pipeline[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (o->method == NULL || (!pare_solver_is_lua(o->method) && !pare_solver_is_plugin(o->method)) || pipeline_of(o) == NULL ||
        realpath(pipeline_of(o), pipeline) == NULL || pare_solver_file_find(pipeline, o->method, file, NULL) != PARE_OK) {
        return 0;
    }
    exe[n > 0 ? n : 0] = '\0';
    return cli_trust(o, file, n > 0 ? exe : o->exe);
}

int cli_solve(const struct cli_options *o)
{
    struct cli_session s;
    json_t *args = json_object(), *json = NULL;
    add_real(args, "max_drop", o->max_drop);
    add_real(args, "max_latency", o->max_latency);
    add_real(args, "max_bytes", o->max_bytes);
    add_real(args, "max_bitops", o->max_bitops);
    add_real(args, "max_energy", o->max_energy);
    if (o->sure) {
        json_object_set_new(args, "sure", json_true());
    }
    add_real(args, "time_limit", o->time_limit);
    static const char *const names[] = {"minimize", "per", "name", "method"};
    const char *const values[] = {o->minimize, o->per, o->name, o->method};
    for (int i = 0; i < 4; i++) {
        if (values[i] != NULL) {
            json_object_set_new(args, names[i], json_string(values[i]));
        }
    }
    int rc = add_settings(o, args);
    rc = rc == 0 ? trust_solver(o) : rc;
    rc = rc == 0 ? cli_open(&s, o, pipeline_of(o), false, false) : rc;
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    rc = wait_open(&s);
    if (rc == 0) {
        rc = apply_pins(&s, o, o->pins, o->n_pins);
    }
    if (rc == 0) {
        rc = cli_run(&s, o->front ? "front" : "solve", args, &json);
    } else {
        json_decref(args);
    }
    if (rc == 0 && o->out != NULL) {
        rc = write_json(o, o->out, json);
    }
    if (rc == 0 && o->json) {
        cli_print_json(json);
    } else if (rc == 0 && o->front) {
        cli_print_front(json);
    } else if (rc == 0) {
        cli_print_solve(json);
    }
    json_decref(json);
    cli_close(&s);
    return rc;
}

/* --keep, --keep-first and --keep-suspected become pins of the session. */
static int pin_kept(struct cli_session *s, const struct cli_options *o)
{
    char lines[10][128];
    int n = 0, rc = 0;
    for (int i = 0; i < o->n_keep && n < 8; i++) {
        const char *equals = strchr(o->keep[i], '=');
        snprintf(lines[n++], sizeof lines[0], "pin '%.*s=fp32..%.40s'", (int)(equals - o->keep[i]), o->keep[i], equals + 1);
    }
    if (o->keep_first_n > 0) {
        snprintf(lines[n++], sizeof lines[0], "pin 'first:%d=fp32'", o->keep_first_n);
    }
    if (o->keep_suspected > 0) {
        snprintf(lines[n++], sizeof lines[0], "pin 'suspected:%g=fp32'", o->keep_suspected);
    }
    for (int i = 0; rc == 0 && i < n; i++) {
        struct pare_error err = {0};
        rc = pare_front_command(s->front, lines[i], -1, &err) == PARE_OK ? 0 : cli_fail(o, &err);
    }
    return rc;
}

/* The layers of each tie, as one line and one list. */
static void list_tied(const struct cli_options *o, const struct pare_state *state, json_t *tied)
{
    for (int i = 0; state != NULL && i < state->n_layers; i++) {
        if (state->layers[i].tie != i) {
            continue;
        }
        json_t *names = json_array();
        for (int k = i; k < state->n_layers; k++) {
            if (state->layers[k].tie == i) {
                json_array_append_new(names, json_string(state->layers[k].name));
                if (!o->json) {
                    printf("%s%s", k == i ? "one level: " : " = ", state->layers[k].name);
                }
            }
        }
        json_array_append_new(tied, names);
        if (!o->json) {
            printf("\n");
        }
    }
}

int cli_pin(const struct cli_options *o)
{
    struct cli_session s;
    int rc = cli_open(&s, o, pipeline_of(o), false, false);
    if (rc != 0) {
        return rc;
    }
    rc = wait_open(&s);
    if (rc == 0) {
        rc = apply_pins(&s, o, (const char *const *)o->args + 1, o->n_args > 1 ? o->n_args - 1 : 0);
    }
    rc = rc == 0 ? pin_kept(&s, o) : rc;
    if (rc == 0 && o->free_glob != NULL) {
        struct pare_error err = {0};
        char line[1024];
        snprintf(line, sizeof line, "free '%s'", o->free_glob);
        rc = pare_front_command(s.front, line, -1, &err) == PARE_OK ? 0 : cli_fail(o, &err);
    }
    const struct pare_state *state = rc == 0 ? pare_front_state(s.front) : NULL;
    json_t *pins = json_array();
    for (int i = 0; state != NULL && i < state->n_layers; i++) {
        const struct pare_layer *l = &state->layers[i];
        if (l->pin_lo < 0) {
            continue;
        }
        json_array_append_new(pins, json_pack("{s:s, s:s, s:s}", "name", l->name, "from", state->level_names[l->pin_lo], "to",
                                              state->level_names[l->pin_hi]));
        if (!o->json) {
            printf("%-40s %s%s%s\n", l->name, state->level_names[l->pin_lo], l->pin_hi != l->pin_lo ? ".." : "",
                   l->pin_hi != l->pin_lo ? state->level_names[l->pin_hi] : "");
        }
    }
    if (rc == 0 && !o->json && json_array_size(pins) == 0) {
        printf("no pins\n");
    }
    json_t *ties = json_array(), *tied = json_array(), *waiting = json_array();
    for (int i = 0; state != NULL && i < state->n_ties; i++) {
        json_array_append_new(ties, json_string(state->ties[i]));
        if (!o->json) {
            printf("tie %s\n", state->ties[i]);
        }
    }
    list_tied(o, state, tied);
    for (int i = 0; state != NULL && i < state->n_waiting; i++) {
        json_array_append_new(waiting, json_string(state->waiting[i]));
        if (!o->json) {
            printf("waiting: %s\n", state->waiting[i]);
        }
    }
    json_t *rows = json_array();
    for (int i = 0; state != NULL && i < state->n_rows; i++) {
        json_array_append_new(rows, json_pack("{s:s, s:s}", "name", state->row_names[i], "says", state->row_words[i]));
        if (!o->json) {
            printf("row %s%s%s\n", state->row_names[i], strcmp(state->row_names[i], state->row_words[i]) != 0 ? ": " : "",
                   strcmp(state->row_names[i], state->row_words[i]) != 0 ? state->row_words[i] : "");
        }
    }
    if (rc == 0 && o->json) {
        json_t *json = json_pack("{s:i, s:O, s:O, s:O, s:O, s:O}", "schema", 1, "pins", pins, "ties", ties, "tied", tied, "waiting", waiting,
                                 "rows", rows);
        cli_print_json(json);
        json_decref(json);
    }
    json_decref(pins);
    json_decref(ties);
    json_decref(tied);
    json_decref(waiting);
    json_decref(rows);
    cli_close(&s);
    return rc;
}

int cli_runs(const struct cli_options *o)
{
    struct cli_session s;
    int rc = cli_open(&s, o, pipeline_of(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = wait_open(&s);
    const struct pare_state *state = rc == 0 ? pare_front_state(s.front) : NULL;
    json_t *runs = json_array();
    for (int r = 0; state != NULL && r < state->n_runs; r++) {
        const struct pare_run *run = &state->runs[r];
        json_array_append_new(runs, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", run->name, "method", run->method, "budget",
                                              run->budget, "status", run->status, "points", run->n_points));
        if (run->quantize != NULL) {
            json_object_set_new(json_array_get(runs, (size_t)r), "quantize", json_string(run->quantize));
        }
        if (!o->json) {
            printf("%2d  %-20s %-9s %-28s %-10s %4d points%s%s\n", r + 1, run->name, run->method, run->budget, run->status, run->n_points,
                   run->quantize != NULL ? ", quantized by " : "", run->quantize != NULL ? run->quantize : "");
        }
    }
    if (rc == 0 && o->json) {
        json_t *json = json_pack("{s:i, s:O}", "schema", 1, "runs", runs);
        cli_print_json(json);
        json_decref(json);
    }
    json_decref(runs);
    cli_close(&s);
    return rc;
}

/* Index of the state's point named by RUN[:POINT], -1 when there is none. */
static int state_point(const struct pare_state *s, const char *text)
{
    char name[256];
    const char *colon = strrchr(text, ':');
    int number = colon != NULL ? atoi(colon + 1) : 0, found = -1;
    snprintf(name, sizeof name, "%.*s", number > 0 ? (int)(colon - text) : (int)strlen(text), text);
    int run = strspn(name, "0123456789") == strlen(name) ? atoi(name) - 1 : -1; /* or its place in `pare runs` */
    for (int r = 0; r < s->n_runs; r++) {
        run = strcmp(s->runs[r].name, name) == 0 ? -1 : run;
    }
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        if (strcmp(p->label, text) == 0) {
            return i;
        }
        if ((strcmp(s->runs[p->run].name, name) == 0 || run == p->run) && (number == 0 || p->number == number)) {
            found = i;
        }
    }
    return found;
}

/* --import: the files' runs, and the names of their points behind the others. 0 or an exit code. */
static int import_files(struct cli_session *s, const struct cli_options *o, json_t *names)
{
    for (int i = 0; i < o->n_imports; i++) {
        int rc = apply_choice(s, o, "import", o->imports[i]);
        if (rc != 0) {
            return rc;
        }
        const struct pare_state *state = pare_front_state(s->front);
        const int run = pare_front_imported(s->front);
        for (int k = 0; k < state->n_points; k++) {
            if (state->points[k].run == run) {
                char name[256];
                snprintf(name, sizeof name, "%s:%d", state->runs[run].name, state->points[k].number);
                json_array_append_new(names, json_string(name));
            }
        }
        if (!o->quiet && !o->json) {
            fprintf(stderr, "pare: %s\n", state->message);
        }
    }
    return 0;
}

int cli_compare(const struct cli_options *o)
{
    struct cli_session s;
    int rc = cli_open(&s, o, pipeline_of(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = wait_open(&s);
    json_t *names = json_array(), *json = NULL;
    for (int i = 1; i < o->n_args; i++) {
        json_array_append_new(names, json_string(o->args[i]));
    }
    rc = rc == 0 ? import_files(&s, o, names) : rc;
    if (rc == 0 && json_array_size(names) < 2) {
        rc = usage_error(o, "expected two or more RUN[:POINT], or --import FILE");
    }
    if (rc != 0) {
        json_decref(names);
    }
    if (rc == 0) {
        rc = cli_run(&s, "compare", json_pack("{s:o}", "points", names), &json);
        if (rc == 0 && o->out != NULL) {
            rc = cli_write_compare(o, pare_front_state(s.front), json);
        } else if (rc == 0 && o->json) {
            cli_print_json(json);
        } else if (rc == 0) {
            cli_print_compare(json);
        }
        json_decref(json);
    }
    cli_close(&s);
    return rc;
}

/* The point to export: of --run, of --config, or -1 = the newest answer. 0 or an exit code. */
static int export_point(struct cli_session *s, const struct cli_options *o, const json_t *args, int *point)
{
    struct pare_error err = {0};
    *point = -1;
    if (o->run != NULL) {
        *point = state_point(pare_front_state(s->front), o->run);
        if (*point < 0) {
            pare_error(&err, PARE_ERR_NOINPUT, o->run, "no such run or point (see pare runs)");
            return cli_fail(o, &err);
        }
    } else if (o->config != NULL) {
        *point = pare_front_point_of(s->front, json_object_get(args, "config"), &err);
        return *point >= 0 ? 0 : cli_fail(o, &err);
    }
    return 0;
}

int cli_export(const struct cli_options *o)
{
    struct cli_session s;
    struct pare_error err = {0};
    struct cli_options own = *o;
    char levels[512];
    int point;
    if (o->format == NULL || o->out == NULL) {
        return usage_error(o, "expected --format json|csv|md|png|svg and --out PATH");
    }
    json_t *args = json_object();
    int rc = cli_config_args(o, args);
    own.levels = levels_of(o, args, levels, sizeof levels);
    if (rc == 0) {
        rc = cli_open(&s, &own, pipeline_of(o), false, o->config == NULL); /* a config may become a point: not while another writes */
    }
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    rc = wait_open(&s);
    rc = rc == 0 ? export_point(&s, o, args, &point) : rc;
    if (rc == 0 && pare_export_state(pare_front_state(s.front), o->format, point, o->out, &err) != PARE_OK) {
        rc = cli_fail(o, &err);
    }
    json_decref(args);
    cli_close(&s);
    return rc;
}

int cli_summary(const struct cli_options *o)
{
    struct cli_session s;
    int rc = cli_open(&s, o, pipeline_of(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = wait_open(&s);
    if (rc == 0) {
        cli_print_summary(pare_front_state(s.front));
    }
    cli_close(&s);
    return rc;
}

static void stage_name(const char *model, char *name, size_t size)
{
    const char *slash = strrchr(model, '/'), *base = slash != NULL ? slash + 1 : model;
    size_t n = 0;
    for (; base[n] != '\0' && base[n] != '.' && n + 1 < size; n++) {
        char c = base[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (n > 0 && c >= '0' && c <= '9');
        name[n] = plain ? c : '_';
    }
    name[n] = '\0';
}

int cli_new(const struct cli_options *o)
{
    struct pare_error err = {0};
    struct pare_strbuf text;
    char path[PATH_MAX], real[PATH_MAX], name[64];
    int rc = 0;
    if (o->n_args < 2) {
        return usage_error(o, "expected pare new DIR MODEL ...");
    }
    snprintf(path, sizeof path, "%s/pipeline.lua", o->args[0]);
    if (access(path, F_OK) == 0) {
        pare_error(&err, PARE_ERR_CANTCREATE, path, "is there already; it is not overwritten");
        return cli_fail(o, &err);
    }
    pare_strbuf_init(&text);
    const char *slash = strrchr(o->args[0], '/');
    pare_strbuf_printf(&text, "-- A pipeline of %d model%s. Fill in data and infer; then: pare %s\nreturn {\n  name = \"%s\",\n  stages = {\n",
                       o->n_args - 1, o->n_args == 2 ? "" : "s", o->args[0], slash != NULL && slash[1] != '\0' ? slash + 1 : o->args[0]);
    for (int i = 1; rc == 0 && i < o->n_args; i++) {
        if (realpath(o->args[i], real) == NULL) {
            pare_error(&err, PARE_ERR_NOINPUT, o->args[i], "no such file");
            rc = cli_fail(o, &err);
            break;
        }
        stage_name(real, name, sizeof name);
        pare_strbuf_printf(&text, "    {\"%s\", \"%s\"},\n", name, real);
    }
    pare_strbuf_append(&text, "  },\n"
                              "  -- arrays `image` (N,H,W,C) and `label` (N) in a .npz, or a folder of classes of pictures\n"
                              "  data = { calibration = \"calibration\", search = \"search\", test = \"test\" },\n"
                              "  -- classes = {\"first\", \"second\"},\n"
                              "  infer = function(stage, sample, op)\n");
    stage_name(o->args[1], name, sizeof name);
    pare_strbuf_printf(&text, "    return op.argmax(stage.%s(sample.image))\n", name);
    pare_strbuf_append(&text, "  end,\n  metric = \"top1\",\n}\n");
    if (rc == 0 && (pare_make_dirs(o->args[0], &err) != PARE_OK || pare_file_write(path, text.text, text.length, &err) != PARE_OK)) {
        rc = cli_fail(o, &err);
    }
    if (rc == 0) {
        printf("wrote %s\n", path);
    }
    pare_strbuf_clear(&text);
    return rc;
}

int cli_paths(const struct cli_options *o)
{
    const char *home = getenv("HOME");
    static const struct {
        const char *what, *variable, *under;
    } places[] = {{"config", "XDG_CONFIG_HOME", ".config"}, {"sessions", "XDG_DATA_HOME", ".local/share"},
                  {"state", "XDG_STATE_HOME", ".local/state"}, {"cache", "XDG_CACHE_HOME", ".cache"}};
    json_t *json = json_pack("{s:i}", "schema", 1);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[PATH_MAX];
        const char *value = getenv(places[i].variable);
        if (value != NULL && value[0] == '/') {
            snprintf(path, sizeof path, "%s/pare", value);
        } else {
            snprintf(path, sizeof path, "%s/%s/pare", home != NULL ? home : "", places[i].under);
        }
        json_object_set_new(json, places[i].what, json_string(path));
        if (!o->json) {
            printf("%-9s %s\n", places[i].what, path);
        }
    }
    if (o->json) {
        cli_print_json(json);
    }
    json_decref(json);
    return 0;
}

static void print_plugins(const json_t *json)
{
    size_t i;
    json_t *item, *folders = json_object_get(json, "folders"), *plugins = json_object_get(json, "plugins");
    json_array_foreach(plugins, i, item) {
        const json_t *error = json_object_get(item, "error");
        const char *version = pare_json_get_string(item, "version", "-"), *what = pare_json_get_string(item, "doc", "");
        printf("%-16s %-9s %s\n", pare_json_get_string(item, "name", "?"), version, pare_json_get_string(item, "path", "?"));
        printf("%-26s %s%s\n", "", json_is_object(error) ? pare_json_get_string(error, "message", "?") : what,
               pare_json_get_bool(item, "hidden", false) ? " (not taken: a folder before has one of this name)" : "");
    }
    printf("%s", json_array_size(plugins) == 0 ? "no plugins in" : "looked in");
    json_array_foreach(folders, i, item) {
        printf("%s %s", i > 0 ? "," : "", json_string_value(item));
    }
    printf("\n");
}

int cli_plugins(const struct cli_options *o)
{
    char exe[PATH_MAX], pipeline[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    if (pipeline_of(o) != NULL && realpath(pipeline_of(o), pipeline) == NULL) {
        struct pare_error err = {0};
        pare_error(&err, PARE_ERR_NOINPUT, pipeline_of(o), "no such file or folder");
        return cli_fail(o, &err);
    }
    json_t *json = pare_plugin_list(pipeline_of(o) != NULL ? pipeline : NULL, n > 0 ? exe : o->exe);
    if (o->json) {
        cli_print_json(json);
    } else {
        print_plugins(json);
    }
    json_decref(json);
    return 0;
}

int cli_doctor(const struct cli_options *o)
{
    json_t *json = json_pack("{s:i}", "schema", 1), *sets = json_array();
    for (int i = 0; i < PK_ISA_COUNT; i++) {
        if (pk_isa_supported((enum pk_isa)i)) {
            json_array_append_new(sets, json_string(pk_isa_name((enum pk_isa)i)));
        }
        if (!o->json) {
            printf("kernels %-11s %s\n", pk_isa_name((enum pk_isa)i), pk_isa_supported((enum pk_isa)i) ? "yes" : "no");
        }
    }
    json_object_set_new(json, "isa", sets);
    json_object_set_new(json, "best", json_string(pk_isa_name(pk_isa_best())));
    json_object_set_new(json, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    if (o->json) {
        cli_print_json(json);
    } else {
        const char *term = getenv("TERM"), *forced = getenv("PARE_ISA");
        printf("chosen  %s%s\n", pk_isa_name(pk_isa_best()), forced != NULL ? " (PARE_ISA)" : "");
        printf("cores   %ld\nterminal %s, %s\n", sysconf(_SC_NPROCESSORS_ONLN), term != NULL ? term : "(TERM unset)",
               isatty(1) ? "stdout is one" : "stdout is none");
    }
    json_decref(json);
    return 0;
}
