#include "conf/schema.h"

#include "tests/unit/conf/expect.h"

#include <stddef.h>

struct target {
    struct slice name, path;
    bool flag;
    uint64_t number, size, time;
    unsigned colour;
    const struct yaml_node *texts, *list, *map, *any;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

static const char *no_x(struct slice text)
{
    return memchr(text.data, 'x', text.size) == NULL ? NULL : "must not hold an x";
}

#define TO(field) .offset = offsetof(struct target, field)

static const struct schema_row rows[] = {
    {.path = "name",
     .type = SCHEMA_STRING,
     .required = true,
     TO(name),
     .low = 1,
     .high = 5,
     .check = no_x,
     .hint = "such as bob"},
    {.path = "path", .type = SCHEMA_PATH, TO(path)},
    {.path = "in", .type = SCHEMA_MAPPING},
    {.path = "in.flag", .type = SCHEMA_BOOL, .required = true, TO(flag)},
    {.path = "in.number", .type = SCHEMA_INTEGER, TO(number), .low = 1, .high = 9, .fallback = "7"},
    {.path = "in.size",
     .type = SCHEMA_SIZE,
     TO(size),
     .low = 1024,
     .high = 1 << 20,
     .fallback = "1KiB"},
    {.path = "in.deep", .type = SCHEMA_MAPPING},
    {.path = "in.deep.time",
     .type = SCHEMA_DURATION,
     TO(time),
     .low = 100,
     .high = 60000,
     .fallback = "5s"},
    {.path = "colour", .type = SCHEMA_CHOICE, TO(colour), .choices = colours, .fallback = "blue"},
    {.path = "texts", .type = SCHEMA_STRINGS, TO(texts), .low = 1, .high = 2, .check = no_x},
    {.path = "list", .type = SCHEMA_LIST, TO(list), .low = 1, .high = 2},
    {.path = "map", .type = SCHEMA_MAP, TO(map)},
    {.path = "any", .type = SCHEMA_ANY, TO(any)},
    {.path = "old", .type = SCHEMA_REFUSED, .hint = "use name"},
};
static const struct schema schema = {.rows = rows, .count = sizeof(rows) / sizeof(rows[0])};

struct reading {
    struct arena arena;
    struct diagnostics diagnostics;
    struct target target;
    bool good;
};

static struct reading reading;

static void read_prefixed(const char *text, const char *prefix)
{
    struct schema_context context = {.arena = &reading.arena,
                                     .diagnostics = &reading.diagnostics,
                                     .directory = slice_from("/etc/gate")};
    struct yaml_node *root;

    reading = (struct reading){0};
    root = yaml_read(slice_from(text), slice_from("f"), &reading.arena, &reading.diagnostics);
    assert_non_null(root);
    reading.good = schema_read(&schema, root, prefix, &context, &reading.target);
}

static void read_text(const char *text)
{
    read_prefixed(text, "");
}

static void finish(const char *diagnostics)
{
    assert_int_equal(reading.good, diagnostics[0] == '\0');
    expect_diagnostics(&reading.diagnostics, diagnostics);
    arena_free(&reading.arena);
}

static void test_values(void **state)
{
    (void)state;
    read_text("name: bob\npath: a/b\nin: {flag: true, number: 3, size: 2KiB, deep: {time: 1m}}\n"
              "colour: green\ntexts: [a, 5]\nlist: [1]\nmap: {k: v}\nany: {}\n");
    expect_slice(reading.target.name, "bob");
    expect_slice(reading.target.path, "/etc/gate/a/b");
    assert_true(reading.target.flag);
    assert_int_equal(reading.target.number, 3);
    assert_int_equal(reading.target.size, 2048);
    assert_int_equal(reading.target.time, 60000);
    assert_int_equal(reading.target.colour, 1);
    assert_int_equal(reading.target.texts->count, 2);
    assert_int_equal(reading.target.list->count, 1);
    expect_slice(reading.target.map->first->key, "k");
    assert_non_null(reading.target.any);
    finish("");
}

static void test_defaults(void **state)
{
    (void)state;
    read_text("name: bob\n");
    assert_int_equal(reading.target.number, 7);
    assert_int_equal(reading.target.size, 1024);
    assert_int_equal(reading.target.time, 5000);
    assert_int_equal(reading.target.colour, 2);
    assert_null(reading.target.list);
    finish("");
    read_text("name: bob\nin: {flag: false}\npath: /abs\n");
    assert_int_equal(reading.target.time, 5000);
    expect_slice(reading.target.path, "/abs");
    finish("");
}

static void test_required(void **state)
{
    (void)state;
    read_text("in: {number: 1}\n");
    finish("f:1:1: name: is required; such as bob\n"
           "f:1:5: in.flag: is required\n");
}

static void test_unknown_keys(void **state)
{
    (void)state;
    read_text("name: bob\nnmae: bob\nflag: true\nbanana: 1\nin:\n  flag: true\n  numbr: 1\n");
    finish("f:2:1: nmae: unknown key; did you mean \"name\"?\n"
           "f:3:1: flag: unknown key; it belongs under in\n"
           "f:4:1: banana: unknown key\n"
           "f:7:3: in.numbr: unknown key; did you mean \"number\"?\n");
}

static void test_wrong_types(void **state)
{
    (void)state;
    read_text("name: [bob]\npath: true\nin: {flag: 'true', number: x, size: 1GB, deep: 5}\n"
              "colour: gren\ntexts: {a: b}\nlist: a\nmap: [a]\nold: 1\n");
    finish("f:1:7: name: must be a text, found a list\n"
           "f:2:7: path: must be a text, found the boolean true; put quotes around a text\n"
           "f:3:12: in.flag: must be true or false, found the text \"true\"\n"
           "f:3:28: in.number: must be a whole number, found the text \"x\"\n"
           "f:3:37: in.size: must be a size such as 16KiB, 10MiB or 1GiB, found the text \"1GB\"\n"
           "f:3:48: in.deep: must be a mapping, found the number 5\n"
           "f:4:9: colour: must be red, green or blue, found the text \"gren\"; did you mean "
           "\"green\"?\n"
           "f:5:8: texts: must be a text or a list of texts, found a mapping\n"
           "f:6:7: list: must be a list, found the text \"a\"\n"
           "f:7:6: map: must be a mapping of names to texts, found a list\n"
           "f:8:6: old: is not supported by this release; use name\n");
}

static void test_ranges(void **state)
{
    (void)state;
    read_text("name: bobby-\nin: {flag: true, number: 10, size: 2MiB, deep: {time: 1ms}}\n"
              "texts: [a, b, c]\nlist: []\n");
    finish("f:1:7: name: must have at most 5 characters, has 6; such as bob\n"
           "f:2:26: in.number: must be from 1 to 9, found 10\n"
           "f:2:36: in.size: must be from 1KiB to 1MiB, found 2MiB\n"
           "f:2:55: in.deep.time: must be from 100ms to 1m, found 1ms\n"
           "f:3:8: texts: must have 1 to 2 entries, has 3\n"
           "f:4:7: list: must have 1 to 2 entries, has 0\n");
    assert_int_equal(reading.target.number, 0);
}

static void test_checked_strings(void **state)
{
    (void)state;
    read_text("name: xx\ntexts: [a, x]\nmap: {a: {}}\npath: ''\n");
    assert_null(reading.target.texts);
    finish("f:1:7: name: must not hold an x; such as bob\n"
           "f:2:12: texts[1]: must not hold an x\n"
           "f:3:10: map.a: must be a text, found a mapping\n"
           "f:4:7: path: must not be empty\n");
    read_text("name: bob\ntexts: x\n");
    finish("f:2:8: texts: must not hold an x\n");
}

static void test_key_without_value(void **state)
{
    (void)state;
    read_text("name:\nin:\n  deep:\n  flag: true\n");
    assert_int_equal(reading.target.time, 5000);
    finish("f:1:1: name: has no value; give it one, or leave the key out\n"
           "f:3:3: in.deep: has no value; give it one, or leave the key out\n");
}

static void test_prefix_and_no_mapping(void **state)
{
    (void)state;
    read_prefixed("name: bob\nbanana: 1\n", "a.list[3]");
    finish("f:2:1: a.list[3].banana: unknown key\n");
    read_prefixed("- x\n", "a.list[3]");
    finish("f:1:1: a.list[3]: must be a mapping, found a list\n");
}

static void test_directory(void **state)
{
    (void)state;
    expect_slice(schema_directory(slice_from("/etc/gate.yaml")), "/etc");
    expect_slice(schema_directory(slice_from("/gate.yaml")), "");
    expect_slice(schema_directory(slice_from("gate.yaml")), ".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_checked_strings),
        cmocka_unit_test(test_key_without_value),
        cmocka_unit_test(test_prefix_and_no_mapping),
        cmocka_unit_test(test_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
