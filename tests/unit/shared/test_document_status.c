#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/document_record.h"
#include "shared/document_status.h"

#include <errno.h>

static struct document_record example(void)
{
    return (struct document_record){
        .name = slice_from("corp"),
        .refused = true,
        .place = {.file = slice_from("/etc/b.yaml"), .line = 7, .column = 3},
        .reason = slice_from("spec.jwt.issuer: must not be empty"),
        .warning = slice_from("spec.x: never matches"),
        .time = 1790000000,
        .good_hash = slice_from("abcd"),
        .good_place = {.file = slice_from("/etc/a.yaml"), .line = 1, .column = 1},
        .key_epoch = 2,
        .jwks_url = slice_from("https://idp.example.com/jwks"),
        .audiences = {slice_from("gate")},
        .audience_count = 1,
    };
}

static void what_the_watcher_wrote_is_read(void **state)
{
    struct document_record record = example();
    struct document_status status;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(document_record_encode(&record, &bytes), 0);
    assert_int_equal(document_status_decode(buffer_slice(&bytes), &status), 0);
    assert_true(slice_is(status.name, "corp"));
    assert_true(status.refused);
    assert_true(slice_is(status.file, "/etc/b.yaml"));
    assert_int_equal(status.line, 7);
    assert_int_equal(status.column, 3);
    assert_true(slice_equal(status.reason, record.reason));
    assert_true(slice_equal(status.warning, record.warning));
    assert_int_equal(status.time, 1790000000);
    assert_true(status.good);
    assert_true(slice_equal(status.jwks_url, record.jwks_url));
    buffer_free(&bytes);
}

static void without_a_good_version(void **state)
{
    struct document_record record = example();
    struct document_status status;
    struct buffer bytes = {0};

    (void)state;
    record.good_hash = slice_from("");
    assert_int_equal(document_record_encode(&record, &bytes), 0);
    assert_int_equal(document_status_decode(buffer_slice(&bytes), &status), 0);
    assert_false(status.good);
    buffer_free(&bytes);
}

static void a_lock_is_read(void **state)
{
    struct document_record record = example();
    struct document_status status;
    struct buffer bytes = {0};

    (void)state;
    record.refused = false;
    record.revocation = slice_from("user/alice");
    assert_int_equal(document_record_encode(&record, &bytes), 0);
    assert_int_equal(document_status_decode(buffer_slice(&bytes), &status), 0);
    assert_true(status.good);
    assert_true(slice_equal(status.jwks_url, record.jwks_url));
    buffer_free(&bytes);
}

static void a_cut_record_is_refused(void **state)
{
    struct document_status status;

    (void)state;
    assert_int_equal(document_status_decode(slice_from(""), &status), -EBADMSG);
    assert_int_equal(document_status_decode(slice_from("1 name=4:corp state=7:refused"), &status),
                     -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_watcher_wrote_is_read),
        cmocka_unit_test(without_a_good_version),
        cmocka_unit_test(a_lock_is_read),
        cmocka_unit_test(a_cut_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
