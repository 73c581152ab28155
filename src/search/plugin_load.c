/* plugin_load.c: from a file to its struct pare_plugin, in a contained process. */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/contain.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "pare_plugin.h"
#include "search/plugin.h"
#ifndef PARE_NO_PLUGINS
#include <dlfcn.h>
#endif

#define MAX_FILE ((size_t)256 << 20)
#define INSPECT_SECONDS 2.0

#ifdef PARE_NO_PLUGINS

enum pare_status pare_plugin_load(const char *path, const char *hash, const struct pare_plugin **plugin, struct pare_error *err)
{
    (void)hash;
    *plugin = NULL;
    return pare_error(err, PARE_ERR_CONFIG, path, "this pare was built without dlopen (static, or PARE_PLUGINS=OFF) and cannot load plugins");
}

#else

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE 0 /* dlopen will say */
#endif

static enum pare_status check_elf(const struct pare_file *file, const char *path, struct pare_error *err)
{
    Elf64_Ehdr head;
    if (file->size < sizeof head || memcmp(file->data, ELFMAG, SELFMAG) != 0) {
        return pare_error(err, PARE_ERR_FORMAT, path, "expected a shared object (ELF)");
    }
    memcpy(&head, file->data, sizeof head);
    if (MACHINE != 0 && (head.e_machine != MACHINE || head.e_ident[EI_CLASS] != ELFCLASS64)) {
        return pare_error(err, PARE_ERR_FORMAT, path, "made for another processor (ELF machine %d, here %d)", head.e_machine, MACHINE);
    }
    /* the sections' table is the last of a file: a file that is cut would crash who maps it */
    if (head.e_shoff > file->size || file->size - head.e_shoff < (uint64_t)head.e_shnum * head.e_shentsize) {
        return pare_error(err, PARE_ERR_FORMAT, path, "the file is cut: its headers speak of more than %zu bytes", file->size);
    }
    return PARE_OK;
}

/* Its words without the file's name, which stands in front of them already. */
static enum pare_status say_dlerror(const char *path, struct pare_error *err)
{
    const char *why = dlerror();
    const size_t n = strlen(path);
    why = why != NULL ? why : "it cannot be loaded";
    why = strncmp(why, path, n) == 0 && strncmp(why + n, ": ", 2) == 0 ? why + n + 2 : why;
    return pare_error(err, PARE_ERR_FORMAT, path, "cannot load: %.300s", why);
}

static enum pare_status check_entry(const struct pare_plugin *p, const char *path, struct pare_error *err)
{
    if (p->magic != PARE_PLUGIN_MAGIC) {
        return pare_error(err, PARE_ERR_FORMAT, path, "its pare_plugin_entry is no struct pare_plugin");
    }
    if (p->abi != PARE_PLUGIN_ABI) {
        return pare_error(err, PARE_ERR_FORMAT, path, "made for plugin ABI %u, this pare has %u", p->abi, PARE_PLUGIN_ABI);
    }
    if (!PARE_PLUGIN_HAS(p, struct pare_plugin, solver) || p->name == NULL || p->version == NULL || p->doc == NULL) {
        return pare_error(err, PARE_ERR_FORMAT, path, "its struct pare_plugin is not filled (%u bytes, expected %zu)", p->size, sizeof *p);
    }
    if (p->solver == NULL || !PARE_PLUGIN_HAS(p->solver, struct pare_plugin_solver, step) || p->solver->step == NULL) {
        return pare_error(err, PARE_ERR_FORMAT, path, "it has no solver");
    }
    return PARE_OK;
}

enum pare_status pare_plugin_load(const char *path, const char *hash, const struct pare_plugin **plugin, struct pare_error *err)
{
    struct pare_file file;
    struct stat before, after;
    char own[33] = "";
    *plugin = NULL;
    enum pare_status status = stat(path, &before) == 0 ? pare_file_open(path, MAX_FILE, &file, err)
                                                       : pare_error(err, PARE_ERR_NOINPUT, path, "no such file");
    if (status != PARE_OK) {
        return status;
    }
    status = check_elf(&file, path, err);
    pare_hash_bytes(file.data, file.size, own);
    pare_file_close(&file);
    void *handle = status == PARE_OK ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (status == PARE_OK && handle == NULL) {
        status = say_dlerror(path, err);
    }
    if (status == PARE_OK && ((hash != NULL && strcmp(hash, own) != 0) || stat(path, &after) != 0 || before.st_ino != after.st_ino ||
                              before.st_dev != after.st_dev || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec ||
                              before.st_mtim.tv_sec != after.st_mtim.tv_sec)) {
        status = pare_error(err, PARE_ERR_FAIL, path, "the file was changed while the run goes on: start it again");
    }
    if (status == PARE_OK) {
        *plugin = dlsym(handle, "pare_plugin_entry");
        status = *plugin != NULL ? check_entry(*plugin, path, err)
                                 : pare_error(err, PARE_ERR_FORMAT, path, "has no symbol pare_plugin_entry");
    }
    return status;
}

#endif

/* ---- lists ---- */

static json_t *escaped(const char *text)
{
    char out[300];
    pare_escape(text, strnlen(text, 250), out, sizeof out);
    return json_string(out);
}

static enum pare_status inspect(void *self, struct pare_child *child, json_t **result, struct pare_error *err)
{
    const struct pare_plugin *p;
    (void)child;
    const enum pare_status status = pare_plugin_load(self, NULL, &p, err);
    if (status == PARE_OK) {
        *result = json_pack("{s:o, s:o, s:o, s:i}", "name", escaped(p->name), "version", escaped(p->version), "doc", escaped(p->doc), "abi",
                            (int)p->abi);
        return *result != NULL ? PARE_OK : pare_error_nomem(err);
    }
    return status;
}

enum pare_status pare_plugin_inspect(const char *path, json_t **info, struct pare_error *err)
{
    struct pare_error own = {0};
    int steps = 0;
    err = err != NULL ? err : &own;
    const struct pare_contain how = {path, INSPECT_SECONDS, inspect, (void *)(uintptr_t)path, NULL};
    const enum pare_status status = pare_contain(&how, &steps, info, err);
    if (status != PARE_OK && steps >= 0) {
        const size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof err->message - n, " while it was loaded");
    }
    return status;
}
