/*
 * front.h: inside command/: the front. It owns the session and the queue, and knows the pipeline only through
 * the description that a job gave. Everything shown is made from rows.
 *
 *   calibration.c the calibration from its parts
 *   sense.c     the sensitivity table and its early stop
 *   rows.c      which rows there are, which jobs would make the missing ones, what they add up to
 *   flow.c      verbs: what they need next, until they are done
 *   figures.c   what rows of samples say of the metric: value, drop, intervals
 *   choices.c   pins and ties: what they mean, and whether they contradict each other
 *   quantize.c  how layers are quantized, as a choice
 *   linear.c    extra linear rows: how they are said (linear_use.c: where they are used)
 *   keep.c      what --keep, --keep-first and --keep-suspected hold, and the sets that pins name
 *   choose.c    the solver's problem from rows: costs, pins, budgets
 *   fit.c       the monotone fit from loss to drop
 *   price.c     what a verb would cost, how long the queue takes
 *   state.c     struct pare_state for the screen
 *   marks.c     front, ghost and ties in any two figures
 *   lines.c     commands as text (line_choice.c: choices; hints.c: beside the prompt)
 *   follow.c    a second process on the same session; verbs that were left unfinished
 *   trust.c     Lua files that others could have written
 *   front.c     opening, jobs coming back, closing
 */
#ifndef PARE_COMMAND_FRONT_H
#define PARE_COMMAND_FRONT_H

#include "base/arena.h"
#include "base/json.h"
#include "job/link.h"
#include "measure/target.h"
#include "job/sched.h"
#include "measure/figures.h"
#include "measure/own_error.h"
#include "pare.h"
#include "quant/range.h"
#include "search/problem.h"
#include "session/session.h"

#define FRONT_CHUNK 25        /* samples of one sensitivity job */
#define FRONT_EVAL_CHUNK 100  /* samples of one accuracy job */
#define FRONT_MIXED 32        /* measured mixed configs behind the fit */
#define FRONT_MIXED_SAMPLES 500
#define FRONT_MAX_ROUNDS 6    /* solve, measure, tighten */

struct front_layer {
    const char *name, *short_name, *kind, *shape, *tensor; /* tensor: behind it and the activations fused to it */
    const char *label, *short_label;                       /* as lists show it (label.h), with and without its stage */
    int tensor_index;
    int stage;
    int64_t macs, weights;
    double bytes[33];         /* by weight bits, 0 = w16a16; NaN where there is no such level */
    unsigned simulated;       /* bit W: no kernel takes its weights of W bits (powers of two) */
    bool first, last;
    double elements;          /* of its input */
    struct pk_conv conv;      /* of its kernel call */
    double batch;
    int n_from;
    int *from;                /* layers that it reads */
    int keep;                 /* narrowest level index allowed by the first/last rule and what is kept */
    bool held;                /* somebody asked for it (options, pipeline.lua): shown as a pin */
    int pin_lo, pin_hi;       /* level indices, -1 = free */
    int tie;                  /* the first layer of those that take one level with it; itself */
    bool tied;                /* there are others */
};

struct front_stage {
    const char *name, *file;
    int first_layer, n_layers;
    double other_bytes, calls;
    double other_ms[PARE_MAX_LEVELS], total_ms[PARE_MAX_LEVELS]; /* per call, by level */
};

/* Sums over the samples seen, of one layer at one level. */
struct front_cell {
    int samples, lost, won;
    bool stopped;             /* the first chunks have told enough */
    double loss, loss_squares;/* sums */
    int own_n;
    double own[PARE_OWN_FIELDS]; /* sums over own_n */
    double most, scale, sigma;
    int zero;
    double ms, ms_p10, ms_p90;
    const char *kernel;
    int out_bytes;            /* that it writes for an element, to all consumers; 0 = not known */
    const char *problem;      /* of the layer, in words; NULL */
    struct pare_metric_set *set;  /* metrics other than top1: what the drop is computed from */
    struct pare_figures figures;  /* of the first figured_samples samples */
    int figured_samples;
};

