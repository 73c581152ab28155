/*
 * pare.h: what ui/ and lua/ may call. The front (session, queue of jobs, choices) is one object; the screen
 * and scripts read its state and send it commands as text lines (commands.inc).
 *
 * struct pare_state is a read-only picture made from session rows. It changes only inside
 * pare_front_* calls and the loop's callbacks (one thread); `version` grows with every change, so a screen
 * that has drawn version v has nothing to do while state->version == v.
 *
 * Fractions: accuracy and drop are 0..1 (shown as percent points). Unknown numbers are NaN.
 */
#ifndef PARE_PARE_H
#define PARE_PARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "quant/level.h"

enum pare_cell_state { PARE_CELL_NONE, PARE_CELL_QUEUED, PARE_CELL_RUNNING, PARE_CELL_DONE, PARE_CELL_FAILED };

/* One layer at one level. */
struct pare_cell {
    enum pare_cell_state state;      /* of the sensitivity figures */
    double rmse, rmse_over_scale, rmse_over_sigma, sqnr_db, clipped; /* own error of the layer's output; clipped 0..1 */
    double cosine, max_error;        /* own error: of the two outputs; the largest of all samples */
    double weight_rmse, activation_rmse; /* weights lowered alone, activations alone; NaN where that level has none */
    double step_rmse;                /* with a float input, quantized here: own error and the input's together */
    double accumulated_rmse;         /* with every layer of its stage at the level */
    double loss;                     /* mean smooth loss per sample at the final decision */
    double drop, drop_low, drop_high;/* of the pipeline's metric, with 95 % interval */
    int samples;
    bool suspected;                  /* rmse_over_scale > 0.7 */
    double ms, ms_p10, ms_p90;       /* latency of one call, in place; NaN = not measured */
    bool slower;                     /* than the next wider level, by more than the spread: pare_front_explain_cell says why */
    double bytes;
};

struct pare_layer {
    const char *name;                /* "detector/pw3" */
    const char *short_name;          /* "pw3": for lists; of a long path the part that tells it apart */
    const char *label;               /* the same behind its stage; NULL = name */
    const char *kind;                /* "conv" "dw" "fc" "tconv" */
    const char *shape;               /* "3x3/2 3>16": kernel, stride, in>out channels */
    int stage;
    int64_t macs, weights;
    bool first, last;                /* in the sets inputs / outputs: at least int8 by default */
    int pin_lo, pin_hi;              /* level indices: held at one (lo == hi) or within widest..narrowest; -1 = free */
    int tie;                         /* the first layer of those that take one level with it; -1 = none do */
    const struct pare_cell *cells;   /* [n_levels] */
};

struct pare_stage_state {
    const char *name, *file;
    int n_layers, first_layer;
    int64_t macs, weights;
    double ms_fp32;                  /* NaN = not measured */
    double calls_per_sample;
};

enum pare_figure_kind { PARE_FIGURE_NONE, PARE_FIGURE_PREDICTED, PARE_FIGURE_MEASURED, PARE_FIGURE_SIMULATED };

struct pare_figure {
    enum pare_figure_kind kind;
    double value, low, high;         /* 95 % interval or p10..p90; NaN when unknown */
};

struct pare_point {
    int run;                         /* index into runs */
    int number;                      /* 1-based within its run */
    const unsigned char *levels;     /* [n_layers] level index (into state->levels) */
    struct pare_figure accuracy, drop, latency, bytes, bitops; /* the best known kind */
    struct pare_figure energy;       /* uJ per sample, always predicted (measure/energy.h) */
    struct pare_figure drop_predicted, latency_predicted; /* what was said before it was measured */
    struct pare_figure loss;         /* the layers' smooth losses, added: what solvers make small; predicted */
    double latency_sum;              /* ms: the layers' times as they are known now, added; NaN */
    double from_exact;               /* ms of that above the exact front at the same loss; NaN until pare_front_distances */
    double p99_ms;
    struct pare_figure test_accuracy, test_drop;
    bool front, ghost, tied;         /* marks in drop and latency, see pare_state_marks */
    bool old;                        /* was there before the last solve */
    const uint64_t *right;           /* bit i: right on the i-th labelled sample of the search split; for paired comparison */
    int n_right;                     /* how many of them are known, from the first on; 0 also when the metric is not top1 */
    bool over_budget;
    const char *label;               /* "int8", "solve drop<=1.0" */
    int samples;
};

struct pare_run {
    const char *name, *method, *budget, *pins; /* texts */
    const char *status;              /* "optimal", "infeasible", "running", "failed", ... */
    double seconds, gap;
    int evaluations, n_points, first_point;
    const char *quantize;            /* the rules it was found by; NULL = the pipeline's own */
    char glyph;                      /* 'a', 'b', ... */
};

