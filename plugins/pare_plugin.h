/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pare_plugin.h: a solver of your own for Pare, as a shared object. The one public header: free to embed, needs only the
 * C standard library, C and C++.
 *
 * A plugin is a file NAME.so that defines one symbol, the constant `pare_plugin_entry`:
 *
 *     #include "pare_plugin.h"
 *     static int step(const struct pare_plugin_host *host, const struct pare_plugin_problem *p, const struct pare_plugin_step *s) { ... }
 *     static const struct pare_plugin_solver solver = {.size = sizeof solver, .step = step};
 *     PARE_PLUGIN_EXPORT const struct pare_plugin pare_plugin_entry = {PARE_PLUGIN_MAGIC, PARE_PLUGIN_ABI, sizeof pare_plugin_entry,
 *                                                                      "mine", "1.0", "what it does in one line", &solver};
 *
 *     cc -O2 -shared -fPIC -I plugins -o mine.so mine.c
 *     PARE_PLUGINS=$PWD pare solve PIPELINE --method plugin:mine
 *
 * Pare looks in the folders of $PARE_PLUGINS (absolute, separated by colons), in $XDG_DATA_HOME/pare/plugins and beside the
 * pipeline; `pare plugins` lists what it finds. A file that others could have written is refused until it was trusted once.
 *
 * Steps. A solver asks and is told: every step gets the problem, the state that the step before it left, and what was found
 * out about the configurations that it had asked for. It asks for more, or gives its answers and is done. A step has to be a
 * pure function of what it is given (take the seed, no clock): steps are kept, and a run that was killed goes on from its
 * last one, so a step may also run again.
 *
 * Process. A step runs in a process of its own, never in the one that holds the session or the screen: a crash, exit() or an
 * endless loop costs this solve and is told in one line. That is no sandbox: it is native code with your rights. Only the
 * state outlives a step; whether static variables do is not defined. stdin is empty, stdout goes nowhere, stderr is not to be relied on: use log.
 * A cancelled solve ends the process without a word: there is nothing to clean up.
 *
 * Threads. The host calls step once at a time, in one thread. A step may start threads if it joins them before it returns;
 * the host's functions may be called only from the thread that called step, and only until step returns.
 *
 * Ownership. All that the host passes is the host's, is not to be written to, and is valid until step returns. All that a
 * plugin passes to a host's function stays the plugin's and is copied before the function returns.
 *
 * Errors. A host's function that returns int returns 0, or nonzero when it refused what it was given; the first refusal is
 * kept and ends the solve with its reason, whatever step returns then. No longjmp and no C++ exception may leave step.
 *
 * Versions. A plugin with another PARE_PLUGIN_ABI is refused before any of its functions is called. Within one ABI structs
 * grow at their end only, and each begins with its size as the one who made it knew it: PARE_PLUGIN_HAS tells whether a
 * member is there. Structs that stand in arrays (border, pair, row) do not grow. Enums may grow.
 */
#ifndef PARE_PLUGIN_H
#define PARE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define PARE_PLUGIN_MAGIC UINT64_C(0x67756c7065726170) /* "pareplug", the first byte lowest */
#define PARE_PLUGIN_ABI 1u

/* Is `member` there in the struct at `pointer`, whose maker may be older than this header? */
#define PARE_PLUGIN_HAS(pointer, type, member) ((pointer)->size >= offsetof(type, member) + sizeof(((type *)0)->member))

#ifdef __cplusplus
#define PARE_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define PARE_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* Figures of a configuration: smaller is better. */
enum pare_plugin_figure {
    PARE_PLUGIN_LOSS,    /* predicted loss, nats a sample summed over the groups: what stands for the drop of accuracy. All 0 while
                            configurations are measured (step.measured): then told is the one source of quality */
    PARE_PLUGIN_LATENCY, /* ms a sample, on the target of the run */
    PARE_PLUGIN_BYTES,   /* of all weights */
    PARE_PLUGIN_BITOPS,  /* a sample */
    PARE_PLUGIN_ENERGY,  /* uJ a sample, of a table */
    PARE_PLUGIN_FIGURES
};