/* Accuracy of a config on a split, summed over chunks. */
struct front_eval {
    int samples, labelled, right, reference_right, lost, won, agree, none, reference_none;
    double loss;
    int chunks;
    struct pare_figures figures; /* NaN where they are not known yet */
};

/* A measured configuration in the monotone fit from loss to drop. */
struct front_fitted {
    double loss, drop, fitted, weight; /* summed loss, measured drop, the fit there, samples */
};

struct front_point {
    int64_t id, run_id;
    int run, number;
    unsigned char *levels;    /* [n_layers] */
    json_t *config, *facts;
    struct front_eval search, test;
    double latency[6];        /* min median p10 p90 p99 n; NaN = not measured */
    double fp32_ms;           /* measured beside it, interleaved */
    double loss_sum, drop_predicted, latency_predicted;
    double from_exact;        /* ms above the exact front, by the costs of exact_at; exact_asked: a solve is on its way */
    uint64_t exact_at, exact_asked;
    uint64_t *right;          /* bits of the search split, one for each labelled sample; the first n_right are known */
    int n_right;
    char (*keys)[40];         /* of its rows: search chunks, test chunks, latency; made when first needed */
};

struct front_run {
    int64_t id;
    char *name, *method;
    json_t *settings, *status;
};

struct front_flow;            /* flow.c */
struct front_pricing;         /* price.c */

#define FRONT_RATES 5
struct front_rate {
    double seconds, units;    /* of finished jobs of one kind */
};

struct pare_front {
    struct pare_front_options options;
    char *path, *models, *session_text, *real_path, *exe;
    uv_loop_t *loop;
    struct pare_sched *sched;
    struct pare_session *session;
    bool follower, closing;
    char cpu[128], isa[32];
    char table[40];           /* hash of this machine's own table of latencies, which chooses its kernels; "" */

    struct pare_arena arena;  /* of the description */
    json_t *description;
    char content[40];
    bool described, failed;
    struct pare_error failure;
    int n_levels, int8_level;
    struct pare_level levels[PARE_MAX_LEVELS];
    char level_names[PARE_MAX_LEVELS][16], level_alias[PARE_MAX_LEVELS][16];
    int n_stages, n_layers;
    struct front_stage *stages;
    struct front_layer *layers;
    struct front_cell *cells; /* [n_layers * n_levels] */
    enum pare_metric_kind metric;
    json_t *known_figures;    /* by the rows they were computed from */
    int split_samples[4];     /* calibration, search, test, all */
    int sense_samples, eval_samples;
    bool *sense_chunk;        /* [n_levels * chunks] integrated */
    bool sense_decided[PARE_MAX_LEVELS]; /* the first chunks are there: which cells go on is known */
    double sense_effect[PARE_MAX_LEVELS]; /* what the cells that go on lose together, by the first chunks */
    int n_chunks;
    char calibration_key[40];
    json_t *calibration;      /* the row */
    json_t *perturbation;     /* the row, once it was asked for */
    bool profiled;
    struct pare_target *target; /* NULL = host */
    double glue_ms;
    double pace;              /* layers' times in the measured pipeline over those of the profile; 1 = not measured */
    double border_ms;         /* per element that crosses between levels of different form */

    int n_points, cap_points;
    struct front_point *points;
    bool probe_done[PARE_MAX_LEVELS + FRONT_MIXED];
    int n_runs, cap_runs;
    int imported;             /* 1 + the run of the last import; 0 = none */
    struct front_run *runs;
    int n_fit;                /* measured configurations, sorted by loss */
    struct front_fitted *fit; /* malloc'ed */

