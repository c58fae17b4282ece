#include "conf/document_record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct document_record sample(void)
{
    static const struct slice values[] = {{.data = "prod", .size = 4}, {.data = "", .size = 0}};
    static const struct label_selector selectors[] = {
        {.name = {.data = "env", .size = 3}, .values = values, .value_count = 2},
        {.name = {.data = "*", .size = 1}, .values = values, .value_count = 1}};
    struct document_record record = {.name = slice_from("idp"),
                                     .refused = true,
                                     .place = {.file = slice_from("/r/a.yaml"), .line = 3},
                                     .reason = slice_from("spec.x: unknown key"),
                                     .warning = slice_from("spec.y: never matches"),
                                     .time = 1790000000,
                                     .good_hash = slice_from("00ff"),
                                     .good_place = {.file = slice_from("/r/b.yaml"), .column = 7},
                                     .key_epoch = 42,
                                     .jwks_url = slice_from("https://idp/keys"),
                                     .jwks_insecure = true,
                                     .keys_url = slice_from("https://idp/set"),
                                     .keys_etag = slice_from("W/\"1\""),
                                     .audience_count = 1,
                                     .selectors = selectors,
                                     .selector_count = 2};

    record.audiences[0] = slice_from("{{app.resource}}");
    record.parts[0] = (struct app_part){slice_from("/r/b.yaml"), 0};
    record.parts[1] = (struct app_part){slice_from("/r/c.yaml"), 3};
    record.part_count = 2;
    return record;
}

static void test_survives_the_store(void **state)
{
    struct document_record record = sample();
    struct document_record read;
    struct buffer bytes = {0};
    void *selectors;

    (void)state;
    assert_int_equal(document_record_encode(&record, &bytes), 0);
    assert_int_equal(document_record_decode(buffer_slice(&bytes), &read, &selectors), 0);
    assert_true(read.refused && read.jwks_insecure);
    assert_true(slice_is(read.name, "idp"));
    assert_int_equal(read.place.line, 3);
    assert_true(slice_is(read.good_place.file, "/r/b.yaml"));
    assert_int_equal(read.good_place.column, 7);
    assert_int_equal(read.part_count, 2);
    assert_true(slice_is(read.parts[1].file, "/r/c.yaml"));
    assert_true(read.parts[0].endpoints == 0 && read.parts[1].endpoints == 3);
    assert_true(slice_is(read.warning, "spec.y: never matches"));
    assert_int_equal(read.key_epoch, 42);
    assert_true(slice_is(read.keys_url, "https://idp/set"));
    assert_true(slice_is(read.keys_etag, "W/\"1\""));
    assert_int_equal(read.keys_modified.size, 0);
    assert_true(slice_is(read.audiences[0], "{{app.resource}}"));
    assert_int_equal(read.selector_count, 2);
    assert_int_equal(read.selectors[0].value_count, 2);
    assert_true(slice_is(read.selectors[0].values[0], "prod"));
    assert_int_equal(read.selectors[0].values[1].size, 0);
    assert_true(slice_is(read.selectors[1].name, "*"));
    free(selectors);
    buffer_free(&bytes);
}

/* Every cut is noticed, and nothing past the end is read (the copy is exactly as long). */
static void test_cut_records_are_refused(void **state)
{
    struct document_record record = sample();
    struct document_record read;
    struct buffer bytes = {0};
    void *selectors;

    (void)state;
    assert_int_equal(document_record_encode(&record, &bytes), 0);
    for (size_t size = 0; size < buffer_size(&bytes); size++) {
        char *cut = malloc(size + 1);
        int status;

        memcpy(cut, buffer_data(&bytes), size);
        status = document_record_decode(slice_make(cut, size), &read, &selectors);
        /* A cut between two selectors or values leaves a shorter, sound record. */
        if (status == 0)
            assert_true(read.selector_count < 2 || read.selectors[1].value_count > 0);
        else
            assert_null(selectors);
        free(selectors);
        free(cut);
    }
    buffer_free(&bytes);
}

static void test_keys(void **state)
{
    struct store_key key;

    (void)state;
    document_record_key(&key, DOCUMENT_AUTH_CONFIG, slice_from("a/b"));
    assert_true(slice_is(store_key_slice(&key), "app_auth_config/a%2Fb"));
    document_record_file_key(&key, slice_from("/r/a.yaml"));
    assert_true(slice_is(store_key_slice(&key), "file/%2Fr%2Fa.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survives_the_store),
        cmocka_unit_test(test_cut_records_are_refused),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
