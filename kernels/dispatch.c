/* dispatch.c: which instruction sets this machine has, and which kernel serves a family. */
#include "pk.h"

#include "pk_tables.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* The state that the operating system saves: bits 1, 2 xmm and ymm; bits 5..7 mask registers and
 * zmm. */
static unsigned saved_state(void)
{
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & (1u << 27)) == 0) {
        return 0;
    }
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* AMX needs state that the operating system gives a process only when asked. */
static bool tiles_granted(unsigned state)
{
    unsigned a, b, c, d;
    const unsigned tile_int8 = 1u << 24 | 1u << 25;
    if ((state & 0x60000) != 0x60000 || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
        (d & tile_int8) != tile_int8) {
        return false;
    }
#if defined(__linux__)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

/* Bit i is set when instruction set i works here. */
static unsigned detect(void)
{
    unsigned a, b, c, d, found = 1u << PK_REF;
    const unsigned state = saved_state();
    if ((state & 0x6) != 0x6 || __get_cpuid(1, &a, &b, &c, &d) == 0) {
        return found;
    }
    const bool fma_f16c = (c & (1u << 12)) != 0 && (c & (1u << 29)) != 0;
    if (!fma_f16c || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & (1u << 5)) == 0) {
        return found;
    }
    found |= 1u << PK_AVX2;
    const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    if ((state & 0xe6) == 0xe6 && (b & f_dq_bw_vl) == f_dq_bw_vl) {
        found |= 1u << PK_AVX512;
        if ((c & (1u << 11)) != 0) {
            found |= 1u << PK_AVX512VNNI;
            found |= (d & (1u << 23)) != 0 ? 1u << PK_AVX512FP16 : 0;
            found |= tiles_granted(state) ? 1u << PK_AMX : 0;
        }
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1u << 4)) != 0) {
        found |= 1u << PK_AVXVNNI;
    }
    return found;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* Bit i is set when instruction set i works here. Every AArch64 core has neon. */
static unsigned detect(void)
{
    const unsigned long fp16 = 1ul << 9 | 1ul << 10, dotprod = 1ul << 20; /* HWCAP_FPHP ... */
    const unsigned long i8mm = 1ul << 13;                                 /* HWCAP2_I8MM */
    const unsigned long has = getauxval(AT_HWCAP), has2 = getauxval(AT_HWCAP2);
    unsigned found = 1u << PK_REF | 1u << PK_NEON;
    if ((has & fp16) == fp16) {
        found |= 1u << PK_FP16;
    }
    if ((has & (fp16 | dotprod)) == (fp16 | dotprod)) {
        found |= 1u << PK_DOTPROD;
        found |= (has2 & i8mm) != 0 ? 1u << PK_I8MM : 0;
    }
    return found;
}
#else
static unsigned detect(void)
{
    return 1u << PK_REF;
}
#endif