    json_t *pins, *ties;      /* choices.c: as they were said */
    int n_unmet;              /* choices of the session that cannot hold now, and why; tried again when it is opened */
    char unmet[8][240];
    struct pare_proxy proxies[PARE_PROXIES]; /* the last answer of pare_front_proxies, and a checksum of what it is of */
    int n_proxies;
    uint64_t proxies_of;
    uint64_t costs;           /* grows when what a solver would read changes: cells, latencies, pins, ties */
    char *quantize_said;      /* quantize.c: the rules that were chosen; in force is options.quantize */
    const char *quantize_given; /* --quantize */
    int quantize_skip, quantize_seen; /* choices of earlier processes that --quantize leaves out; met while replaying */
    bool redescribing;        /* sizes by the new method are not there yet: no verb goes on */
    json_t *rows;             /* linear.c: the same */
    double max_drop, max_latency_ms, max_bytes, max_bitops, max_energy_uj;
    enum pare_figure_id minimize;
    int n_log;
    char *log[500];
    int64_t logged;           /* lines ever; of the holder's log, while we follow: lines taken over */
    char message[512];
    bool message_is_error;
    char solver[800];
    json_t *absent;           /* keys that the session was asked for in vain: only we write it */
    uint64_t failures_after;  /* jobs up to this one may be tried again by the flow that is asking */
    json_t *recent;           /* rows of this process that are not to be read again from the session (fresh) */

    uint64_t last_flow, resolve; /* resolve: the solve that the last pin started */
    struct front_flow *flows; /* newest first */
    struct pare_link_server *server;
    struct pare_link_client *client;
    uv_timer_t *follow_timer;
    struct pare_script *script; /* under way, or ended and closing */
    bool script_ended;
    enum pare_status script_status;
    struct pare_error script_error;
    uv_timer_t *script_timer;
    json_t *remote;           /* what the holder does, as it last said */
    bool watching, told;      /* asked for news, sent a command; not answered yet */
    int asked_why;            /* 1 + the cell whose explanation the holder was asked for last; 0 = none */
    char why_refused[200];    /* why it gives none; "" = it is under way there */
    int64_t watched;          /* lines of the holder's log that we have */
    int64_t data_version, last_row;
    uint64_t actions;         /* checksum of the actions seen */
    char *pending;            /* verbs under way as the session knows them */
    json_t *unfinished;       /* of an earlier process */
    char since[256];
    uint64_t version;
    bool replaying;           /* choices of the session are made again: nobody needs to hear of it */
    bool looking;             /* rows are only looked up: nothing is queued */
    struct front_pricing *pricing; /* while looking: what is missing is counted */
    struct front_rate rates[FRONT_RATES];
    double part_seconds;      /* of the calibration's parts that are not in the session */
    bool dirty, advance_wanted, can_undo, can_redo;
    double idle_since;
    struct pare_state state;
    struct pare_arena state_arena, spare_arena;
};

