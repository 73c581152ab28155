/* The sandbox: what is not there, what is refused, what stops by itself. Each script is hostile
 * (list L of the robustness notes) unless it says ok. Scripts that outrun the hook inside one C
 * function (pattern bombs) are a matter of the worker that is killed. */
#include <lauxlib.h>

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "lua/sandbox.h"
#include "support.h"

static char printed[4096];

static void keep_line(void *self, const char *line)
{
    (void)self;
    snprintf(printed + strlen(printed), sizeof printed - strlen(printed), "%s\n", line);
}

/* Runs text as s.lua in a fresh state with 16 MiB and that many milliseconds. */
static enum pare_status run_limited(const char *text, size_t n, long fail_at, double time_ms,
                                    struct pare_error *err)
{
    static char dir[4096];
    char path[4200];
    struct pare_lua *lua;
    const struct pare_lua_limits limits = {.time_ms = time_ms, .mem_bytes = (size_t)16 << 20};
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "%s", test_temp_dir());
        snprintf(path, sizeof path, "%s/module.lua", dir);
        assert_int_equal(pare_file_write(path, "return { x = 42 }", 17, err), PARE_OK);
        snprintf(path, sizeof path, "%s/loop.lua", dir);
        assert_int_equal(pare_file_write(path, "return require 'loop'", 21, err), PARE_OK);
        snprintf(path, sizeof path, "%s/link.lua", dir);
        assert_int_equal(symlink("/etc/hostname", path), 0);
    }
    snprintf(path, sizeof path, "%s/s.lua", dir);
    assert_int_equal(pare_file_write(path, text, n, err), PARE_OK);
    printed[0] = '\0';
    enum pare_status status = pare_lua_new(&limits, &lua, err);
    if (status != PARE_OK) {
        return status;
    }
    lua->fail_at = fail_at;
    lua->print = keep_line;
    lua->loading = true;
    snprintf(lua->dir, sizeof lua->dir, "%.1000s", dir);
    status = pare_lua_load_file(lua, path, err);
    if (status == PARE_OK) {
        status = pare_lua_call(lua, 0, 0, err);
    }
    assert_int_equal(lua_gettop(lua->L), 0);
    pare_lua_free(lua);
    return status;
}

#define LONG_MS 60000.0 /* for scripts that meet another end, however busy the machine is */

static enum pare_status run(const char *text, struct pare_error *err)
{
    return run_limited(text, strlen(text), 0, LONG_MS, err);
}

struct script {
    const char *text, *message; /* message NULL = ok */
};

static void run_all(const struct script *scripts)
{
    for (; scripts->text != NULL; scripts++) {
        struct pare_error err = {.message = ""};
        const char *wanted = scripts->message != NULL ? scripts->message : "";
        const double time_ms = strcmp(wanted, "time limit") == 0 ? 100.0 : LONG_MS;
        const enum pare_status status =
            run_limited(scripts->text, strlen(scripts->text), 0, time_ms, &err);
        if ((status == PARE_OK) != (scripts->message == NULL) ||
            strstr(err.message, wanted) == NULL) {
            fail_msg("%s\n  gave %d '%s'\n  expected '%s'", scripts->text, (int)status, err.message,
                     wanted);
        }
    }
}

static void good_scripts_run(void **state)
{
    static const struct script scripts[] = {
        {"local t = {3, 1, 2} table.sort(t) assert(t[1] == 1)", NULL},
        {"assert(string.format('%5.2f %s %d', 1.234, 'x', 7) == ' 1.23 x 7')", NULL},
        {"assert(('ab'):rep(3) == 'ababab' and utf8.len('\u00e4') == 1)", NULL},
        {"local co = coroutine.wrap(function() coroutine.yield(1) return 2 end) assert(co() == 1)",
         NULL},
        {"assert(load('return 1 + 1')() == 2)", NULL},
        {"assert(load('return x', 'n', 't', { x = 5 })() == 5)", NULL},
        {"assert(require('module').x == 42 and require 'module' == require 'module')", NULL},
        {"local ok, e = pcall(error, { code = 1 }) assert(not ok and e.code == 1)", NULL},
        {"local t = setmetatable({}, { __index = function() return 1 end }) assert(t.x == 1)",
         NULL},
        {"assert(type(os.time()) == 'number' and os.clock() >= 0 and os.date())", NULL},
        {"\xEF\xBB\xBFlocal x = 1\r\nassert(x == 1)\r\n", NULL},
        {NULL, NULL}};
    (void)state;
    run_all(scripts);
}

