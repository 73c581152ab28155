/* op_histogram.c: how many values lie where. */
#include "../pk_ops.h"

#include <string.h>

enum {
    BLOCK = 512,
    LANES = 8,    /* counters of their own, so that many equal values do not wait for one another */
    SHORT = 4096, /* below: clearing and adding up the lanes would take longer */
};

/* 1 + the bin of each value, 0 where there is none; n <= BLOCK. Without branches, so that it is vectorised. */
static void find_bins(const float *restrict x, size_t n, float lo, float per_unit, int n_bins, int32_t *restrict bin)
{
    const float end = 2.0f * (float)n_bins, last = (float)(n_bins - 1);
    for (size_t i = 0; i < n; i++) {
        float at = (x[i] - lo) * per_unit;
        at = at > -1.0f ? at : -1.0f; /* NaN too */
        at = at < end ? at : -1.0f;
        at = at < last ? at : last;
        bin[i] = (int32_t)at + 1; /* from -1 to 0: 1 */
    }
}

static void add(uint32_t *to, uint32_t count)
{
    const uint32_t room = UINT32_MAX - *to;
    *to += count < room ? count : room;
}

static void count_short(const int32_t *bin, size_t n, uint32_t *bins)
{
    for (size_t i = 0; i < n; i++) {
        if (bin[i] > 0) {
            add(&bins[bin[i] - 1], 1);
        }
    }
}

static void count_block(const int32_t *bin, size_t n, uint32_t lane[LANES][PK_HISTOGRAM_MOST + 1])
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l][bin[i + (size_t)l]]++;
        }
    }
    for (; i < n; i++) {
        lane[0][bin[i]]++;
    }
}

size_t pk_count_beyond(const float *x, size_t n, float lo, float hi)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i += BLOCK) {
        int32_t part = 0;
        const size_t end = n - i < BLOCK ? n : i + BLOCK;
        for (size_t k = i; k < end; k++) {
            part += (x[k] < lo) | (x[k] > hi);
        }
        count += (size_t)part;
    }
    return count;
}

void pk_histogram(const float *x, size_t n, float lo, float per_unit, int n_bins, uint32_t *bins)
{
    enum { MOST = 1 << 30 }; /* counted at once */
    uint32_t lane[LANES][PK_HISTOGRAM_MOST + 1];
    int32_t bin[BLOCK];
    for (; n > MOST; n -= MOST, x += MOST) {
        pk_histogram(x, MOST, lo, per_unit, n_bins, bins);
    }
    const int lanes = n < SHORT ? 0 : LANES;
    memset(lane, 0, (size_t)lanes * sizeof lane[0]);
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = n - i < BLOCK ? n - i : BLOCK;
        find_bins(x + i, count, lo, per_unit, n_bins, bin);
        if (lanes == 0) {
            count_short(bin, count, bins);
        } else {
            count_block(bin, count, lane);
        }
    }
    for (int b = 0; b < n_bins && lanes > 0; b++) {
        uint32_t sum = 0;
        for (int l = 0; l < LANES; l++) {
            sum += lane[l][b + 1];
        }
        add(&bins[b], sum);
    }
}
