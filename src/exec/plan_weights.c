/*
 * plan_weights.c: weights in the kernels' packed layout, shared between plans.
 *
 * A transposed convolution runs as one ordinary convolution per output phase. With stride s, output
 * row o = q * s + phase is reached by the taps k with (phase + pad - k * dilation) divisible by s,
 * from input row (o + pad - k * dilation) / s: for one phase a convolution over q with stride 1,
 * its taps in reverse order. So there are no stuffed zeros, and an absent tap adds nothing.
 *
 * A layer whose weights have scales for groups of input channels runs as one convolution per group, on a copy of that
 * group's input channels; the epilogue of each adds to a plane of float32 sums (plan_layer.c).
 */
#include "base/pages.h"
#include "exec/plan_parts.h"
#include "quant/wide.h"

#include <stdlib.h>
#include <string.h>

struct pare_pack_cache *pare_pack_cache_new(void)
{
    return calloc(1, sizeof(struct pare_pack_cache));
}

static void free_entries(struct pare_pack_cache *cache)
{
    while (cache->first != NULL) {
        struct plan_weights *w = cache->first;
        cache->first = w->next;
        for (int i = 0; i < w->n_calls; i++) {
            free(w->calls[i].packed);
        }
        pare_arena_clear(&w->arena);
        free(w);
    }
}

void pare_pack_cache_free(struct pare_pack_cache *cache)
{
    if (cache != NULL) {
        free_entries(cache);
        free(cache);
    }
}

void plan_weights_clear(struct pare_plan *p)
{
    free_entries(&p->own_cache);
}

static enum pk_family family_of(const struct pare_graph *g, int node, struct pare_level level,
                                const struct pk_conv *c)
{
    const bool depthwise = g->nodes[node].op == PARE_OP_DEPTHWISE;
    const bool fc = g->nodes[node].op == PARE_OP_FULLY_CONNECTED && c->out_w == 1;
    if (level.kind == PARE_LEVEL_INT && level.w_bits == 1 && level.a_bits == 1 && !depthwise &&
        g->nodes[node].op != PARE_OP_CONV_TRANSPOSE) { /* whose phases have taps of 0 */
        return fc ? PK_FC_U1S1 : PK_CONV_U1S1;
    }
    const enum pk_family base = level.kind == PARE_LEVEL_INT    ? PK_CONV_U8S8
                                : level.kind == PARE_LEVEL_FP16 ? PK_CONV_F16
                                                                : PK_CONV_F32;
    return (enum pk_family)((int)base + (depthwise ? 1 : fc ? 2 : 0));
}

/* Are all codes within -half..half - 1? (A file's own 4-bit codes may be unsigned.) */
static bool codes_fit(const struct pare_weight_codes *codes, int half)
{
    for (int64_t i = 0; i < codes->n_channels * codes->per_channel; i++) {
        if (codes->codes[i] < -half || codes->codes[i] >= half) {
            return false;
        }
    }
    return true;
}

/* Is every channel of -1 and +1 alone, or of 0 alone? Then its first code tells which. */
static bool signs_only(const struct pare_weight_codes *codes)
{
    for (int64_t i = 0; i < codes->n_channels * codes->per_channel; i++) {
        const int first = codes->codes[i / codes->per_channel * codes->per_channel];
        if (codes->codes[i] < -1 || codes->codes[i] > 1 ||
            (codes->codes[i] == 0) != (first == 0)) {
            return false;
        }
    }
    return true;
}

/* The family for these codes whatever their bits. */
static enum pk_family bytes_family(enum pk_family asked)
{
    return asked == PK_CONV_U1S1 ? PK_CONV_U8S8 : asked == PK_FC_U1S1 ? PK_FC_U8S8 : asked;
}

