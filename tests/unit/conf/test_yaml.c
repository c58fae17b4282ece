#include "conf/yaml.h"

#include "tests/unit/conf/expect.h"

#include <stdlib.h>

struct reading {
    struct arena arena;
    struct diagnostics diagnostics;
    struct yaml_node *root;
};

static struct reading read_slice(struct slice text)
{
    struct reading reading = {0};

    reading.root = yaml_read(text, slice_from("f"), &reading.arena, &reading.diagnostics);
    return reading;
}

static struct reading read_text(const char *text)
{
    return read_slice(slice_from(text));
}

static void finish(struct reading *reading, const char *diagnostics)
{
    expect_diagnostics(&reading->diagnostics, diagnostics);
    arena_free(&reading->arena);
}

static void test_tree(void **state)
{
    struct reading reading = read_text("a:\n  b: 1\n  c: 'two'\nd:\n- x\n- y: \"z\"\n");
    const struct yaml_node *node;

    (void)state;
    assert_int_equal(reading.root->kind, YAML_MAPPING);
    assert_int_equal(reading.root->count, 2);
    node = yaml_find(reading.root, "a.b");
    expect_slice(node->text, "1");
    assert_true(node->plain);
    assert_int_equal(node->place.line, 2);
    assert_int_equal(node->place.column, 6);
    assert_int_equal(node->key_place.column, 3);
    node = yaml_find(reading.root, "a.c");
    expect_slice(node->text, "two");
    assert_false(node->plain);
    node = yaml_find(reading.root, "d");
    assert_int_equal(node->kind, YAML_LIST);
    assert_int_equal(node->count, 2);
    expect_slice(node->first->text, "x");
    expect_slice(yaml_find(node->first->next, "y")->text, "z");
    assert_null(yaml_find(reading.root, "a.x"));
    assert_null(yaml_find(reading.root, "d.x"));
    assert_null(yaml_find(NULL, "a"));
    assert_ptr_equal(yaml_find(reading.root, ""), reading.root);
    finish(&reading, "");
}

static void test_null(void **state)
{
    struct reading reading = read_text("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n");

    (void)state;
    assert_true(yaml_is_null(yaml_find(reading.root, "a")));
    assert_true(yaml_is_null(yaml_find(reading.root, "b")));
    assert_true(yaml_is_null(yaml_find(reading.root, "c")));
    assert_false(yaml_is_null(yaml_find(reading.root, "d")));
    assert_false(yaml_is_null(yaml_find(reading.root, "e")));
    finish(&reading, "");
}

static void test_documents(void **state)
{
    struct reading reading = read_text("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n");

    (void)state;
    assert_non_null(yaml_find(reading.root, "a"));
    assert_non_null(reading.root->next);
    assert_int_equal(yaml_find(reading.root->next, "b")->place.line, 7);
    assert_null(reading.root->next->next);
    finish(&reading, "");
    reading = read_text("\xef\xbb\xbf"
                        "a: 1\n");
    assert_non_null(yaml_find(reading.root, "a"));
    finish(&reading, "");
    reading = read_text("");
    assert_null(reading.root);
    finish(&reading, "");
}

static void test_duplicate_key(void **state)
{
    struct reading reading = read_text("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n");

    (void)state;
    expect_slice(yaml_find(reading.root, "a")->text, "1");
    assert_true(reading.root->broken);
    finish(&reading,
           "f:3:3: c: the key stands twice: on line 2 and on line 3; keep one of the two\n"
           "f:4:1: a: the key stands twice: on line 1 and on line 4; keep one of the two\n");
}

static void test_refused_features(void **state)
{
    struct reading reading = read_text("a: &x 1\nb: *x\nc: !!python/object 1\n[d]: 1\ne: !t [1]\n");

    (void)state;
    assert_non_null(yaml_find(reading.root, "e"));
    assert_true(reading.root->broken);
    finish(&reading, "f:1:4: an anchor (&...) is not supported; write the value out\n"
                     "f:2:4: an alias (*...) is not supported; write the value out\n"
                     "f:3:4: a tag (!...) is not supported; quote a text instead\n"
                     "f:4:1: a key must be a plain text\n"
                     "f:5:4: a tag (!...) is not supported; quote a text instead\n");
}

