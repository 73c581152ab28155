/*
 * onnx_names.c: open addressing with linear probing, at most half full. The seed differs from run
 * to run (only the speed of hostile files depends on it, no result does).
 */
#include <stdlib.h>
#include <string.h>

#include "model/onnx.h"

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static uint64_t hash_name(struct pare_pb_span name, uint64_t seed)
{
    uint64_t h = mix(seed ^ name.size);
    size_t i = 0;
    for (; i + 8 <= name.size; i += 8) {
        uint64_t word;
        memcpy(&word, name.data + i, 8);
        h = mix(h ^ word);
    }
    uint64_t tail = 0;
    if (i < name.size) {
        memcpy(&tail, name.data + i, name.size - i);
    }
    return mix(h ^ tail);
}

static bool same(struct pare_pb_span a, struct pare_pb_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The slot of that name, or the free one where it belongs. */
static struct onnx_name_slot *find_slot(const struct onnx_names *names, struct pare_pb_span name,
                                        uint64_t hash)
{
    size_t mask = names->n_slots - 1, i = (size_t)hash & mask;
    while (names->slots[i].name.data != NULL &&
           !(names->slots[i].hash == hash && same(names->slots[i].name, name))) {
        i = (i + 1) & mask;
    }
    return &names->slots[i];
}

static bool grow(struct onnx_names *names)
{
    struct onnx_names bigger = {NULL, names->n_slots > 0 ? names->n_slots * 2 : 64, names->n_used,
                                names->seed};
    if (bigger.n_slots > SIZE_MAX / sizeof *bigger.slots) {
        return false;
    }
    bigger.slots = calloc(bigger.n_slots, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return false;
    }
    if (names->n_slots == 0) {
        bigger.seed = mix((uint64_t)(uintptr_t)bigger.slots);
    }
    for (size_t i = 0; i < names->n_slots; i++) {
        if (names->slots[i].name.data != NULL) {
            *find_slot(&bigger, names->slots[i].name, names->slots[i].hash) = names->slots[i];
        }
    }
    free(names->slots);
    *names = bigger;
    return true;
}

static const uint8_t no_bytes[1];

int *onnx_names_at(struct onnx_names *names, struct pare_pb_span name)
{
    if (name.data == NULL) {
        name.data = no_bytes;
    }
    if (names->n_used * 2 >= names->n_slots && !grow(names)) {
        return NULL;
    }
    uint64_t hash = hash_name(name, names->seed);
    struct onnx_name_slot *slot = find_slot(names, name, hash);
    if (slot->name.data == NULL) {
        *slot = (struct onnx_name_slot){name, hash, -1};
        names->n_used++;
    }
    return &slot->value;
}

int onnx_names_find(const struct onnx_names *names, struct pare_pb_span name)
{
    if (names->n_slots == 0) {
        return -1;
    }
    if (name.data == NULL) {
        name.data = no_bytes;
    }
    const struct onnx_name_slot *slot = find_slot(names, name, hash_name(name, names->seed));
    return slot->name.data != NULL ? slot->value : -1;
}

void onnx_names_clear(struct onnx_names *names)
{
    free(names->slots);
    *names = (struct onnx_names){NULL, 0, 0, 0};
}
