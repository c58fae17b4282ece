#include "shared/stdio_app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/shared/record_cuts.h"

static const char revision[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct stdio_app example(const char *name)
{
    struct stdio_app app = {
        .name = slice_from(name),
        .revision = slice_from(revision),
        .scope = STDIO_USER,
        .max_servers = 3,
        .file = slice_from("/etc/gatehouse/apps.yaml"),
        .command = slice_from("/usr/bin/node"),
        .arguments = {slice_from("server.js"), slice_from(""), slice_from("--x=1 2")},
        .argument_count = 3,
        .variables = {{slice_from("TOKEN"), slice_from("a=b")}, {slice_from("E"), slice_from("")}},
        .variable_count = 2,
        .working_dir = slice_from("/srv"),
        .user = {slice_from("tools"), 1001, 1002},
        .limits = {.open_files = 64, .processes = 10, .memory = 1 << 30, .cpu_time = 60000},
    };

    return app;
}

static void test_the_launcher_gets_all(void **state)
{
    struct stdio_app apps[2] = {example("one"), example("two")};
    struct stdio_app_list list = {apps, 2}, out;
    struct buffer buffer = {0};
    struct arena arena = {0};
    const struct stdio_app *two;

    (void)state;
    assert_int_equal(stdio_apps_encode(&list, true, &buffer), 0);
    assert_int_equal(stdio_apps_decode(buffer_slice(&buffer), true, &arena, &out), 0);
    buffer_wipe(&buffer); /* what was decoded must not need it */
    assert_int_equal(out.count, 2);
    assert_null(stdio_apps_find(&out, slice_from("three")));
    two = stdio_apps_find(&out, slice_from("two"));
    assert_ptr_equal(two, &out.apps[1]);
    assert_true(slice_is(two->revision, revision));
    assert_int_equal(two->scope, STDIO_USER);
    assert_int_equal(two->max_servers, 3);
    assert_true(slice_is(two->file, "/etc/gatehouse/apps.yaml"));
    assert_true(slice_is(two->command, "/usr/bin/node"));
    assert_int_equal(two->argument_count, 3);
    assert_true(slice_is(two->arguments[1], "") && slice_is(two->arguments[2], "--x=1 2"));
    assert_int_equal(two->variable_count, 2);
    assert_true(slice_is(two->variables[0].name, "TOKEN"));
    assert_true(slice_is(two->variables[0].value, "a=b"));
    assert_true(slice_is(two->working_dir, "/srv"));
    assert_true(slice_is(two->user.name, "tools"));
    assert_int_equal(two->user.uid, 1001);
    assert_int_equal(two->user.gid, 1002);
    assert_memory_equal(&two->limits, &apps[1].limits, sizeof(two->limits));
    arena_free(&arena);
}

static void test_the_bridge_learns_no_command(void **state)
{
    struct stdio_app app = example("one");
    struct stdio_app_list list = {&app, 1}, out;
    struct buffer buffer = {0};
    struct arena arena = {0};

    (void)state;
    assert_int_equal(stdio_apps_encode(&list, false, &buffer), 0);
    assert_null(memmem(buffer_data(&buffer), buffer_size(&buffer), "TOKEN", 5));
    assert_null(memmem(buffer_data(&buffer), buffer_size(&buffer), "node", 4));
    assert_int_equal(stdio_apps_decode(buffer_slice(&buffer), false, &arena, &out), 0);
    assert_int_equal(out.count, 1);
    assert_true(slice_is(out.apps[0].name, "one"));
    assert_int_equal(out.apps[0].max_servers, 3);
    assert_int_equal(out.apps[0].command.size, 0);
    /* The one is not the other's. */
    assert_int_equal(stdio_apps_decode(buffer_slice(&buffer), true, &arena, &out), -EBADMSG);
    assert_int_equal(out.count, 0);
    buffer_free(&buffer);
    arena_free(&arena);
}

static void refused(struct stdio_app app, const char *what)
{
    struct stdio_app_list list = {&app, 1}, out;
    struct buffer buffer = {0};
    struct arena arena = {0};

    assert_int_equal(stdio_apps_encode(&list, true, &buffer), 0);
    if (stdio_apps_decode(buffer_slice(&buffer), true, &arena, &out) != -EBADMSG)
        fail_msg("accepted: %s", what);
    buffer_free(&buffer);
    arena_free(&arena);
}

#define REFUSED(change)                        \
    do {                                       \
        struct stdio_app app = example("one"); \
        app.change;                            \
        refused(app, #change);                 \
    } while (0)

static void test_what_must_not_be_started_is_refused(void **state)
{
    (void)state;
    REFUSED(name.size = 0);
    REFUSED(revision.size = 63);
    REFUSED(scope = (enum stdio_scope)3);
    REFUSED(user.uid = 0);
    REFUSED(user.gid = 0);
    REFUSED(user.uid = UINT32_MAX);
    REFUSED(file.size = 0);
    REFUSED(file = slice_from("apps.yaml"));
    REFUSED(command.size = 0);
    REFUSED(command = slice_from("node"));
    REFUSED(command = slice_make("/bin\0/sh", 8));
    REFUSED(arguments[1] = slice_make("\0", 1));
    REFUSED(working_dir.size = 0);
    REFUSED(working_dir = slice_from("srv"));
    REFUSED(variables[0].name = slice_from(""));
    REFUSED(variables[0].name = slice_from("A=B"));
    REFUSED(variables[1].value = slice_make("\0", 1));
}

static void test_a_name_stands_once(void **state)
{
    struct stdio_app apps[2] = {example("one"), example("one")};
    struct stdio_app_list list = {apps, 2}, out;
    struct buffer buffer = {0};
    struct arena arena = {0};

    (void)state;
    assert_int_equal(stdio_apps_encode(&list, true, &buffer), 0);
    assert_int_equal(stdio_apps_decode(buffer_slice(&buffer), true, &arena, &out), -EBADMSG);
    buffer_free(&buffer);
    arena_free(&arena);
}

static int decode_list(struct slice bytes)
{
    struct arena arena = {0};
    struct stdio_app_list out;
    int error = stdio_apps_decode(bytes, true, &arena, &out);

    arena_free(&arena);
    return error;
}

static int decode_one(struct slice bytes)
{
    struct arena arena = {0};
    struct stdio_app out;
    int error = stdio_app_decode(bytes, &arena, &out);

    arena_free(&arena);
    return error;
}

static void test_cut_records_are_refused(void **state)
{
    struct stdio_app apps[2] = {example("one"), example("two")};
    struct stdio_app_list list = {apps, 2};
    struct buffer buffer = {0};

    (void)state;
    assert_int_equal(stdio_apps_encode(&list, true, &buffer), 0);
    expect_cuts_refused(buffer_slice(&buffer), decode_list);
    buffer_clear(&buffer);
    assert_int_equal(stdio_app_encode(&apps[0], &buffer), 0);
    expect_cuts_refused(buffer_slice(&buffer), decode_one);
    buffer_free(&buffer);
}

static void test_a_revision_follows_the_document(void **state)
{
    struct stdio_app app = example("one");
    struct arena arena = {0};
    struct slice first;

    (void)state;
    assert_int_equal(stdio_app_revise(&app, &arena), 0);
    first = app.revision;
    assert_int_equal(first.size, 64);
    app.user.uid = 77; /* a number that the watcher does not know */
    app.file = slice_from("/elsewhere.yaml");
    assert_int_equal(stdio_app_revise(&app, &arena), 0);
    assert_true(slice_equal(app.revision, first));
    app.variables[1].value = slice_from("x");
    assert_int_equal(stdio_app_revise(&app, &arena), 0);
    assert_false(slice_equal(app.revision, first));
    app = example("one");
    app.argument_count = 2;
    assert_int_equal(stdio_app_revise(&app, &arena), 0);
    assert_false(slice_equal(app.revision, first));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_launcher_gets_all),
        cmocka_unit_test(test_the_bridge_learns_no_command),
        cmocka_unit_test(test_what_must_not_be_started_is_refused),
        cmocka_unit_test(test_a_name_stands_once),
        cmocka_unit_test(test_cut_records_are_refused),
        cmocka_unit_test(test_a_revision_follows_the_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
