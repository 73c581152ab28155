/* pipeline.lua: what loads, what is refused with which words, and glue over a runner that computes
 * nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "lua/declared.h"
#include "lua/lua_glue.h"
#include "support.h"

static enum pare_status load(const char *text, struct pare_pipeline **p, struct pare_error *err)
{
    char path[4200];
    static char dir[4096];
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "%s", test_temp_dir());
    }
    snprintf(path, sizeof path, "%s/pipeline.lua", dir);
    assert_int_equal(pare_file_write(path, text, strlen(text), err), PARE_OK);
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    assert_int_equal(pare_file_write(path, "x", 1, err), PARE_OK);
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    return pare_pipeline_open(dir, NULL, p, err);
}

static void refused(const char *text, const char *message)
{
    struct pare_pipeline *p;
    struct pare_error err = {.message = ""};
    const enum pare_status status = load(text, &p, &err);
    if (status == PARE_OK || strstr(err.message, message) == NULL) {
        fail_msg("%s\n  gave %d '%s' '%s'\n  expected '%s'", text, (int)status, err.where,
                 err.message, message);
    }
    assert_null(p);
}

#define ONE "stages = { { 'm', 'm.onnx' } }"

static void wrong_descriptions_are_refused(void **state)
{
    (void)state;
    refused("return 1", "must return a table");
    refused("return {}", "stages: expected");
    refused("return { stages = {} }", "stages: expected");
    refused("return { stages = { 'm' } }", "stage 1: expected { name, file }");
    refused("return { stages = { { 'a/b', 'm.onnx' } } }", "a name is a word");
    refused("return { stages = { { 'm', 'm.onnx' }, { 'm', 'm.onnx' } }, infer = function() end }",
            "two stages 'm'");
    refused("return { stages = { { 'm', 'm.onnx', sha256 = 'x' } } }", "64 hexadecimal");
    refused("return { " ONE ", infre = function() end }", "no field 'infre'");
    refused("return { " ONE ", infer = 3 }", "infer: expected a function");
    refused("return { " ONE ", infer = print }", "infer: expected a function");
    refused("return { stages = { { 'a', 'x' }, { 'b', 'y' } } }", "infer is missing");
    refused("return { " ONE ", metric = 'top5' }", "none of top1");
    refused("return { " ONE ", metric = {} }", "expected text");
    refused("return { " ONE ", classes = {} }", "1 to 100000 names");
    refused("return { " ONE ", data = 'x' }", "data: expected");
    refused("return { " ONE ", data = { train = 'x' } }", "no field 'train'");
    refused("return { " ONE ", data = { test = 3 } }", "data.test: expected a path");
    refused("return { " ONE ", data = { test = {} } }", "'path' is missing");
    refused("return { " ONE ", data = { test = { path = 'x', part = { 0.5, 0.2 } } } }",
            "part: expected");
    refused("return { " ONE ", data = { test = { path = 'x', part = { 0/0, 0/0 } } } }",
            "part: expected");
    refused("return { " ONE ", data = { test = { path = 'x', border = -1 } } }",
            "border: expected");
    refused("return { " ONE ", data = { test = { path = 'x', labels = { a = 'b' } } } }",
            "'b' is not in classes");
    refused("return { " ONE ", name = 'a\\0b' }", "bytes of text");
    refused("return { " ONE ", keep = 'x' }", "keep: expected");
    refused("return { " ONE ", keep = { ['m/*'] = 'int9000' } }", "no level");
    refused("return setmetatable({}, { __index = function() while true do end end })",
            "stages: expected");
    refused("while true do end", "time limit");
    refused("return {", "expected");
}

static void a_whole_description_is_read(void **state)
{
    struct pare_pipeline *p;
    struct pare_error err;
    (void)state;
    assert_int_equal(
        load("return { name = 'n', stages = { { 'a', 'm.onnx' }, { 'b', 'none.onnx' } },\n"
             "classes = { 'x', 'y' }, metric = 'auc', infer = function() end,\n"
             "keep = { 'a/*', ['b/head'] = 'fp32' },\n"
             "data = { search = 'nothing', test = { path = '.', border = 5, seed = 3,\n"
             "  part = { 0.25, 0.5 }, limit = 9, labels = { q = 'y', p = false } } } }",
             &p, &err),
        PARE_OK);
    assert_string_equal(p->name, "n");
    assert_int_equal(p->n_stages, 2);
    assert_non_null(p->stages[0].path);
    assert_null(p->stages[1].path);
    assert_string_equal(p->classes[1], "y");
    assert_string_equal(p->metric, "auc");
    assert_int_equal(p->n_keep, 2);
    assert_string_equal(p->keep[0].level, "int8");
    assert_string_equal(p->keep[1].pattern, "b/head");
    const struct pare_data_spec *s = &p->specs[PARE_SPLIT_TEST];
    assert_int_equal(s->n_folders, 2);
    assert_string_equal(s->folders[0], "p");
    assert_int_equal(s->folder_labels[0], -1);
    assert_int_equal(s->folder_labels[1], 1);
    assert_int_equal(s->border, 5);
    assert_int_equal(s->limit, 9);
    assert_true(s->part_begin == 0.25 && s->part_end == 0.5);
    assert_int_equal(strlen(p->lua_hash), 32);
    assert_int_equal(pare_pipeline_open_models(p, &err), PARE_ERR_FORMAT); /* m.onnx is one byte */
    assert_int_equal(pare_pipeline_open_split(p, PARE_SPLIT_SEARCH, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_pipeline_open_split(p, PARE_SPLIT_ALL, &err), PARE_ERR_CONFIG);
    pare_pipeline_free(p);
}