/* What a step returns. Anything else is an error of the plugin. */
enum pare_plugin_result {
    PARE_PLUGIN_ASKED = 0,      /* it asked for at least one configuration, and wants to be told */
    PARE_PLUGIN_DONE = 1,       /* it gave at least one answer */
    PARE_PLUGIN_INFEASIBLE = 2, /* no configuration holds the limits (exit 3) */
    PARE_PLUGIN_REFUSED = 3,    /* not for this kind of problem or setting; `complain` says why (exit 2) */
    PARE_PLUGIN_FAILED = 4      /* anything else, also memory; `complain` says why (exit 1) */
};

/* Ms more when the levels of two groups have different forms: what one writes, the other cannot read as it is. */
struct pare_plugin_border {
    int32_t from, to; /* groups */
    double ms;
};

/* A pair of groups in a row: `weight` counts when their levels differ. */
struct pare_plugin_pair {
    int32_t a, b; /* groups */
    double weight;
};

/* A row that was declared beside the budgets: at_least <= sum of cost over the groups + sum of weight over the pairs whose
 * levels differ <= at_most. `outside` tells whether all hold, within their tolerance. */
struct pare_plugin_row {
    const char *name;                    /* UTF-8 */
    double at_least, at_most;            /* -INFINITY, INFINITY = none */
    const double *cost;                  /* [groups][levels]; finite where allowed */
    const struct pare_plugin_pair *pairs; /* [n_pairs] */
    int32_t n_pairs;
};

/*
 * What is to be solved: one level for every group, so that the figures stay within their limits, the rows hold, and the
 * objective gets small.
 * A group is what takes one level: a layer, several layers that are tied, or with --per model a model. Pins and ranges of
 * levels, first and last layers, and what could not be measured are all in `allowed`.
 * [groups][levels] stands for: of group g at level l at index g * n_levels + l.
 */
struct pare_plugin_problem {
    uint32_t size;                      /* of this struct, bytes */
    int32_t n_groups, n_levels;         /* 1..100000, 1..64 */
    int32_t n_figures;                  /* rows of cost, fixed, limit: PARE_PLUGIN_FIGURES or, from a newer host, more */
    int32_t objective;                  /* the figure to make small, 0..n_figures - 1 */
    int32_t n_borders;
    const char *const *group_names;     /* [groups] UTF-8, "stage/node"; tied layers have the name of the first of them */
    const char *const *level_names;     /* [levels], from the widest to the narrowest, such as "fp32", "w8a8" */
    const int32_t *form;                /* [levels]; levels with equal forms need no conversion between them */
    const unsigned char *allowed;       /* [groups][levels] 1 = may be taken; every group has at least one */
    const double *const *cost;          /* [figures] -> [groups][levels]; finite where allowed, elsewhere without meaning (NaN) */
    const double *fixed;                /* [figures] belongs to every configuration: other operators, glue */
    const double *limit;                /* [figures] NaN = no limit. Measured runs hold the loss by step.quality_limit instead */
    const struct pare_plugin_border *borders; /* [n_borders], added to the latency; from != to */
    const struct pare_plugin_row *rows; /* [n_rows]; refuse the problem if you cannot hold them */
    int32_t n_rows;
};

/* What this step begins with. */
struct pare_plugin_step {
    uint32_t size;        /* of this struct, bytes */
    int32_t measured;     /* 1: told are measured drops of accuracy (fractions). 0: predicted (--predicted), told are summed
                             losses, the same that `total` gives: such a solver need not ask at all */
    uint64_t seed;        /* --seed: the only source of chance */
    double quality_limit; /* of what is told: the budget of the drop, or of the loss; NaN = none */
    const void *state;    /* what the step before kept; NULL in the first step, or when it kept nothing */
    size_t n_state;       /* bytes */
    const double *told;   /* [n_told] quality of each configuration that the step before asked for, in its order; smaller is
                             better; NaN = it could not be had */
    size_t n_told;        /* 0 in the first step, and there alone */
};

