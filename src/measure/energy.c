#include "measure/energy.h"

#define DRAM_PJ_PER_BIT (1300.0 / 64)
#define CACHE_PJ_PER_BIT (100.0 / 64)
#define INT32_ADD_PJ 0.1

double pare_energy_mac_pj(struct pare_level level)
{
    if (level.kind == PARE_LEVEL_FP32 || level.kind == PARE_LEVEL_WEIGHT_ONLY) {
        return 3.7 + 0.9;
    }
    if (level.kind == PARE_LEVEL_FP16) {
        return 1.1 + 0.4;
    }
    return 0.002994791667 * level.w_bits * level.a_bits + 0.001041666667 * (level.w_bits + level.a_bits) / 2 + INT32_ADD_PJ;
}

double pare_energy_layer_uj(struct pare_level level, double macs, double weight_bytes, double input_elements)
{
    return 1e-6 * (macs * pare_energy_mac_pj(level) + 8 * weight_bytes * DRAM_PJ_PER_BIT +
                   input_elements * level.a_bits * CACHE_PJ_PER_BIT);
}
