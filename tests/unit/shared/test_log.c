#include "shared/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/log_capture.h"

#include <errno.h>
#include <stdio.h>

/* The last line's text after `marker`, without the newline. */
static const char *after(const char *marker)
{
    char *found;

    logged();
    found = strstr(captured, marker);
    assert_non_null(found);
    assert_true(strlen(captured) > 0 && captured[strlen(captured) - 1] == '\n');
    captured[strlen(captured) - 1] = '\0';
    return found + strlen(marker);
}

static void test_text_line(void **state)
{
    char expected[64];
    int year, month, day, hour, minute, second, milli, end = 0;

    (void)state;
    log_info("session_created", "for %s, %d", "ann", 7);
    snprintf(expected, sizeof(expected), " info worker/2[%d] ", (int)getpid());
    assert_string_equal(after(expected), "session_created: for ann, 7");
    assert_int_equal(sscanf(captured, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
                            &minute, &second, &milli, &end),
                     7);
    assert_int_equal(end, strlen("2026-11-23T01:02:03.456Z"));
}

static void test_without_a_slot(void **state)
{
    char expected[64];

    (void)state;
    log_identify("master", -1);
    log_error("x", "y");
    snprintf(expected, sizeof(expected), " error master[%d] x: ", (int)getpid());
    assert_string_equal(after(expected), "y");
}

static void test_json_line(void **state)
{
    char expected[160];

    (void)state;
    log_configure(LOG_INFO, LOG_JSON);
    log_warning("odd", "he said \"no\\yes\"");
    snprintf(expected, sizeof(expected),
             "Z\",\"level\":\"warning\",\"role\":\"worker\",\"slot\":2,\"pid\":%d,"
             "\"event\":\"odd\",\"message\":",
             (int)getpid());
    assert_string_equal(after(expected), "\"he said \\\"no\\\\yes\\\"\"}");
    assert_int_equal(strncmp(captured, "{\"time\":\"2", 10), 0);
}

static void test_levels(void **state)
{
    (void)state;
    log_configure(LOG_WARNING, LOG_TEXT);
    log_info("x", "not this");
    log_debug("x", "nor this");
    assert_string_equal(logged(), "");
    log_warning("x", "this");
    assert_non_null(strstr(logged(), "x: this\n"));
    assert_true(log_enabled(LOG_ERROR));
    assert_false(log_enabled(LOG_INFO));
}

static void check_escape(const char *input, const char *text, const char *json)
{
    assert_int_equal(ftruncate(log_file, 0), 0);
    assert_int_equal(lseek(log_file, 0, SEEK_SET), 0);
    log_configure(LOG_INFO, LOG_TEXT);
    log_info("e", "%s", input);
    assert_string_equal(after(" e: "), text);
    assert_int_equal(ftruncate(log_file, 0), 0);
    assert_int_equal(lseek(log_file, 0, SEEK_SET), 0);
    log_configure(LOG_INFO, LOG_JSON);
    log_info("e", "%s", input);
    assert_string_equal(after("\"message\":\""), json);
}

static void test_no_input_forges_a_line(void **state)
{
    (void)state;
    check_escape("a\nb\r\tc\x1b[0m\x7f", "a\\x0ab\\x0d\\x09c\\x1b[0m\\x7f",
                 "a\\u000ab\\u000d\\u0009c\\u001b[0m\\u007f\"}");
    check_escape("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa2",
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa2",
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa2\"}");
    /* U+009B is a terminal's CSI. */
    check_escape("\xc2\x9b!", "\\xc2\\x9b!", "\\u009b!\"}");
    /* A stray byte, an overlong slash, a surrogate, beyond U+10FFFF, a cut character. */
    check_escape("\xff \xc0\xaf \xed\xa0\x80", "\\xff \\xc0\\xaf \\xed\\xa0\\x80",
                 "\\\\xff \\\\xc0\\\\xaf \\\\xed\\\\xa0\\\\x80\"}");
    check_escape("\xf4\x90\x80\x80 \xe2\x82", "\\xf4\\x90\\x80\\x80 \\xe2\\x82",
                 "\\\\xf4\\\\x90\\\\x80\\\\x80 \\\\xe2\\\\x82\"}");
}

static void test_a_long_line_is_cut_and_stays_a_line(void **state)
{
    char long_text[6000];

    (void)state;
    for (int json = 0; json < 2; json++) {
        size_t size;

        memset(long_text, '\n', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        assert_int_equal(ftruncate(log_file, 0), 0);
        assert_int_equal(lseek(log_file, 0, SEEK_SET), 0);
        log_configure(LOG_INFO, json ? LOG_JSON : LOG_TEXT);
        log_info("long", "%s", long_text);
        size = strlen(logged());
        assert_in_range(size, 4000, 4096);
        assert_ptr_equal(strchr(captured, '\n'), captured + size - 1);
        if (json)
            assert_string_equal(captured + size - 9, "\\u000a\"}\n");
    }
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    errno = EXDEV;
    dup2(saved_stderr, STDERR_FILENO);
    close(STDERR_FILENO);
    log_info("x", "nobody hears this");
    assert_int_equal(errno, EXDEV);
    assert_int_equal(log_reopen(dup(log_file)), 0);
}

/* A pipe that nobody reads, one that blocks: its lines are dropped, and told of later. */
static void test_a_full_pipe_blocks_nobody(void **state)
{
    static char text[1 << 20];
    uint64_t before = log_lost();
    int fds[2];

    (void)state;
    memset(text, 'x', 2000);
    text[2000] = '\0';
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(log_reopen(fds[1]), 0);
    for (int i = 0; i < 100; i++)
        log_info("many", "%s", text);
    assert_in_range(log_lost() - before, 50, 90);
    assert_true(read(fds[0], text, sizeof(text)) > 0);
    log_info("next", "is heard");
    text[read(fds[0], text, sizeof(text) - 1)] = '\0';
    assert_non_null(strstr(text, "] log_lost: "));
    assert_non_null(strstr(strstr(text, "] log_lost: "), "\n20"));
    assert_non_null(strstr(text, "] next: is heard\n"));
    log_info("last", "is heard, too");
    text[read(fds[0], text, sizeof(text) - 1)] = '\0';
    assert_null(strstr(text, "log_lost"));
    close(fds[0]);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, capture_begin, capture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_text_line),
        LOG_TEST(test_without_a_slot),
        LOG_TEST(test_json_line),
        LOG_TEST(test_levels),
        LOG_TEST(test_no_input_forges_a_line),
        LOG_TEST(test_a_long_line_is_cut_and_stays_a_line),
        LOG_TEST(test_errno_is_kept),
        LOG_TEST(test_a_full_pipe_blocks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
