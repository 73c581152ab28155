/* cli_pins.c: `pare pin`, and the pins, ties and rows that a command line adds to the session before a solve. */
#include "ui/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"

int cli_choice(struct cli_session *s, const struct cli_options *o, const char *verb, const char *text)
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
        rc = line[0] != '\0' ? cli_choice(s, o, strchr(line, '=') != NULL ? "pin" : "tie", line) : 0;
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
int cli_apply_pins(struct cli_session *s, const struct cli_options *o, const char *const *pins, int n)
{
    int rc = check_twice(o, pins, n);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = pins[i][0] == '@' ? apply_file(s, o, pins[i] + 1) : cli_choice(s, o, "pin", pins[i]);
    }
    for (int i = 0; rc == 0 && i < o->n_ties; i++) {
        rc = o->ties[i][0] == '@' ? apply_file(s, o, o->ties[i] + 1) : cli_choice(s, o, "tie", o->ties[i]);
    }
    return rc == 0 ? cli_apply_rows(s, o) : rc;
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
    int rc = cli_open(&s, o, cli_pipeline(o), false, false);
    if (rc != 0) {
        return rc;
    }
    rc = cli_wait_open(&s);
    if (rc == 0) {
        rc = cli_apply_pins(&s, o, (const char *const *)o->args + 1, o->n_args > 1 ? o->n_args - 1 : 0);
    }
    rc = rc == 0 ? pin_kept(&s, o) : rc;
    if (rc == 0 && o->free_glob != NULL) {
        struct pare_error err = {0};
        char line[1024];
        snprintf(line, sizeof line, "free '%s'", o->free_glob);
        rc = pare_front_command(s.front, line, -1, &err) == PARE_OK ? 0 : cli_fail(o, &err);
    }
    if (rc == 0 && o->untie != NULL) {
        rc = cli_choice(&s, o, "untie", o->untie);
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
            printf("%s%s\n", strstr(state->waiting[i], " gives way ") != NULL ? "" : "waiting: ", state->waiting[i]);
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
