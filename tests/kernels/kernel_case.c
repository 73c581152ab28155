/* kernel_case.c: memory, shapes and values of a random layer; its epilogue is in
 * kernel_epilogue.c. */
#include "kernel_case.h"

#include "support.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

bool kernel_case_is_depthwise(enum pk_family family)
{
    return strncmp(pk_family_name(family), "depthwise", 9) == 0;
}

bool kernel_case_is_integer(enum pk_family family)
{
    return strstr(pk_family_name(family), "_u") != NULL;
}

static bool is_f16(enum pk_family family)
{
    return strstr(pk_family_name(family), "_f16") != NULL;
}

bool kernel_case_is_fc(enum pk_family family)
{
    return strncmp(pk_family_name(family), "fc", 2) == 0;
}

/* Digits in the family's name: u<a>s<w>. */
static int weight_bits(enum pk_family family)
{
    return strrchr(pk_family_name(family), 's')[1] - '0';
}

static int code_bits(enum pk_family family)
{
    return strrchr(pk_family_name(family), 'u')[1] - '0';
}

size_t kernel_case_x_size(enum pk_family family)
{
    return kernel_case_is_integer(family) ? 1 : is_f16(family) ? 2 : 4;
}

size_t kernel_case_w_size(enum pk_family family)
{
    return kernel_case_x_size(family);
}

size_t kernel_case_n_weights(const struct kernel_case *k)
{
    const struct pk_conv *c = &k->conv;
    const int depth = kernel_case_is_depthwise(k->family) ? 1 : c->in_c / c->groups;
    return (size_t)c->out_c * (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)depth;
}

int kernel_case_int(struct kernel_case *k, int lo, int hi)
{
    const uint32_t span = (uint32_t)(hi - lo) + 1;
    return lo + (int)(test_random(&k->random) >> 8) % (int)span;
}

void *kernel_case_alloc(struct kernel_case *k, size_t n, size_t align)
{
    n += k->roomy ? 64 : 0;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t body = (n + align + page - 1) / page * page;
    assert_true(k->n_buffers < KERNEL_CASE_MAX_BUFFERS);
    char *map = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, body, PROT_READ | PROT_WRITE), 0);
    k->buffers[k->n_buffers].map = map;
    k->buffers[k->n_buffers++].bytes = body + 2 * page;
    memset(map + page, 0xa5, body);
    const bool at_start = align < 64 && kernel_case_int(k, 0, 3) == 0;
    return at_start ? map + page : map + page + (body - n) / align * align;
}

void kernel_case_init(struct kernel_case *k, enum pk_family family, uint32_t seed)
{
    memset(k, 0, sizeof *k);
    k->family = family;
    k->random = seed * 2654435761u + 12345u;
    k->in_place = -1;
}

void kernel_case_clear(struct kernel_case *k)
{
    for (int i = 0; i < k->n_buffers; i++) {
        munmap(k->buffers[i].map, k->buffers[i].bytes);
    }
    k->n_buffers = 0;
}

static int pick(struct kernel_case *k, const int *values, int n)
{
    return values[kernel_case_int(k, 0, n - 1)];
}

/* Output extent of one axis, or 0. */
static int extent(int in, int kernel, int stride, int dilation, int pad)
{
    const int room = in + pad - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
}

static void random_window(struct kernel_case *k)
{
    struct pk_conv *c = &k->conv;
    do {
        c->in_h = kernel_case_int(k, 1, 12);
        c->in_w = kernel_case_int(k, 1, 21);
        c->kernel_h = kernel_case_int(k, 1, 5);
        c->kernel_w = kernel_case_int(k, 0, 2) > 0 ? c->kernel_h : kernel_case_int(k, 1, 7);
        c->stride_h = kernel_case_int(k, 1, 3);
        c->stride_w = kernel_case_int(k, 0, 2) > 0 ? c->stride_h : kernel_case_int(k, 1, 3);
        c->dilation_h = kernel_case_int(k, 0, 3) > 0 ? 1 : 2;
        c->dilation_w = kernel_case_int(k, 0, 3) > 0 ? 1 : kernel_case_int(k, 1, 3);
        c->pad_top = kernel_case_int(k, 0, c->kernel_h - 1);
        c->pad_left = kernel_case_int(k, 0, c->kernel_w - 1);
        const int pad_bottom = kernel_case_int(k, 0, c->kernel_h);
        const int pad_right = kernel_case_int(k, 0, c->kernel_w);
        c->out_h =
            extent(c->in_h, c->kernel_h, c->stride_h, c->dilation_h, c->pad_top + pad_bottom);
        c->out_w =
            extent(c->in_w, c->kernel_w, c->stride_w, c->dilation_w, c->pad_left + pad_right);
    } while (c->out_h == 0 || c->out_w == 0);
}

