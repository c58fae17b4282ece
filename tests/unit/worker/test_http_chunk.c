/* Chunked bodies, whole and cut at every byte, must mean the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/http_chunk.h"

#include <stdlib.h>

struct outcome {
    enum http_chunk_result result;
    char body[256];
    size_t size;
    size_t used;
};

/* Feeds `text` in pieces of `step` bytes, each from memory of its own so that a sanitizer sees
 * reads past it. */
static void decode(const char *text, size_t length, size_t step, struct outcome *out)
{
    struct http_chunk_decoder decoder = {0};

    memset(out, 0, sizeof(*out));
    out->result = HTTP_CHUNK_MORE;
    for (size_t at = 0; at < length && out->result == HTTP_CHUNK_MORE; at += step) {
        size_t size = length - at < step ? length - at : step;
        char *piece = malloc(size);
        struct slice rest = slice_make(piece, size);

        assert_non_null(piece);
        memcpy(piece, text + at, size);
        do {
            struct slice data;
            size_t used;

            out->result = http_chunk_decode(&decoder, rest, &used, &data);
            assert_true(used <= rest.size);
            if (out->result == HTTP_CHUNK_DATA) {
                assert_true(out->size + data.size <= sizeof(out->body));
                memcpy(out->body + out->size, data.data, data.size);
                out->size += data.size;
            }
            out->used += used;
            rest = slice_skip(rest, used);
        } while (out->result == HTTP_CHUNK_DATA);
        free(piece);
    }
}

static void assert_all(const char *text, enum http_chunk_result result, const char *body,
                       size_t used)
{
    size_t length = strlen(text);

    for (size_t step = 1; step <= length; step++) {
        struct outcome outcome;

        decode(text, length, step, &outcome);
        assert_int_equal(outcome.result, result);
        if (result == HTTP_CHUNK_ERROR)
            continue;
        assert_int_equal(outcome.used, used);
        assert_int_equal(outcome.size, strlen(body));
        assert_memory_equal(outcome.body, body, outcome.size);
    }
}

static void test_bodies(void **state)
{
    (void)state;
    assert_all("0\r\n\r\n", HTTP_CHUNK_END, "", 5);
    assert_all("5\r\nhello\r\n6 ; x=\"y\";z\r\n world\r\n000\r\nA: b\r\nC:\r\n\r\nGET",
               HTTP_CHUNK_END, "hello world",
               strlen("5\r\nhello\r\n6 ; x=\"y\";z\r\n world\r\n000"
                      "\r\nA: b\r\nC:\r\n\r\n"));
    assert_all("A\r\n\r\n0\r\n\r\n56\n\r\n0\r\n\r\n", HTTP_CHUNK_END, "\r\n0\r\n\r\n56\n",
               strlen("A\r\n\r\n0\r\n\r\n56\n\r\n0\r\n\r\n"));
    assert_all("5\r\nhel", HTTP_CHUNK_MORE, "hel", 6);
    assert_all("5\r\nhello\r\n0\r\nA: b\r\n", HTTP_CHUNK_MORE, "hello",
               strlen("5\r\nhello\r\n0\r\nA: b\r\n"));
}

static void test_malformed(void **state)
{
    static const char *const cases[] = {
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "0x5\r\n",
        "-1\r\n",
        "+1\r\n",
        " 5\r\n",
        "5\nhello",
        "5\r\r\n",
        "5 \r\nhello",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "5\r\nhello\rX",
        "1234567890abcdef\r\n",
        "0000000000000000\r\n",
        "5;a\nhello",
        "5;a\x01\r\n",
        "5;a\rb\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "0\r\n A: b\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: \x02\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_all(cases[i], HTTP_CHUNK_ERROR, NULL, 0);
}

static void test_bounds(void **state)
{
    static char text[HTTP_TRAILERS_MAX + 64];
    struct outcome outcome;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "0;", 2);
    decode(text, HTTP_CHUNK_LINE_MAX, sizeof(text), &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_MORE);
    decode(text, HTTP_CHUNK_LINE_MAX + 1, sizeof(text), &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_ERROR);
    memcpy(text, "0\r\nA:", 5);
    decode(text, 3 + HTTP_TRAILERS_MAX, sizeof(text), &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_MORE);
    decode(text, 3 + HTTP_TRAILERS_MAX + 1, sizeof(text), &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_ERROR);
}

static void test_lines(void **state)
{
    char line[20];

    (void)state;
    assert_int_equal(http_chunk_line(0, line), 3);
    assert_memory_equal(line, "0\r\n", 3);
    assert_int_equal(http_chunk_line(0x1a3, line), 5);
    assert_memory_equal(line, "1a3\r\n", 5);
    assert_int_equal(http_chunk_line(UINT64_MAX, line), 18);
    assert_memory_equal(line, "ffffffffffffffff\r\n", 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
