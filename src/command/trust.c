#include "command/trust.h"

#include <dirent.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/strbuf.h"

#define MAX_LUA_BYTES ((size_t)16 << 20)
#define MAX_NATIVE_BYTES ((size_t)256 << 20)

static bool ours(uid_t owner)
{
    return owner == geteuid() || owner == 0;
}

/* Is it foreign, and why? `what` names it: "it", "its folder". */
static bool foreign(const struct stat *st, const char *what, struct pare_trust *t)
{
    if (!ours(st->st_uid)) {
        const struct passwd *user = getpwuid(st->st_uid);
        char name[64] = "";
        if (user != NULL) {
            pare_escape(user->pw_name, strlen(user->pw_name), name, sizeof name);
        }
        snprintf(t->why, sizeof t->why, user != NULL ? "%s belongs to %s" : "%s belongs to user %s%u", what, name, (unsigned)st->st_uid);
        return true;
    }
    if ((st->st_mode & S_IWOTH) != 0 && !(S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)) {
        snprintf(t->why, sizeof t->why, "everybody may write to %s", strcmp(what, "its folder") == 0 ? what : "it");
        return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static int is_lua(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".lua");
}

/* A shared object into hash: it alone. */
static enum pare_status hash_native(struct pare_trust *t, bool *is_foreign, struct pare_error *err)
{
    struct pare_file file = {0};
    struct stat st;
    *is_foreign = (stat(t->path, &st) == 0 && foreign(&st, "it", t)) || *is_foreign;
    enum pare_status status = pare_file_open(t->path, MAX_NATIVE_BYTES, &file, err);
    if (status == PARE_OK && *is_foreign) {
        pare_sha256_bytes(file.data, file.size, t->hash);
    }
    if (status == PARE_OK) {
        pare_file_close(&file);
    }
    return status;
}

/* Name and text of every Lua file of the folder into text: what the file may run, as require sees it. */
static enum pare_status gather(struct pare_trust *t, const char *folder, bool *is_foreign, struct pare_strbuf *text, struct pare_error *err)
{
    struct dirent **entries = NULL;
    char path[PATH_MAX + 300];
    struct stat st;
    enum pare_status status = PARE_OK;
    int n = scandir(folder, &entries, is_lua, alphasort);
    for (int i = 0; i < n; i++) {
        struct pare_file file = {0};
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (status == PARE_OK && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            *is_foreign = *is_foreign || foreign(&st, strcmp(path, t->path) == 0 ? "it" : entries[i]->d_name, t);
            status = pare_file_open(path, MAX_LUA_BYTES, &file, err);
            if (status == PARE_OK) {
                pare_strbuf_printf(text, "%zu %s %zu\n", strlen(entries[i]->d_name), entries[i]->d_name, file.size);
                pare_strbuf_append_n(text, (const char *)file.data, file.size);
                pare_file_close(&file);
            }
        }
        free(entries[i]);
    }
    free(entries);
    return status == PARE_OK && text->failed ? pare_error_nomem(err) : status;
}

static bool is_known(const struct pare_trust *t)
{
    char path[PATH_MAX], line[PATH_MAX + 80];
    bool known = false;
    if (pare_user_folder(PARE_USER_STATE, path, sizeof path - 8, NULL) != PARE_OK) {
        return false;
    }
    strcat(path, "/trust");
    FILE *in = fopen(path, "re");
    while (in != NULL && !known && fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        known = strncmp(line, t->hash, 64) == 0 && line[64] == ' ' && strcmp(line + 65, t->path) == 0;
    }
    if (in != NULL) {
        fclose(in);
    }
    return known;
}

/* The program's own source tree: ROOT of ROOT/build/PRESET/.../program. */
static bool beside_program(const char *path, const char *exe)
{
    char real[PATH_MAX];
    if (exe == NULL || realpath(exe, real) == NULL) {
        return false;
    }
    const char *build = strstr(real, "/build/");
    size_t n = build != NULL ? (size_t)(build - real) : 0;
    return n > 0 && strncmp(path, real, n) == 0 && path[n] == '/';
}

enum pare_status pare_trust_check(const char *path, const char *exe, struct pare_trust *t, struct pare_error *err)
{
    char folder[PATH_MAX];
    struct stat st;
    bool is_foreign = false;
    memset(t, 0, sizeof *t);
    if (realpath(path, folder) == NULL) {
        return PARE_OK; /* whoever opens it says so better */
    }
    if (pare_is_dir(folder)) {
        if ((size_t)snprintf(t->path, sizeof t->path, "%s/pipeline.lua", folder) >= sizeof t->path) {
            return pare_error(err, PARE_ERR_CONFIG, path, "the path is too long");
        }
    } else {
        snprintf(t->path, sizeof t->path, "%s", folder);
        *strrchr(folder, '/') = '\0';
    }
    t->native = ends_with(t->path, ".so");
    if ((!t->native && !ends_with(t->path, ".lua")) || !pare_is_file(t->path) || beside_program(t->path, exe)) {
        return PARE_OK;
    }
    if (folder[0] == '\0') {
        strcpy(folder, "/");
    }
    if (stat(folder, &st) == 0) {
        is_foreign = foreign(&st, "its folder", t);
    }
    struct pare_strbuf text;
    pare_strbuf_init(&text);
    enum pare_status status = t->native ? hash_native(t, &is_foreign, err) : gather(t, folder, &is_foreign, &text, err);
    if (status == PARE_OK && is_foreign && !t->native) {
        pare_sha256_bytes(text.text != NULL ? text.text : "", text.length, t->hash);
    }
    pare_strbuf_clear(&text);
    if (status != PARE_OK || !is_foreign || is_known(t)) {
        return status;
    }
    return pare_error(err, PARE_ERR_PERMISSION, t->path, "%s; %s with --trust (asked once for this version, SHA-256 %.16s...)", t->why,
                      t->native ? "it is native code: if you know where it is from, run it" : "read it, then run it", t->hash);
}

enum pare_status pare_trust_add(const struct pare_trust *t, struct pare_error *err)
{
    char path[PATH_MAX];
    struct pare_file file = {0};
    struct pare_strbuf text;
    enum pare_status status = pare_user_folder(PARE_USER_STATE, path, sizeof path - 8, err);
    status = status == PARE_OK ? pare_make_dirs(path, err) : status;
    if (status != PARE_OK) {
        return status;
    }
    strcat(path, "/trust");
    pare_strbuf_init(&text);
    if (pare_is_file(path) && (status = pare_file_open(path, MAX_LUA_BYTES, &file, err)) == PARE_OK) {
        pare_strbuf_append_n(&text, (const char *)file.data, file.size);
        pare_file_close(&file);
    }
    pare_strbuf_printf(&text, "%s %s\n", t->hash, t->path);
    if (status == PARE_OK) {
        status = text.failed ? pare_error_nomem(err) : pare_file_write(path, text.text, text.length, err);
    }
    pare_strbuf_clear(&text);
    return status;
}
