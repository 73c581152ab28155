/*
 * plan_parts.h: the inside of a plan, shared by the files of exec/ only.
 *
 * How a plan is made, one file each:
 *   plan_groups.c   which elementwise nodes run in which layer's epilogue
 *   plan_ranges.c   tensors that share one range
 *   plan_forms.c    who asks for which form of which tensor
 *   plan_slots.c    slots: stored versions of tensors; constants
 *   plan_alias.c    slots that lie in another slot's memory (reshape, concat in place)
 *   plan_steps.c    the list of steps, in the order of the graph
 *   plan_weights.c  weights in the kernels' packed layout, shared between plans
 *   plan_layer.c    one layer: geometry, epilogue (its successors: plan_successors.c)
 *   plan_operator.c one operator that is no layer
 *   plan_bands.c    layers that are run together, rows of the picture at a time
 *   plan_memory.c   lifetimes and offsets in one block
 * and run.c, suffix.c, observe.c work on the finished plan.
 */
#ifndef PARE_PLAN_PARTS_H
#define PARE_PLAN_PARTS_H

#include "base/arena.h"
#include "exec/plan.h"
#include "model/eval.h"
#include "quant/weights.h"

#define PLAN_MAX_CHAIN 12 /* elementwise nodes in one epilogue */
#define PLAN_MAX_STEPS                                                                             \
    (2 * PLAN_MAX_CHAIN + 1) /* each may be followed by the clamp of a file's grid */

_Static_assert(PLAN_MAX_STEPS + 1 <= PK_MAX_STEPS, "epilogues are longer than the kernels take");

/* A layer and the elementwise successors that run in its epilogue. */
struct plan_group {
    int node;
    int n_chain;
    int chain[PLAN_MAX_CHAIN];
    int tail; /* tensor that the group writes */
};

/* One stored version of a tensor. */
struct plan_slot {
    int tensor;            /* -1: scratch of one step */
    struct pare_grid grid; /* F32 with an integer dtype: the tensor's own integers */
    enum pare_dtype dtype; /* of an element in memory: F32, F16, U8 (codes), or the tensor's */
    int64_t elements;
    int64_t row, pitch;    /* runs of `row` elements, `pitch` elements apart; equal = dense */
    int parent;            /* slot in whose memory this one lies, -1 = own memory */
    int64_t parent_offset; /* elements from the parent's first */
    int next;              /* next slot of the same tensor, -1 = none */
    int n_readers;         /* steps that read it */
    int producer;          /* step that writes it; -1 = input or constant */
    bool constant, pinned; /* pinned: keeps its memory until the next run */
    int first, last;       /* steps of its life, set for slots with own memory */
    size_t bytes, offset;
    unsigned char *data;
};

/* Packed weights of one kernel call of a layer (a transposed convolution has one per output phase, a layer with scales
 * for groups of input channels one per group). */
struct plan_call_weights {
    struct pk_conv conv; /* in_c: of the group */
    const struct pk_layer_kernel *kernel;
    enum pk_family family;
    int phase_y, phase_x;
    const float *scale;        /* [channels] integer levels */
    const int32_t *zero_point; /* [channels] or NULL */
    void *packed; /* 64-byte aligned */
    size_t packed_bytes;
    int32_t *sum; /* [channels] sum of the codes (integer levels) */
    int64_t k;    /* products per output */
};

/* Weights of one layer at one precision; shared by plans through the cache. */
struct plan_weights {
    struct plan_weights *next;
    const struct pare_graph *graph;
    int node;
    enum pk_family asked, family; /* by the level alone; the one that packs these codes */
    int w_bits; /* 16, 32, or 1..8; with a float family 1..8 means weight-only */
    int a_bits; /* of a method that looks at what the layer reads; else 0 */
    int maker;  /* its id; 0 = defaults, or no integer level */
    enum pk_isa isa;
    struct pare_arena arena;
    int64_t channels;
    int n_parts, part;   /* groups of `part` input channels, 1: none */
    float *scale;        /* [n_parts][channels] integer levels */
    int32_t *zero_point; /* [n_parts][channels] or NULL */
    float *correction;   /* [channels] added to the bias, or NULL */
    int max_code;        /* largest |code - zero point| */
    int n_calls;         /* n_parts times as many as there are phases */
    struct plan_call_weights *calls; /* group by group, each with all phases */
};

