/* The operations on pictures and boxes. */
#include "lua/binding.h"

#include <string.h>

#include <lauxlib.h>

static int size_argument(lua_State *L, int i)
{
    const lua_Integer n = luaL_checkinteger(L, i);
    luaL_argcheck(L, n >= 1 && n <= PARE_OP_MAX_SIDE, i, "a side is 1 to 8192 pixels");
    return (int)n;
}

static struct pare_memo *memo_of(lua_State *L)
{
    const struct pare_sample *sample = pare_binding_of(L)->sample;
    return sample != NULL ? sample->memo : NULL;
}

int pare_lua_op_crop(lua_State *L)
{
    static const char name[] = "crop";
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    struct pare_box box;
    pare_check_box(L, 2, &box);
    const int w = size_argument(L, 3), h = size_argument(L, 4);
    const double scale = luaL_optnumber(L, 5, 1);
    struct pare_arena *arena = pare_check_arena(L);
    const double numbers[8] = {box.cx, box.cy, box.w, box.h, box.angle, w, h, scale};
    struct pare_value *out = pare_memo_find(memo_of(L), name, image, numbers, 8);
    struct pare_error err;
    if (out == NULL) {
        if (pare_op_crop(image, &box, w, h, scale, arena, &out, &err) != PARE_OK) {
            return pare_raise(L, &err);
        }
        pare_memo_keep(memo_of(L), name, image, numbers, 8, out);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_frame(lua_State *L)
{
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    struct pare_box box, frame;
    struct pare_error err;
    pare_check_box(L, 2, &box);
    if (pare_op_crop_frame(image, &box, luaL_optnumber(L, 3, 1), &frame, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_box(L, &frame);
    return 1;
}

int pare_lua_op_resize(lua_State *L)
{
    static const char name[] = "resize";
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    const int w = size_argument(L, 2), h = size_argument(L, 3);
    struct pare_arena *arena = pare_check_arena(L);
    const double numbers[2] = {w, h};
    struct pare_value *out = pare_memo_find(memo_of(L), name, image, numbers, 2);
    struct pare_error err;
    if (out == NULL) {
        if (pare_op_resize(image, w, h, arena, &out, &err) != PARE_OK) {
            return pare_raise(L, &err);
        }
        pare_memo_keep(memo_of(L), name, image, numbers, 2, out);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_letterbox(lua_State *L)
{
    static const char name[] = "letterbox";
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    const int w = size_argument(L, 2), h = size_argument(L, 3);
    const double fill = luaL_optnumber(L, 4, 0);
    struct pare_arena *arena = pare_check_arena(L);
    const double numbers[3] = {w, h, fill};
    struct pare_value *out = pare_memo_find(memo_of(L), name, image, numbers, 3);
    struct pare_error err;
    if (out == NULL) {
        if (pare_op_letterbox(image, w, h, fill, arena, &out, &err) != PARE_OK) {
            return pare_raise(L, &err);
        }
        pare_memo_keep(memo_of(L), name, image, numbers, 3, out);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_letterbox_frame(lua_State *L)
{
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    const int w = size_argument(L, 2), h = size_argument(L, 3);
    struct pare_box frame;
    struct pare_error err;
    if (pare_op_letterbox_frame(image, w, h, &frame, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_box(L, &frame);
    return 1;
}

int pare_lua_op_border(lua_State *L)
{
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    const lua_Integer pixels = luaL_checkinteger(L, 2);
    luaL_argcheck(L, pixels >= 0 && pixels <= PARE_OP_MAX_SIDE, 2, "a border is 0 to 8192 pixels");
    const double fill = luaL_optnumber(L, 3, 0);
    struct pare_arena *arena = pare_check_arena(L);
    struct pare_value *out;
    struct pare_error err;
    if (pare_op_border(image, (int)pixels, fill, arena, &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_best_box(lua_State *L)
{
    const struct pare_value *grid = pare_check_tensor(L, 1, NULL);
    const bool two = lua_type(L, 2) == LUA_TUSERDATA;
    const struct pare_value *boxes = two ? pare_check_tensor(L, 2, NULL) : NULL;
    const int next = two || lua_isnil(L, 2) ? 3 : 2;
    const double threshold = luaL_optnumber(L, next, 0.5);
    struct pare_box box;
    struct pare_error err;
    bool found;
    if (pare_op_best_box(grid, boxes, threshold, &found, &box, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    if (found) {
        pare_push_box(L, &box);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* A number of the options table at index i. */
static double option(lua_State *L, int i, const char *key, double otherwise)
{
    int is_number;
    lua_pushstring(L, key);
    lua_rawget(L, i);
    const double x = lua_isnil(L, -1) ? otherwise : lua_tonumberx(L, -1, &is_number);
    if (!lua_isnil(L, -1) && !is_number) {
        luaL_error(L, "bad argument #%d: option '%s' is a number", i, key);
    }
    lua_pop(L, 1);
    return x;
}

/* A double as an int; out of range gives -1, which later checks refuse. */
static int as_int(double x)
{
    return x >= 0 && x <= 1e9 ? (int)x : -1;
}

static void check_layers(lua_State *L, int i, struct pare_ssd *ssd)
{
    lua_pushliteral(L, "layers");
    if (lua_rawget(L, i) != LUA_TTABLE) {
        luaL_error(L, "bad argument #%d: option 'layers' is a list of {grid, per cell}", i);
    }
    const lua_Unsigned n = lua_rawlen(L, -1);
    ssd->n_layers = n <= 8 ? (int)n : 9;
    for (int l = 0; l < ssd->n_layers && l < 8; l++) {
        if (lua_rawgeti(L, -1, l + 1) != LUA_TTABLE) {
            luaL_error(L, "bad argument #%d: option 'layers' is a list of {grid, per cell}", i);
        }
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        ssd->grid[l] = as_int(lua_tonumber(L, -2));
        ssd->per_cell[l] = as_int(lua_tonumber(L, -1));
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

int pare_lua_op_ssd_boxes(lua_State *L)
{
    enum { MOST = 64 };
    const struct pare_value *raw = pare_check_tensor(L, 1, NULL);
    const struct pare_value *scores = pare_check_tensor(L, 2, NULL);
    struct pare_ssd ssd = {0};
    struct pare_error err;
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checkstack(L, 8, NULL);
    check_layers(L, 3, &ssd);
    ssd.size = option(L, 3, "size", 0);
    ssd.threshold = option(L, 3, "threshold", 0.5);
    ssd.iou = option(L, 3, "iou", 0.3);
    int max = as_int(option(L, 3, "max", 16)), n;
    max = max < 0 || max > MOST ? MOST : max;
    struct pare_arena *arena = pare_check_arena(L);
    struct pare_box *boxes = pare_arena_array(arena, MOST, sizeof *boxes);
    if (boxes == NULL) {
        return pare_lua_nomem(L);
    }
    if (pare_op_ssd_boxes(raw, scores, &ssd, arena, boxes, max, &n, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        pare_push_box(L, &boxes[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

int pare_lua_op_turn_box(lua_State *L)
{
    const struct pare_value *image = pare_check_tensor(L, 1, NULL);
    struct pare_box box, out;
    struct pare_error err;
    pare_check_box(L, 2, &box);
    luaL_checktype(L, 3, LUA_TTABLE);
    const int from = as_int(option(L, 3, "from", 0)) - 1, to = as_int(option(L, 3, "to", 0)) - 1;
    const double shift_x = option(L, 3, "shift_x", 0), shift_y = option(L, 3, "shift_y", 0);
    const double scale = option(L, 3, "scale", 1);
    if (pare_op_turn_box(image, &box, from, to, shift_x, shift_y, scale, &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_box(L, &out);
    return 1;
}

static int numbers_argument(lua_State *L, int i)
{
    const lua_Integer k = luaL_optinteger(L, i, 2);
    luaL_argcheck(L, k >= 1 && k <= 64, i, "a point has 1 to 64 numbers");
    return (int)k;
}

int pare_lua_op_place(lua_State *L)
{
    const struct pare_value *points = pare_check_tensor(L, 1, NULL);
    struct pare_box frame;
    struct pare_error err;
    pare_check_box(L, 2, &frame);
    const struct pare_value *image = pare_check_tensor(L, 3, NULL);
    const int k = numbers_argument(L, 4);
    struct pare_arena *arena = pare_check_arena(L);
    struct pare_value *out;
    if (pare_op_place(points, k, &frame, image, arena, &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_place_box(lua_State *L)
{
    struct pare_box box, frame, out;
    struct pare_error err;
    pare_check_box(L, 1, &box);
    pare_check_box(L, 2, &frame);
    const struct pare_value *image = pare_check_tensor(L, 3, NULL);
    if (pare_op_place_box(&box, &frame, image, &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_box(L, &out);
    return 1;
}

static int normalised(lua_State *L,
                      enum pare_status (*f)(const struct pare_value *, int, struct pare_arena *,
                                            struct pare_value **, struct pare_error *))
{
    const struct pare_value *points = pare_check_tensor(L, 1, NULL);
    const int k = numbers_argument(L, 2);
    struct pare_arena *arena = pare_check_arena(L);
    struct pare_value *out;
    struct pare_error err;
    if (f(points, k, arena, &out, &err) != PARE_OK) {
        return pare_raise(L, &err);
    }
    pare_push_tensor(L, out, false);
    return 1;
}

int pare_lua_op_normalise(lua_State *L)
{
    return normalised(L, pare_op_normalise);
}

int pare_lua_op_normalise_box(lua_State *L)
{
    return normalised(L, pare_op_normalise_box);
}
