#include "data/picture.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"

#define MAX_FILE_BYTES ((size_t)256 << 20)

static bool named(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

enum pare_status pare_picture_read(const char *path, struct pare_arena *arena,
                                   struct pare_picture *picture, struct pare_error *err)
{
    struct pare_file file;
    enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    const bool png = file.size >= 8 && memcmp(file.data, "\x89PNG\r\n\x1A\n", 8) == 0;
    const bool jpeg = file.size >= 3 && memcmp(file.data, "\xFF\xD8\xFF", 3) == 0;
    if (png ? named(path, ".jpg") || named(path, ".jpeg") : jpeg && named(path, ".png")) {
        status = pare_error(err, PARE_ERR_FORMAT, path, "this is a %s picture: rename it to %s",
                            png ? "PNG" : "JPEG", png ? ".png" : ".jpg");
    } else if (png) {
        status = pare_png_decode(file.data, file.size, path, arena, picture, err);
    } else if (jpeg) {
        status = pare_jpeg_decode(file.data, file.size, path, arena, picture, err);
    } else {
        status = pare_error(err, PARE_ERR_FORMAT, path, "neither a PNG nor a JPEG picture");
    }
    pare_file_close(&file);
    return status;
}
