#include "model/flatbuffer.h"

#include <string.h>

/* Files are little-endian; so are all machines that this runs on (tested at build time). */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the FlatBuffers reader expects a little-endian machine"
#endif

void pare_fb_init(struct pare_fb *fb, const void *data, size_t size)
{
    memset(fb, 0, sizeof *fb);
    fb->data = data;
    fb->size = size;
    fb->budget = 8 * (uint64_t)size + 65536;
}

bool pare_fb_failed(const struct pare_fb *fb)
{
    return fb->failure != NULL;
}

void pare_fb_fail(struct pare_fb *fb, size_t at, const char *why)
{
    if (fb->failure == NULL) {
        fb->failure = why;
        fb->failure_at = at;
    }
}

bool pare_fb_charge(struct pare_fb *fb, size_t at, uint64_t bytes)
{
    if (bytes > fb->budget) {
        pare_fb_fail(fb, at, "the file refers to the same bytes too many times");
        fb->budget = 0;
        return false;
    }
    fb->budget -= bytes;
    return true;
}

static bool within(const struct pare_fb *fb, size_t at, size_t n)
{
    return at <= fb->size && n <= fb->size - at;
}

static uint32_t load_u32(const struct pare_fb *fb, size_t at)
{
    uint32_t v;
    memcpy(&v, fb->data + at, 4);
    return v;
}

static unsigned load_u16(const struct pare_fb *fb, size_t at)
{
    uint16_t v;
    memcpy(&v, fb->data + at, 2);
    return v;
}

static struct pare_fb_table table_at(struct pare_fb *fb, size_t at)
{
    struct pare_fb_table none = {0}, t = {fb, at, 0, 0, 0};
    if (at % 4 != 0) {
        pare_fb_fail(fb, at, "a table is not aligned to 4 bytes");
        return none;
    }
    if (!within(fb, at, 4)) {
        pare_fb_fail(fb, at, "a table lies past the end of the file");
        return none;
    }
    int64_t back = (int32_t)load_u32(fb, at);
    int64_t vtable = (int64_t)at - back;
    if (vtable < 0 || vtable % 2 != 0 || !within(fb, (size_t)vtable, 4)) {
        pare_fb_fail(fb, at, "a table's vtable lies outside the file");
        return none;
    }
    t.vtable = (size_t)vtable;
    t.vtable_size = load_u16(fb, t.vtable);
    t.table_size = load_u16(fb, t.vtable + 2);
    if (t.vtable_size < 4 || t.vtable_size % 2 != 0 || !within(fb, t.vtable, t.vtable_size)) {
        pare_fb_fail(fb, t.vtable, "a vtable has a wrong size");
        return none;
    }
    if (t.table_size < 4 || !within(fb, at, t.table_size)) {
        pare_fb_fail(fb, at, "a table has a wrong size");
        return none;
    }
    return t;
}

struct pare_fb_table pare_fb_root(struct pare_fb *fb)
{
    if (!within(fb, 0, 8)) {
        pare_fb_fail(fb, 0, "the file is too short");
        return (struct pare_fb_table){0};
    }
    return table_at(fb, load_u32(fb, 0));
}

/* Where a field of n bytes stands, or 0 when it has its default. */
static size_t field_at(const struct pare_fb_table *t, int field, size_t n)
{
    size_t slot = 4 + 2 * (size_t)field;
    if (t->fb == NULL || slot + 2 > t->vtable_size) {
        return 0;
    }
    unsigned offset = load_u16(t->fb, t->vtable + slot);
    if (offset == 0) {
        return 0;
    }
    if (offset < 4 || offset + n > t->table_size) {
        pare_fb_fail(t->fb, t->at, "a field lies outside its table");
        return 0;
    }
    return t->at + offset;
}

int8_t pare_fb_i8(const struct pare_fb_table *t, int field, int8_t absent)
{
    size_t at = field_at(t, field, 1);
    return at == 0 ? absent : (int8_t)t->fb->data[at];
}

uint8_t pare_fb_u8(const struct pare_fb_table *t, int field, uint8_t absent)
{
    size_t at = field_at(t, field, 1);
    return at == 0 ? absent : t->fb->data[at];
}

int32_t pare_fb_i32(const struct pare_fb_table *t, int field, int32_t absent)
{
    size_t at = field_at(t, field, 4);
    return at == 0 ? absent : (int32_t)load_u32(t->fb, at);
}

