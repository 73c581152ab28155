#include "pipeline/pipeline.h"

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
