/*
 * Every layer kernel of kernels.inc against the portable reference: random shapes, epilogues and
 * extreme codes, arrays against guard pages. Integers: the same bytes. Floats: the same bytes
 * where fp32 sums are exact, else within K * 2^-24 * sum |x * w| of the reference.
 */
#include "support.h"

#include "kernel_case.h"
#include "pk_tables.h"

#include <math.h>
#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
enum { CASES = 220 };
#elif defined(PARE_EMULATED)
enum { CASES = 50 };
#else
enum { CASES = 600 };
#endif

struct entry {
    enum pk_family family;
    enum pk_isa isa;
    const struct pk_layer_kernel *kernel;
};

#define PK_CONVERT(isa, suffix)
#define PK_KERNEL(family, isa, name) {family, isa, &pk_##name},
static const struct entry entries[] = {
#include "kernels.inc"
};
#undef PK_KERNEL
#undef PK_CONVERT
enum { N_ENTRIES = sizeof entries / sizeof entries[0] };

static const struct pk_layer_kernel *reference(enum pk_family family)
{
    return pk_kernel(family, PK_REF);
}

static void explain(const struct kernel_case *k, const struct entry *entry, uint32_t seed, int out,
                    size_t at)
{
    char text[1024];
    kernel_case_describe(k, text, sizeof text);
    fail_msg("%s seed %u: output %d differs at byte %zu: %s", entry->kernel->name, seed, out, at,
             text);
}

static void compare_bytes(const struct kernel_case *k, const struct entry *entry, uint32_t seed,
                          void *const *want)
{
    for (int i = 0; i < k->epilogue.n_outs; i++) {
        const uint8_t *a = want[i], *b = k->outs[i].data;
        for (size_t j = 0; j < k->out_bytes[i]; j++) {
            if (a[j] != b[j]) {
                explain(k, entry, seed, i, j);
            }
        }
    }
}

/* Runs the case by reference and by the kernel; false when the kernel declines the shape. */
static bool check_exact(struct kernel_case *k, const struct entry *entry, uint32_t seed)
{
    void *want[PK_MAX_OUTS];
    if (entry->kernel->packed_size(&k->conv) == 0) {
        return false;
    }
    kernel_case_new_outputs(k);
    kernel_case_run(k, reference(k->family));
    for (int i = 0; i < k->epilogue.n_outs; i++) {
        want[i] = k->outs[i].data;
    }
    kernel_case_new_outputs(k);
    kernel_case_run(k, entry->kernel);
    compare_bytes(k, entry, seed, want);
    return true;
}

static bool usable(const struct entry *entry)
{
    return entry->isa != PK_REF && pk_isa_supported(entry->isa);
}

/* This one leaves unusual windows to the sets below. */
static bool declines(const struct entry *entry)
{
    return entry->family == PK_DEPTHWISE_F16 && entry->isa == PK_AVX512FP16;
}

static void every_kernel_equals_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        int done = 0;
        for (uint32_t seed = 0; usable(&entries[i]) && seed < CASES; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed);
            kernel_case_random_shape(&k);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            kernel_case_random_epilogue(&k);
            done += check_exact(&k, &entries[i], seed);
            kernel_case_clear(&k);
        }
        printf("%-28s %s\n", entries[i].kernel->name,
               entries[i].isa == PK_REF ? "is the reference"
               : usable(&entries[i])    ? ""
                                        : "SKIP: not on this machine");
        if (usable(&entries[i])) {
            assert_true(done > (declines(&entries[i]) ? CASES / 20 : CASES / 2));
        }
    }
}

