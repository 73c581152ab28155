/*
 * replay.c: a fuzz target without a fuzzer. Feeds it its seeds, every prefix of them, and mutations
 * drawn by a fixed random sequence, so that every test run tries the same inputs. With file names
 * it runs those instead, to look at what a fuzzer found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define N_MUTATIONS 3000 /* per target; about 2 s under the sanitizers */

static uint32_t next(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* One small change: flipped bit, odd byte, copied, removed or repeated piece, cut end. */
static size_t mutate(uint8_t *data, size_t size, size_t capacity, uint32_t *state)
{
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x08, 0x0a, 0x12};
    if (size == 0) {
        return 0;
    }
    size_t at = next(state) % size, from = next(state) % size, n = 1 + next(state) % 16;
    n = n > size - at ? size - at : n;
    n = n > size - from ? size - from : n;
    switch (next(state) % 7) {
    case 0:
        data[at] ^= (uint8_t)(1u << next(state) % 8);
        break;
    case 1:
        data[at] = odd[next(state) % sizeof odd];
        break;
    case 2:
        data[at] = (uint8_t)next(state);
        break;
    case 3:
        memmove(data + at, data + from, n);
        break;
    case 4:
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 5:
        n = n > capacity - size ? capacity - size : n;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    default:
        if (next(state) % 8 == 0) {
            return at;
        }
        memset(data + at, odd[next(state) % sizeof odd], n);
        break;
    }
    return size;
}

/* A copy of exactly that size, so that a read behind it is seen. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        return;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    static uint8_t data[1 << 20];
    if (f == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        return 1;
    }
    run(data, fread(data, 1, sizeof data, f));
    fclose(f);
    return 0;
}

int main(int argc, char **argv)
{
    uint32_t state = 20251;
    int n_seeds = 0, n_runs = 0;
    size_t size;
    for (int i = 1; i < argc; i++) {
        if (run_file(argv[i]) != 0) {
            return 1;
        }
    }
    if (argc > 1) {
        return 0;
    }
    for (uint8_t *seed; (seed = fuzz_seed(n_seeds, &size)) != NULL; n_seeds++) {
        for (size_t n = 0; n <= size; n += size > 2000 ? 7 : 1) {
            run(seed, n);
            n_runs++;
        }
        free(seed);
    }
    for (int i = 0; i < N_MUTATIONS && n_seeds > 0; i++) {
        uint8_t *seed = fuzz_seed(i % n_seeds, &size);
        size_t capacity = size + 64;
        uint8_t *data = seed != NULL ? realloc(seed, capacity) : NULL;
        if (data == NULL) {
            free(seed);
            return 1;
        }
        for (uint32_t k = 1 + next(&state) % 4; k > 0; k--) {
            size = mutate(data, size, capacity, &state);
        }
        run(data, size);
        free(data);
        n_runs++;
    }
    printf("%d seeds, %d inputs\n", n_seeds, n_runs);
    return n_seeds > 0 ? 0 : 1;
}
