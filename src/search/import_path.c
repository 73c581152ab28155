/*
 * import_path.c: layers by what their modules are called. A converter to TFLite names a weight after the operator that read
 * it, "model/conv2d_1/Conv2D", also behind others that it folded ("model/bn_1/FusedBatchNormV3;model/dw_1/depthwise;..."),
 * while AIMET names the module's parameter: "conv2d_1/kernel:0", "conv2d_1.weight". Both are paths; when one of them is the
 * end of the other, they mean the same, if no other layer's does.
 */
#include <stdio.h>
#include <string.h>

#include "search/import_parts.h"

#define MOST_PARTS 32

/* A path's parts, in text. */
struct path {
    char text[512];
    const char *part[MOST_PARTS];
    int n;
};

/* By '/' and '.'; false when it is too long. */
static bool split_path(const char *name, size_t length, struct path *p)
{
    p->n = 0;
    if (length >= sizeof p->text) {
        return false;
    }
    snprintf(p->text, sizeof p->text, "%.*s", (int)length, name);
    for (char *at = p->text, *next; at != NULL; at = next) {
        next = strpbrk(at, "/.");
        if (next != NULL) {
            *next++ = '\0';
        }
        if (p->n == MOST_PARTS) {
            return false;
        }
        if (*at != '\0') {
            p->part[p->n++] = at;
        }
    }
    return p->n > 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* The module of a layer whose weight a converter named; false for other names. */
static bool module_of_weight(const char *weight, struct path *p)
{
    static const char *const operators[] = {"Conv2D", "depthwise", "DepthwiseConv2dNative", "MatMul", "conv2d_transpose", "convolution", NULL};
    static const char behind[] = "_dequantize";
    for (const char *at = weight; *at != '\0'; at += strcspn(at, ";") + (at[strcspn(at, ";")] == ';')) {
        size_t length = strcspn(at, ";");
        if (length > sizeof behind - 1 && strncmp(at + length - (sizeof behind - 1), behind, sizeof behind - 1) == 0) {
            length -= sizeof behind - 1;
        }
        if (split_path(at, length, p) && p->n > 1 && is_one_of(p->part[p->n - 1], operators)) {
            p->n--;
            return true;
        }
    }
    return false;
}

/* The module of a parameter that holds weights, or a module as it is; false for its other parameters. */
static bool module_of_parameter(const char *name, struct path *p)
{
    static const char *const weights[] = {"weight", "kernel", "depthwise_kernel", NULL};
    static const char *const others[] = {"bias", "gamma", "beta", "moving_mean", "moving_variance", "running_mean", "running_var", NULL};
    if (!split_path(name, strcspn(name, ":"), p) || is_one_of(p->part[p->n - 1], others)) {
        return false;
    }
    p->n -= p->n > 1 && is_one_of(p->part[p->n - 1], weights);
    return true;
}

static bool is_end_of(const struct path *a, const struct path *b)
{
    const int n = a->n < b->n ? a->n : b->n;
    for (int i = 1; i <= n; i++) {
        if (strcmp(a->part[a->n - i], b->part[b->n - i]) != 0) {
            return false;
        }
    }
    return true;
}

bool import_is_weight(const char *name)
{
    struct path p;
    return module_of_parameter(name, &p);
}

bool import_same_module(const struct pare_import_layer *layer, const char *name)
{
    struct path module, mine;
    return module_of_parameter(name, &module) && module_of_weight(layer->weight, &mine) && is_end_of(&module, &mine);
}

int import_layer_by_module(const struct import *m, const char *name)
{
    int found = -1;
    for (int l = 0; l < m->n_layers; l++) {
        if (import_same_module(&m->layers[l], name)) {
            found = found == -1 ? l : -2;
        }
    }
    return found;
}
