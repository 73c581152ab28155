/* shape.c: which input pixel a tap reads, and how many weights a layer has. */
#include "ref.h"

ptrdiff_t pk_ref_tap(const struct pk_conv *c, int oy, int ox, int ky, int kx)
{
    const int y = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
    const int x = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
    if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w) {
        return -1;
    }
    return (ptrdiff_t)y * c->in_w + x;
}

size_t pk_ref_dense_weights(const struct pk_conv *c)
{
    return (size_t)c->out_c * (size_t)c->kernel_h * (size_t)c->kernel_w *
           (size_t)(c->in_c / c->groups);
}

size_t pk_ref_depthwise_weights(const struct pk_conv *c)
{
    return (size_t)c->out_c * (size_t)c->kernel_h * (size_t)c->kernel_w;
}

size_t pk_ref_no_scratch(const struct pk_conv *c)
{
    (void)c;
    return 0;
}
