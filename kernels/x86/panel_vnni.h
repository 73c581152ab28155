/* panel_vnni.h: how wide the panels of weights are that conv_u8s8_avx512vnni.c reads, for those who write such panels too. */
#ifndef PARE_PK_PANEL_VNNI_H
#define PARE_PK_PANEL_VNNI_H

#include <stddef.h>

/*
 * Channels of a full panel for sums of k products. 64 read the fewest bytes for a product; from 40 KiB of weights on they leave
 * the first cache (48 KiB) between tiles, which 32 channels do not up to a k of 1280. One pixel reads all weights once, and 64
 * channels have twice as many sums to hide latency behind.
 */
static inline size_t panel_vnni(size_t k, size_t pixels)
{
    return k > 640 && k <= 1280 && pixels > 1 ? 32 : 64;
}

#endif
