#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "session/session.h"

static char *session_file(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/s.pare", test_temp_dir());
    return path;
}

static void rows_survive_reopening(void **state)
{
    struct pare_session *s;
    bool follower;
    char *path = session_file();
    (void)state;
    json_t *value = json_pack("{s:f}", "x", 1.5);
    assert_int_equal(pare_session_open(path, false, &s, &follower, NULL), PARE_OK);
    assert_int_equal(pare_session_put_row(s, "k1", "sense", value, value, 0.1, NULL), PARE_OK);
    assert_int_equal(pare_session_put_row(s, "k1", "sense", value, value, 0.1, NULL), PARE_OK);
    pare_session_close(s);
    assert_int_equal(pare_session_open(path, false, &s, &follower, NULL), PARE_OK);
    json_t *got = pare_session_get_row(s, "k1");
    assert_true(json_equal(got, value));
    assert_null(pare_session_get_row(s, "k2"));
    assert_int_equal(pare_session_count_rows(s), 1);
    json_decref(got);
    json_decref(value);
    pare_session_close(s);
}

static void a_second_process_waits_or_follows(void **state)
{
    struct pare_session *s, *second;
    struct pare_error err = {0};
    bool follower;
    char *path = session_file();
    (void)state;
    assert_int_equal(pare_session_open(path, false, &s, &follower, NULL), PARE_OK);
    assert_false(follower);
    int64_t before = 0;
    assert_int_equal(pare_session_open(path, false, &second, &follower, &err), PARE_ERR_BUSY);
    assert_int_equal(pare_session_open(path, true, &second, &follower, &err), PARE_OK);
    assert_true(follower);
    before = pare_session_data_version(second);
    assert_int_equal(pare_session_set_meta(s, "a", "b", NULL), PARE_OK);
    assert_true(pare_session_data_version(second) != before);
    char *value = pare_session_get_meta(second, "a");
    assert_string_equal(value, "b");
    free(value);
    pare_session_close(second);
    pare_session_close(s);
}

static void undo_marks_and_redo_brings_back(void **state)
{
    struct pare_session *s;
    bool follower;
    char *line = NULL;
    (void)state;
    assert_int_equal(pare_session_open(session_file(), false, &s, &follower, NULL), PARE_OK);
    pare_session_add_action(s, "pin a", NULL);
    pare_session_add_action(s, "pin b", NULL);
    assert_int_equal(pare_session_undo(s, true, &line, NULL), PARE_OK);
    assert_string_equal(line, "pin b");
    free(line);
    assert_int_equal(pare_session_undo(s, false, &line, NULL), PARE_OK);
    assert_string_equal(line, "pin b");
    free(line);
    pare_session_undo(s, true, &line, NULL);
    free(line);
    pare_session_add_action(s, "pin c", NULL); /* a new choice drops what was undone */
    assert_int_equal(pare_session_undo(s, false, &line, NULL), PARE_OK);
    assert_null(line);
    pare_session_close(s);
}

static void what_is_no_session_is_refused_and_kept(void **state)
{
    struct pare_session *s;
    struct pare_error err = {0};
    struct pare_file file;
    bool follower;
    char *path = session_file();
    (void)state;
    assert_int_equal(pare_file_write(path, "this is a text, not a database, and long enough", 47, NULL), PARE_OK);
    assert_int_equal(pare_session_open(path, false, &s, &follower, &err), PARE_ERR_FORMAT);
    assert_int_equal(pare_file_open(path, 1000, &file, NULL), PARE_OK);
    assert_int_equal(file.size, 47);
    pare_file_close(&file);
}

/* Every page of a real session with bytes turned over: an error or a session, never a crash, and no lost file. */
static void damaged_sessions_are_refused(void **state)
{
    struct pare_session *s;
    struct pare_file file;
    bool follower;
    char *path = session_file(), damaged[300];
    uint32_t seed = 5;
    (void)state;
    assert_int_equal(pare_session_open(path, false, &s, &follower, NULL), PARE_OK);
    json_t *value = json_pack("{s:s}", "text", "some value of some length");
    for (int i = 0; i < 50; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%d", i);
        pare_session_put_row(s, key, "sense", value, value, 0, NULL);
    }
    pare_session_close(s);
    assert_int_equal(pare_file_open(path, 1 << 24, &file, NULL), PARE_OK);
    unsigned char *bytes = malloc(file.size);
    snprintf(damaged, sizeof damaged, "%s.damaged", path);
    for (size_t page = 0; page < file.size; page += 512) {
        memcpy(bytes, file.data, file.size);
        for (int k = 0; k < 40; k++) {
            bytes[page + test_random(&seed) % 512] ^= (unsigned char)(1 + test_random(&seed) % 255);
        }
        assert_int_equal(pare_file_write(damaged, bytes, page % 1024 == 0 ? file.size : page + 512, NULL), PARE_OK);
        struct pare_error err = {0};
        if (pare_session_open(damaged, false, &s, &follower, &err) == PARE_OK) {
            json_decref(pare_session_get_row(s, "key7"));
            pare_session_close(s);
        } else {
            assert_true(err.message[0] != '\0');
        }
    }
    free(bytes);
    json_decref(value);
    pare_file_close(&file);
}

/* kill -9 of a writer at random moments: every row it reported is there, and the file is sound. */
static void a_killed_writer_loses_no_reported_row(void **state)
{
    uint32_t seed = 11;
    (void)state;
    char *path = session_file();
    for (int round = 0; round < 12; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            struct pare_session *s;
            bool follower;
            json_t *value = json_pack("{s:i}", "round", round);
            if (pare_session_open(path, false, &s, &follower, NULL) != PARE_OK) {
                _exit(1);
            }
            for (int i = 0;; i++) {
                char key[32];
                int id = round * 100000 + i;
                snprintf(key, sizeof key, "k%d", id);
                if (pare_session_put_row(s, key, "x", value, value, 0, NULL) != PARE_OK || write(pipes[1], &id, sizeof id) != sizeof id) {
                    _exit(1);
                }
            }
        }
        close(pipes[1]);
        usleep(3000 + test_random(&seed) % 60000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct pare_session *s;
        bool follower;
        assert_int_equal(pare_session_open(path, false, &s, &follower, NULL), PARE_OK);
        for (int id; read(pipes[0], &id, sizeof id) == sizeof id;) {
            char key[32];
            snprintf(key, sizeof key, "k%d", id);
            json_t *row = pare_session_get_row(s, key);
            assert_non_null(row);
            json_decref(row);
        }
        pare_session_close(s);
        close(pipes[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_survive_reopening),
        cmocka_unit_test(a_second_process_waits_or_follows),
        cmocka_unit_test(undo_marks_and_redo_brings_back),
        cmocka_unit_test(what_is_no_session_is_refused_and_kept),
        cmocka_unit_test(damaged_sessions_are_refused),
        cmocka_unit_test(a_killed_writer_loses_no_reported_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
