/*
 * pipeline.h: stages + glue + data + metric. One sample goes through glue (Lua, bound by lua/),
 * which calls stages and tensor operations and ends in an outcome.
 *
 * A pipeline here is the description and the data; it runs no kernel itself: glue calls stages
 * through a runner that the caller brings (measure/ gives one that runs plans and memoizes).
 */
#ifndef PARE_PIPELINE_H
#define PARE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "data/dataset.h"
#include "model/graph.h"
#include "pipeline/metric.h"

#define PARE_MAX_STAGES 16

/* A float32 tensor that glue handles. Lives in the sample's arena. */
struct pare_value {
    int rank;
    int64_t dims[PARE_MAX_RANK];
    float *data;
};
int64_t pare_value_elements(const struct pare_value *v);
/* New zeroed value in arena; NULL when memory is out. */
struct pare_value *pare_value_new(struct pare_arena *arena, int rank, const int64_t *dims);

#define PARE_LOSS_PARTS 8
#define PARE_LOSS_NUMBERS 2048

/* What a sample ends in. */
enum pare_outcome_kind {
    PARE_OUTCOME_NONE,
    PARE_OUTCOME_CLASS,
    PARE_OUTCOME_POINTS,
    PARE_OUTCOME_SCORE,
    PARE_OUTCOME_BOXES
};
struct pare_outcome {
    enum pare_outcome_kind kind; /* NONE counts as wrong */
    int prediction;              /* CLASS: index into the pipeline's classes (label), -1 unknown */
    int n_scores; /* the tensor behind the decision (argmax input; points; score), for losses */
    const float *scores; /* in the sample's arena */
    bool scores_are_probabilities;
    /* scores may be several tensors in a row, each with its own scale: lengths; 0 = one */
    int n_parts, parts[PARE_LOSS_PARTS];
    /* What is scored. POINTS: x, y, ... of every point; SCORE: one number; BOXES: six numbers each: class (from 0),
     * score, cx, cy, w, h. In the sample's arena. */
    int n_answer;
    const float *answer;
};
/* Takes a thinned copy of the tensors out[n] as what losses compare: at most PARE_LOSS_NUMBERS of each of the first
 * PARE_LOSS_PARTS, evenly spaced. false = memory. */
bool pare_outcome_take(struct pare_outcome *o, const struct pare_value *const *out, int n, struct pare_arena *arena);

/* How glue calls a stage. Values in and out are in `arena`, which belongs to the sample. */
struct pare_runner {
    void *self;
    enum pare_status (*call)(void *self, int stage, const struct pare_value *const *in, int n_in,
                             struct pare_arena *arena, struct pare_value **out,
                             int *n_out, /* out[PARE_MAX_OUTPUTS] */
                             struct pare_error *err);
};
#define PARE_MAX_OUTPUTS 64

/* What glue reports of one stage on the way: its outcome and, where the sample's own label is not the stage's, a label. */
struct pare_report {
    bool given;
    struct pare_outcome outcome;
    int label;                       /* -1 = the sample's */
    const struct pare_value *target; /* NULL = the sample's */
};

/* A metric beside the pipeline's own: of one stage, scored on what glue reports (op.report), or of the same outcome. */
#define PARE_MAX_EXTRA 24
struct pare_extra_metric {
    const char *name; /* the stage's; else the metric's, "pck@0.1" where a threshold is given */
    int stage;        /* -1 = of the pipeline's outcome */
    struct pare_metric scoring;
};

/* Pictures that glue made from the sample's own while `learning`: the same operation on the same value gives the same value
 * again, as long as the arena lives that they were made in. */
#define PARE_MEMO_MOST 16
struct pare_memo {
    bool learning;
    int n;
    struct pare_made {
        const void *operation; /* which */
        const struct pare_value *of;
        int numbers_n;
        double numbers[8];     /* its other arguments, compared bit by bit */
        struct pare_value *out;
    } made[PARE_MEMO_MOST];
};
/* The value that this operation made before, NULL = none (or memo is NULL). */
struct pare_value *pare_memo_find(const struct pare_memo *memo, const void *operation, const struct pare_value *of,
                                  const double *numbers, int n);
/* To be found again, while there is room and the memo is learning. n <= 8. */
void pare_memo_keep(struct pare_memo *memo, const void *operation, const struct pare_value *of, const double *numbers, int n,
                    struct pare_value *out);

struct pare_sample {
    int index; /* in its split */
    int label; /* class index, -1 = none */
    const struct pare_value
        *image; /* [1,H,W,C] in [0,1] for pictures; arrays keep their values and shape [1,...] */
    const struct pare_value
        *target; /* optional array `target` of the sample (points, boxes, ...), or NULL */
    struct pare_report *reports; /* [n_stages], filled by glue when not NULL */
    struct pare_memo *memo;      /* of glue that runs again and again on this sample; NULL = none */
};

struct pare_pipeline;

/* The user's infer function; made by lua/, or the default of a bare model (input = image, outcome =
 * argmax). */
