/*
 * Metrics against values known from elsewhere: auc from scikit-learn 1.x roc_auc_score, map from pycocotools'
 * COCOeval, both run by hand on the same small tables; pck and iou by counting.
 */
#include "support.h"

#include <math.h>

#include "measure/engine.h"
#include "measure/figures.h"
#include "pipeline/pipeline.h"

#define NEAR(a, b, e) assert_true(fabs((a) - (b)) < (e))

static json_t *item_of(const struct pare_metric *m, int label, const struct pare_value *target,
                       enum pare_outcome_kind kind, int n, const float *answer)
{
    const struct pare_sample s = {.label = label, .target = target};
    const struct pare_outcome o = {.kind = kind, .prediction = -1, .n_answer = n, .answer = answer};
    struct pare_error err = {.message = ""};
    json_t *item;
    if (pare_metric_item(m, &s, &o, "test", &item, &err) != PARE_OK) {
        fail_msg("%s", err.message);
    }
    return item;
}

static void add(struct pare_metric_set *s, json_t *reference_take, json_t *candidate_take)
{
    assert_true(pare_metric_set_add(s, reference_take, candidate_take));
    json_decref(reference_take);
    json_decref(candidate_take);
}

/* ---- auc ---- */

static const int auc_label[12] = {0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1};
static const float auc_a[12] = {.1f, .4f, .35f, .8f, .35f, .9f, .35f, .2f, .5f, .5f, .05f, .7f};
static const float auc_b[12] = {.1f, .5f, .35f, .6f, .35f, .9f, .2f, .2f, .5f, .7f, .05f, .3f};

static void auc_is_what_scikit_learn_says(void **state)
{
    const struct pare_metric m = {.kind = PARE_METRIC_AUC};
    const int count[12] = {2, 0, 1, 3, 1, 0, 1, 2, 0, 1, 1, 0};
    struct pare_metric_set *s = pare_metric_set_new(m.kind);
    (void)state;
    for (int i = 0; i < 12; i++) {
        add(s, item_of(&m, auc_label[i], NULL, PARE_OUTCOME_SCORE, 1, &auc_a[i]),
            item_of(&m, auc_label[i], NULL, PARE_OUTCOME_SCORE, 1, &auc_b[i]));
    }
    add(s, item_of(&m, -1, NULL, PARE_OUTCOME_SCORE, 1, auc_a), json_null()); /* no label: left out */
    assert_int_equal(pare_metric_set_count(s), 12);
    NEAR(pare_metric_set_value(s, 0, NULL), 0.8472222222222222, 1e-12);
    NEAR(pare_metric_set_value(s, 1, NULL), 0.6805555555555556, 1e-12);
    NEAR(pare_metric_set_value(s, 0, count), 0.9142857142857143, 1e-12);
    const int one_class[12] = {1, 1, 0};
    assert_true(isnan(pare_metric_set_value(s, 0, one_class)));
    assert_false(pare_metric_set_equal(s));
    pare_metric_set_free(s);
}

static void a_sample_without_a_score_loses_its_pairs(void **state)
{
    const struct pare_metric m = {.kind = PARE_METRIC_AUC};
    static const float score[4] = {0.1f, 0.9f, 0.2f, 0.8f};
    struct pare_metric_set *s = pare_metric_set_new(m.kind);
    (void)state;
    for (int i = 0; i < 4; i++) { /* labels 0 1 0 1: separated; the last has no score on the second side */
        add(s, item_of(&m, i % 2, NULL, PARE_OUTCOME_SCORE, 1, &score[i]),
            item_of(&m, i % 2, NULL, i == 3 ? PARE_OUTCOME_NONE : PARE_OUTCOME_SCORE, i < 3, &score[i]));
    }
    NEAR(pare_metric_set_value(s, 0, NULL), 1, 1e-12);
    NEAR(pare_metric_set_value(s, 1, NULL), 0.5, 1e-12);
    pare_metric_set_free(s);
}

/* ---- pck ---- */

