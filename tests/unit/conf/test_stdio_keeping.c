#include "conf/stdio_keeping.h"

#include "tests/unit/conf/expect.h"

#include <errno.h>

#define APP(name, mcp)                                                    \
    "version: v1\nkind: app\nmetadata: {name: " name "}\nspec:\n  mcp:\n" \
    "    " mcp "\n"
#define ONE APP("one", "command: /bin/one")
#define TWO APP("two", "command: /bin/two")

static struct stdio_fault fault;
static char told[512];

/* Whether a file of this text keeps the server "one"; `told`: as it would be said. */
static bool keeps(const char *text)
{
    struct document_list list = {0};
    struct diagnostics seen = {0};
    struct stdio_source source = {.path = slice_from("/d/f.yaml"), .diagnostics = &seen};
    bool kept;

    documents_read_text(slice_from(text), source.path, &list, &seen);
    source.documents = list.documents;
    source.count = list.count;
    kept = stdio_keeps(&source, slice_from("one"), &fault);
    snprintf(told, sizeof(told), "%.*s:%u:%u: %.*s: %.*s", (int)fault.place.file.size,
             fault.place.file.data, fault.place.line, fault.place.column, (int)fault.key.size,
             fault.key.data, (int)fault.reason.size, fault.reason.data);
    document_list_free(&list);
    diagnostics_free(&seen);
    return kept;
}

static void test_a_file_that_does_not_name_it_drops_it(void **state)
{
    (void)state;
    assert_false(keeps(""));
    assert_false(keeps("# nothing\n"));
    assert_false(keeps(TWO));
    /* Another's mistake is another's. */
    assert_false(keeps(APP("two", "command: bin/two")));
    /* It is a server of another kind now. */
    assert_false(keeps("version: v1\nkind: app\nmetadata: {name: one}\n"
                       "spec: {uri: 'mcp+http://localhost:3001/mcp'}\n"));
    /* Something else of its name is not it. */
    assert_false(keeps("version: v1\nkind: role\nmetadata: {name: one}\nspec: {x: y}\n"));
}

static void test_a_file_that_is_not_yaml_keeps_it(void **state)
{
    (void)state;
    assert_true(keeps("version: v1\nkind: [app\n"));
    assert_non_null(strstr(told, "/d/f.yaml:"));
    assert_null(strstr(told, ":0:0"));
    assert_true(keeps("\t\n"));
    /* Before it, in it, and behind it. */
    assert_true(keeps(TWO "---\nfoo: [\n"));
    assert_true(keeps(APP("one", "command: [")));
    assert_true(keeps("foo: [\n---\n" ONE));
    assert_true(keeps("version: v1\nkind: app\nmetadata: {name: two}\nspec: {mcp: {command: [\n"));
}

static void test_a_refused_document_keeps_it(void **state)
{
    (void)state;
    assert_true(keeps(APP("one", "command: bin/one")));
    assert_string_equal(told, "/d/f.yaml:6:14: spec.mcp.command: must be an absolute path: no PATH "
                              "is searched");
    assert_true(keeps(TWO "---\n" APP("one", "comand: /bin/one")));
    assert_non_null(strstr(told, "/d/f.yaml:13:5: spec.mcp.comand: "));
    /* The error that is told is its own. */
    assert_true(keeps(APP("two", "command: x") "---\n" APP("one", "command: y")));
    assert_non_null(strstr(told, "/d/f.yaml:13:14: "));
}

static void test_a_document_that_may_have_been_it_keeps_it(void **state)
{
    (void)state;
    assert_true(keeps("version: v1\nkind: ap\nmetadata: {name: one}\nspec: {}\n"));
    assert_non_null(strstr(told, "/d/f.yaml:2:7: kind: must be app"));
    assert_true(keeps("version: v1\nkind: app\nmetadata: {}\nspec: {mcp: {command: /bin/one}}\n"));
    assert_non_null(strstr(told, "metadata.name: is required"));
}

/* The file is judged first, its command next: by whoever asks. */
static void test_a_good_document_keeps_what_was_before_it(void **state)
{
    (void)state;
    assert_true(keeps(ONE));
    assert_string_equal(told, "/d/f.yaml:1:1: : ");
}

static void test_an_unreadable_file_keeps_it(void **state)
{
    const struct diagnostics none = {0};
    struct stdio_source source = {
        .path = slice_from("/d/f.yaml"), .error = -EACCES, .diagnostics = &none};

    (void)state;
    assert_true(stdio_keeps(&source, slice_from("one"), &fault));
    expect_slice(fault.place.file, "/d/f.yaml");
    assert_int_equal(fault.place.line, 0);
    expect_slice(fault.reason, "cannot be read: Permission denied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_that_does_not_name_it_drops_it),
        cmocka_unit_test(test_a_file_that_is_not_yaml_keeps_it),
        cmocka_unit_test(test_a_refused_document_keeps_it),
        cmocka_unit_test(test_a_document_that_may_have_been_it_keeps_it),
        cmocka_unit_test(test_a_good_document_keeps_what_was_before_it),
        cmocka_unit_test(test_an_unreadable_file_keeps_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
