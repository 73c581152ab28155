#include "pipeline/pipeline.h"

#include <string.h>

/* One sample may use this much: far more than any picture needs, far less than a runaway loop would
 * take. */
#define MAX_SAMPLE_BYTES ((size_t)1 << 30)
#define MAX_ELEMENTS ((int64_t)1 << 27)

int64_t pare_value_elements(const struct pare_value *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++) {
        n *= v->dims[i]; /* pare_value_new checked the product */
    }
    return n;
}

struct pare_value *pare_value_new(struct pare_arena *arena, int rank, const int64_t *dims)
{
    if (rank < 0 || rank > PARE_MAX_RANK) {
        return NULL;
    }
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || (dims[i] > 0 && n > MAX_ELEMENTS / dims[i])) {
            return NULL;
        }
        n *= dims[i];
    }
    const size_t bytes = (size_t)n * sizeof(float);
    if (arena->used_bytes > MAX_SAMPLE_BYTES || bytes > MAX_SAMPLE_BYTES - arena->used_bytes) {
        return NULL;
    }
    struct pare_value *v = pare_arena_alloc(arena, sizeof *v);
    if (v == NULL) {
        return NULL;
    }
    v->rank = rank;
    for (int i = 0; i < rank; i++) {
        v->dims[i] = dims[i];
    }
    v->data = pare_arena_alloc(arena, bytes);
    return v->data == NULL ? NULL : v;
}

bool pare_outcome_take(struct pare_outcome *o, const struct pare_value *const *out, int n, struct pare_arena *arena)
{
    int64_t total = 0, steps[PARE_LOSS_PARTS];
    o->n_parts = n < PARE_LOSS_PARTS ? n : PARE_LOSS_PARTS;
    for (int p = 0; p < o->n_parts; p++) {
        const int64_t elements = pare_value_elements(out[p]);
        steps[p] = (elements + PARE_LOSS_NUMBERS - 1) / PARE_LOSS_NUMBERS;
        steps[p] = steps[p] > 0 ? steps[p] : 1;
        o->parts[p] = (int)((elements + steps[p] - 1) / steps[p]);
        total += o->parts[p];
    }
    float *scores = pare_arena_array(arena, (size_t)total, sizeof *scores);
    if (scores == NULL) {
        return false;
    }
    o->scores = scores;
    o->n_scores = (int)total;
    o->scores_are_probabilities = false;
    for (int p = 0; p < o->n_parts; p++) {
        for (int i = 0; i < o->parts[p]; i++) {
            *scores++ = out[p]->data[i * steps[p]];
        }
    }
    return true;
}

struct pare_value *pare_memo_find(const struct pare_memo *memo, const void *operation, const struct pare_value *of,
                                  const double *numbers, int n)
{
    for (int i = 0; memo != NULL && i < memo->n; i++) {
        const struct pare_made *m = &memo->made[i];
        if (m->operation == operation && m->of == of && m->numbers_n == n &&
            memcmp(m->numbers, numbers, (size_t)n * sizeof *numbers) == 0) {
            return m->out;
        }
    }
    return NULL;
}

void pare_memo_keep(struct pare_memo *memo, const void *operation, const struct pare_value *of, const double *numbers, int n,
                    struct pare_value *out)
{
    if (memo != NULL && memo->learning && memo->n < PARE_MEMO_MOST) {
        struct pare_made *m = &memo->made[memo->n++];
        m->operation = operation;
        m->of = of;
        m->numbers_n = n;
        memcpy(m->numbers, numbers, (size_t)n * sizeof *numbers);
        m->out = out;
    }
}