/* The family that keeps these codes packed, or the one of bytes. */
static enum pk_family packed_family(enum pk_family asked, int w_bits,
                                    const struct pare_weight_codes *codes)
{
    const enum pk_family bytes = bytes_family(asked);
    const int kind = (int)bytes - PK_CONV_U8S8;
    if (w_bits == 1 && asked != bytes && signs_only(codes)) {
        return asked;
    }
    if (w_bits <= 2 && codes_fit(codes, 2)) {
        return (enum pk_family)(PK_CONV_U8S2 + kind);
    }
    return w_bits <= 4 && codes_fit(codes, 8) ? (enum pk_family)(PK_CONV_U8S4 + kind) : bytes;
}

/* Where an instruction set has no packed kernel for a shape, wider codes are the faster way; one-bit codes may be
 * faster on two bits. */
static const struct pk_layer_kernel *choose_kernel(const struct plan_weights *w,
                                                   const struct pk_conv *c)
{
    const enum pk_family bytes = bytes_family(w->asked);
    const bool one_bit = w->family == w->asked && w->asked != bytes;
    const enum pk_family two_bits = one_bit ? (enum pk_family)(PK_CONV_U8S2 + (int)bytes - PK_CONV_U8S8) : w->family;
    const enum pk_family ways[] = {w->family, two_bits};
    const struct pk_layer_kernel *kernel = pk_kernel_among(ways, one_bit ? 2 : 1, w->isa, c);
    const bool is_reference = kernel == pk_kernel(ways[0], PK_REF) || kernel == pk_kernel(ways[1], PK_REF);
    return is_reference && w->isa != PK_REF ? pk_kernel_for(bytes, w->isa, c) : kernel;
}

/* One axis of one phase of a transposed convolution. */
struct phase_axis {
    int first, step;        /* taps first, first + step, ... of the kernel */
    int taps, extra;        /* real taps, and zero taps in front that make the pad non-negative */
    int dilation, pad, out; /* of the phase's convolution */
};

static struct phase_axis phase_axis(int phase, int stride, int kernel, int dilation, int pad,
                                    int out)
{
    struct phase_axis a = {.first = -1, .step = kernel, .dilation = 1};
    a.out = (out - phase + stride - 1) / stride;
    for (int k = 0; k < kernel; k++) {
        if ((phase + pad - k * dilation) % stride != 0) {
            continue;
        }
        if (a.taps == 0) {
            a.first = k;
        } else if (a.taps == 1) {
            a.step = k - a.first;
        }
        a.taps++;
    }
    if (a.taps == 0) {
        a.extra = 1;
        return a;
    }
    a.dilation = a.taps > 1 ? a.step * dilation / stride : 1;
    /* tap j (from the last) reads input row q + shift - (taps - 1 - j) * dilation */
    const int shift = (phase + pad - a.first * dilation) / stride;
    a.pad = (a.taps - 1) * a.dilation - shift;
    while (a.pad < 0) {
        a.extra++;
        a.pad += a.dilation;
    }
    return a;
}

/* Kernel index of tap t of the phase, -1 = a zero tap. */
static int phase_tap(const struct phase_axis *a, int t)
{
    return t < a->extra ? -1 : a->first + (a->taps - 1 - (t - a->extra)) * a->step;
}

/* Copies elements of `size` bytes: the phase's weights out of [O][kh][kw][I]. A zero tap is the
 * number 0, or the channel's zero point. */
static void gather_phase(const struct pk_conv *full, const struct phase_axis *y,
                         const struct phase_axis *x, const struct pk_conv *c, const char *from,
                         size_t size, const int32_t *zero, char *to)
{
    char fill[sizeof(float)] = {0};
    const size_t depth = (size_t)(full->in_c / full->groups);
    for (int o = 0; o < full->out_c; o++) {
        fill[0] = zero != NULL ? (char)zero[o] : 0;
        for (int ty = 0; ty < c->kernel_h; ty++) {
            for (int tx = 0; tx < c->kernel_w; tx++) {
                const int ky = phase_tap(y, ty), kx = phase_tap(x, tx);
                const size_t at =
                    ((size_t)o * (size_t)full->kernel_h + (size_t)ky) * (size_t)full->kernel_w;
                for (size_t i = 0; i < depth; i++, to += size) {
                    memcpy(to,
                           ky < 0 || kx < 0 ? fill : from + ((at + (size_t)kx) * depth + i) * size,
                           size);
                }
            }
        }
    }
}

