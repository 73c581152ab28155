/* eval_ops.h: what the files eval*.c share. */
#ifndef PARE_EVAL_OPS_H
#define PARE_EVAL_OPS_H

#include "model/shapes.h"
#include "pk_ops.h"

/* One evaluation. o.in = inputs. */
struct eval_job {
    struct op_node o;
    const struct pare_graph *g;
    struct pare_view *out;
    void *scratch;
};

/* The type of a view as kernels name it. */
enum pk_dtype eval_type(const struct pare_view *v);
size_t eval_count(const struct pare_view *v);
/* "the operator cannot work on int4" */
enum pare_status eval_refuse(const struct eval_job *j, enum pare_dtype t);
/* OK, or eval_refuse(first input's type) where a kernel returned false. */
enum pare_status eval_done(const struct eval_job *j, bool done);
/* Steps of a view broadcast to rank dims (0 where it is repeated). */
void eval_broadcast_steps(const struct pare_view *v, int rank, int64_t *step);
/* Sizes in front of, at and behind an axis. */
void eval_split_at(const struct pare_view *v, int axis, size_t *outer, size_t *n, size_t *inner);
/* A number as the bytes of one element of type t. */
uint64_t eval_bits(enum pare_dtype t, double value);

enum pare_status eval_conv(const struct eval_job *j);
enum pare_status eval_fully_connected(const struct eval_job *j);
enum pare_status eval_matmul(const struct eval_job *j);
enum pare_status eval_gemm(const struct eval_job *j);
enum pare_status eval_batch_norm(const struct eval_job *j);
enum pare_status eval_pool(const struct eval_job *j);

enum pare_status eval_copy(const struct eval_job *j);
enum pare_status eval_concat(const struct eval_job *j);
enum pare_status eval_split(const struct eval_job *j);
enum pare_status eval_unpack(const struct eval_job *j);
enum pare_status eval_transpose(const struct eval_job *j);
enum pare_status eval_slice(const struct eval_job *j);
enum pare_status eval_gather(const struct eval_job *j);
enum pare_status eval_gather_elements(const struct eval_job *j);
enum pare_status eval_pad(const struct eval_job *j);
enum pare_status eval_shape(const struct eval_job *j);
enum pare_status eval_expand(const struct eval_job *j);
enum pare_status eval_tile(const struct eval_job *j);
enum pare_status eval_fill(const struct eval_job *j);
enum pare_status eval_range(const struct eval_job *j);
enum pare_status eval_blocks(const struct eval_job *j);
enum pare_status eval_cast(const struct eval_job *j);

enum pare_status eval_unary(const struct eval_job *j);
enum pare_status eval_clip(const struct eval_job *j);
enum pare_status eval_binary(const struct eval_job *j);
enum pare_status eval_softmax(const struct eval_job *j);
enum pare_status eval_reduce(const struct eval_job *j);
enum pare_status eval_arg(const struct eval_job *j);
enum pare_status eval_resize(const struct eval_job *j);
enum pare_status eval_quantize(const struct eval_job *j);
enum pare_status eval_dynamic_quantize(const struct eval_job *j);
enum pare_status eval_nms(const struct eval_job *j);
enum pare_status eval_detection(const struct eval_job *j);

/* Scratch of the operators that need some; in/out dims come from the graph. */
size_t eval_resize_scratch(const struct op_node *o);
size_t eval_detection_scratch(const struct op_node *o);

#endif
