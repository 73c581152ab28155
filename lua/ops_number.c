/* Outcomes, arithmetic and shapes. */
#include "lua/binding.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#define MAX_LIST (1 << 20)
#define MAX_BOXES 10000

/* ---- outcomes ---- */

static int push_kind(lua_State *L, enum pare_outcome_kind kind, int prediction,
                     const struct pare_value *v, bool probabilities)
{
    const struct pare_outcome o = {.kind = kind,
                                   .prediction = prediction,
                                   .n_scores = v != NULL ? (int)pare_value_elements(v) : 0,
                                   .scores = v != NULL ? v->data : NULL,
                                   .scores_are_probabilities = probabilities,
                                   .n_answer = kind == PARE_OUTCOME_CLASS || v == NULL
                                                   ? 0
                                                   : (int)pare_value_elements(v),
                                   .answer = v != NULL ? v->data : NULL};
    pare_check_arena(L);
    pare_push_outcome(L, &o);
    return 1;
}

int pare_lua_op_none(lua_State *L)
{
    return push_kind(L, PARE_OUTCOME_NONE, -1, NULL, false);
}

int pare_lua_op_argmax(lua_State *L)
{
    bool probabilities;
    const struct pare_value *v = pare_check_tensor(L, 1, &probabilities);
    return push_kind(L, PARE_OUTCOME_CLASS, pare_op_argmax(v), v, probabilities);
}

int pare_lua_op_class(lua_State *L)
{
    const struct pare_pipeline *p = pare_binding_of(L)->pipeline;
    bool probabilities = false;
    const struct pare_value *v =
        lua_isnoneornil(L, 2) ? NULL : pare_check_tensor(L, 2, &probabilities);
    int index = -1;
    if (lua_type(L, 1) == LUA_TSTRING) {
        const char *name = lua_tostring(L, 1);
        for (int i = 0; i < p->n_classes && index < 0; i++) {
            index = strcmp(p->classes[i], name) == 0 ? i : -1;
        }
        luaL_argcheck(L, index >= 0, 1, "there is no class of this name");
    } else {
        const lua_Integer i = luaL_checkinteger(L, 1);
        luaL_argcheck(L, i >= 1 && i <= (p->n_classes > 0 ? p->n_classes : 1000000), 1,
                      "there is no class of this number");
        index = (int)i - 1;
    }
    return push_kind(L, PARE_OUTCOME_CLASS, index, v, probabilities);
}

int pare_lua_op_points(lua_State *L)
{
    return push_kind(L, PARE_OUTCOME_POINTS, -1, pare_check_tensor(L, 1, NULL), false);
}

static struct pare_value *new_value(lua_State *L, int rank, const int64_t *dims)
{
    struct pare_value *v = pare_value_new(pare_check_arena(L), rank, dims);
    if (v == NULL) {
        pare_lua_nomem(L);
    }
    return v;
}

int pare_lua_op_score(lua_State *L)
{
    static const int64_t one = 1;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        struct pare_value *v = new_value(L, 1, &one);
        v->data[0] = (float)lua_tonumber(L, 1);
        return push_kind(L, PARE_OUTCOME_SCORE, -1, v, false);
    }
    bool probabilities;
    const struct pare_value *v = pare_check_tensor(L, 1, &probabilities);
    luaL_argcheck(L, pare_value_elements(v) == 1, 1, "expected one score");
    return push_kind(L, PARE_OUTCOME_SCORE, -1, v, probabilities);
}

/* Field `class` of the box on top of the stack: a number from 1 or a name; from 0. */
static int box_class(lua_State *L, const struct pare_pipeline *p)
{
    int class = -1;
    lua_getfield(L, -1, "class");
    if (lua_type(L, -1) == LUA_TSTRING) {
        for (int i = 0; i < p->n_classes && class < 0; i++) {
            class = strcmp(p->classes[i], lua_tostring(L, -1)) == 0 ? i : -1;
        }
    } else if (lua_isnil(L, -1)) {
        class = 0;
    } else {
        int whole;
        const lua_Integer i = lua_tointegerx(L, -1, &whole);
        class = whole && i >= 1 && i <= 1000000 ? (int)i - 1 : -1;
    }
    lua_pop(L, 1);
    return class;
}

static int by_score(const void *pa, const void *pb)
{
    const float *a = pa, *b = pb;
    return a[1] != b[1] ? (a[1] > b[1] ? -1 : 1) : a[0] != b[0] ? (a[0] < b[0] ? -1 : 1) : 0;
}