/*
 * What the host does for a step. Every function takes the host itself as its first argument.
 * levels: [n_groups] a level for each group; n: how many the plugin means, which has to be n_groups.
 */
struct pare_plugin_host {
    uint32_t size;       /* of this struct, bytes */
    uint32_t abi;        /* PARE_PLUGIN_ABI of the host */
    const char *version; /* of pare, "0.1.0" */
    /* Asks for the quality of a configuration: measured on that many samples (0 = as many as the run takes), or predicted.
     * At most 100000 a step. Nonzero: a wrong length, a level that is none or not allowed, out of memory. */
    int (*ask)(const struct pare_plugin_host *host, const int32_t *levels, size_t n, int samples);
    /* Gives an answer, the best first; those behind it are tried when it turns out to be over a budget. At most 1000. Nonzero as ask. */
    int (*answer)(const struct pare_plugin_host *host, const int32_t *levels, size_t n);
    /* Keeps bytes for the next step, in place of what this step kept before. Only the very file that wrote them reads them:
     * another build of the plugin begins anew. Nonzero: more than 4 MiB, or out of memory. */
    int (*keep)(const struct pare_plugin_host *host, const void *bytes, size_t n);
    /* The figures of a configuration: fixed, costs and borders. total: [n_figures], written. Nonzero as ask. */
    int (*total)(const struct pare_plugin_host *host, const int32_t *levels, size_t n, double *total);
    /* By how much a configuration is outside the problem's rows, relatively and summed, into *by: 0 = all hold. Nonzero as ask. */
    int (*outside)(const struct pare_plugin_host *host, const int32_t *levels, size_t n, double *by);
    /* A setting of the command line (--set NAME=VALUE), or `otherwise` when there is none of that kind. Text is the host's. */
    double (*number)(const struct pare_plugin_host *host, const char *name, double otherwise);
    const char *(*text)(const struct pare_plugin_host *host, const char *name, const char *otherwise);
    /* One line for the log (standard error on the command line), UTF-8; control bytes are escaped. */
    void (*log)(const struct pare_plugin_host *host, const char *line);
    /* Why step returns INFEASIBLE, REFUSED or FAILED: one line for the user. The last one counts. */
    void (*complain)(const struct pare_plugin_host *host, const char *line);
    /* Nonzero when this process has used nine tenths of its time (30 s; --time-limit S): answer with what you have, or keep
     * your state and ask. When the time is over the process is killed. Cheap: to be called every few milliseconds. */
    int (*stopping)(const struct pare_plugin_host *host);
};

struct pare_plugin_solver {
    size_t size; /* of this struct, bytes */
    /* One step; returns an enum pare_plugin_result. */
    int (*step)(const struct pare_plugin_host *host, const struct pare_plugin_problem *problem, const struct pare_plugin_step *step);
};

/* The symbol `pare_plugin_entry`: data, so that it can be read before any code of the plugin is called. Its strings and
 * structs live as long as the plugin is loaded. */
struct pare_plugin {
    uint64_t magic;      /* PARE_PLUGIN_MAGIC */
    uint32_t abi;        /* PARE_PLUGIN_ABI */
    uint32_t size;       /* of this struct, bytes */
    const char *name;    /* for lists; the name that --method takes is the file's */
    const char *version; /* the plugin's own */
    const char *doc;     /* one line: what it does */
    const struct pare_plugin_solver *solver; /* NULL: it is none */
};

#ifdef __cplusplus
extern "C" {
#endif
extern const struct pare_plugin pare_plugin_entry;
#ifdef __cplusplus
}
#endif

#endif
