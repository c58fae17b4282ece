#include "publisher_fixture.h"

/* One reading of real files after the other, as the watcher does it. */
static int apply_directory(struct fixture *fixture, struct reading *reading)
{
    char path[128];
    int status;

    snprintf(path, sizeof(path), "%s/resources", fixture->directory);
    reading_resources(reading, slice_from(path));
    /* What was written just now is not trusted, and would be read again. */
    for (size_t i = 0; i < reading->cache.count; i++)
        reading->cache.files[i]->young = false;
    status = publisher_apply(&fixture->publisher, reading, fixture->gate);
    reading_forget_resources(reading);
    return status;
}

static void write_resource(struct fixture *fixture, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/resources", fixture->directory);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/resources/%s", fixture->directory, name);
    if (text == NULL) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_unchanged_files_stay_in_force_unread(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", APP("one", "a"));
    write_resource(fixture, "2.yaml", CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_int_equal(apply_directory(fixture, &reading), 1);
    assert_int_equal(apply_directory(fixture, &reading), 0);
    assert_int_equal(document_cache_read_count(&reading.cache), 0);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    /* A second one of a name that an unread file has: both are refused, and the first stays. */
    write_resource(fixture, "3.yaml", APP("one", "b"));
    assert_int_equal(apply_directory(fixture, &reading), 0);
    assert_int_equal(document_cache_read_count(&reading.cache), 1);
    assert_true(fixture->publisher.unread);
    apply_directory(fixture, &reading);
    assert_false(fixture->publisher.unread);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "defined twice"));
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 2);
    /* Gone again, all stands as before; and the unread file's document goes with its file. */
    write_resource(fixture, "3.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 0);
    write_resource(fixture, "1.yaml", NULL);
    assert_int_equal(apply_directory(fixture, &reading), 1);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    reading_free(&reading);
}

static void test_refused_files_are_read_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", APP("one", "a") "---\nkind: nonsense\n");
    write_resource(fixture, "2.yaml", CONFIG("x", "a", "https://i", "x", STATIC_A));
    write_resource(fixture, "3.yaml", CONFIG("y", "b", "https://i", "x", STATIC_A));
    apply_directory(fixture, &reading);
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 1);
    /* A clash with what an unread file says; when that goes, what was refused comes into force. */
    write_resource(fixture, "3.yaml", CONFIG("y", "a", "https://i", "x", STATIC_A));
    apply_directory(fixture, &reading);
    assert_string_equal(bound(fixture, "one", "https://i"), "x");
    assert_string_not_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "");
    write_resource(fixture, "2.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    reading_free(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unchanged_files_stay_in_force_unread),
        TEST(test_refused_files_are_read_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
