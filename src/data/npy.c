#include "data/npy.h"

#include <math.h>
#include <string.h>

#define MAX_HEADER 65536
#define MAX_ELEMENTS ((int64_t)1 << 40)

/* ---- the header's tokens ---- */

struct cursor {
    const char *at, *end;
    const char *where;
    struct pare_error *err;
};

static void skip_spaces(struct cursor *c)
{
    while (c->at < c->end &&
           (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) {
        c->at++;
    }
}

static enum pare_status bad(struct cursor *c, const char *expected)
{
    return pare_error(c->err, PARE_ERR_FORMAT, c->where, "npy header: expected %s", expected);
}

static bool take(struct cursor *c, char ch)
{
    skip_spaces(c);
    if (c->at < c->end && *c->at == ch) {
        c->at++;
        return true;
    }
    return false;
}

/* A quoted string without escapes. */
static bool take_text(struct cursor *c, char *out, size_t size)
{
    skip_spaces(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"')) {
        return false;
    }
    const char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote) {
        if (n + 1 >= size || *c->at == '\\' || (unsigned char)*c->at < ' ') {
            return false;
        }
        out[n++] = *c->at++;
    }
    out[n] = '\0';
    return take(c, quote);
}

static bool take_word(struct cursor *c, const char *word)
{
    const size_t n = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) {
        return false;
    }
    c->at += n;
    return true;
}

static bool take_size(struct cursor *c, int64_t *out)
{
    int64_t x = 0;
    skip_spaces(c);
    const char *start = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        x = x * 10 + (*c->at++ - '0');
        if (x > MAX_ELEMENTS) {
            return false;
        }
    }
    *out = x;
    return c->at > start;
}

static enum pare_status take_shape(struct cursor *c, struct pare_npy *npy)
{
    npy->rank = 0;
    npy->elements = 1;
    if (!take(c, '(')) {
        return bad(c, "a shape '(n, ...)'");
    }
    while (!take(c, ')')) {
        int64_t n;
        if (npy->rank == PARE_NPY_MAX_RANK) {
            return bad(c, "at most 8 dimensions");
        }
        if (!take_size(c, &n)) {
            return bad(c, "a size of at most 2^40");
        }
        if (n > 0 && npy->elements > MAX_ELEMENTS / n) {
            return bad(c, "at most 2^40 elements");
        }
        npy->dims[npy->rank++] = n;
        npy->elements *= n;
        if (!take(c, ',')) {
            if (npy->rank == 1 || !take(c, ')')) {
                return bad(c, "',' or ')' in the shape");
            }
            return PARE_OK;
        }
    }
    return PARE_OK;
}

static enum pare_status take_descr(struct cursor *c, struct pare_npy *npy)
{
    char text[16];
    if (!take_text(c, text, sizeof text)) {
        return bad(c, "a plain element type such as '<f4' (no structures)");
    }
    static const char *const known[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                        "i8", "u1", "u2", "u4", "u8", "b1"};
    const bool marked = strchr("<>|=", text[0]) != NULL && text[0] != '\0';
    const char *type = marked ? text + 1 : text;
    for (size_t i = 0; marked && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(type, known[i]) == 0) {
            npy->kind = type[0];
            npy->size = type[1] - '0';
            npy->big_endian = text[0] == '>';
            return PARE_OK;
        }
    }
    if (strcmp(type, "O") == 0) {
        return pare_error(c->err, PARE_ERR_FORMAT, c->where,
                          "npy header: pickled Python objects are never loaded");
    }
    return pare_error(c->err, PARE_ERR_FORMAT, c->where,
                      "npy header: element type '%s' is not supported", text);
}

static enum pare_status parse_header(struct cursor *c, struct pare_npy *npy)
{
    bool seen[3] = {false, false, false};
    if (!take(c, '{')) {
        return bad(c, "'{'");
    }
    while (!take(c, '}')) {
        char key[32];
        enum pare_status status = PARE_OK;
        if (!take_text(c, key, sizeof key) || !take(c, ':')) {
            return bad(c, "a key and ':'");
        }
        const int k = strcmp(key, "descr") == 0           ? 0
                      : strcmp(key, "fortran_order") == 0 ? 1
                      : strcmp(key, "shape") == 0         ? 2
                                                          : -1;
        if (k < 0 || seen[k]) {
            return bad(c, "the keys descr, fortran_order and shape, once each");
        }
        seen[k] = true;
        if (k == 0) {
            status = take_descr(c, npy);
        } else if (k == 2) {
            status = take_shape(c, npy);
        } else if (take_word(c, "True")) {
            npy->fortran = true;
        } else if (!take_word(c, "False")) {
            status = bad(c, "True or False");
        }
        if (status != PARE_OK) {
            return status;
        }
        if (!take(c, ',')) {
            if (!take(c, '}')) {
                return bad(c, "',' or '}'");
            }
            break;
        }
    }
    skip_spaces(c);
    if (!seen[0] || !seen[1] || !seen[2] || c->at != c->end) {
        return bad(c, seen[0] && seen[1] && seen[2] ? "nothing behind '}'"
                                                    : "the keys descr, fortran_order and shape");
    }
    return PARE_OK;
}

