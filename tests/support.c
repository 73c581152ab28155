#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_BUFFERS 8

static char *rotating_buffer(void)
{
    static char buffers[N_BUFFERS][4096];
    static int next;
    next = (next + 1) % N_BUFFERS;
    return buffers[next];
}

const char *test_models_dir(void)
{
    static char path[4096];
    if (path[0] != '\0') {
        return path;
    }
    const char *env = getenv("PARE_MODELS");
    if (env != NULL && access(env, R_OK) == 0) {
        snprintf(path, sizeof path, "%s", env);
        return path;
    }
    snprintf(path, sizeof path, "%s/../shared/models", PARE_SOURCE_DIR);
    if (access(path, R_OK) == 0) {
        return path;
    }
    path[0] = '\0';
    return NULL;
}

const char *test_model(const char *relative)
{
    const char *dir = test_models_dir();
    char *path = rotating_buffer();
    if (dir == NULL) {
        return NULL;
    }
    snprintf(path, 4096, "%s/%s", dir, relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

const char *test_source(const char *relative)
{
    char *path = rotating_buffer();
    snprintf(path, 4096, "%s/%s", PARE_SOURCE_DIR, relative);
    return path;
}

void test_skip(const char *why)
{
    printf("SKIP: %s\n", why);
    fflush(stdout);
    skip();
}

static char temp_dirs[32][64];
static int n_temp_dirs;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_temp_dirs(void)
{
    for (int i = 0; i < n_temp_dirs; i++) {
        nftw(temp_dirs[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *test_temp_dir(void)
{
    if (n_temp_dirs == 0) {
        atexit(remove_temp_dirs);
    }
    assert_true(n_temp_dirs < 32);
    char *dir = temp_dirs[n_temp_dirs++];
    snprintf(dir, sizeof temp_dirs[0], "/tmp/pare-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

uint32_t test_random(uint32_t *state)
{
    uint32_t x = *state != 0 ? *state : 0x9e3779b9u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}