static void other_paths_are_refused(void **state)
{
    struct pare_pipeline *p;
    struct pare_error err;
    (void)state;
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    assert_int_equal(pare_pipeline_open("/nonexistent", NULL, &p, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_pipeline_open(test_temp_dir(), NULL, &p, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_pipeline_open("/dev/null", NULL, &p, &err), PARE_ERR_NOINPUT);
}

/* ---- glue ---- */

/* Stage 0 gives its input and its first element doubled as [1,3]; stage 1 fails. */
static enum pare_status call(void *self, int stage, const struct pare_value *const *in, int n_in,
                             struct pare_arena *arena, struct pare_value **out, int *n_out,
                             struct pare_error *err)
{
    (void)self;
    if (stage == 1) {
        return pare_error(err, PARE_ERR_INTERNAL, "kernel", "broken");
    }
    if (stage == 2) {
        return pare_error(err, PARE_ERR_USAGE, "m", "input is 3, got %d", n_in);
    }
    out[0] = (struct pare_value *)(uintptr_t)in[0];
    out[1] = pare_value_new(arena, 2, (int64_t[]){1, 3});
    out[1]->data[1] = 2 * in[0]->data[0];
    *n_out = 2;
    return PARE_OK;
}

static const struct pare_runner runner = {NULL, call};
static float pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static enum pare_status infer(struct pare_pipeline *p, struct pare_outcome *outcome,
                              struct pare_arena *arena, struct pare_error *err)
{
    const struct pare_value image = {.rank = 4, .dims = {1, 2, 2, 3}, .data = pixels};
    const struct pare_sample sample = {.index = 4, .label = 0, .image = &image};
    return p->glue.infer(p->glue.self, p, &sample, &runner, arena, outcome, err);
}

/* Runs one body of infer. */
static enum pare_status glue(const char *body, struct pare_outcome *outcome, struct pare_error *err)
{
    struct pare_pipeline *p;
    struct pare_arena arena = {NULL, (size_t)960 << 20}; /* 64 MiB are left of the sample's 1 GiB */
    char text[4096];
    snprintf(text, sizeof text,
             "local kept\nreturn { stages = { { 'm', 'm.onnx' }, { 'bad', 'm.onnx' }, { 'usage', "
             "'m.onnx' } },\n"
             "classes = { 'a', 'b', 'c' }, infer = function(stage, sample, op)\n%s\nend }",
             body);
    assert_int_equal(load(text, &p, err), PARE_OK);
    const enum pare_status status = infer(p, outcome, &arena, err);
    outcome->scores = NULL;
    pare_pipeline_free(p);
    pare_arena_clear(&arena);
    return status;
}

static void glue_computes(void **state)
{
    static const char *const bodies[] = {
        "local a, b = stage.m(sample.image) assert(#a == 12 and b[2] == 2) return op.argmax(b)",
        "local s = { sample.image:shape() } assert(#s == 4 and s[2] == 2 and s[4] == 3) return "
        "op.class(2)",
        "assert(tostring(sample.image) == 'tensor 1x2x2x3') assert(sample.index == 5) return "
        "op.class 'b'",
        "local box = { cx = 0.5, cy = 0.5, w = 1, h = 1 } local c = op.crop(sample.image, box, 2, "
        "2) "
        "assert(#c == 12 and c[1] == 1 and op.frame(sample.image, box, 2).w == 2) return "
        "op.class(2)",
        "local t = op.tensor({ 1, 2, 3, 4, 5, 6 }, 2, 3) assert(op.transpose(t, 2, 1)[2] == 4) "
        "assert(op.slice(t, 1, 2)[1] == 4) assert(#op.concat(1, t, t) == 12) "
        "assert(op.reshape(t, 3, -1)[6] == 6) return op.class(2)",
        "local t = op.tensor { 1, 2, 3 } assert(op.add(t, 1)[1] == 2 and op.mul(t, t)[3] == 9) "
        "assert(op.affine(t, { 1, 2, 3 }, 1)[3] == 10 and op.clip(t, 2, 2)[1] == 2) "
        "assert(op.mse(t, op.sub(t, 2)) == 4 and op.div(t, 2)[1] == 0.5) return op.class(2)",
        "local i, v = op.largest(op.softmax(op.tensor { 0, 1000, 0 })) assert(i == 2 and v == 1) "
        "return op.class(i)",
        "local o = op.argmax(op.tensor { 0, 5, 1 }) assert(o.class == 2 and o.score == 5) return o",
        "local ok, e = pcall(op.crop, 1) assert(not ok) return op.class(2)",
        "local co = coroutine.wrap(function() return stage.m(sample.image) end) local a, b = co() "
        "return op.argmax(b)",
        "assert(select('#', stage.m(3)) == 2) return op.class(2)"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct pare_outcome o;
        struct pare_error err = {.message = ""};
        if (glue(bodies[i], &o, &err) != PARE_OK || o.kind != PARE_OUTCOME_CLASS ||
            o.prediction != 1) {
            fail_msg("%s\n  gave %d, '%s' '%s'", bodies[i], o.prediction, err.where, err.message);
        }
    }
}

static void glue_knows_every_kind_of_outcome(void **state)
{
    struct pare_outcome o;
    struct pare_error err;
    (void)state;
    assert_int_equal(glue("return op.none()", &o, &err), PARE_OK);
    assert_int_equal(o.kind, PARE_OUTCOME_NONE);
    assert_int_equal(glue("return op.argmax(op.softmax(op.tensor { 1, 2 }))", &o, &err), PARE_OK);
    assert_int_equal(o.kind, PARE_OUTCOME_CLASS);
    assert_int_equal(o.n_scores, 2);
    assert_true(o.scores_are_probabilities);
    assert_int_equal(glue("return op.score(0.25)", &o, &err), PARE_OK);
    assert_int_equal(o.kind, PARE_OUTCOME_SCORE);
    assert_int_equal(glue("return op.points(op.tensor { 1, 2, 3, 4 })", &o, &err), PARE_OK);
    assert_int_equal(o.kind, PARE_OUTCOME_POINTS);
    assert_int_equal(o.n_scores, 4);
    assert_int_equal(glue("return op.argmax(op.tensor { 0/0 })", &o, &err), PARE_OK);
    assert_int_equal(o.prediction, -1);
}

static void mistakes_in_glue_name_their_line(void **state)
{
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"return nil", "infer must return an outcome"},
        {"return 3", "infer must return an outcome"},
        {"local x = op.chop", "no operation 'chop'"},
        {"local x = stage.detektor", "no stage 'detektor'"},
        {"op.crop = 1", "cannot be changed"},
        {"stage.m = 1", "cannot be changed"},
        {"sample.image[1] = 1", "cannot be changed"},
        {"return sample.image[13]", "indexed by 1 to 12"},
        {"return sample.image[0]", "indexed by 1 to 12"},
        {"return sample.image[1.5]", "indexed by 1 to 12"},
        {"return sample.image.size", "no 'size'"},
        {"return sample.image + 1", "attempt to perform arithmetic"},
        {"stage.m()", "called with 1 to"},
        {"stage.m({})", "tensor expected"},
        {"stage.m(setmetatable({}, { __name = 'tensor' }))", "tensor expected"},
        {"op.argmax(op.none())", "tensor expected"},
        {"op.crop(sample.image, {}, 2, 2)", "number 'cx'"},
        {"op.crop(sample.image, { cx = 'a', cy = 1, w = 1, h = 1 }, 2, 2)", "number 'cx'"},
        {"op.crop(sample.image, nil, 2, 2)", "table expected"},
        {"op.crop(sample.image, { cx = 1, cy = 1, w = 1, h = 1 }, 2^63, 2)",
         "no integer representation"},
        {"op.crop(sample.image, { cx = 1, cy = 1, w = 1, h = 1 }, -1, 2)", "a side is 1 to 8192"},
        {"op.resize(sample.image, 1e300, 1)", "no integer representation"},
        {"op.best_box(sample.image)", "expected a grid"},
        {"op.tensor({ 1, 'x' })", "list of numbers"},
        {"op.tensor({ 1, 2 }, 3)", "do not fit"},
        {"op.tensor({ 1 }, 2^40)", "no such size"},
        {"op.reshape(sample.image, 5)", "do not fit"},
        {"op.class(4)", "no class of this number"},
        {"op.class('z')", "no class of this name"},
        {"op.ssd_boxes(sample.image, sample.image, { size = 1, layers = { { 1e9, 1 } } })",
         "layer 1"},
        {"op.ssd_boxes(sample.image, sample.image, {})", "'layers' is a list"},
        {"stage.bad(sample.image)", "broken"},
        {"stage.usage(sample.image)", "input is 3"},
        {"while true do op.reshape(op.tensor { 1 }, 1) end", "too many tensors"},
        {"while true do local t = op.resize(sample.image, 1500, 1500) end", "out of memory"},
        {"require 'x'", "only while"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pare_outcome o;
        struct pare_error err = {.message = ""};
        const enum pare_status status = glue(cases[i].body, &o, &err);
        const bool stage_failed = strstr(cases[i].message, "broken") != NULL;
        const bool endless = strstr(cases[i].body, "while") != NULL;
        if (status == PARE_OK || strstr(err.message, cases[i].message) == NULL ||
            (!stage_failed && !endless && strstr(err.where, "pipeline.lua:") == NULL)) {
            fail_msg("%s\n  gave %d '%s' '%s'", cases[i].body, (int)status, err.where, err.message);
        }
    }
    struct pare_outcome o;
    struct pare_error err;
    assert_int_equal(glue("pcall(stage.bad, sample.image) return op.none()", &o, &err),
                     PARE_ERR_INTERNAL);
    assert_int_equal(glue("pcall(stage.usage, sample.image) return op.none()", &o, &err), PARE_OK);
}

static void handles_expire_with_their_sample(void **state)
{
    struct pare_pipeline *p;
    struct pare_error err;
    struct pare_outcome o;
    struct pare_arena arena = {NULL, 0};
    static const char *const texts[] = {
        "local kept return { " ONE ", infer = function(stage, sample, op)\n"
        " if kept then return op.argmax(kept) end kept = sample.image return op.none() end }",
        "local kept return { " ONE ", infer = function(stage, sample, op)\n"
        " if kept then return kept end kept = op.argmax(sample.image) return kept end }",
        "local kept return { " ONE ", infer = function(stage, sample, op)\n"
        " if kept then return kept.class end kept = op.argmax(sample.image) return kept end }"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(load(texts[i], &p, &err), PARE_OK);
        assert_int_equal(infer(p, &o, &arena, &err), PARE_OK);
        pare_arena_clear(&arena);
        assert_int_equal(infer(p, &o, &arena, &err), PARE_ERR_CONFIG);
        assert_non_null(strstr(err.message, i == 1 ? "infer must return" : "earlier sample"));
        pare_arena_clear(&arena);
        pare_pipeline_free(p);
    }
}

static void a_metric_may_be_a_function(void **state)
{
    struct pare_pipeline *p;
    struct pare_error err;
    double x;
    json_t *all = json_pack("[[i,i],[b,i],[i,i],[i,i]]", 0, 0, 0, 1, 2, 2, 1, 2); /* classes from 0 */
    const json_t *items[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        items[i] = json_array_get(all, i);
    }
    assert_int_equal(
        load("return { " ONE ", metric = function(outcomes, labels)\n local n = 0\n"
             " for i = 1, #labels do if outcomes[i] == labels[i] then n = n + 1 end end\n"
             " assert(outcomes[2] == false and outcomes[3] == 3) return n / #labels end }",
             &p, &err),
        PARE_OK);
    assert_string_equal(p->metric, "function");
    assert_int_equal(p->glue.metric(p->glue.self, 4, items, &x, &err), PARE_OK);
    assert_true(x == 0.5);
    pare_pipeline_free(p);
    static const char *const bad[] = {"0/0", "1/0", "nil", "'x'", "{}", "error 'no'"};
    for (int i = 0; i < 6; i++) {
        char text[200];
        snprintf(text, sizeof text, "return { " ONE ", metric = function() return %s end }",
                 bad[i]);
        assert_int_equal(load(text, &p, &err), PARE_OK);
        assert_int_equal(p->glue.metric(p->glue.self, 4, items, &x, &err),
                         PARE_ERR_CONFIG);
        assert_non_null(strstr(err.where, "pipeline.lua:1"));
        pare_pipeline_free(p);
    }
    json_decref(all);
}

static void metrics_have_options_and_stages(void **state)
{
    struct pare_pipeline *p;
    struct pare_error err;
    (void)state;
    assert_int_equal(load("return { stages = { { 'a', 'm.onnx' }, { 'b', 'm.onnx' } }, infer = function() end,\n"
                          "metric = { 'pck', threshold = 0.1, of = 'unit' }, metrics = { { 'pck', threshold = 0.05 }, b = 'map50' } }",
                          &p, &err),
                     PARE_OK);
    assert_int_equal(p->scoring.kind, PARE_METRIC_PCK);
    assert_true(p->scoring.threshold == 0.1 && p->scoring.unit);
    assert_int_equal(p->n_extra, 2);
    assert_true(p->extra[0].stage == -1 && p->extra[0].scoring.threshold == 0.05);
    assert_string_equal(p->extra[0].name, "pck@0.05");
    assert_true(p->extra[1].stage == 1 && p->extra[1].scoring.kind == PARE_METRIC_MAP50);
    assert_string_equal(p->extra[1].name, "b");
    pare_pipeline_free(p);
    refused("return { " ONE ", metric = { 'pck', threshold = 0 } }", "threshold");
    refused("return { " ONE ", metric = { 'pck', of = 'head' } }", "of is");
    refused("return { " ONE ", metric = { 'auc', threshold = 1 } }", "only pck");
    refused("return { " ONE ", metrics = { n = 'iou' } }", "no stage 'n'");
    refused("return { " ONE ", metrics = { 'iou', 'iou' } }", "two of them");
    refused("return { " ONE ", metrics = { m = 'best' } }", "none of top1");
    refused("return { " ONE ", metrics = 'iou' }", "metrics: expected");
}

/* The six numbers of every box: class (from 0), score, cx, cy, w, h; best first. */
static void boxes_and_reports_are_outcomes(void **state)
{
    struct pare_outcome o;
    struct pare_error err;
    (void)state;
    assert_int_equal(glue("local b = { { cx = 1, cy = 2, w = 3, h = 4, score = 0.5, class = 2 },\n"
                          " { cx = 9, cy = 2, w = 3, h = 4, score = 0.75 },\n"
                          " { cx = 1.25, cy = 2, w = 3, h = 4, score = 0.25, class = 'b' } }\n"
                          "return op.boxes(b, 0.5)",
                          &o, &err),
                     PARE_OK);
    assert_int_equal(o.kind, PARE_OUTCOME_BOXES);
    assert_int_equal(o.n_answer, 12); /* the third overlaps the first, of the same class */
    assert_int_equal(glue("assert(not pcall(op.report, 'nobody', op.none())) op.report('m', op.score(1)) return op.score(0.25)", &o, &err),
                     PARE_OK);
    assert_int_equal(o.n_answer, 1);
    assert_int_equal(glue("return op.boxes({ { cx = 1, cy = 2, w = 3, h = 4, class = 0 } })", &o, &err), PARE_ERR_CONFIG);
}

static void the_editor_stub_is_current(void **state)
{
    struct pare_strbuf text;
    struct pare_file file;
    struct pare_error err;
    (void)state;
    pare_strbuf_init(&text);
    pare_lua_stub(&text);
    assert_false(text.failed);
    const char *path = test_source("lua/meta/pare.d.lua");
    if (getenv("PARE_BLESS") != NULL) {
        assert_int_equal(pare_file_write(path, text.text, text.length, &err), PARE_OK);
    }
    assert_int_equal(pare_file_open(path, 1 << 20, &file, &err), PARE_OK);
    if (file.size != text.length || memcmp(file.data, text.text, text.length) != 0) {
        fail_msg("%s is stale: run this test once with PARE_BLESS=1 and read the change", path);
    }
    pare_file_close(&file);
    pare_strbuf_clear(&text);
}

/* What the committed stub declares and what the tables register are the same functions. */
static void the_stub_declares_every_function_and_no_other(void **state)
{
    struct pare_file file;
    struct pare_error err;
    char name[96];
    int functions = 0, declared = 0;
    (void)state;
    assert_int_equal(pare_file_open(test_source("lua/meta/pare.d.lua"), 1 << 20, &file, &err), PARE_OK);
    char *text = calloc(file.size + 1, 1);
    assert_non_null(text);
    memcpy(text, file.data, file.size);
    for (int i = 0; pare_lua_op_info(i) != NULL; i++, functions++) {
        snprintf(name, sizeof name, "\nfunction op.%s(", pare_lua_op_info(i)->name);
        if (strstr(text, name) == NULL) {
            fail_msg("the stub lacks%s", name);
        }
    }
    for (int i = 0; pare_lua_verb_info(i) != NULL; i++, functions++) {
        const struct pare_lua_verb_info *v = pare_lua_verb_info(i);
        snprintf(name, sizeof name, "\nfunction %s%s%s(", v->owner, strcmp(v->owner, "pare") == 0 ? "." : ":", v->name);
        if (strstr(text, name) == NULL) {
            fail_msg("the stub lacks%s", name);
        }
    }
    for (const char *at = text; (at = strstr(at, "\nfunction ")) != NULL; at++) {
        declared++;
    }
    assert_int_equal(declared, functions);
    pare_file_close(&file);
    free(text);
}

static void sample_pipelines_load(void **state)
{
    static const char *const names[] = {"sample_pipelines/hand_gesture",
                                        "sample_pipelines/mediapipe_hands"};
    (void)state;
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    for (int i = 0; i < 2; i++) {
        struct pare_pipeline *p;
        struct pare_error err = {.message = ""};
        if (pare_pipeline_open(test_source(names[i]), NULL, &p, &err) != PARE_OK) {
            fail_msg("%s: %s", err.where, err.message);
        }
        assert_string_equal(p->name, strrchr(names[i], '/') + 1);
        pare_pipeline_free(p);
    }
}

static void hash_of(const char *text, char hex[33])
{
    struct pare_hash hash;
    assert_int_equal(pare_hash_init(&hash), PARE_OK);
    pare_lua_hash_declared(&hash, text, strlen(text));
    pare_hash_final(&hash, hex);
}

static void same(const char *a, const char *b, bool expected)
{
    char x[33], y[33];
    hash_of(a, x);
    hash_of(b, y);
    if ((strcmp(x, y) == 0) != expected) {
        fail_msg("%s\n%s\nexpected %s hash", a, b, expected ? "one" : "another");
    }
}

/* What only solvers read is not what results depend on, as long as nothing else can see it. */
static void declarations_keep_results(void **state)
{
    static const char base[] = "local k = 3\nreturn { name = 'n', infer = function(s, x) local t = { 1, 2 } return t[k] end }";
    (void)state;
#define WITH(more) "local k = 3\nreturn { name = 'n', infer = function(s, x) local t = { 1, 2 } return t[k] end" more " }"
    same(base, WITH(",\n  tie = { 'auto', \"a+b\" }"), true);
    same(base, WITH(", rows = { { at = 'int4', at_most = 3, [\"of\"] = [==[x]] ]==] }, { times = -1e-3; x = true } };"), true);
    same(base, WITH(", tie = 'auto', rows = {}, "), true);
    same(base, "--[[ a\n remark ]] local k=3 -- and another\nreturn{tie={'b'};name='n',infer=function(s,x)local t={1,2,}return t[k]end,}", true);
    same(base, WITH(", quantize = 'best'"), false);
    same(base, "local k = 4\nreturn { name = 'n', infer = function(s, x) local t = { 1, 2 } return t[k] end }", false);
    same(base, "local k = 3\nreturn { name = 'm', infer = function(s, x) local t = { 1, 2 } return t[k] end }", false);
    /* computed, or seen by the code */
    same(WITH(", tie = { k .. 'a' }"), WITH(", tie = { k .. 'b' }"), false);
    same(WITH(", rows = { f('a') }"), WITH(", rows = { f('b') }"), false);
    same(WITH(", rows = { { at = k } }"), WITH(", rows = { { at = j } }"), false);
    same("local r = { tie = 'a' } return { infer = function() return r.tie end }", "local r = { tie = 'b' } return { infer = function() return r.tie end }", false);
    same("local p = { tie = 'a' } p.infer = 1 return p", "local p = { tie = 'b' } p.infer = 1 return p", false);
    same("return { infer = function() local a, tie = 1, 2 return tie end }", "return { infer = function() local a, tie = 1, 3 return tie end }", false);
    same("return { infer = f(a, { tie = 1 }) }", "return { infer = f(a, { tie = 2 }) }", false);
    same("return { g = function() return { tie = 1 } end }", "return { g = function() return { tie = 2 } end }", false);
    same("local f = function() return { tie = 1 } end", "local f = function() return { tie = 2 } end", false);
    same("return { s = 'return { tie = 1 }' }", "return { s = 'return { tie = 2 }' }", false);
    same("return { s = \"a\\\" , tie = 1\" }", "return { s = \"a\\\" , tie = 2\" }", false);
    /* line numbers can be seen */
    same("return { tie = 'a', infer = function() return pcall(error) end }", "return { tie = 'b', infer = function() return pcall(error) end }", false);
    same("return { 'unfinished", "return { 'unfinishe", false);
#undef WITH
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_descriptions_are_refused),
        cmocka_unit_test(a_whole_description_is_read),
        cmocka_unit_test(declarations_keep_results),
        cmocka_unit_test(other_paths_are_refused),
        cmocka_unit_test(glue_computes),
        cmocka_unit_test(glue_knows_every_kind_of_outcome),
        cmocka_unit_test(mistakes_in_glue_name_their_line),
        cmocka_unit_test(handles_expire_with_their_sample),
        cmocka_unit_test(a_metric_may_be_a_function),
        cmocka_unit_test(metrics_have_options_and_stages),
        cmocka_unit_test(boxes_and_reports_are_outcomes),
        cmocka_unit_test(the_editor_stub_is_current),
        cmocka_unit_test(the_stub_declares_every_function_and_no_other),
        cmocka_unit_test(sample_pipelines_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
