/*
 * cli.h: the command line: options, verbs without a screen, what they print. Data goes to stdout, messages and progress to
 * stderr.
 */
#ifndef PARE_CLI_H
#define PARE_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "src/pare.h"

struct cli_options {
    const char *verb, *exe;
    int n_args;
    char **args;               /* what is left after options: pipeline, runs, ... */
    bool json, quiet, fresh, no_pins, detach, dry_run, yes, trust, front, help, kernels, table, peers, verbose, list, sure, predicted;
    const char *models, *session, *levels, *config, *run, *level, *split, *out, *format, *method, *per, *minimize, *name, *quantize;
    const char *free_glob, *keys, *explain, *baseline, *target, *columns, *csv_debugger, *unrow, *untie;
    const char *pins[64], *ties[32], *rows[32], *keep[8], *sets[32], *imports[8];
    int n_pins, n_ties, n_rows, n_imports, n_keep, keep_first_n, n_sets, samples, jobs, threads, seed, verify;
    double max_drop, max_latency, max_bytes, max_bitops, max_energy, time_limit, keep_suspected; /* NaN = not given */
};

/* Fills o; prints usage errors itself. 0, or an exit code. */
int cli_parse(int argc, char **argv, struct cli_options *o);
void cli_usage(const char *verb);

/* One front on one loop, for verbs and for the screen. */
struct cli_session {
    uv_loop_t loop;
    struct pare_front *front;
    const struct cli_options *options;
    double last_shown;
    int interrupted; /* the signal; 0 = none */
};
int cli_open(struct cli_session *s, const struct cli_options *o, const char *path, bool temporary, bool follow);
/* Starts a verb and runs the loop until it ends. json is a new reference (NULL on errors). Returns an exit code and
 * prints the error. */
int cli_run(struct cli_session *s, const char *verb, json_t *args_take, json_t **json);
void cli_close(struct cli_session *s);

/* Prints err as one line (and as JSON with --json); returns the exit code. */
int cli_fail(const struct cli_options *o, const struct pare_error *err);
/* The pipeline's path as given; NULL when none was. */
const char *cli_pipeline(const struct cli_options *o);
/* Prints message as a usage error; its exit code. */
int cli_usage_error(const struct cli_options *o, const char *message);
/* Waits until the pipeline is described. 0 or an exit code. */
int cli_wait_open(struct cli_session *s);
/* json, indented, to a file. 0 or an exit code. */
int cli_write_json(const struct cli_options *o, const char *path, const json_t *json);
/* cli_pins.c: one command of the workbench with one word ("pin", "GLOB=LEVEL..."), at most 1024 bytes without '. 0 or an exit
 * code. */
int cli_choice(struct cli_session *s, const struct cli_options *o, const char *verb, const char *text);
/* --tie, --row, and pins ("GLOB=LEVEL...", or @FILE with one a line) as choices of the session. 0 or an exit code. */
int cli_apply_pins(struct cli_session *s, const struct cli_options *o, const char *const *pins, int n);
/* cli_rows.c: --unrow, then --row, as choices of the session. 0 or an exit code. */
int cli_apply_rows(struct cli_session *s, const struct cli_options *o);
/* Config JSON {layer: level} of --config, --run or --level into args of a verb. 0 or an exit code. */
int cli_config_args(const struct cli_options *o, json_t *args);

/* The verbs. */
int cli_info(const struct cli_options *o);
int cli_eval(const struct cli_options *o);
int cli_sense(const struct cli_options *o);
int cli_bench(const struct cli_options *o);
/* Are these words of --columns? */
bool cli_sense_columns(const char *text);
int cli_solve(const struct cli_options *o);
int cli_pin(const struct cli_options *o);
int cli_runs(const struct cli_options *o);
int cli_compare(const struct cli_options *o);
int cli_export(const struct cli_options *o);
int cli_new(const struct cli_options *o);
int cli_script(const struct cli_options *o);
int cli_doctor(const struct cli_options *o);
int cli_paths(const struct cli_options *o);
int cli_plugins(const struct cli_options *o);
int cli_summary(const struct cli_options *o); /* the workbench without a terminal */

int cli_session(const struct cli_options *o);

/* trust.c: asks, or takes --trust, before a Lua file that others could have written runs. 0 = go on (whatever the file
 * is: whoever opens it says what is wrong with it), else an exit code. */
int cli_trust(const struct cli_options *o, const char *path, const char *exe);

/* detach.c: --detach. In the process that goes on, detach returns -1; in the one that was started, when the other holds
 * its session or has failed, the exit code. */
int detach(const struct cli_options *o);
/* The session is open (the script runs): who waits for it may leave. Does nothing without --detach. */
void detach_ready(void);

/* cli_print.c: JSON for --json, tables otherwise. */
void cli_print_json(json_t *json);
/* A number that may be unknown ("-"). Returns buf. */
const char *cli_number(char buf[32], double value, int digits);
/* The width of a column of the layers' names, 12 to 56. */
int cli_widest_name(const json_t *layers);
void cli_print_info(const json_t *json);
void cli_print_eval(const json_t *json);
void cli_print_bench(const json_t *json); /* cli_print_bench.c */
void cli_print_explain(const json_t *json);
void cli_print_solve(const json_t *json);
void cli_print_compare(const json_t *json);
/* Writes it to --out as JSON, CSV or Markdown (--format, else by the name). 0 or an exit code. */
int cli_write_compare(const struct cli_options *o, const struct pare_state *state, const json_t *json);
void cli_print_front(const json_t *json);
/* "94.30", "~0.31" when predicted, "-" when unknown. */
const char *cli_figure(char buf[32], const struct pare_figure *f, double factor, int digits);
void cli_print_summary(const struct pare_state *s);

#endif