enum pare_job_state { PARE_JOB_QUEUED, PARE_JOB_RUNNING, PARE_JOB_DONE, PARE_JOB_FAILED, PARE_JOB_CANCELLED };
struct pare_job_row {
    uint64_t id;
    const char *kind, *title;        /* "sense", "detector at w4a8, 200 samples" */
    enum pare_job_state state;
    double done, total;              /* units of progress */
    double seconds, left_seconds;    /* elapsed, estimate (NaN) */
    int worker;                      /* -1 = none */
    const char *error;               /* "" or why it failed */
};

struct pare_state {
    uint64_t version;
    const char *name;                /* pipeline */
    const char *path;
    bool bare;                       /* no data: everything but accuracy */
    bool loading;                    /* the description is not there yet */
    const char *failed;              /* why opening failed, or NULL */
    const char *target;              /* "host, 1 thread" */
    const char *cpu;                 /* "AVX-512 VNNI" */
    const char *split;               /* "search" */
    int n_samples;
    struct pare_figure fp32_accuracy, fp32_latency;
    double fp32_bytes;

    int n_levels;
    const struct pare_level *levels; /* [n_levels], widest first; index 0 is fp32 */
    const char *const *level_names;  /* aliases: "int8", "w4a8" */

    int n_stages, n_layers, n_points, n_runs, n_jobs, n_log;
    const struct pare_stage_state *stages;
    const struct pare_layer *layers;
    const struct pare_point *points;
    const struct pare_run *runs;
    const struct pare_job_row *jobs; /* newest first */
    const char *const *log;          /* oldest first */

    double max_drop, max_latency_ms, max_bytes, max_bitops, max_energy_uj; /* NaN = none */
    const char *minimize;            /* "latency" */
    const char *solver;              /* "exact: optimal, gap 0, re-solved in 8 ms" */
    const char *message;             /* last answer to a command, "" */
    bool message_is_error;
    int n_workers, n_quiet;          /* workers alive; timing jobs running alone */
    double progress_done, progress_total; /* of all queued work; total 0 = idle */
    double left_seconds;
    const char *progress_title;      /* "sense" */
    bool follower;                   /* another process holds the session; we follow it */
    const char *since;               /* what happened while away, or NULL */
    const char *quantize;            /* the rules that the figures are of (quant/method.h), NULL = the pipeline's own */
    bool redescribing;               /* sizes by these rules are not there yet */
    int n_pins, n_ties;
    const char *const *ties;         /* as they were said: "auto", "conv1+conv2" */
    int n_waiting;
    const char *const *waiting;      /* pins that hold nothing yet, or not everywhere, and choices that cannot hold now; why */
    int n_rows;                      /* extra rows of the session and of pipeline.lua */
    const char *const *row_names, *const *row_words; /* "few int4": "layers at int4 <= 3" */
    const char *const *row_json;     /* as `row` takes them */
    bool can_undo, can_redo;
};

enum pare_point_figure {
    PARE_POINT_ACCURACY,
    PARE_POINT_DROP,
    PARE_POINT_LATENCY,
    PARE_POINT_BYTES,
    PARE_POINT_BITOPS,
    PARE_POINT_ENERGY,
    PARE_POINT_LOSS,
    PARE_POINT_DROP_PREDICTED,
    PARE_POINT_LATENCY_PREDICTED
};
const struct pare_figure *pare_point_figure(const struct pare_point *p, enum pare_point_figure figure);
/*
 * What stands out in two figures, marks[n_points]; false when memory is out.
 * (A figure that is a prediction by nature has no marks: it is there to be held against what was measured.)
 *   FRONT  no other point of the same kinds (measured, predicted) is as good in both and better in one
 *   GHOST  was on the front of the points before the last solve and is beaten now
 *   TIED   measured and beaten, but only by points whose lead cannot be told from chance: the paired difference on the
 *          same samples has 0 within its 95 % interval (metrics beside top1: the intervals hold each other's values), the
 *          latencies lie within each other's p10..p90. Bytes and BitOps are exact.
 */
enum { PARE_MARK_FRONT = 1, PARE_MARK_GHOST = 2, PARE_MARK_TIED = 4 };
bool pare_state_marks(const struct pare_state *s, enum pare_point_figure x, enum pare_point_figure y, unsigned char *marks);
/* The corner that hypervolumes of drop and latency count up to: fp32's latency, and the budget of drop (none: all is lost). */
void pare_state_reference(const struct pare_state *s, double *ms, double *drop);
/* What a run's points dominate of that corner, as a share of it (Zitzler and Thiele, 1998). NaN when it is not known. */
double pare_state_hypervolume(const struct pare_state *s, int run);
/* Is the paired difference of two points' right answers within chance, on the samples that both know? Other metrics than
 * top1: do the intervals of their drops hold each other's values? 1 yes, 0 no, -1: one of them was not measured. */
