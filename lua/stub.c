#include "lua/lua_glue.h"

#include <string.h>

static const struct pare_lua_op_info ops[] = {
#define PARE_LUA_OP(name, parameters, results, doc) {#name, parameters, results, doc},
#include "lua/ops.inc"
};

const struct pare_lua_op_info *pare_lua_op_info(int i)
{
    return i >= 0 && i < (int)(sizeof ops / sizeof ops[0]) ? &ops[i] : NULL;
}

/* "a: t, b?: t" as annotation lines; `names` receives "a, b". */
static void parameters(struct pare_strbuf *text, const char *p, struct pare_strbuf *names)
{
    while (*p != '\0') {
        const char *colon = strchr(p, ':');
        const char *end = strstr(p, ", ");
        const size_t n = end != NULL ? (size_t)(end - p) : strlen(p);
        const size_t name = colon != NULL ? (size_t)(colon - p) : n;
        const size_t bare = name > 0 && p[name - 1] == '?' ? name - 1 : name;
        if (colon != NULL) {
            pare_strbuf_printf(text, "---@param %.*s %.*s\n", (int)name, p, (int)(n - name - 2),
                               colon + 2);
        }
        pare_strbuf_append(names, names->length > 0 ? ", " : "");
        pare_strbuf_append_n(names, p, bare);
        p += end != NULL ? n + 2 : n;
    }
}

void pare_lua_stub(struct pare_strbuf *text)
{
    pare_strbuf_append(
        text, "---@meta\n"
              "-- Made from lua/ops.inc; a test checks that it is current. For editors only: "
              "nothing loads it.\n\n"
              "---A tensor of the sample that runs now: t[i], #t, t:shape().\n"
              "---@class tensor\n\n"
              "---Centre, size (fractions of the picture), angle (radians), score, key points.\n"
              "---@class box\n---@field cx number\n---@field cy number\n---@field w "
              "number\n---@field h number\n"
              "---@field angle? number\n---@field score? number\n---@field points? number[][]\n\n"
              "---What infer returns: outcome.class, outcome.score.\n---@class outcome\n\n"
              "---@class op\nlocal op = {}\n");
    for (int i = 0; pare_lua_op_info(i) != NULL; i++) {
        struct pare_strbuf names;
        pare_strbuf_init(&names);
        pare_strbuf_printf(text, "\n---%s\n", ops[i].doc);
        parameters(text, ops[i].parameters, &names);
        pare_strbuf_printf(text, "---@return %s\nfunction op.%s(%s) end\n", ops[i].results,
                           ops[i].name, names.text);
        pare_strbuf_clear(&names);
    }
}