/* Of boxes of one class that overlap by more than `least` the best stays. Sorted by score; returns how many are left. */
static int suppress(float *boxes, int n, double least)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        bool free_of_others = true;
        for (int k = 0; k < kept && free_of_others; k++) {
            free_of_others = boxes[6 * k] != boxes[6 * i] || !(pare_box_iou(boxes + 6 * k + 2, boxes + 6 * i + 2) > least);
        }
        if (free_of_others) {
            memmove(boxes + 6 * kept++, boxes + 6 * i, 6 * sizeof *boxes);
        }
    }
    return kept;
}

int pare_lua_op_boxes(lua_State *L)
{
    const struct pare_pipeline *p = pare_binding_of(L)->pipeline;
    const double least = luaL_optnumber(L, 2, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Unsigned n = lua_rawlen(L, 1);
    luaL_argcheck(L, n <= MAX_BOXES, 1, "too many boxes");
    float *boxes = pare_arena_array(pare_check_arena(L), (size_t)(n + 1) * 6, sizeof *boxes);
    if (boxes == NULL) {
        return luaL_error(L, "not enough memory");
    }
    luaL_checkstack(L, 8, NULL);
    for (lua_Unsigned i = 0; i < n; i++) {
        struct pare_box box;
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        pare_check_box(L, lua_gettop(L), &box);
        const int class = box_class(L, p);
        luaL_argcheck(L, class >= 0, 1, "a box's class is its number from 1, or its name");
        lua_pop(L, 1);
        const float numbers[6] = {(float)class, (float)box.score, (float)box.cx, (float)box.cy, (float)box.w, (float)box.h};
        memcpy(boxes + 6 * i, numbers, sizeof numbers);
    }
    qsort(boxes, (size_t)n, 6 * sizeof *boxes, by_score);
    const struct pare_outcome o = {.kind = PARE_OUTCOME_BOXES,
                                   .prediction = -1,
                                   .n_answer = 6 * (least < 1 ? suppress(boxes, (int)n, least) : (int)n),
                                   .answer = boxes};
    pare_push_outcome(L, &o);
    return 1;
}

/* op.report(stage, outcome, label): what a single stage answered, for `metrics`. */
int pare_lua_op_report(lua_State *L)
{
    struct pare_binding *b = pare_binding_of(L);
    const char *name = luaL_checkstring(L, 1);
    struct pare_report r = {.given = true, .label = -1};
    int stage = -1;
    for (int i = 0; i < b->pipeline->n_stages; i++) {
        stage = strcmp(b->pipeline->stages[i].name, name) == 0 ? i : stage;
    }
    luaL_argcheck(L, stage >= 0, 1, "there is no stage of this name");
    luaL_argcheck(L, pare_get_outcome(L, 2, &r.outcome), 2, "expected an outcome of this sample");
    if (lua_type(L, 3) == LUA_TNUMBER) {
        const lua_Integer label = luaL_checkinteger(L, 3);
        luaL_argcheck(L, label >= 1 && label <= 1000000, 3, "a class counts from 1");
        r.label = (int)label - 1;
    } else if (!lua_isnoneornil(L, 3)) {
        r.target = pare_check_tensor(L, 3, NULL);
    }
    if (b->sample != NULL && b->sample->reports != NULL) {
        b->sample->reports[stage] = r;
    }
    return 0;
}

/* ---- arithmetic ---- */

int pare_lua_op_largest(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    const int i = pare_op_argmax(v);
    if (i < 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, i + 1);
    lua_pushnumber(L, (lua_Number)v->data[i]);
    return 2;
}

int pare_lua_op_softmax(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_softmax(v, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, true);
    return 1;
}

int pare_lua_op_sigmoid(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_sigmoid(v, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

/* A number or a list of numbers; memory from the arena. */
static double *check_numbers(lua_State *L, int i, double otherwise, int *n)
{
    const bool list = lua_type(L, i) == LUA_TTABLE;
    const lua_Unsigned size = list ? lua_rawlen(L, i) : 1;
    luaL_argcheck(L, size >= 1 && size <= MAX_LIST, i, "expected a list of numbers");
    double *x = pare_arena_array(pare_check_arena(L), (size_t)size, sizeof *x);
    if (x == NULL) {
        pare_lua_nomem(L);
    }
    *n = (int)size;
    if (!list) {
        x[0] = luaL_optnumber(L, i, otherwise);
        return x;
    }
    for (int k = 0; k < *n; k++) {
        int is_number;
        lua_rawgeti(L, i, k + 1);
        x[k] = lua_tonumberx(L, -1, &is_number);
        luaL_argcheck(L, is_number, i, "expected a list of numbers");
        lua_pop(L, 1);
    }
    return x;
}

int pare_lua_op_affine(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    int n_factor, n_offset;
    luaL_checkany(L, 2);
    const double *factor = check_numbers(L, 2, 1, &n_factor);
    const double *offset = check_numbers(L, 3, 0, &n_offset);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_affine(v, factor, n_factor, offset, n_offset, pare_check_arena(L), &out, &err) !=
        PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_clip(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    const double lo = luaL_checknumber(L, 2), hi = luaL_checknumber(L, 3);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_clip(v, lo, hi, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

static int arith(lua_State *L, enum pare_arith op)
{
    static const int64_t one = 1;
    const struct pare_value *a = pare_check_tensor(L, 1, NULL);
    const struct pare_value *b;
    if (lua_type(L, 2) == LUA_TNUMBER) {
        struct pare_value *number = new_value(L, 1, &one);
        number->data[0] = (float)lua_tonumber(L, 2);
        b = number;
    } else {
        b = pare_check_tensor(L, 2, NULL);
    }
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_arith(op, a, b, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_add(lua_State *L)
{
    return arith(L, PARE_ARITH_ADD);
}

int pare_lua_op_sub(lua_State *L)
{
    return arith(L, PARE_ARITH_SUB);
}

int pare_lua_op_mul(lua_State *L)
{
    return arith(L, PARE_ARITH_MUL);
}

int pare_lua_op_div(lua_State *L)
{
    return arith(L, PARE_ARITH_DIV);
}

int pare_lua_op_mse(lua_State *L)
{
    const struct pare_value *a = pare_check_tensor(L, 1, NULL), *b = pare_check_tensor(L, 2, NULL);
    struct pare_error err;
    double mse;
    if (pare_op_mse(a, b, &mse, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    lua_pushnumber(L, mse);
    return 1;
}

/* ---- shapes ---- */

/* Sizes from argument i on. */
static int check_sizes(lua_State *L, int i, int64_t *dims, lua_Integer least)
{
    const int n = lua_gettop(L) - i + 1;
    luaL_argcheck(L, n <= PARE_MAX_RANK, i, "too many dimensions");
    for (int k = 0; k < n; k++) {
        dims[k] = luaL_checkinteger(L, i + k);
        luaL_argcheck(L, dims[k] >= least && dims[k] <= (1 << 27), i + k, "no such size");
    }
    return n > 0 ? n : 0;
}

int pare_lua_op_tensor(lua_State *L)
{
    int64_t dims[PARE_MAX_RANK];
    int n;
    luaL_checktype(L, 1, LUA_TTABLE);
    int rank = check_sizes(L, 2, dims, 0);
    const double *x = check_numbers(L, 1, 0, &n);
    if (rank == 0) {
        rank = 2;
        dims[0] = 1;
        dims[1] = n;
    }
    struct pare_value *v = new_value(L, rank, dims);
    luaL_argcheck(L, pare_value_elements(v) == n, 1, "the numbers do not fit the shape");
    for (int i = 0; i < n; i++) {
        v->data[i] = (float)x[i];
    }
    pare_push_tensor(L, v, false);
    return 1;
}

int pare_lua_op_reshape(lua_State *L)
{
    bool probabilities;
    const struct pare_value *v = pare_check_tensor(L, 1, &probabilities);
    int64_t dims[PARE_MAX_RANK];
    const int rank = check_sizes(L, 2, dims, -1);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_reshape(v, rank, dims, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, probabilities);
    return 1;
}

static int check_axis(lua_State *L, int i)
{
    const lua_Integer axis = luaL_checkinteger(L, i);
    luaL_argcheck(L, axis >= 1 && axis <= PARE_MAX_RANK, i, "there is no such axis");
    return (int)axis - 1;
}

int pare_lua_op_slice(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    const int axis = check_axis(L, 2);
    const lua_Integer first = luaL_checkinteger(L, 3), last = luaL_optinteger(L, 4, first);
    luaL_argcheck(L, first >= 1, 3, "indices count from 1");
    luaL_argcheck(L, last >= first, 4, "the last index is before the first");
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_slice(v, axis, first - 1, last - 1, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_concat(lua_State *L)
{
    enum { MOST = 32 };
    const int axis = check_axis(L, 1), n = lua_gettop(L) - 1;
    const struct pare_value *v[MOST];
    luaL_argcheck(L, n >= 1 && n <= MOST, 2, "expected 1 to 32 tensors");
    for (int i = 0; i < n; i++) {
        v[i] = pare_check_tensor(L, i + 2, NULL);
    }
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_concat(v, n, axis, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_transpose(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    int perm[PARE_MAX_RANK];
    luaL_argcheck(L, lua_gettop(L) - 1 == v->rank, 2, "expected every axis once");
    for (int i = 0; i < v->rank; i++) {
        perm[i] = check_axis(L, i + 2);
    }
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_transpose(v, perm, pare_check_arena(L), &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}
