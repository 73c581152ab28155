/*
 * main.c: where everything is plugged together, and the only file that ends the process.
 */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/lua_glue.h"
#include "lua/script.h"
#include "pk.h"
#include "src/measure/target.h"
#include "src/pipeline/pipeline.h"
#include "src/work/work.h"
#include "ui/cli.h"
#include "ui/cli_bench.h"
#include "ui/workbench.h"

#ifndef PARE_BUILD
#define PARE_BUILD "unknown build"
#endif

static int print_version(const struct cli_options *o)
{
    printf("pare %s\n", PARE_VERSION);
    if (o->verbose) {
        printf("built with %s\nkernels %s\n", PARE_BUILD, pk_isa_name(pk_isa_best()));
    }
    return 0;
}

/* print in a pipeline.lua: the workbench keeps standard error in its log, the command line shows it. */
static void print_line(void *self, const char *line)
{
    (void)self;
    fprintf(stderr, "%s\n", line);
}

/* libuv aborts when it cannot have its descriptors: better to say so before. */
static bool has_descriptors(void)
{
    enum { WANTED = 16 };
    int fds[WANTED], n = 0;
    while (n < WANTED && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        n++;
    }
    for (int i = 0; i < n; i++) {
        close(fds[i]);
    }
    return n == WANTED;
}

static int run_worker(void)
{
    char table[40];
    pare_lua_set_print(print_line, NULL);
    pare_target_use_host(table);
    const char *text = getenv("PARE_WORKER_FD");
    return pare_worker_serve(text != NULL ? atoi(text) : 3, pare_work_kinds, pare_work_kind_count, pk_isa_name(pk_isa_best()));
}

static int open_workbench(const struct cli_options *o)
{
    if (o->keys == NULL && (!isatty(0) || !isatty(1))) { /* a key script needs no terminal */
        return cli_summary(o);
    }
    return workbench_run(o);
}

static int run(const struct cli_options *o)
{
    static const struct {
        const char *name;
        int (*run)(const struct cli_options *o);
    } verbs[] = {{"info", cli_info},       {"eval", cli_eval},     {"sense", cli_sense},   {"bench", cli_bench},
                 {"solve", cli_solve},     {"pin", cli_pin},       {"runs", cli_runs},     {"compare", cli_compare},
                 {"export", cli_export},   {"new", cli_new},       {"script", cli_script}, {"doctor", cli_doctor},
                 {"paths", cli_paths},     {"plugins", cli_plugins}, {"session", cli_session}, {"target", cli_target}, {"version", print_version}};
    if (o->help || (o->verb != NULL && strcmp(o->verb, "help") == 0)) {
        cli_usage(o->verb != NULL && strcmp(o->verb, "help") == 0 ? (o->n_args > 0 ? o->args[0] : NULL) : o->verb);
        return 0;
    }
    if (o->verb != NULL && strcmp(o->verb, "worker") == 0) {
        return run_worker();
    }
    if (!has_descriptors()) {
        fprintf(stderr, "pare: too few file descriptors: at least 32 are needed (ulimit -n)\n");
        return PARE_ERR_FAIL;
    }
    if (pk_isa_refused() != NULL && (o->verb == NULL || strcmp(o->verb, "doctor") != 0)) {
        struct pare_error err = {0};
        pare_error(&err, PARE_ERR_CONFIG, "PARE_ISA", "\"%.40s\" is no instruction set of this machine (see pare doctor)", pk_isa_refused());
        return cli_fail(o, &err);
    }
    if (o->detach && o->verb != NULL) {
        int rc = detach(o);
        if (rc >= 0) {
            return rc;
        }
    }
    for (size_t i = 0; o->verb != NULL && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(o->verb, verbs[i].name) == 0) {
            return verbs[i].run(o);
        }
    }
    if (o->verb != NULL || o->n_args != 1) {
        fprintf(stderr, "pare: expected a pipeline or a verb (see pare --help)\n");
        return PARE_ERR_USAGE;
    }
    if (strpbrk(o->args[0], "/.") == NULL && access(o->args[0], F_OK) != 0) { /* a word that was meant as a verb, it seems */
        struct pare_error err = {0};
        pare_error(&err, PARE_ERR_NOINPUT, o->args[0][0] != '\0' ? o->args[0] : "''", "neither a verb (see pare --help) nor a file or folder");
        return cli_fail(o, &err);
    }
    return open_workbench(o);
}

int main(int argc, char **argv)
{
    struct cli_options options;
    signal(SIGPIPE, SIG_DFL);
    setlocale(LC_CTYPE, ""); /* numbers stay in the C locale: files, Lua and GLPK read them */
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    pare_work_set_script(pare_lua_run_script);
    pare_work_set_lua_step(pare_lua_step);
    int rc = cli_parse(argc, argv, &options);
    if (rc == 0) {
        rc = run(&options);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct pollfd out = {.fd = 1};
        if (poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0) {
            return 128 + SIGPIPE; /* `| head` ends us quietly */
        }
        fprintf(stderr, "pare: standard output: cannot write\n");
        rc = PARE_ERR_IO;
    }
    return rc;
}