/* What the kernels pack, in the layout of graph.h, and the codes it came from. */
struct source {
    enum pk_family family;
    size_t size; /* of an element */
    char *data;
    const struct pare_weight_codes *codes; /* integer levels */
};

static void sum_codes(const struct pk_conv *c, const int8_t *codes, bool depthwise, int64_t k,
                      int32_t *sum)
{
    for (int64_t o = 0; o < c->out_c; o++) {
        sum[o] = 0;
        for (int64_t i = 0; i < k; i++) {
            sum[o] += codes[depthwise ? i * c->out_c + o : o * k + i];
        }
    }
}

/* Packs one call's weights (already gathered). */
static enum pare_status pack_call(struct plan_weights *w, struct plan_call_weights *call,
                                  const struct source *source, const char *data,
                                  struct pare_error *err)
{
    const struct pk_conv *c = &call->conv;
    const bool depthwise = w->graph->nodes[w->node].op == PARE_OP_DEPTHWISE;
    call->kernel = choose_kernel(w, c);
    call->family = w->family;
    call->packed_bytes = call->kernel->packed_size(c);
    if (call->packed_bytes == 0 || call->packed_bytes > SIZE_MAX / 2) {
        return pare_error(err, PARE_ERR_INTERNAL, w->graph->nodes[w->node].name,
                          "no kernel for this layer");
    }
    call->packed = pare_pages_alloc(call->packed_bytes);
    if (call->packed == NULL) {
        return pare_error_nomem(err);
    }
    call->kernel->pack(c, data, call->packed);
    call->k = (int64_t)c->kernel_h * c->kernel_w * (depthwise ? 1 : c->in_c / c->groups);
    if (source->codes != NULL) {
        call->sum = pare_arena_array(&w->arena, (size_t)c->out_c, sizeof *call->sum);
        if (call->sum == NULL) {
            return pare_error_nomem(err);
        }
        sum_codes(c, (const int8_t *)data, depthwise, call->k, call->sum);
    }
    return PARE_OK;
}

/* Scales and zero points of a call of one part. */
static void call_scales(const struct plan_weights *w, struct plan_call_weights *call, int part)
{
    const size_t first = (size_t)part * (size_t)w->channels;
    call->scale = w->scale != NULL ? w->scale + first : NULL;
    call->zero_point = w->zero_point != NULL ? w->zero_point + first : NULL;
}

static enum pare_status pack_phase(struct plan_weights *w, struct plan_call_weights *call,
                                   const struct pk_conv *full, const struct source *source,
                                   struct pare_error *err)
{
    const struct phase_axis y = phase_axis(call->phase_y, full->stride_h, full->kernel_h,
                                           full->dilation_h, full->pad_top, full->out_h);
    const struct phase_axis x = phase_axis(call->phase_x, full->stride_w, full->kernel_w,
                                           full->dilation_w, full->pad_left, full->out_w);
    struct pk_conv *c = &call->conv;
    *c = *full;
    c->out_h = y.out;
    c->out_w = x.out;
    c->kernel_h = y.taps + y.extra;
    c->kernel_w = x.taps + x.extra;
    c->stride_h = c->stride_w = 1;
    c->dilation_h = y.dilation;
    c->dilation_w = x.dilation;
    c->pad_top = y.pad;
    c->pad_left = x.pad;
    const size_t n = (size_t)c->out_c * (size_t)c->kernel_h * (size_t)c->kernel_w *
                     (size_t)(c->in_c / c->groups);
    char *data = malloc(n * source->size + 1);
    if (data == NULL) {
        return pare_error_nomem(err);
    }
    const int32_t *zero = source->codes != NULL ? call->zero_point : NULL;
    gather_phase(full, &y, &x, c, source->data, source->size, zero, data);
    enum pare_status status = pack_call(w, call, source, data, err);
    free(data);
    return status;
}

