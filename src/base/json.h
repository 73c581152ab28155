/*
 * json.h: small helpers over jansson. Numbers that are not finite travel as null.
 */
#ifndef PARE_JSON_H
#define PARE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* json_real, or json null for NaN and infinities. */
json_t *pare_json_real(double value);
/* Member as double: NaN when absent, null or not a number. */
double pare_json_get_real(const json_t *object, const char *key);
int64_t pare_json_get_int(const json_t *object, const char *key, int64_t otherwise);
bool pare_json_get_bool(const json_t *object, const char *key, bool otherwise);
const char *pare_json_get_string(const json_t *object, const char *key, const char *otherwise);
/* Element i of an array as double (NaN for null). */
double pare_json_at_real(const json_t *array, size_t i);

/* Strict parse (duplicate keys, trailing bytes, bad UTF-8, NaN are errors with line and column). */
enum pare_status pare_json_parse(const char *text, size_t length, const char *where, json_t **json,
                                 struct pare_error *err);
enum pare_status pare_json_load(const char *path, json_t **json, struct pare_error *err);
/* Compact text with sorted keys (for hashing and storing); caller frees; NULL when memory is out. */
char *pare_json_text(const json_t *json);

#endif
