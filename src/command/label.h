/*
 * label.h: how layers are shown in lists. Converted models name them "model_1/model/batch_normalization_7/FusedBatchNormV3":
 * what tells them apart stands in the middle, where a narrow column cuts. Names for globs, files and exports stay whole.
 */
#ifndef PARE_LABEL_H
#define PARE_LABEL_H

#include <stdbool.h>
#include <stddef.h>

/* names: [n], of the layers of one stage, without it. *skip: bytes of folders that all of them share in front (0 for a single
 * layer); true when their last parts can go too without two becoming the same. */
bool front_label_cut(const char *const *names, int n, size_t *skip);

#endif