static void pck_counts_points_within_reach(void **state)
{
    /* rectangle 10 x 4: reach 0.2 * 10 = 2. Distances of the answers: 1, 2 (on the edge: inside), 2.1, 0; the point
     * that is not visible does not count */
    float target[15] = {0, 0, 1, 10, 0, 1, 10, 4, 1, 0, 4, 1, 5, 90, 0};
    const float answer[10] = {1, 0, 10, 2, 10, 6.1f, 0, 4, 5, 90};
    const struct pare_value t = {3, {1, 5, 3}, target};
    struct pare_metric m = {.kind = PARE_METRIC_PCK};
    (void)state;
    json_t *item = item_of(&m, -1, &t, PARE_OUTCOME_POINTS, 10, answer);
    assert_int_equal(json_integer_value(json_array_get(item, 0)), 3);
    assert_int_equal(json_integer_value(json_array_get(item, 1)), 4);
    json_decref(item);
    m.threshold = 1.5;
    m.unit = true; /* in the points' own unit */
    item = item_of(&m, -1, &t, PARE_OUTCOME_POINTS, 10, answer);
    assert_int_equal(json_integer_value(json_array_get(item, 0)), 2);
    struct pare_metric_set *s = pare_metric_set_new(m.kind);
    add(s, item, item_of(&m, -1, &t, PARE_OUTCOME_NONE, 0, NULL)); /* no answer: no point is found */
    NEAR(pare_metric_set_value(s, 0, NULL), 0.5, 1e-12);
    NEAR(pare_metric_set_value(s, 1, NULL), 0, 1e-12);
    pare_metric_set_free(s);
}

/* ---- map ---- */

/* class, cx, cy, w, h; a class of -1 is padding */
static float truths[4][15] = {
    {0, 20, 20, 20, 20, 0, 60, 60, 30, 20, 1, 40, 80, 10, 10},
    {1, 50, 50, 40, 40, 0, 15, 70, 20, 30, -1, 0, 0, 0, 0},
    {0, 30, 30, 20, 20, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0},
    {1, 70, 20, 16, 24, 1, 30, 60, 24, 16, -1, 0, 0, 0, 0},
};
/* class, score, cx, cy, w, h */
static const float found[4][24] = {
    {0, .95f, 21, 20, 20, 20, 0, .60f, 60, 63, 30, 20, 0, .55f, 61, 60, 28, 20, 1, .50f, 44, 80, 10, 10},
    {1, .90f, 52, 47, 40, 40, 1, .35f, 50, 50, 20, 20, 0, .70f, 15, 72, 22, 28, 0, .30f, 80, 80, 10, 10},
    {0, .40f, 33, 33, 20, 20, 0, .85f, 70, 70, 20, 20, 1, .25f, 30, 30, 20, 20},
    {1, .80f, 70, 21, 16, 22, 1, .65f, 30, 61, 22, 16, 1, .20f, 31, 59, 24, 17},
};
static const int n_found[4] = {4, 4, 3, 3};

/* The second side lacks picture 1's first answer; picture 4's first answer lies aside. */
static struct pare_metric_set *box_set(enum pare_metric_kind kind)
{
    const struct pare_metric m = {.kind = kind};
    struct pare_metric_set *s = pare_metric_set_new(kind);
    for (int i = 0; i < 4; i++) {
        const struct pare_value t = {3, {1, 3, 5}, truths[i]};
        float other[24];
        memcpy(other, found[i], sizeof other);
        other[2] += i == 3 ? 6 : 0;
        add(s, item_of(&m, -1, &t, PARE_OUTCOME_BOXES, 6 * n_found[i], found[i]),
            item_of(&m, -1, &t, PARE_OUTCOME_BOXES, 6 * (n_found[i] - (i == 0)), other + (i == 0 ? 6 : 0)));
    }
    return s;
}

static void map_is_what_coco_says(void **state)
{
    const int count[4] = {2, 1, 0, 1};
    (void)state;
    struct pare_metric_set *s = box_set(PARE_METRIC_MAP);
    NEAR(pare_metric_set_value(s, 0, NULL), 0.5111386138613861, 1e-12);
    NEAR(pare_metric_set_value(s, 1, NULL), 0.25231023102310224, 1e-12);
    NEAR(pare_metric_set_value(s, 0, count), 0.5942951438000943, 1e-12);
    pare_metric_set_free(s);
    s = box_set(PARE_METRIC_MAP50);
    NEAR(pare_metric_set_value(s, 0, NULL), 0.7731023102310232, 1e-12);
    NEAR(pare_metric_set_value(s, 1, NULL), 0.45379537953795374, 1e-12);
    NEAR(pare_metric_set_value(s, 0, count), 0.801980198019802, 1e-12);
    pare_metric_set_free(s);
}