static enum pare_status pack_transposed(struct plan_weights *w, const struct pk_conv *full, int part,
                                        const struct source *source, struct pare_error *err)
{
    const int phases = full->stride_h * full->stride_w;
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < phases; i++) {
        struct plan_call_weights *call = &w->calls[w->n_calls];
        call->phase_y = i / full->stride_w;
        call->phase_x = i % full->stride_w;
        call_scales(w, call, part);
        if (call->phase_y < full->out_h && call->phase_x < full->out_w) {
            w->n_calls++;
            status = pack_phase(w, call, full, source, err);
        }
    }
    return status;
}

/* One group of input channels, or all of them. */
static enum pare_status pack_part(struct plan_weights *w, const struct pk_conv *conv, int part,
                                  const struct source *source, struct pare_error *err)
{
    if (w->graph->nodes[w->node].op == PARE_OP_CONV_TRANSPOSE) {
        return pack_transposed(w, conv, part, source, err);
    }
    struct plan_call_weights *call = &w->calls[w->n_calls++];
    call->conv = *conv;
    call_scales(w, call, part);
    return pack_call(w, call, source, source->data, err);
}

/* The codes of the group of m input channels from `first` on: [O][taps][m]. */
static void gather_group(const struct pare_weight_codes *codes, int64_t depth, int64_t first, int64_t m, int8_t *to)
{
    const int64_t rows = codes->n_channels * (codes->per_channel / depth);
    for (int64_t i = 0; i < rows; i++, to += m) {
        memcpy(to, codes->codes + i * depth + first, (size_t)m);
    }
}

static enum pare_status pack_groups(struct plan_weights *w, const struct pk_conv *conv, const struct source *source,
                                    struct pare_arena *arena, struct pare_error *err)
{
    const int depth = conv->in_c / conv->groups;
    enum pare_status status = PARE_OK;
    int8_t *data = pare_arena_alloc(arena, (size_t)(source->codes->n_channels * source->codes->per_channel));
    if (data == NULL) {
        return pare_error_nomem(err);
    }
    for (int part = 0; status == PARE_OK && part < w->n_parts; part++) {
        const int first = part * w->part, m = depth - first < w->part ? depth - first : w->part;
        struct pare_weight_codes codes = *source->codes;
        struct pk_conv c = *conv;
        c.in_c = conv->groups * m;
        gather_group(source->codes, depth, first, m, data);
        codes.codes = data;
        codes.per_channel = codes.per_channel / depth * m;
        codes.n_groups = 1;
        w->family = packed_family(w->asked, w->w_bits, &codes);
        status = pack_part(w, &c, part, &(struct source){w->family, 1, (char *)data, &codes}, err);
    }
    return status;
}

static enum pare_status pack_all(struct plan_weights *w, const struct pk_conv *conv,
                                 const struct source *source, struct pare_arena *arena, struct pare_error *err)
{
    const bool transposed = w->graph->nodes[w->node].op == PARE_OP_CONV_TRANSPOSE;
    const size_t phases = transposed ? (size_t)conv->stride_h * (size_t)conv->stride_w : 1;
    w->calls = pare_arena_array(&w->arena, phases * (size_t)w->n_parts, sizeof *w->calls);
    if (w->calls == NULL) {
        return pare_error_nomem(err);
    }
    return w->n_parts > 1 ? pack_groups(w, conv, source, arena, err) : pack_part(w, conv, 0, source, err);
}

/* Channel and group of code i, as an index of scales and zero points. */
static int64_t scale_of(const struct pare_weight_codes *codes, bool depthwise, int64_t depth, int64_t i)
{
    const int64_t c = depthwise ? i % codes->n_channels : i / codes->per_channel;
    return codes->n_groups > 1 ? i % depth / codes->group * codes->n_channels + c : c;
}

