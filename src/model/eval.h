/*
 * eval.h: runs one node of the graph on arrays. Constant folding and the planner's plain steps use it, so
 * that an operator has one meaning. Arithmetic itself is in kernels/ (pk_ops.h).
 *
 * Covers every operator of ops.inc except UNKNOWN, in every dtype that the ONNX conformance cases use.
 * Layers run here too (any rank, dynamic weights; slow, exact float32 reference): the planner uses
 * the fast kernels instead. Data-movement operators (reshape, transpose, concat, split, slice, gather, pad,
 * pack, unpack, max pool, nearest resize) work on any element type, so the planner also gives them u8 codes
 * or f16 (as U16 bits only where values are moved, not compared).
 */
#ifndef PARE_EVAL_H
#define PARE_EVAL_H

#include "model/graph.h"

struct pare_view {
    enum pare_dtype dtype;
    int rank;
    int64_t dims[PARE_MAX_RANK];
    void *data;              /* dense, row-major; NULL for an absent optional input or an unwanted output */
    /* What PAD writes on codes, as element bytes: out[0]'s if not 0, else in[0]'s, unless input 2 gives
     * the value in the data's own type. Pools ignore their padding. */
    uint64_t fill_bits;
};

/* Bytes of scratch that pare_op_eval needs for this node with its inferred shapes (0 for most). */
size_t pare_op_scratch_bytes(const struct pare_graph *g, int node);

/* Runs node `node`: in[n_in], out[n_out] with the shapes in their dims (outputs preallocated at the inferred
 * shape; NMS writes its true row count into out[0].dims[0]; DETECTION_POSTPROCESS keeps its shapes, fills rows
 * behind the count with zeros and gives the count as output 3). Does not allocate.
 * Deterministic: own exp/log/tanh, independent of libm. */
enum pare_status pare_op_eval(const struct pare_graph *g, int node, const struct pare_view *in,
                              struct pare_view *out, void *scratch, struct pare_error *err);

/* RESIZE from codes in[0] to codes of another grid in out[0], see pk_resize_codes; false: not by it, nothing is written. */
struct pk_resize_grids;
bool pare_op_resize_codes(const struct pare_graph *g, int node, const struct pk_resize_grids *grids,
                          const struct pare_view *in, const struct pare_view *out, void *scratch);

#endif