struct pare_glue {
    void *self;
    enum pare_status (*infer)(void *self, const struct pare_pipeline *p,
                              const struct pare_sample *sample, const struct pare_runner *runner,
                              struct pare_arena *arena, struct pare_outcome *outcome,
                              struct pare_error *err);
    /* metric = function(outcomes, labels): n items [outcome, label] as pare_metric_item makes them
     * (a class from 0, a number, a list; false = none); NULL when metric is a name */
    enum pare_status (*metric)(void *self, int n, const json_t *const *items, double *value,
                               struct pare_error *err);
    void (*free)(void *self);
};

struct pare_stage {
    const char *name;         /* "detector" */
    const char *path;         /* resolved file, or NULL when it was not found */
    const char *file;         /* as written */
    const char *sha256;       /* wanted, 64 lower-case hex digits, or NULL */
    struct pare_graph *graph; /* opened by pare_pipeline_open_models; NULL before */
};

/* ALL is optional: everything there is, labelled or not, for the agreement with fp32 (never for
 * solving). */
enum pare_split {
    PARE_SPLIT_CALIBRATION,
    PARE_SPLIT_SEARCH,
    PARE_SPLIT_TEST,
    PARE_SPLIT_ALL,
    PARE_SPLIT_COUNT
};
const char *pare_split_name(enum pare_split s);
enum pare_status pare_split_parse(const char *text, enum pare_split *s, struct pare_error *err);

struct pare_pipeline {
    struct pare_arena arena;
    const char *name, *dir, *path; /* path = pipeline.lua or the bare model */
    bool bare;                     /* a bare model file: no data, no accuracy */
    int n_stages;
    struct pare_stage stages[PARE_MAX_STAGES];
    const char *metric; /* "top1", ..., "function", or NULL */
    struct pare_metric scoring; /* the same, with its options */
    int n_extra;
    struct pare_extra_metric extra[PARE_MAX_EXTRA]; /* `metrics` */
    int n_classes;
    const char **classes;                          /* may be NULL */
    struct pare_data_spec specs[PARE_SPLIT_COUNT]; /* path NULL = not given, or not found */
    const char *data_as_written[PARE_SPLIT_COUNT]; /* NULL = not given */
    struct pare_dataset *data[PARE_SPLIT_COUNT];   /* NULL = not opened */
    struct pare_glue glue;
    const char *lua_hash; /* xxh of all Lua files that took part, 32 hex digits; "" when bare */
    /* `keep`: layers that are held at least at a level, besides the first and last layers of each
     * stage, which are held at int8 at least. */
    int n_keep;
    struct pare_keep {
        const char *pattern, *level; /* "detector/conv*", "fp32" */
    } * keep;
    int n_ties;
    const char **ties;      /* `tie`: layers that take one level, as the command `tie` takes them; NULL = none */
    const char *rows;       /* `rows`: extra linear rows as JSON text, or NULL */
    const char *quantize;   /* the method of layers (quant/method.h), or NULL */
    const char *models_dir; /* as given to pare_pipeline_open, or NULL */
};

/* Loads pipeline.lua: implemented in lua/ and handed in by main.c, since src/ does not know Lua. */
struct pare_pipeline_loader {
    enum pare_status (*load)(const char *lua_path, const char *models_dir, struct pare_pipeline **p,
                             struct pare_error *err);
};
/* Set once at start by main.c (and by tests). */
void pare_pipeline_set_loader(const struct pare_pipeline_loader *loader);

/* An empty pipeline (arena ready, name/dir/path set), and the search for a file that it names: as
 * an absolute path; beside the pipeline; in models_dir; in PARE_MODELS; in shared/models beside the
 * checkout. NULL = nowhere. For loaders. */
struct pare_pipeline *pare_pipeline_new(const char *path, const char *models_dir);
const char *pare_pipeline_find(struct pare_pipeline *p, const char *file);
/* Does output i of the graph come from a softmax, reshaped at most? (graph may be NULL: no) */
bool pare_output_is_softmax(const struct pare_graph *g, int i);
/* The glue of a single-stage pipeline without `infer`: outcome = argmax of the stage's first
 * output. */
extern const struct pare_glue pare_default_glue;

/* Opens a folder or file with pipeline.lua, or a bare .onnx/.tflite. models_dir may be NULL (then
 * PARE_MODELS, then shared/models beside the checkout for sample pipelines that name it). Models
 * are not opened yet. */
enum pare_status pare_pipeline_open(const char *path, const char *models_dir,
                                    struct pare_pipeline **p, struct pare_error *err);
void pare_pipeline_free(struct pare_pipeline *p);
/* Opens all stages' graphs; checks SHA-256 where given. A missing file is ERR_NOINPUT naming the
 * file and where it was looked for. */
enum pare_status pare_pipeline_open_models(struct pare_pipeline *p, struct pare_error *err);
/* Opens one split's data (indexes it; pictures are decoded per sample). */
enum pare_status pare_pipeline_open_split(struct pare_pipeline *p, enum pare_split split,
                                          struct pare_error *err);

/* Sample i of a split, decoded into arena. */
enum pare_status pare_pipeline_sample(const struct pare_pipeline *p, enum pare_split split, int i,
                                      struct pare_arena *arena, struct pare_sample *sample,
                                      struct pare_error *err);

#endif