static void pointwise_window(struct kernel_case *k, int h, int w)
{
    struct pk_conv *c = &k->conv;
    c->in_h = c->out_h = h;
    c->in_w = c->out_w = w;
    c->kernel_h = c->kernel_w = c->stride_h = c->stride_w = c->dilation_h = c->dilation_w = 1;
    c->pad_top = c->pad_left = 0;
}

void kernel_case_random_shape(struct kernel_case *k)
{
    static const int ins[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 32, 33, 40, 63, 64, 67, 96};
    static const int outs[] = {1,  2,  3,  7,  8,  9,  15, 16, 17,  24, 31,
                               32, 33, 40, 48, 63, 64, 65, 80, 127, 130};
    const int n_ins = (int)(sizeof ins / sizeof ins[0]),
              n_outs = (int)(sizeof outs / sizeof outs[0]);
    struct pk_conv *c = &k->conv;
    c->groups = 1;
    c->in_c = pick(k, ins, n_ins);
    c->out_c = pick(k, outs, n_outs);
    const int kind = kernel_case_int(k, 0, 9);
    if (kernel_case_is_fc(k->family)) {
        pointwise_window(k, 1, kind < 8 ? 1 : kernel_case_int(k, 2, 9));
        c->in_c = kind < 4 ? c->in_c : kernel_case_int(k, 1, 700);
        return;
    }
    if (kind < 3) {
        pointwise_window(k, kernel_case_int(k, 1, 9), kernel_case_int(k, 1, 15));
    } else {
        random_window(k);
    }
    if (kernel_case_is_depthwise(k->family)) {
        c->in_c = kind == 9 ? 130 : kind == 8 ? 71 : c->in_c;
        c->groups = c->in_c;
        c->out_c = c->in_c * (kernel_case_int(k, 0, 3) > 0 ? 1 : kernel_case_int(k, 2, 4));
    } else if (kind == 9) { /* groups */
        c->groups = kernel_case_int(k, 2, 4);
        c->in_c = c->groups * kernel_case_int(k, 1, 19);
        c->out_c = c->groups * kernel_case_int(k, 1, 37);
    } else if (kind == 8) { /* a first layer */
        c->in_c = kernel_case_int(k, 1, 4);
    } else if (kind == 7) {
        c->in_c = kernel_case_int(k, 100, 300);
    }
}

/* A float that the family's type holds exactly. */
static void put_float(const struct kernel_case *k, void *at, size_t i, float value)
{
    if (is_f16(k->family)) {
        pk_f32_to_f16(PK_REF, &value, 1, (uint16_t *)at + i);
    } else {
        ((float *)at)[i] = value;
    }
}

static float random_float(struct kernel_case *k, int denominator)
{
    if (k->values == KERNEL_REAL) {
        return (float)kernel_case_int(k, -30000, 30000) / 30000.0f;
    }
    return (float)kernel_case_int(k, -8, 8) / (float)denominator;
}

static void fill_x(struct kernel_case *k, size_t n)
{
    const int most = kernel_case_is_integer(k->family) ? (1 << code_bits(k->family)) - 1 : 0;
    for (size_t i = 0; i < n; i++) {
        if (!kernel_case_is_integer(k->family)) {
            put_float(k, k->x, i, random_float(k, 4));
        } else if (k->values == KERNEL_EXTREME) {
            ((uint8_t *)k->x)[i] = (uint8_t)(kernel_case_int(k, 0, 7) > 0 ? most : 0);
        } else {
            ((uint8_t *)k->x)[i] = (uint8_t)kernel_case_int(k, 0, most);
        }
    }
}