/* Shapes of real networks and shapes that exceed every internal block. */
static const struct pk_conv large[] = {
    /* in_h, in_w, in_c, out_h, out_w, out_c, kernel, stride, dilation, pad, groups */
    {23, 17, 256, 23, 17, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1},
    {40, 40, 64, 40, 40, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1},
    {65, 33, 3, 33, 17, 24, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    {1, 1, 5000, 1, 1, 70, 1, 1, 1, 1, 1, 1, 0, 0, 1},
    {3, 3, 1024, 1, 1, 65, 3, 3, 1, 1, 1, 1, 0, 0, 1},
    {1, 700, 24, 1, 700, 130, 1, 1, 1, 1, 1, 1, 0, 0, 1},
    {1, 26, 1030, 1, 26, 600, 1, 1, 1, 1, 1, 1, 0, 0, 1},
};
static const struct pk_conv large_depthwise[] = {
    {40, 40, 64, 40, 40, 64, 5, 5, 1, 1, 1, 1, 2, 2, 64},
    {41, 39, 130, 20, 20, 130, 3, 3, 2, 2, 1, 1, 0, 1, 130},
    {9, 300, 16, 9, 300, 16, 3, 3, 1, 1, 1, 1, 1, 1, 16},
    {17, 17, 48, 17, 17, 96, 3, 3, 1, 1, 1, 1, 1, 1, 48},
};

/* Packing codes of few bits changes nothing but their place: the reference on bytes says the same. */
static void packed_codes_mean_what_bytes_mean(void **state)
{
    static const struct {
        enum pk_family packed, bytes;
    } pairs[] = {{PK_CONV_U8S4, PK_CONV_U8S8}, {PK_DEPTHWISE_U8S4, PK_DEPTHWISE_U8S8},
                 {PK_FC_U8S4, PK_FC_U8S8},     {PK_CONV_U8S2, PK_CONV_U8S8},
                 {PK_FC_U8S2, PK_FC_U8S8},     {PK_DEPTHWISE_U8S2, PK_DEPTHWISE_U8S8},
                 {PK_CONV_U1S1, PK_CONV_U8S8}, {PK_FC_U1S1, PK_FC_U8S8}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct entry bytes = {pairs[i].packed, PK_REF, reference(pairs[i].bytes)};
        for (uint32_t seed = 0; seed < CASES / 10; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, pairs[i].packed, seed);
            kernel_case_random_shape(&k);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            kernel_case_random_epilogue(&k);
            assert_true(check_exact(&k, &bytes, seed));
            kernel_case_clear(&k);
        }
    }
}

/* A layer's packed weights take their bits, where K fills whole vectors, and at most 8 bytes a channel
 * beside them. (The reference keeps one bit in two.) */
static void packed_codes_take_their_share_of_memory(void **state)
{
    (void)state;
    const struct pk_conv *c = &large[1];
    for (int i = 0; i < N_ENTRIES; i++) {
        const enum pk_family f = entries[i].family;
        const size_t share = f == PK_CONV_U8S4 ? 2 : f == PK_CONV_U8S2 ? 4 : f == PK_CONV_U1S1 ? 8 : 0;
        const size_t bytes = (size_t)c->in_c * (size_t)c->out_c, packed = entries[i].kernel->packed_size(c);
        if (share > 0 && (share < 8 || usable(&entries[i])) && packed > 0) {
            assert_true(packed >= bytes / share && packed <= bytes / share + 8 * (size_t)c->out_c);
        }
    }
}

static void large_shapes_equal_the_reference(void **state)
{
    (void)state;
    const int n_dense = sizeof large / sizeof large[0],
              n_depthwise = sizeof large_depthwise / sizeof large_depthwise[0];
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool depthwise = kernel_case_is_depthwise(entries[i].family);
        const bool fc = kernel_case_is_fc(entries[i].family);
        for (int j = fc ? 3 : 0; usable(&entries[i]) && j < (fc          ? 4
                                                             : depthwise ? n_depthwise
                                                                         : n_dense);
             j++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, (uint32_t)j);
            k.conv = depthwise ? large_depthwise[j] : large[j];
            kernel_case_random_values(&k, KERNEL_EXACT);
            kernel_case_random_epilogue(&k);
            assert_true(check_exact(&k, &entries[i], (uint32_t)j) || declines(&entries[i]));
            kernel_case_clear(&k);
        }
    }
}

/* The windows of mobile networks, which have ways of their own: any number of channels in blocks, chunks and stripes. */
static void network_window(struct kernel_case *k)
{
    static const int channels[] = {8, 16, 24, 32, 40, 48, 64, 72, 96, 128, 144, 192, 288, 320, 392};
    struct pk_conv *c = &k->conv;
    const int size = kernel_case_int(k, 0, 1) ? 5 : 3, stride = kernel_case_int(k, 1, 2);
    *c = (struct pk_conv){.kernel_h = size, .kernel_w = size, .stride_h = stride, .stride_w = stride, .dilation_h = 1,
                          .dilation_w = 1};
    c->in_c = c->out_c = c->groups = channels[kernel_case_int(k, 0, (int)(sizeof channels / sizeof channels[0]) - 1)];
    c->in_h = kernel_case_int(k, 1, 11);
    c->in_w = kernel_case_int(k, 1, c->in_c > 100 ? 40 : 90);
    c->pad_top = kernel_case_int(k, 0, size - 1);
    c->pad_left = kernel_case_int(k, 0, size - 1);
    c->out_h = (c->in_h - 1) / stride + 1;
    c->out_w = (c->in_w - 1) / stride + 1;
}

