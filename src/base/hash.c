#include "base/hash.h"

#include <sha2.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum pare_status pare_hash_init(struct pare_hash *h)
{
    XXH3_state_t *state = XXH3_createState();
    h->state = state;
    if (state == NULL) {
        return PARE_ERR_NOMEM;
    }
    XXH3_128bits_reset(state);
    return PARE_OK;
}

void pare_hash_add(struct pare_hash *h, const void *data, size_t n)
{
    if (n > 0) {
        XXH3_128bits_update(h->state, data, n);
    }
}

void pare_hash_add_string(struct pare_hash *h, const char *s)
{
    uint64_t n = strlen(s);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(n >> (8 * i));
    }
    pare_hash_add(h, length, sizeof length);
    pare_hash_add(h, s, (size_t)n);
}

static void to_hex(const unsigned char *bytes, size_t n, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n] = '\0';
}

void pare_hash_final(struct pare_hash *h, char hex[33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->state));
    to_hex(canonical.digest, 16, hex);
    XXH3_freeState(h->state);
    h->state = NULL;
}

void pare_hash_bytes(const void *data, size_t n, char hex[33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, n));
    to_hex(canonical.digest, 16, hex);
}

void pare_sha256_bytes(const void *data, size_t n, char hex[65])
{
    SHA2_CTX context;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256Init(&context);
    SHA256Update(&context, data, n);
    SHA256Final(digest, &context);
    to_hex(digest, sizeof digest, hex);
}
