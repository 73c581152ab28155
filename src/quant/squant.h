/*
 * squant.h: SQuant's rounding of one output channel (element, kernel and channel stage), from its public description.
 *
 * e = code - x. Stage E rounds to nearest (half to even). Stage K flips in every kernel the t = rne(|sum e|) elements
 * with the largest |e| whose flip reduces |sum e|, and leaves one candidate per kernel to stage C, which does the same
 * for the channel over these candidates. So |sum e| <= 0.5 of every kernel after K and of the channel after C, and no
 * code is more than one step from the nearest (as far as the ends of the grid leave candidates). Ties: the lowest index
 * first. A kernel whose sum is exactly 0 flips nothing and leaves no candidate. Kernels of one element (1x1, fully
 * connected) skip K; then every element is a candidate of C.
 */
#ifndef PARE_SQUANT_H
#define PARE_SQUANT_H

struct pare_squant {
    int n_kernels, per_kernel, lo, hi;
    const float *x; /* [n_kernels][per_kernel] real codes: weight over scale, plus the zero point */
    int *codes;     /* out, within lo..hi */
    float *error;   /* scratch [n_kernels * per_kernel]: code - x */
    int *direction; /* scratch, the same size: +1, -1 = may move there, 0 = may not */
};
void pare_squant_elements(struct pare_squant *s);
void pare_squant_kernels(struct pare_squant *s);
void pare_squant_channel(struct pare_squant *s);

#endif