/* Input channels of a dense layer's tap. */
static int64_t depth_of(const struct plan_weights *w)
{
    struct pk_conv c;
    int64_t batch;
    plan_layer_geometry(w->graph, w->node, &c, &batch);
    return c.in_c / c.groups;
}

/* Keeps what the epilogue needs of the codes. */
static enum pare_status keep_codes(struct plan_weights *w, const struct pare_weight_codes *codes,
                                   struct pare_error *err)
{
    const size_t n = (size_t)codes->n_channels * (size_t)codes->n_groups;
    w->n_parts = codes->n_groups;
    w->part = codes->group;
    w->scale = pare_arena_array(&w->arena, n, sizeof *w->scale);
    if (w->scale == NULL) {
        return pare_error_nomem(err);
    }
    memcpy(w->scale, codes->scale, n * sizeof *w->scale);
    if (codes->zero_point != NULL) {
        w->zero_point = pare_arena_array(&w->arena, n, sizeof *w->zero_point);
        if (w->zero_point == NULL) {
            return pare_error_nomem(err);
        }
        memcpy(w->zero_point, codes->zero_point, n * sizeof *w->zero_point);
    }
    const bool depthwise = w->graph->nodes[w->node].op == PARE_OP_DEPTHWISE;
    const int64_t depth = depth_of(w);
    for (int64_t i = 0; i < codes->n_channels * codes->per_channel; i++) {
        const int zero = codes->zero_point != NULL ? codes->zero_point[scale_of(codes, depthwise, depth, i)] : 0;
        const int code = abs(codes->codes[i] - zero);
        w->max_code = code > w->max_code ? code : w->max_code;
    }
    return PARE_OK;
}

/* Real value of code i. */
static float real_weight(const struct pare_weight_codes *codes, bool depthwise, int64_t depth, int64_t i)
{
    const int64_t at = scale_of(codes, depthwise, depth, i);
    if (codes->real != NULL) {
        return codes->real[i];
    }
    return codes->scale[at] * (float)(codes->codes[i] - (codes->zero_point != NULL ? codes->zero_point[at] : 0));
}

static enum pare_status keep_correction(struct plan_weights *w, const struct pare_weight_codes *codes,
                                        struct pare_error *err)
{
    const size_t n = (size_t)codes->n_channels;
    if (codes->correction == NULL) {
        return PARE_OK;
    }
    w->correction = pare_arena_array(&w->arena, n, sizeof *w->correction);
    if (w->correction == NULL) {
        return pare_error_nomem(err);
    }
    memcpy(w->correction, codes->correction, n * sizeof *w->correction);
    return PARE_OK;
}

/* What a plan asks for. */
struct plan_wish {
    struct pare_level level;
    const struct pare_maker *maker;
    const struct pare_grid *x; /* that the layer reads */
};

