/* squant.c: see the header. */
#include "quant/squant.h"

#include <math.h>

void pare_squant_elements(struct pare_squant *s)
{
    for (int i = 0; i < s->n_kernels * s->per_kernel; i++) {
        const float q = rintf(s->x[i]);
        s->codes[i] = (int)(q < (float)s->lo ? (float)s->lo : q > (float)s->hi ? (float)s->hi : q);
        s->error[i] = (float)s->codes[i] - s->x[i];
        s->direction[i] = s->error[i] < 0.0f && s->codes[i] < s->hi   ? 1
                          : s->error[i] > 0.0f && s->codes[i] > s->lo ? -1
                                                                      : 0;
    }
}

static float sum_of(const struct pare_squant *s, int first, int n)
{
    double sum = 0.0;
    for (int i = first; i < first + n; i++) {
        sum += (double)s->error[i];
    }
    return (float)sum;
}

/* The candidate of this direction with the largest |e|, the lowest index among equals; -1 = none. */
static int best(const struct pare_squant *s, int first, int n, int direction)
{
    int at = -1;
    for (int i = first; i < first + n; i++) {
        if (s->direction[i] == direction && (at < 0 || fabsf(s->error[i]) > fabsf(s->error[at]))) {
            at = i;
        }
    }
    return at;
}

/* Flips the rne(|sum|) best candidates; returns the last one flipped (-1 = none). Flipped ones are candidates no more. */
static int flip(struct pare_squant *s, int first, int n, float sum)
{
    const int direction = sum < 0.0f ? 1 : -1, wanted = (int)rintf(fabsf(sum));
    int last = -1;
    for (int t = 0; t < wanted; t++) {
        const int i = best(s, first, n, direction);
        if (i < 0) {
            break;
        }
        s->codes[i] += direction;
        s->error[i] += (float)direction;
        s->direction[i] = 0;
        last = i;
    }
    return last;
}

void pare_squant_kernels(struct pare_squant *s)
{
    for (int k = 0; k < s->n_kernels; k++) {
        const int first = k * s->per_kernel;
        const float sum = sum_of(s, first, s->per_kernel);
        const int direction = sum < 0.0f ? 1 : -1;
        const int last = sum != 0.0f ? flip(s, first, s->per_kernel, sum) : -1;
        int candidate = -1, back = direction;
        if (last >= 0 && rintf(fabsf(sum)) >= fabsf(sum)) {
            candidate = last;
            back = -direction;
        } else if (sum != 0.0f) {
            candidate = best(s, first, s->per_kernel, direction);
        }
        for (int i = first; i < first + s->per_kernel; i++) {
            s->direction[i] = i == candidate ? back : 0;
        }
    }
}

void pare_squant_channel(struct pare_squant *s)
{
    const int n = s->n_kernels * s->per_kernel;
    const float sum = sum_of(s, 0, n);
    if (sum != 0.0f) {
        flip(s, 0, n, sum);
    }
}
