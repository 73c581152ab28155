/*
 * ops.h: the tensor operations that glue may call. Every function takes values, makes new ones in
 * the sample's arena and never changes its inputs.
 *
 * Two kinds of trouble are kept apart. A mistake in the glue (wrong rank, sizes that do not fit, a
 * size of 0 or beyond the limits) is an error. A strange number that a network produced (NaN,
 * infinite, an empty box) is not: it gives the plain result written at each function, so that one
 * bad sample of one bad configuration does not end a measurement.
 *
 * Pictures are [1,H,W,C] or [H,W,C]. Boxes are fractions of the picture they lie in; angles are
 * radians, clockwise on the screen (y points down).
 */
#ifndef PARE_OPS_H
#define PARE_OPS_H

#include "pipeline/pipeline.h"

#define PARE_OP_MAX_SIDE 8192
#define PARE_OP_MAX_POINTS 64
#define PARE_OP_MAX_ANCHORS 65536

struct pare_box {
    double cx, cy, w, h;                  /* centre and size, fractions of the picture */
    double angle;                         /* radians */
    double score;                         /* 0..1 */
    int n_points;                         /* key points that came with the box */
    double points[PARE_OP_MAX_POINTS][2]; /* x, y, fractions of the picture */
};

/* exp(x) from additions and multiplications only, so that it is the same everywhere; 0 and +inf at
 * the ends. */
double pare_exp(double x);
double pare_sigmoid(double x);

/* ---- pictures: ops_image.c ---- */

/* Square crop of side scale * max(box.w * W, box.h * H) pixels around the box's centre, turned by
 * box.angle, as [1,out_h,out_w,C]. Output pixel (i, j) samples the source bilinearly at x = cx*W +
 * dx*cos - dy*sin - 0.5, y = cy*H + dx*sin + dy*cos - 0.5, dx = ((j+0.5)/out_w - 0.5) * side, dy =
 * ((i+0.5)/out_h - 0.5) * side; outside the picture is 0. A box that is not finite gives a black
 * picture. */
enum pare_status pare_op_crop(const struct pare_value *image, const struct pare_box *box, int out_w,
                              int out_h, double scale, struct pare_arena *arena,
                              struct pare_value **out, struct pare_error *err);
/* The square that pare_op_crop cuts out, for pare_op_place. */
enum pare_status pare_op_crop_frame(const struct pare_value *image, const struct pare_box *box,
                                    double scale, struct pare_box *frame, struct pare_error *err);
/* The whole picture at another size, bilinear, half-pixel centres, edges repeated. */
enum pare_status pare_op_resize(const struct pare_value *image, int out_w, int out_h,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err);
/* The whole picture with its aspect kept, in the middle, the rest `fill`. */
enum pare_status pare_op_letterbox(const struct pare_value *image, int out_w, int out_h,
                                   double fill, struct pare_arena *arena, struct pare_value **out,
                                   struct pare_error *err);
/* The rectangle that pare_op_letterbox shows (larger than the picture), for pare_op_place. */
enum pare_status pare_op_letterbox_frame(const struct pare_value *image, int out_w, int out_h,
                                         struct pare_box *frame, struct pare_error *err);
/* A border of `pixels` on every side. */
enum pare_status pare_op_border(const struct pare_value *image, int pixels, double fill,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err);

/* ---- boxes: ops_box.c ---- */

/* The best cell of a grid. `grid` is [1,G,H,5] or [1,5,G,H] (score logit, then dx, dy, w, h
 * logits), or, when `boxes` is given, the scores alone ([1,G,H,1] or [1,1,G,H]) and boxes [1,G,H,4]
 * or [1,4,G,H]. When both orders fit, channels come first. cx = (j + sigmoid(dx)) / W, cy = (i +
 * sigmoid(dy)) / H, w = sigmoid(w), h = sigmoid(h). *found is false when no score is a number or
 * the best sigmoid(score) is below threshold. */
enum pare_status pare_op_best_box(const struct pare_value *grid, const struct pare_value *boxes,
                                  double threshold, bool *found, struct pare_box *box,
                                  struct pare_error *err);

/* Anchors of an SSD head: layer after layer, `per_cell` anchors of size 1 at the centre of every
 * cell. */
struct pare_ssd {
    double size;      /* raw values are divided by it (the input's side in pixels) */
    double threshold; /* of sigmoid(score) */
    double iou;       /* of the weighted suppression */
    int n_layers;
    int grid[8], per_cell[8];
};
/* Boxes from raw [1,N,4+2K] (cx, cy, w, h, key points; relative to the anchor) and scores [1,N,1]
 * or [1,N], after weighted non-maximum suppression (overlapping boxes are averaged with their
 * scores as weights), best first. boxes[max]; *n = how many. */
