#include "measure/slower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/bench_kernels.h"

bool pare_is_slower(double narrow, double narrow_p10, double wide, double wide_p90)
{
    return narrow > PARE_SLOWER_FROM * wide && narrow_p10 > wide_p90;
}

struct known {
    struct pare_kernel_traits t;
    enum pk_isa isa;
};

static bool look_up(const char *kernel, struct known *k)
{
    int n;
    const struct pare_bench_entry *entries = pare_bench_entries(&n);
    for (int i = 0; i < n; i++) {
        if (strcmp(entries[i].kernel->name, kernel) == 0) {
            pare_kernel_traits(entries[i].family, &k->t);
            k->isa = entries[i].isa;
            return true;
        }
    }
    return false;
}

/* Does the set add products of bytes in 32 bits by one instruction? */
static bool has_dot_products(enum pk_isa isa)
{
    return isa == PK_AVXVNNI || isa == PK_AVX512VNNI || isa == PK_AVX512FP16 || isa == PK_AMX || isa == PK_DOTPROD || isa == PK_I8MM;
}

static bool has_half_arithmetic(enum pk_isa isa)
{
    return isa == PK_AVX512FP16 || isa == PK_AMX || isa == PK_FP16 || isa == PK_DOTPROD || isa == PK_I8MM;
}

bool pare_fp16_is_widened(const char *kernel)
{
    struct known k;
    return kernel != NULL && look_up(kernel, &k) && k.t.w_bits == 16 && !has_half_arithmetic(k.isa);
}

static const char *why_bits(const struct known *wide, const struct pk_conv *c, char text[200])
{
    if (c->in_c % 64 != 0) {
        snprintf(text, 200, "%d channels do not fill words of 64 bits, and bits are gathered from codes first", c->in_c);
    } else {
        snprintf(text, 200, "%s", wide->isa == PK_AMX ? "tiles in their fast state multiply faster than bits are counted; kernels are chosen by their slow state"
                                                      : "bits are gathered from codes first, which takes longer than it saves here");
    }
    return text;
}

static const char *why_codes(const struct known *narrow, char text[200])
{
    if (has_dot_products(narrow->isa)) {
        snprintf(text, 200, "codes of %d bits are widened to bytes before the same dot products: 1/%d of the memory, not of the time",
                 narrow->t.w_bits, 8 / (narrow->t.w_bits > 2 ? 4 : 2));
    } else {
        snprintf(text, 200, "sums of 16 bits have to be emptied into 32 bits before they overflow, which these few products do not repay");
    }
    return text;
}

static const char *why_bytes(const struct known *narrow, const struct pk_conv *c, char text[200])
{
    struct pare_floor f;
    pare_layer_floor(c, &narrow->t, narrow->isa, 0, 1, true, &f);
    const bool epilogue = f.epilogue_cycles > 0.5 * f.mac_cycles;
    if (narrow->t.kind == PARE_KERNEL_DEPTHWISE) {
        snprintf(text, 200, "taps are put side by side for %s, and every output is quantized: few products stand behind each",
                 has_dot_products(narrow->isa) ? "dot products of four" : "products of 16 bits");
    } else {
        snprintf(text, 200, "%s", epilogue ? "quantizing the outputs takes as long as their few products"
                                           : "so little work that gathering rows and quantizing outputs take most of it");
    }
    return text;
}

const char *pare_slower_why(struct pare_ran narrow, struct pare_ran wide, const struct pk_conv *conv, char text[200])
{
    struct known n, w;
    if (narrow.kernel == NULL || wide.kernel == NULL || !look_up(narrow.kernel, &n) || !look_up(wide.kernel, &w)) {
        snprintf(text, 200, "not known: the kernel is not in the list");
    } else if (n.t.a_bits <= 8 && wide.out_bytes > 0 && wide.out_bytes < narrow.out_bytes) {
        snprintf(text, 200, "its output is written %d times: few bits for the next layers, 8 for what adds or pools it", narrow.out_bytes);
    } else if (strcmp(narrow.kernel, wide.kernel) == 0) {
        snprintf(text, 200, "one kernel runs both: what differs is what it reads and hands on, or chance");
    } else if (n.t.w_bits == 16) {
        snprintf(text, 200, "%s", has_half_arithmetic(n.isa) ? "sums go through fp32 every 64 products, which these few do not repay"
                                                            : "no half precision arithmetic here: values are widened to fp32 and narrowed again");
    } else if (n.t.w_bits == 1 && n.t.a_bits == 1) {
        return why_bits(&w, conv, text);
    } else if (n.t.w_bits < 8) {
        return why_codes(&n, text);
    } else {
        return why_bytes(&n, conv, text);
    }
    return text;
}
