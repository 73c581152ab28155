/*
 * Reads the table that pipeline.lua returns into a struct pare_pipeline. Fields:
 *   name     text; the folder's name when left out
 *   stages   list of { name, file, sha256 = "..." }
 *   data     { calibration = D, search = D, test = D, all = D }, D = a path or
 *            { path =, border =, classes = {names}, labels = { folder = class name | false }, seed =,
 *              part = { from, to }, limit =, keep_float = }
 *   classes  list of names
 *   infer    function(stage, sample, op); a pipeline of one stage may leave it out
 *   metric   "top1", "map", "map50", "pck", "auc", or function(outcomes, labels) -> number; with options
 *            { "pck", threshold = 0.2, of = "box" | "unit" }
 *   metrics  beside it: { "map50", { "pck", threshold = 0.1 }, ... } of the same outcome, and { stage = "iou", ... } of
 *            single stages ("top1", "auc", "pck", "map", "map50", "iou"), scored on what infer reports with op.report
 *   keep     layers held at a level at least, besides first and last ones at int8: list of patterns (int8), or
 *            { [pattern] = level }
 *   tie      layers that take one level: list of "auto", "shared-inputs", "residual", "PATTERN+PATTERN"
 *   rows     extra linear rows: list of { name =, layers =, at =, of =, times =, at_most =, at_least =, equals =, within = }
 *            (src/command/linear.c)
 * Any other field is an error: a misspelt one must not be ignored.
 */
#include "lua/lua_glue.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "lua/glue.h"
#include "lua/script.h"
#include "quant/level.h"
#include "quant/method.h"

#define MAX_NAMES 100000
#define MAX_LABELS 4096

static void (*print_function)(void *self, const char *line);
static void *print_self;

void pare_lua_set_print(void (*print)(void *self, const char *line), void *self)
{
    print_function = print;
    print_self = self;
}

/* ---- reading fields; all raise ---- */

static void *room(lua_State *L, struct pare_pipeline *p, size_t count, size_t size)
{
    void *m = pare_arena_array(&p->arena, count, size);
    if (m == NULL) {
        pare_lua_nomem(L);
    }
    return m;
}

/* The string on top of the stack, copied and popped. */
static const char *take_string(lua_State *L, struct pare_pipeline *p, const char *what)
{
    size_t n;
    if (lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "%s: expected text, got %s", what, luaL_typename(L, -1));
    }
    const char *s = lua_tolstring(L, -1, &n);
    if (n == 0 || n > 4000 || strlen(s) != n) {
        luaL_error(L, "%s: expected 1 to 4000 bytes of text", what);
    }
    char *copy = room(L, p, n + 1, 1);
    memcpy(copy, s, n);
    lua_pop(L, 1);
    return copy;
}

static const char *optional_string(lua_State *L, struct pare_pipeline *p, int table,
                                   const char *key)
{
    lua_pushstring(L, key);
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    return take_string(L, p, key);
}

static double optional_number(lua_State *L, int table, const char *key, double otherwise, double lo,
                              double hi)
{
    lua_pushstring(L, key);
    lua_rawget(L, table);
    double x = otherwise;
    if (!lua_isnil(L, -1)) {
        int is_number;
        x = lua_tonumberx(L, -1, &is_number);
        if (!is_number || !(x >= lo && x <= hi)) {
            luaL_error(L, "%s: expected a number from %f to %f", key, lo, hi);
        }
    }
    lua_pop(L, 1);
    return x;
}

/* Only these keys (a list ended by NULL) may be in the table; numbers too when `list`. */
static void check_keys(lua_State *L, int table, const char *what, const char *const *known,
                       bool list)
{
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        bool good = list && lua_isinteger(L, -1);
        for (int i = 0; lua_type(L, -1) == LUA_TSTRING && known[i] != NULL && !good; i++) {
            good = strcmp(lua_tostring(L, -1), known[i]) == 0;
        }
        if (!good) {
            luaL_error(L, "%s has no field '%s'", what,
                       lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1));
        }
    }
}

/* A list of names at the top of the stack, popped. */
static const char **take_names(lua_State *L, struct pare_pipeline *p, const char *what, int *n)
{
    if (!lua_istable(L, -1)) {
        luaL_error(L, "%s: expected a list of names", what);
    }
    const lua_Unsigned count = lua_rawlen(L, -1);
    if (count < 1 || count > MAX_NAMES) {
        luaL_error(L, "%s: expected 1 to %d names", what, MAX_NAMES);
    }
    const char **names = room(L, p, (size_t)count, sizeof *names);
    *n = (int)count;
    for (int i = 0; i < *n; i++) {
        lua_rawgeti(L, -1, i + 1);
        names[i] = take_string(L, p, what);
    }
    lua_pop(L, 1);
    return names;
}

