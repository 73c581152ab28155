/* Layers that meet: what `--tie shared-inputs` and `--tie residual` mean on a graph. */
#include "tests/unit/plan_build.h"

#include "model/sets.h"

static int node_named(const struct pare_graph *g, const char *name)
{
    for (int i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no node %s", name);
    return -1;
}

/* A residual block with a convolution in its shortcut, then one whose shortcut is the sum itself. */
static void residual_blocks(void **state)
{
    struct pare_graph *g = pare_graph_new();
    const struct conv_spec same = {.out_c = 4, .kernel = 1};
    int pairs[16][2];
    (void)state;
    const int x = add_input(g, 1, 4, 4, 4), stem = add_conv(g, "stem", x, same);
    const int a = add_conv(g, "a", stem, same), b = add_conv(g, "b", add_unary(g, PARE_OP_RELU, "ra", a), same);
    const int skip = add_unary(g, PARE_OP_RELU, "rs", add_conv(g, "skip", stem, same));
    const int sum = add_binary(g, PARE_OP_ADD, "sum", b, skip);
    const int c = add_conv(g, "c", sum, same), again = add_binary(g, PARE_OP_ADD, "again", c, sum);
    add_output(g, add_conv(g, "head", again, same));
    finish_graph(g);
    const int n = pare_layer_shared_inputs(g, pairs, 16);
    assert_int_equal(n, 1);
    assert_int_equal(pairs[0][0], node_named(g, "a"));
    assert_int_equal(pairs[0][1], node_named(g, "skip"));
    assert_int_equal(pare_layer_residuals(g, pairs, 16), 1); /* the second sum's shortcut is no layer's */
    assert_int_equal(pairs[0][0], node_named(g, "b"));
    assert_int_equal(pairs[0][1], node_named(g, "skip"));
    assert_int_equal(pare_layer_shared_inputs(g, pairs, 0), 0);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(residual_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
