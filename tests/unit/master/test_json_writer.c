#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/json_writer.h"

#include <stdlib.h>

static void a_document_has_its_commas(void **state)
{
    struct slice texts[] = {slice_from("a"), slice_from("b\"\x1b")};
    struct json_writer json = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    json_writer_open(&json, NULL, '{');
    json_writer_strings(&json, "texts", texts, 2);
    json_writer_open(&json, "objects", '[');
    json_writer_open(&json, NULL, '{');
    json_writer_close(&json, '}');
    json_writer_open(&json, NULL, '{');
    json_writer_number(&json, "n", -7);
    json_writer_boolean(&json, "b", true);
    json_writer_close(&json, '}');
    json_writer_close(&json, ']');
    json_writer_time(&json, "time", 1790000000);
    json_writer_time(&json, "never", 0);
    json_writer_optional(&json, "none", slice_from(""));
    json_writer_close(&json, '}');
    assert_int_equal(json_writer_end(&json, out), 0);
    fclose(out);
    assert_string_equal(text, "{\"texts\":[\"a\",\"b\\\"\\u001b\"],\"objects\":[{},{\"n\":-7,"
                              "\"b\":true}],\"time\":\"2026-09-21T14:13:20Z\",\"never\":null,"
                              "\"none\":null}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_document_has_its_commas)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