/* One output of codes, any zero point and clamp. */
static void codes_epilogue(struct kernel_case *k)
{
    kernel_case_plain_epilogue(k, PK_U8);
    struct pk_out *o = &k->outs[0];
    o->zero = kernel_case_int(k, 0, 2) * 100;
    o->lo = (float)(kernel_case_int(k, 0, 1) * 7 - o->zero);
    o->hi = (float)(255 - o->zero) - 0.25f * (float)kernel_case_int(k, 0, 4);
}

static void depthwise_windows_of_networks_equal_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool wanted = kernel_case_is_depthwise(entries[i].family) && kernel_case_is_integer(entries[i].family);
        for (uint32_t seed = 0; wanted && usable(&entries[i]) && seed < 80; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed);
            network_window(&k);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            if (seed % 3 == 0) {
                kernel_case_random_epilogue(&k);
            } else {
                codes_epilogue(&k);
            }
            assert_true(check_exact(&k, &entries[i], seed));
            kernel_case_clear(&k);
        }
    }
}

/* A first layer with rows of any width, or a 1x1 layer of few channels: both are finished in ways of their own. */
static void narrow_shape(struct kernel_case *k)
{
    static const int widths[] = {5, 16, 31, 32, 48, 50, 64, 113};
    struct pk_conv *c = &k->conv;
    const bool first = kernel_case_int(k, 0, 1) == 1;
    const int size = first ? kernel_case_int(k, 1, 7) : 1, stride = first ? kernel_case_int(k, 1, 3) : 1;
    *c = (struct pk_conv){.kernel_h = size, .kernel_w = first ? kernel_case_int(k, 1, 5) : 1, .stride_h = stride, .stride_w = stride,
                          .dilation_h = 1, .dilation_w = 1, .groups = 1};
    c->in_c = first ? kernel_case_int(k, 1, 5) : kernel_case_int(k, 1, 16) * 4;
    c->out_c = kernel_case_int(k, 0, 1) ? kernel_case_int(k, 1, 4) * 16 : kernel_case_int(k, 1, 70);
    c->out_h = kernel_case_int(k, 1, 5);
    c->out_w = widths[kernel_case_int(k, 0, 7)];
    c->pad_top = first ? kernel_case_int(k, 0, size - 1) : 0;
    c->pad_left = first ? kernel_case_int(k, 0, c->kernel_w - 1) : 0;
    const int pad = first ? kernel_case_int(k, 0, c->kernel_w) : 0; /* right and below */
    c->in_h = (c->out_h - 1) * stride + size - c->pad_top - pad;
    c->in_w = (c->out_w - 1) * stride + c->kernel_w - c->pad_left - pad;
    c->in_h = c->in_h < 1 ? 1 : c->in_h;
    c->in_w = c->in_w < 1 ? 1 : c->in_w;
}

static void narrow_layers_equal_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool wanted = !kernel_case_is_depthwise(entries[i].family) && strncmp(pk_family_name(entries[i].family), "fc", 2) != 0;
        for (uint32_t seed = 0; wanted && usable(&entries[i]) && seed < CASES / 4; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed + 90000);
            narrow_shape(&k);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            if (seed % 4 == 1) {
                kernel_case_random_epilogue(&k);
            } else if (kernel_case_is_integer(entries[i].family)) {
                kernel_case_usual_codes(&k);
            } else {
                kernel_case_usual_epilogue(&k);
            }
            (void)check_exact(&k, &entries[i], seed);
            kernel_case_clear(&k);
        }
    }
}

