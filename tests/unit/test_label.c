/* How layers are shown in lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "command/label.h"

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

static void shared_folders_and_operators_go(void **state)
{
    (void)state;
    const char *const names[] = {"m/model/bn/FusedV3", "m/model/conv/dw1", "m/model/bn_1/FusedV3"};
    size_t skip = 9;
    assert_true(front_label_cut(names, COUNT(names), &skip));
    assert_int_equal(skip, 8);
}

static void what_tells_layers_apart_stays(void **state)
{
    (void)state;
    const char *const pairs[] = {"block1/conv1", "block1/conv2", "block2/conv1"}, *const plain[] = {"conv1", "dw2"};
    const char *const mixed[] = {"a/x", "a"}, *const alike[] = {"model/fc", "model_1/fc"};
    size_t skip = 9;
    assert_false(front_label_cut(pairs, COUNT(pairs), &skip));
    assert_int_equal(skip, 0);
    assert_false(front_label_cut(plain, COUNT(plain), &skip));
    assert_int_equal(skip, 0);
    assert_false(front_label_cut(mixed, COUNT(mixed), &skip));
    assert_int_equal(skip, 0);
    assert_true(front_label_cut(alike, COUNT(alike), &skip));
    assert_int_equal(skip, 0);
}

static void a_single_layer_keeps_its_folder(void **state)
{
    (void)state;
    const char *const names[] = {"model_1/new_classifier/MatMul"};
    size_t skip = 9;
    assert_true(front_label_cut(names, 1, &skip));
    assert_int_equal(skip, 0);
    assert_false(front_label_cut(names, 0, &skip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_folders_and_operators_go), cmocka_unit_test(what_tells_layers_apart_stays),
                                       cmocka_unit_test(a_single_layer_keeps_its_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