bool pk_isa_supported(enum pk_isa isa)
{
    static _Atomic unsigned known; /* 0: not yet looked */
    unsigned found = atomic_load_explicit(&known, memory_order_relaxed);
    if (found == 0) {
        found = detect();
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    return isa >= 0 && isa < PK_ISA_COUNT && (found & (1u << isa)) != 0;
}

/* The best supported instruction set not above `from`. */
static enum pk_isa best_from(int from)
{
    while (from > PK_REF && !pk_isa_supported((enum pk_isa)from)) {
        from--;
    }
    return (enum pk_isa)from;
}

static enum pk_isa choose(void)
{
    const char *wanted = getenv("PARE_ISA");
    for (int i = 0; wanted != NULL && i < PK_ISA_COUNT; i++) {
        if (strcmp(wanted, pk_isa_name((enum pk_isa)i)) == 0) {
            return best_from(i);
        }
    }
    return best_from(PK_ISA_COUNT - 1);
}

const char *pk_isa_refused(void)
{
    const char *wanted = getenv("PARE_ISA");
    for (int i = 0; wanted != NULL && i < PK_ISA_COUNT; i++) {
        if (strcmp(wanted, pk_isa_name((enum pk_isa)i)) == 0 && pk_isa_supported((enum pk_isa)i)) {
            return NULL;
        }
    }
    return wanted != NULL && wanted[0] != '\0' ? wanted : NULL;
}

enum pk_isa pk_isa_best(void)
{
    static _Atomic int chosen; /* isa + 1; 0: not yet chosen */
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa == 0) {
        isa = (int)choose() + 1;
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (enum pk_isa)(isa - 1);
}

const char *pk_isa_name(enum pk_isa isa)
{
    static const char *const names[PK_ISA_COUNT] = {
        [PK_REF] = "ref",         [PK_AVX2] = "avx2",
        [PK_AVXVNNI] = "avxvnni", [PK_AVX512] = "avx512",
        [PK_AVX512VNNI] = "avx512vnni", [PK_AVX512FP16] = "avx512fp16",
        [PK_AMX] = "amx",
        [PK_NEON] = "neon",       [PK_FP16] = "fp16",
        [PK_DOTPROD] = "dotprod",
        [PK_I8MM] = "i8mm"};
    return isa >= 0 && isa < PK_ISA_COUNT ? names[isa] : "?";
}

const char *pk_family_name(enum pk_family family)
{
    static const char *const names[PK_FAMILY_COUNT] = {"conv_u8s8", "depthwise_u8s8", "fc_u8s8",
                                                       "conv_f16",  "depthwise_f16",  "fc_f16",
                                                       "conv_f32",  "depthwise_f32",  "fc_f32",
                                                       "conv_u8s4", "depthwise_u8s4", "fc_u8s4",
                                                       "conv_u8s2", "depthwise_u8s2", "fc_u8s2",
                                                       "conv_u1s1", "fc_u1s1"};
    return family >= 0 && family < PK_FAMILY_COUNT ? names[family] : "?";
}

#define PK_CONVERT(isa, suffix)
#define PK_KERNEL(family, isa, name) [family][isa] = &pk_##name,
static const struct pk_layer_kernel *const table[PK_FAMILY_COUNT][PK_ISA_COUNT] = {
#include "kernels.inc"
};
#undef PK_KERNEL
#undef PK_CONVERT

const struct pk_layer_kernel *pk_kernel(enum pk_family family, enum pk_isa isa)
{
    int i = (int)isa;
    while (i > PK_REF && (table[family][i] == NULL || !pk_isa_supported((enum pk_isa)i))) {
        i--;
    }
    return table[family][i];
}

/*
 * Do AMX tiles pay for a dense layer even in their slow state? One product of tiles (16 pixels, 16
 * channels, 64 of K, however full) took 16 cycles in the fast state and 64 in the slow one that a
 * busy neighbour causes; VNNI made 115 products per cycle of whole vectors of 16 channels. An
 * epilogue of 0.3 cycles a sum follows the products of VNNI and runs beside those of tiles
 * (Sapphire Rapids, 2026-11-21).
 */
static bool tiles_pay(const struct pk_conv *c)
{
    const double pixels = (double)c->out_h * c->out_w, n = (double)c->out_c / c->groups;
    const double k = (double)c->kernel_h * c->kernel_w * (c->in_c / c->groups);
    const double columns = ceil(n / 16);
    const double tiles = ceil(pixels / 16) * columns * ceil(k / 64) * 64;
    const double epilogue = pixels * columns * 16 * 0.3;
    return (tiles > epilogue ? tiles : epilogue) <
           pixels * columns * 16 * ceil(k / 4) * 4 / 115 + epilogue;
}

/*
 * Do words of bits pay against weights of 2 bits? A pixel's bits take whole words and have to be made from
 * codes. 1x1 on 24 channels made 10 products per cycle on AVX2, 27 on AVX-512, 2-bit weights 17 and 42; on 64
 * channels 32 and 140, 2 bits 28 and 91. 256-bit vpdpbusd is level with AVX2's bits at 128 products a sum. Tiles in
 * their fast state made 111 and 115 for 3x3 on 16 and 32 channels, bits 62 and 220 (Sapphire Rapids, 2026-11-21).
 */
static bool bits_pay(enum pk_isa isa, const struct pk_conv *c)
{
    const int k = c->kernel_h * c->kernel_w * (c->in_c / c->groups);
    return isa == PK_AMX ? c->in_c >= 32 : k >= (isa == PK_AVXVNNI ? 128 : 32);
}

/* The times that are chosen by; set before anything is planned. */
static const struct pk_choice *choices;
static int n_choices;

void pk_set_choices(const struct pk_choice *measured, int n)
{
    choices = measured;
    n_choices = measured != NULL ? n : 0;
}

enum { FAR = 6 }; /* shapes further from each other say nothing about each other */

static double extent_of(const struct pk_conv *c, int which)
{
    const double taps = (double)c->kernel_h * c->kernel_w, depth = (double)c->in_c / c->groups;
    return which == 0 ? (double)c->out_h * c->out_w : which == 1 ? (double)c->out_c : taps * depth;
}

/* How unlike two shapes are: factors between pixels, channels and products, in powers of two. */
static double distance(const struct pk_conv *a, const struct pk_conv *b)
{
    double d = (a->kernel_h * a->kernel_w > 1) != (b->kernel_h * b->kernel_w > 1) ? 1 : 0;
    for (int i = 0; i < 3; i++) {
        d += fabs(log2(extent_of(a, i) / extent_of(b, i)));
    }
    return d;
}

/* By the times of the nearest shape that more than one instruction set up to `isa` was measured on: the fastest of them,
 * -1 when nothing near was measured. */
static int chosen_isa(enum pk_family family, enum pk_isa isa, const struct pk_conv *c)
{
    double nearest = FAR;
    int best = -1;
    for (int i = 0; i < n_choices; i++) {
        const struct pk_choice *a = &choices[i];
        const double d = a->family == family ? distance(&a->conv, c) : FAR;
        int fastest = -1, sets = 0;
        float us = INFINITY;
        for (int k = 0; d < nearest && k < n_choices; k++) {
            const struct pk_choice *o = &choices[k];
            if (o->family == family && o->isa <= isa && pk_isa_supported(o->isa) && distance(&o->conv, &a->conv) == 0 &&
                table[family][o->isa] != NULL && table[family][o->isa]->packed_size(c) > 0) {
                sets++;
                fastest = o->us < us ? (int)o->isa : fastest;
                us = o->us < us ? o->us : us;
            }
        }
        if (sets > 1) {
            nearest = d;
            best = fastest;
        }
    }
    return best;
}

static bool is_float(enum pk_family family)
{
    const char *name = pk_family_name(family);
    return strstr(name, "_f32") != NULL || strstr(name, "_f16") != NULL;
}

/* A kernel that is newer than the table of times is not passed over for it. */
static bool was_measured(enum pk_family family, int isa)
{
    for (int i = 0; i < n_choices && !is_float(family); i++) {
        if (choices[i].family == family && (int)choices[i].isa == isa) {
            return true;
        }
    }
    return false;
}

static int isa_by_rule(enum pk_family family, enum pk_isa isa, const struct pk_conv *c)
{
    for (int i = (int)isa; i > PK_REF; i--) {
        const struct pk_layer_kernel *kernel = table[family][i];
        if (kernel != NULL && pk_isa_supported((enum pk_isa)i) && kernel->packed_size(c) > 0 &&
            (i != PK_AMX || tiles_pay(c))) {
            return i;
        }
    }
    return PK_REF;
}

const struct pk_layer_kernel *pk_kernel_for(enum pk_family family, enum pk_isa isa,
                                            const struct pk_conv *c)
{
    const int rule = isa_by_rule(family, isa, c);
    const int chosen = was_measured(family, rule) ? chosen_isa(family, isa, c) : -1;
    return table[family][chosen > PK_REF ? chosen : rule];
}

/* The measured time of a kernel on the shape nearest to c, and how far that is; FAR: none. */
static double us_near(enum pk_family family, const struct pk_layer_kernel *kernel, const struct pk_conv *c,
                      double *nearest)
{
    double us = INFINITY;
    *nearest = FAR;
    for (int i = 0; i < n_choices; i++) {
        const struct pk_choice *a = &choices[i];
        const double d = a->family == family && table[family][a->isa] == kernel ? distance(&a->conv, c) : FAR;
        if (d < *nearest) {
            *nearest = d;
            us = (double)a->us;
        }
    }
    return us;
}

const struct pk_layer_kernel *pk_kernel_among(const enum pk_family *families, int n, enum pk_isa isa,
                                              const struct pk_conv *c)
{
    const struct pk_layer_kernel *fastest = NULL, *rule = NULL;
    double least = INFINITY, shape = -1;
    bool all = true;
    for (int i = 0; i < n; i++) {
        const struct pk_layer_kernel *kernel = pk_kernel_for(families[i], isa, c);
        if (kernel == table[families[i]][PK_REF] && isa != PK_REF) {
            continue;
        }
        double d;
        const double us = us_near(families[i], kernel, c, &d);
        all = all && d < FAR && (shape < 0 || d == shape);
        shape = d;
        fastest = us < least ? kernel : fastest;
        least = us < least ? us : least;
        const bool bits = families[i] == PK_CONV_U1S1 || families[i] == PK_FC_U1S1;
        rule = rule == NULL && (!bits || isa == PK_REF || bits_pay(isa, c) || i == n - 1) ? kernel : rule;
    }
    return all && fastest != NULL ? fastest : rule != NULL ? rule : pk_kernel_for(families[0], isa, c);
}

struct conversions {
    void (*quantize)(const float *x, size_t n, float inv_scale, float offset, int zero, float lo,
                     float hi, uint8_t *q);
    void (*dequantize)(const uint8_t *q, size_t n, float scale, float offset, int zero, float *x);
    void (*narrow)(const float *x, size_t n, uint16_t *h);
    void (*widen)(const uint16_t *h, size_t n, float *x);
    void (*moments)(const float *x, size_t n, struct pk_moments *m);
    void (*distance)(const float *y, const float *x, size_t n, struct pk_distance *d);
};

#define PK_KERNEL(family, isa, name)
#define PK_CONVERT(isa, suffix)                                                                    \
    [isa] = {pk_quantize_u8_##suffix, pk_dequantize_u8_##suffix, pk_f32_to_f16_##suffix,           \
             pk_f16_to_f32_##suffix, pk_moments_f32_##suffix, pk_distance_f32_##suffix},
static const struct conversions conversions[PK_ISA_COUNT] = {
#include "kernels.inc"
};
#undef PK_KERNEL
#undef PK_CONVERT

static const struct conversions *conversions_of(enum pk_isa isa)
{
    int i = (int)isa;
    while (i > PK_REF && (conversions[i].quantize == NULL || !pk_isa_supported((enum pk_isa)i))) {
        i--;
    }
    return &conversions[i];
}

void pk_quantize_u8(enum pk_isa isa, const float *x, size_t n, float inv_scale, float offset,
                    int zero, float lo, float hi, uint8_t *q)
{
    conversions_of(isa)->quantize(x, n, inv_scale, offset, zero, lo, hi, q);
}

void pk_dequantize_u8(enum pk_isa isa, const uint8_t *q, size_t n, float scale, float offset,
                      int zero, float *x)
{
    conversions_of(isa)->dequantize(q, n, scale, offset, zero, x);
}

void pk_f32_to_f16(enum pk_isa isa, const float *x, size_t n, uint16_t *h)
{
    conversions_of(isa)->narrow(x, n, h);
}

void pk_f16_to_f32(enum pk_isa isa, const uint16_t *h, size_t n, float *x)
{
    conversions_of(isa)->widen(h, n, x);
}

void pk_moments_f32(enum pk_isa isa, const float *x, size_t n, struct pk_moments *m)
{
    conversions_of(isa)->moments(x, n, m);
}

void pk_distance_f32(enum pk_isa isa, const float *y, const float *x, size_t n, struct pk_distance *d)
{
    conversions_of(isa)->distance(y, x, n, d);
}
