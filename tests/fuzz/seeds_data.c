#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "fuzz.h"

static uint8_t *npy(size_t *size)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n";
    const size_t n = sizeof header - 1;
    uint8_t *out = calloc(1, 10 + n + 24);
    if (out != NULL) {
        memcpy(out, "\x93NUMPY\1\0", 8);
        out[8] = (uint8_t)n;
        memcpy(out + 10, header, n);
        *size = 10 + n + 24;
    }
    return out;
}

/* format: PNG_FORMAT_RGB, PNG_FORMAT_RGB_COLORMAP, PNG_FORMAT_LINEAR_Y_ALPHA ... */
static uint8_t *png(unsigned format, size_t *size)
{
    unsigned char pixels[8 * 8 * 8], map[4 * 256];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 8, .height = 8, .format = format,
                       .colormap_entries = 4};
    png_alloc_size_t n = 8192;
    uint8_t *out = malloc(n);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (unsigned char)((format & PNG_FORMAT_FLAG_COLORMAP) != 0 ? i % 4 : i * 7);
    }
    memset(map, 90, sizeof map);
    if (out != NULL && png_image_write_to_memory(&image, out, &n, 0, pixels, 0, map) == 0) {
        free(out);
        out = NULL;
    }
    *size = n;
    return out;
}

static uint8_t *jpeg(int progressive, size_t *size)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL, row[3 * 24];
    unsigned long n = 0;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &out, &n);
    j.image_width = j.image_height = 24;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    if (progressive) {
        jpeg_simple_progression(&j);
    }
    jpeg_start_compress(&j, TRUE);
    for (int y = 0; y < 24; y++) {
        JSAMPROW line = row;
        for (int x = 0; x < 72; x++) {
            row[x] = (unsigned char)(x * y);
        }
        jpeg_write_scanlines(&j, &line, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    *size = n;
    return out;
}

uint8_t *fuzz_seed(int i, size_t *size)
{
    switch (i) {
    case 0:
        return npy(size);
    case 1:
        return png(PNG_FORMAT_RGB, size);
    case 2:
        return png(PNG_FORMAT_RGB_COLORMAP, size);
    case 3:
        return png(PNG_FORMAT_LINEAR_Y_ALPHA, size);
    case 4:
    case 5:
        return jpeg(i == 5, size);
    default:
        return NULL;
    }
}