struct pare_pack_cache {
    struct plan_weights *first;
};

/* One kernel call of a layer step. */
struct plan_call {
    const struct plan_call_weights *weights;
    struct pk_epilogue epilogue;
    struct pk_step *steps; /* [epilogue.n_steps]; operand is set for image 0 */
    struct pk_out *outs;   /* [epilogue.n_outs]; data is set for image 0 */
    bool adds, partial;    /* groups: the first step adds to the plane of sums; the output is that plane */
};

struct plan_layer {
    const struct plan_weights *weights;
    int pad_code;
    struct pare_grid round; /* CODES: simulated, what is read is put on this grid first; scratch at round_at */
    size_t round_at;
    int64_t batch, in_image;           /* images, input elements per image */
    int64_t out_image;                 /* output pixels per image */
    int chain_operand[PLAN_MAX_CHAIN]; /* slot of each fused node's operand, -1 = none */
    int n_steps;
    int operand[PLAN_MAX_STEPS]; /* slot of each step's operand, -1 = none */
    int n_calls;
    struct plan_call *calls;
    bool transposed;
    int out_h, out_w, out_c, stride_h, stride_w; /* of the transposed convolution */
    size_t kernel_scratch, plane_bytes, sums_bytes; /* the step's scratch: the kernel's, a phase's plane per output; with
                                                     * groups the plane of sums, then one group's input channels */
};

/* Where a view of an operator comes from. */
struct plan_operand {
    int slot;        /* -1: constant view, or absent */
    int64_t scratch; /* offset of a float copy in the step's scratch, -1 = the slot itself */
    bool limited;    /* outputs: clamped to the range of the file's grid */
    float lo, hi;
};

struct plan_eval {
    struct plan_operand *in; /* [n_in] */
    struct plan_operand
        *out; /* [n_out]; slot = the one written directly, -1 when only through scratch */
    struct pare_view *in_view, *out_view;
    int64_t op_scratch; /* offset of the operator's own scratch */
    bool counts_rows;   /* rows depend on the data */
};

enum plan_step_kind { PLAN_STEP_LAYER, PLAN_STEP_EVAL, PLAN_STEP_CONVERT, PLAN_STEP_ALIAS };

struct plan_step {
    enum plan_step_kind kind;
    int node; /* -1: conversion at the border */
    const char *kernel;
    struct pare_level level;
    bool is_layer;
    int n_in, n_out;
    int *in, *out; /* slots read and written */
    int *pieces; /* CONVERT of a concat: [n_in] slot inside out[0] to copy to, -1 = written there */
    int scratch; /* slot, -1 = none */
    struct plan_layer *layer;
    struct plan_eval *eval;
};

/* Consecutive layer steps that are run `rows` output rows of the last one at a time. */
enum { PLAN_BAND_STEPS = 16 };
struct plan_band {
    int first, last, rows;
};

struct pare_plan {
    struct pare_arena arena;
    const struct pare_graph *graph;
    const struct pare_calibration *calibration;
    struct pare_level *levels; /* [n_nodes] */
    enum pare_carrier carrier;
    enum pk_isa isa;
    bool keep_all, fuse;
    const struct pare_maker *maker;
    struct pare_pack_cache *cache, own_cache;
    int n_groups;
    struct plan_group *groups;
    int *group_of;              /* [n_nodes], -1 = none */
    int *consumers;             /* [n_tensors] reads, + 1 for graph outputs */
    unsigned char *float_class; /* [n_tensors] enum plan_class */
    const struct pare_range *
        *shared_range; /* [n_tensors] of the tensor's chain of concats, or NULL */
    int n_slots, cap_slots;
    struct plan_slot *slots;
    int *first_slot; /* [n_tensors], -1 = none */
    int n_steps, cap_steps;
    struct plan_step *steps;
    size_t band_bytes; /* of the options */
    int n_bands;
    struct plan_band *bands; /* in the order of the steps */
    size_t block_bytes, weight_bytes;
    unsigned char *block;
    const struct pare_plan_room *room; /* of the options */
    int64_t (*dims)[PARE_MAX_RANK]; /* [n_tensors] of the last run */
    bool has_run;
    unsigned char *mark; /* [n_steps] and [n_slots] of suffix runs */
    unsigned char *needed;
};