/* ---- stages ---- */

static bool good_stage_name(const char *s)
{
    const size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && n <= 64 && s[n] == '\0' && strspn(s, "0123456789") == 0;
}

static void read_stage(lua_State *L, struct pare_pipeline *p, int i)
{
    static const char *const known[] = {"sha256", NULL};
    struct pare_stage *s = &p->stages[i];
    const int t = lua_gettop(L);
    if (!lua_istable(L, t)) {
        luaL_error(L, "stage %d: expected { name, file }", i + 1);
    }
    check_keys(L, t, "a stage", known, true);
    lua_rawgeti(L, t, 1);
    s->name = take_string(L, p, "a stage's name");
    lua_rawgeti(L, t, 2);
    s->file = take_string(L, p, "a stage's file");
    s->sha256 = optional_string(L, p, t, "sha256");
    if (!good_stage_name(s->name)) {
        luaL_error(L, "stage '%s': a name is a word of letters, digits and _", s->name);
    }
    if (s->sha256 != NULL &&
        (strlen(s->sha256) != 64 || strspn(s->sha256, "0123456789abcdef") != 64)) {
        luaL_error(L, "stage '%s': sha256 is 64 hexadecimal digits in lower case", s->name);
    }
    for (int k = 0; k < i; k++) {
        if (strcmp(p->stages[k].name, s->name) == 0) {
            luaL_error(L, "there are two stages '%s'", s->name);
        }
    }
    s->path = pare_pipeline_find(p, s->file);
}

static void read_stages(lua_State *L, struct pare_pipeline *p, int table)
{
    lua_pushliteral(L, "stages");
    if (lua_rawget(L, table) != LUA_TTABLE || lua_rawlen(L, -1) < 1 ||
        lua_rawlen(L, -1) > PARE_MAX_STAGES) {
        luaL_error(L, "stages: expected a list of 1 to %d { name, file }", PARE_MAX_STAGES);
    }
    const int n = (int)lua_rawlen(L, -1);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        read_stage(L, p, i);
        lua_pop(L, 1);
    }
    p->n_stages = n;
    lua_pop(L, 1);
}

/* ---- data ---- */

struct label {
    const char *folder;
    int class;
};

static int by_folder(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->folder, ((const struct label *)b)->folder);
}

static int class_index(lua_State *L, struct pare_pipeline *p, const char *name)
{
    for (int i = 0; i < p->n_classes; i++) {
        if (strcmp(p->classes[i], name) == 0) {
            return i;
        }
    }
    return luaL_error(L, "labels: '%s' is not in classes", name);
}

/* labels = { folder = "class" or false }: sorted by folder, since Lua's order is not fixed. */
static void read_labels(lua_State *L, struct pare_pipeline *p, struct pare_data_spec *spec,
                        int table)
{
    lua_pushliteral(L, "labels");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "labels: expected { folder = class }");
    }
    struct label *labels = room(L, p, MAX_LABELS, sizeof *labels);
    const int t = lua_gettop(L);
    int n = 0;
    lua_pushnil(L);
    while (lua_next(L, t) != 0) {
        if (n == MAX_LABELS) {
            luaL_error(L, "labels: at most %d folders", MAX_LABELS);
        }
        labels[n].class = -1;
        if (lua_type(L, -1) != LUA_TBOOLEAN || lua_toboolean(L, -1)) {
            lua_pushvalue(L, -1);
            labels[n].class = class_index(L, p, take_string(L, p, "labels"));
        }
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        labels[n++].folder = take_string(L, p, "labels");
    }
    lua_pop(L, 1);
    qsort(labels, (size_t)n, sizeof *labels, by_folder);
    const char **folders = room(L, p, (size_t)n, sizeof *folders);
    int *classes = room(L, p, (size_t)n, sizeof *classes);
    for (int i = 0; i < n; i++) {
        folders[i] = labels[i].folder;
        classes[i] = labels[i].class;
    }
    spec->n_folders = n;
    spec->folders = folders;
    spec->folder_labels = classes;
}

static void read_part(lua_State *L, struct pare_data_spec *spec, int table)
{
    lua_pushliteral(L, "part");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "part: expected { from, to } within 0 and 1");
    }
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    spec->part_begin = lua_tonumber(L, -2);
    spec->part_end = lua_tonumber(L, -1);
    if (!(spec->part_begin >= 0 && spec->part_begin < spec->part_end && spec->part_end <= 1)) {
        luaL_error(L, "part: expected { from, to } within 0 and 1");
    }
    lua_pop(L, 3);
}

