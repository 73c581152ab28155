#include "data/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

struct reader {
    const unsigned char *data;
    size_t size, at;
    char message[160];
    struct pare_arena *arena;
    struct pare_picture *picture;
    png_structp png;
    png_infop info;
};

static void fail(png_structp png, png_const_charp message)
{
    struct reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", message);
    png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->size - r->at) {
        png_error(png, "the file is cut off");
    }
    memcpy(to, r->data + r->at, n);
    r->at += n;
}

/* Chunks that only describe: skipped unread, so that a packed text cannot grow. */
static void skip_texts(png_structp png)
{
    static const unsigned char names[] = "iCCP\0zTXt\0iTXt\0tEXt\0eXIf\0sPLT\0hIST\0tIME";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep)names, 8);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
}

static void read_rows(struct reader *r, unsigned char *to, size_t rows, size_t row_bytes)
{
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != row_bytes) {
        png_error(r->png, "unexpected pixel format");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < rows; y++) {
            png_read_row(r->png, to + y * row_bytes, NULL);
        }
    }
}

static void look_up(struct reader *r, const unsigned char *indices, size_t n)
{
    png_colorp palette;
    int size;
    if (png_get_PLTE(r->png, r->info, &palette, &size) == 0) {
        png_error(r->png, "the palette is missing");
    }
    for (size_t i = 0; i < n; i++) {
        if (indices[i] >= size) {
            png_error(r->png, "an index is beyond the palette");
        }
        r->picture->rgb[3 * i] = palette[indices[i]].red;
        r->picture->rgb[3 * i + 1] = palette[indices[i]].green;
        r->picture->rgb[3 * i + 2] = palette[indices[i]].blue;
    }
}

/* Runs below setjmp; everything lives in *r. */
static void decode(struct reader *r)
{
    png_structp png = r->png;
    png_set_user_limits(png, PARE_PICTURE_MAX_SIDE, PARE_PICTURE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 1u << 20);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 0); /* what libpng would forgive is damage too */
    skip_texts(png);
    png_set_read_fn(png, r, read_bytes);
    png_read_info(png, r->info);
    const size_t w = png_get_image_width(png, r->info), h = png_get_image_height(png, r->info);
    if (w * h > PARE_PICTURE_MAX_PIXELS) {
        png_error(png, "the picture is too large");
    }
    const int type = png_get_color_type(png, r->info);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(png); /* indices stay: libpng would take one beyond the palette as black */
    } else {
        png_set_expand(png);
        png_set_scale_16(png);
        png_set_strip_alpha(png);
        if ((type & PNG_COLOR_MASK_COLOR) == 0) {
            png_set_gray_to_rgb(png);
        }
    }
    r->picture->rgb = pare_arena_array(r->arena, h, 3 * w);
    if (r->picture->rgb == NULL) {
        png_error(png, "out of memory");
    }
    r->picture->width = (int)w;
    r->picture->height = (int)h;
    if (type == PNG_COLOR_TYPE_PALETTE) {
        unsigned char *indices = pare_arena_array(r->arena, h, w);
        if (indices == NULL) {
            png_error(png, "out of memory");
        }
        read_rows(r, indices, h, w);
        look_up(r, indices, h * w);
    } else {
        read_rows(r, r->picture->rgb, h, 3 * w);
    }
    png_read_end(png, NULL);
}

enum pare_status pare_png_decode(const void *data, size_t size, const char *where,
                                 struct pare_arena *arena, struct pare_picture *picture,
                                 struct pare_error *err)
{
    memset(picture, 0, sizeof *picture);
    struct reader *r =
        pare_arena_alloc(arena, sizeof *r); /* not a local: setjmp could clobber it */
    if (r == NULL) {
        return pare_error_nomem(err);
    }
    r->data = data;
    r->size = size;
    r->arena = arena;
    r->picture = picture;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, fail, warn);
    if (r->png == NULL) {
        return pare_error_nomem(err);
    }
    r->info = png_create_info_struct(r->png);
    if (r->info == NULL) {
        png_destroy_read_struct(&r->png, NULL, NULL);
        return pare_error_nomem(err);
    }
    if (setjmp(png_jmpbuf(r->png)) != 0) {
        png_destroy_read_struct(&r->png, &r->info, NULL);
        return pare_error(err, PARE_ERR_FORMAT, where, "png: %s", r->message);
    }
    decode(r);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    return PARE_OK;
}
