/* pare_graph_finish: indices, producers, cycles, order, names. */
#include "support.h"

#include <stdio.h>
#include <time.h>

#include "model/graph.h"

static int tensor(struct pare_graph *g, const char *name)
{
    return pare_graph_add_tensor(g, name, PARE_F32);
}

static int node1(struct pare_graph *g, const char *name, int in, int out)
{
    return pare_graph_add_node(g, PARE_OP_IDENTITY, name, 1, &in, 1, &out);
}

static void set_ends(struct pare_graph *g, int in, int out)
{
    g->inputs = malloc(sizeof(int));
    g->outputs = malloc(sizeof(int));
    g->inputs[0] = in;
    g->outputs[0] = out;
    g->n_inputs = g->n_outputs = 1;
}

static enum pare_status finish(struct pare_graph *g, struct pare_error *err)
{
    return pare_graph_finish(g, "test", err);
}

static void unsorted_nodes_are_sorted(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    int x = tensor(g, "x"), a = tensor(g, "a"), b = tensor(g, "b"), y = tensor(g, "y");
    node1(g, "third", b, y);
    node1(g, "first", x, a);
    node1(g, "second", a, b);
    set_ends(g, x, y);
    assert_int_equal(finish(g, NULL), PARE_OK);
    assert_string_equal(g->nodes[0].name, "first");
    assert_string_equal(g->nodes[1].name, "second");
    assert_string_equal(g->nodes[2].name, "third");
    assert_int_equal(g->tensors[y].producer, 2);
    assert_int_equal(g->tensors[a].producer, 0);
    assert_int_equal(g->n_warnings, 1);
    pare_graph_free(g);
}

static void cycle_names_a_node(void **state)
{
    (void)state;
    struct pare_error err;
    struct pare_graph *g = pare_graph_new();
    int x = tensor(g, "x"), a = tensor(g, "a"), b = tensor(g, "b");
    int in[2] = {x, b};
    pare_graph_add_node(g, PARE_OP_ADD, "loop", 2, in, 1, &a);
    node1(g, "back", a, b);
    set_ends(g, x, b);
    assert_int_equal(finish(g, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'loop'"));
    assert_non_null(strstr(err.message, "cycle"));
    pare_graph_free(g);

    g = pare_graph_new();
    a = tensor(g, "a");
    node1(g, "", a, a);
    set_ends(g, a, a);
    g->n_inputs = 0;
    assert_int_equal(finish(g, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'a'"));
    pare_graph_free(g);
}

static void wrong_graphs_are_refused(void **state)
{
    (void)state;
    struct {
        int in, out, graph_in, graph_out;
        const char *say;
    } cases[] = {
        {9, 1, 0, 1, "input 0 is tensor 9"},
        {-2, 1, 0, 1, "input 0 is tensor -2"},
        {0, 9, 0, 1, "output 0 is tensor 9"},
        {0, 1, 9, 1, "graph input 0 is tensor 9"},
        {0, 1, 0, -1, "graph output 0 is tensor"},
        {2, 1, 0, 1, "which nothing produces"},
        {0, 1, 0, 2, "nothing produces the graph output 'c'"},
        {1, 0, 0, 1, "which is a graph input"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pare_error err = {0};
        struct pare_graph *g = pare_graph_new();
        tensor(g, "a"), tensor(g, "b"), tensor(g, "c");
        node1(g, "n", cases[i].in, cases[i].out);
        set_ends(g, cases[i].graph_in, cases[i].graph_out);
        assert_int_equal(finish(g, &err), PARE_ERR_FORMAT);
        assert_non_null(strstr(err.message, cases[i].say));
        assert_string_equal(err.where, "test");
        pare_graph_free(g);
    }
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    int a = tensor(g, "a"), b = tensor(g, "b");
    node1(g, "n", a, b);
    node1(g, "m", a, b);
    set_ends(g, a, b);
    assert_int_equal(finish(g, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "another node too"));
    pare_graph_free(g);
}

static void names_become_unique(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    int x = tensor(g, "x"), a = tensor(g, "a"), b = tensor(g, ""), c = tensor(g, "c"),
        y = tensor(g, "y");
    node1(g, "", x, a);
    node1(g, "", a, b);
    node1(g, "a", b, c);
    node1(g, "a_2", c, y);
    set_ends(g, x, y);
    assert_int_equal(finish(g, NULL), PARE_OK);
    assert_string_equal(g->nodes[0].name, "a");
    assert_string_equal(g->nodes[1].name, "identity_1");
    assert_string_equal(g->nodes[2].name, "a_2");
    assert_string_equal(g->nodes[3].name, "a_2_2");
    int warnings = g->n_warnings;
    assert_int_equal(finish(g, NULL), PARE_OK); /* nothing more to do */
    assert_int_equal(g->n_warnings, warnings);
    pare_graph_free(g);

    g = pare_graph_new(); /* what looks the same when printed is not the same name */
    x = tensor(g, "x"), a = tensor(g, "a"), b = tensor(g, "b");
    node1(g, "\x1b[2J", x, a);
    node1(g, "\\x1b[2J", a, b);
    set_ends(g, x, b);
    assert_int_equal(finish(g, NULL), PARE_OK);
    pare_graph_free(g);
}

static void a_million_nodes_in_two_seconds(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    int n = 1000000, first = tensor(g, "same"), last = first;
    for (int i = 0; i < n; i++) { /* written last to first, all with one name */
        int t = tensor(g, "t");
        node1(g, "same", t, last);
        last = t;
    }
    set_ends(g, last, first);
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(finish(g, NULL), PARE_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double s = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    printf("1e6 identity nodes: %.2f s\n", s);
    assert_true(s < 10.0); /* of the processor, with sanitizers; 2 s is asked of the release build */
    assert_string_equal(g->nodes[n - 1].name, "same_1000000");
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsorted_nodes_are_sorted),      cmocka_unit_test(cycle_names_a_node),
        cmocka_unit_test(wrong_graphs_are_refused),       cmocka_unit_test(names_become_unique),
        cmocka_unit_test(a_million_nodes_in_two_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
