/*
 * tflite_flex.c: FlexBuffers, as far as options of custom operators need them: one map of numbers.
 *
 * The format ends with the root: ..., root value, u8 packed type of the root, u8 width of the root
 * value. A reference is an unsigned distance back from where it stands. A map is a vector of values
 * with, in front of its elements, the reference to the vector of keys, the width of the keys'
 * elements, and the size; behind the elements one packed type each. Keys are NUL-terminated and
 * sorted. A packed type is type << 2 | log2(width).
 */
#include <string.h>

#include "model/tflite_reader.h"

enum {
    FLEX_INT = 1,
    FLEX_UINT = 2,
    FLEX_FLOAT = 3,
    FLEX_INDIRECT_INT = 6,
    FLEX_INDIRECT_UINT = 7,
    FLEX_INDIRECT_FLOAT = 8,
    FLEX_MAP = 9,
    FLEX_BOOL = 26
};

static bool within(const struct tfl_flex *f, size_t at, size_t n)
{
    return at <= f->size && n <= f->size - at;
}

static bool load_unsigned(const struct tfl_flex *f, size_t at, unsigned width, uint64_t *value)
{
    if ((width != 1 && width != 2 && width != 4 && width != 8) || !within(f, at, width)) {
        return false;
    }
    *value = 0;
    memcpy(value, f->data + at, width); /* little-endian */
    return true;
}

/* The place that the reference at `at` means. */
static bool load_reference(const struct tfl_flex *f, size_t at, unsigned width, size_t *target)
{
    uint64_t back;
    if (!load_unsigned(f, at, width, &back) || back == 0 || back > at) {
        return false;
    }
    *target = at - (size_t)back;
    return true;
}

bool tfl_flex_open(struct tfl_flex *f, const uint8_t *data, size_t size)
{
    uint64_t n, key_width, n_keys;
    memset(f, 0, sizeof *f);
    f->data = data;
    f->size = size;
    if (size < 3) {
        return false;
    }
    unsigned root_width = data[size - 1], packed = data[size - 2];
    if (root_width > 8 || root_width == 0 || (packed >> 2) != FLEX_MAP ||
        size < 2 + (size_t)root_width) {
        return false;
    }
    f->width = 1u << (packed & 3);
    if (!load_reference(f, size - 2 - root_width, root_width, &f->values) ||
        f->values < 3 * (size_t)f->width || !load_unsigned(f, f->values - f->width, f->width, &n) ||
        !load_unsigned(f, f->values - 2 * (size_t)f->width, f->width, &key_width) ||
        !load_reference(f, f->values - 3 * (size_t)f->width, f->width, &f->keys)) {
        return false;
    }
    if (n > f->size || !within(f, f->values, (size_t)n * (f->width + 1)) || key_width > 8) {
        return false;
    }
    f->n = (size_t)n;
    f->key_width = (unsigned)key_width;
    return f->keys >= f->key_width &&
           load_unsigned(f, f->keys - f->key_width, f->key_width, &n_keys) && n_keys == n &&
           within(f, f->keys, f->n * f->key_width);
}

static bool key_equals(const struct tfl_flex *f, size_t i, const char *key)
{
    size_t at, length = strlen(key) + 1;
    return load_reference(f, f->keys + i * f->key_width, f->key_width, &at) &&
           within(f, at, length) && memcmp(f->data + at, key, length) == 0;
}

static bool load_number(const struct tfl_flex *f, size_t at, unsigned width, int type,
                        double *value)
{
    uint64_t bits;
    if (!load_unsigned(f, at, width, &bits)) {
        return false;
    }
    if (type == FLEX_FLOAT) {
        if (width == 4) {
            float single;
            memcpy(&single, f->data + at, 4);
            *value = (double)single;
        } else if (width == 8) {
            memcpy(value, f->data + at, 8);
        }
        return width == 4 || width == 8;
    }
    if (type == FLEX_INT) {
        unsigned shift = 64 - 8 * width;
        *value = (double)((int64_t)(bits << shift) >> shift);
        return true;
    }
    *value = (double)bits;
    return true;
}

bool tfl_flex_number(const struct tfl_flex *f, const char *key, double *value)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!key_equals(f, i, key)) {
            continue;
        }
        size_t at = f->values + i * f->width;
        unsigned packed = f->data[f->values + f->n * f->width + i], width = f->width;
        int type = (int)(packed >> 2);
        if (type >= FLEX_INDIRECT_INT && type <= FLEX_INDIRECT_FLOAT) {
            if (!load_reference(f, at, f->width, &at)) {
                return false;
            }
            type -= FLEX_INDIRECT_INT - FLEX_INT;
            width = 1u << (packed & 3);
        }
        return (type == FLEX_INT || type == FLEX_UINT || type == FLEX_FLOAT || type == FLEX_BOOL) &&
               load_number(f, at, width, type, value);
    }
    return false;
}
