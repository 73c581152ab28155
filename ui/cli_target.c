/* cli_target.c: machines whose latencies count: tables measured here, imported, or derived. */
#include "ui/cli_bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/measure/stopwatch.h"
#include "src/measure/table_write.h"
#include "src/measure/target.h"

static const char *const kinds[] = {"conv", "depthwise", "fc"};

/* {"level", "kind", "rows", "error", "worst"} for every fit of a target. */
static json_t *fits_json(const struct pare_target *t)
{
    json_t *fits = json_array();
    const struct pare_target_row *rows = pare_target_rows(t);
    for (int i = 0; i < pare_target_row_count(t); i++) {
        bool seen = false;
        char level[16];
        for (int k = 0; k < i && !seen; k++) {
            seen = rows[k].kind == rows[i].kind && pare_level_equal(rows[k].level, rows[i].level);
        }
        if (seen) {
            continue;
        }
        const struct pare_predictor *p = pare_target_predictor(t, rows[i].kind, rows[i].level);
        pare_level_name(rows[i].level, level);
        json_array_append_new(fits, json_pack("{s:s, s:s, s:i, s:o, s:o}", "kind", kinds[rows[i].kind], "level", level, "shapes",
                                              p != NULL ? p->n : 0, "held_out_error", pare_json_real(p != NULL ? p->error : NAN),
                                              "worst", pare_json_real(p != NULL ? p->worst : NAN)));
    }
    return fits;
}

static json_t *target_json(const char *name)
{
    struct pare_target *t;
    struct pare_error err = {0};
    if (pare_target_load(name, &t, &err) != PARE_OK) {
        return json_pack("{s:s, s:s}", "name", name, "error", err.message);
    }
    json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:b, s:o}", "name", name, "machine", pare_target_machine(t), "basis",
                             pare_target_derived(t) ? "derived" : "measured", "rows", pare_target_row_count(t), "complete",
                             (int)pare_target_complete(t), "fits", fits_json(t));
    if (strcmp(name, "host") == 0) {
        json_object_set_new(json, "chooses_kernels", json_boolean(pare_target_is_here(t)));
    }
    pare_target_free(t);
    return json;
}

static void print_target(const json_t *target)
{
    const json_t *fits = json_object_get(target, "fits");
    const char *error = pare_json_get_string(target, "error", NULL);
    size_t i;
    json_t *fit;
    if (error != NULL) {
        printf("%-16s cannot be read: %s\n", pare_json_get_string(target, "name", ""), error);
        return;
    }
    printf("%-16s %-9s %4lld rows  %s%s%s\n", pare_json_get_string(target, "name", ""), pare_json_get_string(target, "basis", ""),
           (long long)pare_json_get_int(target, "rows", 0), pare_json_get_string(target, "machine", ""),
           pare_json_get_bool(target, "complete", true) ? "" : "; without an end: it may have been cut",
           pare_json_get_bool(target, "chooses_kernels", true) ? "" : "; not this machine: it chooses no kernels here");
    json_array_foreach((json_t *)(uintptr_t)fits, i, fit) {
        const double error_share = pare_json_get_real(fit, "held_out_error");
        printf("    %-6s %-9s %3lld shapes", pare_json_get_string(fit, "level", ""), pare_json_get_string(fit, "kind", ""),
               (long long)pare_json_get_int(fit, "shapes", 0));
        if (isfinite(error_share)) {
            printf(", held-out rows missed by %.0f %% on average (worst %.0f %%)\n", 100 * error_share, 100 * pare_json_get_real(fit, "worst"));
        } else {
            printf(", too few to predict others\n");
        }
    }
}

static int list_targets(const struct cli_options *o)
{
    char names[256][PARE_TARGET_NAME];
    const int n = pare_target_names(names, 256);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, target_json(names[i]));
    }
    if (o->json) {
        json_t *json = json_pack("{s:i, s:O}", "schema", 1, "targets", list);
        cli_print_json(json);
        json_decref(json);
    } else {
        for (int i = 0; i < n; i++) {
            print_target(json_array_get(list, (size_t)i));
        }
    }
    json_decref(list);
    return 0;
}

