/*
 * energy.h: what a configuration would cost in joules: a prediction from a table, never a measurement.
 *
 * The table is Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9: 45 nm, 0.9 V.
 * Per operation, pJ:     integer add 8 bits 0.03, 32 bits 0.1; multiply 8 bits 0.2, 32 bits 3.1
 *                        float add fp16 0.4, fp32 0.9; multiply fp16 1.1, fp32 3.7
 * Per 64 bits read, pJ:  cache of 8 kB 10, 32 kB 20, 1 MB 100; DRAM 1300 to 2600
 * Widths between: the fits of QKeras' qtools through these points, add 0.003125 b, multiply 0.002994791667 b^2 +
 * 0.001041666667 b. For operands of W and A bits we read b^2 as W * A (an array multiplier's cells) and b as their mean.
 *
 * What is counted, for every call of a layer:
 *   each MAC        one multiplication at W x A, one addition into the accumulator (integers 32 bits; floats their own)
 *   each weight     read once from DRAM at its packed bits, 1300 pJ / 64 bits
 *   each input      read once from the 1 MB cache at its bits, 100 pJ / 64 bits
 * Levels of weights alone (w4a32) multiply as fp32. What is no layer, writing, leakage and control are not counted, and a
 * newer process has other numbers: it ranks configurations, it does not predict a battery.
 */
#ifndef PARE_ENERGY_H
#define PARE_ENERGY_H

#include "quant/level.h"

/* pJ of one multiplication with its addition. */
double pare_energy_mac_pj(struct pare_level level);
/* uJ of one call of a layer: its MACs, its weights as they are packed (bytes), the elements of its input. */
double pare_energy_layer_uj(struct pare_level level, double macs, double weight_bytes, double input_elements);

#endif
