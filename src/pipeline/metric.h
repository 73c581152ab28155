/*
 * metric.h: from outcomes and labels to one number. A row keeps one item for every sample; every metric is a
 * function of the items of the samples taken, so that any number of samples, pairs and resamples of them can be
 * scored without running a network again.
 *
 *   top1   share of samples whose class is the label's; no decision counts as wrong
 *   auc    area under the ROC curve of one score per sample against labels 0 and 1 (1 = positive): the share of
 *          pairs (positive, negative) in which the positive has the larger score, equal scores counting one half;
 *          a sample without a score loses all its pairs
 *   pck    share of labelled key points whose answer lies within `threshold` of them; unit: the longer side of the
 *          rectangle around the sample's labelled points ("box"), or the points' own unit ("unit")
 *   map    mean over classes and over IoU 0.50, 0.55, ..., 0.95 of the average precision, interpolated at the 101
 *          recalls 0, 0.01, ..., 1 (precision at recall r = the largest at any recall >= r); matching as COCO does
 *          it: per picture and class, best score first, at most 100 answers, each takes the free labelled box with the
 *          largest IoU at or above the threshold; classes without a labelled box do not count
 *   map50  the same at IoU 0.50 alone
 *   iou    mean IoU of the best answered box with the first labelled box (for single stages)
 *   function  what pipeline.lua's function says of all outcomes and labels
 */
#ifndef PARE_METRIC_H
#define PARE_METRIC_H

#include "base/json.h"
#include "base/status.h"

struct pare_sample;
struct pare_outcome;
struct pare_value;

enum pare_metric_kind {
    PARE_METRIC_TOP1, PARE_METRIC_AUC, PARE_METRIC_PCK, PARE_METRIC_MAP, PARE_METRIC_MAP50, PARE_METRIC_IOU,
    PARE_METRIC_FUNCTION, PARE_METRIC_COUNT
};

struct pare_metric {
    enum pare_metric_kind kind;
    double threshold; /* pck; 0 = 0.2 */
    bool unit;        /* pck: the threshold is in the points' own unit */
};

const char *pare_metric_name(enum pare_metric_kind kind);
/* PARE_METRIC_COUNT when there is none of this name. */
enum pare_metric_kind pare_metric_parse(const char *name);

#define PARE_IOU_STEPS 10       /* 0.50, 0.55, ..., 0.95 */
#define PARE_MAP_DETECTIONS 100 /* of a class in a picture */

/* Intersection over union of two boxes (cx, cy, w, h); 0 where it is undefined. */
double pare_box_iou(const float *a, const float *b);

/* What a row keeps of one sample (new reference): null when it has no label. `where` names the pipeline or stage in
 * errors. ERR_CONFIG when the outcome or the label is of a kind that the metric cannot score. */
enum pare_status pare_metric_item(const struct pare_metric *m, const struct pare_sample *sample,
                                  const struct pare_outcome *outcome, const char *where, json_t **item,
                                  struct pare_error *err);

/* Items of pairs: reference (0) and candidate (1) on the same samples. Not for functions. */
struct pare_metric_set;
struct pare_metric_set *pare_metric_set_new(enum pare_metric_kind kind); /* NULL = memory */
void pare_metric_set_free(struct pare_metric_set *s);
/* Samples where either item is null are left out. false = memory, or items of another shape. */
bool pare_metric_set_add(struct pare_metric_set *s, const json_t *reference, const json_t *candidate);
int pare_metric_set_count(const struct pare_metric_set *s);
/* The metric of one side (0 reference, 1 candidate), every sample i counted count[i] times (NULL = once); NaN when it
 * is undefined (one class only, nothing labelled). */
double pare_metric_set_value(struct pare_metric_set *s, int side, const int *count);
/* Do the two sides have the same item at every sample? */
bool pare_metric_set_equal(const struct pare_metric_set *s);
/* A mean or share per sample, at most 1: one more differing sample of n moves it by at most 1/n. */
bool pare_metric_is_mean(enum pare_metric_kind kind);

#endif
