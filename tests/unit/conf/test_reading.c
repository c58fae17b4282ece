#include "conf/reading.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define APP(name) "---\nversion: v1\nkind: app\nmetadata: {name: " name "}\n"
#define GOOD "spec: {uri: 'mcp+http://localhost:1/mcp'}\n"
#define BAD "spec: {uri: nonsense}\n"

static struct reading read_text(const char *text)
{
    struct reading reading = {0};

    reading.settings.source = slice_from("/etc/gatehouse.yaml");
    documents_read_text(slice_from(text), slice_from("/r/a.yaml"), &reading.resources.list,
                        &reading.resources.diagnostics);
    assert_int_equal(reading_attribute(&reading.resources), 0);
    return reading;
}

static bool damaged(const char *text)
{
    struct reading reading = read_text(text);
    bool result = reading_damaged(&reading, slice_from("/r/a.yaml"));

    assert_false(reading_damaged(&reading, slice_from("/r/b.yaml")));
    assert_false(reading_damaged(&reading, slice_from("/etc/gatehouse.yaml")));
    reading_free(&reading);
    return result;
}

static void test_what_damages_a_file(void **state)
{
    (void)state;
    assert_false(damaged(""));
    assert_false(damaged(APP("one") GOOD));
    /* One named document is wrong: the others of the file stand for themselves. */
    assert_false(damaged(APP("one") BAD APP("two") GOOD));
    assert_false(damaged(APP("one") GOOD APP("two") BAD));
    /* Whose document this was cannot be told. */
    assert_true(damaged(APP("one") GOOD "---\nkind: ap\nmetadata: {name: two}\n"));
    assert_true(damaged(APP("one") GOOD "---\nversion: v1\nkind: app\n" GOOD));
    /* Nor what would have followed. */
    assert_true(damaged(APP("one") "spec: {uri: [\n" APP("two") GOOD));
    assert_true(damaged("[}"));
}

static void test_reason_names_the_first_error(void **state)
{
    struct reading reading = read_text(APP("one") GOOD APP("two") BAD);
    char reason[256];
    struct place place;

    (void)state;
    assert_int_equal(reading.resources.list.count, 2);
    reading_reason(&reading, &reading.resources.list.documents[1], reason, sizeof(reason), &place);
    assert_int_equal(strncmp(reason, "spec.uri: ", 10), 0);
    assert_int_equal(place.line, 10);
    reading_free(&reading);
}

static int count_visit(void *context, struct place place, const char *reason)
{
    unsigned *count = context;

    assert_true(place.file.size > 0);
    assert_true(reason[0] != '\0');
    ++*count;
    return 0;
}

static void test_sources_that_are_not_there(void **state)
{
    struct reading reading = {0};
    char directory[] = "/tmp/gatehouse-reading-XXXXXX";
    char path[64];
    unsigned count = 0;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/none", directory);
    reading_resources(&reading, slice_from(directory));
    assert_int_equal(reading.resources.error, 0);
    reading_settings(&reading, slice_from(path));
    reading_resources(&reading, slice_from(path));
    assert_int_equal(reading.settings.error, -ENOENT);
    assert_int_equal(reading.resources.error, -ENOENT);
    assert_true(reading_damaged(&reading, slice_from(path)));
    assert_true(reading_damaged(&reading, slice_from("/r/a.yaml")));
    assert_int_equal(reading_damages(&reading, count_visit, &count), 0);
    assert_int_equal(count, 2);
    /* No directory is wanted: nothing is of it any more. */
    reading_resources(&reading, slice_from(""));
    assert_false(reading_damaged(&reading, slice_from("/r/a.yaml")));
    reading_free(&reading);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_damages_a_file),
        cmocka_unit_test(test_reason_names_the_first_error),
        cmocka_unit_test(test_sources_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
