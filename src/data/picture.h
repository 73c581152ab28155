/*
 * picture.h: PNG and JPEG to RGB bytes. Private to data/.
 *
 * Every picture becomes 8-bit RGB: grey is repeated, palettes are looked up, 16 bits are rounded to
 * 8, an alpha channel, gamma, colour profiles and EXIF (also its rotation) are ignored. Sides are
 * at most 8192 and the area 2^25 pixels; the size is checked before anything is allocated. Damaged
 * and truncated files are errors.
 */
#ifndef PARE_PICTURE_H
#define PARE_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define PARE_PICTURE_MAX_SIDE 8192
#define PARE_PICTURE_MAX_PIXELS ((size_t)1 << 25)

struct pare_picture {
    int width, height;
    uint8_t *rgb; /* [height][width][3], in the arena */
};

enum pare_status pare_png_decode(const void *data, size_t size, const char *where,
                                 struct pare_arena *arena, struct pare_picture *picture,
                                 struct pare_error *err);
enum pare_status pare_jpeg_decode(const void *data, size_t size, const char *where,
                                  struct pare_arena *arena, struct pare_picture *picture,
                                  struct pare_error *err);
/* Reads a file and decodes it by its first bytes; a name that says otherwise is an error with a
 * hint. */
enum pare_status pare_picture_read(const char *path, struct pare_arena *arena,
                                   struct pare_picture *picture, struct pare_error *err);

#endif
