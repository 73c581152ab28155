#include "ui/cli.h"
#include "ui/cli_bench.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/strbuf.h"
#include "src/export/export.h"

const char *cli_pipeline(const struct cli_options *o)
{
    return o->n_args > 0 ? o->args[0] : NULL;
}

int cli_usage_error(const struct cli_options *o, const char *message)
{
    struct pare_error err = {.code = PARE_ERR_USAGE};
    snprintf(err.message, sizeof err.message, "%s", message);
    return cli_fail(o, &err);
}

/* Opens, runs one verb, prints, closes. */
static int simple_verb(const struct cli_options *o, const char *verb, bool temporary, bool follow, json_t *args_take,
                       void (*print)(const json_t *json))
{
    struct cli_session s;
    json_t *json = NULL;
    int rc = cli_open(&s, o, cli_pipeline(o), temporary, follow);
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

static bool has_session(const struct cli_options *o)
{
    char path[PATH_MAX];
    if (o->session != NULL) {
        return access(o->session, F_OK) == 0;
    }
    return cli_pipeline(o) != NULL && pare_front_session_path(cli_pipeline(o), path, sizeof path, NULL) == PARE_OK && access(path, F_OK) == 0;
}

int cli_info(const struct cli_options *o)
{
    /* what was chosen is in the session, where there is one; who works on it does not mind */
    const bool known = has_session(o);
    return simple_verb(o, "describe", !known, known, json_object(), cli_print_info);
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
    return simple_verb(&own, "eval", false, false, args, cli_print_eval);
}

int cli_bench(const struct cli_options *o)
{
    if (o->kernels || o->peers || o->table) {
        const int refused = cli_bench_refuse(o);
        return refused != 0 ? refused : o->kernels ? cli_bench_kernels(o) : o->peers ? cli_bench_peers(o) : cli_bench_table(o);
    }
    if (o->n_args > 1 || o->out != NULL || isfinite(o->time_limit)) {
        return cli_usage_error(o, o->out != NULL       ? "--out of bench goes with --table"
                                  : o->n_args > 1 ? "expected one pipeline"
                                                  : "--time-limit of bench goes with --kernels, --table and --peers");
    }
    json_t *args = json_object();
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
    return simple_verb(&own, "bench", false, false, args, cli_print_bench);
}

/* Waits until the pipeline is described. */
int cli_wait_open(struct cli_session *s)
{
    json_t *json = NULL;
    int rc = cli_run(s, "describe", json_object(), &json);
    json_decref(json);
    return rc;
}

int cli_write_json(const struct cli_options *o, const char *path, const json_t *json)
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

/* The width of a column that held `width` so far. */
static int longer(int width, const char *text)
{
    const int n = (int)strlen(text);
    return n > width ? n : width;
}

int cli_runs(const struct cli_options *o)
{
    struct cli_session s;
    int rc = cli_open(&s, o, cli_pipeline(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = cli_wait_open(&s);
    const struct pare_state *state = rc == 0 ? pare_front_state(s.front) : NULL;
    json_t *runs = json_array();
    int name = 4, method = 6, budget = 1, status = 8;
    for (int r = 0; state != NULL && r < state->n_runs; r++) {
        name = longer(name, state->runs[r].name);
        method = longer(method, state->runs[r].method);
        budget = longer(budget, state->runs[r].budget);
        status = longer(status, state->runs[r].status);
    }
    for (int r = 0; state != NULL && r < state->n_runs; r++) {
        const struct pare_run *run = &state->runs[r];
        json_array_append_new(runs, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", run->name, "method", run->method, "budget",
                                              run->budget, "status", run->status, "points", run->n_points));
        if (run->quantize != NULL) {
            json_object_set_new(json_array_get(runs, (size_t)r), "quantize", json_string(run->quantize));
        }
        if (!o->json) {
            printf("%2d  %-*s  %-*s  %-*s  %-*s  %4d point%s%s%s\n", r + 1, name, run->name, method, run->method, budget, run->budget, status,
                   run->status, run->n_points, run->n_points == 1 ? "" : "s", run->quantize != NULL ? ", quantized by " : "", run->quantize != NULL ? run->quantize : "");
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
        int rc = cli_choice(s, o, "import", o->imports[i]);
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
    int rc = cli_open(&s, o, cli_pipeline(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = cli_wait_open(&s);
    json_t *names = json_array(), *json = NULL;
    for (int i = 1; i < o->n_args; i++) {
        json_array_append_new(names, json_string(o->args[i]));
    }
    rc = rc == 0 ? import_files(&s, o, names) : rc;
    if (rc == 0 && json_array_size(names) < 2) {
        rc = cli_usage_error(o, "expected two or more RUN[:POINT], or --import FILE");
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
        return cli_usage_error(o, "expected --format json|csv|md|png|svg and --out PATH");
    }
    json_t *args = json_object();
    int rc = cli_config_args(o, args);
    own.levels = levels_of(o, args, levels, sizeof levels);
    if (rc == 0) {
        rc = cli_open(&s, &own, cli_pipeline(o), false, o->config == NULL); /* a config may become a point: not while another writes */
    }
    if (rc != 0) {
        json_decref(args);
        return rc;
    }
    rc = cli_wait_open(&s);
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
    int rc = cli_open(&s, o, cli_pipeline(o), false, true);
    if (rc != 0) {
        return rc;
    }
    rc = cli_wait_open(&s);
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
        return cli_usage_error(o, "expected pare new DIR MODEL ...");
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
