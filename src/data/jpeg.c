#include "data/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define MAX_SCANS 100

struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    struct pare_arena *arena;
    struct pare_picture *picture;
};

static void fail(j_common_ptr common)
{
    struct reader *r = common->client_data;
    if (r->message[0] == '\0') {
        common->err->format_message(common, r->message);
    }
    longjmp(r->jump, 1);
}

/* Warnings of missing data are errors, others are not. */
static void on_message(j_common_ptr common, int level)
{
    const int code = common->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) {
        fail(common);
    }
}

static void silent(j_common_ptr common)
{
    (void)common;
}

/* A progressive file may repeat cheap scans over a large picture without end. */
static void on_progress(j_common_ptr common)
{
    struct reader *r = common->client_data;
    if (r->jpeg.input_scan_number > MAX_SCANS) {
        snprintf(r->message, sizeof r->message, "more than %d scans", MAX_SCANS);
        fail(common);
    }
}

static void refuse(struct reader *r, const char *why)
{
    snprintf(r->message, sizeof r->message, "%s", why);
    fail((j_common_ptr)&r->jpeg);
}

static void decode(struct reader *r, const unsigned char *data, size_t size)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    jpeg_create_decompress(j);
    j->client_data = r;
    j->progress = &r->progress;
    jpeg_mem_src(j, data, size);
    jpeg_read_header(j, TRUE);
    if (j->image_width > PARE_PICTURE_MAX_SIDE || j->image_height > PARE_PICTURE_MAX_SIDE ||
        (size_t)j->image_width * j->image_height > PARE_PICTURE_MAX_PIXELS) {
        refuse(r, "the picture is too large");
    }
    if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK) {
        refuse(r, "CMYK pictures are not supported");
    }
    j->out_color_space = JCS_RGB;
    j->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(j);
    const size_t row = 3 * (size_t)j->output_width;
    r->picture->rgb = pare_arena_array(r->arena, j->output_height, row);
    if (r->picture->rgb == NULL || j->output_components != 3) {
        refuse(r, "out of memory");
    }
    r->picture->width = (int)j->output_width;
    r->picture->height = (int)j->output_height;
    while (j->output_scanline < j->output_height) {
        JSAMPROW line = r->picture->rgb + j->output_scanline * row;
        jpeg_read_scanlines(j, &line, 1);
    }
    jpeg_finish_decompress(j);
}

enum pare_status pare_jpeg_decode(const void *data, size_t size, const char *where,
                                  struct pare_arena *arena, struct pare_picture *picture,
                                  struct pare_error *err)
{
    memset(picture, 0, sizeof *picture);
    struct reader *r =
        pare_arena_alloc(arena, sizeof *r); /* not a local: setjmp could clobber it */
    if (r == NULL) {
        return pare_error_nomem(err);
    }
    r->arena = arena;
    r->picture = picture;
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->jpeg.client_data = r;
    r->errors.error_exit = fail;
    r->errors.emit_message = on_message;
    r->errors.output_message = silent;
    r->progress.progress_monitor = on_progress;
    if (setjmp(r->jump) != 0) {
        jpeg_destroy_decompress(&r->jpeg);
        return pare_error(err, PARE_ERR_FORMAT, where, "jpeg: %s", r->message);
    }
    decode(r, data, size);
    jpeg_destroy_decompress(&r->jpeg);
    return PARE_OK;
}