int pare_state_tied(const struct pare_state *s, int a, int b);

struct pare_front; /* opaque */
struct uv_loop_s;

struct pare_front_options {
    const char *path;        /* pipeline folder, pipeline.lua, or a bare model */
    const char *models_dir;  /* --models; NULL */
    const char *session;     /* --session; NULL = the pipeline's own place */
    const char *exe;         /* this executable, spawned as `exe worker` */
    int n_workers;           /* 0 = one per core */
    bool follow;             /* a held session is followed instead of refused */
    bool take_over;          /* a follower becomes the holder when that one goes */
    bool fresh;              /* results of earlier sessions are not used */
    bool no_pins;            /* pins of the session are ignored */
    bool temporary;          /* nothing is kept: a session in memory (info, tests) */
    const char *levels;      /* candidate levels, NULL = "default" */
    const char *target;      /* whose latencies count (measure/target.h); NULL = this host */
    const char *keep_first, *keep_last; /* widest level that first/last layers must have at least; NULL = int8 */
    int keep_first_n;        /* the first N layers of the pipeline stay fp32 */
    double keep_suspected;   /* layers whose RMSE/scale is above this at the level of an evaluation stay fp32; 0 = none */
    const char *quantize;    /* how layers are quantized (quant/method.h); NULL = the pipeline's own */
    const char *baseline;    /* "int8": sensitivity beside all layers at int8; NULL = fp32 */
    int samples;             /* of the search split that sensitivity looks at; 0 = 200 */
    int eval_samples;        /* of a split that a point's accuracy is measured on; 0 = all, at most 2000 */
    void *self;
    void (*changed)(void *self); /* state->version has grown; NULL */
    void (*print)(void *self, const char *line); /* a solver's plugin has said something; it is in the log too; NULL */
    void (*stop)(void *self);    /* another process asks us to save and leave (`pare session stop`); NULL = not served */
};

/* Where a pipeline's session is kept, without --session. */
enum pare_status pare_front_session_path(const char *pipeline, char *path, size_t size, struct pare_error *err);

/* Opens the session and starts describing the pipeline on `loop` (a job; state->loading until it is done). */
enum pare_status pare_front_open(struct uv_loop_s *loop, const struct pare_front_options *options,
                                 struct pare_front **f, struct pare_error *err);
/* Stops workers and commits; the loop must be run once more before pare_front_free. */
void pare_front_close(struct pare_front *f);
void pare_front_free(struct pare_front *f);

/*
 * Verbs: the longer actions, asked as JSON and answered as JSON (the fields of --json, see the man page).
 *   describe {}                                          what `pare info` prints
 *   eval     {"config"|"level"|"run", "split", "samples"}
 *   sense    {"samples"}                                 all candidate levels
 *   bench    {"config"|"level"|"run"}                    per layer and end to end
 *   solve    {"minimize", "max_drop", "max_latency", "max_bytes", "max_bitops", "max_energy" (J), "sure": bool, "per", "name", "measure": bool}
 *   front    {"minimize", ...}                           solve for a row of budgets
 * start returns an id > 0, or 0 with err. A verb ends when result() says so; its JSON is borrowed.
 */
uint64_t pare_front_start(struct pare_front *f, const char *verb, const void *json_args,
                          struct pare_error *err);
/* true when the verb has ended: *json (borrowed json_t *) on PARE_OK, else err is filled and its status returned. */
bool pare_front_result(struct pare_front *f, uint64_t id, const void **json, enum pare_status *status,
                       struct pare_error *err);
/* What a verb would cost from what is not measured yet, nothing being started: seconds (0 = all is known), and in words
 * ("48 jobs, about 0:25 on 2 workers"; "guessed" where nothing of the kind was measured in this session yet). NaN for what measures nothing, or before the pipeline is described. */
double pare_front_price(struct pare_front *f, const char *verb, const void *json_args, char *text, size_t size);
/* The same of a command line; point as for pare_front_command. */
double pare_front_price_line(struct pare_front *f, const char *line, int point, char *text, size_t size);
/* From so many seconds on work is long: it is asked for, or said, before it starts. */
#define PARE_LONG_SECONDS 10.0
/* Ends a verb early (its queued jobs are cancelled when nobody else wants them). */
void pare_front_stop(struct pare_front *f, uint64_t id);
/* The config of a run's point as a JSON object {layer: level} (new reference), NULL when there is none. point 0 = best. */
void *pare_front_config(struct pare_front *f, const char *run, int point);

