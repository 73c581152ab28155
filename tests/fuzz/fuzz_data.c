/* The readers of npy arrays, PNG and JPEG pictures, on any bytes. */
#include <string.h>

#include "data/npy.h"
#include "data/picture.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pare_arena arena = {NULL, 0};
    struct pare_error err;
    struct pare_picture picture;
    struct pare_npy npy;
    if (size >= 8 && memcmp(data, "\x89PNG", 4) == 0) {
        (void)pare_png_decode(data, size, "fuzz.png", &arena, &picture, &err);
    } else if (size >= 2 && data[0] == 0xFF && data[1] == 0xD8) {
        (void)pare_jpeg_decode(data, size, "fuzz.jpg", &arena, &picture, &err);
    } else if (pare_npy_parse(data, size, "fuzz.npy", &npy, &err) == PARE_OK && npy.rank > 0) {
        const int64_t n = npy.dims[0] > 0 ? npy.elements / npy.dims[0] : 0;
        float *item = pare_arena_array(&arena, (size_t)n, sizeof *item);
        for (int64_t i = 0; item != NULL && i < npy.dims[0] && i < 4; i++) {
            pare_npy_item(&npy, i, item);
        }
    }
    pare_arena_clear(&arena);
    return 0;
}
