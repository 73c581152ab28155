/*
 * flatbuffer.h: reads FlatBuffers in place, trusting nothing. Every read is bounded by the file;
 * what is out of bounds reads as absent and leaves the reason in the reader, so callers look once
 * after each group of reads (pare_fb_failed). No recursion, no allocation.
 *
 * A small file may point to the same large vector from many places. `budget` counts the bytes of
 * all vectors and strings that were asked for and fails the file when they are many times its size,
 * so that time and memory stay linear in what was really there.
 *
 * The format: u32 offset of the root table at 0, file identifier at 4. A table is an i32 distance
 * back to its vtable, then fields. A vtable is u16 own size, u16 table size, then one u16 per
 * field: its offset in the table, 0 = default. Vectors and strings are a u32 count and the
 * elements; references are u32 distances forward from where they stand. Numbers are little-endian.
 */
#ifndef PARE_FLATBUFFER_H
#define PARE_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pare_fb {
    const uint8_t *data;
    size_t size;
    uint64_t budget;     /* bytes that may still be asked for */
    const char *failure; /* NULL = none yet */
    size_t failure_at;   /* where in the file */
};

struct pare_fb_table {
    struct pare_fb *fb; /* NULL = absent: every field has its default */
    size_t at;          /* of the table */
    size_t vtable;
    unsigned vtable_size, table_size;
};

struct pare_fb_vector {
    struct pare_fb *fb;
    bool present;
    size_t at; /* of the first element */
    size_t n, element_size;
};

/* Starts on size bytes of data. The budget is 8 * size + 64 KiB. */
void pare_fb_init(struct pare_fb *fb, const void *data, size_t size);
bool pare_fb_failed(const struct pare_fb *fb);
/* Records a failure (the first one stays). */
void pare_fb_fail(struct pare_fb *fb, size_t at, const char *why);
/* Takes bytes from the budget; false (and a failure) when it is used up. */
bool pare_fb_charge(struct pare_fb *fb, size_t at, uint64_t bytes);

struct pare_fb_table pare_fb_root(struct pare_fb *fb);

/* Scalar fields, with the default of the schema. */
int8_t pare_fb_i8(const struct pare_fb_table *t, int field, int8_t absent);
uint8_t pare_fb_u8(const struct pare_fb_table *t, int field, uint8_t absent);
int32_t pare_fb_i32(const struct pare_fb_table *t, int field, int32_t absent);
uint32_t pare_fb_u32(const struct pare_fb_table *t, int field, uint32_t absent);
uint64_t pare_fb_u64(const struct pare_fb_table *t, int field, uint64_t absent);
float pare_fb_f32(const struct pare_fb_table *t, int field, float absent);

/* Fields that refer to something; absent ones have fb == NULL / present == false. */
struct pare_fb_table pare_fb_subtable(const struct pare_fb_table *t, int field);
struct pare_fb_vector pare_fb_vec(const struct pare_fb_table *t, int field, size_t element_size);
/* A vector that is not charged: constant data, which is used in place. */
struct pare_fb_vector pare_fb_blob(const struct pare_fb_table *t, int field);
/* The bytes of a string (its NUL is checked), length in *n; NULL when absent. */
const char *pare_fb_string(const struct pare_fb_table *t, int field, size_t *n);

/* Elements; i must be below v->n. */
int32_t pare_fb_vec_i32(const struct pare_fb_vector *v, size_t i);
int64_t pare_fb_vec_i64(const struct pare_fb_vector *v, size_t i);
float pare_fb_vec_f32(const struct pare_fb_vector *v, size_t i);
unsigned pare_fb_vec_u16(const struct pare_fb_vector *v, size_t i);
unsigned pare_fb_vec_u8(const struct pare_fb_vector *v, size_t i);
struct pare_fb_table pare_fb_vec_table(const struct pare_fb_vector *v, size_t i);

#endif