/* The index (into state->points) of a config {layer: level}: a point that has it, else a new one of the run "given", its
 * figures predicted. -1 with err. */
int pare_front_point_of(struct pare_front *f, const void *json_config, struct pare_error *err);

/* The index (into state->runs) of the run that the last `import` made or found; -1 = none. */
int pare_front_imported(const struct pare_front *f);

/* Works out pare_point.from_exact of these points (indices into state->points) where it is not known for the costs of now: a
 * solve in the background; the state changes when it is there. A follower's stay unknown. */
void pare_front_distances(struct pare_front *f, const int *points, int n);

/* How well a cheap figure ranks the configurations whose drop (latency: whose latency) was measured. */
struct pare_proxy {
    const char *name, *what;         /* static */
    double spearman;                 /* rank correlation, 1 = the same order; NaN = too few points */
    int n;                           /* points */
    bool knows, latency;             /* it was fitted to these points; it is held against the latency */
};
#define PARE_PROXIES 8
/* Fills proxies[PARE_PROXIES], best first (those that know the points, and the latency, last); returns how many. */
int pare_front_proxies(struct pare_front *f, struct pare_proxy *proxies);

/* The current state; pointers inside are valid until the next call that changes it (version differs). */
const struct pare_state *pare_front_state(const struct pare_front *f);

/* Runs one CORE command line ("pin GLOB=int8"). The answer is in state->message too.
 * `point` is the index of the point under the cursor (-1 = none), used by commands whose argument is left out. */
enum pare_status pare_front_command(struct pare_front *f, const char *line, int point,
                                    struct pare_error *err);

/* What pinning `layer` to level lo..hi would change, from cached costs, without doing it: text such as
 * "drop 1.4 -> 0.9, latency 0.94 -> 0.95 ms"; returns false when costs are not there yet. */
bool pare_front_preview(struct pare_front *f, int layer, int level_lo, int level_hi, char *text,
                        size_t size);

/* Completions of a command line's last word, sorted; fills up to max pointers valid until the next call. */
int pare_front_complete(struct pare_front *f, const char *line, const char **words, int max);

/* Where a number comes from: figure of a layer's cell (layer, level) or of a point; multi-line text. */
void pare_front_explain_cell(struct pare_front *f, int layer, int level, char *text, size_t size);
void pare_front_explain_point(struct pare_front *f, int point, char *text, size_t size);

/*
 * Why a layer loses what it loses at a level (measure/explain.h), for a screen: what is known, and when nothing is, the work
 * for it is started in the background (of an earlier call for another cell it is dropped). Never blocks. Not known: NaN.
 */
#define PARE_WHY_BINS 64
#define PARE_WHY_REACHES 128
#define PARE_CURES 16
struct pare_histogram {
    double bins[PARE_WHY_BINS], lo, hi; /* counts; ends of the bins */
    double range_lo, range_hi;       /* of the grid (of weights: the widest channel's); NaN at float levels */
    double clipped, sigma, peak;     /* share beyond the range; largest magnitude */
};
struct pare_channels {
    int n, dead, worst, n_reach;     /* worst: index */
    double spread, worst_share;      /* the largest reach over the median one; of the squared weight error */
    double reach[PARE_WHY_REACHES]; /* largest magnitudes in order; n > n_reach: of groups of neighbours */
};
struct pare_cure {
    const char *rule;                /* of `quantize`; NULL = another level */
    int level;                       /* index, -1 = a rule */
    double step_rmse, gain, loss;    /* gain: of a rule, its step error as a part of the present one */
    double bytes, ms;                /* more than now */
};
struct pare_why {
    enum pare_cell_state state;      /* NONE: text says why nothing comes; QUEUED, RUNNING: what is under way; FAILED: why */
    char text[320];                  /* DONE: the one line */
    double part;                     /* RUNNING: 0..1 */
    int calls;
    struct pare_histogram weights, input, output;
    struct pare_channels channels, input_channels;
    double outside;                  /* share of inputs beyond what calibration saw */
    double own, step, by_weights, by_activations, output_sigma;
    int n_cures;
    struct pare_cure cures[PARE_CURES];
};
void pare_front_why(struct pare_front *f, int layer, int level, struct pare_why *why);

/* The command table for help and keys. */
struct pare_command_info {
    const char *name, *arguments, *keys, *help;
    bool core;
};
int pare_command_count(void);
const struct pare_command_info *pare_command_info(int i);
/* Index of a name, -1 when unknown. */
int pare_command_find(const char *name);

#endif
