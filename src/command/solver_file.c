#include "command/solver_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "command/trust.h"
#include "search/plugin.h"

#define MAX_PLUGIN_BYTES ((size_t)256 << 20)

bool pare_solver_is_lua(const char *method)
{
    return strncmp(method, "lua:", 4) == 0;
}

bool pare_solver_is_plugin(const char *method)
{
    return strncmp(method, "plugin:", 7) == 0;
}

/* The folder of a pipeline, which may be a file. */
static void folder_of(const char *pipeline, char *folder, size_t size)
{
    const char *slash = strrchr(pipeline, '/');
    if (pare_is_dir(pipeline)) {
        snprintf(folder, size, "%s", pipeline);
    } else {
        snprintf(folder, size, "%.*s", slash != NULL ? (int)(slash - pipeline) + (slash == pipeline) : 1, slash != NULL ? pipeline : ".");
    }
}

static json_t *plugin_folders(const char *pipeline)
{
    json_t *folders = json_array();
    const char *list = getenv("PARE_PLUGINS");
    char path[PATH_MAX];
    for (const char *at = list; at != NULL && *at != '\0';) {
        const size_t n = strcspn(at, ":");
        if (at[0] == '/' && n < sizeof path) {
            json_array_append_new(folders, json_stringn(at, n));
        }
        at += n + (at[n] == ':');
    }
    if (pare_user_folder(PARE_USER_DATA, path, sizeof path - 16, NULL) == PARE_OK) {
        strcat(path, "/plugins");
        json_array_append_new(folders, json_string(path));
    }
    if (pipeline != NULL) {
        folder_of(pipeline, path, sizeof path);
        json_array_append_new(folders, json_string(path));
    }
    return folders;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static enum pare_status find_plugin(const char *pipeline, const char *name, char real[PATH_MAX], struct pare_error *err)
{
    json_t *folders = plugin_folders(pipeline);
    char places[600] = "";
    enum pare_status status = PARE_ERR_NOINPUT;
    for (size_t i = 0; status != PARE_OK && i < json_array_size(folders); i++) {
        char path[PATH_MAX + 300];
        const char *folder = json_string_value(json_array_get(folders, i));
        snprintf(path, sizeof path, "%s/%s.so", folder != NULL ? folder : "", name);
        if (folder != NULL && pare_is_file(path) && realpath(path, real) != NULL) {
            status = PARE_OK;
        }
        const size_t n = strlen(places);
        snprintf(places + n, sizeof places - n, "%s%s", i > 0 ? ", " : "", folder != NULL ? folder : "?");
    }
    json_decref(folders);
    return status == PARE_OK ? PARE_OK : pare_error(err, status, name, "no such plugin: looked for %s.so in %s", name, places);
}

enum pare_status pare_solver_file_find(const char *pipeline, const char *method, char real[PATH_MAX], struct pare_error *err)
{
    const bool is_lua = pare_solver_is_lua(method);
    const char *name = strchr(method, ':') + 1;
    char path[PATH_MAX + 300];
    if (strchr(name, '/') != NULL || ends_with(name, is_lua ? ".lua" : ".so")) {
        snprintf(path, sizeof path, "%s", name);
    } else if (!is_lua) {
        return find_plugin(pipeline, name, real, err);
    } else {
        char folder[PATH_MAX];
        folder_of(pipeline != NULL ? pipeline : ".", folder, sizeof folder);
        snprintf(path, sizeof path, "%s/%s.lua", folder, name);
    }
    return realpath(path, real) != NULL ? PARE_OK : pare_error(err, PARE_ERR_NOINPUT, path, "no such solver");
}

/* ---- the list ---- */

static int is_plugin_file(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".so");
}

static json_t *describe(const char *path, const char *exe, bool hidden)
{
    struct pare_trust trust;
    struct pare_error err = {0};
    struct pare_file file;
    json_t *item = NULL;
    char hash[33] = "";
    enum pare_status status = pare_trust_check(path, exe, &trust, &err);
    status = status == PARE_OK ? pare_plugin_inspect(path, &item, &err) : status;
    if (pare_file_open(path, MAX_PLUGIN_BYTES, &file, NULL) == PARE_OK) {
        pare_hash_bytes(file.data, file.size, hash);
        pare_file_close(&file);
    }
    if (item == NULL) {
        item = json_pack("{s:n, s:n, s:n, s:n}", "name", "version", "doc", "abi");
    }
    const char *slash = strrchr(path, '/'), *word = slash != NULL ? slash + 1 : path;
    json_object_set_new(item, "name", json_stringn(word, strlen(word) - 3)); /* what --method takes */
    json_object_set_new(item, "path", json_string(path));
    json_object_set_new(item, "hash", json_string(hash));
    json_object_set_new(item, "hidden", json_boolean(hidden));
    json_object_set_new(item, "error", status == PARE_OK ? json_null()
                                                         : json_pack("{s:i, s:s, s:s}", "code", (int)status, "where", err.where, "message", err.message));
    return item;
}

static bool is_listed(const json_t *plugins, const char *file)
{
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        const char *name = pare_json_get_string(json_array_get(plugins, i), "name", "");
        if (strncmp(name, file, strlen(file) - 3) == 0 && strlen(name) == strlen(file) - 3) {
            return true;
        }
    }
    return false;
}

json_t *pare_plugin_list(const char *pipeline, const char *exe)
{
    json_t *folders = plugin_folders(pipeline), *plugins = json_array();
    for (size_t i = 0; i < json_array_size(folders); i++) {
        const char *folder = json_string_value(json_array_get(folders, i));
        struct dirent **entries = NULL;
        const int n = folder != NULL ? scandir(folder, &entries, is_plugin_file, alphasort) : 0;
        for (int k = 0; k < n; k++) {
            char path[PATH_MAX + 300];
            snprintf(path, sizeof path, "%s/%s", folder, entries[k]->d_name);
            if (pare_is_file(path)) {
                json_array_append_new(plugins, describe(path, exe, is_listed(plugins, entries[k]->d_name)));
            }
            free(entries[k]);
        }
        free(entries);
    }
    return json_pack("{s:i, s:o, s:o}", "schema", 1, "folders", folders, "plugins", plugins);
}