int cli_target(const struct cli_options *o)
{
    struct pare_error err = {0};
    char name[PARE_TARGET_NAME];
    if (o->n_args == 1 && strcmp(o->args[0], "list") == 0) {
        return list_targets(o);
    }
    if (o->n_args != 2 || strcmp(o->args[0], "import") != 0) {
        pare_error(&err, PARE_ERR_USAGE, "target", "expected list, or import FILE [--name NAME]");
        return cli_fail(o, &err);
    }
    if (pare_target_import(o->args[1], o->name, name, &err) != PARE_OK) {
        return cli_fail(o, &err);
    }
    json_t *target = target_json(name);
    if (o->json) {
        json_t *json = json_pack("{s:i, s:O}", "schema", 1, "target", target);
        cli_print_json(json);
        json_decref(json);
    } else {
        print_target(target);
    }
    json_decref(target);
    return 0;
}

/* ---- this machine's own ---- */

static void show_rows(void *self, int rows)
{
    if (*(const bool *)self) {
        fprintf(stderr, "\r%d rows ", rows);
    }
}

/* Measures into a temporary file, then moves its text to where it is wanted. */
static enum pare_status write_table(const struct cli_options *o, const char *path, int *rows, int *noisy, struct pare_error *err)
{
    char machine[256], *text = NULL;
    size_t size = 0;
    bool show = !o->quiet && isatty(2) != 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return pare_error_nomem(err);
    }
    pare_watch_machine(machine, sizeof machine);
    const struct pare_table_write options = {.out = out, .machine = machine[0] != '\0' ? machine : NULL, .self = &show, .done = show_rows,
                                             .seconds = isfinite(o->time_limit) ? o->time_limit : 0};
    *rows = pare_table_write(&options, noisy);
    enum pare_status status = fclose(out) != 0 || *rows < 0 ? pare_error_nomem(err) : PARE_OK;
    if (show) {
        fprintf(stderr, "\r               \r");
    }
    if (status == PARE_OK && *rows == 0) {
        status = pare_error(err, PARE_ERR_FAIL, "bench --table", "every row was noisy: is the machine busy?");
    }
    if (status == PARE_OK) {
        status = strcmp(path, "-") == 0 ? (fwrite(text, 1, size, stdout) == size ? PARE_OK : pare_error(err, PARE_ERR_IO, "-", "cannot write"))
                                        : pare_file_write(path, text, size, err);
    }
    free(text);
    return status;
}

/* Said before a minute of measuring, not after it. */
static enum pare_status check_place(const char *path, struct pare_error *err)
{
    struct stat st;
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        return PARE_OK; /* standard output, a device */
    }
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path), slash == NULL ? "." : path);
    return pare_is_dir(path)                       ? pare_error(err, PARE_ERR_CANTCREATE, path, "cannot write: is a folder")
           : access(folder, W_OK | X_OK) != 0 ? pare_error(err, PARE_ERR_CANTCREATE, path, "cannot create: %s", strerror(errno))
                                              : PARE_OK;
}

int cli_bench_table(const struct cli_options *o)
{
    struct pare_error err = {0};
    const char *forced = getenv("PARE_ISA");
    char path[4096], folder[4096];
    int rows = 0, noisy = 0;
    enum pare_status status = PARE_OK;
    if (o->out != NULL) {
        snprintf(path, sizeof path, "%s", o->out);
    } else {
        status = pare_target_path("host", path, sizeof path, &err);
        if (status == PARE_OK) {
            snprintf(folder, sizeof folder, "%s", path);
            *strrchr(folder, '/') = '\0';
            status = pare_make_dirs(folder, &err);
        }
    }
    if (status == PARE_OK && o->out == NULL && forced != NULL && forced[0] != '\0') {
        status = pare_error(&err, PARE_ERR_USAGE, "bench --table", "with PARE_ISA this is no table of the machine: give it a file (--out F)");
    }
    if (status == PARE_OK) {
        status = check_place(path, &err);
    }
    if (status == PARE_OK) {
        pk_set_choices(NULL, 0); /* the table is measured as if there were none */
        status = write_table(o, path, &rows, &noisy, &err);
    }
    if (status != PARE_OK) {
        return cli_fail(o, &err);
    }
    if (o->out != NULL && !o->json) {
        fprintf(stderr, "%s: %d rows, %d noisy ones left out; pare target import takes it\n", path, rows, noisy);
        return 0;
    }
    json_t *json = json_pack("{s:i, s:s, s:i, s:i, s:o}", "schema", 1, "file", path, "rows", rows, "noisy", noisy, "target",
                             o->out == NULL ? target_json("host") : json_null());
    if (o->json) {
        cli_print_json(json);
    } else {
        printf("%s: %d rows, %d noisy ones left out; kernels of this machine are chosen by it from now on\n", path, rows, noisy);
        print_target(json_object_get(json, "target"));
    }
    json_decref(json);
    return 0;
}
