#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/file.h"

#define MAX_JSON_BYTES (256u << 20)

json_t *pare_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static double as_real(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

double pare_json_get_real(const json_t *object, const char *key)
{
    return as_real(json_object_get(object, key));
}

int64_t pare_json_get_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool pare_json_get_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *pare_json_get_string(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : otherwise;
}

double pare_json_at_real(const json_t *array, size_t i)
{
    return as_real(json_array_get(array, i));
}

enum pare_status pare_json_parse(const char *text, size_t length, const char *where, json_t **json,
                                 struct pare_error *err)
{
    json_error_t e;
    *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &e);
    if (*json == NULL) {
        return pare_error(err, PARE_ERR_FORMAT, where, "line %d, column %d: %s", e.line, e.column, e.text);
    }
    return PARE_OK;
}

enum pare_status pare_json_load(const char *path, json_t **json, struct pare_error *err)
{
    struct pare_file file;
    enum pare_status status = pare_file_open(path, MAX_JSON_BYTES, &file, err);
    *json = NULL;
    if (status != PARE_OK) {
        return status;
    }
    if (file.size == 0) {
        status = pare_error(err, PARE_ERR_FORMAT, path, "expected JSON, found an empty file");
    } else {
        status = pare_json_parse((const char *)file.data, file.size, path, json, err);
    }
    pare_file_close(&file);
    return status;
}

char *pare_json_text(const json_t *json)
{
    return json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}