/* Output channel of weight i. */
static int channel_of(const struct kernel_case *k, size_t i)
{
    const size_t out_c = (size_t)k->conv.out_c;
    return (int)(kernel_case_is_depthwise(k->family) ? i % out_c
                                                     : i / (kernel_case_n_weights(k) / out_c));
}

static void fill_weights(struct kernel_case *k)
{
    const size_t n = kernel_case_n_weights(k);
    const int zero_channel = kernel_case_int(k, 0, k->conv.out_c); /* out_c: none */
    const int low_channels = kernel_case_int(k, 2, 5);
    const int bits = kernel_case_is_integer(k->family) ? weight_bits(k->family) : 8;
    const bool one_bit = bits == 1;
    const int most = one_bit ? 1 : (1 << (bits - 1)) - 1, lowest = one_bit ? -1 : -most - 1;
    /* kernels may treat a weight of -128 apart */
    const int least = one_bit ? -1 : kernel_case_int(k, lowest, lowest + 1);
    for (size_t i = 0; i < n; i++) {
        const int channel = channel_of(k, i);
        const bool zero = channel == zero_channel;
        if (!kernel_case_is_integer(k->family)) {
            put_float(k, k->weights, i, zero ? 0 : random_float(k, 8));
        } else if (k->values == KERNEL_EXTREME) {
            ((int8_t *)k->weights)[i] = (int8_t)(zero ? 0 : channel % low_channels == 0 ? least : most);
        } else {
            ((int8_t *)k->weights)[i] = zero ? 0 : (int8_t)kernel_case_int(k, least, most);
            if (one_bit && !zero) {
                ((int8_t *)k->weights)[i] = ((int8_t *)k->weights)[i] < 0 ? -1 : 1;
            }
        }
    }
}

void kernel_case_random_values(struct kernel_case *k, enum kernel_values values)
{
    const struct pk_conv *c = &k->conv;
    const size_t n = (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
    const size_t size = kernel_case_x_size(k->family);
    k->values = values;
    const int most = kernel_case_is_integer(k->family) ? (1 << code_bits(k->family)) - 1 : 255;
    k->pad_code = values == KERNEL_EXTREME ? most : kernel_case_int(k, 0, most);
    k->x = kernel_case_alloc(k, n * size, size);
    k->weights =
        kernel_case_alloc(k, kernel_case_n_weights(k) * kernel_case_w_size(k->family), size);
    fill_x(k, n);
    fill_weights(k);
}

void kernel_case_run(struct kernel_case *k, const struct pk_layer_kernel *kernel)
{
    const size_t bytes = kernel->packed_size(&k->conv);
    assert_true(bytes > 0);
    void *packed = kernel_case_alloc(k, bytes, 64);
    void *scratch = kernel_case_alloc(k, kernel->scratch_size(&k->conv), 64);
    kernel->pack(&k->conv, k->weights, packed);
    kernel->run(&k->conv, k->x, k->pad_code, packed, &k->epilogue, scratch);
}

void kernel_case_describe(const struct kernel_case *k, char *text, size_t n)
{
    const struct pk_conv *c = &k->conv;
    int at = snprintf(
        text, n,
        "%s in %dx%dx%d out %dx%dx%d kernel %dx%d stride %d,%d dilation %d,%d pad %d,%d groups %d, "
        "values %d, pad code %d, bias %d, weight zero %d, in place %d, steps",
        pk_family_name(k->family), c->in_h, c->in_w, c->in_c, c->out_h, c->out_w, c->out_c,
        c->kernel_h, c->kernel_w, c->stride_h, c->stride_w, c->dilation_h, c->dilation_w,
        c->pad_top, c->pad_left, c->groups, (int)k->values, k->pad_code,
        k->epilogue.bias_i32 != NULL, k->epilogue.weight_zero != NULL, k->in_place);
    for (int i = 0; i < k->epilogue.n_steps && at > 0 && (size_t)at < n; i++) {
        at += snprintf(text + at, n - (size_t)at, " %d/%d", (int)k->steps[i].op,
                       (int)k->steps[i].type);
    }
    for (int i = 0; i < k->epilogue.n_outs && at > 0 && (size_t)at < n; i++) {
        at += snprintf(text + at, n - (size_t)at, ", out type %d pitch %d", (int)k->outs[i].type,
                       (int)k->outs[i].pitch);
    }
}