/* What made a tensor: its carrier follows from it. */
enum plan_class { PLAN_CLASS_F32, PLAN_CLASS_F16, PLAN_CLASS_CODES };

/* ---- plan_groups.c ---- */
enum pare_status plan_make_groups(struct pare_plan *p, struct pare_error *err);
/* Is this node a layer that the kernels run (not one that only the operator reference can)? */
bool plan_is_kernel_layer(const struct pare_graph *g, int node);
/* Describes chain node `node` whose running value is tensor `value`: fills *step (without vec and
 * operand), *constant (tensor whose values give vec, -1 = none; negate: take -vec) and *operand
 * (tensor, -1 = none). false: cannot run in an epilogue. */
struct plan_chain_step {
    struct pk_step step;
    int constant, operand;
    bool negate;
};
bool plan_chain_step(const struct pare_graph *g, int node, int value, struct plan_chain_step *s);

/* ---- plan_ranges.c ---- */
enum pare_status plan_share_ranges(struct pare_plan *p, struct pare_error *err);

/* ---- plan_slots.c, plan_forms.c ---- */
/* Adds a slot, with its size from the tensor; -1 when memory is out. */
int plan_slot_add(struct pare_plan *p, int tensor, const struct pare_grid *grid);
int plan_slot_find(const struct pare_plan *p, int tensor, const struct pare_grid *grid);
/* Scratch memory of one step. */
int plan_scratch_add(struct pare_plan *p, size_t bytes);
bool plan_is_real(const struct pare_graph *g, int tensor); /* float dtype: has forms */
enum pare_dtype plan_form_dtype(const struct pare_grid *grid);
/* A moving operator; *n_data = how many leading inputs are moved. */
bool plan_is_mover(const struct pare_graph *g, int node, int *n_data);
bool plan_is_view(const struct pare_graph *g, int node); /* output = input's bytes */
struct pare_grid plan_carrier(const struct pare_plan *p, int tensor);
enum pare_status plan_layer_input_grid(const struct pare_plan *p, int node, struct pare_grid *grid,
                                       struct pare_error *err);
/* The grid of a simulated level, onto which the layer rounds the float32 that it reads; else of form F32. */
enum pare_status plan_layer_round_grid(const struct pare_plan *p, int node, struct pare_grid *grid, struct pare_error *err);
/* The grid of the file for this tensor as unsigned codes; false when it has none of 8 bits. */
bool plan_file_grid(const struct pare_graph *g, int tensor, struct pare_grid *grid);
/* The range of that grid: a tensor that the file holds in 8 bits never leaves it, at any level (the
 * file may have left a relu6 to it). false when there is none, or for what only moves values or
 * computes a float function. */
bool plan_file_limits(const struct pare_graph *g, int tensor, float *lo, float *hi);
void plan_classify(struct pare_plan *p);
enum pare_status plan_make_slots(struct pare_plan *p, struct pare_error *err);
/* The slot of an operand read by an operator or an epilogue: constants become constant slots. */
int plan_operand_slot(struct pare_plan *p, int tensor, const struct pare_grid *grid,
                      struct pare_error *err);

/* ---- plan_alias.c ---- */
enum pare_status plan_alias_slots(struct pare_plan *p, struct pare_error *err);
int plan_root(const struct pare_plan *p, int slot);