/* ---- front.c ---- */
void front_changed(struct pare_front *f);
void front_log(struct pare_front *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *front_state_text(struct pare_front *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void front_say(struct pare_front *f, bool is_error, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum pare_status front_describe(struct pare_front *f, struct pare_error *err);
/* description.c: takes a worker's description, then loads what the session has. false = no memory, or f->failure. */
bool front_take_description(struct pare_front *f, const json_t *result);
void front_take_method(struct front_layer *l, const json_t *layer);
/* points.c */
void front_take_run(struct pare_front *f, int64_t id, const char *name, const char *method, const json_t *settings,
                    const json_t *status);
void front_take_point(struct pare_front *f, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts);

/* ---- follow.c ---- */
void front_follow_start(struct pare_front *f);
void front_follow_stop(struct pare_front *f);
/* Takes what another process has committed. */
void front_reload(struct pare_front *f);
enum pare_status front_tell_holder(struct pare_front *f, const char *line, int point, struct pare_error *err);
/* Has the holder explain a layer at a level: its row comes as all rows do. false: it cannot be asked. */
bool front_ask_why(struct pare_front *f, const char *layer, const char *level);
/* flow_explain.c: the holder's answer to that; a new reference. */
json_t *front_explain_for_follower(struct pare_front *f, const json_t *asked);
void front_keep_pending(struct pare_front *f);
void front_find_unfinished(struct pare_front *f);
void front_drop_unfinished(struct pare_front *f, const char *verb);
/* Verbs left unfinished by an earlier process, else the newest that failed. */
enum pare_status front_resume(struct pare_front *f, struct pare_error *err);

/* ---- rows.c ---- */
struct front_job {
    const char *kind;
    const char *title;
    json_t *params;           /* what the result depends on, beside the content; taken */
    bool needs_calibration, quiet, interactive;
    int priority;
    double limit_seconds, total;
    const json_t *rows;       /* keys of rows that it needs beside */
};
/* The key of such a job into key[40]. */
void front_job_key(const struct pare_front *f, const char *kind, const json_t *params, char key[40]);
/* The finished row (borrowed) or NULL after queueing the job; *failed when it has failed in this process. */
const json_t *front_row(struct pare_front *f, struct front_job *job_take, bool *failed, struct pare_error *err);
const json_t *front_find_row(struct pare_front *f, const char *key);
/* value added on a grid of 1/grid: the sum is the same in any order. What is not finite adds nothing. */
double front_add_on_grid(double sum, double value, double grid);
/* A row that there is already, NULL otherwise: nothing is queued. */
const json_t *front_known_row(struct pare_front *f, const char *kind, json_t *params_take);
bool front_ensure_profile(struct pare_front *f, bool *failed, struct pare_error *err);
/* ||Q(w) - w||^2 of every layer at every candidate level, into f->perturbation. */
bool front_ensure_perturbation(struct pare_front *f, bool *failed, struct pare_error *err);
/* Accuracy of a config; samples 0 = f->eval_samples. true when complete; eval holds what is there so far. */
bool front_ensure_eval(struct pare_front *f, json_t *config, const char *split, int samples, int priority,
                       const char *title, struct front_eval *eval, bool *failed, struct pare_error *err);
/* The row of measure/in_place.h for a config, NULL while it is not there. */
const json_t *front_ensure_stopwatch(struct pare_front *f, json_t *config, int threads, bool *failed, struct pare_error *err);
/* The row of measure/latency.h of fp32 and this config; NULL: not there yet. Not for targets and simulated levels. */
const json_t *front_ensure_latency_row(struct pare_front *f, json_t *config, int priority, bool *failed, struct pare_error *err);
bool front_ensure_latency(struct pare_front *f, json_t *config, int priority, double latency[6], double *fp32_ms,
                          bool *failed, struct pare_error *err);
/* Takes what earlier sessions know, without queueing anything. */
void front_load_rows(struct pare_front *f);
void front_load_point(struct pare_front *f, struct front_point *p);
/* Sums an accuracy row into eval. */
void front_add_eval(struct front_eval *eval, const json_t *row);

/* ---- sense.c ---- */
bool front_ensure_sense(struct pare_front *f, int samples, bool *failed, struct pare_error *err);
/* While f->pricing: counts the whole table under the rules in force, whatever is in memory; true when part of it is there. */
bool front_price_sense(struct pare_front *f);
/* Takes what is there already. */
void front_load_sense(struct pare_front *f);
/* Is the cell all measured, or stopped early? */
bool front_cell_done(const struct pare_front *f, const struct front_cell *c);
/* The mean of one of a cell's own errors, NaN while there is none; RMSE of those that are mean squares. */
double front_own(const struct front_cell *c, enum pare_own_field field);
double front_own_rmse(const struct front_cell *c, enum pare_own_field field);

/* ---- flow_json.c ---- */
/* The next wider level that has a time here, where the layer takes longer than there (measure/slower.h); else -1. */
int front_slower_than(const struct pare_front *f, int layer, int level);

/* ---- calibration.c ---- */
bool front_ensure_calibration(struct pare_front *f, bool *failed, struct pare_error *err);
/* Parameters of the calibration (a new reference); sets its key. seen, bins: new lists of the keys of its parts, empty when
 * it has none. */
json_t *front_calibration_params(struct pare_front *f, json_t **seen, json_t **bins);
/* Is the job a part of the calibration? Its row is for this process only. */
bool front_is_part(const char *kind, const json_t *params);

/* ---- target.c: latencies of another machine, from its table ---- */
/* After the host's profile: the target's times take the place of the host's, what is no layer in proportion. */
void front_target_apply(struct pare_front *f);
/* The description with the target's time of every layer at every level; a new reference. */
json_t *front_target_describe(const struct pare_front *f);

/* ---- price.c ---- */
void front_rates_load(struct pare_front *f);
void front_rate_add(struct pare_front *f, const char *kind, const json_t *params, double seconds);
/* What `need` asks of the rows and does not find; *there is what it returns. */
double front_price_with(struct pare_front *f, bool (*need)(struct pare_front *f), bool *there, char *text, size_t size);
/* A row that is not there, while f->pricing. */
void front_price_row(struct pare_front *f, const char *key, const struct front_job *job);
/* Seconds until the queue is empty, and what the verbs under way will queue then; NaN when it holds nothing. */
double front_seconds_left(struct pare_front *f);

/* ---- figures.c ---- */
/* The figures of eval from its rows, whose keys are given in order (only those that are there). `complete`: no more are
 * to come. What is too heavy for the front becomes a job; false until it is done. */
bool front_eval_figures(struct pare_front *f, const json_t *keys, bool complete, int priority, struct front_eval *eval,
                        bool *failed, struct pare_error *err);
/* Figures of the metrics beside the pipeline's own: {name: {"metric", "value", ...}}; NULL when there are none. */
json_t *front_extra_figures(struct pare_front *f, const json_t *keys);
/* Takes the items of one chunk of a cell; and what they say. */
void front_cell_take(struct pare_front *f, struct front_cell *cell, const json_t *row, const json_t *item);
const struct pare_figures *front_cell_figures(struct pare_front *f, struct front_cell *cell);
/* Keys of the accuracy rows of a config that are there (all = all of them). New reference. */
json_t *front_eval_keys(struct pare_front *f, json_t *config, const char *split, int samples);

/* ---- choices.c ---- */
/* Holds the layers that glob matches within levels lo..hi; lo -1 frees them. dry: only says whether it can be. ERR_USAGE
 * when it matches none, or contradicts another pin or a tie: both are named, with the layer, what was expected and found. */
enum pare_status front_pin(struct pare_front *f, const char *glob, int lo, int hi, bool dry, int *matched, struct pare_error *err);
/* "auto" (both of the next two), "shared-inputs", "residual", or PATTERN+PATTERN...: what they match takes one level.
 * *tied: layers (pairs of them for a word). Errors as front_pin. */
enum pare_status front_tie(struct pare_front *f, const char *text, bool dry, int *tied, struct pare_error *err);
/* Does a pattern of a pin match this layer? */
bool front_pattern_hit(const struct pare_front *f, const char *glob, int layer);
/* Ends the tie that was said so; "all" of them. */
enum pare_status front_untie(struct pare_front *f, const char *text, bool dry, struct pare_error *err);
/* Is there a pin on what is measured (suspected:X)? Works such pins out again, from the table as it is now. */
bool front_choices_measured(const struct pare_front *f);
void front_choices_again(struct pare_front *f);
/* What of the i-th pin does not hold now, in words into text: it waits for the table, holds nothing, gives way; NULL: it holds. */
const char *front_choice_waits(const struct pare_front *f, int i, char text[240]);
/* No pins, and the ties and rows of pipeline.lua: the state before the session's actions. Errors are those of these. */
enum pare_status front_choices_clear(struct pare_front *f, struct pare_error *err);
/* The levels that a layer may have: its pins, else the first/last rule, and those of its ties. */
void front_range(const struct pare_front *f, int layer, bool use_pins, int *lo, int *hi);

/* ---- quantize.c ---- */
/* RULES (of --quantize), "+RULES" beside those that hold, "none". dry: only says whether it can be; else it is said, and
 * front_quantize_settle makes it hold. Errors as --quantize, and a pattern that matches nothing. */
enum pare_status front_quantize(struct pare_front *f, const char *text, bool dry, struct pare_error *err);
/* What a table by these rules would cost (as front_quantize takes them), in words too; NAN: they hold, or are no rules. */
double front_price_rules(struct pare_front *f, const char *rules, char *text, size_t size);
/* Before choices are made again: as --quantize says. */
void front_quantize_reset(struct pare_front *f);
/* Is this action a choice of rules that --quantize leaves out? Counts them. */
bool front_quantize_skips(struct pare_front *f, const char *line);
/* What was said holds from now on; when it is another method, figures are forgotten and looked up again. */
void front_quantize_settle(struct pare_front *f);
/* When the session is open: what the process begins with. */
void front_quantize_open(struct pare_front *f);
/* The pipeline does not open with the session's rules: true when it is worth trying without. */
bool front_quantize_fall_back(struct pare_front *f, const struct pare_error *err);
/* A later description: sizes by the new method. */
bool front_quantize_described(struct pare_front *f, const json_t *params, const json_t *result, struct pare_error *err);
void front_quantize_reload(struct pare_front *f);
int front_quantize_complete(struct pare_front *f, const char *line, const char **words, int max);

/* ---- keep.c ---- */
/* Is the layer's RMSE/scale at this level above --keep-suspected? Then it may not have the level. */
bool front_suspected(const struct pare_front *f, int layer, int level);
/* The same for a solver: a layer's own pin says more than the suspicion. */
bool front_kept_out(const struct pare_front *f, int layer, int level, bool use_pins);
/* Sets that a pin may name instead of a pattern: inputs, outputs, first:N (layers of the pipeline), suspected:X (RMSE/scale
 * above X at int8, by the sensitivity table as it is). */
bool front_set_hit(const struct pare_front *f, const char *pattern, int layer);
/* Is it suspected:X? Is the table there that says which layers it means (int8 of every layer)? */
bool front_set_measured(const char *pattern);
bool front_set_known(const struct pare_front *f);
/* Who keeps the layer from this level: "pin", "tie", "keep", "first layer", "last layer" or "suspected"; NULL where it may take it.
 * range: the levels that it may take, "fp32..int8". */
const char *front_kept(const struct pare_front *f, int layer, int level, char range[40]);
/* Index of a level by name; int8's where it is NULL or no candidate. */
int front_keep_index(const struct pare_front *f, const char *text);
/* Fills keep and held of a layer; of_pipeline: pipeline.lua's `keep`, or NULL. */
void front_keep_layer(const struct pare_front *f, int layer, const char *of_pipeline);
/* Adds the levels that are kept to the candidates; takes the ends of "W8A8I32O32" among --levels as --keep. */
enum pare_status front_keep_levels(struct pare_front *f, struct pare_level *levels, int max, int *n, struct pare_error *err);

/* ---- choose.c ---- */
json_t *front_config_json(const struct pare_front *f, const unsigned char *levels);
/* Does no kernel run the layer so: a level like w16a16, or weights that are powers of two (--quantize)? */
bool front_layer_simulated(const struct front_layer *l, struct pare_level level);
/* Is a layer of this config simulated? Then there is no latency. */
bool front_config_simulated(const struct pare_front *f, const json_t *config);
bool front_simulated(const struct pare_front *f, const unsigned char *levels);
bool front_config_levels(const struct pare_front *f, const json_t *config, unsigned char *levels, struct pare_error *err);
void front_uniform(const struct pare_front *f, int level, unsigned char *levels); /* keeps first/last rule, no pins */
double front_loss_sum(const struct pare_front *f, const unsigned char *levels);    /* NaN where a cell is missing */
/* Mean loss per sample of a cell; 0 at fp32; NaN when not measured. */
double front_cell_loss(const struct pare_front *f, int layer, int level);
double front_latency_sum(const struct pare_front *f, const unsigned char *levels);
double front_border_ms(const struct pare_front *f, int layer); /* of what a layer reads, when its form differs from the writer's */
int front_form(const struct pare_front *f, int level);
double front_bytes(const struct pare_front *f, const unsigned char *levels);
double front_bitops(const struct pare_front *f, const unsigned char *levels);
double front_energy(const struct pare_front *f, const unsigned char *levels); /* uJ per sample, measure/energy.h */
/* What a layer costs at a level, as the problem counts it; NaN where it is not measured or there is no such level. */
double front_layer_cost(const struct pare_front *f, int layer, int level, enum pare_figure_id figure);
/* The level of a layer whose whole model is given this one: its own pins and rules hold beside it. */
int front_model_level(const struct pare_front *f, int layer, int level, bool use_pins);
struct front_budget {
    enum pare_figure_id minimize;
    double max_drop, max_latency, max_bytes, max_bitops, max_energy, max_loss; /* NaN = none */
    bool per_model, use_pins;
    bool sure; /* the drop's 95 % upper bound has to be within max_drop, not the drop itself */
    bool no_loss;             /* the solver measures what a configuration loses: the table of losses is not needed */
    const json_t *rows;       /* extra rows beside the session's (borrowed), NULL = none */
    bool no_rows;             /* none at all */
    bool untied;              /* a group for every layer, for who changes costs of single layers: front_problem_tie ends it */
};
enum pare_status front_problem(struct pare_front *f, const struct front_budget *budget, struct pare_problem **p,
                               struct pare_error *err);
/* Tied layers become one group. */
enum pare_status front_problem_tie(const struct pare_front *f, const struct front_budget *budget, struct pare_problem **p,
                                   struct pare_error *err);
/* Levels from an answer's config (groups are layers, or stages with per_model). */
void front_answer_levels(const struct pare_front *f, const json_t *answer, bool per_model, unsigned char *levels);

/* ---- fit.c ---- */
double front_drop_of_loss(const struct pare_front *f, double loss);
double front_loss_of_drop(const struct pare_front *f, double drop);
/* Standard deviation of measured drops around the fit, of the eight configurations whose losses are nearest; NaN when
 * there are fewer. */
double front_spread_of_loss(const struct pare_front *f, double loss);
void front_fit(struct pare_front *f);
/* The i-th mixed config behind the fit (deterministic). */
void front_mixed(const struct pare_front *f, int i, unsigned char *levels);

/* ---- flow.c ---- */
void front_advance(struct pare_front *f);
void front_flows_free(struct pare_front *f);
int front_add_run(struct pare_front *f, const char *name, const char *method, json_t *settings, struct pare_error *err);
int front_add_point(struct pare_front *f, int run, const unsigned char *levels, json_t *facts, struct pare_error *err);
int front_find_point(const struct pare_front *f, const char *run_and_point);
/* Of a point of the run "uniform": the level it has everywhere; -1 = it is none. Points come in the order in which they are
 * measured, so their numbers say nothing. */
int front_uniform_level(const struct pare_front *f, const struct front_point *p);
bool front_busy(const struct pare_front *f); /* some verb has not ended */
/* Ends a flow without cancelling jobs that others may want; its own queued solve is cancelled. */
void front_drop_flow(struct pare_front *f, uint64_t id);
/* The newest verb that failed, once more. */
enum pare_status front_retry(struct pare_front *f, struct pare_error *err);
/* Are the configs behind the fit all measured (in this session or before)? Takes them as points. */
bool front_probes_known(struct pare_front *f);

/* ---- state.c ---- */
void front_build_state(struct pare_front *f);
/* ---- run_script.c: a script on this front ---- */
enum pare_status front_run_script(struct pare_front *f, const char *path, int n_args, char *const *args, struct pare_error *err);
void front_script_stop(struct pare_front *f);
void front_script_free(struct pare_front *f);

/* ---- import.c ---- */
/* Takes a file of configurations that another tool found as points of a run of method "imported". The same path with the same
 * bytes is the run that is there; other bytes are a new run NAME.v2; another path with the same name is NAME-2. STAGE=FILE:
 * its names are those of one stage's layers and tensors. Errors name the file and the place in it. */
enum pare_status front_import(struct pare_front *f, const char *path, struct pare_error *err);

/* ---- lines.c ---- */
void front_apply_actions(struct pare_front *f);
/* Solves once more when nothing has to be measured for it. */
void front_solve_again(struct pare_front *f);

#endif
