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

static const struct pare_lua_verb_info verbs[] = {
#define PARE_LUA_VERB(owner, name, function, parameters, results, doc) {#owner, #name, parameters, results, doc},
#include "lua/script.inc"
};

const struct pare_lua_verb_info *pare_lua_verb_info(int i)
{
    return i >= 0 && i < (int)(sizeof verbs / sizeof verbs[0]) ? &verbs[i] : NULL;
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

static void add_function(struct pare_strbuf *text, const char *owner, const char *name, const char *params,
                         const char *results, const char *doc)
{
    struct pare_strbuf names;
    pare_strbuf_init(&names);
    pare_strbuf_printf(text, "\n---%s\n", doc);
    parameters(text, params, &names);
    pare_strbuf_printf(text, "---@return %s\nfunction %s%s(%s) end\n", results, owner, name, names.text != NULL ? names.text : "");
    pare_strbuf_clear(&names);
}

static const char script_classes[] =
    "\n---Arguments of a batch script.\n---@type string[]\narg = {}\n"
    "\n---@class pare.open_options\n---@field models? string folder of named model files\n---@field levels? string candidate "
    "levels, \"fp16,int8\"\n---@field quantize? string rules, as --quantize\n---@field keep_first? integer layers that stay fp32\n---@field keep_suspected? number RMSE/scale above which a layer "
    "stays fp32, after sense\n---@field keep? {inputs?: string, outputs?: string} least levels of first and last layers\n---@field target? string whose latencies count, as --target\n---@field samples? integer that sensitivity looks at\n"
    "\n---@class pare.description\n---@field id integer\n---@field name string\n---@field bare boolean no data: everything "
    "but accuracy\n---@field levels string[]\n---@field stages string[]\n---@field layers {name: string, kind: string, shape: "
    "string, macs: integer, weights: integer}[]\n"
    "\n---One of them; without any: fp32.\n---@class pare.which\n---@field config? table<string, string> level by layer\n"
    "---@field level? string\n---@field run? string \"RUN\" or \"RUN:POINT\"\n"
    "\n---@class pare.eval : pare.which\n---@field split? string\n---@field samples? integer\n"
    "\n---@class pare.budget\n---@field minimize? \"latency\"|\"bytes\"|\"bitops\"|\"energy\"|\"drop\"\n---@field max_drop? number fraction\n"
    "---@field max_latency? number ms\n---@field max_bytes? number\n---@field max_bitops? number\n---@field max_energy? number J, of a table\n---@field sure? boolean the "
    "drop's 95 % upper bound has to be within\n---@field per? \"layer\"|\"model\"\n---@field name? string of the "
    "run\n---@field measure? boolean false: predicted only\n---@field time_limit? number seconds\n---@field "
    "method? \"exact\"|\"ilp\"|\"greedy\"|\"bisect\"|\"nsga2\"|\"random\"|\"paper\"|\"hawq\"|\"exhaustive\"|string \"lua:NAME\" \"plugin:NAME\"\n---@field predicted? "
    "boolean\n---@field verify? integer answers to measure and learn from in each round\n---@field seed? integer\n---@field settings? table<string, any> of the method\n"
    "---@field rows? pare.row[] beside the session's, in the place of those of their names\n"
    "\n---What a row sums: `times` what `of` says, over the layers that a pattern matches and that have one of the levels.\n"
    "---@class pare.term\n---@field layers? string|string[] patterns as of pins; none: all layers\n---@field at? string|string[] \"int4\", "
    "\"int8..int4\"; none: any level\n---@field of? \"count\"|\"bytes\"|\"latency\"|\"bitops\"|\"energy\"|\"loss\"|\"changes\" "
    "1 each (default), bytes, ms, BitOps, J, summed loss of the layers; pairs of a layer and one it reads whose levels differ\n"
    "---@field times? number\n"
    "\n---A sum that has to lie between bounds: { at = \"int4\", at_most = 3 }\n---@class pare.row : pare.term\n"
    "---@field name? string\n---@field terms? pare.term[] instead of one term\n---@field at_most? number\n---@field at_least? number\n"
    "---@field equals? number\n---@field within? number how far from equals\n"
    "\n---@class pare.point\n---@field run string\n---@field point integer\n---@field label string\n---@field method string\n"
    "---@field front boolean\n---@field tied boolean with the front: beaten by no more than chance may\n---@field accuracy? number\n---@field drop? number\n---@field latency_ms? number\n---@field "
    "latency_measured boolean\n---@field bytes? number\n---@field energy_predicted_uj? number\n"
    "\n---@class pare.explain\n---@field layer string\n---@field level? string\n"
    "\n---@class pare.export\n---@field format \"json\"|\"csv\"|\"md\"|\"png\"|\"svg\"\n---@field path string\n---@field run? "
    "string\n"
    "\n---@class pare.compare\n---@field points string[] \"RUN\" or \"RUN:POINT\", two or more\n"
    "\n---@class pare.axis\n---@field label? string\n---@field log? boolean\n---@field low? number\n---@field high? number\n"
    "\n---@class pare.chart_point\n---@field x number bars: the category, from 0\n---@field y number\n---@field low? number 95 % interval of y\n"
    "---@field high? number\n---@field radius? number\n---@field label? string\n---@field open? boolean predicted: an outline\n"
    "\n---@class pare.series\n---@field name? string in the legend\n---@field kind? \"points\"|\"line\"|\"steps\"|\"bars\"\n"
    "---@field look? integer colour and shape of mark\n---@field points pare.chart_point[]\n"
    "\n---@class pare.chart\n---@field path string .png or .svg\n---@field title? string\n---@field x? pare.axis\n---@field y? pare.axis\n"
    "---@field categories? string[] names along the x axis\n---@field series pare.series[]\n"
    "\n---Lists over groups (layers) and levels: cost of group g at level l stands at (g - 1) * #levels + l; false = not "
    "allowed.\n---@class pare.problem\n---@field groups string[]\n---@field levels string[]\n---@field drop (number|false)[] the "
    "smooth loss that stands for it\n---@field latency (number|false)[]\n---@field bytes (number|false)[]\n---@field bitops (number|false)[]\n---@field energy (number|false)[] uJ\n---@field limits "
    "(number|false)[] of drop, latency, bytes, bitops, energy\n---@field rows? {name: string, at_least?: number, at_most?: number, cost: "
    "number[], pairs: number[][]}[] cost as the others; pairs: {group, group, weight when their levels differ}, groups counted from 0\n"
    "\n---Levels by group, counted from 1, or { [group] = level }; groups left out take their widest level.\n---@alias "
    "pare.configuration integer[]|table<string, string>\n"
    "\n---What a step of a solver (--method lua:NAME) gives; its file returns fun(problem: pare.problem, settings: table, state: "
    "any, told: (number|false)[]?): pare.step\n---@class pare.step\n---@field done? boolean\n---@field ask? "
    "(pare.configuration|{levels: pare.configuration, samples: integer})[] to measure: told has the drop of each, false when it "
    "failed\n---@field answers? pare.configuration[] best first, when done\n---@field state? any for the next step\n"
    "\n---@class pare.proposal : pare.budget\n---@field config table<string, string>\n---@field method string\n"
    "\n---@class pipeline\nlocal pipeline = {}\n"
    "\n---@class pare\npare = {}\n";

void pare_lua_stub(struct pare_strbuf *text)
{
    pare_strbuf_append(
        text, "---@meta\n"
              "-- Made from lua/ops.inc and lua/script.inc; a test checks that it is current. For "
              "editors only: nothing loads it.\n"
              "-- `op` is what infer in a pipeline.lua gets, `pare` is what batch scripts find.\n\n"
              "---A tensor of the sample that runs now: t[i], #t, t:shape().\n"
              "---@class tensor\n\n"
              "---Centre, size (fractions of the picture), angle (radians), score, key points.\n"
              "---@class box\n---@field cx number\n---@field cy number\n---@field w "
              "number\n---@field h number\n"
              "---@field angle? number\n---@field score? number\n---@field points? number[][]\n\n"
              "---What infer returns: outcome.class, outcome.score.\n---@class outcome\n\n"
              "---@class op\nlocal op = {}\n");
    for (int i = 0; pare_lua_op_info(i) != NULL; i++) {
        add_function(text, "op.", ops[i].name, ops[i].parameters, ops[i].results, ops[i].doc);
    }
    pare_strbuf_append(text, script_classes);
    for (int i = 0; pare_lua_verb_info(i) != NULL; i++) {
        add_function(text, strcmp(verbs[i].owner, "pare") == 0 ? "pare." : "pipeline:", verbs[i].name, verbs[i].parameters,
                     verbs[i].results, verbs[i].doc);
    }
}
