/* cli_about.c: what Pare finds around it: its folders, plugins, and what this machine can run. */
#include "ui/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/json.h"
#include "src/command/solver_file.h"
#include "src/measure/target.h"
#include "pk.h"

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
    if (cli_pipeline(o) != NULL && realpath(cli_pipeline(o), pipeline) == NULL) {
        struct pare_error err = {0};
        pare_error(&err, PARE_ERR_NOINPUT, cli_pipeline(o), "no such file or folder");
        return cli_fail(o, &err);
    }
    json_t *json = pare_plugin_list(cli_pipeline(o) != NULL ? pipeline : NULL, n > 0 ? exe : o->exe);
    if (o->json) {
        cli_print_json(json);
    } else {
        print_plugins(json);
    }
    json_decref(json);
    return 0;
}

/* What chooses among kernels that give the same bytes: "table" "rule", and why in words. */
static const char *choice_of_kernels(char why[400])
{
    struct pare_target *t;
    struct pare_error err = {0};
    const enum pare_status status = pare_target_load("host", &t, &err);
    if (status != PARE_OK) {
        snprintf(why, 400, "%.390s", status == PARE_ERR_NOINPUT ? "not measured yet: pare bench --table" : err.message);
        return "rule";
    }
    const bool here = pare_target_is_here(t);
    snprintf(why, 400, here ? "pare bench --table, %d rows" : "the table of %d rows is of another machine: pare bench --table", pare_target_row_count(t));
    pare_target_free(t);
    return here ? "table" : "rule";
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
    char why[400];
    const char *choice = choice_of_kernels(why);
    json_object_set_new(json, "kernels_by", json_string(choice));
    json_object_set_new(json, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    if (o->json) {
        cli_print_json(json);
    } else {
        const char *term = getenv("TERM"), *forced = getenv("PARE_ISA");
        const bool refused = pk_isa_refused() != NULL;
        printf("chosen  %s%s%s%s\n", pk_isa_name(pk_isa_best()), forced == NULL || forced[0] == '\0' ? "" : refused ? "; PARE_ISA=" : " (PARE_ISA)",
               refused ? forced : "", refused ? " is none of them: every other command refuses it" : "");
        printf("by      %s (%s)\n", choice, why);
        printf("cores   %ld\nterminal %s, %s\n", sysconf(_SC_NPROCESSORS_ONLN), term != NULL ? term : "(TERM unset)",
               isatty(1) ? "stdout is one" : "stdout is none");
    }
    json_decref(json);
    return 0;
}