static void read_split(lua_State *L, struct pare_pipeline *p, enum pare_split split)
{
    static const char *const known[] = {"path", "border", "classes",    "labels", "seed",
                                        "part", "limit",  "keep_float", NULL};
    struct pare_data_spec *spec = &p->specs[split];
    const int t = lua_gettop(L);
    *spec = (struct pare_data_spec){
        .part_end = 1, .n_classes = p->n_classes, .classes = (const char *const *)p->classes};
    if (lua_type(L, t) == LUA_TSTRING) {
        lua_pushvalue(L, t);
        p->data_as_written[split] = take_string(L, p, "data");
    } else {
        if (!lua_istable(L, t)) {
            luaL_error(L, "data.%s: expected a path or a table", pare_split_name(split));
        }
        check_keys(L, t, "data", known, false);
        p->data_as_written[split] = optional_string(L, p, t, "path");
        if (p->data_as_written[split] == NULL) {
            luaL_error(L, "data.%s: 'path' is missing", pare_split_name(split));
        }
        lua_pushliteral(L, "classes");
        if (lua_rawget(L, t) != LUA_TNIL) {
            spec->classes = (const char *const *)take_names(L, p, "classes", &spec->n_classes);
        } else {
            lua_pop(L, 1);
        }
        read_labels(L, p, spec, t);
        read_part(L, spec, t);
        spec->border = (int)optional_number(L, t, "border", 0, 0, 4096);
        spec->seed = (uint64_t)optional_number(L, t, "seed", 0, 0, 4294967295.0);
        spec->limit = (int)optional_number(L, t, "limit", 0, 0, 1e9);
        lua_pushliteral(L, "keep_float");
        lua_rawget(L, t);
        spec->keep_float = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    spec->path = pare_pipeline_find(p, p->data_as_written[split]);
}

static void read_data(lua_State *L, struct pare_pipeline *p, int table)
{
    const char *known[PARE_SPLIT_COUNT + 1] = {NULL};
    for (int i = 0; i < PARE_SPLIT_COUNT; i++) {
        known[i] = pare_split_name((enum pare_split)i);
    }
    lua_pushliteral(L, "data");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "data: expected { calibration =, search =, test = }");
    }
    const int t = lua_gettop(L);
    check_keys(L, t, "data", known, false);
    for (int i = 0; i < PARE_SPLIT_COUNT; i++) {
        lua_pushstring(L, known[i]);
        if (lua_rawget(L, t) != LUA_TNIL) {
            read_split(L, p, (enum pare_split)i);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- the rest ---- */

static int by_pattern(const void *a, const void *b)
{
    return strcmp(((const struct pare_keep *)a)->pattern, ((const struct pare_keep *)b)->pattern);
}

static void read_keep(lua_State *L, struct pare_pipeline *p, int table)
{
    lua_pushliteral(L, "keep");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "keep: expected patterns of layers, or { [pattern] = level }");
    }
    const int t = lua_gettop(L);
    int n = 0;
    p->keep = room(L, p, MAX_LABELS, sizeof *p->keep);
    lua_pushnil(L);
    while (lua_next(L, t) != 0) {
        if (n == MAX_LABELS) {
            luaL_error(L, "keep: at most %d patterns", MAX_LABELS);
        }
        struct pare_keep *k = &p->keep[n++];
        const char *value = take_string(L, p, "keep");
        if (lua_isinteger(L, -1)) {
            *k = (struct pare_keep){value, "int8"};
        } else {
            k->level = value;
            lua_pushvalue(L, -1);
            k->pattern = take_string(L, p, "keep");
            struct pare_level level;
            if (pare_level_parse(k->level, &level, NULL) != PARE_OK) {
                luaL_error(L, "keep: '%s' is no level", k->level);
            }
        }
    }
    p->n_keep = n;
    qsort(p->keep, (size_t)n, sizeof *p->keep, by_pattern);
    lua_pop(L, 1);
}

