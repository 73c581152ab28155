#include "measure/limits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pare_kernel_traits(enum pk_family family, struct pare_kernel_traits *t)
{
    const char *name = pk_family_name(family), *type = strrchr(name, '_');
    memset(t, 0, sizeof *t);
    t->kind = strncmp(name, "depthwise", 9) == 0 ? PARE_KERNEL_DEPTHWISE
              : strncmp(name, "fc", 2) == 0      ? PARE_KERNEL_FC
                                                 : PARE_KERNEL_CONV;
    t->w_bits = t->a_bits = 32;
    type = type != NULL ? type + 1 : "";
    int a = 0, w = 0;
    if (strcmp(type, "f16") == 0) {
        t->w_bits = t->a_bits = 16;
        snprintf(t->level, sizeof t->level, "fp16");
    } else if (sscanf(type, "u%ds%d", &a, &w) == 2 && a >= 1 && a <= 8 && w >= 1 && w <= 8) {
        t->w_bits = w;
        t->a_bits = a;
        snprintf(t->level, sizeof t->level, "w%da%d", w, a);
    } else {
        snprintf(t->level, sizeof t->level, "fp32");
    }
}

double pare_conv_depth(const struct pk_conv *c, bool depthwise)
{
    return (double)c->kernel_h * c->kernel_w * (depthwise ? 1 : (double)c->in_c / c->groups);
}

double pare_conv_macs(const struct pk_conv *c, bool depthwise)
{
    return (double)c->out_h * c->out_w * c->out_c * pare_conv_depth(c, depthwise);
}

/* By precision and instruction set; 0: not known. fp16 counts what the instructions do: fp32's where the set has no half
 * precision arithmetic and converts. */
double pare_mac_limit(const struct pare_kernel_traits *t, enum pk_isa isa)
{
    enum { F32, F16, W8A8, LOW, W1A1, KINDS };
    static const double limits[KINDS][PK_ISA_COUNT] = {
        [F32] = {[PK_AVX2] = 16, [PK_AVXVNNI] = 16, [PK_AVX512] = 32, [PK_AVX512VNNI] = 32, [PK_AVX512FP16] = 32, [PK_AMX] = 32,
                 [PK_NEON] = 4, [PK_FP16] = 8, [PK_DOTPROD] = 8, [PK_I8MM] = 8},
        [F16] = {[PK_AVX2] = 16, [PK_AVXVNNI] = 16, [PK_AVX512] = 32, [PK_AVX512VNNI] = 32, [PK_AVX512FP16] = 64, [PK_AMX] = 64,
                 [PK_NEON] = 4, [PK_FP16] = 16, [PK_DOTPROD] = 16, [PK_I8MM] = 16},
        [W8A8] = {[PK_AVX2] = 24, [PK_AVXVNNI] = 64, [PK_AVX512] = 64, [PK_AVX512VNNI] = 128, [PK_AVX512FP16] = 128,
                  [PK_AMX] = 1024, [PK_NEON] = 5.33, [PK_FP16] = 8, [PK_DOTPROD] = 32, [PK_I8MM] = 64},
        [LOW] = {[PK_AVX2] = 48, [PK_AVXVNNI] = 64, [PK_AVX512] = 64, [PK_AVX512VNNI] = 128, [PK_AVX512FP16] = 128,
                 [PK_AMX] = 1024, [PK_NEON] = 8, [PK_FP16] = 8, [PK_DOTPROD] = 32, [PK_I8MM] = 64},
        [W1A1] = {[PK_AVX2] = 96, [PK_AVXVNNI] = 96, [PK_AVX512] = 341, [PK_AVX512VNNI] = 341, [PK_AVX512FP16] = 341,
                  [PK_AMX] = 1024, [PK_NEON] = 42.7, [PK_FP16] = 85, [PK_DOTPROD] = 85, [PK_I8MM] = 85},
    };
    const int kind = t->w_bits == 32                     ? F32
                     : t->w_bits == 16                   ? F16
                     : t->w_bits == 1 && t->a_bits == 1  ? W1A1
                     : t->w_bits < 8                     ? LOW
                                                         : W8A8;
    double limit = isa >= 0 && isa < PK_ISA_COUNT ? limits[kind][isa] : 0;
    if (t->kind == PARE_KERNEL_DEPTHWISE && kind == W8A8) {
        /* one product of four is a stuffed zero (rows of three taps); no tiles */
        limit = isa == PK_AVX2 || isa == PK_AVXVNNI ? 24 : isa == PK_AVX512 ? 48 : isa >= PK_AVX512VNNI && isa <= PK_AMX ? 96 : limit;
    }
    if (t->kind == PARE_KERNEL_CONV && kind == W8A8 && isa == PK_AVX2) {
        limit *= 8.0 / 7.0; /* seven products of half tiles do the work of eight (conv_strassen.h) */
    }
    return limit > 0 ? limit : NAN;
}

/* Bytes per cycle from the second cache, third, memory; cycles of the epilogue of one output (convert, multiply-add,
 * clamp, convert, narrow, store). */
struct machine {
    double l2, l3, memory, l2_bytes, l3_bytes, epilogue;
};

static struct machine machine_of(enum pk_isa isa)
{
    if (isa >= PK_NEON && isa <= PK_I8MM) {
        return (struct machine){8, 4, 1.5, 512e3, 1e6, 1.5};
    }
    const bool wide = isa >= PK_AVX512 && isa <= PK_AMX;
    return (struct machine){48, 9.6, 4.5, 2e6, 16e6, wide ? 0.23 : 0.5};
}

void pare_layer_floor(const struct pk_conv *c, const struct pare_kernel_traits *t, enum pk_isa isa, double weight_bytes,
                      double out_bytes, bool warm, struct pare_floor *f)
{
    const struct machine m = machine_of(isa);
    const double x = (double)c->in_h * c->in_w * c->in_c * (t->a_bits == 32 ? 4 : t->a_bits == 16 ? 2 : 1);
    f->outputs = (double)c->out_h * c->out_w * c->out_c;
    f->macs = pare_conv_macs(c, t->kind == PARE_KERNEL_DEPTHWISE);
    f->bytes = x + weight_bytes + f->outputs * out_bytes;
    const double weights_at = warm && weight_bytes < 0.75 * m.l2_bytes ? m.l2 : weight_bytes < 0.75 * m.l3_bytes ? m.l3 : m.memory;
    f->mac_cycles = f->macs / pare_mac_limit(t, isa);
    f->byte_cycles = (f->bytes - weight_bytes) / m.l2 + weight_bytes / weights_at;
    /* floats are stored as they are: clamp and store */
    f->epilogue_cycles = f->outputs * m.epilogue * (t->w_bits >= 16 ? 0.4 : 1);
    const double work = f->mac_cycles > f->byte_cycles ? f->mac_cycles : f->byte_cycles;
    f->cycles = work + f->epilogue_cycles;
    f->binds = f->epilogue_cycles > work ? "epilogue" : f->byte_cycles > f->mac_cycles ? "memory" : "multiply";
}