/* ---- plan_operator.c ---- */
/* A moving operator on one form: every output slot on this grid, from inputs on it. */
enum pare_status plan_mover_step(struct pare_plan *p, int node, const struct pare_grid *grid,
                                 int n_data, struct pare_error *err);
/* An operator that computes: carriers in, float32 inside, every form of every output. */
enum pare_status plan_operator_step(struct pare_plan *p, int node, struct pare_error *err);
void plan_operator_bind(struct pare_plan *p, struct plan_step *step);

/* ---- plan_steps.c ---- */
/* A new step with room for that many slots; NULL when memory is out. Earlier steps may move. */
struct plan_step *plan_step_add(struct pare_plan *p, enum plan_step_kind kind, int node, int max_in,
                                int max_out);
void plan_step_reads(struct pare_plan *p, struct plan_step *s, int slot);
void plan_step_writes(struct pare_plan *p, struct plan_step *s, int slot);
enum pare_status plan_make_steps(struct pare_plan *p, struct pare_error *err);
/* After memory is placed: pointers into views and epilogues. */
void plan_bind_steps(struct pare_plan *p);

/* ---- plan_weights.c ---- */
enum pare_status plan_weights_get(struct pare_plan *p, int node, const struct pare_grid *x,
                                  const struct plan_weights **weights, struct pare_error *err);

void plan_weights_clear(struct pare_plan *p); /* the plan's own */

/* ---- plan_successors.c ---- */
struct plan_successors {
    struct pk_step *steps;
    int n_steps;
    bool only_clamps;
    float lo, hi; /* of the clamps, when there is nothing else */
};
/* Fills s and the operands of the step's layer. */
enum pare_status plan_make_successors(struct pare_plan *p, struct plan_step *step,
                                      const struct plan_group *group, struct plan_successors *s,
                                      struct pare_error *err);

/* ---- plan_layer.c ---- */
/* Geometry of a layer for the kernels (not of a transposed convolution's phases). rows:
 * FULLY_CONNECTED. */
void plan_layer_geometry(const struct pare_graph *g, int node, struct pk_conv *c, int64_t *batch);
enum pare_status plan_layer_make(struct pare_plan *p, struct plan_step *step,
                                 struct pare_error *err);
void plan_layer_bind(struct pare_plan *p, struct plan_step *step);
/* Where a layer with groups keeps its float32 sums, sums_bytes, and behind them a group's input channels. */
unsigned char *plan_layer_sums(const struct pare_plan *p, const struct plan_step *step);

/* ---- plan_bands.c ---- */
enum pare_status plan_make_bands(struct pare_plan *p, struct pare_error *err);
/* The call of output rows [begin, end) of a layer; in_row: the input row that it reads first. */
struct pk_conv plan_band_conv(const struct pk_conv *c, int begin, int end, int *in_row);
/* Rows of the last layer after the next turn, of `height`: the last turn takes what is left over. */
int plan_band_end(const struct plan_band *b, int done, int height);
/* need[steps of the band]: rows that each has to have written before `end` rows of the last exist. */
void plan_band_needs(const struct pare_plan *p, const struct plan_band *b, int end, int *need);

/* ---- plan_memory.c ---- */
enum pare_status plan_place_memory(struct pare_plan *p, struct pare_error *err);

/* ---- run.c ---- */
enum pare_status plan_step_run(struct pare_plan *p, const struct plan_step *step,
                               struct pare_error *err);
/* Brings a slot's real values to another slot of the same tensor size (any forms). */
void plan_convert(const struct pare_plan *p, const struct plan_slot *from,
                  const struct plan_slot *to);
/* n values of a slot's dense memory as floats / floats to a slot's form. */
void plan_load_f32(enum pk_isa isa, const struct plan_slot *s, const void *data, size_t n,
                   float *x);
void plan_store_f32(enum pk_isa isa, const struct plan_slot *s, const float *x, size_t n,
                    void *data);

#endif
