/*
 * plan.h: the one planner. From a graph and a level for every layer to a list of steps over one
 * block of memory; then runs with no allocation. Float and integer paths are the same plan: each
 * tensor is kept in the forms that its consumers ask for (fp32, fp16, codes on a grid), each
 * written once.
 *
 * How forms are chosen (design, "Precision contract"):
 *  - a layer at w<W>a<A> reads its input on an A-bit grid made from that tensor's calibration (or
 * the file's own grid when A == 8 and the tensor has `quant`); fp32/weight-only layers read fp32,
 * fp16 layers fp16;
 *  - moving operators (max pool, pad, concat, reshape, transpose, slice, split, gather, nearest
 * resize ...) are transparent: the form asked of their output is asked of their inputs, on the
 * output tensor's grid;
 *  - concats that reach each other through moving operators alone (ShuffleNet, DenseNet) share one
 * range, the union of all of them: values pass through many concats and are rounded once;
 *  - the rest (averaging, elementwise that could not fuse, sigmoid, softmax, box decoding ...) read
 * the carrier (dequantized), compute in float32 and write any form, one rounding;
 *  - elementwise successors with one consumer fuse into the producing layer's epilogue
 * (kernels/pk.h);
 *  - outputs of the graph, and what only float functions (softmax, sigmoid, ...) read, are fp32
 * unless the file gives them a grid: nothing reads codes there;
 *  - a tensor that no layer reads (residuals) uses its carrier, by the level of the layer that
 * makes it: fp32 (weight-only too), fp16, or for an integer level an 8-bit grid (the file's own
 * where it has one). Other operators follow their inputs: codes when any input has codes, a concat
 * the widest of its inputs; what sigmoid, tanh, softmax, exp, division and the like write stays
 * fp32. A tensor without a range stays fp32. `carrier` in the options overrides all of it (never
 * the form that a layer reads);
 *  - a tensor that the file itself holds in 8 bits never leaves the range of the file's grid, at
 * any level: such files leave a relu6 to that range;
 *  - one-bit grids have real zero off the grid: padding takes the nearest code; offset folds into
 * the bias.
 */
#ifndef PARE_PLAN_H
#define PARE_PLAN_H

#include "model/graph.h"
#include "pk.h"
#include "quant/grid.h"
#include "quant/level.h"
#include "quant/make.h"
#include "quant/range.h"

enum pare_carrier { PARE_CARRIER_AUTO, PARE_CARRIER_CODES, PARE_CARRIER_F16, PARE_CARRIER_F32 };

struct pare_plan_room {
    unsigned char *memory; /* 64-byte aligned */
    size_t bytes;
};

struct pare_plan_options {
    /* [graph->n_nodes]; entries of non-layers are ignored; NULL = all fp32 */
    const struct pare_level *levels;
    /* needed when any level is integer and the file brings no grids */
    const struct pare_calibration *calibration;
    enum pare_carrier carrier;
    enum pk_isa isa; /* pk_isa_best() normally */
    /* Every tensor keeps its own memory and can be read after a run. Where all levels are fp32
     * nothing is fused, so that "every" means every one; otherwise values inside an epilogue are
     * not stored and cannot be read. */
    bool keep_all;
    /* Layers are run together, rows at a time, over tensors of as many bytes; 0 = what suits a second cache of 2 MiB,
     * SIZE_MAX = never. The results are the same bytes. */
    size_t band_bytes;
    /* packed weights shared by many plans of one graph; NULL = the plan's own */
    struct pare_pack_cache *cache;
    /* Memory for activations that several plans share, of which one is run at a time: what a plan holds is gone once another
     * has run. A plan that needs more has its own. NULL = its own. Must outlive its plans. */
    struct pare_plan_room *room;
    /* makes the weights of integer and weight-only levels (quant/make.h); NULL = the default codes. All plans of one
     * cache have the same. */
    const struct pare_maker *maker;
};

/* Packed weights by (graph, node, precision), made when a plan first asks. Must outlive its plans;
 * the graph must outlive it. Not thread safe. */
struct pare_pack_cache *pare_pack_cache_new(void); /* NULL when memory is out */
void pare_pack_cache_free(struct pare_pack_cache *cache);

struct pare_plan; /* opaque */

/* The graph and the calibration must outlive the plan. Errors name the layer. */
enum pare_status pare_plan_new(const struct pare_graph *g, const struct pare_plan_options *options,
                               struct pare_plan **plan, struct pare_error *err);