static void iou_of_the_best_box(void **state)
{
    const struct pare_metric m = {.kind = PARE_METRIC_IOU};
    const struct pare_value t = {3, {1, 3, 5}, truths[0]};
    (void)state;
    /* 20 x 20 beside 20 x 20 moved by 1: 380 / 420 */
    json_t *item = item_of(&m, -1, &t, PARE_OUTCOME_BOXES, 24, found[0]);
    NEAR(json_number_value(json_array_get(item, 0)), 380.0 / 420, 1e-6);
    json_decref(item);
    const float flat[8] = {0, 0, -1, 5, 0, 0, 2, NAN};
    assert_true(pare_box_iou(flat, flat) == 0 && pare_box_iou(flat + 4, flat + 4) == 0);
}

static void an_outcome_of_another_kind_is_refused(void **state)
{
    const struct pare_sample s = {.label = 2};
    const struct pare_outcome o = {.kind = PARE_OUTCOME_CLASS}, score = {.kind = PARE_OUTCOME_SCORE};
    float odd[4] = {1, 2, 3, 4};
    const struct pare_value t = {2, {1, 4}, odd};
    const struct pare_sample bad = {.label = -1, .target = &t};
    const struct pare_outcome boxes = {.kind = PARE_OUTCOME_BOXES}, points = {.kind = PARE_OUTCOME_POINTS};
    struct pare_error err;
    json_t *item;
    (void)state;
    for (int k = PARE_METRIC_AUC; k < PARE_METRIC_FUNCTION; k++) {
        const struct pare_metric m = {.kind = (enum pare_metric_kind)k};
        assert_int_equal(pare_metric_item(&m, &s, &o, "p", &item, &err), PARE_ERR_CONFIG);
        assert_non_null(strstr(err.message, "the outcome is a class"));
    }
    const struct pare_metric auc = {.kind = PARE_METRIC_AUC}, map = {.kind = PARE_METRIC_MAP}, pck = {.kind = PARE_METRIC_PCK};
    assert_int_equal(pare_metric_item(&auc, &s, &score, "p", &item, &err), PARE_ERR_CONFIG);
    assert_int_equal(pare_metric_item(&map, &bad, &boxes, "p", &item, &err), PARE_ERR_CONFIG);
    assert_int_equal(pare_metric_item(&pck, &bad, &points, "p", &item, &err), PARE_ERR_CONFIG);
}

/* ---- intervals ---- */

static void a_bootstrap_covers_what_theory_says(void **state)
{
    struct pare_metric_set *s = pare_metric_set_new(PARE_METRIC_PCK);
    struct pare_figures f;
    (void)state;
    for (int i = 0; i < 400; i++) { /* 0.90 beside 0.85 of 400 samples; 20 lost, none won */
        add(s, json_pack("[i, i]", i % 10 != 0, 1), json_pack("[i, i]", i % 10 != 0 && i % 20 != 1, 1));
    }
    assert_int_equal(pare_figures_of_set(s, PARE_METRIC_PCK, PARE_RESAMPLES, &f, NULL), PARE_OK);
    NEAR(f.reference, 0.90, 1e-12);
    NEAR(f.value, 0.85, 1e-12);
    NEAR(f.drop, 0.05, 1e-12);
    NEAR(f.low, 0.85 - 1.96 * sqrt(0.85 * 0.15 / 400), 0.005);
    NEAR(f.high, 0.85 + 1.96 * sqrt(0.85 * 0.15 / 400), 0.005);
    /* paired: the 20 discordant samples alone make the width, not the two proportions' own */
    NEAR(f.drop_low, 0.05 - 1.96 * sqrt(0.05 * 0.95 / 400), 0.004);
    NEAR(f.drop_high, 0.05 + 1.96 * sqrt(0.05 * 0.95 / 400), 0.004);
    assert_true(f.drop_upper < f.drop_high && f.drop_upper > f.drop);
    struct pare_figures again;
    assert_int_equal(pare_figures_of_set(s, PARE_METRIC_PCK, PARE_RESAMPLES, &again, NULL), PARE_OK);
    assert_true(again.drop_low == f.drop_low && again.drop_high == f.drop_high); /* the seed is fixed */
    json_t *json = pare_figures_to_json(&f);
    pare_figures_from_json(json, &again);
    NEAR(again.drop_upper, f.drop_upper, 1e-15);
    json_decref(json);
    pare_metric_set_free(s);
}

