/*
 * file.h: whole files in, whole files out. Reading maps or reads a regular file with a size cap; writing
 * is atomic: a temporary file in the same folder, fsync, rename, fsync of the folder.
 */
#ifndef PARE_FILE_H
#define PARE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct pare_file {
    const uint8_t *data;
    size_t size;
    bool mapped;
};

/* Maps a regular file read-only (empty files give data == NULL, size 0). FIFO, device, folder: ERR_NOINPUT
 * with the reason. Larger than max_bytes: ERR_FORMAT. */
enum pare_status pare_file_open(const char *path, size_t max_bytes, struct pare_file *file,
                                struct pare_error *err);
void pare_file_close(struct pare_file *file);

/* Writes data atomically. ERR_CANTCREATE / ERR_IO name the path. */
enum pare_status pare_file_write(const char *path, const void *data, size_t size, struct pare_error *err);

/* mkdir -p with mode 0700. */
enum pare_status pare_make_dirs(const char *path, struct pare_error *err);

/* The user's folder of a kind, not made: $XDG_<KIND>_HOME/pare when that is absolute, else $HOME/<otherwise>/pare.
 * ERR_CONFIG when neither is set. */
enum pare_user_folder { PARE_USER_CONFIG, PARE_USER_DATA, PARE_USER_STATE, PARE_USER_CACHE };
enum pare_status pare_user_folder(enum pare_user_folder kind, char *path, size_t size, struct pare_error *err);

bool pare_is_dir(const char *path);
bool pare_is_file(const char *path);

#endif
