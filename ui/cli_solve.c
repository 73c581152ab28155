/* cli_solve.c: `pare solve`: budgets and the solver's settings from options into the verb's arguments. */
#include "ui/cli.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/json.h"
#include "src/command/solver_file.h"

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
    if (o->method == NULL || (!pare_solver_is_lua(o->method) && !pare_solver_is_plugin(o->method)) || cli_pipeline(o) == NULL ||
        realpath(cli_pipeline(o), pipeline) == NULL || pare_solver_file_find(pipeline, o->method, file, NULL) != PARE_OK) {
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
    rc = rc == 0 ? cli_open(&s, o, cli_pipeline(o), false, false) : rc;
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    rc = cli_wait_open(&s);
    if (rc == 0) {
        rc = cli_apply_pins(&s, o, o->pins, o->n_pins);
    }
    if (rc == 0) {
        rc = cli_run(&s, o->front ? "front" : "solve", args, &json);
    } else {
        json_decref(args);
    }
    if (rc == 0 && o->out != NULL) {
        rc = cli_write_json(o, o->out, json);
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
