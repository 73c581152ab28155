/* label.c: names of layers in lists. */
#include "command/label.h"

#include <string.h>

/* Bytes of a name without its last part. */
static size_t without_last(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? (size_t)(slash - name) : strlen(name);
}

bool front_label_cut(const char *const *names, int n, size_t *skip)
{
    bool cuts = false;
    *skip = 0;
    for (const char *slash; n > 1 && (slash = strchr(names[0] + *skip, '/')) != NULL;) {
        const size_t more = (size_t)(slash - names[0]) + 1;
        for (int i = 1; i < n; i++) {
            if (strncmp(names[i], names[0], more) != 0) {
                slash = NULL;
                break;
            }
        }
        if (slash == NULL) {
            break;
        }
        *skip = more;
    }
    if (n > 4096) { /* the loop below looks at every pair */
        return false;
    }
    for (int i = 0; i < n; i++) {
        const char *a = names[i] + *skip;
        const size_t length = without_last(a);
        cuts = cuts || a[length] != '\0';
        for (int k = 0; k < i; k++) {
            const char *b = names[k] + *skip;
            if (without_last(b) == length && strncmp(a, b, length) == 0) {
                return false;
            }
        }
    }
    return cuts;
}
