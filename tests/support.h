/*
 * support.h: what tests share. Finding the folder of real models, counting, temporary folders.
 */
#ifndef PARE_TEST_SUPPORT_H
#define PARE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

/* The folder of real models: PARE_MODELS, or shared/models beside the checkout; NULL when absent. */
const char *test_models_dir(void);
/* Path of a file in it (static buffers, 8 in rotation), or NULL when it is not there. */
const char *test_model(const char *relative);
/* Path inside the source tree (rotating static buffers). */
const char *test_source(const char *relative);
/* Prints "SKIP: why" and calls cmocka's skip(). */
void test_skip(const char *why);
/* A new empty temporary folder, removed at exit. Rotating static buffers. */
const char *test_temp_dir(void);
/* xorshift: reproducible numbers; seed is printed once per process. */
uint32_t test_random(uint32_t *state);

#endif
