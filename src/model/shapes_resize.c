/* shapes_resize.c: the parameters of RESIZE: scales or sizes, regions, aspect. */
#include <math.h>

#include "model/shapes.h"
#include "pk_ops.h"

static enum pare_status resize_by_sizes(const struct op_node *o, int n, const int *axes,
                                        struct op_resize *r)
{
    const struct pare_view *x = &o->in[0];
    enum pare_aspect aspect = o->node->attr.resize.aspect;
    int64_t sizes[PARE_MAX_RANK];
    int n_sizes;
    enum pare_status status = op_ints(o, 3, "sizes", sizes, PARE_MAX_RANK, &n_sizes);
    if (status != PARE_OK || n_sizes != n) {
        return status != PARE_OK ? status : op_fail(o, "%d sizes for %d axes", n_sizes, n);
    }
    double common = 0.0;
    for (int i = 0; i < n; i++) {
        int64_t from = x->dims[axes[i]];
        if (sizes[i] < 1 || sizes[i] > SHAPES_MAX_DIM || from < 1) {
            return op_fail(o, "axis %d is resized from %lld to %lld", axes[i], (long long)from,
                           (long long)sizes[i]);
        }
        double scale = (double)sizes[i] / (double)from;
        bool better = aspect == PARE_ASPECT_NOT_LARGER ? scale < common : scale > common;
        common = i == 0 || better ? scale : common;
        r->resized[axes[i]] = true;
        r->scale[axes[i]] = scale;
        r->size[axes[i]] = sizes[i];
    }
    for (int i = 0; i < n && aspect != PARE_ASPECT_STRETCH; i++) {
        r->scale[axes[i]] = common;
        r->size[axes[i]] = (int64_t)(common * (double)x->dims[axes[i]] + 0.5);
    }
    return PARE_OK;
}

static enum pare_status resize_by_scales(const struct op_node *o, int n, const int *axes,
                                         struct op_resize *r)
{
    const struct pare_view *x = &o->in[0], *s = &o->in[2];
    if (!op_has(o, 2) || s->data == NULL || s->rank != 1 || s->dims[0] != n ||
        pk_dtype_size((enum pk_dtype)s->dtype) == 0) {
        return op_fail(o, "its scales (input 2) must be a constant list of %d numbers", n);
    }
    for (int i = 0; i < n; i++) {
        double scale = view_number(s, i), from = (double)x->dims[axes[i]];
        bool crop = o->node->attr.resize.coord == PARE_COORD_TF_CROP_AND_RESIZE;
        double part = crop ? r->roi_end[axes[i]] - r->roi_begin[axes[i]] : 1.0;
        /* In float32, as runtimes do it: 10 * 0.7f is 7. */
        double size = floor((double)((float)(from * part) * (float)scale));
        if (!(scale > 0.0) || !(size >= 1.0 && size <= (double)SHAPES_MAX_DIM)) {
            return op_fail(o, "axis %d of size %g is scaled by %g", axes[i], from, scale);
        }
        r->resized[axes[i]] = true;
        r->scale[axes[i]] = scale;
        r->size[axes[i]] = (int64_t)size;
    }
    return PARE_OK;
}

enum pare_status op_resize(const struct op_node *o, struct op_resize *r)
{
    const struct pare_view *x = &o->in[0];
    int axes[PARE_MAX_RANK], n;
    enum pare_status status = op_axes(o, -1, x->rank, &n, axes);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < x->rank; i++) {
        r->resized[i] = false;
        r->scale[i] = r->roi_end[i] = 1.0;
        r->roi_begin[i] = 0.0;
        r->size[i] = x->dims[i];
        axes[i] = n < 0 ? i : axes[i];
    }
    n = n < 0 ? x->rank : n;
    if (o->node->attr.resize.coord == PARE_COORD_TF_CROP_AND_RESIZE) {
        const struct pare_view *roi = &o->in[1];
        if (!op_has(o, 1) || roi->data == NULL || view_elements(roi) != 2 * n) {
            return op_fail(o, "its region (input 1) must be a constant list of %d numbers", 2 * n);
        }
        for (int i = 0; i < n; i++) {
            r->roi_begin[axes[i]] = view_number(roi, i);
            r->roi_end[axes[i]] = view_number(roi, n + i);
        }
    }
    return op_has(o, 3) ? resize_by_sizes(o, n, axes, r) : resize_by_scales(o, n, axes, r);
}