static void loops_end(void **state)
{
    static const struct script scripts[] = {
        {"while true do end", "time limit"},
        {"while true do pcall(function() while true do end end) end", "time limit"},
        {"local function f() return pcall(f) end f() while true do pcall(f) end", "time limit"},
        {"local co = coroutine.wrap(function() while true do end end) co()", "time limit"},
        {"while true do local co = coroutine.create(function() while true do end end) "
         "coroutine.resume(co) end",
         "time limit"},
        {"xpcall(error, function() while true do end end)", "'xpcall' is not declared"},
        {"local x <close> = setmetatable({}, { __close = function() end })", "__close"},
        {"local m = {} local t = setmetatable({}, m) m.__close = function() while true do end end "
         "do local x <close> = t end",
         "time limit"},
        {"local m = setmetatable({}, { __gc = function() while true do end end })", "__gc"},
        {"local t = {} for i = 1, 2e6 do t[i] = i end", "memory"},
        {"local t = {} for i = 1, 1e5 do t[i] = i % 7 end "
         "while true do table.sort(t, function(a, b) return a < b end) end",
         "time limit"},
        {"table.sort({ 3, 1, 2, 5, 4, 6, 7, 8 }, function() return true end)",
         "invalid order function"},
        {"error(setmetatable({}, { __tostring = function() while true do end end }))",
         "a table value"},
        {NULL, NULL}};
    (void)state;
    run_all(scripts);
}

static void memory_is_held(void **state)
{
    static const struct script scripts[] = {
        {"local s = ('x'):rep(1e9)", "too many repetitions"},
        {"local s = ('x'):rep(2^24 // 1 | 0)", "too many repetitions"},
        {"local s = ('xxxxxxxxxx'):rep(5000000)", "memory"},
        {"local s = 'x' while true do s = s .. s end", "memory"},
        {"local t = {} for i = 1, 1e9 do t[i] = {} end", "memory"},
        {"local t = {} for i = 1, 1e6 do t[i] = coroutine.create(function() end) end", "memory"},
        {"local s = (''):rep(1e9)", "too many repetitions"},
        {"table.move({}, 1, 1e9, 2)", "too many elements"},
        {"table.concat({}, 'x', 1, 1e9)", "invalid value"},
        {"table.unpack({}, 1, 1e8)", "too many results"},
        {"local function f() return 1 + f() end f()", "memory"},
        {"local t = {} for i = 1, 200 do t = setmetatable({}, { __index = t }) end return t.x",
         NULL},
        {NULL, NULL}};
    (void)state;
    run_all(scripts);
}

static void deep_text_is_refused(void **state)
{
    struct pare_error err;
    char *text = malloc(200016);
    (void)state;
    assert_non_null(text);
    strcpy(text, "return ");
    memset(text + 7, '(', 100000);
    text[100007] = '\0';
    assert_int_equal(run(text, &err), PARE_ERR_CONFIG);
    memset(text + 7, '{', 300);
    text[307] = '\0';
    assert_int_equal(run(text, &err), PARE_ERR_CONFIG);
    free(text);
}

static void dangerous_things_are_absent(void **state)
{
    static const struct script scripts[] = {
        {"return io", "'io' is not declared"},
        {"return package", "'package' is not declared"},
        {"return debug", "'debug' is not declared"},
        {"return dofile", "'dofile' is not declared"},
        {"return loadfile", "'loadfile' is not declared"},
        {"return collectgarbage", "'collectgarbage' is not declared"},
        {"assert(os.execute == nil and os.getenv == nil and os.exit == nil and os.remove == nil)",
         NULL},
        {"assert(string.dump == nil)", NULL},
        {"load(string.char(27) .. 'Lua')()", "attempt to call a nil value"},
        {"assert(load('\\27Lua', 'x', 'b') == nil)", NULL},
        {"getmetatable('').__index.upper = 1", "attempt to index a boolean"},
        {"getmetatable(_G).__index = 1", "attempt to index a boolean"},
        {"setmetatable(_G, {})", "protected"},
        {"x = 1", "global 'x' is not declared"},
        {"return y", "global 'y' is not declared"},
        {"require '../x'", "plain name"},
        {"require '/etc/passwd'", "plain name"},
        {"require ''", "plain name"},
        {"require 'nothing'", "no file 'nothing.lua'"},
        {"require 'link'", "no file 'link.lua'"},
        {"require 'loop'", "too deeply"},
        {"string.format('%p', {})", "%p"},
        {"string.format('%-10p', {})", "%p"},
        {"return ('%%p'):format()", NULL},
        {NULL, NULL}};
    (void)state;
    run_all(scripts);
}