/* Long sums for many channels: enough for products of halves, panels and blocks of several kinds, with rests of each. */
static void deep_shape(struct kernel_case *k)
{
    static const int channels[] = {31, 32, 41, 48, 57, 60, 64, 75, 80, 96, 121, 128, 160};
    struct pk_conv *c = &k->conv;
    const int size = kernel_case_int(k, 0, 2) > 0 ? 1 : 3;
    *c = (struct pk_conv){.kernel_h = size, .kernel_w = size, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
                          .groups = 1, .pad_top = size / 2, .pad_left = size / 2};
    c->in_c = size == 1 ? kernel_case_int(k, 120, 900) : kernel_case_int(k, 14, 90);
    c->in_c = kernel_case_int(k, 0, 1) ? c->in_c : (c->in_c + 31) / 32 * 32; /* K without a rest, too */
    c->out_c = channels[kernel_case_int(k, 0, 12)];
    c->out_h = c->in_h = kernel_case_int(k, 2, 9);
    c->out_w = c->in_w = kernel_case_int(k, 5, 13);
}

static void deep_layers_equal_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool dense = !kernel_case_is_depthwise(entries[i].family) && !kernel_case_is_fc(entries[i].family);
        const bool wanted = dense && kernel_case_is_integer(entries[i].family);
        for (uint32_t seed = 0; wanted && usable(&entries[i]) && seed < CASES / 12; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed + 50000);
            deep_shape(&k);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            if (seed % 2 == 0) {
                kernel_case_random_epilogue(&k);
            } else {
                codes_epilogue(&k);
            }
            assert_true(check_exact(&k, &entries[i], seed));
            kernel_case_clear(&k);
        }
    }
}

/* One bit, half of them in whole words of channels (bits are made while tiles multiply), to codes that have ways of their
 * own: of one bit with borders at sums, of eight. */
static void one_bit_layers_equal_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool wanted = entries[i].family == PK_CONV_U1S1;
        for (uint32_t seed = 0; wanted && usable(&entries[i]) && seed < CASES / 4; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed + 70000);
            deep_shape(&k);
            if (seed % 2 == 0) {
                k.conv.in_c = k.conv.in_c / 32 * 32 + 32;
            }
            kernel_case_random_values(&k, KERNEL_EXACT);
            if (seed % 3 > 0) {
                kernel_case_border_codes(&k);
            } else {
                codes_epilogue(&k);
            }
            assert_true(check_exact(&k, &entries[i], seed));
            kernel_case_clear(&k);
        }
    }
}

/* 1x1 layers whose residual and PReLU are finished between products: whole and odd numbers of channels and of pixels. */
static void residual_layers_equal_the_reference(void **state)
{
    (void)state;
    static const int channels[] = {16, 32, 32, 48, 64, 64, 96, 128, 192, 200};
    for (int i = 0; i < N_ENTRIES; i++) {
        const bool dense = !kernel_case_is_depthwise(entries[i].family) && !kernel_case_is_fc(entries[i].family);
        const bool wanted = dense && kernel_case_is_integer(entries[i].family);
        for (uint32_t seed = 0; wanted && usable(&entries[i]) && seed < CASES / 8; seed++) {
            struct kernel_case k;
            kernel_case_init(&k, entries[i].family, seed + 110000);
            struct pk_conv *c = &k.conv;
            *c = (struct pk_conv){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
            c->in_c = kernel_case_int(&k, 1, 20) * (kernel_case_int(&k, 0, 1) ? 16 : 7);
            c->out_c = channels[kernel_case_int(&k, 0, 9)];
            c->out_h = c->in_h = kernel_case_int(&k, 2, 9);
            c->out_w = c->in_w = kernel_case_int(&k, 5, 16);
            kernel_case_random_values(&k, seed % 4 == 0 ? KERNEL_EXTREME : KERNEL_EXACT);
            kernel_case_residual_codes(&k);
            assert_true(check_exact(&k, &entries[i], seed));
            kernel_case_clear(&k);
        }
    }
}

static void usual_float_epilogues_equal_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        for (uint32_t seed = 0; usable(&entries[i]) && seed < CASES / 2; seed++) {
            struct kernel_case k;
            if (kernel_case_is_integer(entries[i].family)) {
                break;
            }
            kernel_case_init(&k, entries[i].family, seed + 70000);
            kernel_case_random_shape(&k);
            kernel_case_random_values(&k, KERNEL_EXACT);
            kernel_case_usual_epilogue(&k);
            (void)check_exact(&k, &entries[i], seed);
            kernel_case_clear(&k);
        }
    }
}