enum pare_status pare_npy_parse(const void *data, size_t size, const char *where,
                                struct pare_npy *npy, struct pare_error *err)
{
    const unsigned char *p = data;
    memset(npy, 0, sizeof *npy);
    if (size < 10 || memcmp(p, "\x93NUMPY", 6) != 0) {
        return pare_error(err, PARE_ERR_FORMAT, where, "not an npy array (wrong first bytes)");
    }
    if (p[6] < 1 || p[6] > 3 || p[7] != 0) {
        return pare_error(err, PARE_ERR_FORMAT, where,
                          "npy version %d.%d, expected 1.0, 2.0 or 3.0", p[6], p[7]);
    }
    const size_t prefix = p[6] == 1 ? 10 : 12;
    if (size < prefix) {
        return pare_error(err, PARE_ERR_FORMAT, where, "the npy header is cut off");
    }
    size_t n = (size_t)p[8] | (size_t)p[9] << 8;
    if (prefix == 12) {
        n |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    }
    if (n > MAX_HEADER || n > size - prefix) {
        return pare_error(err, PARE_ERR_FORMAT, where, "npy header of %zu bytes in a file of %zu",
                          n, size);
    }
    struct cursor c = {(const char *)p + prefix, (const char *)p + prefix + n, where, err};
    const enum pare_status status = parse_header(&c, npy);
    if (status != PARE_OK) {
        return status;
    }
    const size_t left = size - prefix - n;
    if ((uint64_t)npy->elements * (uint64_t)npy->size != left) { /* at most 2^43: no overflow */
        return pare_error(err, PARE_ERR_FORMAT, where,
                          "npy: %lld elements of %d bytes, but %zu bytes follow",
                          (long long)npy->elements, npy->size, left);
    }
    npy->data = p + prefix + n;
    return PARE_OK;
}

/* ---- elements ---- */

static double half(unsigned bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const double mantissa = (double)(bits & 1023), sign = bits >> 15 != 0 ? -1 : 1;
    if (exponent == 31) {
        return mantissa > 0 ? (double)NAN : sign * (double)INFINITY;
    }
    return sign * (exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25));
}

static double convert(const struct pare_npy *npy, uint64_t bits)
{
    if (npy->kind == 'f') {
        if (npy->size == 8) {
            double x;
            memcpy(&x, &bits, sizeof x);
            return x;
        }
        if (npy->size == 4) {
            const uint32_t low = (uint32_t)bits;
            float x;
            memcpy(&x, &low, sizeof x);
            return (double)x;
        }
        return half((unsigned)bits);
    }
    if (npy->kind == 'i') {
        const int shift = 64 - 8 * npy->size;
        return (double)((int64_t)(bits << shift) >> shift);
    }
    return npy->kind == 'b' ? (double)(bits != 0) : (double)bits;
}

double pare_npy_element(const struct pare_npy *npy, int64_t i)
{
    const unsigned char *p = npy->data + i * npy->size;
    uint64_t bits = 0;
    for (int k = 0; k < npy->size; k++) {
        bits |= (uint64_t)p[k] << 8 * (npy->big_endian ? npy->size - 1 - k : k);
    }
    return convert(npy, bits);
}

void pare_npy_item(const struct pare_npy *npy, int64_t i, float *out)
{
    const int64_t n = npy->dims[0] > 0 ? npy->elements / npy->dims[0] : 0;
    if (!npy->fortran) {
        for (int64_t k = 0; k < n; k++) {
            out[k] = (float)pare_npy_element(npy, i * n + k);
        }
        return;
    }
    int64_t at[PARE_NPY_MAX_RANK] = {0}, stride[PARE_NPY_MAX_RANK];
    stride[0] = 1;
    for (int a = 1; a < npy->rank; a++) {
        stride[a] = stride[a - 1] * npy->dims[a - 1];
    }
    int64_t from = i;
    for (int64_t k = 0; k < n; k++) {
        out[k] = (float)pare_npy_element(npy, from);
        for (int a = npy->rank - 1; a >= 1; a--) {
            from += stride[a];
            if (++at[a] < npy->dims[a]) {
                break;
            }
            from -= stride[a] * npy->dims[a];
            at[a] = 0;
        }
    }
}
