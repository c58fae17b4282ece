#include "tests/unit/conf/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP(name) \
    "kind: app\nversion: v1\nmetadata: {name: " name "}\nspec: {uri: 'mcp+http://a'}\n"

static void test_several_documents(void **state)
{
    (void)state;
    read_documents(APP("one") "---\n" APP("two") "---\n# nothing\n---\n" APP("three"));
    assert_int_equal(documents.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(documents.documents[i].kind, DOCUMENT_APP);
        assert_int_equal(documents.documents[i].state, DOCUMENT_GOOD);
        assert_int_equal(documents.documents[i].hash.size, 64);
    }
    expect_slice(documents.documents[2].name, "three");
    assert_int_equal(documents.documents[1].place.line, 6);
    expect_slice(documents.documents[1].place.file, "/r/f.yaml");
    finish("");
}

static void test_one_wrong_among_good(void **state)
{
    (void)state;
    read_documents(APP("one") "---\n" APP("two") "extra: 1\n---\n" APP("three"));
    assert_int_equal(documents.count, 3);
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_int_equal(documents.documents[1].state, DOCUMENT_REFUSED);
    expect_slice(documents.documents[1].name, "two");
    assert_int_equal(documents.documents[2].state, DOCUMENT_GOOD);
    finish("/r/f.yaml:10:1: extra: unknown key\n");
}

static void test_kinds(void **state)
{
    (void)state;
    read_documents("kind: aap\n---\nversion: v1\nmetadata: {name: x}\n---\nkind: gatehouse\n"
                   "---\nkind: [app]\n---\n- app\n");
    assert_int_equal(documents.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(documents.documents[i].kind, DOCUMENT_UNKNOWN);
        assert_int_equal(documents.documents[i].state, DOCUMENT_REFUSED);
    }
    expect_slice(documents.documents[1].name, "x");
    finish(
        "/r/f.yaml:1:7: kind: must be app, app_auth_config, role or lock, found \"aap\"; did you "
        "mean \"app\"?\n"
        "/r/f.yaml:3:1: kind: must be app, app_auth_config, role or lock\n"
        "/r/f.yaml:6:7: kind: must be app, app_auth_config, role or lock, found \"gatehouse\"; "
        "the settings are a file of their own\n"
        "/r/f.yaml:8:7: kind: must be app, app_auth_config, role or lock\n"
        "/r/f.yaml:10:1: kind: must be app, app_auth_config, role or lock\n");
}

static void test_roles_and_locks(void **state)
{
    (void)state;
    read_documents(
        "kind: role\nversion: v7\nmetadata: {name: dev}\n"
        "spec: {allow: {app_labels: {env: dev}, mcp: {tools: [y]}}}\n"
        "---\nkind: lock\nversion: v2\nmetadata: {name: l}\nspec: {target: {user: a}}\n");
    assert_int_equal(documents.documents[0].kind, DOCUMENT_ROLE);
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_int_equal(documents.documents[1].kind, DOCUMENT_LOCK);
    expect_slice(documents.documents[1].name, "l");
    finish("");
    read_documents("kind: role\nversion: v7\nmetadata: {name: dev}\nspec: x\n");
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    finish_mention("f.yaml:4:7: spec: must be a mapping");
}

/* So that the last good version of the right document is kept. */
static void test_broken_document_keeps_kind_and_name(void **state)
{
    (void)state;
    read_documents("kind: app\nmetadata:\n  name: one\nspec: [\n---\n" APP("two"));
    assert_int_equal(documents.count, 2);
    assert_int_equal(documents.documents[0].kind, DOCUMENT_APP);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    expect_slice(documents.documents[0].name, "one");
    assert_int_equal(documents.documents[1].state, DOCUMENT_GOOD);
    finish_mention("not valid YAML");
    read_documents("[");
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.documents[0].kind, DOCUMENT_UNKNOWN);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    finish_mention("not valid YAML");
    read_documents(APP("one") "kind: role\n");
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    assert_int_equal(documents.documents[0].hash.size, 0);
    finish_mention("the key stands twice");
}

static void write_file(int directory, const char *name, const char *text)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int make_directory(char path[64])
{
    int fd;

    strcpy(path, "/tmp/gatehouse-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void test_directory(void **state)
{
    char path[64];
    int fd = make_directory(path);
    static const char *const names[] = {"b.yaml", "a.yml", ".hidden.yaml",
                                        "c.txt",  "yaml",  "d.yaml"};

    (void)state;
    write_file(fd, "b.yaml", APP("b"));
    write_file(fd, "a.yml", APP("a"));
    write_file(fd, ".hidden.yaml", APP("hidden"));
    write_file(fd, "c.txt", APP("c"));
    write_file(fd, "yaml", APP("d"));
    assert_int_equal(mkfifoat(fd, "d.yaml", 0600), 0);
    documents = (struct document_list){0};
    diagnostics = (struct diagnostics){0};
    assert_int_equal(documents_read_directory(slice_from(path), &documents, &diagnostics), 0);
    assert_int_equal(documents.count, 3);
    expect_slice(documents.documents[0].name, "a");
    expect_slice(documents.documents[1].name, "b");
    assert_int_equal(documents.documents[2].state, DOCUMENT_REFUSED);
    finish_mention("d.yaml: is not a regular file");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(fd, names[i], 0);
    close(fd);
    rmdir(path);
    assert_int_equal(documents_read_directory(slice_from(path), &documents, &diagnostics), -ENOENT);
    finish("");
}

static void test_list_grows(void **state)
{
    struct document document = {.kind = DOCUMENT_APP};

    (void)state;
    documents = (struct document_list){0};
    for (size_t i = 0; i < 1000; i++) {
        document.place.line = (unsigned)i;
        assert_true(document_list_add(&documents, &document));
    }
    assert_int_equal(documents.count, 1000);
    assert_int_equal(documents.documents[999].place.line, 999);
    document_list_free(&documents);
    assert_int_equal(documents.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_documents),
        cmocka_unit_test(test_one_wrong_among_good),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_roles_and_locks),
        cmocka_unit_test(test_broken_document_keeps_kind_and_name),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_list_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
