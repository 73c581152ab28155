/* cli_trust.c: the question before a Lua file or a plugin that others could have written runs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/strbuf.h"
#include "src/command/trust.h"
#include "ui/cli.h"

/* The file on the terminal, control bytes escaped. */
static void show(const char *path)
{
    struct pare_file file;
    char line[4096];
    if (pare_file_open(path, (size_t)1 << 20, &file, NULL) != PARE_OK) {
        fprintf(stderr, "it cannot be read, or is larger than 1 MB\n");
        return;
    }
    const char *text = (const char *)file.data;
    for (size_t at = 0; at < file.size;) {
        const char *end = memchr(text + at, '\n', file.size - at);
        size_t n = end != NULL ? (size_t)(end - (text + at)) : file.size - at;
        pare_escape(text + at, n, line, sizeof line);
        fprintf(stderr, "    %s\n", line);
        at += n + 1;
    }
    pare_file_close(&file);
}

static bool ask(const struct pare_trust *t)
{
    char answer[64];
    const char *how = t->native ? "a process of its own: native code with all your rights.\nSHA-256"
                                : "a worker, in a sandbox: no files but its own, no network, limited time and memory.\n"
                                  "SHA-256 of it and the modules beside it";
    fprintf(stderr, "%s\n%s. It would run in %s: %s\n", t->path, t->why, how, t->hash);
    for (;;) {
        fprintf(stderr, "%s[t]rust this version, [q]uit? ", t->native ? "" : "[s]how it, ");
        fflush(stderr);
        if (fgets(answer, sizeof answer, stdin) == NULL || answer[0] == 'q' || answer[0] == 'n') {
            return false;
        }
        if (answer[0] == 't') {
            return true;
        }
        if (answer[0] == 's' && !t->native) {
            show(t->path);
        }
    }
}

int cli_trust(const struct cli_options *o, const char *path, const char *exe)
{
    struct pare_trust t;
    struct pare_error err = {0};
    if (pare_trust_check(path, exe, &t, &err) == PARE_OK || t.hash[0] == '\0') {
        return 0;
    }
    bool person = isatty(0) && isatty(2) && !o->json;
    if (!o->trust && !(person && ask(&t))) {
        return cli_fail(o, &err);
    }
    return pare_trust_add(&t, &err) == PARE_OK ? 0 : cli_fail(o, &err);
}