/* Fills source with the weights at the level: codes, halves or floats. `arena` is temporary. */
static enum pare_status load_source(struct plan_weights *w, const struct plan_wish *wish,
                                    struct pare_arena *arena, struct pare_weight_codes *codes,
                                    struct source *source, struct pare_error *err)
{
    const struct pare_level level = wish->level;
    const int64_t n = pare_node_weights(w->graph, w->node);
    const bool depthwise = w->graph->nodes[w->node].op == PARE_OP_DEPTHWISE;
    enum pare_status status = PARE_OK;
    const bool real_grid = level.kind == PARE_LEVEL_WEIGHT_ONLY || pare_level_simulated(level);
    const struct pare_method *method = wish->maker != NULL ? &wish->maker->methods[w->node] : NULL;
    const bool few = method != NULL && (method->weights == PARE_WEIGHTS_BINARY || method->weights == PARE_WEIGHTS_TERNARY);
    const bool wide = level.w_bits == 16 && real_grid && !few; /* no bytes hold these codes */
    if (!wide && (level.kind == PARE_LEVEL_INT || real_grid)) {
        status = wish->maker != NULL
                     ? pare_maker_weights(wish->maker, w->node, level, wish->x, arena, codes, err)
                     : pare_weights_quantize(w->graph, w->node, level.w_bits, arena, codes, err);
        if (status == PARE_OK) {
            status = keep_correction(w, codes, err);
        }
        if (status == PARE_OK && level.kind == PARE_LEVEL_INT) {
            source->size = 1;
            source->data = (char *)codes->codes;
            source->codes = codes;
            return keep_codes(w, codes, err);
        }
    }
    float *real = pare_arena_array(arena, (size_t)n, sizeof *real);
    uint16_t *half =
        level.kind == PARE_LEVEL_FP16 ? pare_arena_array(arena, (size_t)n, sizeof *half) : NULL;
    if (status == PARE_OK && (real == NULL || (level.kind == PARE_LEVEL_FP16 && half == NULL))) {
        return pare_error_nomem(err);
    }
    if (status == PARE_OK && (wide || !real_grid)) {
        status = wide ? pare_weights_wide(w->graph, w->node, method, real, err) : pare_weights_f32(w->graph, w->node, real, err);
    }
    const int64_t depth = depth_of(w);
    for (int64_t i = 0; status == PARE_OK && real_grid && !wide && i < n; i++) {
        real[i] = real_weight(codes, depthwise, depth, i);
    }
    source->size = half != NULL ? sizeof *half : sizeof *real;
    source->data = half != NULL ? (char *)half : (char *)real;
    if (status == PARE_OK && half != NULL) {
        pk_f32_to_f16(w->isa, real, (size_t)n, half);
    }
    return status;
}

static enum pare_status make_weights(struct plan_weights *w, const struct plan_wish *wish,
                                     const struct pk_conv *conv, struct pare_error *err)
{
    struct pare_arena temporary = {0};
    struct pare_weight_codes codes = {0};
    struct source source = {.family = w->family};
    enum pare_status status = load_source(w, wish, &temporary, &codes, &source, err);
    if (status == PARE_OK && source.codes != NULL) {
        w->family = packed_family(w->asked, w->w_bits, &codes);
    }
    if (status == PARE_OK) {
        status = pack_all(w, conv, &source, &temporary, err);
    }
    pare_arena_clear(&temporary);
    return status;
}

enum pare_status plan_weights_get(struct pare_plan *p, int node, const struct pare_grid *x,
                                  const struct plan_weights **weights, struct pare_error *err)
{
    struct pk_conv conv;
    int64_t batch;
    const struct pare_level level = p->levels[node];
    plan_layer_geometry(p->graph, node, &conv, &batch);
    const enum pk_family family = family_of(p->graph, node, level, &conv);
    /* the grid of an input follows from its bits: one calibration per cache */
    const int a_bits = p->maker != NULL ? level.a_bits : 0;
    const bool made = level.kind == PARE_LEVEL_INT || level.kind == PARE_LEVEL_WEIGHT_ONLY || pare_level_simulated(level);
    const int maker = made && p->maker != NULL ? p->maker->id : 0;
    struct plan_weights *w;
    for (w = p->cache->first; w != NULL; w = w->next) {
        if (w->graph == p->graph && w->node == node && w->asked == family && w->isa == p->isa &&
            w->w_bits == level.w_bits && w->a_bits == a_bits && w->maker == maker) {
            *weights = w;
            return PARE_OK;
        }
    }
    w = calloc(1, sizeof *w);
    if (w == NULL) {
        return pare_error_nomem(err);
    }
    w->next = p->cache->first;
    p->cache->first = w;
    w->graph = p->graph;
    w->node = node;
    w->asked = w->family = family;
    w->w_bits = level.w_bits;
    w->a_bits = a_bits;
    w->maker = maker;
    w->isa = p->isa;
    w->n_parts = 1;
    w->channels = pare_node_out_channels(p->graph, node);
    *weights = w;
    enum pare_status status = make_weights(w, &(struct plan_wish){level, p->maker, x}, &conv, err);
    if (status != PARE_OK) { /* a half-made entry must not be found again */
        w->node = -1;
    }
    return status;
}