static int take_function(lua_State *L, int table, const char *key)
{
    lua_pushstring(L, key);
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1)) {
        luaL_error(L, "%s: expected a function, got %s", key, luaL_typename(L, -1));
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* A name, or { name, threshold =, of = "box" or "unit" }, at the top of the stack; popped. */
static const char *take_metric(lua_State *L, struct pare_pipeline *p, const char *what, struct pare_metric *m)
{
    static const char *const known[] = {"threshold", "of", NULL};
    const int t = lua_gettop(L);
    const bool table = lua_istable(L, t);
    if (table) {
        check_keys(L, t, what, known, true);
        lua_rawgeti(L, t, 1);
    } else {
        lua_pushvalue(L, t);
    }
    const char *name = take_string(L, p, what);
    m->kind = pare_metric_parse(name);
    if (m->kind >= PARE_METRIC_FUNCTION) {
        luaL_error(L, "%s: '%s' is none of top1, map, map50, pck, auc%s", what, name,
                   strcmp(what, "metric") == 0 ? ", and no function" : ", iou");
    }
    if (table) {
        m->threshold = optional_number(L, t, "threshold", 0, 1e-9, 1e9);
        const char *of = optional_string(L, p, t, "of");
        m->unit = of != NULL && strcmp(of, "unit") == 0;
        if (of != NULL && !m->unit && strcmp(of, "box") != 0) {
            luaL_error(L, "%s: of is \"box\" or \"unit\"", what);
        }
        if (m->kind != PARE_METRIC_PCK && (m->threshold > 0 || of != NULL)) {
            luaL_error(L, "%s: only pck has a threshold", what);
        }
    }
    lua_pop(L, 1);
    return name;
}

static void read_metric(lua_State *L, struct pare_pipeline *p, struct pare_binding *b, int table)
{
    lua_pushliteral(L, "metric");
    const int type = lua_rawget(L, table);
    p->metric = "top1";
    if (type == LUA_TFUNCTION) {
        lua_pop(L, 1);
        b->metric_ref = take_function(L, table, "metric");
        p->metric = "function";
        p->scoring.kind = PARE_METRIC_FUNCTION;
    } else if (type == LUA_TNIL) {
        lua_pop(L, 1);
    } else {
        p->metric = take_metric(L, p, "metric", &p->scoring);
    }
}

static int stage_of(const struct pare_pipeline *p, const char *name)
{
    for (int i = 0; i < p->n_stages; i++) {
        if (strcmp(p->stages[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The key at -2, the metric at -1: popped. */
static void add_extra(lua_State *L, struct pare_pipeline *p)
{
    if (p->n_extra >= PARE_MAX_EXTRA) {
        luaL_error(L, "metrics: at most %d", PARE_MAX_EXTRA);
    }
    struct pare_extra_metric *x = &p->extra[p->n_extra];
    const bool listed = lua_isinteger(L, -2);
    x->stage = lua_type(L, -2) == LUA_TSTRING ? stage_of(p, lua_tostring(L, -2)) : -1;
    if (x->stage < 0 && !listed) {
        luaL_error(L, "metrics: there is no stage '%s'",
                   lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2));
    }
    const char *name = take_metric(L, p, "metrics", &x->scoring);
    if (x->stage >= 0) {
        name = p->stages[x->stage].name;
    } else if (x->scoring.threshold > 0) {
        char *text = room(L, p, 64, 1);
        snprintf(text, 64, "%s@%.6g", name, x->scoring.threshold);
        name = text;
    }
    for (int i = 0; i < p->n_extra; i++) {
        if (strcmp(p->extra[i].name, name) == 0) {
            luaL_error(L, "metrics: two of them are called '%s'", name);
        }
    }
    x->name = name;
    p->n_extra++;
}

/* metrics = { "map50", { "pck", threshold = 0.1 }, stage = "iou", ... } */
static void read_extra_metrics(lua_State *L, struct pare_pipeline *p, int table)
{
    lua_pushliteral(L, "metrics");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "metrics: expected { metric, ..., stage = metric, ... }");
    }
    const int t = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, t) != 0) {
        add_extra(L, p);
    }
    lua_pop(L, 1);
}

/* Kept as JSON text: what it says is checked where layers and levels are known. */
static void read_rows(lua_State *L, struct pare_pipeline *p, int table)
{
    const char *why = "an odd value";
    lua_pushliteral(L, "rows");
    if (lua_rawget(L, table) != LUA_TNIL) {
        json_t *json = pare_lua_rows_to_json(L, -1, &why);
        char *text = json != NULL ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        json_decref(json);
        p->rows = text != NULL ? pare_arena_strdup(&p->arena, text) : NULL;
        free(text);
        if (p->rows == NULL) {
            luaL_error(L, "rows: %s", why);
        }
    }
    lua_pop(L, 1);
}

/* How layers are quantized (quant/method.h). */
static void read_quantize(lua_State *L, struct pare_pipeline *p, int table)
{
    struct pare_method method;
    struct pare_error err = {0};
    p->quantize = optional_string(L, p, table, "quantize");
    if (pare_method_parse(p->quantize, NULL, &method, &err) != PARE_OK) {
        luaL_error(L, "quantize: %s", err.message);
    }
}

/* (table, pipeline): the table is what the script returned. */
static int read_pipeline(lua_State *L)
{
    static const char *const known[] = {"name",   "stages",  "data", "classes", "infer",
                                        "metric", "metrics", "keep", "tie", "rows", "quantize", NULL};
    struct pare_pipeline *p = lua_touserdata(L, 2);
    struct pare_binding *b = pare_binding_of(L);
    lua_settop(L, 1);
    luaL_checkstack(L, 32, NULL);
    if (!lua_istable(L, 1)) {
        return luaL_error(L, "pipeline.lua must return a table, got %s", luaL_typename(L, 1));
    }
    check_keys(L, 1, "a pipeline", known, false);
    const char *name = optional_string(L, p, 1, "name");
    p->name = name != NULL ? name : p->name;
    read_stages(L, p, 1);
    lua_pushliteral(L, "classes");
    if (lua_rawget(L, 1) != LUA_TNIL) {
        p->classes = take_names(L, p, "classes", &p->n_classes);
    } else {
        lua_pop(L, 1);
    }
    read_data(L, p, 1);
    read_keep(L, p, 1);
    lua_pushliteral(L, "tie");
    if (lua_rawget(L, 1) != LUA_TNIL) {
        p->ties = take_names(L, p, "tie", &p->n_ties);
    } else {
        lua_pop(L, 1);
    }
    read_rows(L, p, 1);
    read_quantize(L, p, 1);
    read_metric(L, p, b, 1);
    read_extra_metrics(L, p, 1);
    b->infer_ref = take_function(L, 1, "infer");
    if (b->infer_ref == LUA_NOREF && p->n_stages > 1) {
        return luaL_error(L, "infer is missing: a pipeline of several stages needs it");
    }
    pare_binding_register(L);
    pare_glue_push_stages(L, p);
    b->stage_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    pare_binding_push_ops(L);
    b->op_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static enum pare_status run_script(struct pare_pipeline *p, struct pare_binding *b,
                                   const char *path, struct pare_error *err)
{
    struct pare_lua *lua = b->lua;
    struct pare_hash hash;
    enum pare_status status = pare_hash_init(&hash);
    if (status != PARE_OK) {
        return pare_error_nomem(err);
    }
    char hex[33];
    strncpy(lua->dir, p->dir, sizeof lua->dir - 1);
    lua->user = b;
    lua->print = print_function;
    lua->print_self = print_self;
    lua->hash = &hash;
    lua->declares = true;
    lua->loading = true;
    status = pare_lua_load_file(lua, path, err);
    if (status == PARE_OK) {
        status = pare_lua_call(lua, 0, 1, err);
    }
    if (status == PARE_OK) {
        lua_pushcfunction(lua->L, read_pipeline);
        lua_insert(lua->L, -2);
        lua_pushlightuserdata(lua->L, p);
        status = pare_lua_call(lua, 2, 0, err);
    }
    lua->loading = false;
    lua->hash = NULL;
    pare_hash_final(&hash, hex);
    p->lua_hash = pare_arena_strdup(&p->arena, hex);
    return status == PARE_OK && p->lua_hash == NULL ? pare_error_nomem(err) : status;
}

static enum pare_status load(const char *path, const char *models_dir, struct pare_pipeline **out,
                             struct pare_error *err)
{
    struct pare_pipeline *p = pare_pipeline_new(path, models_dir);
    struct pare_binding *b = calloc(1, sizeof *b);
    *out = NULL;
    if (p == NULL || b == NULL) {
        free(b);
        pare_pipeline_free(p);
        return pare_error_nomem(err);
    }
    b->pipeline = p;
    b->infer_ref = b->metric_ref = LUA_NOREF;
    enum pare_status status = pare_lua_new(NULL, &b->lua, err);
    if (status == PARE_OK) {
        status = run_script(p, b, path, err);
    }
    if (status != PARE_OK) {
        if (b->lua != NULL) {
            pare_glue_free(b);
        } else {
            free(b);
        }
        pare_pipeline_free(p);
        return status;
    }
    pare_glue_fill(&p->glue, b);
    *out = p;
    return PARE_OK;
}

const struct pare_pipeline_loader *pare_lua_pipeline_loader(void)
{
    static const struct pare_pipeline_loader loader = {load};
    return &loader;
}