static void addresses_never_show(void **state)
{
    struct pare_error err;
    (void)state;
    assert_int_equal(
        run("print(print, {}, coroutine.create(print), tostring({}), ('%s|%5s'):format({}, print),"
            " setmetatable({}, { __name = 'spoof' }))",
            &err),
        PARE_OK);
    assert_string_equal(printed, "function table thread table table|function table\n");
    assert_int_equal(run("print('\\27[31mred\\a')", &err), PARE_OK);
    assert_null(strchr(printed, '\x1B'));
    assert_non_null(strstr(printed, "\\x1b"));
}

static void errors_name_file_and_line(void **state)
{
    struct pare_error err;
    (void)state;
    assert_int_equal(run("local a = 1\n\nlocal b = a.x.y", &err), PARE_ERR_CONFIG);
    assert_non_null(strstr(err.where, "/s.lua:3"));
    assert_non_null(strstr(err.message, "attempt to index"));
    assert_int_equal(run("local = 1", &err), PARE_ERR_CONFIG);
    assert_non_null(strstr(err.where, "/s.lua:1"));
    assert_int_equal(run("error()", &err), PARE_ERR_CONFIG);
    assert_int_equal(run("error({})", &err), PARE_ERR_CONFIG);
}

static void files_that_are_no_text_are_refused(void **state)
{
    struct pare_error err;
    (void)state;
    assert_int_equal(run_limited("\x1BLua\x54\x00", 6, 0, LONG_MS, &err), PARE_ERR_FORMAT);
    assert_int_equal(run_limited("return 1\0 2", 11, 0, LONG_MS, &err), PARE_ERR_FORMAT);
    char *large = malloc(2 << 20);
    assert_non_null(large);
    memset(large, ' ', 2 << 20);
    assert_int_not_equal(run_limited(large, 2 << 20, 0, LONG_MS, &err), PARE_OK);
    free(large);
    assert_int_equal(run_limited("", 0, 0, LONG_MS, &err), PARE_OK);
}

static void random_numbers_repeat(void **state)
{
    struct pare_error err;
    char first[4096];
    (void)state;
    assert_int_equal(run("print(math.random(), math.random(1000))", &err), PARE_OK);
    strcpy(first, printed);
    assert_int_equal(run("print(math.random(), math.random(1000))", &err), PARE_OK);
    assert_string_equal(printed, first);
    assert_int_not_equal(run("math.randomseed()", &err), PARE_OK);
}

/* The n-th allocation fails, for every n: an error each time, never a crash or a leak. */
static void failing_allocations_are_errors(void **state)
{
    static const char text[] =
        "local t = {} for i = 1, 20 do t[i] = ('x'):rep(i) .. i end\n"
        "local m = require 'module'\n"
        "local co = coroutine.wrap(function(...) local a = { ... } return #a + m.x end)\n"
        "local s = string.format('%s %d', co(1, 2, 3), #t)\n"
        "print(s, setmetatable({}, { __tostring = function() return 'y' end }))\n"
        "assert(load('return 1')() == 1)\n";
    struct pare_error err;
    (void)state;
    long n = 1;
    while (n < 5000 && run_limited(text, sizeof text - 1, n, LONG_MS, &err) != PARE_OK) {
        n++;
    }
    assert_true(n > 20 && n < 5000);
    assert_string_equal(printed, "45 20 y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_scripts_run),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(memory_is_held),
        cmocka_unit_test(deep_text_is_refused),
        cmocka_unit_test(dangerous_things_are_absent),
        cmocka_unit_test(addresses_never_show),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(files_that_are_no_text_are_refused),
        cmocka_unit_test(random_numbers_repeat),
        cmocka_unit_test(failing_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
