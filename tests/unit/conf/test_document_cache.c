#include "conf/document_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define APP(name)                                         \
    "---\nversion: v1\nkind: app\nmetadata: {name: " name \
    "}\nspec: {uri: 'mcp+http://localhost:1'}\n"

struct fixture {
    char directory[64];
    struct document_cache cache;
    struct document_list list;
    struct diagnostics diagnostics;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->directory, "/tmp/gatehouse-cache-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    *state = fixture;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void forget(struct fixture *fixture)
{
    document_list_free(&fixture->list);
    diagnostics_free(&fixture->diagnostics);
    memset(&fixture->diagnostics, 0, sizeof(fixture->diagnostics));
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    forget(fixture);
    document_cache_free(&fixture->cache);
    nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

static const char *path_of(const struct fixture *fixture, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    return path;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
    FILE *file = fopen(path_of(fixture, name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Reads, and gives how many documents were read from files. */
static size_t look(struct fixture *fixture)
{
    forget(fixture);
    assert_int_equal(document_cache_read(&fixture->cache, slice_from(fixture->directory),
                                         &fixture->list, &fixture->diagnostics),
                     0);
    return fixture->list.count;
}

/* What the publisher does when all is in force. The files here are young: as if they were not. */
static void settle(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->cache.count; i++) {
        struct cached_file *file = fixture->cache.files[i];

        if (file->state != CACHED_FILE_READ)
            continue;
        file->young = false;
        document_cache_settle(file, calloc(1, sizeof(struct cached_document)), 1);
    }
}

static void test_only_what_changed_is_read(void **state)
{
    struct fixture *fixture = *state;
    char from[128];

    write_file(fixture, "b.yaml", APP("b"));
    write_file(fixture, "a.yaml", APP("a"));
    write_file(fixture, "c.yml", APP("c1") APP("c2"));
    write_file(fixture, "d.txt", APP("d"));
    assert_int_equal(look(fixture), 4);
    assert_int_equal(fixture->cache.count, 3);
    assert_int_equal(document_cache_read_count(&fixture->cache), 3);
    settle(fixture);
    assert_int_equal(look(fixture), 0);
    assert_int_equal(document_cache_read_count(&fixture->cache), 0);
    /* Another size; another file of the same size and name; a new and a removed one. */
    write_file(fixture, "b.yaml", APP("b") APP("b2"));
    assert_int_equal(look(fixture), 2);
    settle(fixture);
    write_file(fixture, "new", APP("x"));
    snprintf(from, sizeof(from), "%s", path_of(fixture, "new"));
    assert_int_equal(rename(from, path_of(fixture, "a.yaml")), 0);
    assert_int_equal(look(fixture), 1);
    assert_true(slice_is(fixture->list.documents[0].name, "x"));
    settle(fixture);
    assert_int_equal(unlink(path_of(fixture, "b.yaml")), 0);
    write_file(fixture, "aa.yaml", APP("aa"));
    assert_int_equal(look(fixture), 1);
    assert_int_equal(fixture->cache.count, 3);
}

static void test_what_is_not_settled_is_read_again(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture, "a.yaml", APP("a"));
    assert_int_equal(look(fixture), 1);
    assert_int_equal(look(fixture), 1);
    settle(fixture);
    assert_int_equal(look(fixture), 0);
    document_cache_settle(fixture->cache.files[0], NULL, 0);
    assert_int_equal(look(fixture), 1);
}

/* The clock that stamps files moves in steps: a change within one leaves no trace. */
static void test_a_young_file_is_not_trusted(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture, "a.yaml", APP("a"));
    look(fixture);
    fixture->cache.files[0]->young = true;
    document_cache_settle(fixture->cache.files[0], calloc(1, sizeof(struct cached_document)), 1);
    assert_int_equal(look(fixture), 1);
}

static void test_a_directory_that_is_not_there(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture, "a.yaml", APP("a"));
    look(fixture);
    settle(fixture);
    assert_int_equal(document_cache_read(&fixture->cache, slice_from("/nowhere/at/all"),
                                         &fixture->list, &fixture->diagnostics),
                     -ENOENT);
    assert_int_equal(fixture->cache.count, 0);
    assert_int_equal(look(fixture), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_what_changed_is_read),
        TEST(test_what_is_not_settled_is_read_again),
        TEST(test_a_young_file_is_not_trusted),
        TEST(test_a_directory_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