static void test_control_characters(void **state)
{
    struct reading reading = read_text("a: \"x\\0y\"\nb: \"x\\ry\"\nc: \"x\\ty\"\n\"d\\e\": 1\n");

    (void)state;
    finish(&reading, "f:1:4: a control character is not allowed here\n"
                     "f:2:4: a control character is not allowed here\n"
                     "f:4:1: a control character is not allowed here\n");
}

/* The broken document keeps what was read of it, and those after it are read. */
static void test_after_a_syntax_error(void **state)
{
    struct reading reading =
        read_text("a: 1\n---\nkind: app\nbad: [1,\n---\nc: 3\n---\nd: 'x\n---\ne: 5\n");
    struct yaml_node *node = reading.root;

    (void)state;
    assert_int_equal(reading.diagnostics.errors, 2);
    assert_int_equal(reading.diagnostics.entries[0].place.line, 5);
    assert_true(yaml_find(node, "a") != NULL && !node->broken);
    node = node->next;
    expect_slice(yaml_find(node, "kind")->text, "app");
    assert_true(node->broken);
    node = node->next;
    assert_int_equal(yaml_find(node, "c")->place.line, 6);
    assert_false(node->broken);
    node = node->next;
    assert_true(node->broken);
    node = node->next;
    assert_int_equal(yaml_find(node, "e")->place.line, 10);
    assert_null(node->next);
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
}

static void test_no_text(void **state)
{
    struct reading reading = read_slice(slice_make("a: 1\nb: \xff\xfe\n", 11));

    (void)state;
    assert_int_equal(reading.diagnostics.errors, 1);
    assert_int_equal(reading.diagnostics.entries[0].place.line, 2);
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
    reading = read_slice(slice_make("\0\0\0", 3));
    assert_int_equal(reading.diagnostics.errors, 1);
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
}

/* count times `text`, after `before`. */
static char *repeated(const char *before, const char *text, size_t count)
{
    size_t head = strlen(before);
    size_t size = strlen(text);
    char *out = malloc(head + size * count + 1);

    memcpy(out, before, head);
    for (size_t i = 0; i < count; i++)
        memcpy(out + head + i * size, text, size);
    out[head + size * count] = '\0';
    return out;
}

static void limited(char *text, const char *mention)
{
    struct reading reading = read_text(text);

    expect_mention(&reading.diagnostics, mention);
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
    free(text);
}

static void test_limits(void **state)
{
    struct reading reading;
    char *text = malloc(600 * 16);
    size_t size = 0;

    (void)state;
    limited(repeated("", "[", 1000), "nested deeper than 32 levels");
    limited(repeated("", "{a: ", 1000), "nested deeper than 32 levels");
    limited(repeated("[", "1,", YAML_NODES_MAX), "too many values");
    limited(repeated("", "a", YAML_SIZE_MAX + 1), "larger than 16 MiB");
    for (int i = 0; i < 600; i++)
        size += (size_t)sprintf(text + size, "k%d: 1\n", i);
    limited(text, "more than 512 keys");
    text = repeated("", "--- [\n", 1000);
    reading = read_text(text);
    assert_true(reading.diagnostics.errors <= YAML_BROKEN_MAX + 1);
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
    free(text);
    text = repeated("", "[", YAML_DEPTH_MAX);
    reading = read_text(text);
    assert_true(reading.diagnostics.errors > 0); /* never closed, but not too deep */
    diagnostics_free(&reading.diagnostics);
    arena_free(&reading.arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_duplicate_key),
        cmocka_unit_test(test_refused_features),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_after_a_syntax_error),
        cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