static void absolute(struct kernel_case *k)
{
    const struct pk_conv *c = &k->conv;
    const size_t n_x = (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c,
                 n_w = kernel_case_n_weights(k);
    if (kernel_case_x_size(k->family) == 2) {
        for (size_t i = 0; i < n_x; i++) {
            ((uint16_t *)k->x)[i] &= 0x7fff;
        }
        for (size_t i = 0; i < n_w; i++) {
            ((uint16_t *)k->weights)[i] &= 0x7fff;
        }
        return;
    }
    for (size_t i = 0; i < n_x; i++) {
        ((float *)k->x)[i] = fabsf(((float *)k->x)[i]);
    }
    for (size_t i = 0; i < n_w; i++) {
        ((float *)k->weights)[i] = fabsf(((float *)k->weights)[i]);
    }
}

static void check_tolerance(const struct entry *entry, uint32_t seed)
{
    struct kernel_case k;
    kernel_case_init(&k, entry->family, seed);
    kernel_case_random_shape(&k);
    kernel_case_random_values(&k, KERNEL_REAL);
    kernel_case_plain_epilogue(&k, PK_F32);
    const struct pk_conv *c = &k.conv;
    if (entry->kernel->packed_size(c) == 0) {
        kernel_case_clear(&k);
        return;
    }
    const size_t n = (size_t)c->out_h * (size_t)c->out_w * (size_t)c->out_c;
    const float products = (float)(kernel_case_n_weights(&k) / (size_t)c->out_c);
    const bool halves = entry->isa == PK_AVX512FP16 || entry->isa == PK_FP16; /* adds up to 64 products in fp16 */
    const float relative =
        products * 0x1p-24f + (halves ? (products < 64 ? products : 64) * 0x1p-11f : 0);
    const float least = halves ? products * 0x1p-25f : 0;
    kernel_case_new_outputs(&k);
    kernel_case_run(&k, entry->kernel);
    const float *got = k.outs[0].data;
    kernel_case_new_outputs(&k);
    kernel_case_run(&k, reference(entry->family));
    const float *want = k.outs[0].data;
    absolute(&k);
    kernel_case_new_outputs(&k);
    kernel_case_run(&k, reference(entry->family));
    const float *magnitude = k.outs[0].data;
    for (size_t i = 0; i < n; i++) {
        if (!(fabsf(got[i] - want[i]) <= relative * magnitude[i] + least)) {
            explain(&k, entry, seed, 0, i * 4);
        }
    }
    kernel_case_clear(&k);
}

static void float_sums_are_within_the_stated_tolerance(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        for (uint32_t seed = 0; usable(&entries[i]) && seed < CASES / 8; seed++) {
            if (!kernel_case_is_integer(entries[i].family)) {
                check_tolerance(&entries[i], seed + 9000);
            }
        }
    }
}

static void names_and_fallbacks_agree(void **state)
{
    (void)state;
    for (int f = 0; f < PK_FAMILY_COUNT; f++) {
        for (int i = 0; i < PK_ISA_COUNT; i++) {
            const struct pk_layer_kernel *kernel = pk_kernel((enum pk_family)f, (enum pk_isa)i);
            const char *family = pk_family_name((enum pk_family)f);
            assert_non_null(kernel);
            assert_memory_equal(kernel->name, family, strlen(family));
        }
    }
    for (int i = 0; i < N_ENTRIES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", pk_family_name(entries[i].family),
                 pk_isa_name(entries[i].isa));
        assert_string_equal(entries[i].kernel->name, name);
    }
    struct pk_conv c = {1, 1, 3, 1, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 1};
    assert_true(pk_kernel_for(PK_CONV_F32, pk_isa_best(), &c)->packed_size(&c) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_fallbacks_agree),
        cmocka_unit_test(every_kernel_equals_the_reference),
        cmocka_unit_test(packed_codes_mean_what_bytes_mean),
        cmocka_unit_test(packed_codes_take_their_share_of_memory),
        cmocka_unit_test(large_shapes_equal_the_reference),
        cmocka_unit_test(depthwise_windows_of_networks_equal_the_reference),
        cmocka_unit_test(residual_layers_equal_the_reference),
        cmocka_unit_test(usual_float_epilogues_equal_the_reference),
        cmocka_unit_test(narrow_layers_equal_the_reference),
        cmocka_unit_test(deep_layers_equal_the_reference),
        cmocka_unit_test(one_bit_layers_equal_the_reference),
        cmocka_unit_test(float_sums_are_within_the_stated_tolerance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