uint32_t pare_fb_u32(const struct pare_fb_table *t, int field, uint32_t absent)
{
    size_t at = field_at(t, field, 4);
    return at == 0 ? absent : load_u32(t->fb, at);
}

uint64_t pare_fb_u64(const struct pare_fb_table *t, int field, uint64_t absent)
{
    size_t at = field_at(t, field, 8);
    uint64_t v = absent;
    if (at != 0) {
        memcpy(&v, t->fb->data + at, 8);
    }
    return v;
}

float pare_fb_f32(const struct pare_fb_table *t, int field, float absent)
{
    size_t at = field_at(t, field, 4);
    float v = absent;
    if (at != 0) {
        memcpy(&v, t->fb->data + at, 4);
    }
    return v;
}

/* Where the reference stored at `at` leads; 0 on failure. */
static size_t follow(struct pare_fb *fb, size_t at)
{
    size_t distance = load_u32(fb, at);
    if (distance == 0 || distance > fb->size - at) {
        pare_fb_fail(fb, at,
                     distance == 0 ? "a reference leads to itself"
                                   : "a reference leads past the end of the file");
        return 0;
    }
    return at + distance;
}

struct pare_fb_table pare_fb_subtable(const struct pare_fb_table *t, int field)
{
    size_t at = field_at(t, field, 4);
    size_t target = at != 0 ? follow(t->fb, at) : 0;
    return target != 0 ? table_at(t->fb, target) : (struct pare_fb_table){0};
}

struct pare_fb_vector pare_fb_vec(const struct pare_fb_table *t, int field, size_t element_size)
{
    struct pare_fb_vector none = {0}, v = {t->fb, true, 0, 0, element_size};
    size_t at = field_at(t, field, 4);
    size_t target = at != 0 ? follow(t->fb, at) : 0;
    if (target == 0) {
        return none;
    }
    if (target % 4 != 0 || !within(t->fb, target, 4)) {
        pare_fb_fail(t->fb, target,
                     target % 4 != 0 ? "a vector is not aligned to 4 bytes"
                                     : "a vector lies past the end of the file");
        return none;
    }
    v.n = load_u32(t->fb, target);
    v.at = target + 4;
    if (v.n > (t->fb->size - v.at) / element_size) {
        pare_fb_fail(t->fb, target, "a vector is longer than the file");
        return none;
    }
    return pare_fb_charge(t->fb, target, v.n * element_size) ? v : none;
}

struct pare_fb_vector pare_fb_blob(const struct pare_fb_table *t, int field)
{
    uint64_t budget = t->fb != NULL ? t->fb->budget : 0;
    if (t->fb != NULL) {
        t->fb->budget = UINT64_MAX;
    }
    struct pare_fb_vector v = pare_fb_vec(t, field, 1);
    if (t->fb != NULL) {
        t->fb->budget = budget;
    }
    return v;
}

const char *pare_fb_string(const struct pare_fb_table *t, int field, size_t *n)
{
    struct pare_fb_vector v = pare_fb_vec(t, field, 1);
    *n = v.n;
    if (!v.present) {
        return NULL;
    }
    if (v.n >= v.fb->size - v.at || v.fb->data[v.at + v.n] != '\0') {
        pare_fb_fail(v.fb, v.at, "a string does not end with a zero byte");
        *n = 0;
        return NULL;
    }
    return (const char *)v.fb->data + v.at;
}

int32_t pare_fb_vec_i32(const struct pare_fb_vector *v, size_t i)
{
    return (int32_t)load_u32(v->fb, v->at + 4 * i);
}

int64_t pare_fb_vec_i64(const struct pare_fb_vector *v, size_t i)
{
    int64_t value;
    memcpy(&value, v->fb->data + v->at + 8 * i, 8);
    return value;
}

float pare_fb_vec_f32(const struct pare_fb_vector *v, size_t i)
{
    float value;
    memcpy(&value, v->fb->data + v->at + 4 * i, 4);
    return value;
}

unsigned pare_fb_vec_u16(const struct pare_fb_vector *v, size_t i)
{
    return load_u16(v->fb, v->at + 2 * i);
}

unsigned pare_fb_vec_u8(const struct pare_fb_vector *v, size_t i)
{
    return v->fb->data[v->at + i];
}

struct pare_fb_table pare_fb_vec_table(const struct pare_fb_vector *v, size_t i)
{
    size_t target = follow(v->fb, v->at + 4 * i);
    return target != 0 ? table_at(v->fb, target) : (struct pare_fb_table){0};
}