static void equal_sides_have_a_bound_all_the_same(void **state)
{
    struct pare_metric_set *s = pare_metric_set_new(PARE_METRIC_PCK);
    struct pare_figures f;
    (void)state;
    for (int i = 0; i < 100; i++) {
        add(s, json_pack("[i, i]", i % 3 != 0, 1), json_pack("[i, i]", i % 3 != 0, 1));
    }
    assert_int_equal(pare_figures_of_set(s, PARE_METRIC_PCK, PARE_RESAMPLES, &f, NULL), PARE_OK);
    assert_true(f.drop == 0);
    NEAR(f.drop_high, 1 - pow(0.025, 0.01), 1e-12);
    NEAR(f.drop_upper, 1 - pow(0.05, 0.01), 1e-12);
    pare_metric_set_free(s);
}

static void top1_has_its_bounds(void **state)
{
    struct pare_figures f;
    (void)state;
    pare_figures_top1(950, 960, 12, 2, 1000, &f);
    NEAR(f.value, 0.95, 1e-12);
    NEAR(f.reference, 0.96, 1e-12);
    NEAR(f.drop, 0.01, 1e-12);
    NEAR(f.drop_upper, 0.017348123, 1e-7); /* test_stats.c */
    assert_true(f.drop_upper < f.drop_high);
    pare_figures_top1(0, 0, 0, 0, 0, &f);
    assert_true(isnan(f.drop) && isnan(f.value));
    assert_true(isnan(pare_bound_paired(0, 0, 0, 0.95)));
}

/* ---- losses of outcomes that are no class ---- */

static void losses_beside_a_decision(void **state)
{
    float first[4] = {1, 2, 3, 4}, second[2] = {100, 0}, moved[4] = {1, 2, 3, 5}, other[2] = {90, 0};
    const struct pare_value a = {2, {1, 4}, first}, b = {2, {1, 2}, second}, c = {2, {1, 4}, moved}, d = {2, {1, 2}, other};
    const struct pare_value *reference[2] = {&a, &b}, *outcome[2] = {&c, &d};
    struct pare_arena arena = {0};
    struct pare_outcome r = {.kind = PARE_OUTCOME_BOXES}, o = {.kind = PARE_OUTCOME_BOXES};
    (void)state;
    assert_true(pare_outcome_take(&r, reference, 2, &arena) && pare_outcome_take(&o, outcome, 2, &arena));
    assert_int_equal(r.n_scores, 6);
    /* every output on its own scale: (1 / 30 + 100 / 10000) / 2 */
    NEAR(pare_outcome_loss(&r, &o), (1.0 / 30 + 0.01) / 2, 1e-9);
    assert_true(pare_outcome_loss(&r, &r) == 0);
    o.kind = PARE_OUTCOME_NONE;
    assert_true(pare_outcome_loss(&r, &o) == PARE_LOSS_MAX);
    pare_arena_clear(&arena);
}

static void long_outputs_are_thinned(void **state)
{
    struct pare_arena arena = {0};
    const int64_t dims[2] = {1, 3 * PARE_LOSS_NUMBERS + 1};
    struct pare_value *v = pare_value_new(&arena, 2, dims);
    const struct pare_value *out[1] = {v};
    struct pare_outcome o = {.kind = PARE_OUTCOME_SCORE};
    (void)state;
    for (int64_t i = 0; i < dims[1]; i++) {
        v->data[i] = (float)i;
    }
    assert_true(pare_outcome_take(&o, out, 1, &arena));
    assert_true(o.n_scores <= PARE_LOSS_NUMBERS && o.n_scores > PARE_LOSS_NUMBERS / 2);
    assert_true(o.scores[1] == 4 && o.parts[0] == o.n_scores);
    pare_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auc_is_what_scikit_learn_says),
        cmocka_unit_test(a_sample_without_a_score_loses_its_pairs),
        cmocka_unit_test(pck_counts_points_within_reach),
        cmocka_unit_test(map_is_what_coco_says),
        cmocka_unit_test(iou_of_the_best_box),
        cmocka_unit_test(an_outcome_of_another_kind_is_refused),
        cmocka_unit_test(a_bootstrap_covers_what_theory_says),
        cmocka_unit_test(equal_sides_have_a_bound_all_the_same),
        cmocka_unit_test(top1_has_its_bounds),
        cmocka_unit_test(losses_beside_a_decision),
        cmocka_unit_test(long_outputs_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