enum pare_status pare_op_ssd_boxes(const struct pare_value *raw, const struct pare_value *scores,
                                   const struct pare_ssd *ssd, struct pare_arena *arena,
                                   struct pare_box *boxes, int max, int *n, struct pare_error *err);
/* The box turned so that its key points from -> to point up, moved by (shift_x, shift_y) of its
 * size along its own axes, made square by its longer side in pixels of `image`, and scaled. Key
 * points are kept. */
enum pare_status pare_op_turn_box(const struct pare_value *image, const struct pare_box *box,
                                  int from, int to, double shift_x, double shift_y, double scale,
                                  struct pare_box *out, struct pare_error *err);
/* Points in a crop (fractions of it, [..., n, k], k >= 2: x, y and the rest) as fractions of the
 * picture that it was cut from. The third number, a depth, is scaled like a width; others are
 * copied. */
enum pare_status pare_op_place(const struct pare_value *points, int k, const struct pare_box *frame,
                               const struct pare_value *image, struct pare_arena *arena,
                               struct pare_value **out, struct pare_error *err);

/* A box found in a crop (fractions of the crop), with its key points, as a box of the picture that
 * it was cut from. */
enum pare_status pare_op_place_box(const struct pare_box *box, const struct pare_box *frame,
                                   const struct pare_value *image, struct pare_box *out,
                                   struct pare_error *err);

/* ---- numbers: ops_math.c ---- */

/* Index of the largest element (the first of equals; NaN is never largest); -1 when there is none.
 */
int pare_op_argmax(const struct pare_value *v);
/* Over the last axis; a row without a finite largest value becomes uniform. */
enum pare_status pare_op_softmax(const struct pare_value *v, struct pare_arena *arena,
                                 struct pare_value **out, struct pare_error *err);
enum pare_status pare_op_sigmoid(const struct pare_value *v, struct pare_arena *arena,
                                 struct pare_value **out, struct pare_error *err);
/* Points of k numbers each: subtracts the first point, divides by the largest absolute value
 * (unless 0). Same shape out. */
enum pare_status pare_op_normalise(const struct pare_value *points, int k, struct pare_arena *arena,
                                   struct pare_value **out, struct pare_error *err);
/* Points of k >= 2 numbers each: subtracts the first point, divides by the longer side of the
 * rectangle around all (x, y) (unless 0). Same shape out. */
enum pare_status pare_op_normalise_box(const struct pare_value *points, int k,
                                       struct pare_arena *arena, struct pare_value **out,
                                       struct pare_error *err);
/* v * factor + offset, element by element. factor and offset have 1 entry, or one for each index of
 * the last axis. */
enum pare_status pare_op_affine(const struct pare_value *v, const double *factor, int n_factor,
                                const double *offset, int n_offset, struct pare_arena *arena,
                                struct pare_value **out, struct pare_error *err);
enum pare_status pare_op_clip(const struct pare_value *v, double lo, double hi,
                              struct pare_arena *arena, struct pare_value **out,
                              struct pare_error *err);
enum pare_arith { PARE_ARITH_ADD, PARE_ARITH_SUB, PARE_ARITH_MUL, PARE_ARITH_DIV };
/* Element by element; b has the shape's number of elements, or one element. */
enum pare_status pare_op_arith(enum pare_arith op, const struct pare_value *a,
                               const struct pare_value *b, struct pare_arena *arena,
                               struct pare_value **out, struct pare_error *err);
/* Mean of squared differences; the numbers of elements must agree. */
enum pare_status pare_op_mse(const struct pare_value *a, const struct pare_value *b, double *mse,
                             struct pare_error *err);

/* ---- shapes: ops_shape.c ---- */

/* One size may be -1. */
enum pare_status pare_op_reshape(const struct pare_value *v, int rank, const int64_t *dims,
                                 struct pare_arena *arena, struct pare_value **out,
                                 struct pare_error *err);
/* Indices first..last (0-based, inclusive) of one axis. */
enum pare_status pare_op_slice(const struct pare_value *v, int axis, int64_t first, int64_t last,
                               struct pare_arena *arena, struct pare_value **out,
                               struct pare_error *err);
enum pare_status pare_op_concat(const struct pare_value *const *v, int n, int axis,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err);
/* Axis i of the result is axis perm[i] of v. */
enum pare_status pare_op_transpose(const struct pare_value *v, const int *perm,
                                   struct pare_arena *arena, struct pare_value **out,
                                   struct pare_error *err);

/* ---- a value as a graph's input: convert.c (documented there) ---- */
enum pare_status pare_value_to_input(const struct pare_value *v, const struct pare_tensor *input,
                                     const char *where, struct pare_arena *arena,
                                     const float **data, struct pare_error *err);

#endif