void pare_plan_free(struct pare_plan *plan);

/* Memory of the plan: activations (one block) and packed weights, bytes. */
void pare_plan_memory(const struct pare_plan *plan, size_t *activations, size_t *weights);

/* Input i / output i of the graph as float32 (inputs: copied in; integer inputs, e.g. indices,
 * converted). n_elements must match the planned shape. Outputs are valid until the next run;
 * operators with a data-dependent row count may give fewer (pare_plan_output_shape), the rest of
 * `data` is then 0. */
enum pare_status pare_plan_set_input(struct pare_plan *plan, int i, const float *data,
                                     size_t n_elements, struct pare_error *err);
enum pare_status pare_plan_run(struct pare_plan *plan, struct pare_error *err);
/* Runs the steps in front of the one that computes layer `node`; only what they wrote may be read afterwards. */
enum pare_status pare_plan_run_until(struct pare_plan *plan, int node, struct pare_error *err);
enum pare_status pare_plan_get_output(struct pare_plan *plan, int i, float *data, size_t n_elements,
                                      struct pare_error *err);

/* Shape of output i after the last run (before: as planned). */
void pare_plan_output_shape(const struct pare_plan *plan, int i, int *rank,
                            int64_t dims[PARE_MAX_RANK]);

/* Any tensor as real numbers after a run (keep_all plans: any; others: inputs and outputs).
 * `raw` variants give the stored form for tests: bytes and its grid. */
enum pare_status pare_plan_read_tensor(struct pare_plan *plan, int tensor, float *data,
                                       size_t n_elements, struct pare_error *err);
const void *pare_plan_raw_tensor(struct pare_plan *plan, int tensor, struct pare_grid *grid);

/* ---- partial runs: the suffix behind one layer ---- */

/* Runs only the steps behind first_node (a node; -1 = none) and behind every layer whose level
 * differs between the two plans, taking all else from `reference`: a keep_all plan of the same
 * graph, calibration and carrier that has just run on the same input. A tensor in front that is
 * needed in a form that the reference does not keep is computed again from what the reference does
 * keep, so the result is the same bytes as a full run of `plan`. Afterwards the outputs of `plan`
 * can be read as after a run. */
enum pare_status pare_plan_run_suffix(struct pare_plan *plan, struct pare_plan *reference,
                                      int first_node, struct pare_error *err);

/* ---- timing ---- */

/* Number of steps and what each is: the node (layer or other), its kernel's name and label
 * ("conv_u8s8_avx512vnni"). */
int pare_plan_step_count(const struct pare_plan *plan);
struct pare_step_info {
    int node; /* -1 for a conversion at the border */
    const char *kernel;
    struct pare_level level;
    bool is_layer;
};
void pare_plan_step_info(const struct pare_plan *plan, int step, struct pare_step_info *info);
/* The shape of a layer's kernel call (a transposed convolution: as if its input were its output) and how many images it is
 * made for; whatever plan it is in. */
void pare_layer_geometry(const struct pare_graph *g, int node, struct pk_conv *c, int64_t *batch);
/* The kernel calls of a layer step (a transposed convolution has several), for floors and predictions. false when the
 * step is no layer, or call >= n_calls. */
struct pare_step_work {
    int n_calls;
    int64_t batch;                /* images: the calls are made for each */
    const struct pk_conv *conv;   /* borrowed from the plan */
    enum pk_family family;
    const struct pk_layer_kernel *kernel;
    size_t weight_bytes;          /* packed */
    int out_bytes;                /* of an element of all outputs together */
};
bool pare_plan_step_work(const struct pare_plan *plan, int step, int call, struct pare_step_work *work);
/* Runs once and adds each step's time in nanoseconds to ns[step_count] (CLOCK_MONOTONIC_RAW or
 * rdtsc-calibrated). */
enum pare_status pare_plan_run_timed(struct pare_plan *plan, uint64_t *ns, struct pare_error *err);

/* ---- calibration ---- */
/* Adds the values of every float activation tensor of the last run of a keep_all fp32 plan.
 * pass 0: extremes and moments; pass 1: histogram (needs pass 0 complete). */
enum pare_status pare_plan_observe(struct pare_plan *plan, struct pare_calibration *c, int pass,
                                   struct pare_error *err);

#endif
