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

#define PART(uri) PART_OF(uri, "env: a")
#define PART_OF(uri, labels)                                               \
    "---\nversion: v1\nkind: app\nmetadata: {name: wiki, labels: {" labels \
    "}}\nspec: {uri: \"" uri "\"}\n"
#define SERVER(n) "mcp+http://localhost:300" #n "/mcp"
#define GARBAGE "---\n\"not YAML\n"

/* The last digits of the endpoints' ports, in their order. */
static const char *ports(struct fixture *fixture)
{
    static char text[APP_ENDPOINTS_MAX + 1];
    struct app_record app;
    size_t i = 0;

    if (!look_app(fixture, "wiki", &app))
        return "none";
    for (; i < app.endpoint_count; i++)
        text[i] = (char)('0' + app.endpoints[i].port % 10);
    text[i] = '\0';
    return text;
}

static const char *file_status(struct fixture *fixture, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/resources/%s", fixture->directory, name);
    return refusal(fixture, DOCUMENT_UNKNOWN, path);
}

/* Whichever file cannot be read: what it said of an app stays, what others say of it goes on. */
static void test_keeps_what_an_unreadable_file_said_of_an_app(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", PART(SERVER(1)));
    write_resource(fixture, "2.yaml", PART(SERVER(2)));
    write_resource(fixture, "3.yaml", PART(SERVER(3)) PART(SERVER(4)));
    assert_int_equal(apply_directory(fixture, &reading), 1);
    assert_string_equal(ports(fixture), "1234");
    write_resource(fixture, "2.yaml", GARBAGE);
    apply_directory(fixture, &reading);
    assert_int_equal(strlen(ports(fixture)), 4);
    assert_non_null(strchr(ports(fixture), '2'));
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "wiki"), "");
    assert_int_not_equal(strlen(file_status(fixture, "2.yaml")), 0);
    /* Others change meanwhile, also over a restart. */
    write_resource(fixture, "1.yaml", PART(SERVER(5)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "5342");
    close_publisher(fixture);
    reading_free(&reading);
    reading = (struct reading){.settings.source = slice_from("/etc/gatehouse.yaml")};
    open_publisher(fixture);
    write_resource(fixture, "1.yaml", PART(SERVER(6)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "6342");
    /* Readable again, it says what holds; gone, it says nothing. */
    write_resource(fixture, "2.yaml", PART(SERVER(7)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "6734");
    assert_string_equal(file_status(fixture, "2.yaml"), "none");
    write_resource(fixture, "2.yaml", GARBAGE);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "6347");
    write_resource(fixture, "2.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "634");
    reading_free(&reading);
}

/* Of a file's documents, those before the mistake are read. */
static void test_keeps_what_stood_behind_the_mistake(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", PART(SERVER(1)) PART(SERVER(2)) PART(SERVER(3)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "123");
    write_resource(fixture, "1.yaml", PART(SERVER(4)) PART(SERVER(2)) GARBAGE);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "423");
    /* An app of one document that is read is what it says, whatever follows it. */
    write_resource(fixture, "1.yaml", PART(SERVER(5)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "5");
    write_resource(fixture, "1.yaml", PART(SERVER(6)) GARBAGE);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "6");
    reading_free(&reading);
}

static void test_kept_documents_must_agree_too(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", PART(SERVER(1)));
    write_resource(fixture, "2.yaml", PART(SERVER(2)));
    apply_directory(fixture, &reading);
    write_resource(fixture, "2.yaml", GARBAGE);
    write_resource(fixture, "1.yaml", PART_OF(SERVER(3), "env: b"));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "12");
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "wiki"), "2.yaml, cannot be read"));
    /* None of its documents is seen: all of it stays. */
    write_resource(fixture, "1.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "12");
    /* What moved to another file is named by it. */
    write_resource(fixture, "3.yaml", PART(SERVER(2)) PART(SERVER(1)));
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "21");
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "wiki"), "");
    reading_free(&reading);
}

/* A file that is found under another name is the one whose loss counts. */
static void test_follows_files_that_move(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", PART(SERVER(1)));
    write_resource(fixture, "2.yaml", PART(SERVER(2)));
    apply_directory(fixture, &reading);
    write_resource(fixture, "2.yaml", NULL);
    write_resource(fixture, "3.yaml", PART(SERVER(2)));
    apply_directory(fixture, &reading);
    write_resource(fixture, "3.yaml", GARBAGE);
    apply_directory(fixture, &reading);
    assert_string_equal(ports(fixture), "12");
    reading_free(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unchanged_files_stay_in_force_unread),
        TEST(test_refused_files_are_read_each_time),
        TEST(test_keeps_what_an_unreadable_file_said_of_an_app),
        TEST(test_keeps_what_stood_behind_the_mistake),
        TEST(test_kept_documents_must_agree_too),
        TEST(test_follows_files_that_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
