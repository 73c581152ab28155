#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum pare_status pare_file_open(const char *path, size_t max_bytes, struct pare_file *file,
                                struct pare_error *err)
{
    struct stat st;
    memset(file, 0, sizeof *file);
    /* O_NONBLOCK: a FIFO without a writer must not block before it is refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        enum pare_status code = errno == EACCES ? PARE_ERR_PERMISSION : PARE_ERR_NOINPUT;
        return pare_error(err, code, path, "cannot open: %s", strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return pare_error(err, PARE_ERR_NOINPUT, path, "expected a regular file, found %s",
                          S_ISDIR(st.st_mode) ? "a folder" : "something else");
    }
    if ((uint64_t)st.st_size > max_bytes) {
        close(fd);
        return pare_error(err, PARE_ERR_FORMAT, path, "file has %lld bytes, at most %zu are read",
                          (long long)st.st_size, max_bytes);
    }
    if (st.st_size > 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            close(fd);
            return pare_error(err, PARE_ERR_IO, path, "cannot map: %s", strerror(errno));
        }
        file->data = map;
        file->size = (size_t)st.st_size;
        file->mapped = true;
    }
    close(fd);
    return PARE_OK;
}

void pare_file_close(struct pare_file *file)
{
    if (file->mapped) {
        munmap((void *)(uintptr_t)file->data, file->size);
    }
    memset(file, 0, sizeof *file);
}

static bool write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        snprintf(folder, sizeof folder, ".");
    } else if (slash == folder) {
        slash[1] = '\0';
    } else {
        *slash = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems refuse fsync of folders: the rename still holds */
        close(fd);
    }
}

enum pare_status pare_file_write(const char *path, const void *data, size_t size, struct pare_error *err)
{
    char temp[PATH_MAX];
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        /* /dev/stdout, /dev/full and the like: no temporary file beside a device */
        int fd = S_ISDIR(st.st_mode) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            return pare_error(err, PARE_ERR_CANTCREATE, path, "cannot write: %s",
                              S_ISDIR(st.st_mode) ? "is a folder" : strerror(errno));
        }
        bool ok = write_all(fd, data, size);
        int saved = errno;
        close(fd);
        return ok ? PARE_OK : pare_error(err, PARE_ERR_IO, path, "cannot write: %s", strerror(saved));
    }
    if ((size_t)snprintf(temp, sizeof temp, "%s.XXXXXX", path) >= sizeof temp) {
        return pare_error(err, PARE_ERR_CANTCREATE, path, "path is too long");
    }
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        return pare_error(err, PARE_ERR_CANTCREATE, path, "cannot create: %s", strerror(errno));
    }
    mode_t mask = umask(0);
    umask(mask);
    bool ok = fchmod(fd, 0666 & ~mask) == 0 && write_all(fd, data, size) && fsync(fd) == 0;
    int saved = errno;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0) {
        sync_folder(path);
        return PARE_OK;
    }
    if (ok) {
        saved = errno;
    }
    unlink(temp);
    return pare_error(err, PARE_ERR_IO, path, "cannot write: %s", strerror(saved));
}

enum pare_status pare_make_dirs(const char *path, struct pare_error *err)
{
    char partial[PATH_MAX];
    if (strlen(path) >= sizeof partial) {
        return pare_error(err, PARE_ERR_CANTCREATE, path, "path is too long");
    }
    snprintf(partial, sizeof partial, "%s", path);
    for (char *p = partial + 1;; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char end = *p;
        *p = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST) {
            return pare_error(err, PARE_ERR_CANTCREATE, partial, "cannot create folder: %s",
                              strerror(errno));
        }
        *p = end;
        if (end == '\0') {
            break;
        }
    }
    return pare_is_dir(path) ? PARE_OK
                             : pare_error(err, PARE_ERR_CANTCREATE, path, "exists and is no folder");
}

enum pare_status pare_user_folder(enum pare_user_folder kind, char *path, size_t size, struct pare_error *err)
{
    static const char *const places[][2] = {{"XDG_CONFIG_HOME", ".config"},
                                            {"XDG_DATA_HOME", ".local/share"},
                                            {"XDG_STATE_HOME", ".local/state"},
                                            {"XDG_CACHE_HOME", ".cache"}};
    const char *value = getenv(places[kind][0]), *home = getenv("HOME");
    int n;
    if (value != NULL && value[0] == '/') { /* a relative one is to be ignored, says the specification */
        n = snprintf(path, size, "%s/pare", value);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(path, size, "%s/%s/pare", home, places[kind][1]);
    } else {
        return pare_error(err, PARE_ERR_CONFIG, NULL, "HOME and %s are unset", places[kind][0]);
    }
    return n > 0 && (size_t)n < size ? PARE_OK : pare_error(err, PARE_ERR_CONFIG, NULL, "%s is too long", places[kind][0]);
}

bool pare_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool pare_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
